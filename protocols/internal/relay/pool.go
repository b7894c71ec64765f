package relay

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	// MaxIdlePerKey bounds the warm backends of one key, maxIdle those of the
	// whole pool.
	MaxIdlePerKey = 32
	maxIdle       = 256
	// MaxIdleTime closes what nobody asks for; maxAge retires a backend, so that
	// memory a long-lived server process gathered is given back.
	MaxIdleTime = 5 * time.Minute
	maxAge      = 30 * time.Minute
	// resetPatience is how long a session waits for a backend that is being
	// reset before it dials one of its own.
	resetPatience = 20 * time.Millisecond
	// resetTimeout bounds the reset of a backend between two sessions.
	resetTimeout = 5 * time.Second
	// retireInterval is how often warm backends are looked over.
	retireInterval = 15 * time.Second
)

// Key is what backends must share to stand in for each other.
type Key interface {
	comparable
	// Workspace is whose backends they are.
	Workspace() int64
}

// Backend is a connection to a physical server that may outlive its session.
type Backend interface {
	comparable
	Conn() net.Conn
	// Born is when it was dialled.
	Born() time.Time
	Close()
}

// Pool keeps backends warm between sessions.
type Pool[K Key, B Backend] struct {
	// full says whether the server refused a connection for want of a slot; nil:
	// it never does.
	full func(error) bool

	mu     sync.Mutex
	groups map[K]*group[B]
	idle   int
	// forgotten says since when backends of a workspace may be kept; needed
	// while there are older ones, which is maxAge.
	forgotten map[int64]time.Time
	closed    bool
	resets    sync.WaitGroup

	stop    chan struct{} // ends tend
	stopped chan struct{} // closed when it has ended
}

// group is the backends of one key. returned is signalled, without blocking,
// for each one that comes back.
type group[B Backend] struct {
	idle      []resting[B] // the longest idle first
	resetting int
	returned  chan struct{}
}

// resting is a backend and since when it is idle.
type resting[B Backend] struct {
	backend B
	since   time.Time
}

// NewPool makes an empty pool. full says whether a server refused a connection
// for want of a slot, which may be held by an idle backend; it may be nil. Close
// ends the pool.
func NewPool[K Key, B Backend](full func(error) bool) *Pool[K, B] {
	p := &Pool[K, B]{
		full:      full,
		groups:    make(map[K]*group[B]),
		forgotten: make(map[int64]time.Time),
		stop:      make(chan struct{}),
		stopped:   make(chan struct{}),
	}
	go p.tend()
	return p
}

func (p *Pool[K, B]) tend() {
	defer close(p.stopped)
	ticker := time.NewTicker(retireInterval)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			p.Retire(now)
		case <-p.stop:
			return
		}
	}
}

// Take gives a warm backend, or dials.
func (p *Pool[K, B]) Take(ctx context.Context, key K, dial func(context.Context) (B, error)) (B, error) {
	var none B
	if b := p.takeIdle(key); b != none {
		return b, nil
	}
	if b, err := p.awaitReset(ctx, key); b != none || err != nil {
		return b, err
	}
	b, err := dial(ctx)
	if err != nil && p.full != nil && p.full(err) && p.evict() {
		// The server may be full of our own idle connections.
		b, err = dial(ctx)
	}
	return b, err
}

// takeIdle is the zero value where no backend of the key is idle and alive.
func (p *Pool[K, B]) takeIdle(key K) B {
	for {
		p.mu.Lock()
		g := p.groups[key]
		if g == nil || len(g.idle) == 0 {
			p.mu.Unlock()
			var none B
			return none
		}
		b := g.idle[len(g.idle)-1].backend
		g.idle = g.idle[:len(g.idle)-1]
		p.idle--
		p.mu.Unlock()
		if Alive(b.Conn()) {
			return b
		}
		b.Close()
	}
}

