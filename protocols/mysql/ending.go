package mysql

import (
	"crypto/tls"
	"errors"
	"time"

	"github.com/tenantsdb/tenantsdb/protocols"
)

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

// dispose gives the backend back or closes it, and says what ended the relay.
func (r *relay) dispose() error {
	defer r.protocol.sessions.forget(r.id) // what is found there has its backend, or ended
	r.mu.Lock()
	r.ended = true
	r.track.letGo()
	reusable := r.track.reusable() && (r.stopped == 0 || r.stopped == protocols.Draining) && len(r.fromBackend.Bytes()) == 0
	cause := r.cause
	if r.stopped != 0 && !isGoodbye(cause) {
		cause = reasonFailure(r.stopped, r.live)
	}
	r.mu.Unlock()
	r.fromFrontend.Release()
	r.fromBackend.Release()
	if reusable && r.back.conn.SetDeadline(time.Time{}) == nil {
		r.protocol.give(r.poolKey, r.back)
	} else {
		r.back.Close()
	}
	return cause
}

// lastWords tells the client why the session ends, where it can still hear it. One
// that waits for nothing is not told of a backend that is gone: as from servers, the
// end alone has it connect and ask again, where an error would be taken for that of
// its next statement.
func (r *relay) lastWords(cause error) {
	if isGoodbye(cause) {
		return
	}
	f, ok := errors.AsType[*failure](cause)
	if errors.Is(cause, errBackendGone) && r.track.owed {
		f, ok = failf(numberLost, stateConnection, "Lost connection to the database of workspace %q", r.live.Name), true
	}
	_ = r.front.SetWriteDeadline(time.Now().Add(lastWordsTimeout))
	within := r.track.backPass > 0 && !r.track.swallow || r.track.backMore && !r.track.swallow
	if ok && !within { // within a packet nothing can be said
		sequence := byte(1) // what a client expects behind its next command
		if r.track.owed && r.track.phase != phaseFirst && !r.track.told {
			sequence = r.track.sequence + 1
		}
		// The client may be gone, which is why we say goodbye.
		_ = r.tell(f, sequence)
	}
	announceEnd(r.front)
}

// announceEnd sends TLS's close_notify: to OpenSSL an end without it is an error of
// its own, after which clients do not connect anew. Behind a record that was not
// written whole it would be one that can't be read.
func announceEnd(conn *tls.Conn) {
	if _, err := conn.Write(nil); err == nil { // all before was written
		_ = conn.CloseWrite()
	}
}
