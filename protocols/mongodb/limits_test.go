package mongodb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func TestTheTimeLimitIsPutIn(t *testing.T) {
	peer, s := scripted(t, workspace.Control, workspace.Settings{QueryTimeoutMS: 5000}, func(peerRequest) []peerReply { return fine() })
	c := s.connect(t)
	long := strings.Repeat("x", 100_000)
	for i, step := range []struct {
		asked any
		want  any
	}{{nil, int32(5000)}, {int32(100), int32(100)}, {int32(0), int32(5000)}, {int32(60_000), int32(5000)}, {int64(60_000), int64(5000)}, {60_000.0, 5000.0}, {int64(7), int64(7)}} {
		for _, filler := range []string{"", long} {
			for _, flags := range []uint32{0, flagChecksum} {
				cmd := bson.D{{Key: "find", Value: "c"}, {Key: "filter", Value: bson.D{{Key: "n", Value: i}, {Key: "text", Value: filler}}}}
				if step.asked != nil {
					cmd = append(cmd, bson.E{Key: "maxTimeMS", Value: step.asked})
				}
				c.id++
				b := appendMessage(nil, c.id, 0, flags, encode(t, s.cmd(cmd)))
				if flags != 0 {
					b = append(b, 1, 2, 3, 4)
					putLength(b, len(b))
				}
				c.send(b)
				if got := c.reply(); got["ok"] != 1.0 {
					t.Fatalf("got %v", got)
				}
				all := peer.got("find")
				got := all[len(all)-1]
				if got.body["maxTimeMS"] != step.want || got.body["filter"].(bson.D)[1].Value != filler {
					t.Errorf("asked %v: the server got %v, want %v", step.asked, got.body["maxTimeMS"], step.want)
				}
			}
		}
	}
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "getMore", Value: int64(1)}, {Key: "collection", Value: "c"}}))
	if got := peer.got("getMore")[0].body["maxTimeMS"]; got != nil {
		t.Errorf("getMore: the server got %v", got)
	}
	s.live.Set(workspace.Settings{})
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "find", Value: "c"}}))
	all := peer.got("find")
	if got := all[len(all)-1].body["maxTimeMS"]; got != nil {
		t.Errorf("without a limit the server got %v", got)
	}
}

// TestLargeMessagesStreamWithTheLimit sends a document sequence that is larger
// than any window.
func TestLargeMessagesStreamWithTheLimit(t *testing.T) {
	peer, s := scripted(t, workspace.Control, workspace.Settings{QueryTimeoutMS: 20_000}, func(peerRequest) []peerReply { return fine() })
	c := s.connect(t)
	document := encode(t, bson.D{{Key: "text", Value: strings.Repeat("x", 1<<20)}})
	var documents []byte
	for range 40 {
		documents = append(documents, document...)
	}
	for _, first := range []bool{false, true} {
		c.id++
		c.send(withSequence(c.id, encode(t, s.cmd(bson.D{{Key: "insert", Value: "c"}})), "documents", documents, first))
		if got := c.reply(); got["ok"] != 1.0 {
			t.Fatalf("got %v", got)
		}
	}
	for _, got := range peer.got("insert") {
		var m message
		if _, err := parseMessage(got.frame, got.h, &m); err != nil || string(m.documents[0]) != string(documents) {
			t.Errorf("the server got %d bytes of documents, %v", len(m.documents[0]), err)
		}
		if got.body["maxTimeMS"] != int32(20_000) {
			t.Errorf("the server got %v", got.body["maxTimeMS"])
		}
	}
}

// The server knows the workspace's limit as a number of the request's only.
func TestTheServersTimeoutIsToldInOurWords(t *testing.T) {
	expired := bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: "operation exceeded time limit"}, {Key: "code", Value: int32(50)}, {Key: "codeName", Value: "MaxTimeMSExpired"}}
	_, s := scripted(t, workspace.Control, workspace.Settings{QueryTimeoutMS: 5000}, func(q peerRequest) []peerReply {
		if q.name != "find" && q.name != "count" {
			return fine()
		}
		return []peerReply{{body: expired}}
	})
	c := s.connect(t)
	for _, name := range []string{"find", "count"} {
		c.refused(50, "5000 ms (query_timeout_ms", s.cmd(bson.D{{Key: name, Value: "c"}}))
		c.refused(50, "operation exceeded time limit", s.cmd(bson.D{{Key: name, Value: "c"}, {Key: "maxTimeMS", Value: int32(10)}}))
	}
}

