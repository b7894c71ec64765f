package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
	"github.com/tenantsdb/tenantsdb/proxy"
)

const (
	testPassword = "tdb_planted_secret"
	rolePassword = "role_planted_secret"
	patience     = time.Minute
)

// roleRules are those of the Redis engine for a workspace's user, on Redis 7.0.
func roleRules(database string) []string {
	rules := strings.Fields(`reset on ~* resetchannels -@all +@read +@write +@pubsub +@transaction +@scripting
		+@connection -@admin -@dangerous +keys +flushdb +sort +sort_ro +restore +time +xgroup +xinfo +object
		+acl|whoami +acl|cat +acl|genpass -select -swapdb -move -copy -flushall -migrate -restore-asking -info
		-memory +memory|usage -pubsub -client +client|id +client|info +client|getname +client|setname
		+client|reply +client|caching +client|getredir +client|trackinginfo -function -fcall
		-fcall_ro -script +script|load +script|exists -cluster -asking -readonly -readwrite -reset`)
	return append(rules, ">"+rolePassword, "&"+workspace.ChannelPrefix(database)+"*",
		"&__keyspace@"+database+"__:*", "&__keyspace@"+database+"__:**", "&__flushed@"+database+"__", "&__keyevent@"+database+"__:*")
}

// world is a proxy in front of the server, with workspaces.
type world struct {
	addr      string // of the proxy
	cert      *wiretest.Certificate
	protocol  *Protocol
	server    *proxy.Server
	directory *directory
	log       *wiretest.Log
	watched   *wiretest.Watched[*relay]
}

// testSpace is one workspace of a world.
type testSpace struct {
	world *world
	live  *workspace.Live
	route workspace.Route
}

var databases atomic.Int64

// newWorld makes a proxy.
func newWorld(t testing.TB, options ...func(*Config)) *world {
	t.Helper()
	w := &world{cert: wiretest.NewCertificate(t), log: wiretest.NewLog(t, testPassword, rolePassword, adminPassword)}
	w.directory = &directory{spaces: make(map[string]*testSpace)}
	log := w.log.Logger()
	config := Config{TLS: w.cert.Server(), Directory: w.directory, Log: log,
		Admin: func(workspace.Address) (string, string) { return "", adminPassword }}
	for _, o := range options {
		o(&config)
	}
	w.protocol = New(config)
	w.server = proxy.New(log, proxy.NewMetrics(prometheus.NewRegistry()))
	w.watched = wiretest.Watch[*relay](w.protocol)
	w.addr = wiretest.Listen(t, w.server, "redis", w.watched)
	return w
}

// workspace makes a database with its role. Its name is its login's.
func (w *world) workspace(t testing.TB, s workspace.Settings) *testSpace {
	t.Helper()
	return w.workspaceAt(t, s, theServer.socket(t))
}

func (w *world) workspaceAt(t testing.TB, s workspace.Settings, socket string) *testSpace {
	t.Helper()
	id := databases.Add(1)
	return w.spaceOf(t, workspace.Workspace{ID: id, Name: fmt.Sprintf("shop%d", id), Type: workspace.Redis, Mode: workspace.Control, Settings: s}, socket)
}

// tenant makes a tenant's database with its role.
func (w *world) tenant(t testing.TB, s workspace.Settings) *testSpace {
	t.Helper()
	id := databases.Add(1)
	return w.spaceOf(t, workspace.Workspace{ID: id, Name: fmt.Sprintf("shop__acme%d", id), Type: workspace.Redis, Mode: workspace.Deployed, Settings: s}, theServer.socket(t))
}

func (w *world) spaceOf(t testing.TB, record workspace.Workspace, socket string) *testSpace {
	t.Helper()
	name, database := record.Name, strconv.FormatInt(record.ID, 10)
	sp := &testSpace{world: w, live: workspace.NewLive(record)}
	sp.route = workspace.Route{Live: sp.live, Database: database, Role: name + "_owner", Password: rolePassword,
		Address: workspace.Address{Network: "unix", Addr: socket}}
	w.directory.add(name, sp)
	if socket != theServer.socket(t) {
		return sp
	}
	admin := adminClient(t, "0")
	admin.must(append([]string{"ACL", "SETUSER", sp.route.Role}, roleRules(database)...)...)
	t.Cleanup(func() {
		admin := adminClient(t, database)
		admin.must("FLUSHDB")
		admin.must("ACL", "DELUSER", sp.route.Role)
	})
	return sp
}

// directory knows the workspaces by name.
type directory struct {
	mu     sync.Mutex
	spaces map[string]*testSpace
}

func (d *directory) add(name string, s *testSpace) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spaces[name] = s
}

