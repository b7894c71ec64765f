package mongodb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func insert(collection string, documents ...any) bson.D {
	return bson.D{{Key: "insert", Value: collection}, {Key: "documents", Value: append(bson.A{}, documents...)}}
}

// TestSchemaChangesAreAnnouncedAndRecorded runs each kind of change.
func TestSchemaChangesAreAnnouncedAndRecorded(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Tenant, workspace.DefaultSettings())
	c := s.connect(t)
	db := s.route.Database
	one := bson.D{{Key: "_id", Value: 1}}
	upsert := bson.D{{Key: "q", Value: one}, {Key: "u", Value: bson.D{{Key: "a", Value: 1}}}, {Key: "upsert", Value: true}}
	for _, step := range []struct {
		name     string
		cmd      bson.D
		announce string
		records  int
	}{
		{"create", s.cmd(bson.D{{Key: "create", Value: "users"}, {Key: "lsid", Value: bson.D{{Key: "id", Value: bson.Binary{Subtype: 4, Data: make([]byte, 16)}}}}}),
			`{"create":"users"}`, 1},
		{"create again, which fails", s.cmd(bson.D{{Key: "create", Value: "users"}}), `{"create":"users"}`, 1},
		{"createIndexes", s.cmd(bson.D{{Key: "createIndexes", Value: "users"}, {Key: "indexes", Value: bson.A{bson.D{{Key: "key", Value: bson.D{{Key: "a", Value: 1}}}, {Key: "name", Value: "a_1"}}}}}),
			`{"createIndexes":"users","indexes":[{"key":{"a":{"$numberInt":"1"}},"name":"a_1"}]}`, 1},
		{"dropIndexes", s.cmd(bson.D{{Key: "dropIndexes", Value: "users"}, {Key: "index", Value: "a_1"}}), `{"dropIndexes":"users","index":"a_1"}`, 1},
		{"a find", s.cmd(bson.D{{Key: "find", Value: "users"}}), "", 0},
		{"the first insert", s.cmd(insert("users", one)), "", 1},
		{"the next insert", s.cmd(insert("users", bson.D{})), "", 0},
		{"an insert that makes its collection", s.cmd(insert("implicit", one)), "", 1},
		{"another there", s.cmd(insert("implicit", bson.D{})), "", 0},
		{"an update of nothing", s.cmd(bson.D{{Key: "update", Value: "none"}, {Key: "updates", Value: bson.A{bson.D{{Key: "q", Value: one}, {Key: "u", Value: bson.D{{Key: "$set", Value: bson.D{{Key: "a", Value: 1}}}}}}}}}), "", 1},
		{"an update of nothing again", s.cmd(bson.D{{Key: "update", Value: "none"}, {Key: "updates", Value: bson.A{bson.D{{Key: "q", Value: one}, {Key: "u", Value: bson.D{{Key: "$set", Value: bson.D{{Key: "a", Value: 1}}}}}}}}}), "", 1},
		{"an upsert", s.cmd(bson.D{{Key: "update", Value: "upserted"}, {Key: "updates", Value: bson.A{upsert}}}), "", 1},
		{"an upsert there", s.cmd(bson.D{{Key: "update", Value: "upserted"}, {Key: "updates", Value: bson.A{upsert}}}), "", 0},
		{"findAndModify", s.cmd(bson.D{{Key: "findAndModify", Value: "found"}, {Key: "query", Value: one}, {Key: "update", Value: bson.D{{Key: "a", Value: 1}}}, {Key: "upsert", Value: true}}), "", 1},
		{"findAndModify there", s.cmd(bson.D{{Key: "findAndModify", Value: "found"}, {Key: "query", Value: one}, {Key: "remove", Value: true}}), "", 0},
		{"aggregate", s.cmd(bson.D{{Key: "aggregate", Value: "users"}, {Key: "pipeline", Value: bson.A{}}, {Key: "cursor", Value: bson.D{}}}), "", 0},
		{"$out", s.cmd(bson.D{{Key: "aggregate", Value: "users"}, {Key: "pipeline", Value: bson.A{bson.D{{Key: "$out", Value: "out"}}}}, {Key: "cursor", Value: bson.D{}}}), "", 1},
		{"rename", admin(bson.D{{Key: "renameCollection", Value: db + ".found"}, {Key: "to", Value: db + ".renamed"}}), `{"renameCollection":"` + db + `.found","to":"` + db + `.renamed"}`, 1},
		{"an insert after a change", s.cmd(insert("users", bson.D{})), "", 1},
		{"drop", s.cmd(bson.D{{Key: "drop", Value: "users"}, {Key: "comment", Value: "mine"}}), `{"drop":"users","comment":"mine"}`, 1},
		{"dropDatabase", s.cmd(bson.D{{Key: "dropDatabase", Value: 1}}), `{"dropDatabase":{"$numberInt":"1"}}`, 1},
	} {
		got := c.do(step.cmd)
		records, announced := w.recorder.Taken()
		if records != step.records || strings.Join(announced, " ") != step.announce {
			t.Errorf("%s (%v): got %d records and %v, want %d and %q", step.name, got, records, announced, step.records, step.announce)
		}
	}
}

