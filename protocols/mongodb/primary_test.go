package mongodb

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// replicaSet is two members, one of which is the primary, and a workspace that
// is wherever the primary is.
type replicaSet struct {
	members [2]*script
	primary atomic.Int32 // a member's index; -1 while there is none
	space   *testSpace
}

// newReplicaSet has members that take writes only where they are the primary,
// and then answer with reply.
func newReplicaSet(t *testing.T, reply bson.D) *replicaSet {
	t.Helper()
	set := &replicaSet{}
	for i := range set.members {
		set.members[i] = newScript(t, func(q peerRequest) []peerReply {
			if q.name == "insert" && set.primary.Load() != int32(i) {
				return []peerReply{{body: bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: "not primary"}, {Key: "code", Value: 10107},
					{Key: "codeName", Value: "NotWritablePrimary"}, {Key: "errorLabels", Value: bson.A{"RetryableWriteError"}}}}}
			}
			return []peerReply{{body: reply}}
		})
		set.members[i].greet = func() bson.D {
			d := slices.Clone(replicaSetHello())
			for j := range d {
				if d[j].Key == "isWritablePrimary" {
					d[j].Value = set.primary.Load() == int32(i)
				}
			}
			return d
		}
	}
	at := func() workspace.Address { return set.members[max(0, set.primary.Load())].address() }
	w := newWorldAt(t, at(), func(s *setup) { s.Servers = func() []workspace.Address { return []workspace.Address{at()} } })
	set.space = w.workspaceAt(t, at(), workspace.Control, workspace.DefaultSettings())
	w.directory.where = at
	return set
}

var inserted = bson.D{{Key: "ok", Value: 1.0}, {Key: "n", Value: 1}}

// TestANewPrimaryIsFollowed moves the primary away under an open session and a
// pool of warm backends.
func TestANewPrimaryIsFollowed(t *testing.T) {
	set := newReplicaSet(t, inserted)
	s := set.space
	c, warm := s.connect(t), s.connect(t)
	c.want(bson.D{{Key: "n", Value: 1}}, s.cmd(insert("c", bson.D{})))
	warm.conn.Close()
	wiretest.Await(t, "a backend is warm", func() bool { return s.world.protocol.pool.Idle() == 1 })

	set.primary.Store(1)
	got := c.want(bson.D{{Key: "code", Value: 10107}}, s.cmd(insert("c", bson.D{})))
	if labels, _ := got["errorLabels"].(bson.A); len(labels) != 1 {
		t.Errorf("the server's own answer: got %v", got)
	}
	for _, c := range []*wire{c, s.connect(t)} {
		c.want(bson.D{{Key: "n", Value: 1}}, s.cmd(insert("c", bson.D{})))
	}
	if got := len(set.members[1].got("insert")); got != 2 {
		t.Errorf("inserts at the new primary: got %d, want 2", got)
	}
}

// TestDriversWaitForANewPrimary has a driver insert while there is none, for some
// time.
func TestDriversWaitForANewPrimary(t *testing.T) {
	set := newReplicaSet(t, inserted)
	db := set.space.driver(t, "&replicaSet=rs0")
	ctx, done := context.WithTimeout(t.Context(), 2*patience)
	defer done()
	if _, err := db.Collection("c").InsertOne(ctx, bson.D{}); err != nil {
		t.Fatal(err)
	}
	set.primary.Store(-1)
	elected := make(chan error, 1)
	go func() {
		_, err := db.Collection("c").InsertOne(ctx, bson.D{})
		elected <- err
	}()
	monitor := set.space.world.stranger(t)
	wiretest.Await(t, "hello says that there is no primary", func() bool {
		got := monitor.do(hello())
		return got["isWritablePrimary"] == false && got["secondary"] == true && got["primary"] == nil && got["setName"] == "rs0"
	})
	set.primary.Store(1)
	if err := <-elected; err != nil {
		t.Errorf("the insert that had to wait: %v", err)
	}
	if got := len(set.members[1].got("insert")); got != 1 {
		t.Errorf("inserts at the new primary: got %d, want 1", got)
	}
}

