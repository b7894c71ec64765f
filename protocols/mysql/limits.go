package mysql

import (
	"context"
	"fmt"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// defaultKillGrace is how long a statement may ignore KILL QUERY before its
// session is ended.
const defaultKillGrace = 10 * time.Second

// Deadline is when the command at hand must end.
func (r *relay) Deadline() int64 { return r.deadline.Load() }

// Expire ends the command at hand, whose time is up.
func (r *relay) Expire(now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.track.deadline; d == 0 || now < d || !r.track.owed || r.track.stop != running || r.ended {
		return
	}
	limit := r.live.QueryTimeout()
	r.track.deadline = 0
	r.deadline.Store(0)
	if limit == 0 {
		return // the limit was lifted since the statement began
	}
	r.track.stop = timedOut
	r.enforce(timeoutFailure(r.live, limit), limit)
}

// enforce starts to kill the statement at hand; f is what the client hears if
// the backend does not obey. The caller holds the lock under which it set
// track.stop, so that the command's end can't slip between.
func (r *relay) enforce(f *failure, timeout time.Duration) {
	r.track.unkilled = false
	r.enforcing = window.Enforce(timeout, r.protocol.config.KillGrace,
		func() { r.killBackend("KILL QUERY") }, func() { r.abort(f) })
}

// endEnforcement ends the enforcement under way, if any, and waits until no
// KILL is on its way: a late one would hit the next statement.
func (r *relay) endEnforcement() {
	r.mu.Lock()
	e := r.enforcing
	r.mu.Unlock()
	if e != nil {
		e.End()
	}
	r.mu.Lock()
	r.track.unkilled = true
	r.mu.Unlock()
}

// abort ends the session and its connection at the server, which ignores
// KILL QUERY.
func (r *relay) abort(f *failure) {
	r.mu.Lock()
	r.life.End(f) // before the server closes the connection, maybe at once
	r.track.lost = true
	r.mu.Unlock()
	r.killBackend("KILL CONNECTION")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.life.Interrupt()
}

// killTimeout bounds one KILL.
const killTimeout = 5 * time.Second

// killBackend sends a KILL for the session's backend. A role may kill its own.
func (r *relay) killBackend(statement string) {
	b := r.claim()
	if b == nil {
		return
	}
	defer b.kills.Done()
	if err := r.protocol.kill(r.poolKey, r.route, fmt.Sprintf("%s %d", statement, b.id)); err != nil {
		r.log.Warn("statement can't be killed", "workspace", r.live.Name, "error", err)
	}
}

// kill runs statement on another connection of the session's role.
func (p *Protocol) kill(key poolKey, route workspace.Route, statement string) error {
	ctx, done := context.WithTimeout(context.Background(), killTimeout)
	defer done()
	b, err := p.take(ctx, key, route)
	if err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok {
		err = b.conn.SetDeadline(deadline)
	}
	if err == nil {
		err = b.exec(statement)
	}
	if err != nil && numberOf(err) == 0 {
		b.Close()
		return err
	}
	p.give(key, b)
	return err
}
