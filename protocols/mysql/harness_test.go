package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
	"github.com/tenantsdb/tenantsdb/proxy"
)

const (
	testUser     = "tdb_0a1b2c3d"
	testPassword = "tdb_planted_secret"
	roleSecret   = "role_planted_secret"
	patience     = 20 * time.Second
)

// world is one workspace behind one proxy.
type world struct {
	addr      string // of the proxy
	cert      *wiretest.Certificate
	live      *workspace.Live
	route     workspace.Route
	protocol  *Protocol
	server    *proxy.Server
	directory *directory
	recorder  *wiretest.Recorder
	restorer  *wiretest.Recorder
	log       *wiretest.Log
	watched   *wiretest.Watched[*relay]

	handshakeTimeout time.Duration
}

// option changes a world before it begins.
type option func(*world, *Config, *workspace.Workspace)

func withSettings(s workspace.Settings) option {
	return func(_ *world, _ *Config, w *workspace.Workspace) { w.Settings = s }
}

func withMode(m workspace.Mode) option {
	return func(_ *world, _ *Config, w *workspace.Workspace) { w.Mode = m }
}

func withVersion(version string) option {
	return func(_ *world, c *Config, _ *workspace.Workspace) { c.ServerVersion = func() string { return version } }
}

func withKillGrace(d time.Duration) option {
	return func(_ *world, c *Config, _ *workspace.Workspace) { c.KillGrace = d }
}

// withHandshakeTimeout is for more logins at once than the machine is made for,
// or for fewer.
func withHandshakeTimeout(d time.Duration) option {
	return func(w *world, _ *Config, _ *workspace.Workspace) { w.handshakeTimeout = d }
}

// withBackend puts a scripted peer in the place of the real server.
func withBackend(addr string) option {
	return func(w *world, _ *Config, _ *workspace.Workspace) {
		w.route.Address = workspace.Address{Network: "unix", Addr: addr}
		w.route.Database, w.route.Role, w.route.Password = "scripted", "scripted", roleSecret
	}
}

var worlds atomic.Int64

// newWorld makes a database with its role and a proxy in front of it.
func newWorld(t testing.TB, options ...option) *world {
	t.Helper()
	id := worlds.Add(1)
	w := &world{cert: wiretest.NewCertificate(t), log: wiretest.NewLog(t, testPassword, roleSecret)}
	w.recorder, w.restorer = &wiretest.Recorder{}, &wiretest.Recorder{}
	record := workspace.Workspace{ID: id, Name: fmt.Sprintf("shop%d", id), Type: workspace.MySQL, Mode: workspace.Control}
	log := w.log.Logger()
	config := Config{TLS: w.cert.Server(), Recorder: w.recorder, Restorer: w.restorer, Log: log}
	for _, o := range options {
		o(w, &config, &record)
	}
	if w.route.Database == "" {
		w.route.Database, w.route.Role, w.route.Password = fmt.Sprintf("shop%d_workspace", id), fmt.Sprintf("shop%d_owner", id), roleSecret
		w.makeDatabase(t)
	}
	w.live = workspace.NewLive(record)
	w.route.Live = w.live
	w.directory = &directory{route: w.route}
	config.Directory = w.directory
	w.protocol = New(config)
	w.server = proxy.New(log, proxy.NewMetrics(prometheus.NewRegistry()))
	w.server.HandshakeTimeout = w.handshakeTimeout
	w.watched = wiretest.Watch[*relay](w.protocol)
	w.addr = wiretest.Listen(t, w.server, "mysql", w.watched)
	return w
}

func (w *world) makeDatabase(t testing.TB) {
	t.Helper()
	w.route.Address = workspace.Address{Network: "unix", Addr: theServer.start(t).Addr}
	admin := adminDB(t)
	mustExec(t, admin, "CREATE DATABASE "+w.route.Database)
	mustExec(t, admin, fmt.Sprintf("CREATE USER %s@localhost IDENTIFIED BY '%s'", w.route.Role, w.route.Password))
	mustExec(t, admin, fmt.Sprintf("GRANT ALL ON %s.* TO %s@localhost", w.route.Database, w.route.Role))
	t.Cleanup(func() {
		mustExec(t, admin, "DROP DATABASE IF EXISTS "+w.route.Database)
		mustExec(t, admin, fmt.Sprintf("DROP USER %s@localhost", w.route.Role))
	})
}

// last is the relay of the session that connected last.
func (w *world) last() *relay { return w.watched.Last() }

// gone says whether the relay has let its backend go.
func (r *relay) gone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}

// directory knows one user and one database, which a login may leave out unless
// there are several.
type directory struct {
	route   workspace.Route
	several bool
	others  []workspace.Route // that are told of only
}

func (d *directory) LoginUser(_ context.Context, _ workspace.DatabaseType, user string) (workspace.Login, error) {
	if user != testUser {
		return workspace.Login{Password: "known to nobody"}, nil
	}
	l := workspace.Login{Known: true, Password: testPassword}
	if !d.several {
		l.Route = d.route
	}
	return l, nil
}

func (d *directory) Login(_ context.Context, _ workspace.DatabaseType, user, database string) (workspace.Login, error) {
	if user != testUser || database != d.route.Database {
		return workspace.Login{Password: "known to nobody"}, nil
	}
	return workspace.Login{Known: true, Password: testPassword, Route: d.route}, nil
}

func (d *directory) Routes(_ context.Context, _ workspace.DatabaseType, user string) ([]workspace.Route, error) {
	if user != testUser {
		return nil, nil
	}
	return append([]workspace.Route{d.route}, d.others...), nil
}

// config is a client's, through the proxy.
func (w *world) config() *driver.Config {
	c := driver.NewConfig()
	c.Net, c.Addr = "tcp", w.addr
	c.User, c.Passwd, c.DBName = testUser, testPassword, w.route.Database
	c.TLS = w.cert.Client()
	c.AllowCleartextPasswords = true
	c.Logger = driver.Logger(&driver.NopLogger{})
	return c
}

// open is a client of the driver through the proxy, with one connection.
func (w *world) open(t testing.TB, change ...func(*driver.Config)) *sql.Conn {
	t.Helper()
	return openConfig(t, w.config(), change...)
}

func openConfig(t testing.TB, c *driver.Config, change ...func(*driver.Config)) *sql.Conn {
	t.Helper()
	conn, err := tryConfig(t, c, change...)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	return conn
}

func tryConfig(t testing.TB, c *driver.Config, change ...func(*driver.Config)) (*sql.Conn, error) {
	t.Helper()
	for _, f := range change {
		f(c)
	}
	connector, err := driver.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	return conn, nil
}

// adminDB is the server's administrator.
func adminDB(t testing.TB) *sql.Conn {
	t.Helper()
	return openConfig(t, theServer.start(t).Clone())
}

// serverVersion is the server's own, as it greets.
func serverVersion(t testing.TB) string {
	t.Helper()
	return one(t, adminDB(t), "select version()")
}

func execute(t testing.TB, c *sql.Conn, query string, args ...any) error {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	_, err := c.ExecContext(ctx, query, args...)
	return err
}

func mustExec(t testing.TB, c *sql.Conn, query string, args ...any) {
	t.Helper()
	if err := execute(t, c, query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// one is the only value of query's result.
func one(t testing.TB, c *sql.Conn, query string, args ...any) string {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	var value sql.NullString
	if err := c.QueryRowContext(ctx, query, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value.String
}
