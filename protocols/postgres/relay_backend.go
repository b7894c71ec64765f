package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jackc/pgproto3/v2"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// PumpBackend relays what the server sends.
func (r *relay) PumpBackend(ctx context.Context) error {
	for {
		if err := r.fromBackend.Fill(r.back.conn); err != nil {
			return r.backendEnded(err)
		}
		if err := r.forwardBackend(ctx); err != nil {
			return err
		}
	}
}

// backendEnded tells our own interruption from the backend's end.
func (r *relay) backendEnded(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if r.track.last == 'E' {
		// The server said why; nothing is to be added.
		return io.EOF
	}
	r.track.lost = true
	return window.ErrBackendGone
}

// forwardBackend passes on what the window holds, but for an incomplete frame
// at its end that has to be seen whole.
func (r *relay) forwardBackend(ctx context.Context) error {
	for {
		b := r.fromBackend.Bytes()
		now := r.protocol.wheel.Now()
		timeout, maxRows := r.live.QueryTimeout(), r.live.MaxRows()
		s, err := r.scanBackend(b, maxRows, now, timeout)
		if s.pass > 0 {
			r.out.Add(int64(s.pass))
			if _, err := r.front.Write(b[:s.pass]); err != nil {
				return fmt.Errorf("write frontend: %w", err)
			}
			r.fromBackend.Discard(s.pass)
		}
		if err != nil {
			return fmt.Errorf("backend: %w", err)
		}
		switch s.act {
		case more:
			if s.need > 0 {
				if err := r.fromBackend.Hold(s.need, maxInspected); err != nil {
					return fmt.Errorf("hold backend frame: %w", err)
				}
			}
			return r.atBoundary()
		case record:
			r.record(ctx)
		case renew:
			r.renew()
		case awaitReady:
			r.endEnforcement()
		case limitRows:
			f := rowsFailure(r.live, maxRows)
			r.mu.Lock()
			r.enforce(f.as("FATAL"), 0)
			r.mu.Unlock()
			if err := r.tell(f); err != nil {
				return err
			}
			r.drop(s.size)
		case rewrite:
			if err := r.tell(r.timeoutTold()); err != nil {
				return err
			}
			r.drop(s.size)
		case bare:
			body := r.fromBackend.Bytes()[headerLen:s.size]
			if _, err := r.front.Write(encode(nil, bareError(body))); err != nil {
				return fmt.Errorf("write frontend: %w", err)
			}
			r.drop(s.size)
		case retag:
			if _, err := r.front.Write(encode(nil, &pgproto3.CommandComplete{CommandTag: []byte(s.text)})); err != nil {
				return fmt.Errorf("write frontend: %w", err)
			}
			r.drop(s.size)
		case swallowed:
			r.drop(s.size)
		}
	}
}

// scanBackend is track's, under the lock.
func (r *relay) scanBackend(b []byte, maxRows, now int64, timeout time.Duration) (step, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.track.scanBackend(b, maxRows, now, timeout)
	r.deadline.Store(r.track.deadline)
	if r.track.obeyed && r.enforcing != nil {
		r.enforcing.Obeyed()
	}
	r.life.Wake()
	return s, err
}

// atBoundary ends the backend's direction where nothing is owed and the
// session is to end.
func (r *relay) atBoundary() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.life.Ending() && r.track.owed.n == 0 || r.life.Left() && !r.track.finishes() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// drop takes n bytes of a frame out of the stream.
func (r *relay) drop(n int) {
	r.fromBackend.Discard(n)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.track.dropped(n)
}

// tell sends the client a message of ours, at a frame's edge.
func (r *relay) tell(f *failure) error {
	if _, err := r.front.Write(f.append(nil)); err != nil {
		return fmt.Errorf("write frontend: %w", err)
	}
	return nil
}

// timeoutTold is the timeout in our words, in place of the server's.
func (r *relay) timeoutTold() *failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	var limit time.Duration
	if r.enforcing != nil {
		limit = r.enforcing.Timeout
	}
	return timeoutFailure("ERROR", r.live, limit)
}

// record moves the committed schema change into the deploy queue before its
// acknowledgement passes. Where that fails the change is durable in the
// workspace's own journal, from which the next Record takes it.
func (r *relay) record(ctx context.Context) {
	if err := r.protocol.config.Recorder.Record(ctx, r.live.ID); err != nil {
		r.log.Warn("schema change not yet in the deploy queue", "workspace", r.live.Name, "error", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.track.settled = true
}

// renew lets the next sessions start with what ALTER ROLE or ALTER DATABASE
// has set, which no reset of a warm backend gives them.
func (r *relay) renew() {
	r.protocol.pool.Forget(r.live.ID)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.track.defaults = false
}
