package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgproto3/v2"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// lastWordsTimeout bounds the last message to a client, and the wait for a
// backend's last words after it stopped reading.
const lastWordsTimeout = 2 * time.Second

var (
	errGoodbye     = errors.New("client said goodbye")
	errBackendGone = errors.New("backend closed the connection")
)

// relay is both directions of a ready session. One goroutine reads the
// frontend and writes the backend, one the reverse; each has its own window.
// What both change is under mu, which is never held across I/O.
type relay struct {
	protocol *Protocol
	route    workspace.Route
	live     *workspace.Live
	tracked  bool // the workspace has a journal
	front    *tls.Conn
	back     *backend
	poolKey  poolKey
	key      cancelKey
	forget   func() // forgets key
	log      *slog.Logger

	fromFrontend window.Window
	fromBackend  window.Window
	in, out      atomic.Int64

	// deadline mirrors track.deadline for the wheel, which looks at every
	// session and locks only those that are late.
	deadline atomic.Int64

	mu        sync.Mutex
	room      sync.Cond // fewer replies are owed, or the relay ends
	track     track
	enforcing *enforcement
	stopped   protocols.Reason
	leaving   bool // the frontend is done: end when nothing is owed
	ended     bool // the backend is no longer ours to cancel
	cause     error
}

// Traffic is the bytes relayed so far.
func (r *relay) Traffic() (in, out int64) { return r.in.Load(), r.out.Load() }

// Run relays until either side ends or Stop took effect.
func (r *relay) Run(ctx context.Context) error {
	r.protocol.wheel.Add(r)
	backendDone := make(chan struct{})
	go func() {
		defer close(backendDone)
		r.end(r.contained(func() error { return r.pumpBackend(ctx) }))
		r.unblockFrontend()
		r.unblockWrite()
	}()
	err := r.contained(r.pumpFrontend)
	r.end(err)
	r.leave(err)
	<-backendDone
	r.protocol.wheel.Remove(r)
	r.stopClock()
	r.endEnforcement()
	cause := r.dispose()
	r.lastWords(cause)
	if b, ok := errors.AsType[*bug](cause); ok {
		panic(b)
	}
	if errors.Is(cause, errGoodbye) || errors.Is(cause, io.EOF) {
		return nil
	}
	return cause
}

// bug is a panic on its way through Run, which cleans up first.
type bug struct {
	value any
	stack []byte
}

func (b *bug) Error() string { return fmt.Sprintf("panic: %v\n%s", b.value, b.stack) }

// contained makes a panic in one direction the end of this session only.
func (r *relay) contained(pump func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.track.lost = true
			err = &bug{p, debug.Stack()}
		}
	}()
	return pump()
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

// backendWriteError marks an error at its source.
type backendWriteError struct{ err error }

func (e *backendWriteError) Error() string { return "write backend: " + e.err.Error() }
func (e *backendWriteError) Unwrap() error { return e.err }

// pumpFrontend relays what the client sends.
func (r *relay) pumpFrontend() error {
	for {
		if err := r.fromFrontend.Fill(r.front); err != nil {
			return fmt.Errorf("read frontend: %w", err)
		}
		if err := r.forwardFrontend(); err != nil {
			return err
		}
	}
}

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
			if _, err := r.back.conn.Write(b[:s.pass]); err != nil {
				return &backendWriteError{err}
			}
			r.fromFrontend.Discard(s.pass)
		}
		if err != nil {
			return err
		}
		switch s.act {
		case refuse:
			if err := r.substitute(b[s.pass:s.pass+s.size], refusalStatement(s.why), now, timeout); err != nil {
				return err
			}
			r.fromFrontend.Discard(s.size)
		case replace:
			if err := r.substitute(b[s.pass:s.pass+s.size], s.text, now, timeout); err != nil {
				return err
			}
			r.fromFrontend.Discard(s.size)
		case terminate:
			return errGoodbye
		case full:
			if !r.awaitRoom() {
				return errGoodbye
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
	if _, err := r.back.conn.Write(flushMessage); err != nil {
		return &backendWriteError{err}
	}
	return nil
}

// scanFrontend is track's, under the lock.
func (r *relay) scanFrontend(b []byte, now int64, timeout time.Duration) (step, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.track.scanFrontend(b, r.tracked, now, timeout)
	r.deadline.Store(r.track.deadline)
	return s, err
}

// awaitRoom waits until the client's pipeline has room; false when the relay
// ends.
func (r *relay) awaitRoom() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.track.owed.n >= maxOwed && r.cause == nil {
		r.room.Wait()
	}
	return r.cause == nil
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
		name, _ := cstring(frame[headerLen:])
		out = encode(nil, &pgproto3.Parse{Name: string(name), Query: text})
	}
	if _, err := r.back.conn.Write(out); err != nil {
		return &backendWriteError{err}
	}
	return nil
}

