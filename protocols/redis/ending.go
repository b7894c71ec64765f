package redis

import (
	"errors"
	"io"
	"time"

	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// Lose keeps the backend from other sessions.
func (r *relay) Lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = true
}

// Leave lets the backend's direction finish with the last reply that is owed. A
// client that said goodbye waits for it; of one that just left nobody knows
// whether it still reads.
func (r *relay) Leave(err error) window.Patience {
	bad, _ := errors.AsType[protocolError](err)
	switch {
	case r.owed.n == 0 && !r.replies.v.within():
		return window.NoLonger
	case errors.Is(err, window.ErrGoodbye):
		if r.told.roused && !r.life.Draining() && !r.life.IsCut() {
			_ = r.back.conn.SetReadDeadline(time.Time{})
		}
		return window.ForReplies
	case errors.Is(err, io.EOF) && !r.track.waits, bad != "":
		return window.ForLastWords
	}
	return window.NoLonger
}

// Dispose gives the backend back or closes it.
func (r *relay) Dispose() {
	aimed := r.space.redirects.leave(r)
	r.mu.Lock()
	t := &r.track
	reusable := r.owed.n == 0 && !r.replies.v.within() && len(r.fromBackend.Bytes()) == 0 &&
		!t.within && !t.lasting && !aimed && !r.lost && !r.life.IsCut()
	cause := r.life.Cause()
	r.back.last, r.back.lasts = r.takeLate()
	r.mu.Unlock()
	t.tx.settle()
	r.fromFrontend.Release()
	r.fromBackend.Release()
	r.replies.heard.leave(r.space)
	if reusable && !errors.Is(cause, window.ErrBackendGone) && r.back.conn.SetDeadline(time.Time{}) == nil {
		r.protocol.give(r.route, r.back, t.multi)
		return
	}
	r.settleClaims()
	r.back.Close()
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
		_ = r.back.conn.SetReadDeadline(time.Now().Add(window.LastWordsTimeout))
		_, _ = io.Copy(io.Discard, r.back.conn)
	}
	for _, c := range claims {
		c.settle()
	}
}

// LastWords tells the client why the session ends.
func (r *relay) LastWords(cause error) {
	var f failure
	bad, isBad := errors.AsType[protocolError](cause)
	switch {
	case isBad:
		f = failure("-ERR " + bad.Error())
	case errors.Is(cause, window.ErrBackendGone), errors.Is(cause, errReply), errors.Is(cause, errUnowed):
		f = unreachable(r.live)
	case !errors.As(cause, &f) || f == reasonFailure(protocols.Draining, r.live):
		return // a client that waits for no reply takes none
	}
	if r.replies.v.within() {
		return // within a reply nothing can be said
	}
	// The client may be gone, which is why we say goodbye.
	_ = say(r.front, f)
}
