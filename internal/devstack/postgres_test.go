package devstack_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
)

const patience = time.Minute

func start(t *testing.T, c devstack.PostgresConfig) *devstack.Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := devstack.StartPostgres(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func stop(t *testing.T, p *devstack.Postgres) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func dial(ctx context.Context, p *devstack.Postgres, password string) (*pgx.Conn, error) {
	return pgx.Connect(ctx, fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=postgres sslmode=disable",
		p.SocketDir(), p.Port(), p.User(), password))
}

func connect(t *testing.T, p *devstack.Postgres) *pgx.Conn {
	t.Helper()
	conn, err := dial(t.Context(), p, p.Password())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func value(t *testing.T, conn *pgx.Conn, query string) string {
	t.Helper()
	var v string
	if err := conn.QueryRow(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func postmaster(t *testing.T, dir string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// await waits for a condition that another process brings about.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	late := time.After(patience)
	for !done() {
		select {
		case <-ticker.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestFirstStartMakesASafeCluster(t *testing.T) {
	dir := devstacktest.Dir(t)
	p := start(t, devstack.PostgresConfig{Dir: dir})
	defer stop(t, p)
	conn := connect(t, p)
	for query, want := range map[string]string{
		"SHOW server_encoding":         "UTF8",
		"SHOW listen_addresses":        "",
		"SHOW max_connections":         "600",
		"SHOW fsync":                   "on",
		"SHOW full_page_writes":        "on",
		"SHOW synchronous_commit":      "on",
		"SHOW password_encryption":     "scram-sha-256",
		"SHOW unix_socket_directories": p.SocketDir(),
		"SELECT datcollate FROM pg_database WHERE datname = 'template1'":      "C.UTF-8",
		"SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules": "scram-sha-256",
	} {
		if got := value(t, conn, query); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	_, err := dial(t.Context(), p, "wrong")
	if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != "28P01" {
		t.Errorf("wrong password: got %v, want 28P01", err)
	}
	info, err := os.Stat(filepath.Join(dir, "superuser.password"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("password file has mode %o", info.Mode().Perm())
	}
}

func TestServerNeverRunsAsRootNorInOurProcessGroup(t *testing.T) {
	dir := devstacktest.Dir(t)
	p := start(t, devstack.PostgresConfig{Dir: dir})
	defer stop(t, p)
	pid := postmaster(t, dir)
	info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	if err != nil {
		t.Fatal(err)
	}
	want := uint32(os.Geteuid())
	if want == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		id, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		want = uint32(id)
	}
	if got := info.Sys().(*syscall.Stat_t).Uid; got != want {
		t.Errorf("server runs as user %d, want %d", got, want)
	}
	group, err := syscall.Getpgid(pid)
	if err != nil {
		t.Fatal(err)
	}
	if group == syscall.Getpgrp() {
		t.Error("Ctrl-C in the terminal would reach the server before us")
	}
}

func TestSecondStartFindsEverythingAgain(t *testing.T) {
	dir := devstacktest.Dir(t)
	p := start(t, devstack.PostgresConfig{Dir: dir})
	password := p.Password()
	conn := connect(t, p)
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept (id int)"); err != nil {
		t.Fatal(err)
	}
	conn.Close(t.Context())
	stop(t, p)
	p = start(t, devstack.PostgresConfig{Dir: dir})
	defer stop(t, p)
	if p.Password() != password {
		t.Error("the superuser's password has changed")
	}
	value(t, connect(t, p), "SELECT count(*)::text FROM kept")
}

func TestFolderInUseIsRefused(t *testing.T) {
	dir := devstacktest.Dir(t)
	p := start(t, devstack.PostgresConfig{Dir: dir})
	defer stop(t, p)
	_, err := devstack.StartPostgres(t.Context(), devstack.PostgresConfig{Dir: dir})
	if !errors.Is(err, devstack.ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
	value(t, connect(t, p), "SELECT 'unharmed'")
}

func TestStopEndsOpenSessions(t *testing.T) {
	p := start(t, devstack.PostgresConfig{Dir: devstacktest.Dir(t)})
	conn := connect(t, p)
	if _, err := conn.Exec(t.Context(), "BEGIN; CREATE TABLE t (id int)"); err != nil {
		t.Fatal(err)
	}
	stop(t, p)
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("the session outlived the server")
	}
}

func TestDeepFolderHasItsSocketElsewhere(t *testing.T) {
	dir := filepath.Join(devstacktest.Dir(t), strings.Repeat("deep/", 30))
	p := start(t, devstack.PostgresConfig{Dir: dir})
	value(t, connect(t, p), "SELECT 'works'")
	if strings.HasPrefix(p.SocketDir(), dir) {
		t.Errorf("socket folder %s is too deep to work", p.SocketDir())
	}
	info, err := os.Stat(p.SocketDir())
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("socket folder has mode %o, want 700", info.Mode().Perm())
	}
	stop(t, p)
	if _, err := os.Stat(p.SocketDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("socket folder was left behind: %v", err)
	}
}

func TestFolderThatTheServerCannotEnterIsNamed(t *testing.T) {
	outer := filepath.Join(devstacktest.Dir(t), "outer")
	if err := os.Mkdir(outer, 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := devstack.StartPostgres(t.Context(), devstack.PostgresConfig{Dir: filepath.Join(outer, "inner")})
	if os.Geteuid() != 0 {
		// The server runs as we do and may enter what we made.
		if err != nil {
			t.Fatal(err)
		}
		stop(t, p)
		return
	}
	if err == nil || !strings.Contains(err.Error(), "can't enter "+outer+",") {
		t.Errorf("got %v, want one that names %s", err, outer)
	}
}

func TestFailedStartSaysWhyAndLeavesNothing(t *testing.T) {
	dir := devstacktest.Dir(t)
	_, err := devstack.StartPostgres(t.Context(), devstack.PostgresConfig{
		Dir: dir, Settings: map[string]string{"no_such_setting": "1"}})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("got %v, want the server's own words", err)
	}
	stop(t, start(t, devstack.PostgresConfig{Dir: dir}))
}

func TestStartGivenUpLeavesNothing(t *testing.T) {
	dir := devstacktest.Dir(t)
	stop(t, start(t, devstack.PostgresConfig{Dir: dir}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := devstack.StartPostgres(ctx, devstack.PostgresConfig{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "postmaster.pid")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a server was left running: %v", err)
	}
	stop(t, start(t, devstack.PostgresConfig{Dir: dir}))
}

func TestTCPListensWhereItIsTold(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	p := start(t, devstack.PostgresConfig{Dir: devstacktest.Dir(t), TCP: address})
	defer stop(t, p)
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d user=%s password=%s dbname=postgres sslmode=disable",
		p.Port(), p.User(), p.Password()))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close(t.Context())
}

func TestNoStatementReachesTheServersLog(t *testing.T) {
	dir := devstacktest.Dir(t)
	p := start(t, devstack.PostgresConfig{Dir: dir})
	conn := connect(t, p)
	const secret = "planted-secret-5b1f"
	for _, statement := range []string{
		"CREATE ROLE r PASSWORD '" + secret + "' NOSUCHOPTION",
		"SELECT '" + secret + "'::int",
		"DO $$ BEGIN RAISE EXCEPTION '" + secret + "'; END $$",
		"DO $$ BEGIN RAISE WARNING '" + secret + "'; END $$",
		"CREATE TABLE u (k text PRIMARY KEY); INSERT INTO u VALUES ('" + secret + "'), ('" + secret + "')",
	} {
		// Most of them fail, which is what would bring them into the log.
		_, _ = conn.Exec(t.Context(), statement)
	}
	stop(t, p)
	log, err := os.ReadFile(filepath.Join(dir, "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), secret) {
		t.Errorf("the log holds a client's secret:\n%s", log)
	}
	if !strings.Contains(string(log), "shut down") {
		t.Errorf("the log does not tell of the server:\n%s", log)
	}
}
