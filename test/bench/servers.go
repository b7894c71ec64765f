package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startTimeout is how long a server may take to start.
const startTimeout = 30 * time.Second

// password is the superuser's on the throw-away server.
const password = "bench"

// servers are the processes of one run: PostgreSQL, PgBouncer and tenantsdb.
type servers struct {
	dir       string
	account   *syscall.Credential // of PostgreSQL and PgBouncer; nil: our own
	postgres  *exec.Cmd
	pgbouncer *exec.Cmd
	tenantsdb *exec.Cmd
	ports     struct{ postgres, pgbouncer, proxy, admin int }
	apiKey    string
}

func startServers(dir, program string) (s *servers, err error) {
	s = &servers{dir: dir}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	for _, port := range []*int{&s.ports.postgres, &s.ports.pgbouncer, &s.ports.proxy, &s.ports.admin} {
		if *port, err = freePort(); err != nil {
			return nil, err
		}
	}
	if s.account, err = account(); err != nil {
		return nil, err
	}
	if err := s.writeCertificate(); err != nil {
		return nil, err
	}
	if err := s.startPostgres(); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := s.startTenantsDB(program); err != nil {
		return nil, fmt.Errorf("tenantsdb: %w", err)
	}
	if err := s.startPgBouncer(); err != nil {
		return nil, fmt.Errorf("pgbouncer: %w", err)
	}
	return s, nil
}

// account is the operating system's user for servers that refuse to be root.
func account() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("install the Debian package postgresql: %w", err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// path is a file of the run, owned by the servers' user.
func (s *servers) path(name string) string { return filepath.Join(s.dir, name) }

func (s *servers) write(name, content string, mode os.FileMode) error {
	if err := os.WriteFile(s.path(name), []byte(content), mode); err != nil {
		return err
	}
	if s.account == nil {
		return nil
	}
	return os.Chown(s.path(name), int(s.account.Uid), int(s.account.Gid))
}

// command is a program run as the servers' user.
func (s *servers) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account, Pdeathsig: syscall.SIGTERM}
	return cmd
}

// postgresProgram finds a server program of the newest PostgreSQL.
func postgresProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil && !strings.HasPrefix(path, "/usr/bin/") {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s not found: install the Debian package postgresql", name)
	}
	return slices.Max(found), nil
}

func (s *servers) startPostgres() error {
	data := s.path("postgres")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if s.account != nil {
		if err := os.Chown(data, int(s.account.Uid), int(s.account.Gid)); err != nil {
			return err
		}
		if err := os.Chown(s.dir, int(s.account.Uid), int(s.account.Gid)); err != nil {
			return err
		}
	}
	if err := s.write("pwfile", password, 0o600); err != nil {
		return err
	}
	initdb, err := postgresProgram("initdb")
	if err != nil {
		return err
	}
	if out, err := combined(s.command(initdb, "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", s.path("pwfile"))); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	program, err := postgresProgram("postgres")
	if err != nil {
		return err
	}
	s.postgres = s.command(program, "-D", data, "-p", strconv.Itoa(s.ports.postgres), "-k", s.dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=1400", "-c", "shared_buffers=512MB",
		"-c", "ssl=on", "-c", "ssl_cert_file="+s.path("server.crt"), "-c", "ssl_key_file="+s.path("server.key"),
		"-c", "log_min_messages=fatal")
	if err := s.postgres.Start(); err != nil {
		return err
	}
	return listening(s.ports.postgres)
}

func combined(cmd *exec.Cmd) ([]byte, error) {
	cmd.Stderr = nil
	return cmd.CombinedOutput()
}

func (s *servers) startTenantsDB(program string) error {
	config := fmt.Sprintf(`data_dir: %s
tls:
  cert: %s
  key: %s
postgresql:
  listen: 127.0.0.1:%d
admin:
  listen: 127.0.0.1:%d
servers:
  - name: bench
    type: postgresql
    socket: %s
    user: postgres
    password: %s
`, s.path("tenantsdb"), s.path("server.crt"), s.path("server.key"), s.ports.proxy, s.ports.admin,
		s.path(".s.PGSQL."+strconv.Itoa(s.ports.postgres)), password)
	return s.serve(program, config)
}

