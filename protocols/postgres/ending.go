package postgres

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

// Leave lets the backend's direction finish with the last reply that is owed. A
// backend that can't be written may still have last words to read.
func (r *relay) Leave(err error) window.Patience {
	if _, failed := errors.AsType[*window.BackendWriteError](err); failed {
		r.track.lost = true // a part of a frame may have been written
		return window.ForLastWords
	}
	if r.track.owed.n == 0 || !window.IsGoodbye(err) || !r.track.finishes() {
		return window.NoLonger
	}
	return window.ForReplies
}

// Dispose gives the backend back or closes it.
func (r *relay) Dispose() {
	r.protocol.wheel.Remove(r)
	r.stopClock()
	r.endEnforcement()
	r.forget()
	r.mu.Lock()
	r.ended = true
	reusable := r.track.reusable() && !r.life.IsCut() && len(r.fromBackend.Bytes()) == 0
	status := r.track.status
	r.mu.Unlock()
	r.fromFrontend.Release()
	r.fromBackend.Release()
	if reusable && r.back.conn.SetDeadline(time.Time{}) == nil {
		r.protocol.give(r.poolKey, r.back, status)
	} else {
		r.back.Close()
	}
}

// stopClock keeps the wheel from ending a statement of a session that ended.
func (r *relay) stopClock() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.track.deadline = 0
}

// LastWords tells the client why the session ends.
func (r *relay) LastWords(cause error) {
	var f *failure
	if errors.Is(cause, window.ErrBackendGone) {
		f = fatal(codeConnectionFailure, "the database of %s %q closed the connection", r.live.Kind(), r.live.Name)
	} else if !errors.As(cause, &f) {
		return
	}
	if r.track.backPass > 0 && !r.track.swallow {
		return // within a frame nothing can be said
	}
	// The client may be gone, which is why we say goodbye.
	_ = r.tell(f)
}
