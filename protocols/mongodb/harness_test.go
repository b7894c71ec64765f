package mongodb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
	"github.com/tenantsdb/tenantsdb/proxy"
)

const (
	testUser     = "tdb_12345678"
	testPassword = "tdb_planted_secret"
	rolePassword = "role_planted_secret"
	patience     = 20 * time.Second
)

// world is a proxy in front of servers, with workspaces.
type world struct {
	addr      string // of the proxy
	cert      *wiretest.Certificate
	protocol  *Protocol
	server    *proxy.Server
	directory *directory
	recorder  *recorder
	log       *wiretest.Log
}

// testSpace is one workspace of a world.
type testSpace struct {
	world *world
	live  *workspace.Live
	route workspace.Route
}

// setup is what a test may have otherwise.
type setup struct {
	Config
	handshakeTimeout time.Duration
}

var numbers atomic.Int64

// newWorld makes a proxy in front of the server that all tests share.
func newWorld(t testing.TB, change ...func(*setup)) *world {
	t.Helper()
	return newWorldAt(t, theServer.at(t), change...)
}

func newWorldAt(t testing.TB, at workspace.Address, change ...func(*setup)) *world {
	t.Helper()
	w := &world{cert: wiretest.NewCertificate(t), log: &wiretest.Log{}, recorder: &recorder{}}
	w.directory = &directory{scram: wiretest.SCRAM(t, testPassword), spaces: make(map[string]*testSpace)}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	config := setup{Config: Config{TLS: w.cert.Server(), Directory: w.directory, Recorder: w.recorder, Log: log,
		Servers:    func() []workspace.Address { return []workspace.Address{at} },
		PublicHost: func() string { return w.addr }}}
	for _, c := range change {
		c(&config)
	}
	w.protocol = New(config.Config)
	w.server = proxy.New(log, proxy.NewMetrics(prometheus.NewRegistry()))
	w.server.HandshakeTimeout = config.handshakeTimeout
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(l, "mongodb", w.protocol) }()
	t.Cleanup(func() {
		ctx, done := context.WithTimeout(context.Background(), time.Second)
		defer done()
		if err := w.server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		w.protocol.Close()
		for _, secret := range []string{testPassword, rolePassword} {
			if strings.Contains(w.log.String(), secret) {
				t.Error("the log holds a secret")
			}
		}
		if strings.Contains(w.log.String(), "panicked") {
			t.Errorf("a session panicked:\n%s", w.log.String())
		}
	})
	return w
}

// workspace makes a workspace with a database of its own.
func (w *world) workspace(t testing.TB, mode workspace.Mode, s workspace.Settings) *testSpace {
	t.Helper()
	return w.workspaceAt(t, theServer.at(t), mode, s)
}

func (w *world) workspaceAt(t testing.TB, at workspace.Address, mode workspace.Mode, s workspace.Settings) *testSpace {
	t.Helper()
	id := numbers.Add(1)
	name := fmt.Sprintf("shop%d", id)
	sp := &testSpace{world: w, live: workspace.NewLive(workspace.Workspace{ID: id, Name: name, Type: workspace.MongoDB, Mode: mode, Settings: s})}
	sp.route = workspace.Route{Live: sp.live, Database: name + "_workspace", Address: at}
	w.directory.mu.Lock()
	defer w.directory.mu.Unlock()
	w.directory.spaces[sp.route.Database] = sp
	return sp
}

// directory knows the workspaces by database.
type directory struct {
	scram  workspace.SCRAM
	where  func() workspace.Address // all workspaces are; nil: each where it was made
	mu     sync.Mutex
	spaces map[string]*testSpace
}

func (d *directory) LoginUser(_ context.Context, _ workspace.DatabaseType, user string) (workspace.Login, error) {
	return workspace.Login{Known: user == testUser, Password: testPassword, SCRAM: d.scram}, nil
}

func (d *directory) Login(_ context.Context, _ workspace.DatabaseType, user, database string) (workspace.Login, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.spaces[database]
	if s == nil || user != testUser {
		return workspace.Login{}, nil
	}
	route := s.route
	if d.where != nil {
		route.Address = d.where()
	}
	return workspace.Login{Known: true, Route: route}, nil
}

func (d *directory) Databases(workspace.DatabaseType, string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.spaces))
}

// recorder remembers what it is told.
type recorder struct {
	mu        sync.Mutex
	announced []string
	records   int
	fail      error
	// during is called in Record.
	during func()
}

func (r *recorder) Announce(_ int64, _ uint32, statement string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.announced = append(r.announced, statement)
}

func (r *recorder) Record(context.Context, int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records++
	if r.during != nil {
		r.during()
	}
	return r.fail
}

// taken is what was recorded since the last call.
func (r *recorder) taken() (records int, announced []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	records, announced = r.records, r.announced
	r.records, r.announced = 0, nil
	return records, announced
}

// uri is a connection string with options in the form "&name=value".
func (s *testSpace) uri(query string) string {
	return fmt.Sprintf("mongodb://%s:%s@%s/%s?tls=true%s", testUser, testPassword, s.world.addr, s.route.Database, query)
}

const plainDirect = "&authMechanism=PLAIN&directConnection=true"

// driver connects the Go driver as an application does.
func (s *testSpace) driver(t testing.TB, query string, change ...func(*options.ClientOptions)) *mongo.Database {
	t.Helper()
	o := options.Client().ApplyURI(s.uri(query)).SetTLSConfig(s.world.cert.Client()).SetServerSelectionTimeout(patience)
	for _, c := range change {
		c(o)
	}
	return connect(t, o).Database(s.route.Database)
}

