package mysql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// serverVariable may hold the login of an administrator of a server to test on,
// as user:password@unix(/path/of/socket), in place of one of the tests' own.
const serverVariable = "TENANTSDB_TEST_MYSQL"

// patience is for what a busy machine may take its time with.
const patience = time.Minute

// server is the one that the tests of this package share.
var server testServer

type testServer struct {
	socket, user, password string
	serial                 atomic.Int64
}

var loginPattern = regexp.MustCompile(`^([^:]*):(.*)@unix\((.*)\)$`)

func TestMain(m *testing.M) {
	stop, err := startServer()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start MySQL:", err)
		os.Exit(1)
	}
	code := m.Run()
	for _, err := range []error{stop(), goleak.Find()} {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func startServer() (stop func() error, err error) {
	// Names of an earlier run on the same server are not met again.
	server.serial.Store(time.Now().UnixMilli() % 1e9 * 1000)
	if login := os.Getenv(serverVariable); login != "" {
		part := loginPattern.FindStringSubmatch(login)
		if part == nil {
			return nil, errors.New(serverVariable + " is not user:password@unix(/socket)")
		}
		server.user, server.password, server.socket = part[1], part[2], part[3]
		return func() error { return nil }, nil
	}
	m, stop, err := devstacktest.SharedMySQL(nil)
	if err != nil {
		return nil, err
	}
	server.use(m)
	return stop, nil
}

func (s *testServer) use(m *devstack.MySQL) {
	s.socket, s.user, s.password = m.Socket(), m.User(), m.Password()
}

func configOf(socket, user, password string) Config {
	return Config{
		Name:     "main",
		Address:  workspace.Address{Network: "unix", Addr: socket},
		User:     user,
		Password: password,
		Log:      slog.New(slog.DiscardHandler),
	}
}

// newEngine is an Engine for the shared server, prepared.
func newEngine(t *testing.T) *Engine {
	t.Helper()
	return prepared(t, configOf(server.socket, server.user, server.password))
}

func prepared(t *testing.T, c Config) *Engine {
	t.Helper()
	e := New(c)
	t.Cleanup(e.Close)
	must(t, e.Prepare(t.Context()))
	return e
}

// newTarget is a name that no other test uses, with characters that mean
// something in grants.
func newTarget() workspace.Target {
	n := server.serial.Add(1)
	return workspace.Target{Database: fmt.Sprintf("w%d_work-space", n), Role: fmt.Sprintf("w%d_role", n), Password: fmt.Sprintf("planted-secret-%d", n)}
}

func newWorkspace(t *testing.T, e *Engine) workspace.Target {
	t.Helper()
	return made(t, e, newTarget(), false)
}

// newTracked is a tenant-mode workspace that goes with the test.
func newTracked(t *testing.T, e *Engine) workspace.Target {
	t.Helper()
	return made(t, e, newTarget(), true)
}

func made(t *testing.T, e *Engine, target workspace.Target, tracked bool) workspace.Target {
	t.Helper()
	must(t, e.Create(t.Context(), target, tracked))
	t.Cleanup(func() {
		if err := e.Drop(context.Background(), target); err != nil {
			t.Error(err)
		}
	})
	return target
}

// session is one client of a workspace, past the proxy.
type session struct {
	t *testing.T
	*conn
}

func newSession(t *testing.T, e *Engine, target workspace.Target) session {
	t.Helper()
	c, err := e.connect(t.Context(), target.Role, target.Password, target.Database)
	must(t, err)
	t.Cleanup(c.close)
	s := session{t, c}
	s.run("SET NAMES utf8mb4")
	return s
}

// run sends each text, which may hold several statements; all must succeed.
func (s session) run(texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		if err := s.exec(s.t.Context(), text); err != nil {
			s.t.Fatalf("%s: %v", text, err)
		}
	}
}

