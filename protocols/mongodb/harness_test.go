package mongodb

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
	recorder  *wiretest.Recorder
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
	w := &world{cert: wiretest.NewCertificate(t), log: wiretest.NewLog(t, testPassword, rolePassword), recorder: &wiretest.Recorder{}}
	w.directory = &directory{scram: wiretest.SCRAM(t, testPassword), spaces: make(map[string]*testSpace)}
	log := w.log.Logger()
	config := setup{Config: Config{TLS: w.cert.Server(), Directory: w.directory, Recorder: w.recorder, Log: log,
		Servers:    func() []workspace.Address { return []workspace.Address{at} },
		PublicHost: func() string { return w.addr }}}
	for _, c := range change {
		c(&config)
	}
	w.protocol = New(config.Config)
	w.server = proxy.New(log, proxy.NewMetrics(prometheus.NewRegistry()))
	w.server.HandshakeTimeout = config.handshakeTimeout
	w.addr = wiretest.Listen(t, w.server, "mongodb", w.protocol)
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