// serve runs tenantsdb with this configuration until it is ready.
func (s *servers) serve(program, config string) error {
	if err := os.WriteFile(s.path("tenantsdb.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	out, err := os.Create(s.path("tenantsdb.out"))
	if err != nil {
		return err
	}
	defer out.Close()
	s.tenantsdb = exec.Command(program, "serve", "--config", s.path("tenantsdb.yaml"))
	s.tenantsdb.Stdout = out
	s.tenantsdb.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := s.tenantsdb.Start(); err != nil {
		return err
	}
	if err := listening(s.ports.proxy); err != nil {
		return err
	}
	if err := s.ready(); err != nil {
		return err
	}
	return s.readAPIKey()
}

// ready waits until the admin API says that everything is.
func (s *servers) ready() error {
	deadline := time.Now().Add(startTimeout)
	for time.Now().Before(deadline) {
		response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/ready", s.ports.admin))
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("not ready in time")
}

// readAPIKey finds the key that the first start prints before it serves.
func (s *servers) readAPIKey() error {
	text, err := os.ReadFile(s.path("tenantsdb.out"))
	if err != nil {
		return err
	}
	for word := range strings.FieldsSeq(string(text)) {
		if strings.HasPrefix(word, "tenantsdb_sk_") {
			s.apiKey = word
			return nil
		}
	}
	return errors.New("the first start printed no API key")
}

func (s *servers) startPgBouncer() error {
	config := fmt.Sprintf(`[databases]
* = host=%s port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = session
client_tls_sslmode = require
client_tls_key_file = %s
client_tls_cert_file = %s
max_client_conn = 2000
default_pool_size = 1200
log_connections = 0
log_disconnections = 0
`, s.dir, s.ports.postgres, s.ports.pgbouncer, s.path("users"), s.path("server.key"), s.path("server.crt"))
	if err := s.write("pgbouncer.ini", config, 0o600); err != nil {
		return err
	}
	if err := s.write("users", fmt.Sprintf("%q %q\n", "postgres", password), 0o600); err != nil {
		return err
	}
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
	}
	s.pgbouncer = s.command(program, "-q", s.path("pgbouncer.ini"))
	s.pgbouncer.Stderr = nil
	if err := s.pgbouncer.Start(); err != nil {
		return fmt.Errorf("install the Debian package pgbouncer: %w", err)
	}
	return listening(s.ports.pgbouncer)
}

// stop ends what was started, the proxies first.
func (s *servers) stop() {
	for _, p := range []struct {
		cmd    *exec.Cmd
		signal os.Signal
	}{{s.tenantsdb, syscall.SIGTERM}, {s.pgbouncer, syscall.SIGTERM}, {s.postgres, syscall.SIGINT}} {
		if p.cmd == nil || p.cmd.Process == nil {
			continue
		}
		if err := p.cmd.Process.Signal(p.signal); err == nil {
			// How a server that was told to end does so is no finding.
			_ = p.cmd.Wait()
		}
	}
}

// writeCertificate makes the one certificate that all three servers show.
func (s *servers) writeCertificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := s.write("server.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), 0o644); err != nil {
		return err
	}
	return s.write("server.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})), 0o600)
}

// createWorkspace makes the workspace that is measured, without a limit of
// connections; the others keep their defaults, so that everything is inspected.
func (s *servers) createWorkspace() (t target, err error) {
	var created struct {
		Connection struct {
			User, Password, Database string
		}
	}
	if err := s.call("POST", "/workspaces", `{"name": "bench", "database": "PostgreSQL", "mode": "tenant"}`, &created); err != nil {
		return target{}, err
	}
	if err := s.call("PATCH", "/workspaces/bench/settings", `{"max_connections": 0}`, nil); err != nil {
		return target{}, err
	}
	return target{name: "tenantsdb", port: s.ports.proxy, user: created.Connection.User,
		password: created.Connection.Password, database: created.Connection.Database}, nil
}

func (s *servers) call(method, path, body string, into any) error {
	request, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d%s", s.ports.admin, path), strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+s.apiKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// targets are what is measured: one database, three ways to it.
func (s *servers) targets() ([]target, error) {
	proxy, err := s.createWorkspace()
	if err != nil {
		return nil, err
	}
	return []target{
		{name: "direct", port: s.ports.postgres, user: "postgres", password: password, database: proxy.database},
		{name: "pgbouncer", port: s.ports.pgbouncer, user: "postgres", password: password, database: proxy.database},
		proxy,
	}, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// listening waits until something accepts connections on port.
func listening(port int) error {
	deadline := time.Now().Add(startTimeout)
	for time.Now().Before(deadline) {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("nothing listens on port %d", port)
}
