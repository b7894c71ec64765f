package mysql

import (
	"errors"
	"time"

	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// Lose keeps the backend from other sessions.
func (r *relay) Lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.track.lost = true
}

// Leave lets the backend's direction finish with the reply at hand. A backend that
// can't be written may still have last words to read.
func (r *relay) Leave(err error) window.Patience {
	if _, failed := errors.AsType[*window.BackendWriteError](err); failed {
		r.track.lost = true // a part of a packet may have been written
		return window.ForLastWords
	}
	if !r.track.owed || !window.IsGoodbye(err) || !r.track.finishes() {
		return window.NoLonger
	}
	return window.ForReplies
}

// Dispose gives the backend back or closes it.
func (r *relay) Dispose() {
	r.protocol.wheel.Remove(r)
	r.stopClock()
	r.endEnforcement()
	defer r.protocol.sessions.forget(r.id) // what is found there has its backend, or ended
	r.mu.Lock()
	r.ended = true
	r.track.letGo()
	reusable := r.track.reusable() && !r.life.IsCut() && len(r.fromBackend.Bytes()) == 0
	r.mu.Unlock()
	r.fromFrontend.Release()
	r.fromBackend.Release()
	if reusable && r.back.conn.SetDeadline(time.Time{}) == nil {
		r.protocol.give(r.poolKey, r.back)
	} else {
		r.back.Close()
	}
}

// stopClock keeps the wheel from ending a command of a session that ended.
func (r *relay) stopClock() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.track.deadline = 0
}

// LastWords tells the client why the session ends, where it can still hear it. One
// that waits for nothing is not told of a backend that is gone: as from servers, the
// end alone has it connect and ask again, where an error would be taken for that of
// its next statement.
func (r *relay) LastWords(cause error) {
	f, ok := errors.AsType[*failure](cause)
	if errors.Is(cause, window.ErrBackendGone) && r.track.owed {
		f, ok = failf(numberLost, stateConnection, "Lost connection to the database of %s %q", r.live.Kind(), r.live.Name), true
	}
	within := r.track.backPass > 0 && !r.track.swallow || r.track.backMore && !r.track.swallow
	if !ok || within { // within a packet nothing can be said
		return
	}
	sequence := byte(1) // what a client expects behind its next command
	if r.track.owed && r.track.phase != phaseFirst && !r.track.told {
		sequence = r.track.sequence + 1
	}
	// The client may be gone, which is why we say goodbye.
	_ = r.tell(f, sequence)
}
