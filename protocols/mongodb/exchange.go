package mongodb

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/tenantsdb/tenantsdb/protocols"
)

// exchange is what is known of the request under way once it was sent, when its
// bytes are not here any more.
type exchange struct {
	command *command
	change  *change // of the schema, where that is recorded
	limit   time.Duration
	session sessionID
	// inSession: the command came in that session.
	inSession bool
	timed     bool // the server knows the limit
	ours      bool // … which is the workspace's, not the client's own
	waits     bool // it is a cursor's wait for news, which may last
	exempt    bool // its cursor never ends, and has no limit of documents
	cursor    int64
	// muted: the client takes no reply, and the proxy asks for one all the same.
	// What the server does is over then, and is known; and some servers answer
	// whether they were asked or not, which would be taken for the next reply.
	muted bool
	// unread: a part of the request was not read from the client.
	unread bool
	over   bool // a stream of replies was ended
	// replying: a part of the reply went to the client.
	replying bool
}

// exchange sends q to the server and its replies to the client.
func (r *relay) exchange(q *request, c *command) error {
	x := exchange{command: c, limit: r.live.QueryTimeout(), muted: q.silent()}
	x.session, x.inSession = q.session()
	r.readCursor(q, c, &x)
	if r.tracked && c.change != changesNothing {
		x.change = r.prepare(q, c)
	}
	if x.change != nil {
		defer x.change.release()
		if err := x.change.acquire(r); err != nil {
			return r.notAcquired(q, err)
		}
	}
	if err := r.ensureBackend(); err != nil {
		r.log.Warn("backend not reached", "workspace", r.live.Name, "error", err)
		r.lastWords(q, workspaceUnreachable(r.live))
		return err
	}
	err := r.forward(q, &x)
	if err == nil {
		err = r.await(q, &x)
	}
	late, gone := r.endExchange()
	if err == nil {
		if r.back != nil { // it may have gone with a cursor that was too long
			r.back.idleSince = time.Now()
		}
		return nil
	}
	return r.failed(q, &x, err, late, gone)
}

// notAcquired answers a request that is not sent, where err is its answer.
func (r *relay) notAcquired(q *request, err error) error {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return err
	}
	r.traffic.in.Add(int64(q.length))
	if err := r.skip(q); err != nil {
		return err
	}
	return r.fail(q, f)
}

// failed says what becomes of the session where a request had no reply.
func (r *relay) failed(q *request, x *exchange, err error, late, gone bool) error {
	if !backendFailed(err) || x.replying {
		return err
	}
	if x.unread {
		r.farewell(q, lost(r.live))
		return err
	}
	r.dropBackend()
	switch reason := r.stopReason(); {
	case reason != 0 && reason != protocols.Draining:
		f := reasonFailure(reason, r.live)
		r.farewell(q, f)
		return f
	case gone:
		return errGone
	case late:
		r.killSession(x)
		return r.fail(q, timedOut(r.live, x.limit))
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return r.fail(q, f)
	}
	return r.fail(q, lost(r.live))
}

// errGone is a client that left while its request was under way.
var errGone = errors.New("client left while the server was at work")

// backendError marks an error at its source.
type backendError struct{ err error }

func (e *backendError) Error() string { return "backend: " + e.err.Error() }
func (e *backendError) Unwrap() error { return e.err }

func backendFailed(err error) bool {
	_, ok := errors.AsType[*backendError](err)
	return ok
}

// readCursor notes what the request says of its cursor.
func (r *relay) readCursor(q *request, c *command, x *exchange) {
	x.timed = c.timed
	if !c.cursor {
		return
	}
	if string(q.name) == "getMore" {
		x.cursor, _ = q.first.number()
		x.waits = q.maxTime.kind != 0
		return
	}
	x.exempt = endless(q)
}

