package proxy

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestExactlyTheLimitGetsInWhenAllComeAtOnce(t *testing.T) {
	const limit, clients = 20, 60
	w := newWorld(t, limit)
	for round := range 3 {
		var in, refused atomic.Int64
		var all sync.WaitGroup
		inside := make(chan *client, clients)
		for range clients {
			all.Go(func() {
				c, answer := w.login(t, "shop")
				switch answer {
				case "ready":
					in.Add(1)
					inside <- c
				case "refused full":
					refused.Add(1)
				default:
					t.Errorf("login: got %q", answer)
				}
			})
		}
		all.Wait()
		close(inside)
		if in.Load() != limit || refused.Load() != clients-limit {
			t.Fatalf("round %d: got %d in and %d refused, want %d and %d", round, in.Load(), refused.Load(), limit, clients-limit)
		}
		if got := testutil.ToFloat64(w.metrics.open.WithLabelValues("fake")); got != limit {
			t.Errorf("open sessions metric: got %v, want %d", got, limit)
		}
		for c := range inside {
			c.conn.Close()
		}
		await(t, "all slots are back", func() bool { return w.held() == 0 })
	}
	if got := w.fake.most.Load(); got != limit {
		t.Errorf("sessions at once: got %d, want %d", got, limit)
	}
}

// held is how many slots are taken.
func (w *world) held() int {
	w.sessions.mu.Lock()
	defer w.sessions.mu.Unlock()
	n := 0
	for _, taken := range w.sessions.workspaces {
		n += len(taken)
	}
	return n
}

func TestTheLimitIsEachWorkspacesOwn(t *testing.T) {
	w := newWorld(t, 1)
	w.enter(t, "shop")
	w.enter(t, "blog")
	if _, answer := w.login(t, "shop"); answer != "refused full" {
		t.Errorf("second session: got %q, want a refusal", answer)
	}
}

func TestTheLimitChangesWhileSessionsAreOpen(t *testing.T) {
	w := newWorld(t, 1)
	w.enter(t, "shop")
	w.fake.lives["shop"].Set(workspace.Settings{MaxConnections: 2})
	w.enter(t, "shop")
	w.fake.lives["shop"].Set(workspace.Settings{MaxConnections: 1})
	if _, answer := w.login(t, "shop"); answer != "refused full" {
		t.Errorf("after the limit sank: got %q, want a refusal", answer)
	}
	w.fake.lives["shop"].Set(workspace.Settings{}) // no limit
	w.enter(t, "shop")
}

func TestASlotComesBackHoweverItsSessionEnds(t *testing.T) {
	ends := map[string]func(*client){
		"client closes": func(c *client) { c.conn.Close() },
		"panic":         func(c *client) { c.say("panic") },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			end(w.enter(t, "shop"))
			await(t, "the slot is back", func() bool { return w.held() == 0 })
			w.enter(t, "shop")
		})
	}
}

func TestASessionThatCannotConnectGivesItsSlotBack(t *testing.T) {
	w := newWorld(t, 1, func(w *world) {
		w.fake.connect = func(context.Context) error { return errors.New("no backend") }
	})
	c, answer := w.login(t, "shop")
	if answer != "" || c.hear() != "" {
		t.Errorf("got %q, want the connection closed", answer)
	}
	await(t, "the slot is back", func() bool { return w.held() == 0 })
	if got := testutil.ToFloat64(w.metrics.failures.WithLabelValues("fake", "connect")); got != 1 {
		t.Errorf("failures metric: got %v, want 1", got)
	}
}

func TestAPanicEndsItsOwnSessionOnly(t *testing.T) {
	w := newWorld(t, 0)
	other := w.enter(t, "shop")
	broken := w.enter(t, "shop")
	broken.say("panic")
	if got := broken.hear(); got != "" {
		t.Errorf("got %q, want the connection closed", got)
	}
	other.say("hello")
	if got := other.hear(); got != "hello" {
		t.Errorf("other session: got %q, want hello", got)
	}
	if got := testutil.ToFloat64(w.metrics.failures.WithLabelValues("fake", "panic")); got != 1 {
		t.Errorf("failures metric: got %v, want 1", got)
	}
	if !strings.Contains(w.log.String(), "planted") {
		t.Errorf("log: got %q, want the panic in it", w.log.String())
	}
}

func TestARevokedKeysSessionsEndAndNoOther(t *testing.T) {
	w := newWorld(t, 0)
	revoked, other := &workspace.LiveKey{}, &workspace.LiveKey{Reads: true}
	w.fake.keys = map[string]*workspace.LiveKey{"revoked": revoked, "other": other}
	ending := []*client{w.enter(t, "shop as revoked"), w.enter(t, "blog as revoked")}
	staying := []*client{w.enter(t, "shop"), w.enter(t, "shop as other")}
	revoked.SetRevoked()
	w.CloseKey(t.Context(), revoked)
	for _, c := range ending {
		if got := c.hear(); got != "stopped revoked" {
			t.Errorf("a session of the key: got %q", got)
		}
	}
	for _, c := range staying {
		c.say("hello")
		if got := c.hear(); got != "hello" {
			t.Errorf("another session: got %q", got)
		}
	}
	if n := w.held(); n != len(staying) {
		t.Errorf("%d slots are taken, want %d", n, len(staying))
	}
	// A login that was checked just before comes too late.
	if _, answer := w.login(t, "shop as revoked"); answer != "refused revoked" {
		t.Errorf("a session afterwards: got %q", answer)
	}
}

// A key is revoked while its session connects.
func TestAKeyRevokedMeanwhileEndsItsSession(t *testing.T) {
	connecting, goOn := make(chan struct{}), make(chan struct{})
	w := newWorld(t, 0, func(w *world) {
		w.fake.connect = func(context.Context) error {
			close(connecting)
			<-goOn
			return nil
		}
	})
	key := &workspace.LiveKey{}
	w.fake.keys = map[string]*workspace.LiveKey{"key": key}
	answers := make(chan string, 1)
	go func() {
		c, answer := w.login(t, "shop as key")
		if answer == "ready" {
			answer = c.hear()
		}
		answers <- answer
	}()
	<-connecting
	key.SetRevoked()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		w.CloseKey(context.Background(), key)
	}()
	await(t, "the session is to end", func() bool {
		w.sessions.mu.Lock()
		defer w.sessions.mu.Unlock()
		for _, taken := range w.sessions.workspaces {
			for s := range taken {
				return s.stopped != 0
			}
		}
		return false
	})
	close(goOn)
	if got := <-answers; got != "stopped revoked" {
		t.Errorf("got %q, want the session stopped", got)
	}
	<-closed
}