// fail sends a text that must fail, and gives the error's number.
func (s session) fail(text string) uint16 {
	s.t.Helper()
	err := s.exec(s.t.Context(), text)
	if errno(err) == 0 {
		s.t.Fatalf("%s: got %v, want an error of the server", text, err)
	}
	return errno(err)
}

func (s session) value(sql string) string {
	s.t.Helper()
	row, err := s.row(s.t.Context(), sql)
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return string(row[0])
}

// administrator is a session of the server's administrator.
func administrator(t *testing.T, e *Engine) session {
	t.Helper()
	c, err := e.connectAdmin(t.Context())
	must(t, err)
	t.Cleanup(c.close)
	return session{t, c}
}

func changes(t *testing.T, e *Engine, target workspace.Target) []workspace.Change {
	t.Helper()
	list, err := e.Changes(t.Context(), target)
	must(t, err)
	return list
}

// taken is what changed since the last time; the journal is empty afterwards.
func taken(t *testing.T, e *Engine, target workspace.Target) []workspace.Change {
	t.Helper()
	list := changes(t, e, target)
	ids := make([]int64, len(list))
	for i, c := range list {
		ids[i] = c.JournalID
	}
	must(t, e.Forget(t.Context(), target, ids))
	return list
}

func statements(list []workspace.Change) []string {
	all := []string{}
	for _, c := range list {
		all = append(all, c.Statement)
	}
	return all
}

func wantStatements(t *testing.T, got []workspace.Change, want ...string) {
	t.Helper()
	if !slices.Equal(statements(got), append([]string{}, want...)) {
		t.Errorf("got statements\n  %s\nwant\n  %s", strings.Join(statements(got), "\n  "), strings.Join(want, "\n  "))
	}
}

// dump is all that the server tells of the definitions in the workspace, without
// what names the moment or the workspace.
func dump(t *testing.T, e *Engine, target workspace.Target) string {
	t.Helper()
	c, err := e.connect(t.Context(), e.config.User, e.config.Password, target.Database)
	must(t, err)
	defer c.close()
	must(t, c.exec(t.Context(), trustedSettings))
	list, err := listObjects(t.Context(), c, target.Database)
	must(t, err)
	var b strings.Builder
	for _, o := range list {
		row, err := c.row(t.Context(), "SHOW CREATE "+strings.ToUpper(o.kind)+" "+quote(o.name))
		must(t, err)
		if o.kind == "trigger" {
			row = slices.Delete(row, 6, 7) // when it was made
		}
		for i, v := range row {
			text := string(v)
			if o.kind == "table" && i == 1 {
				text = withoutCounter(text)
			}
			b.WriteString(text + " | ")
		}
		b.WriteString("\n")
	}
	row, err := c.row(t.Context(), "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = "+literal(target.Database))
	must(t, err)
	b.WriteString("database " + string(row[0]))
	return strings.NewReplacer(target.Database, "DATABASE", target.Role, "ROLE").Replace(b.String())
}

// replay runs the changes on an empty workspace, as a deployment does.
func replay(t *testing.T, e *Engine, list []workspace.Change, from workspace.Target) workspace.Target {
	t.Helper()
	to := newWorkspace(t, e)
	for _, c := range list {
		s := newSession(t, e, to)
		for name, value := range c.Session {
			s.run("SET SESSION " + name + " = " + literal(value))
		}
		s.run(strings.ReplaceAll(c.Statement, from.Database, to.Database))
		s.close()
	}
	return to
}

// wantReplay is the measure: the changes rebuild the schema.
func wantReplay(t *testing.T, e *Engine, target workspace.Target, list []workspace.Change) {
	t.Helper()
	wantSame(t, dump(t, e, target), dump(t, e, replay(t, e, list, target)))
}

func wantSame(t *testing.T, want, got string) {
	t.Helper()
	if got == want {
		return
	}
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("schema differs at line %d:\nworkspace: %s\nrebuilt:   %s", i+1, a[i], b[i])
		}
	}
	t.Fatalf("rebuilt schema has %d lines, the workspace's %d", len(b), len(a))
}

// await asks until the answer is yes.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
