package proxy

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// shutdown runs Shutdown in the background; more time than any test takes.
func (w *world) shutdown(ctx context.Context) <-chan error {
	done := make(chan error, 1)
	go func() { done <- w.Shutdown(ctx) }()
	return done
}

func TestShutdownTellsIdleSessionsAtOnceAndBusyOnesAfterTheirStatement(t *testing.T) {
	w := newWorld(t, 0)
	idle, busy := w.enter(t, "shop"), w.enter(t, "blog")
	busy.say("work")
	if got := busy.hear(); got != "work" {
		t.Fatalf("got %q, want work", got)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	done := w.shutdown(ctx)
	if got := idle.hear(); got != "stopped draining" {
		t.Errorf("idle session: got %q, want stopped draining", got)
	}
	if _, err := net.Dial("tcp", w.addr); err == nil {
		t.Error("the listener still takes connections")
	}
	select {
	case err := <-done:
		t.Fatalf("shutdown returned %v before the busy session ended", err)
	default:
	}
	busy.say("done")
	if got := busy.hear(); got != "stopped draining" {
		t.Errorf("busy session: got %q, want stopped draining", got)
	}
	if err := <-done; err != nil {
		t.Errorf("shutdown: got %v, want nil", err)
	}
}

func TestShutdownCutsWhatIsLeftWhenItsPatienceEnds(t *testing.T) {
	w := newWorld(t, 0)
	stuck := w.enter(t, "shop")
	stuck.say("work")
	stuck.hear()
	silent := w.dial(t) // never logs in
	ctx, cancel := context.WithCancel(context.Background())
	done := w.shutdown(ctx)
	await(t, "the drain began", func() bool { return w.draining.Load() })
	cancel()
	if got := stuck.hear(); got != "stopped cut" {
		t.Errorf("stuck session: got %q, want stopped cut", got)
	}
	if got := silent.hear(); got != "" {
		t.Errorf("silent connection: got %q, want it closed", got)
	}
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("shutdown: got %v, want the context's error", err)
		}
	case <-time.After(patience):
		t.Error("shutdown waits for connections that it cut")
	}
}

func TestALoginDuringShutdownIsRefused(t *testing.T) {
	w := newWorld(t, 0)
	late := w.dial(t)
	busy := w.enter(t, "blog")
	busy.say("work")
	busy.hear()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	done := w.shutdown(ctx)
	await(t, "the drain began", func() bool {
		w.sessions.mu.Lock()
		defer w.sessions.mu.Unlock()
		return w.sessions.draining
	})
	late.say("shop")
	if got := late.hear(); got != "refused draining" {
		t.Errorf("got %q, want refused draining", got)
	}
	busy.say("done")
	if err := <-done; err != nil {
		t.Errorf("shutdown: got %v, want nil", err)
	}
}

func TestServeAfterShutdownTakesNothing(t *testing.T) {
	w := newWorld(t, 0)
	if err := w.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Serve(l, "fake", w.fake); err != nil {
		t.Errorf("serve: got %v, want nil", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("listener: got %v, want it closed", err)
	}
}

func TestCloseWorkspaceEndsItsSessionsAndWaits(t *testing.T) {
	w := newWorld(t, 0)
	first, busy, other := w.enter(t, "shop"), w.enter(t, "shop"), w.enter(t, "blog")
	busy.say("work")
	busy.hear()
	w.CloseWorkspace(context.Background(), 1)
	if got := w.held(); got != 1 {
		t.Errorf("sessions left when CloseWorkspace returned: got %d, want the other workspace's 1", got)
	}
	for _, c := range []*client{first, busy} {
		if got := c.hear(); got != "stopped deleted" {
			t.Errorf("got %q, want stopped deleted", got)
		}
	}
	other.say("hello")
	if got := other.hear(); got != "hello" {
		t.Errorf("other workspace: got %q, want hello", got)
	}
	if !slices.Equal(w.fake.forgotten, []int64{1}) {
		t.Errorf("forgotten: got %v, want [1]", w.fake.forgotten)
	}
}

// What a protocol keeps warm takes as long to be closed as its server takes.
func TestOthersLogInWhileAWorkspaceIsForgotten(t *testing.T) {
	forgetting, release := make(chan struct{}), make(chan struct{})
	w := newWorld(t, 0, func(w *world) { w.fake.forget = func() { close(forgetting); <-release } })
	w.enter(t, "blog") // the listener is open
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		w.CloseWorkspace(context.Background(), 1)
	}()
	<-forgetting
	other := w.dial(t)
	other.say("blog")
	if err := other.conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if answer, err := other.in.ReadString('\n'); err != nil {
		t.Errorf("login to another workspace: got %q, %v", answer, err)
	}
	close(release)
	<-closed
}

func TestCloseWorkspaceReachesASessionThatIsStillConnecting(t *testing.T) {
	connecting, release := make(chan struct{}), make(chan struct{})
	w := newWorld(t, 0, func(w *world) {
		w.fake.connect = func(context.Context) error {
			close(connecting)
			<-release
			return nil
		}
	})
	c := w.dial(t)
	c.say("shop")
	<-connecting
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		w.CloseWorkspace(context.Background(), 1)
	}()
	await(t, "the session is to stop", func() bool {
		w.sessions.mu.Lock()
		defer w.sessions.mu.Unlock()
		for s := range w.sessions.workspaces[1] {
			return s.stopped != 0
		}
		return false
	})
	close(release)
	<-closed
	for _, want := range []string{"ready", "stopped deleted", ""} {
		if got := c.hear(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestASessionOfAWorkspaceDeletedMeanwhileEnds(t *testing.T) {
	var deleted *workspace.Live
	w := newWorld(t, 0, func(w *world) { deleted = w.fake.lives["shop"] })
	deleted.SetDeleted()
	c, _ := w.login(t, "shop")
	if got := c.hear(); got != "stopped deleted" {
		t.Errorf("got %q, want stopped deleted", got)
	}
}
