package mongodb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// outcome is what a command gave, without what differs between any two runs.
func outcome(db *mongo.Database, cmd bson.D) string {
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	var reply bson.D
	err := db.RunCommand(ctx, cmd).Decode(&reply)
	if failed, ok := errors.AsType[mongo.CommandError](err); ok {
		return fmt.Sprintf("error %d %s: %s", failed.Code, failed.Name, failed.Message)
	}
	if err != nil {
		return "error " + err.Error()
	}
	kept := map[string]any{}
	for _, e := range reply {
		switch e.Key {
		case "serverInfo", "$clusterTime", "operationTime", "localTime", "connectionId", "storageSize", "totalSize", "dataSize", "indexSize", "uuid":
			continue
		case "cursor":
			text := fmt.Sprint(e.Value)
			if at := strings.Index(text, `"uuid"`); at >= 0 {
				text = text[:at]
			}
			e.Value = text
		}
		kept[e.Key] = e.Value
	}
	return fmt.Sprint(kept)
}

// TestParity runs a script direct and through the proxy; outcomes are the same.
func TestParity(t *testing.T) {
	w := newWorld(t)
	through, straight := w.workspace(t, workspace.Tenant, workspace.DefaultSettings()), w.workspace(t, workspace.Control, workspace.Settings{})
	proxied, direct := through.driver(t, plainDirect), straight.direct(t)
	doc := func(i int) bson.D {
		return bson.D{{Key: "_id", Value: i}, {Key: "n", Value: i % 7}, {Key: "name", Value: fmt.Sprint("name ", i)}}
	}
	var documents bson.A
	for i := range 50 {
		documents = append(documents, doc(i))
	}
	one := bson.D{{Key: "_id", Value: 1}}
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "x", Value: true}}}}
	for _, cmd := range []bson.D{
		{{Key: "create", Value: "users"}}, {{Key: "create", Value: "users"}}, {{Key: "create", Value: "bad$name"}},
		{{Key: "insert", Value: "users"}, {Key: "documents", Value: documents}},
		{{Key: "insert", Value: "users"}, {Key: "documents", Value: bson.A{doc(1), doc(100)}}, {Key: "ordered", Value: false}},
		{{Key: "find", Value: "users"}, {Key: "filter", Value: bson.D{{Key: "n", Value: 3}}}, {Key: "sort", Value: bson.D{{Key: "_id", Value: -1}}}},
		{{Key: "find", Value: "users"}, {Key: "filter", Value: bson.D{{Key: "$bad", Value: 1}}}}, {{Key: "find", Value: 7}}, {{Key: "find", Value: "none"}},
		{{Key: "find", Value: "users"}, {Key: "limit", Value: -1}}, {{Key: "find", Value: "users"}, {Key: "maxTimeMS", Value: -1}}, {{Key: "find", Value: "users"}, {Key: "maxTimeMS", Value: "x"}},
		{{Key: "count", Value: "users"}}, {{Key: "distinct", Value: "users"}, {Key: "key", Value: "n"}},
		{{Key: "update", Value: "users"}, {Key: "updates", Value: bson.A{bson.D{{Key: "q", Value: one}, {Key: "u", Value: set}}}}},
		{{Key: "findAndModify", Value: "users"}, {Key: "query", Value: one}, {Key: "update", Value: set}, {Key: "new", Value: true}},
		{{Key: "findAndModify", Value: "users"}, {Key: "query", Value: one}, {Key: "remove", Value: true}},
		{{Key: "delete", Value: "users"}, {Key: "deletes", Value: bson.A{bson.D{{Key: "q", Value: bson.D{{Key: "n", Value: 2}}}, {Key: "limit", Value: 0}}}}},
		{{Key: "aggregate", Value: "users"}, {Key: "pipeline", Value: bson.A{bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$n"}, {Key: "c", Value: bson.D{{Key: "$sum", Value: 1}}}}}}, bson.D{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}}}}, {Key: "cursor", Value: bson.D{}}},
		{{Key: "aggregate", Value: "users"}, {Key: "pipeline", Value: bson.A{bson.D{{Key: "$noStage", Value: 1}}}}, {Key: "cursor", Value: bson.D{}}},
		{{Key: "createIndexes", Value: "users"}, {Key: "indexes", Value: bson.A{bson.D{{Key: "key", Value: bson.D{{Key: "n", Value: 1}}}, {Key: "name", Value: "n_1"}}}}},
		{{Key: "listIndexes", Value: "users"}}, {{Key: "listCollections", Value: 1}}, {{Key: "dropIndexes", Value: "users"}, {Key: "index", Value: "n_1"}}, {{Key: "dropIndexes", Value: "users"}, {Key: "index", Value: "none"}},
		{{Key: "collMod", Value: "users"}}, {{Key: "validate", Value: "users"}}, {{Key: "getMore", Value: int64(12345)}, {Key: "collection", Value: "users"}},
		{{Key: "killCursors", Value: "users"}, {Key: "cursors", Value: bson.A{int64(12345)}}}, {{Key: "ping", Value: 1}}, {{Key: "noSuchCommand", Value: 1}},
		{{Key: "drop", Value: "users"}}, {{Key: "drop", Value: "users"}}, {{Key: "dropDatabase", Value: 1}},
	} {
		got := strings.ReplaceAll(outcome(proxied, cmd), through.route.Database, "DB")
		want := strings.ReplaceAll(outcome(direct, cmd), straight.route.Database, "DB")
		if got != want {
			t.Errorf("%.200v:\n got %.600s\nwant %.600s", cmd, got, want)
		}
	}
}

// TestGridFS takes a file of 50 MB there and back.
func TestGridFS(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Tenant, workspace.DefaultSettings())
	bucket := s.driver(t, "&compressors=snappy").GridFSBucket()
	ctx, done := context.WithTimeout(t.Context(), 6*patience)
	defer done()
	content := make([]byte, 50<<20)
	seed := rand.NewChaCha8([32]byte{4})
	if _, err := io.ReadFull(seed, content); err != nil {
		t.Fatal(err)
	}
	id, err := bucket.UploadFromStream(ctx, "large", bytes.NewReader(content))
	if err != nil {
		t.Fatalf("upload: %v", err)
	}
	sum := sha256.New()
	if n, err := bucket.DownloadToStream(ctx, id, sum); err != nil || n != int64(len(content)) {
		t.Fatalf("download: got %d bytes, %v", n, err)
	}
	if want := sha256.Sum256(content); !reflect.DeepEqual(sum.Sum(nil), want[:]) {
		t.Error("the file came back changed")
	}
}

// TestACancelledFindLeavesTheClientUsable cancels a command under way, as a
// shell does.
func TestACancelledFindLeavesTheClientUsable(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	asked := make(chan struct{}, 8)
	_, s := scripted(t, workspace.Control, workspace.Settings{}, func(q peerRequest) []peerReply {
		if q.name != "find" {
			return []peerReply{{0, bson.D{{Key: "ok", Value: 1.0}, {Key: "n", Value: 1}}}}
		}
		asked <- struct{}{}
		<-hang
		return nil
	})
	db := s.driver(t, "", func(o *options.ClientOptions) { o.SetMaxPoolSize(2) })
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := db.Collection("c").Find(ctx, bson.D{})
			failed <- err
		}()
		<-asked
		cancel()
		select {
		case err := <-failed:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("find: got %v", err)
			}
		case <-time.After(patience):
			t.Fatal("the find was not cancelled")
		}
		ctx, done := context.WithTimeout(t.Context(), patience)
		if _, err := db.Collection("c").InsertOne(ctx, bson.D{}); err != nil {
			t.Errorf("after it: %v", err)
		}
		done()
	}
}
