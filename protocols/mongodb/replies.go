package mongodb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// await passes on the server's replies: one, or as many as it says will come.
func (r *relay) await(q *request, x *exchange) error {
	responseTo := q.requestID
	r.slow.Store(r.protocol.wheel.Now() + int64(slowAfter))
	for {
		h, flags, err := r.replyHead(responseTo)
		if err != nil {
			return err
		}
		if h.opcode != opMsg || h.responseTo != responseTo {
			return &backendError{errReply}
		}
		r.deadline.Store(0) // the server has answered
		if err := r.pass(q, x, h); err != nil {
			return err
		}
		if flags&flagMoreToCome == 0 || x.over {
			return nil
		}
		responseTo = h.requestID
	}
}

// replyHead reads the reply to a message up to its flags.
func (r *relay) replyHead(to int32) (h header, flags uint32, err error) {
	for {
		b := r.fromBackend.Bytes()
		if h, err = readHeader(b, maxReply); err == nil && len(b) >= headerSize+4 {
			return h, binary.LittleEndian.Uint32(b[headerSize:]), nil
		}
		if err != nil && !errors.Is(err, errShort) {
			return h, 0, &backendError{r.notAReply(b, to)}
		}
		if err := r.fillBackend(); err != nil {
			return h, 0, err
		}
	}
}

// notAReply is what is wrong with the head of a reply. One that is good but for
// its length is an error that the client can do something about.
func (r *relay) notAReply(b []byte, to int32) error {
	if h, err := readHeader(b, math.MaxInt32); err == nil && h.opcode == opMsg && h.responseTo == to {
		return replyTooLarge(r.live, h.length)
	}
	return errReply
}

func (r *relay) fillBackend() error {
	if err := r.fromBackend.Fill(r.back.conn); err != nil {
		if interrupted(err) {
			return &backendError{err}
		}
		return &backendError{fmt.Errorf("%w: %w", window.ErrBackendGone, err)}
	}
	return nil
}

// pass passes one reply on, after it was looked at where a rule needs that.
func (r *relay) pass(q *request, x *exchange, h header) error {
	limited := x.command.cursor && !x.exempt && r.live.MaxRows() > 0
	if limited || r.inSet && h.length <= maxErrorReply || x.ours && h.length <= maxErrorReply || x.exempt || x.change != nil || x.muted || q.method != noCompressor {
		return r.passWhole(q, x, h)
	}
	w := &r.fromBackend
	for left := int(h.length); left > 0; {
		if len(w.Bytes()) == 0 {
			if err := r.fillBackend(); err != nil {
				return err
			}
		}
		b := w.Bytes()
		b = b[:min(len(b), left)]
		x.replying = true
		if err := r.toFront(b); err != nil {
			return err
		}
		left -= len(b)
		w.Discard(len(b))
	}
	x.replying = false
	return nil
}

// passWhole holds the reply.
func (r *relay) passWhole(q *request, x *exchange, h header) error {
	w := &r.fromBackend
	if err := w.Hold(int(h.length), maxReply); err != nil {
		return &backendError{err}
	}
	for len(w.Bytes()) < int(h.length) {
		if err := r.fillBackend(); err != nil {
			return err
		}
	}
	b := w.Bytes()[:h.length]
	var m message
	if _, err := parseMessage(b, h, &m); err != nil {
		return &backendError{errReply}
	}
	if r.inSet {
		r.suspect(m.body)
	}
	if x.ours && refusedForTime(m.body) && x.change == nil {
		w.Discard(len(b))
		return r.fail(q, timedOut(r.live, x.limit))
	}
	if f := r.countRows(q, x, &m); f != nil {
		x.over = true
		kill := killing(&m)
		w.Discard(len(b))
		r.endCursor(kill, m.flags&flagMoreToCome != 0)
		return r.fail(q, f)
	}
	if x.change != nil {
		x.change.settle(r, m.body)
	}
	err := r.passHeld(q, x, b)
	w.Discard(len(b))
	return err
}

// maxErrorReply is longer than a server's error that has no more to say than
// that the time is over.
const maxErrorReply = 4 << 10

// codeMaxTimeMS is MaxTimeMSExpired.
const codeMaxTimeMS = 50

// refusedForTime says whether a reply is the server's end of an operation that
// took too long.
func refusedForTime(body []byte) bool { return errorCode(body) == codeMaxTimeMS }

// errorCode is that of the error that a reply is; 0 where it is none.
func errorCode(body []byte) int64 {
	ok, err := lookup(body, "ok")
	if err != nil || ok.kind == 0 || ok.truth() {
		return 0
	}
	code, err := lookup(body, "code")
	if err != nil {
		return 0
	}
	n, _ := code.number()
	return n
}

// passHeld writes a reply as the client takes it.
func (r *relay) passHeld(q *request, x *exchange, b []byte) error {
	if x.muted {
		return nil
	}
	if q.method != noCompressor {
		packed, err := r.protocol.codecs.appendPacked(nil, q.method, b)
		if err != nil {
			return err
		}
		b = packed
	}
	return r.toFront(b)
}
