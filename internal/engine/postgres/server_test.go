package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

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
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := s.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
		code = 1
	}
	os.Exit(code)
}

const superuserPassword = "planted-superuser-password"

// testServer is a real server on a unix socket that asks everyone for a
// password.
type testServer struct {
	dir    string
	bin    string
	cmd    *exec.Cmd
	serial atomic.Int64
}

func startServer() (*testServer, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("no server program under /usr/lib/postgresql (Debian package postgresql)")
	}
	dir, err := os.MkdirTemp("", "engine-postgres-")
	if err != nil {
		return nil, err
	}
	s := &testServer{dir: dir, bin: filepath.Dir(slices.Max(found))}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(superuserPassword), 0o600); err != nil {
		return nil, err
	}
	account, err := unprivileged()
	if err != nil {
		return nil, err
	}
	if account != nil {
		for _, path := range []string{dir, password} {
			if err := os.Chown(path, int(account.Uid), int(account.Gid)); err != nil {
				return nil, err
			}
		}
	}
	run := func(program string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(s.bin, program), args...)
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account, Pdeathsig: syscall.SIGTERM}
		return cmd
	}
	initdb := run("initdb", "-D", filepath.Join(dir, "data"), "-U", "postgres", "--pwfile", password, "-A", "scram-sha-256", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd = run("postgres", "-D", filepath.Join(dir, "data"), "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off",
		"-c", "log_statement=all", "-c", "max_prepared_transactions=5", "-c", "wal_level=logical")
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	return s, s.await()
}

// unprivileged is whom the server runs as, since it refuses to run as root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func (s *testServer) await() error {
	e := New(s.config())
	defer e.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := e.Ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

func (s *testServer) stop() error {
	err := s.cmd.Process.Signal(syscall.SIGINT)
	if err == nil {
		err = s.cmd.Wait()
	}
	if removed := os.RemoveAll(s.dir); err == nil {
		err = removed
	}
	return err
}

func (s *testServer) config() Config {
	return Config{
		Name:     "main",
		Address:  workspace.Address{Network: "unix", Addr: filepath.Join(s.dir, ".s.PGSQL.5432")},
		User:     "postgres",
		Password: superuserPassword,
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
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("host=%s user=%s password=%s dbname=%s", server.dir, target.Role, target.Password, database))
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
func dump(t *testing.T, target workspace.Target) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(server.bin, "pg_dump"), "-s", "-h", server.dir, "-U", "postgres", "-d", target.Database)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+superuserPassword)
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
