package mongodb

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

const (
	// maxIdle bounds the warm backends of the whole pool, maxIdlePerKey those
	// of one workspace.
	maxIdle       = 256
	maxIdlePerKey = 32
	// maxAge retires a backend; maxIdleTime closes what nobody asks for.
	maxAge      = 30 * time.Minute
	maxIdleTime = 5 * time.Minute
)

// poolKey is what backends must share to stand in for each other.
type poolKey struct {
	workspaceID int64
	role        string
}

func keyOf(route workspace.Route) poolKey { return poolKey{route.Live.ID, route.Role} }

// pool keeps backends warm between sessions.
type pool struct {
	mu     sync.Mutex
	groups map[poolKey][]*backend // the longest idle first
	idle   int
	closed bool
}

func newPool() *pool { return &pool{groups: make(map[poolKey][]*backend)} }

// take gives a warm backend, or dials.
func (p *pool) take(ctx context.Context, route workspace.Route, dial func(context.Context, workspace.Route) (*backend, error)) (*backend, error) {
	if b := p.takeIdle(keyOf(route)); b != nil {
		return b, nil
	}
	return dial(ctx, route)
}

func (p *pool) takeIdle(key poolKey) *backend {
	for {
		p.mu.Lock()
		group := p.groups[key]
		if len(group) == 0 {
			p.mu.Unlock()
			return nil
		}
		b := group[len(group)-1]
		p.groups[key] = group[:len(group)-1]
		p.idle--
		p.mu.Unlock()
		if window.Alive(b.conn) {
			return b
		}
		b.close()
	}
}

// give keeps b, on which nothing is owed, for the next session.
func (p *pool) give(key poolKey, b *backend) {
	p.mu.Lock()
	keep := !p.closed && time.Since(b.born) < maxAge && len(p.groups[key]) < maxIdlePerKey && p.idle < maxIdle
	if keep {
		b.idleSince = time.Now()
		p.groups[key] = append(p.groups[key], b)
		p.idle++
	}
	p.mu.Unlock()
	if !keep {
		b.close()
	}
}

// closeWhere closes the idle backends that match and forgets groups without any.
func (p *pool) closeWhere(match func(poolKey, *backend) bool) {
	p.mu.Lock()
	var closing []*backend
	for key, group := range p.groups {
		p.groups[key] = slices.DeleteFunc(group, func(b *backend) bool {
			if !match(key, b) {
				return false
			}
			closing = append(closing, b)
			return true
		})
		if len(p.groups[key]) == 0 {
			delete(p.groups, key)
		}
	}
	p.idle -= len(closing)
	p.mu.Unlock()
	for _, b := range closing {
		b.close()
	}
}

// forget closes a workspace's warm backends.
func (p *pool) forget(workspaceID int64) {
	p.closeWhere(func(k poolKey, _ *backend) bool { return k.workspaceID == workspaceID })
}

// retire closes what is old or was idle too long.
func (p *pool) retire(now time.Time) {
	p.closeWhere(func(_ poolKey, b *backend) bool {
		return now.Sub(b.born) > maxAge || now.Sub(b.idleSince) > maxIdleTime
	})
}

// close closes every warm backend.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.closeWhere(func(poolKey, *backend) bool { return true })
}
