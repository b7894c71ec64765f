package mongodb

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

const (
	// maxKnown bounds the collections that are known to be there, maxCursors
	// the cursors whose documents are counted.
	maxKnown   = 1 << 14
	maxCursors = 1 << 16
	// cursorIdle is above the time after which servers close a cursor.
	cursorIdle = time.Hour
	// transactionLife is above what servers give a transaction.
	transactionLife = 10 * time.Minute
)

// space is what the sessions of a workspace share.
type space struct {
	changing chan struct{} // holds one element while a command changes the schema

	mu      sync.Mutex
	known   map[string]struct{} // collections that are there
	cursors map[int64]cursor
	inTx    time.Time // when a transaction last may have changed the schema
	missed  int       // records that failed
	behind  bool      // one has failed, and none that began later came through
}

// cursor is what its replies so far had.
type cursor struct {
	rows   int64
	exempt bool
	used   time.Time
}

func newSpace() *space {
	return &space{
		changing: make(chan struct{}, 1),
		known:    make(map[string]struct{}),
		cursors:  make(map[int64]cursor),
	}
}

func (s *space) cursor(id int64) (rows int64, exempt bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.cursors[id]
	return c.rows, c.exempt
}

// noteCursor remembers c. Beyond the bound any other is forgotten, and counts
// anew: only one who opens very many can profit.
func (s *space) noteCursor(id int64, c cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.cursors) >= maxCursors {
		for other := range s.cursors {
			delete(s.cursors, other)
			break
		}
	}
	s.cursors[id] = c
}

func (s *space) forgetCursor(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cursors, id)
}

func (s *space) retireCursors(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.cursors {
		if now.Sub(c.used) > cursorIdle {
			delete(s.cursors, id)
		}
	}
}

func (s *space) knows(collection []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.known[string(collection)]
	return ok
}

func (s *space) learn(collection string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[collection] = struct{}{}
}

func (s *space) unlearn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.known)
}

// changedInTransaction notes, and inTransaction asks, whether a commit may
// change the schema.
func (s *space) changedInTransaction() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inTx = time.Now()
}

func (s *space) inTransaction() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.inTx) < transactionLife
}

// record brings the queue up to date. Where that fails the journal's next look
// finds what was changed, as long as nothing undoes it.
func (s *space) record(recorder Recorder, workspaceID int64) error {
	s.mu.Lock()
	missed := s.missed
	s.mu.Unlock()
	err := recorder.Record(context.Background(), workspaceID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.missed++
		s.behind = true
		return err
	}
	s.behind = s.behind && s.missed != missed
	return nil
}

func (s *space) isBehind() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.behind
}

// change is what a request may do to the schema of a tracked workspace. The
// queue must have it before the client hears of it.
type change struct {
	statement  string // what is announced; empty: nothing
	alone      bool   // no other such request may be under way
	collection string // that is there once the request wrote to it
	space      *space
	held       bool
}

// prepare says what becomes of q, which changes or may change the schema; nil
// where it turns out not to. What happens in a transaction happens when it
// commits.
func (r *relay) prepare(q *request, c *command) *change {
	if q.inTx && c.change != mayCommit {
		r.space.changedInTransaction()
		return nil
	}
	switch c.change {
	case changesSchema:
		return &change{space: r.space, alone: true, statement: statement(q.body)}
	case mayCreate:
		if name := q.collection(); !r.space.knows(name) {
			return &change{space: r.space, collection: string(name)}
		}
	case mayWriteOut:
		if writesOut(q) {
			return &change{space: r.space}
		}
	case mayCommit:
		if r.space.inTransaction() {
			return &change{space: r.space}
		}
	}
	return nil
}

var errCut = errors.New("session was cut off while it waited for another's schema change")

// acquire waits for its turn, and announces. While changes before it are not
// recorded there is no turn, which is a failure: it might undo one of them, and
// a comparison would find neither.
func (ch *change) acquire(r *relay) error {
	if ch.alone {
		select {
		case ch.space.changing <- struct{}{}:
			ch.held = true
		case <-r.cut:
			return errCut
		}
		if ch.space.isBehind() {
			if err := ch.space.record(r.protocol.config.Recorder, r.live.ID); err != nil {
				r.log.Error("schema changes not recorded", "workspace", r.live.Name, "error", err)
				return notRecorded(r.live)
			}
		}
	}
	if ch.statement != "" {
		r.protocol.config.Recorder.Announce(r.live.ID, uint32(r.number), ch.statement)
	}
	return nil
}

// release lets the next one have its turn.
func (ch *change) release() {
	if ch.held {
		<-ch.space.changing
		ch.held = false
	}
}

// settle makes the change durable in the queue; the client hears of it after
// that. What can't be recorded now has happened all the same: the client hears
// that too, and the next look records it.
func (ch *change) settle(r *relay, reply []byte) {
	if ch.alone {
		ch.space.unlearn()
	}
	if err := ch.space.record(r.protocol.config.Recorder, r.live.ID); err != nil {
		r.log.Warn("schema change not yet in the deploy queue", "workspace", r.live.Name, "error", err)
		return
	}
	if ch.collection != "" && wrote(reply) {
		ch.space.learn(ch.collection)
	}
}

// wrote says whether the reply to a write shows that it met or made a document,
// and so that its collection is there.
func wrote(reply []byte) bool {
	if last, err := lookup(reply, "lastErrorObject"); err == nil && last.kind == typeDocument {
		reply = last.value
	}
	n, err := lookup(reply, "n")
	if err != nil {
		return false
	}
	written, ok := n.number()
	return ok && written > 0
}

// writesOut says whether an aggregate, a mapReduce or a bulkWrite writes where
// a collection may not be yet.
func writesOut(q *request) bool {
	switch string(q.name) {
	case "aggregate":
		e, err := lookup(q.body, "pipeline")
		if err != nil || e.kind != typeArray {
			return false
		}
		out := false
		err = every(e.value, 1, func(e element) error {
			out = out || string(e.key) == "$out" || string(e.key) == "$merge"
			return nil
		})
		return out || err != nil
	case "mapReduce", "mapreduce":
		out, err := lookup(q.body, "out")
		if err != nil || out.kind != typeDocument {
			return true
		}
		inline, err := lookup(out.value, "inline")
		return err != nil || inline.kind == 0
	}
	return true
}

// statement is a command as it is recorded: in canonical Extended JSON, without
// what belongs to its sending only; empty where it can't be shown.
func statement(body []byte) string {
	w, err := document(body)
	if err != nil {
		return ""
	}
	index, doc := bsoncore.AppendDocumentStart(nil)
	for w.more() {
		begin := w.pos
		e, err := w.next()
		if err != nil {
			return ""
		}
		if !ofSending(e.key) {
			doc = append(doc, w.b[begin:w.pos]...)
		}
	}
	if doc, err = bsoncore.AppendDocumentEnd(doc, index); err != nil {
		return ""
	}
	text, err := bson.MarshalExtJSON(bson.Raw(doc), true, false)
	if err != nil {
		return ""
	}
	return string(text)
}

// ofSending says whether an element of a command is about how it is sent, not
// about what it does.
func ofSending(key []byte) bool {
	switch string(key) {
	case "lsid", "txnNumber", "autocommit", "startTransaction", "apiVersion", "apiStrict", "apiDeprecationErrors",
		"maxTimeMS", "writeConcern", "readConcern", "commitQuorum":
		return true
	}
	return len(key) > 0 && key[0] == '$'
}
