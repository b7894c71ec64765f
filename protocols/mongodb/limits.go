package mongodb

import (
	"context"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

const (
	// tick is the coarseness of the proxy's own time limits.
	tick = 20 * time.Millisecond
	// slowAfter is when it is worth to look whether a client still waits.
	slowAfter = 500 * time.Millisecond
)

// wheel is one coarse clock for the commands of all sessions, so that none
// needs a timer of its own. It ticks while there are sessions.
type wheel struct {
	base    time.Time
	mu      sync.Mutex
	relays  map[*relay]struct{}
	ticking bool
}

func newWheel() *wheel {
	return &wheel{base: time.Now(), relays: make(map[*relay]struct{})}
}

// now is the time since the wheel was made, in nanoseconds.
func (w *wheel) now() int64 { return int64(time.Since(w.base)) }

func (w *wheel) add(r *relay) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.relays[r] = struct{}{}
	if !w.ticking {
		w.ticking = true
		go w.turn()
	}
}

func (w *wheel) remove(r *relay) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.relays, r)
}

// turn ends with the last session.
func (w *wheel) turn() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var due []*relay
	for range ticker.C {
		now := w.now()
		w.mu.Lock()
		if len(w.relays) == 0 {
			w.ticking = false
			w.mu.Unlock()
			return
		}
		due = due[:0]
		for r := range w.relays {
			if passed(r.deadline.Load(), now) || passed(r.slow.Load(), now) {
				due = append(due, r)
			}
		}
		w.mu.Unlock()
		for _, r := range due {
			r.expire(now)
		}
		clear(due)
	}
}

func passed(deadline, now int64) bool { return deadline != 0 && now >= deadline }

// startClock begins the time of the request that is being sent. The server has
// the grace beyond a limit that it knows itself; a wait for news has none.
func (r *relay) startClock(x *exchange) {
	if x.limit == 0 || x.waits {
		return
	}
	patience := x.limit
	if x.timed {
		patience += r.protocol.config.KillGrace
	}
	r.deadline.Store(r.protocol.wheel.now() + int64(patience))
}

// expire looks at a request that takes long.
func (r *relay) expire(now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if passed(r.slow.Load(), now) {
		r.slow.Store(0)
		r.watchClient()
	}
	if !passed(r.deadline.Load(), now) {
		return
	}
	r.deadline.Store(0)
	if r.live.QueryTimeout() == 0 || r.back == nil {
		return // the limit was lifted since the request began
	}
	r.late = true
	_ = r.back.conn.SetDeadline(past)
}

// endExchange ends what others do about the request at hand, and says what they
// found.
func (r *relay) endExchange() (late, gone bool) {
	r.deadline.Store(0)
	r.slow.Store(0)
	r.unwatch()
	r.mu.Lock()
	defer r.mu.Unlock()
	late, gone = r.late, r.gone
	if (late || gone) && r.back != nil && r.stopped == 0 {
		// The reply may have come all the same, and the backend be as good as new.
		_ = r.back.conn.SetDeadline(time.Time{})
	}
	r.late = false
	return late, gone
}

// countRows adds the documents in a cursor's reply to those before, and says
// where they are too many.
func (r *relay) countRows(q *request, x *exchange, m *message) *failure {
	if !x.command.cursor {
		return nil
	}
	c, err := readCursor(m.body)
	if err != nil || c.batch == nil {
		return nil // an error of the server's, or no cursor
	}
	rows, exempt := r.space.cursor(x.cursor)
	rows += c.rows
	exempt = exempt || x.exempt || c.metadata()
	if limit := r.live.MaxRows(); limit > 0 && rows > limit && !exempt {
		r.space.forgetCursor(x.cursor)
		return tooManyRows(r.live, limit)
	}
	if c.id == 0 {
		r.space.forgetCursor(x.cursor)
	} else {
		r.space.noteCursor(c.id, cursor{rows, exempt, time.Now()})
	}
	return nil
}

// cursorReply is the cursor in a reply.
type cursorReply struct {
	id        int64
	namespace []byte
	batch     []byte
	rows      int64
}

// metadata says whether the cursor's documents are of the schema.
func (c *cursorReply) metadata() bool {
	_, collection, _ := splitNamespace(c.namespace)
	return len(collection) > 0 && collection[0] == '$'
}

func readCursor(body []byte) (c cursorReply, err error) {
	e, err := lookup(body, "cursor")
	if err != nil || e.kind != typeDocument {
		return c, err
	}
	w, err := document(e.value)
	if err != nil {
		return c, err
	}
	for w.more() {
		e, err := w.next()
		if err != nil {
			return c, err
		}
		switch string(e.key) {
		case "id":
			c.id, _ = e.number()
		case "ns":
			c.namespace, _ = e.text()
		case "firstBatch", "nextBatch":
			c.batch = e.value
			if c.rows, err = count(e.value); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

// killing is the command that kills the cursor of a reply; nil where it has
// ended.
func killing(m *message) []byte {
	c, err := readCursor(m.body)
	if err != nil || c.id == 0 {
		return nil
	}
	_, collection, _ := splitNamespace(c.namespace)
	return bsoncore.NewDocumentBuilder().AppendString("killCursors", string(collection)).
		AppendArray("cursors", bsoncore.NewArrayBuilder().AppendInt64(c.id).Build()).Build()
}

// endCursor ends a cursor that was too long. A stream of replies ends with its
// connection.
func (r *relay) endCursor(kill []byte, stream bool) {
	if stream {
		r.dropBackend()
	}
	if kill == nil {
		return
	}
	if err := r.ensureBackend(); err != nil {
		r.log.Warn("cursor not killed", "workspace", r.live.Name, "error", err)
		return
	}
	ctx, done := context.WithTimeout(context.Background(), askTimeout)
	defer done()
	release := r.back.until(ctx)
	defer release()
	if _, err := r.back.run(r.protocol.nextRequest(), r.route.Database, kill); err != nil {
		r.log.Warn("cursor not killed", "workspace", r.live.Name, "error", err)
		r.dropBackend()
	}
}
