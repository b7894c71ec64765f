package certs

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// messages is a log that a test can wait on.
type messages struct {
	mu    sync.Mutex
	lines []string
	added chan struct{}
}

func newMessages() *messages { return &messages{added: make(chan struct{}, 1000)} }

func (m *messages) Enabled(context.Context, slog.Level) bool { return true }
func (m *messages) WithAttrs([]slog.Attr) slog.Handler       { return m }
func (m *messages) WithGroup(string) slog.Handler            { return m }

func (m *messages) Handle(_ context.Context, r slog.Record) error {
	m.mu.Lock()
	m.lines = append(m.lines, r.Message)
	m.mu.Unlock()
	m.added <- struct{}{}
	return nil
}

func (m *messages) count(part string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, line := range m.lines {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

// await waits until n messages hold part.
func (m *messages) await(t *testing.T, part string, n int) {
	t.Helper()
	deadline := time.After(time.Minute)
	for m.count(part) < n {
		select {
		case <-m.added:
		case <-deadline:
			t.Fatalf("no message with %q in %q", part, m.lines)
		}
	}
}

// watched runs Watch until the test ends.
func watched(t *testing.T, store *Store) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		store.Watch(ctx, time.Millisecond)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
}

func TestWatchSeesNewFilesAndKeepsTheOldWhileTheyAreBad(t *testing.T) {
	cert, key, _ := operator(t)
	log := newMessages()
	store, err := Files(cert, key, slog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	before := store.Leaf()
	watched(t, store)
	newCert, newKey, _ := operator(t, "new.example")
	replace(t, cert, newCert)
	log.await(t, "kept", 1)
	if !store.Leaf().Equal(before) {
		t.Error("a certificate without its key was taken")
	}
	replace(t, key, newKey)
	log.await(t, "in use", 2)
	if store.Leaf().Equal(before) {
		t.Error("the new certificate is not in use")
	}
}

func TestWatchFollowsASymlinkToAnotherFolder(t *testing.T) {
	oldCert, _, _ := operator(t)
	newCert, _, _ := operator(t, "new.example")
	link := filepath.Join(t.TempDir(), "current")
	if err := os.Symlink(filepath.Dir(oldCert), link); err != nil {
		t.Fatal(err)
	}
	log := newMessages()
	store, err := Files(filepath.Join(link, "server.crt"), filepath.Join(link, "server.key"), slog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	watched(t, store)
	if err := os.Symlink(filepath.Dir(newCert), link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
	log.await(t, "in use", 2)
	if err := store.Leaf().VerifyHostname("new.example"); err != nil {
		t.Error(err)
	}
}

func TestBadFilesAreToldOfOnce(t *testing.T) {
	cert, key, _ := operator(t)
	log := newMessages()
	store, err := Files(cert, key, slog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cert, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		store.look()
	}
	if n := log.count("kept"); n != 1 {
		t.Errorf("got %d messages, want 1", n)
	}
}

func TestWatchRenewsADevelopmentCertificateInTime(t *testing.T) {
	dir := t.TempDir()
	time0 := newClock()
	log := newMessages()
	store, err := openDevelopment(dir, nil, slog.New(log), time0.now)
	if err != nil {
		t.Fatal(err)
	}
	before := store.Leaf()
	store.look()
	if !store.Leaf().Equal(before) {
		t.Error("renewed without a reason")
	}
	time0.forward(leafLife - renewBefore + time.Minute)
	store.look()
	if store.Leaf().Equal(before) {
		t.Error("not renewed")
	}
	if n := log.count("expires soon"); n != 0 {
		t.Errorf("got %d warnings of a certificate that is renewed by itself", n)
	}
}

func TestExpiryIsWarnedOf(t *testing.T) {
	cert, key, _ := operator(t)
	for name, test := range map[string]struct {
		left time.Duration
		want int
	}{
		"far":     {left: warnBefore + time.Hour, want: 0},
		"near":    {left: warnBefore - time.Hour, want: 1},
		"expired": {left: -time.Hour, want: 1},
	} {
		log := newMessages()
		now := func() time.Time { return time.Now().Add(leafLife - test.left) }
		if _, err := open(files{cert, key}, slog.New(log), now); err != nil {
			t.Fatal(err)
		}
		if got := log.count("expires soon"); got != test.want {
			t.Errorf("%s: got %d warnings, want %d", name, got, test.want)
		}
	}
}