// awaitReset waits for a backend that is being reset, where there is one; the
// zero value where none came in time.
func (p *Pool[K, B]) awaitReset(ctx context.Context, key K) (B, error) {
	var none B
	returned := p.awaited(key)
	if returned == nil {
		return none, nil
	}
	patience := time.NewTimer(resetPatience)
	defer patience.Stop()
	for {
		select {
		case <-returned:
			// It may tell of one that came back, and was taken, long ago.
			if b := p.takeIdle(key); b != none {
				return b, nil
			}
			if p.awaited(key) != returned {
				return none, nil
			}
		case <-patience.C:
			return none, nil
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
}

// awaited is the signal of a group in which a reset is under way; nil where
// there is none.
func (p *Pool[K, B]) awaited(key K) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.groups[key]; g != nil && g.resetting > 0 {
		return g.returned
	}
	return nil
}

// Give keeps b for the next session, once reset has made it as new; that
// happens in the background. With a nil reset b is kept as it is.
func (p *Pool[K, B]) Give(key K, b B, reset func() error) {
	p.mu.Lock()
	if p.closed || time.Since(b.Born()) > maxAge {
		p.mu.Unlock()
		b.Close()
		return
	}
	g := p.groups[key]
	if g == nil {
		g = &group[B]{returned: make(chan struct{}, MaxIdlePerKey)}
		p.groups[key] = g
	}
	g.resetting++
	p.resets.Add(1)
	p.mu.Unlock()
	if reset == nil {
		p.keep(key, g, b, nil)
		return
	}
	go func() { p.keep(key, g, b, reset()) }()
}

// Reset runs restore, which makes a backend as new, within the time there is for
// that. An error means that the backend must be closed.
func Reset(backend net.Conn, restore func() error) error {
	if err := backend.SetDeadline(time.Now().Add(resetTimeout)); err != nil {
		return fmt.Errorf("backend reset: set deadline: %w", err)
	}
	if err := restore(); err != nil {
		return fmt.Errorf("backend reset: %w", err)
	}
	if err := backend.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("backend reset: clear deadline: %w", err)
	}
	return nil
}

// keep ends a reset that failed with err, if it did.
func (p *Pool[K, B]) keep(key K, g *group[B], b B, err error) {
	defer p.resets.Done()
	p.mu.Lock()
	g.resetting--
	keep := err == nil && !p.closed && b.Born().After(p.forgotten[key.Workspace()]) && len(g.idle) < MaxIdlePerKey && p.idle < maxIdle
	if keep {
		g.idle = append(g.idle, resting[B]{b, time.Now()})
		p.idle++
	}
	p.mu.Unlock()
	if !keep {
		b.Close()
		return
	}
	select {
	case g.returned <- struct{}{}:
	default:
	}
}

// evict closes the backend that was idle longest; false where none is.
func (p *Pool[K, B]) evict() bool {
	p.mu.Lock()
	var oldest *group[B]
	for _, g := range p.groups {
		if len(g.idle) > 0 && (oldest == nil || g.idle[0].since.Before(oldest.idle[0].since)) {
			oldest = g
		}
	}
	if oldest == nil {
		p.mu.Unlock()
		return false
	}
	b := oldest.idle[0].backend
	oldest.idle = slices.Delete(oldest.idle, 0, 1)
	p.idle--
	p.mu.Unlock()
	b.Close()
	return true
}

// closeWhere closes the idle backends that match and forgets groups without any.
func (p *Pool[K, B]) closeWhere(match func(K, resting[B]) bool) {
	p.mu.Lock()
	var closing []B
	for key, g := range p.groups {
		g.idle = slices.DeleteFunc(g.idle, func(r resting[B]) bool {
			if !match(key, r) {
				return false
			}
			closing = append(closing, r.backend)
			return true
		})
		if len(g.idle) == 0 && g.resetting == 0 {
			delete(p.groups, key)
		}
	}
	p.idle -= len(closing)
	p.mu.Unlock()
	for _, b := range closing {
		b.Close()
	}
}

// Forget closes a workspace's warm backends, and those in use when they come
// back.
func (p *Pool[K, B]) Forget(workspaceID int64) {
	p.mu.Lock()
	p.forgotten[workspaceID] = time.Now()
	p.mu.Unlock()
	p.closeWhere(func(k K, _ resting[B]) bool { return k.Workspace() == workspaceID })
}

// Retire closes what is old or was idle too long.
func (p *Pool[K, B]) Retire(now time.Time) {
	p.mu.Lock()
	maps.DeleteFunc(p.forgotten, func(_ int64, at time.Time) bool { return now.Sub(at) > maxAge })
	p.mu.Unlock()
	p.closeWhere(func(_ K, r resting[B]) bool {
		return now.Sub(r.backend.Born()) > maxAge || now.Sub(r.since) > MaxIdleTime
	})
}

// Idle is how many backends are warm.
func (p *Pool[K, B]) Idle() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.idle
}

// Settle waits until no backend is being reset. Nothing may be given meanwhile.
func (p *Pool[K, B]) Settle() { p.resets.Wait() }

// Close closes every warm backend and waits for those being reset.
func (p *Pool[K, B]) Close() {
	close(p.stop)
	<-p.stopped
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.resets.Wait()
	p.closeWhere(func(K, resting[B]) bool { return true })
}
