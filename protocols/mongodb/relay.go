package mongodb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

var errReply = errors.New("backend: reply is not one")

// relay is a client with its workspace. As the server does, it reads a message,
// answers it, and only then reads the next: one goroutine does it all. What
// others touch is under mu, which is never held across I/O.
type relay struct {
	*client
	route   workspace.Route
	live    *workspace.Live
	space   *space
	tracked bool // schema changes are recorded
	fixed   bool // the schema is, of a tenant's database
	inSet   bool // the server may be a member of a replica set
	back    *backend
	stale   bool // back's server is the primary no more
	log     *slog.Logger

	request     request // at hand
	fromBackend window.Window
	scratch     [1 << 10]byte // where a short request is put together
	traffic     struct{ in, out atomic.Int64 }
	// deadline is when the command at hand is late, and slow when it is worth
	// to look whether its client is still there; by the wheel's clock, 0: never.
	deadline, slow atomic.Int64
	cut            chan struct{} // closed where the session ends at once

	mu      sync.Mutex
	stopped protocols.Reason
	busy    bool // a request is at hand
	late    bool // its time is over
	gone    bool // its client left
	watch   *watch
}

func newRelay(s *session, b *backend) *relay {
	r := &relay{
		client:  s.client,
		route:   s.route,
		live:    s.route.Live,
		space:   s.protocol.space(s.route.Live.ID),
		tracked: s.route.Live.Mode == workspace.Tenant,
		fixed:   s.route.Live.Mode == workspace.Deployed,
		back:    b,
		log:     s.protocol.config.Log,
		request: s.first,
		cut:     make(chan struct{}),
		busy:    s.welcome == nil,
	}
	r.database = s.route.Database
	v, seen := s.protocol.topology.view()
	r.inSet = !seen || v.SetName != ""
	return r
}

// Traffic is the bytes relayed so far.
func (r *relay) Traffic() (in, out int64) { return r.traffic.in.Load(), r.traffic.out.Load() }

// Run relays until either side ends or Stop took effect.
func (r *relay) Run(context.Context) error {
	r.protocol.wheel.Add(r)
	err := window.Contain(r.serve, r.dropBackend)
	r.protocol.wheel.Remove(r)
	r.endExchange()
	r.dispose(err)
	window.Release(err)
	if isGoodbye(err) {
		return nil
	}
	return err
}

// serve answers one request after another. The first may be at hand.
func (r *relay) serve() error {
	q := &r.request
	for {
		if r.busy {
			if err := r.handle(q); err != nil {
				return err
			}
		}
		if err := r.next(q); err != nil {
			return err
		}
	}
}

// next reads the next request.
func (r *relay) next(q *request) error {
	if reason := r.rest(); reason != 0 {
		return reasonFailure(reason, r.live)
	}
	err := r.receive(q, maxMessage, nil)
	if reason := r.begin(err == nil); reason != 0 {
		f := reasonFailure(reason, r.live)
		if h, bad := readHeader(r.in.Bytes(), maxMessage); err == nil || bad == nil {
			q.header = h
			r.farewell(q, f)
		}
		return f
	}
	if bad, ok := errors.AsType[protocolError](err); ok {
		r.farewellUnread(bad)
	}
	return err
}

// rest notes that no request is at hand, and says whether the session is to
// end.
func (r *relay) rest() protocols.Reason {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = false
	return r.stopped
}

// begin notes that a request is at hand.
func (r *relay) begin(busy bool) protocols.Reason {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = busy && r.stopped == 0
	return r.stopped
}

// farewell is lastWords for a client of which nobody knows whether it reads.
func (r *relay) farewell(q *request, f *failure) {
	_ = r.conn.SetWriteDeadline(time.Now().Add(window.LastWordsTimeout))
	r.lastWords(q, f)
}

// farewellUnread tells the client that its message can't be read, where its
// header can.
func (r *relay) farewellUnread(bad protocolError) {
	h, err := readHeader(r.in.Bytes(), maxMessage)
	if err != nil || h.opcode != opMsg {
		return
	}
	r.farewell(&request{message: message{header: h}}, badRequest("%s", bad.Error()))
}

// handle does what is to be done with q.
func (r *relay) handle(q *request) error {
	c, f := r.judge(q)
	if f == nil && c.onDatabase(r.route.Database, q) == passes {
		return r.exchange(q, c)
	}
	r.traffic.in.Add(int64(q.length))
	if err := r.skip(q); err != nil {
		return err
	}
	if f != nil {
		return r.fail(q, f)
	}
	return r.answerWith(q, c.answer)
}

