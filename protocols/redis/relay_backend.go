package redis

import (
	"context"
	"errors"
	"fmt"
	"os"

	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// PumpBackend relays what the server sends.
func (r *relay) PumpBackend(context.Context) error {
	for {
		if err := r.fromBackend.Fill(r.back.conn); err != nil && !r.isRoused(err) {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return err
			}
			return window.ErrBackendGone
		}
		if err := r.forwardBackend(); err != nil {
			return err
		}
	}
}

// forwardBackend passes on what the window holds, but for the beginning of a
// reply at its end that has to be seen further.
func (r *relay) forwardBackend() error {
	b := r.fromBackend.Bytes()
	pos, need, limit, err := r.replied(b)
	n := pos - r.replies.from + len(r.replies.out)
	if err := r.replies.write(r.front, b, pos); err != nil {
		return fmt.Errorf("write frontend: %w", err)
	}
	r.out.Add(int64(n))
	r.fromBackend.Discard(pos)
	r.replies.from = 0
	if err != nil {
		return fmt.Errorf("backend: %w", err)
	}
	if err := hold(&r.fromBackend, need, limit); err != nil {
		return fmt.Errorf("hold reply: %w", err)
	}
	return r.atBoundary()
}

// replied is scanBackend for the relay's state, which both directions change.
func (r *relay) replied(b []byte) (pos, need, limit int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.life.Wake()
	return r.scanBackend(b)
}

// atBoundary ends the backend's direction where nothing is owed and the session
// is to end.
func (r *relay) atBoundary() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.life.Ending() && r.owed.n == 0 && !r.replies.v.within() {
		return os.ErrDeadlineExceeded
	}
	return nil
}
