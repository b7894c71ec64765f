package mysql

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

const (
	// maxIdle bounds the warm backends of the whole pool, maxIdlePerKey those
	// of one key.
	maxIdle       = 256
	maxIdlePerKey = 32
	// maxAge retires a backend, so that memory a long-lived server process
	// gathered is given back; maxIdleTime closes what nobody asks for.
	maxAge      = 30 * time.Minute
	maxIdleTime = 5 * time.Minute
	// resetPatience is how long a session waits for a backend that is being
	// reset before it dials one of its own.
	resetPatience = 20 * time.Millisecond
)

// poolKey is what backends must share to stand in for each other: the
// workspace, its role, and what can't be changed after the login.
type poolKey struct {
	workspaceID  int64
	role         string
	capabilities capabilities
	charset      byte
}

// pool keeps backends warm between sessions.
type pool struct {
	mu     sync.Mutex
	groups map[poolKey]*group
	idle   int
	// forgotten says since when backends of a workspace may be kept; needed
	// while there are older ones, which is maxAge.
	forgotten map[int64]time.Time
	closed    bool
	resets    sync.WaitGroup
}

// group is the backends of one key. returned is signalled, without blocking,
// for each one that comes back.
type group struct {
	idle      []*backend // the longest idle first
	resetting int
	returned  chan struct{}
}

func newPool() *pool {
	return &pool{groups: make(map[poolKey]*group), forgotten: make(map[int64]time.Time)}
}

// take gives a warm backend, or dials.
func (p *pool) take(ctx context.Context, key poolKey, route workspace.Route) (*backend, error) {
	if b := p.takeIdle(key); b != nil {
		return b, nil
	}
	if returned := p.awaited(key); returned != nil {
		patience := time.NewTimer(resetPatience)
		defer patience.Stop()
		select {
		case <-returned:
			if b := p.takeIdle(key); b != nil {
				return b, nil
			}
		case <-patience.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	b, err := dial(ctx, key, route)
	if isFull(err) && p.evict() {
		// The server may be full of our own idle connections.
		b, err = dial(ctx, key, route)
	}
	return b, err
}

func (p *pool) takeIdle(key poolKey) *backend {
	for {
		p.mu.Lock()
		g := p.groups[key]
		if g == nil || len(g.idle) == 0 {
			p.mu.Unlock()
			return nil
		}
		b := g.idle[len(g.idle)-1]
		g.idle = g.idle[:len(g.idle)-1]
		p.idle--
		p.mu.Unlock()
		if window.Alive(b.conn) {
			return b
		}
		b.close()
	}
}

// awaited is the signal of a group in which a reset is under way; nil where
// there is none.
func (p *pool) awaited(key poolKey) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.groups[key]; g != nil && g.resetting > 0 {
		return g.returned
	}
	return nil
}

// give resets b in the background and keeps it for the next session.
func (p *pool) give(key poolKey, b *backend) {
	p.mu.Lock()
	if p.closed || time.Since(b.born) > maxAge {
		p.mu.Unlock()
		b.close()
		return
	}
	g := p.groups[key]
	if g == nil {
		g = &group{returned: make(chan struct{}, maxIdlePerKey)}
		p.groups[key] = g
	}
	g.resetting++
	p.resets.Add(1)
	p.mu.Unlock()
	go p.resetAndKeep(key, g, b)
}

func (p *pool) resetAndKeep(key poolKey, g *group, b *backend) {
	defer p.resets.Done()
	err := b.reset()
	p.mu.Lock()
	g.resetting--
	keep := err == nil && !p.closed && b.born.After(p.forgotten[key.workspaceID]) && len(g.idle) < maxIdlePerKey && p.idle < maxIdle
	if keep {
		b.idleSince = time.Now()
		g.idle = append(g.idle, b)
		p.idle++
	}
	p.mu.Unlock()
	if !keep {
		b.close()
		return
	}
	select {
	case g.returned <- struct{}{}:
	default:
	}
}

// evict closes the backend that was idle longest; false where none is.
func (p *pool) evict() bool {
	p.mu.Lock()
	var oldest *group
	for _, g := range p.groups {
		if len(g.idle) > 0 && (oldest == nil || g.idle[0].idleSince.Before(oldest.idle[0].idleSince)) {
			oldest = g
		}
	}
	if oldest == nil {
		p.mu.Unlock()
		return false
	}
	b := oldest.idle[0]
	oldest.idle = slices.Delete(oldest.idle, 0, 1)
	p.idle--
	p.mu.Unlock()
	b.close()
	return true
}

// closeWhere closes the idle backends that match and forgets groups without any.
func (p *pool) closeWhere(match func(poolKey, *backend) bool) {
	p.mu.Lock()
	var closing []*backend
	for key, g := range p.groups {
		g.idle = slices.DeleteFunc(g.idle, func(b *backend) bool {
			if !match(key, b) {
				return false
			}
			closing = append(closing, b)
			return true
		})
		if len(g.idle) == 0 && g.resetting == 0 {
			delete(p.groups, key)
		}
	}
	p.idle -= len(closing)
	p.mu.Unlock()
	for _, b := range closing {
		b.close()
	}
}

// forget closes a workspace's warm backends, and those in use when they come
// back.
func (p *pool) forget(workspaceID int64) {
	p.mu.Lock()
	p.forgotten[workspaceID] = time.Now()
	p.mu.Unlock()
	p.closeWhere(func(k poolKey, _ *backend) bool { return k.workspaceID == workspaceID })
}

// retire closes what is old or was idle too long.
func (p *pool) retire(now time.Time) {
	p.mu.Lock()
	maps.DeleteFunc(p.forgotten, func(_ int64, at time.Time) bool { return now.Sub(at) > maxAge })
	p.mu.Unlock()
	p.closeWhere(func(_ poolKey, b *backend) bool {
		return now.Sub(b.born) > maxAge || now.Sub(b.idleSince) > maxIdleTime
	})
}

// close closes every warm backend and waits for those being reset.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.resets.Wait()
	p.closeWhere(func(poolKey, *backend) bool { return true })
}
