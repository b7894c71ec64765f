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
// it the program, that nobody else watches over. A lock that pump takes must be
// one that it gives back when it panics.
func Contain(pump func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Panic{p, debug.Stack()}
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
