package redis

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// relay is both directions of a ready session, each with its own window and
// state; its life says how they begin and end. What both change is under mu,
// which is never held across I/O.
type relay struct {
	protocol *Protocol
	route    workspace.Route
	live     *workspace.Live
	space    *space
	channels channels
	front    *tls.Conn
	rest     []byte // read in the handshake and not understood there
	back     *backend
	log      *slog.Logger
	since    time.Time // when the session began

	fromFrontend window.Window
	fromBackend  window.Window
	in, out      atomic.Int64
	track        track   // of the frontend's direction
	again        again   // as track
	replies      replies // of the backend's direction

	isLate atomic.Bool // late has any
	aim    aim

	mu    sync.Mutex
	life  window.Life
	owed  owedQueue
	lost  bool    // nobody knows what the backend was told
	late  []*move // lists that are to get their expiry
	woken bool    // a read of the frontend was ended for them
	told  told
}

// Traffic is the bytes relayed so far.
func (r *relay) Traffic() (in, out int64) { return r.in.Load(), r.out.Load() }

// Run relays until either side ends or Stop took effect.
func (r *relay) Run(ctx context.Context) error {
	r.space.redirects.enter(r)
	return r.life.Run(ctx, r)
}

// Stop makes Run end.
func (r *relay) Stop(reason protocols.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	why := reasonFailure(reason, r.live)
	if reason == protocols.Draining {
		r.life.Drain(why, r.owed.n == 0)
		return
	}
	r.life.Cut(why)
}

// stopping says whether Stop has made both directions return, for who holds mu:
// one that drains waits for the replies that are owed.
func (r *relay) stopping() bool {
	return r.life.IsCut() || r.life.Draining() && r.owed.n == 0
}

// hold makes room for more than w has, where it has the beginning of something:
// for need bytes where that is known, and else for twice as many.
func hold(w *window.Window, need, limit int) error {
	have := len(w.Bytes())
	if have == 0 {
		return nil
	}
	return w.Hold(max(need, min(2*have, limit), have+1), limit)
}
