package mongodb

import (
	"time"

	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// watch reads from a client that waits long for its reply, to see it leave: the
// server should not go on for nobody.
type watch struct{ done chan struct{} }

// watchClient begins to watch, where the client has sent nothing that waits;
// the caller holds mu.
func (r *relay) watchClient() {
	if !r.busy || r.watch != nil || r.back == nil || r.stopped != 0 || len(r.in.Bytes()) > 0 {
		return
	}
	w := &watch{done: make(chan struct{})}
	r.watch = w
	go r.watchUntilDone(w)
}

func (r *relay) watchUntilDone(w *watch) {
	defer close(w.done)
	err := r.in.Fill(r.conn)
	if err == nil || interrupted(err) {
		return // it has sent its next request, or the reply is here
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = true
	if r.back != nil {
		_ = r.back.conn.SetDeadline(window.Past)
	}
}

// unwatch ends the watch, if there is one, and gives back what it read with.
func (r *relay) unwatch() {
	r.mu.Lock()
	w := r.watch
	r.watch = nil
	r.mu.Unlock()
	if w == nil {
		return
	}
	_ = r.conn.SetReadDeadline(window.Past)
	<-w.done
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped == 0 {
		_ = r.conn.SetReadDeadline(time.Time{})
	}
}
