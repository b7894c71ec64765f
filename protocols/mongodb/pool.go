package mongodb

import (
	"context"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// poolKey is what backends must share to stand in for each other.
type poolKey struct {
	workspaceID int64
	role        string
	reads       bool   // where the server has no users, of which role tells
	addr        string // another one is another server: a primary may change
}

// Workspace is whose backends they are.
func (k poolKey) Workspace() int64 { return k.workspaceID }

type pool = window.Pool[poolKey, *backend]

func keyOf(route workspace.Route) poolKey {
	return poolKey{route.Live.ID, route.Role, route.Reads(), route.Address.Addr}
}

// take gives a warm backend, or dials.
func (p *Protocol) take(ctx context.Context, route workspace.Route) (*backend, error) {
	return p.pool.Take(ctx, keyOf(route), func(ctx context.Context) (*backend, error) { return p.dial(ctx, route) })
}

// give keeps b, on which nothing is owed and which nothing has changed, for the
// next session.
func (p *Protocol) give(route workspace.Route, b *backend) { p.pool.Give(keyOf(route), b, nil) }
