package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// fake is a wire protocol of lines. A client logs in with a line that names
// its workspace; "work" keeps its session busy until "done", "panic" is a bug.
type fake struct {
	mu        sync.Mutex
	lives     map[string]*workspace.Live
	keys      map[string]*workspace.LiveKey // of logins "workspace as key"
	forgotten []int64
	running   atomic.Int64
	most      atomic.Int64
	connect   func(ctx context.Context) error // in Connect, where set
	forget    func()                          // in Forget, where set
	tls       *tls.Config                     // nil: its clients speak plaintext
}

func (f *fake) Handshake(ctx context.Context, conn net.Conn) (protocols.Session, error) {
	if f.tls != nil {
		secured, err := protocols.Secure(ctx, conn, f.tls)
		if err != nil {
			return nil, err
		}
		conn = secured
	}
	in := bufio.NewReader(conn)
	line, err := in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	name, key, _ := strings.Cut(strings.TrimSpace(line), " as ")
	f.mu.Lock()
	live := f.lives[name]
	as := f.keys[key]
	f.mu.Unlock()
	if live == nil {
		fmt.Fprintln(conn, "unknown")
		return nil, errors.New("unknown workspace")
	}
	return &fakeSession{f, conn, in, live, as}, nil
}

func (f *fake) Forget(id int64) {
	if f.forget != nil {
		f.forget()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forgotten = append(f.forgotten, id)
}

type fakeSession struct {
	fake *fake
	conn net.Conn
	in   *bufio.Reader
	live *workspace.Live
	key  *workspace.LiveKey
}

func (s *fakeSession) User() string              { return "someone" }
func (s *fakeSession) Route() workspace.Route    { return workspace.Route{Live: s.live, Key: s.key} }
func (s *fakeSession) Refuse(r protocols.Reason) { fmt.Fprintln(s.conn, "refused", r) }
func (s *fakeSession) Connect(ctx context.Context) (protocols.Relay, error) {
	if s.fake.connect != nil {
		if err := s.fake.connect(ctx); err != nil {
			return nil, err
		}
	}
	return &fakeRelay{fakeSession: s}, nil
}

type fakeRelay struct {
	*fakeSession
	mu      sync.Mutex
	busy    bool
	stopped protocols.Reason
}

func (r *fakeRelay) Traffic() (in, out int64) { return 1, 2 }

func (r *fakeRelay) Run(context.Context) error {
	n := r.fake.running.Add(1)
	defer r.fake.running.Add(-1)
	for most := r.fake.most.Load(); n > most && !r.fake.most.CompareAndSwap(most, n); most = r.fake.most.Load() {
	}
	fmt.Fprintln(r.conn, "ready")
	for {
		line, err := r.in.ReadString('\n')
		if reason := r.reason(); reason != 0 {
			_ = r.conn.SetDeadline(time.Now().Add(patience))
			fmt.Fprintln(r.conn, "stopped", reason)
			return errors.New(reason.String())
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if line == "panic\n" {
			panic("planted")
		}
		if r.work(line == "work\n") {
			fmt.Fprintln(r.conn, "stopped", r.reason())
			return errors.New("stopped")
		}
		fmt.Fprint(r.conn, line)
	}
}

// work notes whether a statement runs; true when the session is to end.
func (r *fakeRelay) work(busy bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = busy
	return !busy && r.stopped != 0
}

func (r *fakeRelay) reason() protocols.Reason {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy && r.stopped == protocols.Draining {
		return 0
	}
	return r.stopped
}

func (r *fakeRelay) Stop(reason protocols.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = reason
	if reason != protocols.Draining || !r.busy {
		_ = r.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// world is a server with one listener of the fake protocol.
type world struct {
	*Server
	fake   *fake
	addr   string
	served chan error
	log    *syncLog
}

func newWorld(t *testing.T, limit int64, change ...func(*world)) *world {
	t.Helper()
	log := &syncLog{}
	w := &world{
		Server: New(slog.New(slog.NewTextHandler(log, nil)), NewMetrics(prometheus.NewRegistry())),
		fake:   &fake{lives: map[string]*workspace.Live{}},
		served: make(chan error, 1),
		log:    log,
	}
	for i, name := range []string{"shop", "blog"} {
		w.fake.lives[name] = workspace.NewLive(workspace.Workspace{ID: int64(i + 1), Name: name, Settings: workspace.Settings{MaxConnections: limit}})
	}
	for _, c := range change {
		c(w)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	go func() { w.served <- w.Serve(l, "fake", w.fake) }()
	t.Cleanup(func() {
		ctx, done := context.WithCancel(context.Background())
		done()
		_ = w.Shutdown(ctx) // tests that mind its outcome call it themselves
		select {
		case err := <-w.served:
			if err != nil {
				t.Errorf("serve: %v", err)
			}
		case <-time.After(patience):
			t.Error("serve did not return after shutdown")
		}
	})
	return w
}

// client is one connection of lines.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (w *world) dial(t *testing.T) *client {
	t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &client{t, conn, bufio.NewReader(conn)}
}

// login connects to a workspace and gives the first answer.
func (w *world) login(t *testing.T, workspace string) (*client, string) {
	t.Helper()
	c := w.dial(t)
	c.say(workspace)
	return c, c.hear()
}

// enter is a login that must succeed.
func (w *world) enter(t *testing.T, workspace string) *client {
	t.Helper()
	c, answer := w.login(t, workspace)
	if answer != "ready" {
		t.Fatalf("login to %s: got %q, want ready", workspace, answer)
	}
	return c
}

func (c *client) say(line string) { fmt.Fprintln(c.conn, line) }

// hear is the next line; empty at the connection's end.
func (c *client) hear() string {
	line, err := c.in.ReadString('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Error("nothing heard")
	}
	return strings.TrimSpace(line)
}

func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	over := time.After(patience)
	for !cond() {
		select {
		case <-poll.C:
		case <-over:
			t.Fatalf("waited %v in vain until %s", patience, what)
		}
	}
}

type syncLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *syncLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *syncLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
