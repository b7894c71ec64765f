package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

var (
	errGoodbye     = errors.New("client said goodbye")
	errBackendGone = errors.New("backend closed the connection")
)

// relay is both directions of a ready session. One goroutine reads the
// frontend and writes the backend, one the reverse; each has its own window.
// What both change is under mu, which is never held across I/O.
type relay struct {
	protocol *Protocol
	route    workspace.Route
	live     *workspace.Live
	tracked  bool // the workspace has a journal
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
	room      sync.Cond // fewer replies are owed, or the relay ends
	track     track
	enforcing *window.Enforcement
	stopped   protocols.Reason
	leaving   bool // the frontend is done: end when nothing is owed
	ended     bool // the backend is no longer ours to cancel
	cause     error
}

// Traffic is the bytes relayed so far.
func (r *relay) Traffic() (in, out int64) { return r.in.Load(), r.out.Load() }

// Run relays until either side ends or Stop took effect.
func (r *relay) Run(ctx context.Context) error {
	r.protocol.wheel.Add(r)
	backendDone := make(chan struct{})
	go func() {
		defer close(backendDone)
		r.end(window.Contain(func() error { return r.pumpBackend(ctx) }, r.lose))
		r.unblockFrontend()
		r.unblockWrite()
	}()
	err := window.Contain(r.pumpFrontend, r.lose)
	r.end(err)
	r.leave(err)
	<-backendDone
	r.protocol.wheel.Remove(r)
	r.stopClock()
	r.endEnforcement()
	cause := r.dispose()
	r.lastWords(cause)
	window.Release(cause)
	if errors.Is(cause, errGoodbye) || errors.Is(cause, io.EOF) {
		return nil
	}
	return cause
}

// lose keeps the backend from other sessions.
func (r *relay) lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.track.lost = true
}

// end keeps the first cause; what follows is its consequence.
func (r *relay) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cause == nil {
		r.cause = err
	}
	r.room.Broadcast()
}
