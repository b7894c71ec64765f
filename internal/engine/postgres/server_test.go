package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// server is the PostgreSQL that the tests of this package share.
var server *testServer

func TestMain(m *testing.M) {
	s, err := startServer()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start PostgreSQL:", err)
		os.Exit(1)
	}
	server = s
	code := m.Run()
	for _, err := range []error{s.stop(), goleak.Find()} {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// testServer is a real server on a unix socket that asks everyone for a
// password.
type testServer struct {
	*devstack.Postgres
	dir    string // holds the server's log under the name "log"
	serial atomic.Int64
}

func startServer() (*testServer, error) {
	dir, err := os.MkdirTemp("", "engine-postgres-")
	if err != nil {
		return nil, err
	}
	// The server's account must be able to pass.
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := devstack.StartPostgres(ctx, devstack.PostgresConfig{Dir: dir, Settings: map[string]string{
		"fsync": "off", "log_statement": "all", "log_min_error_statement": "error", "max_prepared_transactions": "5", "wal_level": "logical",
	}})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &testServer{Postgres: p, dir: dir}, os.Symlink("server.log", filepath.Join(dir, "log"))
}

func (s *testServer) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(s.Stop(ctx), os.RemoveAll(s.dir))
}

func (s *testServer) config() Config {
	return Config{
		Name:     "main",
		Address:  workspace.Address{Network: "unix", Addr: s.Socket()},
		User:     s.User(),
		Password: s.Password(),
		Log:      slog.New(slog.DiscardHandler),
	}
}

// newEngine is an Engine for the shared server, prepared.
func newEngine(t *testing.T) *Engine {
	t.Helper()
	e := New(server.config())
	t.Cleanup(e.Close)
	if err := e.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

// newTarget is a name that no other test uses.
func newTarget() workspace.Target {
	n := server.serial.Add(1)
	return workspace.Target{Database: fmt.Sprintf("w%d_workspace", n), Role: fmt.Sprintf("w%d_role", n), Password: fmt.Sprintf("planted-secret-%d", n)}
}

// newWorkspace makes an untracked workspace that goes with the test.
func newWorkspace(t *testing.T, e *Engine) workspace.Target {
	t.Helper()
	target := newTarget()
	if err := e.Create(t.Context(), target, false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Drop(context.Background(), target); err != nil {
			t.Error(err)
		}
	})
	return target
}

// connectRole is a connection past the engine, as somebody who holds the role's
// credentials makes it.
func connectRole(t *testing.T, target workspace.Target, database string) (*pgx.Conn, error) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s", server.SocketDir(), server.Port(), target.Role, target.Password, database))
	if err == nil {
		t.Cleanup(func() { disconnect(context.Background(), conn) })
	}
	return conn, err
}

// asRole runs statements as the workspace's role; all must succeed.
func asRole(t *testing.T, target workspace.Target, statements ...string) {
	t.Helper()
	conn, err := connectRole(t, target, target.Database)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := conn.PgConn().Exec(t.Context(), s).ReadAll(); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	disconnect(t.Context(), conn)
}

// dump is pg_dump's view of the workspace's schema, without what names the
// moment or the workspace.
func dump(t *testing.T, target workspace.Target, options ...string) string {
	t.Helper()
	// The folder may hold links to some programs of the server's real one.
	initdb, err := filepath.EvalSymlinks(filepath.Join(server.Programs(), "initdb"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(initdb), "pg_dump"), append(options, "-s", "-h", server.SocketDir(), "-p", strconv.Itoa(server.Port()), "-U", server.User(), "-d", target.Database)...)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+server.Password())
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pg_dump: %v", err)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, `\restrict`) && !strings.HasPrefix(line, `\unrestrict`) {
			lines = append(lines, line)
		}
	}
	return strings.ReplaceAll(strings.Join(lines, ""), target.Role, "OWNER")
}