func TestAServerThatIgnoresTheLimitIsCutOff(t *testing.T) {
	hang := make(chan struct{})
	peer, s := scripted(t, workspace.Control, workspace.Settings{}, func(q peerRequest) []peerReply {
		if q.name != "find" && q.name != "distinct" {
			return fine()
		}
		<-hang
		return nil
	}, func(s *setup) { s.KillGrace = 50 * time.Millisecond })
	defer close(hang)
	c := s.connect(t)
	before := peer.Accepted()
	s.live.Set(workspace.Settings{QueryTimeoutMS: 100})
	for _, name := range []string{"find", "distinct"} {
		c.refused(50, "100 ms (query_timeout_ms", s.cmd(bson.D{{Key: name, Value: "c"}}))
	}
	s.live.Set(workspace.Settings{})
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "count", Value: "c"}}))
	if got := peer.Accepted() - before; got != 2 {
		t.Errorf("connections to the server: got %d more, want one for each cut", got)
	}
}

func TestAWaitForNewsHasNoLimit(t *testing.T) {
	_, s := scripted(t, workspace.Control, workspace.Settings{}, func(q peerRequest) []peerReply {
		if q.name == "getMore" {
			timer := time.NewTimer(500 * time.Millisecond) // ten times the limit
			<-timer.C
		}
		return fine()
	}, func(s *setup) { s.KillGrace = time.Millisecond })
	c := s.connect(t)
	s.live.Set(workspace.Settings{QueryTimeoutMS: 50})
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "getMore", Value: int64(1)}, {Key: "collection", Value: "c"}, {Key: "maxTimeMS", Value: 1000}}))
}

func TestRowsAreCountedAcrossACursor(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Control, workspace.Settings{MaxRowsPerQuery: 100})
	for _, query := range []string{plainDirect, "&compressors=snappy"} {
		db := s.driver(t, query)
		c := db.Collection("rows" + fmt.Sprint(len(query)))
		var documents []any
		for i := range 101 {
			documents = append(documents, bson.D{{Key: "_id", Value: i}})
		}
		ctx, done := context.WithTimeout(t.Context(), patience)
		defer done()
		if _, err := c.InsertMany(ctx, documents); err != nil {
			t.Fatal(err)
		}
		all := func(limit int64, batch int32) (int, error) {
			cursor, err := c.Find(ctx, bson.D{}, options.Find().SetLimit(limit).SetBatchSize(batch))
			if err != nil {
				return 0, err
			}
			defer cursor.Close(ctx)
			n := 0
			for cursor.Next(ctx) {
				n++
			}
			return n, cursor.Err()
		}
		for _, batch := range []int32{0, 7, 50, 1000} {
			if n, err := all(100, batch); n != 100 || err != nil {
				t.Errorf("at the limit, batches of %d: got %d, %v", batch, n, err)
			}
			n, err := all(0, batch)
			failed, ok := errors.AsType[mongo.CommandError](err)
			if !ok || failed.Code != 292 || !strings.Contains(failed.Message, "100 documents (max_rows_per_query") || n > 100 {
				t.Errorf("beyond the limit, batches of %d: got %d, %v", batch, n, err)
			}
		}
		s.live.Set(workspace.Settings{})
		if n, err := all(0, 7); n != 101 || err != nil {
			t.Errorf("without a limit: got %d, %v", n, err)
		}
		s.live.Set(workspace.Settings{MaxRowsPerQuery: 100})
	}
}