// TestRetryableWritesAreRetried ends the server's connection under the first of
// each. The driver sends it again as it was, by which the server knows it.
func TestRetryableWritesAreRetried(t *testing.T) {
	var mu sync.Mutex
	ended := map[string]bool{}
	peer, s := scripted(t, workspace.Control, workspace.DefaultSettings(), func(q peerRequest) []peerReply {
		mu.Lock()
		defer mu.Unlock()
		if q.body["txnNumber"] != nil && !ended[q.name] {
			ended[q.name] = true
			q.conn.Close()
			return nil
		}
		return []peerReply{{body: bson.D{{Key: "ok", Value: 1.0}, {Key: "n", Value: 1}, {Key: "nModified", Value: 1}, {Key: "value", Value: bson.D{{Key: "_id", Value: 1}}}}}}
	})
	ctx, done := context.WithTimeout(t.Context(), patience)
	defer done()
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "x", Value: 1}}}}
	for _, query := range []string{"", plainDirect} {
		clear(ended)
		c := s.driver(t, query).Collection("c")
		for name, write := range map[string]func() error{
			"insert":        func() error { _, err := c.InsertOne(ctx, bson.D{}); return err },
			"update":        func() error { _, err := c.UpdateOne(ctx, bson.D{}, set); return err },
			"delete":        func() error { _, err := c.DeleteOne(ctx, bson.D{}); return err },
			"findAndModify": func() error { return c.FindOneAndUpdate(ctx, bson.D{}, set).Err() },
		} {
			before := len(peer.got(name))
			if err := write(); err != nil {
				t.Errorf("%q, %s: %v", query, name, err)
			}
			all := peer.got(name)[before:]
			if len(all) != 2 || all[0].body["txnNumber"] != all[1].body["txnNumber"] {
				t.Errorf("%q, %s: the server got %v, want it twice", query, name, all)
			}
		}
		// One without a number is the application's to retry.
		if _, err := c.UpdateMany(ctx, bson.D{}, set); err != nil {
			t.Errorf("an update of many: %v", err)
		}
	}
}

// TestTransactionsAreRetried ends the server's connection under a command of a
// transaction, and under its commit.
func TestTransactionsAreRetried(t *testing.T) {
	for _, at := range []string{"insert", "commitTransaction"} {
		var once sync.Once
		peer, s := scripted(t, workspace.Tenant, workspace.DefaultSettings(), func(q peerRequest) []peerReply {
			cut := false
			if q.name == at {
				once.Do(func() { cut = true })
			}
			if cut {
				q.conn.Close()
				return nil
			}
			return []peerReply{{body: inserted}}
		})
		db := s.driver(t, "")
		ctx, done := context.WithTimeout(t.Context(), patience)
		defer done()
		session, err := db.Client().StartSession()
		if err != nil {
			t.Fatal(err)
		}
		defer session.EndSession(ctx)
		if _, err := session.WithTransaction(ctx, func(ctx context.Context) (any, error) {
			_, err := db.Collection("c").InsertOne(ctx, bson.D{})
			return nil, err
		}); err != nil {
			t.Errorf("%s: %v", at, err)
		}
		if got := len(peer.got(at)); got != 2 {
			t.Errorf("%s: the server got it %d times, want 2", at, got)
		}
		if at == "insert" {
			if aborts := peer.got("abortTransaction"); len(aborts) != 1 {
				t.Errorf("aborts: got %v", aborts)
			}
		}
	}
}