// TestAChangeBehindALostBackendIsAnnounced: the next command takes another one.
func TestAChangeBehindALostBackendIsAnnounced(t *testing.T) {
	_, s := scripted(t, workspace.Tenant, workspace.Settings{}, func(q peerRequest) []peerReply {
		if q.name == "find" {
			q.conn.Close()
			return nil
		}
		return fine()
	})
	c := s.connect(t)
	c.refused(6, "closed the connection", s.cmd(bson.D{{Key: "find", Value: "c"}}))
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "create", Value: "users"}}))
	if _, announced := s.world.recorder.Taken(); len(announced) != 1 {
		t.Errorf("announced: got %v, want the command", announced)
	}
}

func TestControlWorkspacesRecordNothing(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Control, workspace.DefaultSettings())
	c := s.connect(t)
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "create", Value: "users"}}))
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(insert("others", bson.D{})))
	if records, announced := w.recorder.Taken(); records != 0 || announced != nil {
		t.Errorf("got %d records and %v", records, announced)
	}
}

// TestTheRecordComesBeforeTheAnswer holds a Record up and looks that the client
// has heard nothing.
func TestTheRecordComesBeforeTheAnswer(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Tenant, workspace.DefaultSettings())
	var answered, early atomic.Bool
	release := make(chan struct{})
	entered := make(chan struct{}, 8)
	w.recorder.Before(func() error {
		entered <- struct{}{}
		<-release
		early.Store(answered.Load())
		return nil
	})
	c := s.connect(t)
	done := make(chan bson.M, 1)
	c.request(0, s.cmd(bson.D{{Key: "create", Value: "users"}}))
	go func() {
		got := c.reply()
		answered.Store(true)
		done <- got
	}()
	<-entered
	close(release)
	if got := <-done; got["ok"] != 1.0 || early.Load() {
		t.Errorf("got %v, before its record: %v", got, early.Load())
	}
}

// TestAFailedRecordHidesNoAnswer has the store go away: what happened is answered
// as it was, and no change may follow that could undo it unseen.
func TestAFailedRecordHidesNoAnswer(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Tenant, workspace.DefaultSettings())
	c := s.connect(t)
	done, create := bson.D{{Key: "ok", Value: 1.0}}, func(name string) bson.D { return s.cmd(bson.D{{Key: "create", Value: name}}) }
	w.recorder.Before(func() error { return errors.New("the store is gone") })
	c.want(done, create("users"))
	if log := w.log.String(); !strings.Contains(log, "the store is gone") {
		t.Errorf("the log has %s", log)
	}
	c.want(bson.D{{Key: "n", Value: 1}}, s.cmd(insert("implicit", bson.D{})))
	for _, c := range []*wire{c, s.connect(t)} {
		c.refused(1, "this one was not made", s.cmd(bson.D{{Key: "drop", Value: "users"}}))
		c.want(done, s.cmd(bson.D{{Key: "count", Value: "users"}}))
	}
	w.recorder.Before(nil)
	w.recorder.Taken()
	c.want(done, create("others"))
	if records, announced := w.recorder.Taken(); records != 2 || len(announced) != 1 {
		t.Errorf("got %d records and %v, want one before the change and one after", records, announced)
	}
	got := c.do(s.cmd(bson.D{{Key: "listCollections", Value: 1}}))
	if batch := got["cursor"].(bson.D)[2].Value.(bson.A); len(batch) != 3 {
		t.Errorf("collections: got %v, want users, implicit and others", got)
	}
}

