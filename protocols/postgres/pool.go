package postgres

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// poolKey is what backends must share to stand in for each other: the
// workspace, and the startup parameters, which are the session's defaults and
// so survive DISCARD ALL.
type poolKey struct {
	workspaceID int64
	params      string
}

// Workspace is whose backends they are.
func (k poolKey) Workspace() int64 { return k.workspaceID }

type pool = window.Pool[poolKey, *backend]

func keyOf(route workspace.Route, params map[string]string) poolKey {
	names := make([]string, 0, len(params))
	for name := range params {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString(route.Role)
	for _, name := range names {
		b.WriteByte(0)
		b.WriteString(strconv.Quote(name))
		b.WriteString(strconv.Quote(params[name]))
	}
	return poolKey{workspaceID: route.Live.ID, params: b.String()}
}

// take gives a warm backend of the key, or dials.
func (s *session) take(ctx context.Context, key poolKey) (*backend, error) {
	return s.protocol.pool.Take(ctx, key, func(ctx context.Context) (*backend, error) {
		return dial(ctx, s.route, s.startup.params)
	})
}

// give keeps b, whose transaction status is that, for the next session.
func (p *Protocol) give(key poolKey, b *backend, status byte) {
	p.pool.Give(key, b, func() error { return b.reset(status) })
}

// isFull says whether the server refused a connection for want of a slot.
func isFull(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == codeTooManyConnections
}
