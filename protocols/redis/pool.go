package redis

import (
	"context"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// poolKey is what backends must share to stand in for each other.
type poolKey struct {
	workspaceID int64
	role        string
}

// Workspace is whose backends they are.
func (k poolKey) Workspace() int64 { return k.workspaceID }

type pool = window.Pool[poolKey, *backend]

func keyOf(route workspace.Route) poolKey { return poolKey{route.Live.ID, route.Role} }

// take gives a warm backend, or dials.
func (p *Protocol) take(ctx context.Context, route workspace.Route) (*backend, error) {
	return p.pool.Take(ctx, keyOf(route), func(ctx context.Context) (*backend, error) { return p.dial(ctx, route) })
}

// give keeps b for the next session; multi says that it is within MULTI.
func (p *Protocol) give(route workspace.Route, b *backend, multi bool) {
	p.pool.Give(keyOf(route), b, func() error { return b.reset(multi) })
}
