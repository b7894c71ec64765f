package relay

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// warm is a backend on a socket whose other end stays open.
type warm struct {
	conn   net.Conn
	born   time.Time
	closed bool
}

func (b *warm) Conn() net.Conn  { return b.conn }
func (b *warm) Born() time.Time { return b.born }
func (b *warm) Close()          { b.closed = true }

type owner int64

func (o owner) Workspace() int64 { return int64(o) }

func dialled(t *testing.T) *warm {
	t.Helper()
	near, _ := pair(t, "tcp", "127.0.0.1:0")
	return &warm{conn: near, born: time.Now()}
}

func asItIs() error { return nil }

var errDialled = errors.New("dialled")

func never(context.Context) (*warm, error) { return nil, errDialled }

func TestPoolGivesBackWhatWasLastKept(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	p := NewPool[owner, *warm](nil)
	defer p.Close()
	first, last, other := dialled(t), dialled(t), dialled(t)
	p.Give(1, first, nil)
	p.Give(1, last, asItIs)
	p.Settle()
	p.Give(2, other, nil)
	for _, want := range []*warm{last, first} {
		if got, err := p.Take(t.Context(), 1, never); got != want || err != nil {
			t.Errorf("got %p, %v, want %p", got, err, want)
		}
	}
	if _, err := p.Take(t.Context(), 1, never); !errors.Is(err, errDialled) {
		t.Errorf("a backend of another key was given: %v", err)
	}
}

func TestPoolKeepsNoneThatIsOfNoUse(t *testing.T) {
	p := NewPool[owner, *warm](nil)
	defer p.Close()
	old, broken, dead, inUse := dialled(t), dialled(t), dialled(t), dialled(t)
	old.born = old.born.Add(-maxAge - time.Second)
	p.Give(1, old, nil)
	p.Give(1, broken, func() error { return errors.New("not reset") })
	p.Settle()
	p.Give(1, dead, nil)
	dead.conn.Close()
	if _, err := p.Take(t.Context(), 1, never); !errors.Is(err, errDialled) {
		t.Errorf("got %v, want a new one", err)
	}
	p.Forget(1)
	p.Give(1, inUse, nil)
	for name, b := range map[string]*warm{"old": old, "not reset": broken, "dead": dead, "of a forgotten workspace": inUse} {
		if !b.closed {
			t.Errorf("the one that is %s was not closed", name)
		}
	}
	if n := p.Idle(); n != 0 {
		t.Errorf("%d are idle, want none", n)
	}
}

func TestPoolIsBoundedAndRetires(t *testing.T) {
	p := NewPool[owner, *warm](nil)
	defer p.Close()
	b := dialled(t)
	for range MaxIdlePerKey + 8 {
		p.Give(1, &warm{conn: b.conn, born: b.born}, nil)
	}
	if n := p.Idle(); n != MaxIdlePerKey {
		t.Errorf("%d are idle, want %d", n, MaxIdlePerKey)
	}
	p.Retire(time.Now().Add(MaxIdleTime / 2))
	if n := p.Idle(); n != MaxIdlePerKey {
		t.Errorf("%d are idle before their time, want %d", n, MaxIdlePerKey)
	}
	p.Retire(time.Now().Add(MaxIdleTime + time.Second))
	if n, groups := p.Idle(), len(p.groups); n != 0 || groups != 0 {
		t.Errorf("%d are idle in %d groups after their time, want none", n, groups)
	}
}

func TestPoolMakesRoomOnAFullServer(t *testing.T) {
	full := errors.New("too many connections")
	p := NewPool[owner, *warm](func(err error) bool { return errors.Is(err, full) })
	defer p.Close()
	oldest, newer, fresh := dialled(t), dialled(t), dialled(t)
	p.Give(1, oldest, nil)
	p.Give(2, newer, nil)
	got, err := p.Take(t.Context(), 3, func(context.Context) (*warm, error) {
		if !oldest.closed {
			return nil, full
		}
		return fresh, nil
	})
	if got != fresh || err != nil || newer.closed {
		t.Errorf("got %p, %v, the newer one closed: %v", got, err, newer.closed)
	}
}

func TestPoolWaitsForAResetRatherThanDials(t *testing.T) {
	p := NewPool[owner, *warm](nil)
	defer p.Close()
	b := dialled(t)
	release := make(chan struct{})
	p.Give(1, b, func() error { <-release; return nil })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Take(ended, 1, never); !errors.Is(err, context.Canceled) && !errors.Is(err, errDialled) {
		t.Errorf("got %v", err)
	}
	close(release)
	p.Settle()
	if got, err := p.Take(t.Context(), 1, never); got != b || err != nil {
		t.Errorf("got %p, %v, want the one that was reset", got, err)
	}
}

// That others came back before, and were taken again, is no news.
func TestPoolWaitsForAResetAfterManyWereTaken(t *testing.T) {
	b := dialled(t)
	synctest.Test(t, func(t *testing.T) {
		p := NewPool[owner, *warm](nil)
		defer p.Close()
		for range 3 {
			p.Give(1, b, nil)
			if got, err := p.Take(t.Context(), 1, never); got != b || err != nil {
				t.Fatalf("got %p, %v, want the warm one", got, err)
			}
		}
		p.Give(1, b, func() error { time.Sleep(resetPatience / 2); return nil })
		if got, err := p.Take(t.Context(), 1, never); got != b || err != nil {
			t.Errorf("got %p, %v, want the one that was being reset", got, err)
		}
	})
}

func TestAResetHasItsTimeAndLeavesNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		began := time.Now()
		err := Reset(near, func() error { return read(near) })
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != resetTimeout {
			t.Errorf("a server that does not answer: got %v after %v", err, time.Since(began))
		}
		if err := Reset(near, asItIs); err != nil {
			t.Fatal(err)
		}
		speaks := time.AfterFunc(2*resetTimeout, func() { _, _ = far.Write([]byte("x")) })
		defer speaks.Stop()
		if err := read(near); err != nil {
			t.Errorf("the session after it: %v", err)
		}
	})
}
