package proxy

import (
	"context"
	"net"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// failing fails its first accepts, as a process out of file descriptors does.
type failing struct {
	net.Listener
	left  atomic.Int64
	calls atomic.Int64
}

func (f *failing) Accept() (net.Conn, error) {
	f.calls.Add(1)
	if f.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return f.Listener.Accept()
}

func TestAcceptOutlastsErrorsWithoutSpinning(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := &failing{Listener: l}
	f.left.Store(4)
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	began := time.Now()
	var told []bool
	conn, err := accept(context.Background(), f, func(err error, first bool) { told = append(told, first) })
	if err != nil {
		t.Fatalf("got %v, want a connection", err)
	}
	conn.Close()
	if got := f.calls.Load(); got != 5 {
		t.Errorf("accepts: got %d, want 5", got)
	}
	if want := []bool{true, false, false, false}; !slices.Equal(told, want) {
		t.Errorf("told of errors: got %v, want %v", told, want)
	}
	if paused, least := time.Since(began), 15*firstPause; paused < least {
		t.Errorf("pauses: got %v in all, want at least %v", paused, least)
	}
}

func TestAcceptPauseEndsWithTheServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := &failing{Listener: l}
	f.left.Store(1 << 40)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := accept(ctx, f, func(error, bool) {})
		ended <- err
	}()
	await(t, "accept has failed", func() bool { return f.calls.Load() > 1 })
	cancel()
	if err := <-ended; err == nil {
		t.Error("got a connection, want the error")
	}
}

func TestSilentConnectionsEndAtTheHandshakeDeadline(t *testing.T) {
	const inTime = 2 * time.Second // for a login at once, on a busy machine too
	w := newWorld(t, 0, func(w *world) { w.HandshakeTimeout = inTime })
	silent := w.dial(t)
	if got := silent.hear(); got != "" {
		t.Errorf("got %q, want the connection closed", got)
	}
	// Whoever is in stays in.
	in := w.enter(t, "shop")
	await(t, "the silent one is counted", func() bool {
		return testutil.ToFloat64(w.metrics.failures.WithLabelValues("fake", "handshake")) == 1
	})
	for began := time.Now(); time.Since(began) < inTime+inTime/4; { // past the deadline that the login had
		in.say("hello")
		if got := in.hear(); got != "hello" {
			t.Fatalf("session after its login's deadline: got %q, want hello", got)
		}
	}
}

func TestConnectionsWithoutLoginAreBoundedPerAddress(t *testing.T) {
	w := newWorld(t, 0)
	for range maxHandshakesPerHost {
		w.dial(t)
	}
	inside := func() int {
		w.pending.mu.Lock()
		defer w.pending.mu.Unlock()
		return w.pending.total
	}
	await(t, "all are inside", func() bool { return inside() == maxHandshakesPerHost })
	beyond := w.dial(t)
	if got := beyond.hear(); got != "" {
		t.Errorf("got %q, want the connection closed", got)
	}
	if got := testutil.ToFloat64(w.metrics.failures.WithLabelValues("fake", "crowded")); got != 1 {
		t.Errorf("failures metric: got %v, want 1", got)
	}
}

func TestASessionIsNotAHandshake(t *testing.T) {
	w := newWorld(t, 0)
	for range 3 {
		w.enter(t, "shop")
	}
	w.pending.mu.Lock()
	defer w.pending.mu.Unlock()
	if w.pending.total != 0 || len(w.pending.perHost) != 0 {
		t.Errorf("handshakes under way: got %d of %v, want none", w.pending.total, w.pending.perHost)
	}
}
