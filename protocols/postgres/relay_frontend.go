package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgproto3/v2"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// PumpFrontend relays what the client sends.
func (r *relay) PumpFrontend(context.Context) error {
	for {
		if err := r.fromFrontend.Fill(r.front); err != nil {
			return fmt.Errorf("read frontend: %w", err)
		}
		if err := r.forwardFrontend(); err != nil {
			return err
		}
	}
}

func (r *relay) writeBackend(b []byte) error { return window.WriteBackend(r.back.conn, b) }

// forwardFrontend passes on what the window holds, but for an incomplete frame
// at its end that has to be seen whole.
func (r *relay) forwardFrontend() error {
	for {
		b := r.fromFrontend.Bytes()
		now := r.protocol.wheel.Now()
		timeout := r.live.QueryTimeout()
		s, err := r.scanFrontend(b, now, timeout)
		if s.pass > 0 {
			r.in.Add(int64(s.pass))
			if err := r.writeBackend(b[:s.pass]); err != nil {
				return err
			}
			r.fromFrontend.Discard(s.pass)
		}
		if err != nil {
			return err
		}
		switch s.act {
		case refuse:
			if err := r.substitute(b[s.pass:s.pass+s.size], refusalStatement(r.guard.code(), s.why), now, timeout); err != nil {
				return err
			}
			r.fromFrontend.Discard(s.size)
		case replace:
			if err := r.substitute(b[s.pass:s.pass+s.size], s.text, now, timeout); err != nil {
				return err
			}
			r.fromFrontend.Discard(s.size)
		case terminate:
			if err := r.flush(); err != nil {
				return err
			}
			return window.ErrGoodbye
		case full:
			if !r.awaitRoom() {
				return window.ErrGoodbye
			}
		case settle:
			if err := r.settle(); err != nil {
				return err
			}
		case spoil:
			if err := r.spoil(); err != nil {
				return err
			}
		default:
			if err := r.fromFrontend.Hold(s.need, maxStatement); err != nil {
				return fmt.Errorf("hold frontend frame: %w", err)
			}
			return r.flush()
		}
	}
}

// flushMessage makes the server send what it has.
var flushMessage = encode(nil, &pgproto3.Flush{})

// flush asks for the replies to a client's unsynced Executes: without them a
// statement that has ended could not be told from one that takes too long.
func (r *relay) flush() error {
	if !r.track.unflushed || r.track.frontPass > 0 {
		return nil // both change in this direction only
	}
	r.track.unflushed = false
	return r.writeBackend(flushMessage)
}

// scanFrontend is track's, under the lock.
func (r *relay) scanFrontend(b []byte, now int64, timeout time.Duration) (step, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.track.batch.limited = r.live.MaxRows() > 0
	s, err := r.track.scanFrontend(b, &r.guard, now, timeout)
	r.deadline.Store(r.track.deadline)
	return s, err
}

// awaitRoom waits until the client's pipeline has room; false when the relay
// ends.
func (r *relay) awaitRoom() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.life.Await(func() bool { return r.track.owed.n >= maxOwed })
}

// substitute sends a Query or Parse with another text in the place of frame. One
// that is refused is put in the place by a statement that makes the server raise
// the refusal: so it arrives in its order in the pipeline, and fails the
// transaction as any error does.
func (r *relay) substitute(frame []byte, text string, now int64, timeout time.Duration) error {
	var out []byte
	if frame[0] == 'Q' {
		out = encode(nil, &pgproto3.Query{String: text})
		r.mu.Lock()
		r.track.owe(reply{kind: replyQuery, unsynced: r.track.unsynced}, now, timeout)
		r.deadline.Store(r.track.deadline)
		r.mu.Unlock()
	} else {
		r.mu.Lock()
		r.track.unsynced = true
		r.mu.Unlock()
		out = parseInstead(frame, text)
	}
	return r.writeBackend(out)
}

// parseInstead is a whole Parse frame with another text: of the same name, and
// with the types that the client gave of its parameters. That the text was found
// to be replaced says that it is there, and ends.
func parseInstead(frame []byte, text string) []byte {
	name, _ := cstring(frame[headerLen:])
	rest := frame[headerLen+len(name)+1:]
	was, _ := cstring(rest)
	body := slices.Concat(name, []byte{0}, []byte(text), []byte{0}, rest[len(was)+1:])
	out := binary.BigEndian.AppendUint32([]byte{'P'}, uint32(4+len(body)))
	return append(out, body...)
}
