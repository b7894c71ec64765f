package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// LastWordsTimeout bounds the last message to a client, and the wait for a
// backend's last words to one that is done.
const LastWordsTimeout = 2 * time.Second

var (
	// ErrGoodbye is how a direction ends whose client said goodbye, or whose
	// session has ended while it waited.
	ErrGoodbye = errors.New("client said goodbye")
	// ErrBackendGone is how the backend's direction ends with the server's.
	ErrBackendGone = errors.New("backend closed the connection")
)

// IsGoodbye says whether the frontend ended as clients do, after which replies
// owed are still worth sending.
func IsGoodbye(err error) bool { return errors.Is(err, ErrGoodbye) || errors.Is(err, io.EOF) }

// BackendWriteError marks an error at its source.
type BackendWriteError struct{ Err error }

func (e *BackendWriteError) Error() string { return "write backend: " + e.Err.Error() }
func (e *BackendWriteError) Unwrap() error { return e.Err }

// WriteBackend writes b to a backend, and marks its error.
func WriteBackend(conn net.Conn, b []byte) error {
	if _, err := conn.Write(b); err != nil {
		return &BackendWriteError{err}
	}
	return nil
}

// Session is what a protocol does at each station of its session's Life.
type Session interface {
	// PumpFrontend and PumpBackend relay a direction until it ends, which is
	// always with an error.
	PumpFrontend(ctx context.Context) error
	PumpBackend(ctx context.Context) error
	// Lose keeps the backend from other sessions: a direction panicked, and what
	// the backend was told nobody knows.
	Lose()
	// Leave says for how long the backend's direction goes on where the
	// frontend's has ended with err. The caller holds the lock.
	Leave(err error) Patience
	// Dispose gives the backend back or closes it, when both directions have
	// ended.
	Dispose()
	// LastWords tells the client why its session ends, where it can still hear
	// it, within LastWordsTimeout.
	LastWords(cause error)
}

// Patience is for how long a backend is heard out when its frontend is done.
type Patience uint8

const (
	NoLonger     Patience = iota // nothing is owed, or nobody reads it
	ForLastWords                 // LastWordsTimeout
	ForReplies                   // until what is owed is here; the session sees to that
)

// Life is the life of a session with a goroutine for each direction: one reads
// the frontend and writes the backend, one the reverse.
//
//	Run  both directions pump
//	 ├ the backend's ends: the frontend is read no more, and no write to the
//	 │ backend waits
//	 ├ the frontend's ends: Leave says whether the backend's goes on for what is
//	 │ owed
//	 └ Drain, Cut or Interrupt: no direction waits for anything any more
//	when both have ended: Dispose, LastWords
//
// The first end is the cause, and what follows is its consequence. Begin comes
// before all else; but for Begin and Run the caller holds the lock.
type Life struct {
	front, back net.Conn
	room        sync.Cond // something moved, or a direction ended
	cause       error     // nil while both directions pump
	left        bool      // the frontend's direction has ended
	stage       stage
	why         error // of the stage; nil while running
}

// stage is how far the end of a session that others want has come. It only
// grows.
type stage uint8

const (
	running  stage = iota
	draining       // it ends at the next boundary
	cut            // it ends at once
)

// Begin gives the life its connections, and the lock over all that both
// directions change, which is never held across I/O.
func (l *Life) Begin(lock sync.Locker, front, back net.Conn) {
	l.room.L, l.front, l.back = lock, front, back
}

// Run is a session's life from its first frame to its last words. It gives what
// ended it, nil where that was the client, and lets a panic go on.
func (l *Life) Run(ctx context.Context, s Session) error {
	backendDone := make(chan struct{})
	go func() {
		defer close(backendDone)
		l.runBackend(ctx, s)
	}()
	l.runFrontend(ctx, s)
	<-backendDone
	s.Dispose()
	cause := l.outcome()
	_ = l.front.SetWriteDeadline(time.Now().Add(LastWordsTimeout))
	s.LastWords(cause)
	Release(cause)
	if IsGoodbye(cause) {
		return nil
	}
	return cause
}

func (l *Life) runBackend(ctx context.Context, s Session) {
	err := Contain(func() error { return s.PumpBackend(ctx) }, s.Lose)
	l.room.L.Lock()
	defer l.room.L.Unlock()
	l.End(err)
	l.unblockFrontend()
	l.unblockWrite()
}

func (l *Life) runFrontend(ctx context.Context, s Session) {
	err := Contain(func() error { return s.PumpFrontend(ctx) }, s.Lose)
	l.room.L.Lock()
	defer l.room.L.Unlock()
	l.End(err)
	l.left = true
	switch s.Leave(err) {
	case NoLonger:
		_ = l.back.SetReadDeadline(Past)
	case ForLastWords:
		if !errors.Is(err, os.ErrDeadlineExceeded) { // else it was interrupted, and so is the other
			_ = l.back.SetReadDeadline(time.Now().Add(LastWordsTimeout))
		}
	case ForReplies:
	}
}

func (l *Life) outcome() error {
	l.room.L.Lock()
	defer l.room.L.Unlock()
	return l.Cause()
}

// End notes what ends the session, where nothing has before.
func (l *Life) End(cause error) {
	if l.cause == nil {
		l.cause = cause
	}
	l.room.Broadcast()
}

// Drain ends the session at its next boundary, which is here where it is idle;
// why is what its client hears.
func (l *Life) Drain(why error, idle bool) {
	if l.stage == cut {
		return
	}
	l.stage, l.why = draining, why
	if idle {
		l.Interrupt()
	}
}

// Cut ends the session at once; why is what its client hears. It overrules Drain.
func (l *Life) Cut(why error) {
	if l.stage == cut {
		return
	}
	l.stage, l.why = cut, why
	l.Interrupt()
}

// Interrupt makes both directions return from what they wait for.
func (l *Life) Interrupt() {
	l.unblockFrontend()
	l.unblockWrite()
	_ = l.back.SetReadDeadline(Past)
	_ = l.front.SetWriteDeadline(time.Now().Add(LastWordsTimeout))
}

// Past is a deadline that makes what is blocked return.
var Past = time.Unix(1, 0)

func (l *Life) unblockFrontend() {
	// A socket that can't take a deadline is closed already.
	_ = l.front.SetReadDeadline(Past)
}

// unblockWrite makes a write to a backend that no longer reads return: with
// nobody to read its replies it never would.
func (l *Life) unblockWrite() { _ = l.back.SetWriteDeadline(Past) }

// Await waits while blocked says so, which Wake has it asked anew; false where
// the session ends.
func (l *Life) Await(blocked func() bool) bool {
	for l.cause == nil && blocked() {
		l.room.Wait()
	}
	return l.cause == nil
}

// Wake has Await look again.
func (l *Life) Wake() { l.room.Signal() }

// Cause is why the session ends: Drain's or Cut's reason, unless its client left
// by itself. nil while it goes on.
func (l *Life) Cause() error {
	if l.stage != running && !IsGoodbye(l.cause) {
		return l.why
	}
	return l.cause
}

// Ended says whether a direction has ended.
func (l *Life) Ended() bool { return l.cause != nil }

// Left says whether the frontend's direction has ended.
func (l *Life) Left() bool { return l.left }

// Ending says whether the session ends where nothing is owed.
func (l *Life) Ending() bool { return l.left || l.stage != running }

// Draining says whether the session is to end at its next boundary.
func (l *Life) Draining() bool { return l.stage == draining }

// IsCut says whether the session was to end at once, with what was under way.
func (l *Life) IsCut() bool { return l.stage == cut }