// TestUnacknowledgedWritesAreRecordedToo sends writes that want no reply.
func TestUnacknowledgedWritesAreRecordedToo(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Tenant, workspace.DefaultSettings())
	c := s.connect(t)
	for i := range 3 {
		c.request(flagMoreToCome, s.cmd(append(insert(fmt.Sprint("c", i), bson.D{}), bson.E{Key: "writeConcern", Value: bson.D{{Key: "w", Value: 0}}})))
	}
	got := c.do(s.cmd(bson.D{{Key: "listCollections", Value: 1}}))
	if batch := got["cursor"].(bson.D)[2].Value.(bson.A); len(batch) != 3 {
		t.Errorf("collections: got %v", got)
	}
	if records, _ := w.recorder.Taken(); records != 3 {
		t.Errorf("records: got %d, want 3", records)
	}
}

// TestOneSchemaChangeAtATime has many sessions compete, while Record looks that
// it is alone.
func TestOneSchemaChangeAtATime(t *testing.T) {
	var changing atomic.Int32
	peer := func(q peerRequest) []peerReply {
		if q.name == "create" && changing.Add(1) > 1 {
			t.Error("two changes at once")
		}
		return fine()
	}
	_, s := scripted(t, workspace.Tenant, workspace.Settings{}, peer)
	s.world.recorder.Before(func() error {
		changing.Add(-1)
		return nil
	})
	var all sync.WaitGroup
	for i := range 8 {
		c := s.connect(t)
		all.Go(func() {
			for j := range 25 {
				c.do(s.cmd(bson.D{{Key: "create", Value: fmt.Sprint(i, "_", j)}}))
			}
		})
	}
	all.Wait()
	if records, announced := s.world.recorder.Taken(); records != 200 || len(announced) != 200 {
		t.Errorf("got %d records and %d announced, want 200", records, len(announced))
	}
}

// TestTransactionsAreRecordedWhenTheyCommit runs one with a collection in it.
func TestTransactionsAreRecordedWhenTheyCommit(t *testing.T) {
	peer, s := scripted(t, workspace.Tenant, workspace.DefaultSettings(), func(q peerRequest) []peerReply {
		return []peerReply{{0, bson.D{{Key: "ok", Value: 1.0}, {Key: "n", Value: 1}}}}
	})
	db := s.driver(t, "&directConnection=false")
	ctx, done := context.WithTimeout(t.Context(), patience)
	defer done()
	session, err := db.Client().StartSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(ctx)
	if _, err := session.WithTransaction(ctx, func(ctx context.Context) (any, error) {
		_, err := db.Collection("made").InsertOne(ctx, bson.D{})
		return nil, err
	}, options.Transaction()); err != nil {
		t.Fatal(err)
	}
	if records, _ := s.world.recorder.Taken(); records != 1 {
		t.Errorf("records: got %d, want one at the commit", records)
	}
	if got := peer.got("commitTransaction"); len(got) != 1 || got[0].body["$db"] != "admin" || got[0].body["autocommit"] != false {
		t.Errorf("commit: got %v", got)
	}
	if got := peer.got("insert"); len(got) != 1 || got[0].body["startTransaction"] != true || got[0].body["txnNumber"] == nil {
		t.Errorf("insert: got %v", got)
	}
}

// TestDriversStayOnTheProxy has a driver discover a replica set whose members
// it can't reach.
func TestDriversStayOnTheProxy(t *testing.T) {
	peer, s := scripted(t, workspace.Control, workspace.DefaultSettings(), func(q peerRequest) []peerReply {
		return []peerReply{{0, bson.D{{Key: "ok", Value: 1.0}, {Key: "n", Value: 1}}}}
	})
	for _, query := range []string{"", "&replicaSet=rs0", "&directConnection=true", "&authMechanism=PLAIN"} {
		db := s.driver(t, query)
		ctx, done := context.WithTimeout(t.Context(), patience)
		defer done()
		if _, err := db.Collection("users").InsertOne(ctx, bson.D{}); err != nil {
			t.Errorf("%q: %v", query, err)
		}
	}
	inserts := peer.got("insert")
	if len(inserts) != 4 || inserts[0].body["txnNumber"] == nil {
		t.Errorf("retryable writes: got %v", inserts)
	}
	o := options.Client().ApplyURI(s.uri("")).SetTLSConfig(s.world.cert.Client()).SetReplicaSet("another").SetServerSelectionTimeout(1)
	ctx, done := context.WithTimeout(t.Context(), patience)
	defer done()
	if err := connect(t, o).Ping(ctx, nil); err == nil || errors.Is(err, mongo.ErrNoDocuments) {
		t.Error("a replica set of another name is taken for ours")
	}
}