// TestLostCommandsAreLabelled has what drivers go by.
func TestLostCommandsAreLabelled(t *testing.T) {
	_, s := scripted(t, workspace.Control, workspace.Settings{}, func(q peerRequest) []peerReply {
		if q.name != "ping" {
			q.conn.Close()
			return nil
		}
		return fine()
	})
	number, within := bson.E{Key: "txnNumber", Value: int64(1)}, bson.E{Key: "autocommit", Value: false}
	c := s.connect(t)
	for _, test := range []struct {
		command bson.D
		want    string
	}{
		{s.cmd(insert("c", bson.D{})), ""}, {s.cmd(append(insert("c", bson.D{}), number)), "RetryableWriteError"},
		{s.cmd(append(insert("c", bson.D{}), number, within)), "TransientTransactionError"}, {s.cmd(bson.D{{Key: "find", Value: "c"}, number, within}), "TransientTransactionError"},
		{admin(bson.D{{Key: "commitTransaction", Value: 1}, number, within}), "RetryableWriteError"},
		{admin(bson.D{{Key: "abortTransaction", Value: 1}, number, within}), "RetryableWriteError TransientTransactionError"},
	} {
		got := c.want(bson.D{{Key: "code", Value: 6}}, test.command)
		var labels []string
		list, _ := got["errorLabels"].(bson.A)
		for _, l := range list {
			labels = append(labels, l.(string))
		}
		if strings.Join(labels, " ") != test.want {
			t.Errorf("%v: got the labels %v, want %q", test.command, labels, test.want)
		}
	}
}

// TestChangeStreamsResume has a driver watch a collection whose server goes.
func TestChangeStreamsResume(t *testing.T) {
	token := func(n int) bson.D { return bson.D{{Key: "_data", Value: string(rune('a' + n))}} }
	event := func(n int) bson.D {
		return bson.D{{Key: "_id", Value: token(n)}, {Key: "operationType", Value: "insert"}, {Key: "documentKey", Value: bson.D{{Key: "_id", Value: n}}}}
	}
	batch := func(q peerRequest, field string, n int, events ...any) []peerReply {
		return []peerReply{{body: bson.D{{Key: "cursor", Value: bson.D{{Key: field, Value: append(bson.A{}, events...)}, {Key: "postBatchResumeToken", Value: token(n)},
			{Key: "id", Value: int64(7)}, {Key: "ns", Value: q.body["$db"].(string) + ".c"}}}, {Key: "ok", Value: 1.0}}}}
	}
	var n atomic.Int32
	peer, s := scripted(t, workspace.Control, workspace.Settings{MaxRowsPerQuery: 2, QueryTimeoutMS: 5000}, func(q peerRequest) []peerReply {
		switch q.name {
		case "aggregate":
			return batch(q, "firstBatch", int(n.Load()))
		case "getMore":
			next := int(n.Add(1))
			if next == 3 {
				q.conn.Close()
				return nil
			}
			return batch(q, "nextBatch", next, event(next))
		}
		return fine()
	})
	ctx, done := context.WithTimeout(t.Context(), patience)
	defer done()
	stream, err := s.driver(t, "").Collection("c").Watch(ctx, mongo.Pipeline{}, options.ChangeStream().SetMaxAwaitTime(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close(ctx)
	var got []int32
	for len(got) < 4 && stream.Next(ctx) {
		got = append(got, stream.Current.Lookup("documentKey", "_id").Int32())
	}
	if err := stream.Err(); err != nil || !slices.Equal(got, []int32{1, 2, 4, 5}) {
		t.Errorf("events: got %v, %v", got, err)
	}
	resumes := peer.got("aggregate")
	if len(resumes) != 2 {
		t.Fatalf("the stream was opened %d times, want 2", len(resumes))
	}
	pipeline := resumes[1].body["pipeline"].(bson.A)
	if got := pipeline[0].(bson.D)[0].Value.(bson.D); !slices.ContainsFunc(got, func(e bson.E) bool { return e.Key == "resumeAfter" && e.Value.(bson.D)[0].Value == "c" }) {
		t.Errorf("resumed with %v", got)
	}
	for _, more := range peer.got("getMore") {
		if more.body["maxTimeMS"] == nil || more.body["maxTimeMS"] == int32(5000) {
			t.Errorf("a wait for news has the limit %v, want the client's own", more.body["maxTimeMS"])
		}
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Error("the stream hung")
	}
}
