package relay

import (
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// alarm is a session that expires once.
type alarm struct {
	deadline atomic.Int64
	rung     chan int64
}

func (a *alarm) Deadline() int64 { return a.deadline.Load() }

func (a *alarm) Expire(now int64) {
	a.deadline.Store(0)
	a.rung <- now
}

func TestWheelExpiresWhoIsLate(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	w := NewWheel()
	late, never, later := &alarm{rung: make(chan int64, 1)}, &alarm{rung: make(chan int64, 1)}, &alarm{rung: make(chan int64, 1)}
	due := w.Now() + int64(30*time.Millisecond)
	late.deadline.Store(due)
	later.deadline.Store(w.Now() + int64(time.Hour))
	for _, s := range []*alarm{late, never, later} {
		w.Add(s)
		defer w.Remove(s)
	}
	select {
	case now := <-late.rung:
		if now < due {
			t.Errorf("expired %v too early", time.Duration(due-now))
		}
	case <-time.After(time.Minute):
		t.Fatal("a deadline passed unnoticed")
	}
	if len(never.rung)+len(later.rung) != 0 {
		t.Error("sessions expired before their time")
	}
}

// A wheel that has stopped for want of sessions turns again with the next.
func TestWheelTurnsWhileThereAreSessions(t *testing.T) {
	w := NewWheel()
	for range 3 {
		s := &alarm{rung: make(chan int64, 1)}
		s.deadline.Store(1)
		w.Add(s)
		select {
		case <-s.rung:
		case <-time.After(time.Minute):
			t.Fatal("the wheel stands still")
		}
		w.Remove(s)
		for stopped := false; !stopped; {
			w.mu.Lock()
			stopped = !w.ticking
			w.mu.Unlock()
			time.Sleep(time.Millisecond)
		}
	}
}