// TestStreamsOfReplies has the server answer a getMore again and again.
func TestStreamsOfReplies(t *testing.T) {
	_, s := scripted(t, workspace.Control, workspace.DefaultSettings(), func(q peerRequest) []peerReply {
		if q.name != "getMore" {
			return fine()
		}
		if q.flags&flagExhaustAllowed == 0 {
			t.Errorf("flags: got %x", q.flags)
		}
		var all []peerReply
		for i := range 5 {
			flags, id := uint32(flagMoreToCome), int64(9)
			if i == 4 {
				flags, id = 0, 0
			}
			all = append(all, peerReply{flags, bson.D{{Key: "cursor", Value: bson.D{{Key: "nextBatch", Value: bson.A{bson.D{{Key: "i", Value: i}}}}, {Key: "id", Value: id}, {Key: "ns", Value: "x.c"}}}, {Key: "ok", Value: 1.0}}})
		}
		return all
	})
	c := s.connect(t)
	for range 2 {
		c.request(flagExhaustAllowed, s.cmd(bson.D{{Key: "getMore", Value: int64(9)}, {Key: "collection", Value: "c"}}))
		responseTo := c.id
		for i := range 5 {
			h, b := c.read()
			if h.responseTo != responseTo {
				t.Fatalf("reply %d is to %d, want to %d", i, h.responseTo, responseTo)
			}
			if got := fmt.Sprint(body(t, h, b)["cursor"]); !strings.Contains(got, fmt.Sprintf(`{"i":{"$numberInt":"%d"}}`, i)) {
				t.Errorf("reply %d: got %v", i, got)
			}
			responseTo = h.requestID
		}
		c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "ping", Value: 1}}))
	}
}

// TestTheRoleLogsIn has a server with users.
func TestTheRoleLogsIn(t *testing.T) {
	w := newWorld(t)
	peer := newScript(t, func(q peerRequest) []peerReply {
		if q.name == "saslStart" {
			return []peerReply{{0, bson.D{{Key: "ok", Value: 0.0}, {Key: "code", Value: 18}, {Key: "errmsg", Value: "Authentication failed."}}}}
		}
		return fine()
	})
	s := w.workspaceAt(t, peer.address(), workspace.Control, workspace.Settings{})
	s.route.Role, s.route.Password = "owner", rolePassword
	c := w.user(t)
	c.refused(6, "can't be reached", s.cmd(bson.D{{Key: "find", Value: "c"}}))
	got := peer.got("saslStart")
	if len(got) != 1 || got[0].body["$db"] != s.route.Database || got[0].body["mechanism"] != "SCRAM-SHA-256" {
		t.Errorf("got %v", got)
	}
}

// TestTheRoleLogsInByTLS has another proxy for a server, which knows a user by
// SCRAM and takes nothing without TLS.
func TestTheRoleLogsInByTLS(t *testing.T) {
	server := newWorld(t)
	inside := server.workspace(t, workspace.Control, workspace.DefaultSettings())
	at := workspace.Address{Network: "tcp", Addr: server.addr, TLS: server.cert.Client()}
	w := newWorldAt(t, at)
	s := w.workspaceAt(t, at, workspace.Control, workspace.DefaultSettings())
	w.directory.mu.Lock()
	s.route.Role, s.route.Password, s.route.Database = testUser, testPassword, inside.route.Database
	w.directory.spaces[s.route.Database] = s
	w.directory.mu.Unlock()
	c := s.connect(t)
	c.want(bson.D{{Key: "n", Value: 1}}, s.cmd(insert("users", bson.D{{Key: "_id", Value: 1}})))
	inside.connect(t).want(bson.D{{Key: "n", Value: 1}}, s.cmd(bson.D{{Key: "count", Value: "users"}}))
}