func TestACursorThatIsTooLongIsKilled(t *testing.T) {
	peer, s := scripted(t, workspace.Control, workspace.Settings{MaxRowsPerQuery: 1}, func(q peerRequest) []peerReply {
		batch := bson.A{bson.D{}, bson.D{}}
		if q.name == "killCursors" || q.name == "ping" {
			return fine()
		}
		field := "firstBatch"
		var flags uint32
		if q.name == "getMore" {
			field, flags = "nextBatch", flagMoreToCome
		}
		return []peerReply{{flags, bson.D{{Key: "cursor", Value: bson.D{{Key: field, Value: batch}, {Key: "id", Value: int64(77)}, {Key: "ns", Value: "x.a.b"}}}, {Key: "ok", Value: 1.0}}}}
	})
	c := s.connect(t)
	c.refused(292, "1 documents", s.cmd(bson.D{{Key: "find", Value: "a.b"}}))
	// Also in a stream, which ends with that.
	c.request(flagExhaustAllowed, s.cmd(bson.D{{Key: "getMore", Value: int64(77)}, {Key: "collection", Value: "a.b"}}))
	if got := c.reply(); got["code"] != int32(292) {
		t.Errorf("stream: got %v", got)
	}
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "ping", Value: 1}}))
	kills := peer.got("killCursors")
	if len(kills) != 2 {
		t.Fatalf("cursors killed: got %v, want 2", kills)
	}
	for _, k := range kills {
		if ids := k.body["cursors"].(bson.A); k.body["killCursors"] != "a.b" || ids[0] != int64(77) {
			t.Errorf("kill: got %v", k.body)
		}
	}
}

// A server that goes while it is asked to end a cursor, or a stream that has no
// more to end, leaves the session as it was.
func TestACursorThatIsTooLongAndCantBeKilled(t *testing.T) {
	_, s := scripted(t, workspace.Control, workspace.Settings{MaxRowsPerQuery: 1}, func(q peerRequest) []peerReply {
		id, flags := int64(77), uint32(0)
		switch q.name {
		case "killCursors":
			q.conn.Close()
			return nil
		case "ping":
			return fine()
		case "getMore":
			id, flags = 0, flagMoreToCome
		}
		return []peerReply{{flags, bson.D{{Key: "cursor", Value: bson.D{{Key: "nextBatch", Value: bson.A{bson.D{}, bson.D{}}}, {Key: "id", Value: id}, {Key: "ns", Value: "x.a"}}}, {Key: "ok", Value: 1.0}}}}
	})
	c := s.connect(t)
	c.refused(292, "1 documents", s.cmd(bson.D{{Key: "find", Value: "a"}}))
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "ping", Value: 1}}))
	c.request(flagExhaustAllowed, s.cmd(bson.D{{Key: "getMore", Value: int64(77)}, {Key: "collection", Value: "a"}}))
	if got := c.reply(); got["code"] != int32(292) {
		t.Errorf("stream: got %v", got)
	}
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "ping", Value: 1}}))
}

func TestNewsAreNotCounted(t *testing.T) {
	_, s := scripted(t, workspace.Control, workspace.Settings{MaxRowsPerQuery: 2}, func(q peerRequest) []peerReply {
		field := "nextBatch"
		if q.name == "aggregate" {
			field = "firstBatch"
		}
		return []peerReply{{0, bson.D{{Key: "cursor", Value: bson.D{{Key: field, Value: bson.A{bson.D{}, bson.D{}}}, {Key: "id", Value: int64(5)}, {Key: "ns", Value: "x.c"}}}, {Key: "ok", Value: 1.0}}}}
	})
	c := s.connect(t)
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "aggregate", Value: "c"}, {Key: "pipeline", Value: bson.A{bson.D{{Key: "$changeStream", Value: bson.D{}}}}}, {Key: "cursor", Value: bson.D{}}}))
	for range 5 {
		c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "getMore", Value: int64(5)}, {Key: "collection", Value: "c"}}))
	}
	// One that any other cursor is stops at its limit, on whichever connection.
	s.connect(t).want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "getMore", Value: int64(6)}, {Key: "collection", Value: "c"}}))
}

func TestConnectionsBeyondTheLimitAreRefused(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Control, workspace.Settings{MaxConnections: 2})
	first, second := s.connect(t), s.connect(t)
	third := w.user(t)
	third.refused(202, "all of its 2 connections (max_connections", s.cmd(bson.D{{Key: "ping", Value: 1}}))
	third.ended()
	first.conn.Close()
	wiretest.Await(t, "the first has left", func() bool { return strings.Contains(w.log.String(), "session ended") })
	s.connect(t)
	s.live.Set(workspace.Settings{MaxConnections: 3})
	s.connect(t)
	second.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "ping", Value: 1}}))
}

