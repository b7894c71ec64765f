package postgres

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// relay is both directions of a ready session, each with its own window; its
// life says how they begin and end. What both change is under mu, which is never
// held across I/O.
type relay struct {
	protocol *Protocol
	route    workspace.Route
	live     *workspace.Live
	guard    guard
	front    *tls.Conn
	back     *backend
	poolKey  poolKey
	key      cancelKey
	forget   func() // forgets key
	log      *slog.Logger

	fromFrontend window.Window
	fromBackend  window.Window
	in, out      atomic.Int64

	// deadline mirrors track.deadline for the wheel, which looks at every
	// session and locks only those that are late.
	deadline atomic.Int64

	mu        sync.Mutex
	life      window.Life
	track     track
	enforcing *window.Enforcement
	ended     bool // the backend is no longer ours to cancel
}

// Traffic is the bytes relayed so far.
func (r *relay) Traffic() (in, out int64) { return r.in.Load(), r.out.Load() }

// Run relays until either side ends or Stop took effect.
func (r *relay) Run(ctx context.Context) error {
	r.protocol.wheel.Add(r)
	return r.life.Run(ctx, r)
}

// Stop makes Run end.
func (r *relay) Stop(reason protocols.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	why := reasonFailure(reason, r.live)
	if reason == protocols.Draining {
		r.life.Drain(why, r.track.idle())
		return
	}
	r.life.Cut(why)
}
