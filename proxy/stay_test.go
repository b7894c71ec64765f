package proxy

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/protocols"
)

// lasting is the fake protocol with clients that stay before they log in.
type lasting struct {
	*fake
	stayed chan context.Context
}

func (l *lasting) Handshake(ctx context.Context, conn net.Conn) (protocols.Session, error) {
	stays, ok := protocols.Stay(ctx)
	if !ok {
		return nil, errors.New("may not stay")
	}
	l.stayed <- stays
	stop := context.AfterFunc(stays, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	return l.fake.Handshake(ctx, conn)
}

// newLasting is a world with such a protocol beside its own.
func newLasting(t *testing.T, w *world) (addr string, stayed chan context.Context) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &lasting{w.fake, make(chan context.Context, 2)}
	served := make(chan error, 1)
	go func() { served <- w.Serve(l, "lasting", p) }()
	t.Cleanup(func() {
		ctx, done := context.WithCancel(context.Background())
		done()
		_ = w.Shutdown(ctx) // tests that mind its outcome call it themselves
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return l.Addr().String(), p.stayed
}

func TestConnectionsThatStayHaveNoDeadline(t *testing.T) {
	w := newWorld(t, 0, func(w *world) { w.HandshakeTimeout = 100 * time.Millisecond })
	addr, stayed := newLasting(t, w)
	own := w.addr
	w.addr = addr
	c := w.dial(t)
	<-stayed
	w.addr = own
	silent := w.dial(t) // ends at the deadline, which c has then passed too
	if got := silent.hear(); got != "" {
		t.Errorf("silent: got %q", got)
	}
	w.pending.mu.Lock()
	pending := w.pending.total
	w.pending.mu.Unlock()
	if pending != 0 {
		t.Errorf("handshakes under the deadline: got %d, want none", pending)
	}
	c.say("shop")
	if got := c.hear(); got != "ready" {
		t.Errorf("login: got %q, want ready", got)
	}
	w.staying.mu.Lock()
	defer w.staying.mu.Unlock()
	if w.staying.total != 0 {
		t.Errorf("a session still counts among those that stay without one")
	}
}

func TestConnectionsThatStayEndWithAShutdown(t *testing.T) {
	w := newWorld(t, 0)
	addr, stayed := newLasting(t, w)
	w.addr = addr
	c := w.dial(t)
	<-stayed
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	if err := w.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if got := c.hear(); got != "" {
		t.Errorf("got %q, want the connection closed", got)
	}
}

func TestConnectionsThatStayAreBoundedPerAddress(t *testing.T) {
	w := newWorld(t, 0)
	addr, stayed := newLasting(t, w)
	w.addr = addr
	first := w.dial(t)
	<-stayed
	for range maxStayingPerHost - 1 {
		if _, ok := w.staying.enter(first.conn.LocalAddr()); !ok {
			t.Fatal("the gate is closed too early")
		}
	}
	if got := w.dial(t).hear(); got != "" {
		t.Errorf("got %q, want the connection closed", got)
	}
}
