package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// PumpFrontend relays what the client sends.
func (r *relay) PumpFrontend(context.Context) error {
	src := io.Reader(r.front)
	if len(r.rest) > 0 {
		src = io.MultiReader(bytes.NewReader(r.rest), r.front)
		r.rest = nil
	}
	for {
		if err := r.fromFrontend.Fill(src); err != nil && !r.awake(err) {
			return fmt.Errorf("read frontend: %w", err)
		}
		if !r.awaitRoom() {
			return window.ErrGoodbye
		}
		if err := r.forwardFrontend(); err != nil {
			return err
		}
	}
}

// awaitRoom waits until the client's pipeline has room; false when the relay
// ends.
func (r *relay) awaitRoom() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.life.Await(r.owed.full)
}

// forwardFrontend passes on what the window holds, but for the beginning of a
// command at its end that has to be seen further.
func (r *relay) forwardFrontend() error {
	b := r.fromFrontend.Bytes()
	r.refreshRules()
	pos, need, err := r.scanFrontend(b)
	if flushed := r.flush(b, pos); flushed != nil {
		return flushed
	}
	r.in.Add(int64(pos))
	r.fromFrontend.Discard(pos)
	r.track.from = 0
	if err != nil {
		return err
	}
	if err := hold(&r.fromFrontend, need, maxHeld+maxInline); err != nil {
		return fmt.Errorf("hold command: %w", err)
	}
	return nil
}

// refreshRules compiles the workspace's settings where they changed. They are for
// what makes keys: a reader's commands go as they are to the server, which refuses
// those.
func (r *relay) refreshRules() {
	t := &r.track
	if r.route.Reads() {
		return
	}
	if s := r.live.KeyRules(); s != t.settings {
		t.settings, t.rules = s, compile(s)
	}
}

// flush sends the window up to at, with what was put in, after noting the
// replies that it will have.
func (r *relay) flush(b []byte, at int) error {
	t := &r.track
	if len(t.owing) > 0 {
		r.mu.Lock()
		for _, owed := range t.owing {
			r.owed.push(owed)
		}
		r.mu.Unlock()
		clear(t.owing)
		t.owing = t.owing[:0]
	}
	if err := t.write(r.back.conn, b, at); err != nil {
		return &window.BackendWriteError{Err: err}
	}
	return nil
}

// scanFrontend goes over what the client sent. need is how many bytes from pos
// on must be there to go on, where that is known.
func (r *relay) scanFrontend(b []byte) (pos, need int, err error) {
	t := &r.track
	for {
		if !t.within && !t.multi && r.isLate.Load() {
			r.sendLate(b, pos)
		}
		if pos == len(b) && !t.within {
			return pos, 0, nil
		}
		if t.within {
			if pos, err = t.passArguments(b, pos); err != nil || t.within {
				return pos, 0, err
			}
			continue
		}
		if b[pos] != '*' {
			pos, err = r.inline(b, pos)
		} else {
			pos, need, err = r.request(b, pos)
		}
		if err != nil {
			if errors.Is(err, errShort) {
				return pos, need, nil
			}
			return pos, 0, err
		}
	}
}

// request reads the command at pos as far as it must be seen, and does with it
// what is to be done. next is behind what it saw.
func (r *relay) request(b []byte, pos int) (next, need int, err error) {
	t := &r.track
	var q request
	if r.again.begins(b[pos:]) {
		q = r.again.request(b, pos, t.view)
		need, err = r.decide(b, &q, r.again.command)
	} else {
		n, head, headErr := commandHeader(b[pos:])
		if headErr != nil || n == 0 {
			return pos + head, 0, headErr
		}
		q = request{start: pos, head: head, size: head, n: n, args: t.view[:0]}
		need, err = r.dispatch(b, &q)
	}
	switch {
	case err == nil:
	case errors.Is(err, errShort) && need <= maxHeld:
		return pos, need, err
	case errors.Is(err, errShort):
		t.refuse(b, &q, errTooLong)
	default:
		return q.start + q.size, 0, err
	}
	t.within = true
	return q.start + q.size, 0, nil
}

// dispatch finds the command in the table.
func (r *relay) dispatch(b []byte, q *request) (need int, err error) {
	length, _, err := bulkHeader(b[q.start+q.head:])
	if err != nil {
		return 0, err
	}
	if length > maxName {
		return 0, r.pass(q) // no command has such a name
	}
	if need, err := r.look(b, q, 1); err != nil {
		return need, err
	}
	var buf [maxName]byte
	name, _ := lower(&buf, q.args[0])
	if c := r.protocol.commands[string(name)]; c != nil {
		r.again.note(b, q, c)
		return r.decide(b, q, c)
	}
	return r.unknown(b, q, name)
}

// inline does the same with a command in a line, which goes to the server as
// any other.
func (r *relay) inline(b []byte, pos int) (next int, err error) {
	end := bytes.IndexByte(b[pos:], '\n')
	if end < 0 {
		if len(b)-pos > maxInline {
			return pos, protocolError("too big inline request")
		}
		return pos, errShort
	}
	args, ok := inline(b[pos : pos+end])
	if !ok {
		return pos, protocolError("unbalanced quotes in request")
	}
	t := &r.track
	next = pos + end + 1
	t.cut(b, pos)
	t.drop(next)
	if err := r.flush(b, next); err != nil || len(args) == 0 {
		return next, err
	}
	line := appendCommand(nil, args...)
	t.from = 0
	at, _, err := r.scanFrontend(line)
	if flushed := r.flush(line, at); flushed != nil {
		return next, flushed
	}
	t.from = next
	return next, err
}
