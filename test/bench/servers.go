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
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startTimeout is how long a server may take to start.
const startTimeout = 30 * time.Second

// password is the administrator's on the throw-away servers.
const password = "bench"

// servers are the processes that every database's part has, and what they share.
type servers struct {
	dir       string
	account   *syscall.Credential // of all but tenantsdb; nil: our own
	tenantsdb *exec.Cmd
	peer      *exec.Cmd // PgBouncer or HAProxy
	ports     struct{ server, peer, proxy, admin int }
	apiKey    string
}

// newServers makes a folder with a certificate in it, and finds free ports.
func newServers(dir string, account *syscall.Credential) (*servers, error) {
	s := &servers{dir: dir, account: account}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if err := own(dir, account); err != nil {
		return nil, err
	}
	for _, port := range []*int{&s.ports.server, &s.ports.peer, &s.ports.proxy, &s.ports.admin} {
		var err error
		if *port, err = freePort(); err != nil {
			return nil, err
		}
	}
	return s, s.writeCertificate()
}

// accountOf is the operating system's user for servers that refuse to be root;
// nil where we are not root ourselves.
func accountOf(name string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("install the Debian packages of the servers: %w", err)
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

// own gives the file or folder to the account, if there is one.
func own(path string, account *syscall.Credential) error {
	if account == nil {
		return nil
	}
	return os.Chown(path, int(account.Uid), int(account.Gid))
}

// path is a file of the run, owned by the servers' user.
func (s *servers) path(name string) string { return filepath.Join(s.dir, name) }

func (s *servers) write(name, content string, mode os.FileMode) error {
	if err := os.WriteFile(s.path(name), []byte(content), mode); err != nil {
		return err
	}
	return own(s.path(name), s.account)
}

// command is a program run as the servers' user.
func (s *servers) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account, Pdeathsig: syscall.SIGTERM}
	return cmd
}

// serve runs tenantsdb until it is ready. It has one server of a type; the lines
// say where that is.
func (s *servers) serve(program, kind string, server ...string) error {
	config := fmt.Sprintf(`data_dir: %s
tls:
  cert: %s
  key: %s
%s:
  listen: 127.0.0.1:%d
admin:
  listen: 127.0.0.1:%d
servers:
  - name: bench
    type: %s
    %s
`, s.path("tenantsdb"), s.path("server.crt"), s.path("server.key"), kind, s.ports.proxy, s.ports.admin, kind,
		strings.Join(server, "\n    "))
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

// stop ends the proxies.
func (s *servers) stop() {
	end(s.tenantsdb, syscall.SIGTERM)
	end(s.peer, syscall.SIGTERM)
}

// end ends a process, if it was started. How it does so is no finding.
func end(cmd *exec.Cmd, signal os.Signal) {
	if cmd == nil || cmd.Process == nil {
		return
	}
	if err := cmd.Process.Signal(signal); err == nil {
		_ = cmd.Wait()
	}
}

// writeCertificate makes the one certificate that all servers show.
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

// login is a workspace's connection.
type login struct{ User, Password, Database string }

// createWorkspace makes the workspace that is measured, without a limit of
// connections; the others keep their defaults, so that everything is inspected.
func (s *servers) createWorkspace(database string) (login, error) {
	var created struct{ Connection login }
	if err := s.call("POST", "/workspaces", fmt.Sprintf(`{"name": "bench", "database": %q, "mode": "tenant"}`, database), &created); err != nil {
		return login{}, err
	}
	if database == "Redis" { // which has no such limit
		return created.Connection, nil
	}
	return created.Connection, s.call("PATCH", "/workspaces/bench/settings", `{"max_connections": 0}`, nil)
}