func (d *directory) LoginByPassword(_ context.Context, _ workspace.DatabaseType, user, password string) (workspace.Login, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.spaces) == 1 && (user == "" || user == "workspace") {
		for name := range d.spaces {
			user = name
		}
	}
	s := d.spaces[user]
	if s == nil || password != testPassword {
		return workspace.Login{}, nil
	}
	return workspace.Login{Known: true, Route: s.route}, nil
}

// client is a connection that shows replies byte by byte as they are.
type client struct {
	t    testing.TB
	conn net.Conn
	buf  []byte
}

// dialRaw connects to the proxy without TLS.
func (w *world) dialRaw(t testing.TB) net.Conn {
	t.Helper()
	return wiretest.Dial(t, "tcp", w.addr)
}

// stranger is a client after the TLS handshake.
func (w *world) stranger(t testing.TB) *client {
	t.Helper()
	return &client{t: t, conn: w.cert.Over(t, w.dialRaw(t))}
}

// connect logs in.
func (s *testSpace) connect(t testing.TB) *client {
	t.Helper()
	c := s.world.stranger(t)
	if got := c.do("AUTH", s.live.Name, testPassword); got != "+OK\r\n" {
		t.Fatalf("AUTH: got %q", got)
	}
	return c
}

// connect3 logs in with RESP3.
func (s *testSpace) connect3(t testing.TB) *client {
	t.Helper()
	c := s.world.stranger(t)
	if got := c.do("HELLO", "3", "AUTH", s.live.Name, testPassword); got[0] != '%' {
		t.Fatalf("HELLO: got %q", got)
	}
	return c
}

// direct is a connection to the server itself as the workspace's role.
func (s *testSpace) direct(t testing.TB) *client {
	t.Helper()
	c := adminClient(t, s.route.Database)
	c.must("AUTH", s.route.Role, s.route.Password)
	return c
}

// admin is a connection to the server itself as its administrator.
func (s *testSpace) admin(t testing.TB) *client {
	t.Helper()
	return adminClient(t, s.route.Database)
}

func adminClient(t testing.TB, database string) *client {
	t.Helper()
	c := &client{t: t, conn: wiretest.Dial(t, "unix", theServer.socket(t))}
	c.must("AUTH", adminPassword)
	c.must("SELECT", database)
	return c
}

// send sends bytes as they are.
func (c *client) send(b []byte) {
	c.t.Helper()
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// read reads one reply.
func (c *client) read() string {
	c.t.Helper()
	s, err := c.next()
	if err != nil {
		c.t.Fatalf("read: %v (have %q)", err, c.buf)
	}
	return s
}

// next reads one reply, or says why not.
func (c *client) next() (string, error) {
	var v value
	v.begin()
	at := 0
	if len(c.buf) > 0 && c.buf[0] == '>' {
		v.pending = 0
	}
	push := false
	for {
		if len(c.buf) > 0 && at == 0 && c.buf[0] == '>' && !push {
			push = true
			v.pending = 0 // the header alone adds its elements
			n, size, err := aggregate(c.buf)
			if err == nil {
				v.pending, at = int64(n), size
			} else {
				push = false
			}
		}
		n, done, err := v.advance(c.buf[at:])
		if err != nil {
			return "", err
		}
		at += n
		if done && at > 0 {
			s := string(c.buf[:at])
			c.buf = c.buf[at:]
			return s, nil
		}
		var chunk [64 << 10]byte
		k, err := c.conn.Read(chunk[:])
		c.buf = append(c.buf, chunk[:k]...)
		if k == 0 && err != nil {
			return "", err
		}
		if !push && at == 0 {
			v = value{}
			v.begin()
		}
	}
}

// do sends a command and reads its reply.
func (c *client) do(args ...string) string {
	c.t.Helper()
	c.send(appendCommand(nil, args...))
	return c.read()
}

// must is do without an error.
func (c *client) must(args ...string) string {
	c.t.Helper()
	got := c.do(args...)
	if got[0] == '-' {
		c.t.Fatalf("%v: got %q", args, got)
	}
	return got
}

// want is do with the reply that must come.
func (c *client) want(reply string, args ...string) {
	c.t.Helper()
	if got := c.do(args...); got != reply {
		c.t.Errorf("%.200q: got %.400q, want %.400q", args, got, reply)
	}
}

// ended waits for the end of the connection and gives what came before it.
func (c *client) ended() string {
	c.t.Helper()
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	for {
		var chunk [4 << 10]byte
		n, err := c.conn.Read(chunk[:])
		c.buf = append(c.buf, chunk[:n]...)
		if err != nil {
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				c.t.Fatalf("the connection did not end; have %q", c.buf)
			}
			return string(c.buf)
		}
	}
}