// judge finds the command in the table, and says why it may not be run.
func (r *relay) judge(q *request) (*command, *failure) {
	c := r.protocol.commands[string(q.name)]
	switch {
	case q.legacy && !isHello(q.name):
		return nil, badRequest("OP_QUERY is supported for hello only: use OP_MSG")
	case q.legacy:
		q.database = []byte("admin")
	case q.database == nil:
		return nil, &failure{40571, "Location40571", "OP_MSG requests require a $db argument"}
	}
	switch {
	case c == nil:
		return nil, noSuchCommand(q.name)
	case r.loggedOut && !c.open:
		return nil, notAuthenticated(q.name)
	case c.onDatabase(r.route.Database, q) == refused:
		return nil, r.whyRefused(q, c)
	case !c.permits(q):
		return nil, badRequest("command %s has no such document sequence", printable(q.name))
	case c.look != nil:
		if f := c.look(r.route.Database, q); f != nil {
			return c, f
		}
	}
	if r.route.Reads() && c.onDatabase(r.route.Database, q) == passes {
		if f := readOnly(q, c); f != nil {
			return c, f
		}
	}
	if r.fixed {
		if f := schemaFixed(q, c); f != nil {
			return c, f
		}
	}
	if r.route.Role == "" {
		return c, quoted(q)
	}
	return c, nil
}

func (r *relay) whyRefused(q *request, c *command) *failure {
	if d := string(q.database); d != "admin" && d != r.route.Database {
		return unauthorized("not authorized on %s to execute command %s: this connection is bound to the database %s of %s '%s'",
			printable(q.database), printable(q.name), r.route.Database, r.live.Kind(), r.live.Name)
	}
	return refusedOn(q, c)
}

// skip drops what is left of a request that goes nowhere.
func (r *relay) skip(q *request) error {
	return r.rush(q, int(q.length), func([]byte) error { return nil })
}

// discard drops what is held of q from the window. Its views are not valid any
// more.
func (r *relay) discard(q *request) {
	if !q.packed {
		r.in.Discard(len(q.frame))
	}
}

// rush gives the rest of q, up to its byte to, to sink, and drops all of
// q from the window.
func (r *relay) rush(q *request, to int, sink func([]byte) error) error {
	held := len(q.frame)
	r.discard(q)
	for held < int(q.length) {
		if len(r.in.Bytes()) == 0 {
			if err := r.in.Fill(r.conn); err != nil {
				return fmt.Errorf("read frontend: %w", err)
			}
		}
		b := r.in.Bytes()
		b = b[:min(len(b), int(q.length)-held)]
		if err := sink(b[:min(len(b), max(0, to-held))]); err != nil {
			return err
		}
		held += len(b)
		r.in.Discard(len(b))
	}
	return nil
}

// ensureBackend makes sure that there is one to send to. One that rested may
// have been closed by its server.
func (r *relay) ensureBackend() error {
	if r.back != nil && (r.stale || time.Since(r.back.idleSince) > time.Second && !window.Alive(r.back.conn)) {
		r.dropBackend()
	}
	if r.back != nil {
		return nil
	}
	ctx, done := context.WithTimeout(context.Background(), askTimeout)
	defer done()
	r.stale = false
	r.relocate(ctx)
	b, err := r.protocol.take(ctx, r.route)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.back = b
	if r.stopped != 0 && r.stopped != protocols.Draining {
		_ = b.conn.SetDeadline(window.Past) // Stop did not see it
	}
	return nil
}

// dropBackend closes the backend, with what runs on it.
func (r *relay) dropBackend() {
	r.mu.Lock()
	b := r.back
	r.back = nil
	r.mu.Unlock()
	r.fromBackend.Release()
	if b != nil {
		b.Close()
	}
}

// dispose keeps the backend for the next session where nothing is owed on it.
func (r *relay) dispose(err error) {
	r.in.Release()
	b := r.back
	if b == nil {
		return
	}
	r.mu.Lock()
	busy, stopped := r.busy, r.stopped
	r.back = nil
	r.mu.Unlock()
	clean := !r.stale && len(r.fromBackend.Bytes()) == 0 && (!busy || errors.Is(err, errAnswered))
	r.fromBackend.Release()
	if clean && (stopped == 0 || stopped == protocols.Draining) && b.conn.SetDeadline(time.Time{}) == nil {
		r.protocol.give(r.route, b)
		return
	}
	b.Close()
}

// errAnswered ends a session whose backend owes nothing.
var errAnswered = errors.New("session ends after its answer")

// Stop makes Run end.
func (r *relay) Stop(reason protocols.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped != 0 && r.stopped != protocols.Draining {
		return
	}
	r.stopped = reason
	if reason == protocols.Draining {
		if !r.busy {
			_ = r.conn.SetReadDeadline(window.Past)
		}
		return
	}
	close(r.cut)
	_ = r.conn.SetReadDeadline(window.Past)
	_ = r.conn.SetWriteDeadline(time.Now().Add(window.LastWordsTimeout))
	if r.back != nil {
		_ = r.back.conn.SetDeadline(window.Past)
	}
}

// stopReason is why the session is to end, if it is.
func (r *relay) stopReason() protocols.Reason {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopped
}

// toFront writes to the client.
func (r *relay) toFront(b []byte) error {
	n, err := r.conn.Write(b)
	r.traffic.out.Add(int64(n))
	if err != nil {
		return fmt.Errorf("write frontend: %w", err)
	}
	return nil
}
