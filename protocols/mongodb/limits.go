package mongodb

import (
	"context"
	"time"

	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// slowAfter is when it is worth to look whether a client still waits.
const slowAfter = 500 * time.Millisecond

// Deadline is when the wheel is to look at the request at hand: the earlier of
// deadline and slow.
func (r *relay) Deadline() int64 {
	deadline, slow := r.deadline.Load(), r.slow.Load()
	if deadline == 0 || slow != 0 && slow < deadline {
		return slow
	}
	return deadline
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
	r.deadline.Store(r.protocol.wheel.Now() + int64(patience))
}

// Expire looks at a request that takes long.
func (r *relay) Expire(now int64) {
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
	_ = r.back.conn.SetDeadline(window.Past)
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
