package relay

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// Panic is a panic on its way through a relay, which cleans up first.
type Panic struct {
	Value any
	Stack []byte // of the goroutine that panicked
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v\n%s", p.Value, p.Stack) }

// Contain runs one direction of a relay and makes its panic an error, a *Panic:
// a bug is the end of its own session only, and not of the goroutine, and with
// it the program, that nobody else watches over. lose is called then: what the
// backend was told nobody knows, so that no other session may have it. A lock
// that pump takes must be one that it gives back when it panics.
func Contain(pump func() error, lose func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Panic{p, debug.Stack()}
			lose()
		}
	}()
	return pump()
}

// Release lets a contained panic go on, once everything is cleaned up, to whom
// it counts as one. Other errors it leaves alone.
func Release(err error) {
	if p, ok := errors.AsType[*Panic](err); ok {
		panic(p)
	}
}
