package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

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
	r.track.lost = true
	if r.track.erred {
		// The server said why; nothing is to be added.
		return io.EOF
	}
	return window.ErrBackendGone
}

// forwardBackend passes on what the window holds, but for an incomplete packet
// at its end whose head has to be seen.
func (r *relay) forwardBackend(ctx context.Context) error {
	for {
		b := r.fromBackend.Bytes()
		maxRows := r.live.MaxRows()
		s, err := r.scanBackend(b, maxRows)
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
				if err := r.fromBackend.Hold(s.need, headerLen+maxHead); err != nil {
					return fmt.Errorf("hold backend packet: %w", err)
				}
			}
			return r.atBoundary()
		case record:
			r.record(ctx)
		case awaitQuiet:
			r.endEnforcement()
		case limitRows:
			f := rowsFailure(r.live, maxRows)
			r.mu.Lock()
			r.enforce(f, 0)
			r.mu.Unlock()
			if err := r.replace(f, s); err != nil {
				return err
			}
		case rewrite:
			if err := r.replace(r.timeoutTold(), s); err != nil {
				return err
			}
		case refuseFile, withoutFile:
			if err := r.sendNoFile(s); err != nil {
				return err
			}
		case swallowed:
			r.drop(s.size)
		}
	}
}

// scanBackend is track's, under the lock.
func (r *relay) scanBackend(b []byte, maxRows int64) (step, error) {
	now, timeout := r.protocol.wheel.Now(), r.live.QueryTimeout()
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.track.scanBackend(b, maxRows, now, timeout)
	r.deadline.Store(r.track.deadline)
	if !r.track.owed {
		r.life.Wake()
	}
	return s, err
}

// atBoundary ends the backend's direction where nothing is owed and the
// session is to end.
func (r *relay) atBoundary() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.life.Ending() && !r.track.owed || r.life.Left() && !r.track.finishes() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// replace puts f in the place of the packet that s is about.
func (r *relay) replace(f *failure, s step) error {
	if err := r.tell(f, s.sequence); err != nil {
		return err
	}
	r.drop(s.size)
	return nil
}

// drop takes n bytes of a packet out of the stream.
func (r *relay) drop(n int) {
	r.fromBackend.Discard(n)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.track.dropBack(n)
}

// timeoutTold is the timeout in our words, in place of the server's.
func (r *relay) timeoutTold() *failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	var limit time.Duration
	if r.enforcing != nil {
		limit = r.enforcing.Timeout
	}
	return timeoutFailure(r.live, limit)
}

// record moves the schema change into the deploy queue before the end of its
// reply passes. Where that fails the change is durable in the server's binary
// log, from which the next Record takes it.
func (r *relay) record(ctx context.Context) {
	if err := r.protocol.config.Recorder.Record(ctx, r.live.ID); err != nil {
		r.log.Warn("schema change not yet in the deploy queue", "workspace", r.live.Name, "error", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.track.recorded = true
}
