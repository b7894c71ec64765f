package relay

import (
	"sync"
	"time"
)

// tick is how coarse a Wheel is.
const tick = 20 * time.Millisecond

// Timed is a session on a Wheel.
type Timed interface {
	// Deadline is when what the session does must end, on the wheel's clock; 0
	// means never. It is read at each tick, without the session's lock.
	Deadline() int64
	// Expire is called with the time when the deadline has passed, again at
	// each tick until Deadline says otherwise.
	Expire(now int64)
}

// Wheel is one coarse clock for the deadlines of all sessions, so that no
// statement needs a timer of its own. It ticks while there are sessions.
type Wheel struct {
	base     time.Time
	mu       sync.Mutex
	sessions map[Timed]struct{}
	ticking  bool
}

// NewWheel makes a wheel without sessions.
func NewWheel() *Wheel {
	return &Wheel{base: time.Now(), sessions: make(map[Timed]struct{})}
}

// Now is the time since the wheel was made, in nanoseconds; never 0 for a
// deadline.
func (w *Wheel) Now() int64 { return int64(time.Since(w.base)) }

// Add makes the wheel look at s, until Remove.
func (w *Wheel) Add(s Timed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions[s] = struct{}{}
	if !w.ticking {
		w.ticking = true
		go w.turn()
	}
}

// Remove makes the wheel forget s, which may still Expire once.
func (w *Wheel) Remove(s Timed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.sessions, s)
}

// turn ends with the last session.
func (w *Wheel) turn() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var late []Timed
	for range ticker.C {
		now := w.Now()
		w.mu.Lock()
		if len(w.sessions) == 0 {
			w.ticking = false
			w.mu.Unlock()
			return
		}
		late = late[:0]
		for s := range w.sessions {
			if d := s.Deadline(); d != 0 && now >= d {
				late = append(late, s)
			}
		}
		w.mu.Unlock()
		for _, s := range late {
			s.Expire(now)
		}
		clear(late)
	}
}