func TestAServerThatGoesIsReported(t *testing.T) {
	peer, s := scripted(t, workspace.Control, workspace.Settings{}, func(q peerRequest) []peerReply {
		if q.name == "find" {
			q.conn.Close()
			return nil
		}
		return fine()
	})
	c := s.connect(t)
	c.refused(6, "closed the connection before it answered", s.cmd(bson.D{{Key: "find", Value: "c"}}))
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "count", Value: "c"}}))
	if got := len(peer.got("find")); got != 1 {
		t.Errorf("the server got it %d times, want once", got)
	}
}

// A session that is cut off while it takes another backend must not wait for what
// that one says.
func TestASessionIsCutOffWhileItTakesABackend(t *testing.T) {
	lost, greeting, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	peer := newScript(t, func(q peerRequest) []peerReply {
		switch q.name {
		case "ping":
			return fine()
		case "find":
			close(lost)
			q.conn.Close()
		}
		return nil
	})
	var once sync.Once
	peer.greet = func() bson.D {
		select {
		case <-lost:
			once.Do(func() { close(greeting) })
			<-release
		default:
		}
		return peer.hello
	}
	w := newWorldAt(t, peer.address())
	s := w.workspaceAt(t, peer.address(), workspace.Control, workspace.Settings{})
	c := s.connect(t)
	c.refused(6, "closed the connection", s.cmd(bson.D{{Key: "find", Value: "c"}}))
	c.request(0, s.cmd(bson.D{{Key: "count", Value: "c"}}))
	<-greeting
	now, cancel := context.WithCancel(t.Context())
	cancel()
	down := make(chan struct{})
	go func() {
		defer close(down)
		_ = w.server.Shutdown(now) // it is not in time
	}()
	<-time.After(200 * time.Millisecond) // the session is stopped
	close(release)
	select {
	case <-down:
	case <-time.After(patience):
		t.Error("it waits for the server's answer")
	}
}

// TestAServerThatMisbehaves answers what no server does.
func TestAServerThatMisbehaves(t *testing.T) {
	length := func(n uint32) []byte {
		b := appendMessage(nil, 1, 0, 0, nil)
		binary.LittleEndian.PutUint32(b, n)
		return b
	}
	for name, answer := range map[string][]byte{
		"to another request": appendMessage(nil, 1, 99, 0, []byte{5, 0, 0, 0, 0}), "a short length": length(15), "a huge length": length(0x7fffffff),
		"a negative length": length(0xffffffff), "another opcode": appendReply(nil, 1, 0, []byte{5, 0, 0, 0, 0}),
	} {
		_, s := scripted(t, workspace.Control, workspace.DefaultSettings(), func(q peerRequest) []peerReply {
			if q.name == "find" {
				_, _ = q.conn.Write(answer)
				return nil
			}
			return fine()
		})
		c := s.connect(t)
		got := c.do(s.cmd(bson.D{{Key: "find", Value: "c"}}))
		if got["code"] != int32(6) {
			t.Errorf("%s: got %v", name, got)
		}
		c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "ping", Value: 1}}))
	}
}

// TestWhatWantsNoReplyHasNone has a server that answers it, as FerretDB does, and
// one that never does.
func TestWhatWantsNoReplyHasNone(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	for _, mode := range []workspace.Mode{workspace.Control, workspace.Tenant} {
		peer, s := scripted(t, mode, workspace.Settings{QueryTimeoutMS: 2000}, func(q peerRequest) []peerReply {
			if q.name == "update" {
				<-hang
				return nil
			}
			return fine()
		})
		c := s.connect(t)
		unacknowledged := bson.E{Key: "writeConcern", Value: bson.D{{Key: "w", Value: 0}}}
		for range 3 {
			c.request(flagMoreToCome, s.cmd(bson.D{{Key: "delete", Value: "c"}, {Key: "deletes", Value: bson.A{}}, unacknowledged}))
			c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "count", Value: "c"}}))
		}
		c.request(flagMoreToCome, s.cmd(bson.D{{Key: "update", Value: "c"}, {Key: "updates", Value: bson.A{}}, unacknowledged}))
		c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "count", Value: "c"}}))
		for _, q := range append(peer.got("delete"), peer.got("update")...) {
			if q.flags&flagMoreToCome != 0 {
				t.Errorf("%s: the server was not asked for a reply to %s", mode, q.name)
			}
		}
	}
}

