package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantsdb/tenantsdb/certs"
	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
)

func get(t *testing.T, url string) (status int) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

// production is a running `tenantsdb serve` before a server of its own.
type production struct {
	*program
	dir      string // of the configuration and the certificate
	data     string
	admin    string // URL
	port     int    // of PostgreSQL
	key      string // API key
	password string // of the proxy
	user     string
	client   *http.Client
}

// certificate puts one of a new authority where the configuration has it, and
// gives the authority's.
func (p *production) certificate(t *testing.T) (caFile string) {
	t.Helper()
	dir := t.TempDir()
	if _, err := certs.Development(dir, nil, nil); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"server.crt": "cert.pem", "server.key": "key.pem"} {
		text, err := os.ReadFile(filepath.Join(dir, from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.dir, to), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certs.CAFile(dir)
}

func (p *production) trust(t *testing.T, caFile string) {
	t.Helper()
	text, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	p.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool},
		DisableKeepAlives: true, // each request shows the certificate of now
		ForceAttemptHTTP2: true,
	}}
	t.Cleanup(p.client.CloseIdleConnections)
}

// configure writes the configuration with the log level and drain timeout.
func (p *production) configure(t *testing.T, server, level, drain string) {
	t.Helper()
	text := fmt.Sprintf(`
data_dir: %s
tls: {cert: %s/cert.pem, key: %s/key.pem}
admin: {listen: "127.0.0.1:%s", tls: true}
postgresql: {listen: "127.0.0.1:%d", public_host: localhost}
%s
limits: {drain_timeout: %s}
log: {level: %s}
`, p.data, p.dir, p.dir, p.admin[strings.LastIndex(p.admin, ":")+1:], p.port, server, drain, level)
	if err := os.WriteFile(filepath.Join(p.dir, "tenantsdb.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// launchServe starts a database server and the program before it.
func launchServe(t *testing.T) (*production, string) {
	t.Helper()
	database := devstacktest.Postgres(t, nil)
	p := &production{dir: t.TempDir(), port: free(t), admin: fmt.Sprintf("https://localhost:%d", free(t))}
	p.data = filepath.Join(p.dir, "data")
	server := fmt.Sprintf("servers: [{name: main, type: postgres, socket: %q, user: %s}]", database.SocketDir(), database.User())
	p.trust(t, p.certificate(t))
	p.configure(t, server, "info", "30s")
	p.program = launch(t, []string{"TENANTSDB_SERVERS_0_PASSWORD=" + database.Password()},
		"serve", "--config", filepath.Join(p.dir, "tenantsdb.yaml"))
	p.await(t, "start", func() bool { return strings.Contains(p.stderr.String(), `"msg":"ready"`) })
	for name, into := range map[string]*string{"API key": &p.key, "proxy user": &p.user, "proxy password": &p.password} {
		found := regexp.MustCompile(name + ` +(\S+)`).FindStringSubmatch(p.stdout.String())
		if found == nil {
			t.Fatalf("the first start does not show the %s: %q", name, p.stdout.String())
		}
		*into = found[1]
		if strings.Contains(p.stderr.String(), *into) && name != "proxy user" {
			t.Errorf("the %s is in the log", name)
		}
	}
	return p, server
}

func (p *production) get(t *testing.T, path string) (int, string) {
	t.Helper()
	response, err := p.client.Get(p.admin + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// workspace makes one and connects to it.
func (p *production) workspace(t *testing.T, name string) *pgx.Conn {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "POST", p.admin+"/workspaces",
		strings.NewReader(fmt.Sprintf(`{"name": %q, "database": "postgres", "mode": "control"}`, name)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.key)
	request.Header.Set("Content-Type", "application/json")
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var made struct {
		URL   string `json:"connection_string"`
		Error string `json:"error"`
	}
	if err := json.NewDecoder(response.Body).Decode(&made); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusCreated {
		t.Fatalf("create workspace: %d %s", response.StatusCode, made.Error)
	}
	conn, err := pgx.Connect(t.Context(), made.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func TestServeStandsBeforeAnExistingServer(t *testing.T) {
	p, _ := launchServe(t)
	conn := p.workspace(t, "shop")
	var database string
	if err := conn.QueryRow(t.Context(), "SELECT current_database()").Scan(&database); err != nil || database != "shop_workspace" {
		t.Errorf("got database %q and error %v", database, err)
	}
	if status, text := p.get(t, "/ready"); status != http.StatusOK {
		t.Errorf("/ready: %d %s", status, text)
	}
	_, metrics := p.get(t, "/metrics")
	for _, name := range []string{"tenantsdb_build_info", "tenantsdb_certificate_not_after_timestamp_seconds", "process_open_fds", "go_goroutines", "tenantsdb_admin_requests_total"} {
		if !strings.Contains(metrics, name) {
			t.Errorf("no metric %s", name)
		}
	}
	audit, err := os.ReadFile(filepath.Join(p.data, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(audit), "shop") {
		t.Errorf("the audit log does not tell of the new workspace: %q", audit)
	}
	for _, secret := range []string{p.key, p.password} {
		if strings.Contains(string(audit)+p.stderr.String(), secret) {
			t.Error("a secret is in a log")
		}
	}
	again := p.stdout.String()
	p.signal(syscall.SIGTERM)
	if code := p.exitCode(t); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	if p.stdout.String() != again {
		t.Error("more than the first project's secrets went to standard output")
	}
}

func TestDrainTellsIdleSessionsWhy(t *testing.T) {
	p, _ := launchServe(t)
	conn := p.workspace(t, "shop")
	p.signal(syscall.SIGTERM)
	if code := p.exitCode(t); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	_, err := conn.Exec(t.Context(), "SELECT 1")
	if told, ok := errors.AsType[*pgconn.PgError](err); !ok || told.Code != "57P01" {
		t.Errorf("got %v, want 57P01", err)
	}
}

func TestHangupReloadsCertificateAndSettings(t *testing.T) {
	p, server := launchServe(t)
	conn := p.workspace(t, "shop")
	p.trust(t, p.certificate(t))
	// The debug level shows a refused handshake, which info does not; a drain
	// of no time cuts off a statement that is under way.
	p.configure(t, server, "debug", "0s")
	p.signal(syscall.SIGHUP)
	p.await(t, "reload", func() bool { return strings.Contains(p.stderr.String(), "settings reloaded") })
	if status, text := p.get(t, "/health"); status != http.StatusOK {
		t.Errorf("under the new certificate: %d %s", status, text)
	}
	if strings.Contains(p.stderr.String(), "need a restart") {
		t.Error("what was reloaded is said to need a restart")
	}
	if err := conn.Ping(t.Context()); err != nil {
		t.Errorf("the reload ended an open session: %v", err)
	}
	if _, err := pgx.Connect(t.Context(), fmt.Sprintf("postgres://%s:wrong@localhost:%d/shop_workspace?sslmode=require", p.user, p.port)); err == nil {
		t.Error("a wrong password was let in")
	}
	p.await(t, "debug log", func() bool { return strings.Contains(p.stderr.String(), `"level":"DEBUG"`) })

	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "SELECT pg_sleep(600)")
		done <- err
	}()
	watch, err := pgx.ConnectConfig(t.Context(), conn.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close(context.Background())
	p.await(t, "statement under way", func() bool {
		var n int
		err := watch.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(600)'").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n == 1
	})
	p.signal(syscall.SIGTERM)
	if code := p.exitCode(t); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	if err := <-done; err == nil {
		t.Error("a statement of ten minutes came to its end")
	}
}

func TestHangupWithABadConfigurationChangesNothing(t *testing.T) {
	p, server := launchServe(t)
	p.configure(t, server+"\ncolour: blue", "info", "30s")
	p.signal(syscall.SIGHUP)
	p.await(t, "refusal", func() bool { return strings.Contains(p.stderr.String(), "settings kept") })
	if !strings.Contains(p.stderr.String(), "colour") {
		t.Error("the unknown key is not named")
	}
	p.configure(t, server+"\nmaster_key_file: /elsewhere", "info", "30s")
	p.signal(syscall.SIGHUP)
	p.await(t, "word of a restart", func() bool { return strings.Contains(p.stderr.String(), "need a restart") })
	if status, text := p.get(t, "/ready"); status != http.StatusOK {
		t.Errorf("/ready: %d %s", status, text)
	}
}
