package mysql

import (
	"context"
	"errors"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// poolKey is what backends must share to stand in for each other: the
// workspace, its role, and what can't be changed after the login.
type poolKey struct {
	workspaceID  int64
	role         string
	capabilities capabilities
	charset      byte
	nowhere      bool // they have no default database
}

// Workspace is whose backends they are.
func (k poolKey) Workspace() int64 { return k.workspaceID }

type pool = window.Pool[poolKey, *backend]

// take gives a warm backend of the key, or dials.
func (p *Protocol) take(ctx context.Context, key poolKey, route workspace.Route) (*backend, error) {
	return p.pool.Take(ctx, key, func(ctx context.Context) (*backend, error) { return dial(ctx, key, route) })
}

// open is take for a session: it puts back a role that was lost, and remembers
// what a server lacks.
func (p *Protocol) open(ctx context.Context, key poolKey, route workspace.Route) (*backend, error) {
	b, err := p.take(ctx, key, route)
	if refusedPassword(err) {
		if err = p.config.Restorer.RestoreRole(ctx, key.workspaceID); err == nil {
			b, err = p.take(ctx, key, route)
		}
	}
	if missing, ok := errors.AsType[*missingError](err); ok {
		p.lacks(missing.capabilities)
	}
	return b, err
}

// give keeps b for the next session.
func (p *Protocol) give(key poolKey, b *backend) { p.pool.Give(key, b, b.reset) }
