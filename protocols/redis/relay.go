package redis

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// lastWordsTimeout bounds the last message to a client, and the wait for a
// backend's last replies to one that left.
const lastWordsTimeout = 2 * time.Second

var errBackendGone = errors.New("backend closed the connection")

// relay is both directions of a ready session. One goroutine reads the
// frontend and writes the backend, one the reverse; each has its own window and
// state. What both change is under mu, which is never held across I/O.
type relay struct {
	protocol *Protocol
	route    workspace.Route
	live     *workspace.Live
	space    *space
	channels channels
	front    *tls.Conn
	rest     []byte // read in the handshake and not understood there
	back     *backend
	log      *slog.Logger
	since    time.Time // when the session began

	fromFrontend window.Window
	fromBackend  window.Window
	in, out      atomic.Int64
	track        track   // of the frontend's direction
	again        again   // as track
	replies      replies // of the backend's direction

	isLate atomic.Bool // late has any
	aim    aim

	mu      sync.Mutex
	room    sync.Cond // fewer replies are owed, or the relay ends
	owed    owedQueue
	stopped protocols.Reason
	leaving bool // the frontend is done: end when nothing is owed
	lost    bool // nobody knows what the backend was told
	cause   error
	late    []*move // lists that are to get their expiry
	woken   bool    // a read of the frontend was ended for them
	told    told
}

// Traffic is the bytes relayed so far.
func (r *relay) Traffic() (in, out int64) { return r.in.Load(), r.out.Load() }

// Run relays until either side ends or Stop took effect.
func (r *relay) Run(context.Context) error {
	r.space.redirects.enter(r)
	backendDone := make(chan struct{})
	go func() {
		defer close(backendDone)
		r.end(window.Contain(r.pumpBackend, r.lose))
		r.unblockFrontend()
		r.unblockWrite()
	}()
	err := window.Contain(r.pumpFrontend, r.lose)
	r.end(err)
	r.leave(err)
	<-backendDone
	cause := r.dispose()
	r.lastWords(cause)
	window.Release(cause)
	if isGoodbye(cause) {
		return nil
	}
	return cause
}

// end keeps the first cause; what follows is its consequence.
func (r *relay) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cause == nil {
		r.cause = err
	}
	r.room.Broadcast()
}

// past is a deadline that makes a blocked read return.
var past = time.Unix(1, 0)

func (r *relay) unblockFrontend() {
	// A socket that can't take a deadline is closed already.
	_ = r.front.SetReadDeadline(past)
}

// leave lets the backend's direction finish: at once where nothing is owed,
// else with the last reply. A client that said goodbye waits for it; of one
// that just left nobody knows whether it still reads.
func (r *relay) leave(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaving = true
	bad, _ := errors.AsType[protocolError](err)
	switch {
	case r.owed.n == 0 && !r.replies.v.within():
		_ = r.back.conn.SetReadDeadline(past)
	case errors.Is(err, errGoodbye):
		if r.told.roused && r.stopped == 0 {
			_ = r.back.conn.SetReadDeadline(time.Time{})
		}
	case errors.Is(err, io.EOF) && !r.track.waits, bad != "":
		_ = r.back.conn.SetReadDeadline(time.Now().Add(lastWordsTimeout))
	default:
		_ = r.back.conn.SetReadDeadline(past)
	}
}

// isGoodbye says whether the frontend ended as clients do.
func isGoodbye(err error) bool { return errors.Is(err, errGoodbye) || errors.Is(err, io.EOF) }

// pumpFrontend relays what the client sends.
func (r *relay) pumpFrontend() error {
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
			return errGoodbye
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
	for r.owed.n >= maxOwed && r.cause == nil {
		r.room.Wait()
	}
	return r.cause == nil
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

// hold makes room for more than w has, where it has the beginning of something:
// for need bytes where that is known, and else for twice as many.
func hold(w *window.Window, need, limit int) error {
	have := len(w.Bytes())
	if have == 0 {
		return nil
	}
	return w.Hold(max(need, min(2*have, limit), have+1), limit)
}

// refreshRules compiles the workspace's settings where they changed.
func (r *relay) refreshRules() {
	t := &r.track
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
		return &backendWriteError{err}
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

// pumpBackend relays what the server sends.
func (r *relay) pumpBackend() error {
	for {
		if err := r.fromBackend.Fill(r.back.conn); err != nil && !r.isRoused(err) {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return err
			}
			return errBackendGone
		}
		if err := r.forwardBackend(); err != nil {
			return err
		}
	}
}

// forwardBackend passes on what the window holds, but for the beginning of a
// reply at its end that has to be seen further.
func (r *relay) forwardBackend() error {
	b := r.fromBackend.Bytes()
	pos, need, limit, err := r.replied(b)
	n := pos - r.replies.from + len(r.replies.out)
	if err := r.replies.write(r.front, b, pos); err != nil {
		return fmt.Errorf("write frontend: %w", err)
	}
	r.out.Add(int64(n))
	r.fromBackend.Discard(pos)
	r.replies.from = 0
	if err != nil {
		return fmt.Errorf("backend: %w", err)
	}
	if err := hold(&r.fromBackend, need, limit); err != nil {
		return fmt.Errorf("hold reply: %w", err)
	}
	return r.atBoundary()
}

// replied is scanBackend for the relay's state, which both directions change.
func (r *relay) replied(b []byte) (pos, need, limit int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.room.Signal()
	return r.scanBackend(b)
}

// atBoundary ends the backend's direction where nothing is owed and the session
// is to end.
func (r *relay) atBoundary() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if (r.leaving || r.stopped != 0) && r.owed.n == 0 && !r.replies.v.within() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Stop makes Run end.
func (r *relay) Stop(reason protocols.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped != 0 && r.stopped != protocols.Draining {
		return
	}
	r.stopped = reason
	if reason == protocols.Draining && r.owed.n > 0 {
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
