package relay

import (
	"sync"
	"time"
)

// strikeAgain is how often a statement that did not stop is struck anew.
const strikeAgain = time.Second

// Enforcement is the proxy's own end of a statement that passed a limit: it is
// struck, by KILL QUERY or a cancel request, until the backend obeys, or given
// up after a grace.
type Enforcement struct {
	// Timeout is the limit that was passed, where it was the time.
	Timeout time.Duration

	obeyed chan struct{}
	obey   func()
	ended  chan struct{}
}

// Enforce begins an enforcement, on a goroutine of its own. A statement that
// lasts for grace has giveUp called, and is struck no more.
func Enforce(timeout, grace time.Duration, strike, giveUp func()) *Enforcement {
	e := &Enforcement{Timeout: timeout, obeyed: make(chan struct{}), ended: make(chan struct{})}
	e.obey = sync.OnceFunc(func() { close(e.obeyed) })
	go e.run(grace, strike, giveUp)
	return e
}

// Obeyed says that the statement ended. It may be called again, and never waits.
func (e *Enforcement) Obeyed() { e.obey() }

// End ends the enforcement and waits until no strike is on its way: a late one
// would hit the next statement.
func (e *Enforcement) End() {
	e.obey()
	<-e.ended
}

func (e *Enforcement) run(grace time.Duration, strike, giveUp func()) {
	defer close(e.ended)
	again := time.NewTicker(strikeAgain)
	defer again.Stop()
	over := time.NewTimer(grace)
	defer over.Stop()
	for {
		strike()
		late := false
		select {
		case <-e.obeyed:
		case <-again.C:
		case <-over.C:
			late = true
		}
		select {
		case <-e.obeyed:
			return // maybe while the strike was long on its way
		default:
		}
		if late {
			giveUp()
			return
		}
	}
}
