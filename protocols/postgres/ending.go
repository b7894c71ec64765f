package postgres

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/tenantsdb/tenantsdb/protocols"
)

// lastWordsTimeout bounds the last message to a client, and the wait for a
// backend's last words after it stopped reading.
const lastWordsTimeout = 2 * time.Second

// Stop makes Run end.
func (r *relay) Stop(reason protocols.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped != 0 && r.stopped != protocols.Draining {
		return
	}
	r.stopped = reason
	if reason == protocols.Draining && !r.track.idle() {
		return // atBoundary ends it
	}
	r.interrupt()
}

// interrupt makes both directions return from what they wait for.
func (r *relay) interrupt() {
	r.unblockFrontend()
	r.unblockWrite()
	_ = r.back.conn.SetReadDeadline(past)
	_ = r.front.SetWriteDeadline(time.Now().Add(lastWordsTimeout))
}

// past is a deadline that makes a blocked read return.
var past = time.Unix(1, 0)

func (r *relay) unblockFrontend() {
	// A socket that can't take a deadline is closed already.
	_ = r.front.SetReadDeadline(past)
}

// unblockWrite makes a write to a backend that no longer reads return: with
// nobody to read its replies it never would.
func (r *relay) unblockWrite() { _ = r.back.conn.SetWriteDeadline(past) }

// stopClock keeps the wheel from ending a statement of a session that ended.
func (r *relay) stopClock() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.track.deadline = 0
}

// leave lets the backend's direction finish: at once where nothing is owed,
// else with the last reply. A backend that can't be written may still have
// last words to read.
func (r *relay) leave(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaving = true
	if _, failed := errors.AsType[*backendWriteError](err); failed {
		r.track.lost = true // a part of a frame may have been written
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			_ = r.back.conn.SetReadDeadline(time.Now().Add(lastWordsTimeout))
		}
		return
	}
	if r.track.owed.n == 0 || !isGoodbye(err) || !r.track.finishes() {
		_ = r.back.conn.SetReadDeadline(past)
	}
}

// isGoodbye says whether the frontend ended in a way after which replies owed
// are still worth sending.
func isGoodbye(err error) bool { return errors.Is(err, errGoodbye) || errors.Is(err, io.EOF) }

// dispose gives the backend back or closes it, and says what ended the relay.
func (r *relay) dispose() error {
	r.forget()
	r.mu.Lock()
	r.ended = true
	reusable := r.track.reusable() && (r.stopped == 0 || r.stopped == protocols.Draining) && len(r.fromBackend.Bytes()) == 0
	status := r.track.status
	cause := r.cause
	if r.stopped != 0 && !isGoodbye(cause) {
		cause = reasonFailure(r.stopped, r.live)
	}
	r.mu.Unlock()
	r.fromFrontend.Release()
	r.fromBackend.Release()
	if reusable && r.back.conn.SetDeadline(time.Time{}) == nil {
		r.protocol.give(r.poolKey, r.back, status)
	} else {
		r.back.Close()
	}
	return cause
}

// lastWords tells the client why the session ends, where it can still hear it.
func (r *relay) lastWords(cause error) {
	var f *failure
	if errors.Is(cause, errBackendGone) {
		f = fatal(codeConnectionFailure, "the database of workspace %q closed the connection", r.live.Name)
	} else if !errors.As(cause, &f) {
		return
	}
	if r.track.backPass > 0 && !r.track.swallow {
		return // within a frame nothing can be said
	}
	_ = r.front.SetWriteDeadline(time.Now().Add(lastWordsTimeout))
	// The client may be gone, which is why we say goodbye.
	_ = r.tell(f)
}
