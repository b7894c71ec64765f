// Package relay holds what every protocol's relay is built from: a read window
// that pins no memory while its connection is idle, sockets without the
// scheduler's detour, deadlines, and the pool that keeps backends warm between
// sessions. It knows no protocol.
package relay

import (
	"errors"
	"io"
	"sync"
)

const (
	// smallSize is the window of an idle connection; most requests and small
	// replies fit, so that a busy session of short statements never borrows.
	smallSize = 1 << 10
	// largeSize is the window of a connection that has much to say: two TLS
	// records.
	largeSize = 32 << 10
)

// ErrTooLarge is returned for a frame that would have to be held whole and is
// larger than the caller's bound.
var ErrTooLarge = errors.New("frame larger than the window may grow")

var large = sync.Pool{New: func() any { return new([largeSize]byte) }}

// Window is the unread part of a byte stream. It starts with a buffer of its
// own, borrows a larger one while bytes flow in bulk, and gives it back when
// the stream pauses. The zero value is ready; it must not be copied.
type Window struct {
	buf      []byte
	r, w     int
	filled   bool // the last read left no room: more is likely waiting
	borrowed *[largeSize]byte
	small    [smallSize]byte
}

// Bytes is what was read and not discarded. The slice is valid until the next
// Fill, Hold or Release.
func (w *Window) Bytes() []byte { return w.buf[w.r:w.w] }

// Discard drops the first n bytes of Bytes.
func (w *Window) Discard(n int) { w.r += n }

// Fill reads from src, waiting once, and adds what came.
func (w *Window) Fill(src io.Reader) error {
	w.makeRoom()
	n, err := src.Read(w.buf[w.w:])
	w.w += n
	w.filled = w.w == len(w.buf)
	if s, ok := src.(*Socket); ok && w.filled && w.borrowed == nil && w.w < largeSize {
		// The start of something long: with its rest it is relayed, and
		// encrypted, in one piece.
		w.borrow()
		w.w += s.ReadNow(w.buf[w.w:])
		w.filled = w.w == len(w.buf)
	}
	if n > 0 {
		// The error, if it lasts, comes again with the next read: what was
		// read before it must be relayed first.
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

func (w *Window) makeRoom() {
	if w.r == w.w {
		w.r, w.w = 0, 0
		if !w.filled {
			w.Release()
		} else if w.borrowed == nil {
			w.Release()
			w.borrow()
		}
		return
	}
	if w.r > 0 {
		w.w = copy(w.buf, w.buf[w.r:w.w])
		w.r = 0
	}
	if w.w == len(w.buf) && w.borrowed == nil && len(w.buf) < largeSize {
		w.borrow()
	}
}

func (w *Window) borrow() {
	w.borrowed = large.Get().(*[largeSize]byte)
	w.w = copy(w.borrowed[:], w.buf[w.r:w.w])
	w.r = 0
	w.buf = w.borrowed[:]
}

// Hold makes room for a frame of size bytes that begins at Bytes()[0], up to
// limit bytes.
func (w *Window) Hold(size, limit int) error {
	if size <= len(w.buf) {
		return nil
	}
	if size > limit {
		return ErrTooLarge
	}
	if size <= largeSize {
		w.borrow()
		return nil
	}
	grown := make([]byte, size)
	n := copy(grown, w.buf[w.r:w.w])
	w.Release()
	w.buf, w.r, w.w = grown, 0, n
	return nil
}

// Release gives back what was borrowed. Unread bytes are lost.
func (w *Window) Release() {
	if w.borrowed != nil {
		large.Put(w.borrowed)
		w.borrowed = nil
	}
	w.buf, w.r, w.w, w.filled = w.small[:], 0, 0, false
}