// pumpBackend relays what the server sends.
func (r *relay) pumpBackend(ctx context.Context) error {
	for {
		if err := r.fromBackend.Fill(r.back.conn); err != nil {
			return r.backendEnded(err)
		}
		if err := r.forwardBackend(ctx); err != nil {
			return err
		}
	}
}

// backendEnded tells our own interruption from the backend's end.
func (r *relay) backendEnded(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if r.track.last == 'E' {
		// The server said why; nothing is to be added.
		return io.EOF
	}
	r.track.lost = true
	return errBackendGone
}

// forwardBackend passes on what the window holds, but for an incomplete frame
// at its end that has to be seen whole.
func (r *relay) forwardBackend(ctx context.Context) error {
	for {
		b := r.fromBackend.Bytes()
		now := r.protocol.wheel.Now()
		timeout, maxRows := r.live.QueryTimeout(), r.live.MaxRows()
		s, err := r.scanBackend(b, maxRows, now, timeout)
		if s.pass > 0 {
			r.out.Add(int64(s.pass))
			if _, err := r.front.Write(b[:s.pass]); err != nil {
				return fmt.Errorf("write frontend: %w", err)
			}
			r.fromBackend.Discard(s.pass)
		}
		if err != nil {
			return fmt.Errorf("backend: %w", err)
		}
		switch s.act {
		case more:
			if s.need > 0 {
				if err := r.fromBackend.Hold(s.need, maxInspected); err != nil {
					return fmt.Errorf("hold backend frame: %w", err)
				}
			}
			return r.atBoundary()
		case record:
			r.record(ctx)
		case renew:
			r.renew()
		case awaitReady:
			r.endEnforcement()
		case limitRows:
			f := rowsFailure(r.live, maxRows)
			r.mu.Lock()
			r.enforce(f.as("FATAL"), 0)
			r.mu.Unlock()
			if err := r.tell(f); err != nil {
				return err
			}
			r.drop(s.size)
		case rewrite:
			if err := r.tell(r.timeoutTold()); err != nil {
				return err
			}
			r.drop(s.size)
		case retag:
			if _, err := r.front.Write(encode(nil, &pgproto3.CommandComplete{CommandTag: []byte(s.text)})); err != nil {
				return fmt.Errorf("write frontend: %w", err)
			}
			r.drop(s.size)
		case swallowed:
			r.drop(s.size)
		}
	}
}

// scanBackend is track's, under the lock.
func (r *relay) scanBackend(b []byte, maxRows, now int64, timeout time.Duration) (step, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.track.scanBackend(b, maxRows, now, timeout)
	r.deadline.Store(r.track.deadline)
	if r.track.obeyed && r.enforcing != nil {
		r.enforcing.obey()
	}
	r.room.Signal()
	return s, err
}

// atBoundary ends the backend's direction where nothing is owed and the
// session is to end.
func (r *relay) atBoundary() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if (r.leaving || r.stopped != 0) && r.track.owed.n == 0 || r.leaving && !r.track.finishes() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// drop takes n bytes of a frame out of the stream.
func (r *relay) drop(n int) {
	r.fromBackend.Discard(n)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.track.dropped(n)
}

// tell sends the client a message of ours, at a frame's edge.
func (r *relay) tell(f *failure) error {
	if _, err := r.front.Write(f.append(nil)); err != nil {
		return fmt.Errorf("write frontend: %w", err)
	}
	return nil
}

// timeoutTold is the timeout in our words, in place of the server's.
func (r *relay) timeoutTold() *failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	var limit time.Duration
	if r.enforcing != nil {
		limit = r.enforcing.timeout
	}
	return timeoutFailure("ERROR", r.live, limit)
}

// record moves the committed schema change into the deploy queue before its
// acknowledgement passes. Where that fails the change is durable in the
// workspace's own journal, from which the next Record takes it.
func (r *relay) record(ctx context.Context) {
	if err := r.protocol.config.Recorder.Record(ctx, r.live.ID); err != nil {
		r.log.Warn("schema change not yet in the deploy queue", "workspace", r.live.Name, "error", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.track.settled = true
}

// renew lets the next sessions start with what ALTER ROLE or ALTER DATABASE
// has set, which no reset of a warm backend gives them.
func (r *relay) renew() {
	r.protocol.pool.Forget(r.live.ID)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.track.defaults = false
}

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