// direct connects the Go driver to the server itself.
func (s *testSpace) direct(t testing.TB) *mongo.Database {
	t.Helper()
	o := options.Client().ApplyURI("mongodb://server/?directConnection=true").SetServerSelectionTimeout(patience).
		SetDialer(dialer{s.route.Address})
	return connect(t, o).Database(s.route.Database)
}

type dialer struct{ at workspace.Address }

func (d dialer) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, d.at.Network, d.at.Addr)
}

func connect(t testing.TB, o *options.ClientOptions) *mongo.Client {
	t.Helper()
	c, err := mongo.Connect(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, done := context.WithTimeout(context.Background(), patience)
		defer done()
		if err := c.Disconnect(ctx); err != nil {
			t.Errorf("disconnect: %v", err)
		}
	})
	return c
}

// wire is a connection that shows messages as they are.
type wire struct {
	t    testing.TB
	conn net.Conn
	id   int32
}

// dialRaw connects to the proxy without TLS.
func (w *world) dialRaw(t testing.TB) net.Conn {
	t.Helper()
	raw, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	if err := raw.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return raw
}

// stranger is a client after the TLS handshake.
func (w *world) stranger(t testing.TB) *wire {
	t.Helper()
	conn := tls.Client(w.dialRaw(t), w.cert.Client())
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	return &wire{t: t, conn: conn}
}

// user is a client that is authenticated and has named no workspace.
func (w *world) user(t testing.TB) *wire {
	t.Helper()
	c := w.stranger(t)
	c.want(bson.D{{Key: "done", Value: true}}, plainStart(testUser, testPassword))
	return c
}

// connect is a client that is bound to the workspace.
func (s *testSpace) connect(t testing.TB) *wire {
	t.Helper()
	c := s.world.user(t)
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "ping", Value: 1}}))
	return c
}

func plainStart(user, password string) bson.D {
	return bson.D{{Key: "saslStart", Value: 1}, {Key: "mechanism", Value: "PLAIN"},
		{Key: "payload", Value: []byte("\x00" + user + "\x00" + password)}, {Key: "$db", Value: "$external"}}
}

// cmd is a command for the workspace's database.
func (s *testSpace) cmd(d bson.D) bson.D {
	return append(slices.Clone(d), bson.E{Key: "$db", Value: s.route.Database})
}

func admin(d bson.D) bson.D { return append(slices.Clone(d), bson.E{Key: "$db", Value: "admin"}) }

func encode(t testing.TB, d any) []byte {
	t.Helper()
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// send sends bytes as they are.
func (c *wire) send(b []byte) {
	c.t.Helper()
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// try is send where the proxy may have closed the connection.
func (c *wire) try(b []byte) { _, _ = c.conn.Write(b) }

// request sends a command.
func (c *wire) request(flags uint32, d bson.D) {
	c.t.Helper()
	c.id++
	c.send(appendMessage(nil, c.id, 0, flags, encode(c.t, d)))
}

// read reads one message.
func (c *wire) read() (header, []byte) {
	c.t.Helper()
	h, b, err := readFrame(c.conn)
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return h, b
}

// readFrame reads one message, from its header on.
func readFrame(conn io.Reader) (header, []byte, error) {
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(conn, head); err != nil {
		return header{}, nil, err
	}
	h, err := readHeader(head, maxReply)
	if err != nil {
		return header{}, nil, err
	}
	b := append(head, make([]byte, h.length-headerSize)...)
	_, err = io.ReadFull(conn, b[headerSize:])
	return h, b, err
}

// reply reads the reply to the last request.
func (c *wire) reply() bson.M {
	c.t.Helper()
	h, b := c.read()
	if h.responseTo != c.id {
		c.t.Fatalf("reply to %d: got one to %d", c.id, h.responseTo)
	}
	return body(c.t, h, b)
}

// body decodes a message.
func body(t testing.TB, h header, b []byte) bson.M {
	t.Helper()
	var m message
	doc := b
	switch h.opcode {
	case opMsg:
		if _, err := parseMessage(b, h, &m); err != nil {
			t.Fatalf("reply: %v", err)
		}
		doc = m.body
	case opReply:
		doc = b[headerSize+20:]
	default:
		t.Fatalf("reply: opcode %d", h.opcode)
	}
	var d bson.M
	if err := bson.Unmarshal(doc, &d); err != nil {
		t.Fatalf("reply: %v", err)
	}
	return d
}

// do sends a command and reads its reply.
func (c *wire) do(d bson.D) bson.M {
	c.t.Helper()
	c.request(0, d)
	return c.reply()
}

// want is do with what the reply must have.
func (c *wire) want(fields bson.D, d bson.D) bson.M {
	c.t.Helper()
	got := c.do(d)
	for _, f := range fields {
		if fmt.Sprint(got[f.Key]) != fmt.Sprint(f.Value) {
			c.t.Fatalf("%.200v: got %v, want %s %v", d, got, f.Key, f.Value)
		}
	}
	return got
}

// refused is do with an error that must come.
func (c *wire) refused(code int32, text string, d bson.D) {
	c.t.Helper()
	got := c.do(d)
	if got["code"] != code || !strings.Contains(fmt.Sprint(got["errmsg"]), text) {
		c.t.Errorf("%.200v: got %v, want error %d with %q", d, got, code, text)
	}
}

// ended waits for the end of the connection and gives what came before it.
func (c *wire) ended() []byte {
	c.t.Helper()
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	b, err := io.ReadAll(c.conn)
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		c.t.Fatalf("the connection did not end; have %d bytes", len(b))
	}
	return b
}

// tlsOver runs the client's TLS handshake.
func (w *world) tlsOver(t testing.TB, raw net.Conn) net.Conn {
	t.Helper()
	conn := tls.Client(raw, w.cert.Client())
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	return conn
}
