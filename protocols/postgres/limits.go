package postgres

import (
	"context"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// defaultCancelGrace is how long a statement may ignore cancel requests before
// its session is ended.
const defaultCancelGrace = 10 * time.Second

// Deadline is when the statement at hand must end.
func (r *relay) Deadline() int64 { return r.deadline.Load() }

// Expire ends the statement at hand, whose time is up.
func (r *relay) Expire(now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.track.deadline; d == 0 || now < d || r.track.stop != running || r.ended {
		return
	}
	limit := r.live.QueryTimeout()
	r.track.deadline = 0
	r.deadline.Store(0)
	if limit == 0 {
		return // the limit was lifted since the statement began
	}
	r.track.stop = timedOut
	r.enforce(timeoutFailure("FATAL", r.live, limit), limit)
}

// enforce starts to cancel the statement at hand; f is what the client hears
// if the backend does not obey. The caller holds the lock under which it set
// track.stop, so that the statement's end can't slip between.
func (r *relay) enforce(f *failure, timeout time.Duration) {
	r.enforcing = window.Enforce(timeout, r.protocol.config.CancelGrace,
		func() { r.cancelBackend(context.Background()) }, func() { r.abort(f) })
}

// endEnforcement ends the enforcement under way, if any, and waits until no
// cancel request is on its way: a late one would hit the next statement.
func (r *relay) endEnforcement() {
	r.mu.Lock()
	e := r.enforcing
	r.enforcing = nil
	r.mu.Unlock()
	if e != nil {
		e.End()
	}
	r.mu.Lock()
	r.track.stop = running
	r.mu.Unlock()
}

// abort ends the session and its server process, which ignores cancel
// requests.
func (r *relay) abort(f *failure) {
	r.mu.Lock()
	r.life.End(f)
	r.track.lost = true
	r.life.Interrupt()
	r.mu.Unlock()
	if err := r.protocol.terminate(r.route, r.back.pid); err != nil {
		r.log.Warn("statement ignores its end", "workspace", r.live.Name, "error", err)
	}
}

// terminate ends a server process of route's role. A role may end its own.
func (p *Protocol) terminate(route workspace.Route, pid uint32) error {
	ctx, done := context.WithTimeout(context.Background(), cancelTimeout)
	defer done()
	b, err := dial(ctx, route, nil)
	if err != nil {
		return err
	}
	defer b.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := b.conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	return b.exec(terminateQuery(pid))
}

// cancelBackend sends a cancel request to the session's backend.
func (r *relay) cancelBackend(ctx context.Context) {
	r.mu.Lock()
	if r.ended {
		r.mu.Unlock()
		return
	}
	r.back.cancels.Add(1)
	r.mu.Unlock()
	defer r.back.cancels.Done()
	if err := sendCancel(ctx, r.back); err != nil {
		r.log.Warn("cancel request failed", "workspace", r.live.Name, "error", err)
	}
}