func TestAReplyOfManyLargeDocumentsPasses(t *testing.T) {
	document := bson.D{{Key: "b", Value: make([]byte, 16<<20-64)}}
	batch := bson.A{document, document, document}
	_, s := scripted(t, workspace.Control, workspace.DefaultSettings(), func(q peerRequest) []peerReply {
		switch q.name {
		case "find":
			return []peerReply{{0, bson.D{{Key: "ok", Value: 1.0}, {Key: "cursor", Value: bson.D{
				{Key: "firstBatch", Value: batch}, {Key: "id", Value: int64(0)}, {Key: "ns", Value: "x.c"}}}}}}
		case "aggregate":
			_, _ = q.conn.Write(appendHeader(nil, header{maxReply + 1, 1, q.h.requestID, opMsg}))
			return nil
		}
		return fine()
	})
	c := s.connect(t)
	if got := c.do(s.cmd(bson.D{{Key: "find", Value: "c"}})); got["ok"] != 1.0 {
		t.Errorf("got %v, want the documents", got["errmsg"])
	}
	c.refused(10334, "smaller batches (batchSize)", s.cmd(bson.D{{Key: "aggregate", Value: "c"}, {Key: "pipeline", Value: bson.A{}}, {Key: "cursor", Value: bson.D{}}}))
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "count", Value: "c"}}))
}

func TestAClientThatLeavesEndsItsCommand(t *testing.T) {
	left, asked := make(chan struct{}), make(chan struct{})
	_, s := scripted(t, workspace.Control, workspace.Settings{}, func(q peerRequest) []peerReply {
		if q.name != "find" {
			return fine()
		}
		close(asked)
		var one [1]byte
		_, _ = q.conn.Read(one[:]) // until the proxy closes it
		close(left)
		return nil
	})
	c := s.connect(t)
	c.request(0, s.cmd(bson.D{{Key: "find", Value: "c"}}))
	<-asked
	c.conn.Close()
	select {
	case <-left:
	case <-time.After(patience):
		t.Error("the server still works for nobody")
	}
}

func TestDeletedAndCutSessionsAreTold(t *testing.T) {
	for reason, code := range map[protocols.Reason]int32{protocols.Deleted: 215, protocols.Cut: 91} {
		asked, hang := make(chan struct{}), make(chan struct{})
		_, s := scripted(t, workspace.Control, workspace.Settings{}, func(q peerRequest) []peerReply {
			if q.name == "find" {
				close(asked)
				<-hang
				return nil
			}
			return fine()
		})
		idle, busy := s.connect(t), s.connect(t)
		busy.request(0, s.cmd(bson.D{{Key: "find", Value: "c"}}))
		<-asked
		ctx, done := context.WithTimeout(t.Context(), patience)
		if reason == protocols.Deleted {
			s.world.server.CloseWorkspace(ctx, s.live.ID)
		} else {
			over, end := context.WithCancel(ctx)
			end()
			if err := s.world.server.Shutdown(over); !errors.Is(err, context.Canceled) {
				t.Errorf("shutdown: got %v", err)
			}
		}
		done()
		if got := busy.reply(); got["code"] != code {
			t.Errorf("%v: got %v, want %d", reason, got, code)
		}
		busy.ended()
		if got := idle.ended(); len(got) != 0 {
			t.Errorf("idle: got %q", got)
		}
		close(hang)
	}
}

func TestDrainingWaitsForTheReply(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	_, s := scripted(t, workspace.Control, workspace.Settings{}, func(q peerRequest) []peerReply {
		if q.name == "find" {
			close(asked)
			<-answer
		}
		return fine()
	})
	idle, busy := s.connect(t), s.connect(t)
	busy.request(0, s.cmd(bson.D{{Key: "find", Value: "c"}}))
	<-asked
	shut := make(chan error, 1)
	ctx, done := context.WithTimeout(t.Context(), patience)
	defer done()
	go func() { shut <- s.world.server.Shutdown(ctx) }()
	if got := idle.ended(); len(got) != 0 {
		t.Errorf("idle: got %q", got)
	}
	close(answer)
	if got := busy.reply(); got["ok"] != 1.0 {
		t.Errorf("busy: got %v", got)
	}
	busy.ended()
	if err := <-shut; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}
