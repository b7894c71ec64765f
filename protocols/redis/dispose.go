package redis

import (
	"errors"
	"io"
	"time"

	"github.com/tenantsdb/tenantsdb/protocols"
)

// lose keeps the backend from other sessions.
func (r *relay) lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = true
}

// unblockWrite makes a write to a backend that no longer reads return: with
// nobody to read its replies it never would.
func (r *relay) unblockWrite() { _ = r.back.conn.SetWriteDeadline(past) }

// dispose gives the backend back or closes it, and says what ended the relay.
func (r *relay) dispose() error {
	aimed := r.space.redirects.leave(r)
	r.mu.Lock()
	t := &r.track
	reusable := r.owed.n == 0 && !r.replies.v.within() && len(r.fromBackend.Bytes()) == 0 &&
		!t.within && !t.lasting && !aimed && !r.lost && (r.stopped == 0 || r.stopped == protocols.Draining)
	cause := r.cause
	if r.stopped != 0 && !isGoodbye(cause) {
		cause = reasonFailure(r.stopped, r.live)
	}
	r.back.last, r.back.lasts = r.takeLate()
	r.mu.Unlock()
	t.tx.settle()
	r.fromFrontend.Release()
	r.fromBackend.Release()
	r.replies.heard.leave(r.space)
	if reusable && !errors.Is(cause, errBackendGone) && r.back.conn.SetDeadline(time.Time{}) == nil {
		r.protocol.give(r.route, r.back, t.multi)
		return cause
	}
	r.settleClaims()
	r.back.Close()
	return cause
}

// settleClaims settles what max_keys counts for commands whose replies did not
// come. The server may still run what it was sent, until it says that it saw
// the end of it.
func (r *relay) settleClaims() {
	var claims []*claim
	for r.owed.len > 0 {
		if done, last := r.owed.settle(); last && done.claim != nil {
			claims = append(claims, done.claim)
		}
	}
	if len(claims) == 0 {
		return
	}
	if c, ok := r.back.conn.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
		// Whether or not it does so in time, there is nothing left to wait for.
		_ = r.back.conn.SetReadDeadline(time.Now().Add(lastWordsTimeout))
		_, _ = io.Copy(io.Discard, r.back.conn)
	}
	for _, c := range claims {
		c.settle()
	}
}

// lastWords tells the client why the session ends, where it can still hear it.
func (r *relay) lastWords(cause error) {
	var f failure
	bad, isBad := errors.AsType[protocolError](cause)
	switch {
	case isBad:
		f = failure("-ERR " + bad.Error())
	case errors.Is(cause, errBackendGone), errors.Is(cause, errReply), errors.Is(cause, errUnowed):
		f = unreachable(r.live)
	case !errors.As(cause, &f) || r.stopped == protocols.Draining || r.stopped == protocols.Cut:
		return // a client that waits for no reply takes none
	}
	if r.replies.v.within() {
		return // within a reply nothing can be said
	}
	_ = r.front.SetWriteDeadline(time.Now().Add(lastWordsTimeout))
	// The client may be gone, which is why we say goodbye.
	_ = say(r.front, f)
}