// endless says whether q's cursor waits for what comes: a tailable one, or a
// change stream.
func endless(q *request) bool {
	if string(q.name) == "find" {
		e, err := lookup(q.body, "tailable")
		return err == nil && e.kind != 0 && e.truth()
	}
	e, err := lookup(q.body, "pipeline")
	if err != nil || e.kind != typeArray {
		return false
	}
	first, err := lookup(e.value, "0")
	if err != nil || first.kind != typeDocument {
		return false
	}
	stream, err := lookup(first.value, "$changeStream")
	return err == nil && stream.kind != 0
}

// maxTimeSize is the element that a request gets: its kind, name, and value.
const maxTimeSize = 1 + len("maxTimeMS") + 1 + 4

// forward sends q, with the time limit put in or lowered.
func (r *relay) forward(q *request, x *exchange) error {
	b := q.frame
	insert, changed := r.limitTime(q, x)
	x.ours = changed || insert > 0
	flags := q.flags
	if x.muted {
		changed = true
		flags &^= flagMoreToCome
	}
	end := int(q.length)
	if (changed || insert > 0) && flags&flagChecksum != 0 {
		end -= 4 // it would not hold; the server needs none
		flags &^= flagChecksum
		changed = true
	}
	r.traffic.in.Add(int64(q.length))
	if changed || insert > 0 {
		binary.LittleEndian.PutUint32(b, uint32(end+insert))
		binary.LittleEndian.PutUint32(b[headerSize:], flags)
	}
	if insert == 0 {
		return r.send(q, x, end, b[:min(len(b), end)], nil, nil)
	}
	binary.LittleEndian.PutUint32(b[q.bodyAt:], uint32(len(q.body)+insert))
	at := q.bodyAt + len(q.body) - 1
	rest := b[at:min(len(b), end)]
	if len(b)+insert > len(r.scratch) {
		return r.send(q, x, end, b[:at], appendMaxTime(r.scratch[:0], x.limit), rest)
	}
	out := appendMaxTime(append(r.scratch[:0], b[:at]...), x.limit)
	return r.send(q, x, end, append(out, rest...), nil, nil)
}

// send writes what is held of q, in up to three parts, and then what follows it
// up to q's byte end. The time begins when all of it is here.
func (r *relay) send(q *request, x *exchange, end int, first, second, third []byte) error {
	x.unread = !q.whole()
	if !x.unread {
		r.startClock(x)
	}
	err := r.toBackend(first)
	if err == nil && len(second) > 0 {
		err = r.toBackend(second)
	}
	if err == nil && len(third) > 0 {
		err = r.toBackend(third)
	}
	if err != nil {
		r.discard(q)
		return err
	}
	if err := r.rush(q, end, r.toBackend); err != nil {
		return err
	}
	if x.unread {
		x.unread = false
		r.startClock(x)
	}
	return nil
}

func (r *relay) toBackend(b []byte) error {
	if _, err := r.back.conn.Write(b); err != nil {
		return &backendError{err}
	}
	return nil
}

// limitTime lowers the request's own maxTimeMS in place, or says how many bytes
// it takes to put one in.
func (r *relay) limitTime(q *request, x *exchange) (insert int, changed bool) {
	if x.limit == 0 || !x.timed {
		return 0, false
	}
	if q.maxTime.kind == 0 {
		return maxTimeSize, false
	}
	limit := x.limit.Milliseconds()
	asked, ok := q.maxTime.number()
	if !ok || asked < 0 || asked > 0 && asked <= limit {
		return 0, false // the server refuses it, or it is the stricter one
	}
	switch v := q.maxTime.value; q.maxTime.kind {
	case typeInt32:
		binary.LittleEndian.PutUint32(v, uint32(min(limit, math.MaxInt32)))
	case typeInt64:
		binary.LittleEndian.PutUint64(v, uint64(limit))
	case typeDouble:
		binary.LittleEndian.PutUint64(v, math.Float64bits(float64(limit)))
	}
	return 0, true
}

func appendMaxTime(dst []byte, limit time.Duration) []byte {
	return bsoncore.AppendInt32Element(dst, "maxTimeMS", int32(min(limit.Milliseconds(), math.MaxInt32)))
}
