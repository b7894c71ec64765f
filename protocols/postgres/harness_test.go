package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
	"github.com/tenantsdb/tenantsdb/proxy"
)

const (
	testUser     = "tdb_0a1b2c3d"
	testPassword = "tdb_planted_secret"
	roleSecret   = "role_planted_secret"
	patience     = time.Minute
)

// world is one workspace behind one proxy.
type world struct {
	addr     string // of the proxy
	cert     *wiretest.Certificate
	live     *workspace.Live
	route    workspace.Route
	protocol *Protocol
	server   *proxy.Server
	recorder *wiretest.Recorder
	restorer *wiretest.Recorder
	log      *wiretest.Log
	watched  *wiretest.Watched[*relay]

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

func withCancelGrace(d time.Duration) option {
	return func(_ *world, c *Config, _ *workspace.Workspace) { c.CancelGrace = d }
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
		w.route.Database, w.route.Role = "scripted", "scripted"
	}
}

var worlds atomic.Int64

// newWorld makes a database with its role and a proxy in front of it.
func newWorld(t testing.TB, options ...option) *world {
	t.Helper()
	id := worlds.Add(1)
	w := &world{cert: wiretest.NewCertificate(t), log: wiretest.NewLog(t, testPassword, roleSecret)}
	w.recorder, w.restorer = &wiretest.Recorder{}, &wiretest.Recorder{}
	record := workspace.Workspace{ID: id, Name: fmt.Sprintf("shop%d", id), Type: workspace.PostgreSQL, Mode: workspace.Control}
	log := w.log.Logger()
	config := Config{TLS: w.cert.Server("postgresql"), Recorder: w.recorder, Restorer: w.restorer, Log: log}
	for _, o := range options {
		o(w, &config, &record)
	}
	if w.route.Database == "" {
		w.route.Database, w.route.Role, w.route.Password = fmt.Sprintf("shop%d_workspace", id), fmt.Sprintf("shop%d_owner", id), roleSecret
		w.makeDatabase(t)
	}
	w.live = workspace.NewLive(record)
	w.route.Live = w.live
	config.Directory = &directory{w.route, wiretest.SCRAM(t, testPassword), wiretest.SCRAM(t, "known to nobody")}
	w.protocol = New(config)
	w.server = proxy.New(log, proxy.NewMetrics(prometheus.NewRegistry()))
	w.server.HandshakeTimeout = w.handshakeTimeout
	w.watched = wiretest.Watch[*relay](w.protocol)
	w.addr = wiretest.Listen(t, w.server, "postgresql", w.watched)
	return w
}

func (w *world) makeDatabase(t testing.TB) {
	t.Helper()
	server := theServer.start(t)
	w.route.Address = workspace.Address{Network: "unix", Addr: server.Socket()}
	role, db := w.route.Role, w.route.Database
	admin := adminConn(t, "postgres")
	for _, sql := range []string{
		fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", role, w.route.Password),
		fmt.Sprintf("CREATE DATABASE %s OWNER %s", db, role),
	} {
		mustExec(t, admin, sql)
	}
	t.Cleanup(func() {
		mustExec(t, admin, fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", db))
		mustExec(t, admin, fmt.Sprintf("DROP ROLE %s", role))
	})
}

// last is the relay of the session that connected last.
func (w *world) last() *relay { return w.watched.Last() }

// replies is how many replies the relay still waits for.
func (r *relay) replies() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.track.owed.n
}

// directory knows one login.
type directory struct {
	route workspace.Route
	scram workspace.SCRAM
	decoy workspace.SCRAM
}

func (d *directory) Login(_ context.Context, _ workspace.DatabaseType, user, database string) (workspace.Login, error) {
	if user != testUser || database != d.route.Database {
		return workspace.Login{SCRAM: d.decoy}, nil
	}
	return workspace.Login{Known: true, SCRAM: d.scram, Route: d.route}, nil
}

// config is a client's, through the proxy.
func (w *world) config(t testing.TB) *pgconn.Config {
	t.Helper()
	c, err := pgconn.ParseConfig("host=localhost sslmode=require")
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(w.addr)
	if err != nil {
		t.Fatal(err)
	}
	c.Host = host
	if _, err := fmt.Sscan(port, &c.Port); err != nil {
		t.Fatal(err)
	}
	c.User, c.Password, c.Database = testUser, testPassword, w.route.Database
	c.TLSConfig = w.cert.Client()
	c.Fallbacks = nil
	return c
}

// connect logs in through the proxy.
func (w *world) connect(t testing.TB, params ...string) *pgconn.PgConn {
	t.Helper()
	c := w.config(t)
	for i := 0; i < len(params); i += 2 {
		c.RuntimeParams[params[i]] = params[i+1]
	}
	return dialConfig(t, c)
}

// direct logs in at the server itself, as the workspace's role.
func (w *world) direct(t testing.TB) *pgconn.PgConn {
	t.Helper()
	return serverConn(t, w.route.Database, w.route.Role, w.route.Password)
}

// admin logs in at the server as its superuser.
func adminConn(t testing.TB, database string) *pgconn.PgConn {
	t.Helper()
	server := theServer.start(t)
	return serverConn(t, database, server.User(), server.Password())
}

func serverConn(t testing.TB, database, user, password string) *pgconn.PgConn {
	t.Helper()
	server := theServer.start(t)
	c, err := pgconn.ParseConfig("host=localhost sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	c.Host, c.Port = server.SocketDir(), uint16(server.Port())
	c.User, c.Password, c.Database = user, password, database
	return dialConfig(t, c)
}

func dialConfig(t testing.TB, c *pgconn.Config) *pgconn.PgConn {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	conn, err := pgconn.ConnectConfig(ctx, c)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() {
		ctx, done := context.WithTimeout(context.Background(), time.Second)
		defer done()
		_ = conn.Close(ctx)
	})
	return conn
}

// exec runs sql in the simple protocol.
func exec(t testing.TB, conn *pgconn.PgConn, sql string) ([]*pgconn.Result, error) {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	return conn.Exec(ctx, sql).ReadAll()
}

func mustExec(t testing.TB, conn *pgconn.PgConn, sql string) []*pgconn.Result {
	t.Helper()
	results, err := exec(t, conn, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return results
}

// one is the only value of sql's result.
func one(t testing.TB, conn *pgconn.PgConn, sql string) string {
	t.Helper()
	results := mustExec(t, conn, sql)
	last := results[len(results)-1]
	if len(last.Rows) != 1 || len(last.Rows[0]) != 1 {
		t.Fatalf("%s: got %d rows, want one value", sql, len(last.Rows))
	}
	return string(last.Rows[0][0])
}

// sqlstate is err's SQLSTATE; empty where it has none.
func sqlstate(err error) string {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return ""
	}
	return pgErr.Code
}

// dialTLS is a raw connection after the TLS handshake, before the startup.
func (w *world) dialTLS(t testing.TB) *tls.Conn {
	t.Helper()
	raw := w.dialRaw(t)
	if _, err := raw.Write(sslRequest()); err != nil {
		t.Fatal(err)
	}
	var answer [1]byte
	if err := readFull(raw, answer[:]); err != nil || answer[0] != 'S' {
		t.Fatalf("answer to SSLRequest: got %q, %v", answer, err)
	}
	return w.cert.Over(t, raw)
}

// dialRaw connects to the proxy without TLS.
func (w *world) dialRaw(t testing.TB) net.Conn {
	t.Helper()
	return wiretest.Dial(t, "tcp", w.addr)
}
