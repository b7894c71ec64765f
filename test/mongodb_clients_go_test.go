package test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// mongoPatience bounds what one test of a driver waits for in all.
const mongoPatience = 3 * time.Minute

// mongoAddress makes a workspace with these settings (nil: none) and gives its
// connection string, with the authority that it does not name.
func (in *installation) mongoAddress(t testing.TB, name, mode string, settings map[string]any) string {
	t.Helper()
	body := in.mongoWorkspace(t, name, mode)
	if settings != nil {
		in.must(t, http.StatusOK, "PATCH", "/workspaces/"+name+"/settings", settings)
	}
	return body["connection_string"].(string) + "&tlsCAFile=" + url.QueryEscape(in.CAFile)
}

// mongoClient opens a driver's pool that the test closes.
func mongoClient(t testing.TB, address string) *mongo.Database {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(address).SetServerSelectionTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Disconnect(context.Background()) })
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return client.Database(strings.TrimPrefix(u.Path, "/"))
}

func mongoContext(t testing.TB) context.Context {
	ctx, done := context.WithTimeout(context.Background(), mongoPatience)
	t.Cleanup(done)
	return ctx
}

// isCode says whether err is the server's error of this number.
func isCode(err error, code int) bool {
	failed, ok := errors.AsType[mongo.ServerError](err)
	return ok && failed.HasErrorCode(code)
}

// TestMongoDBGoDriver has eight workers share a pool, in every way to connect.
func TestMongoDBGoDriver(t *testing.T) {
	printed := shared.mongoAddress(t, "mongo-go", "tenant", nil)
	discovery := strings.Replace(printed, "directConnection=true&", "", 1)
	scram := strings.Replace(printed, "authMechanism=PLAIN", "authMechanism=SCRAM-SHA-256&authSource=admin", 1)
	for name, address := range map[string]string{
		"as printed":           printed,
		"discovery":            discovery,
		"SCRAM":                scram,
		"SCRAM with discovery": strings.Replace(scram, "directConnection=true&", "", 1),
		"snappy":               printed + "&compressors=snappy",
		"zlib":                 printed + "&compressors=zlib",
		"zstd":                 discovery + "&compressors=zstd",
		"a small pool":         printed + "&maxPoolSize=2&minPoolSize=1&maxIdleTimeMS=50",
		"polled monitors":      discovery + "&serverMonitoringMode=poll&heartbeatFrequencyMS=500",
	} {
		t.Run(name, func(t *testing.T) {
			ctx := mongoContext(t)
			db := mongoClient(t, address)
			c := db.Collection(strings.ReplaceAll(name, " ", "_"))
			var workers sync.WaitGroup
			for w := range 8 {
				workers.Go(func() {
					for i := range 25 {
						id := w*100 + i
						if _, err := c.InsertOne(ctx, bson.D{{Key: "_id", Value: id}, {Key: "text", Value: strings.Repeat("text ", 100)}}); err != nil {
							t.Errorf("insert: %v", err)
							return
						}
						var found struct{ Text string }
						if err := c.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&found); err != nil || len(found.Text) != 500 {
							t.Errorf("find: got %q, %v", found.Text, err)
							return
						}
					}
				})
			}
			workers.Wait()
			cursor, err := c.Find(ctx, bson.D{}, options.Find().SetBatchSize(30).SetSort(bson.D{{Key: "_id", Value: 1}}))
			if err != nil {
				t.Fatal(err)
			}
			var all []bson.D
			if err := cursor.All(ctx, &all); err != nil || len(all) != 200 {
				t.Errorf("got %d documents, want 200: %v", len(all), err)
			}
		})
	}
}

// TestMongoDBGridFS takes a file of 50 MB there and back.
func TestMongoDBGridFS(t *testing.T) {
	content := make([]byte, 50<<20)
	if _, err := io.ReadFull(rand.NewChaCha8([32]byte{7}), content); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"tenant", "control"} {
		t.Run(mode, func(t *testing.T) {
			ctx := mongoContext(t)
			bucket := mongoClient(t, shared.mongoAddress(t, "mongo-files-"+mode, mode, nil)).GridFSBucket()
			id, err := bucket.UploadFromStream(ctx, "large", bytes.NewReader(content))
			if err != nil {
				t.Fatalf("upload: %v", err)
			}
			sum := sha256.New()
			if n, err := bucket.DownloadToStream(ctx, id, sum); err != nil || n != int64(len(content)) {
				t.Fatalf("download: got %d bytes, %v", n, err)
			}
			if [sha256.Size]byte(sum.Sum(nil)) != sha256.Sum256(content) {
				t.Error("the file came back changed")
			}
			if mode == "control" {
				return
			}
			// The first write makes the collections and their indexes.
			objects := map[string]bool{}
			for _, e := range (database{installation: shared, id: "mongo-files-tenant"}).queue(t) {
				objects[e.Operation+" "+strings.Fields(e.Object)[0]] = true
			}
			for _, want := range []string{"create fs.files", "create fs.chunks"} {
				if !objects[want] {
					t.Errorf("%s is not in the queue, which has %v", want, objects)
				}
			}
		})
	}
}

// TestMongoDBLimitsReachOpenSessions changes each setting under a client that
// stays.
func TestMongoDBLimitsReachOpenSessions(t *testing.T) {
	ctx := mongoContext(t)
	address := shared.mongoAddress(t, "mongo-limits", "tenant", nil)
	set := func(settings map[string]any) {
		t.Helper()
		shared.must(t, http.StatusOK, "PATCH", "/workspaces/mongo-limits/settings", settings)
	}
	db := mongoClient(t, address)
	c := db.Collection("c")
	documents := make([]any, 5000)
	for i := range documents {
		documents[i] = bson.D{{Key: "_id", Value: i}, {Key: "text", Value: strings.Repeat("x", 200)}}
	}
	if _, err := c.InsertMany(ctx, documents); err != nil {
		t.Fatal(err)
	}
	count := func(batch int32) (int, error) {
		cursor, err := c.Find(ctx, bson.D{}, options.Find().SetBatchSize(batch))
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
	t.Run("rows", func(t *testing.T) {
		set(map[string]any{"max_rows_per_query": 1000})
		for _, batch := range []int32{100, 300, 5000} {
			n, err := count(batch)
			if !isCode(err, 292) || n > 1000 {
				t.Errorf("batches of %d: got %d documents, %v, want code 292 after at most 1000", batch, n, err)
			}
			contains(t, "the error", fmt.Sprint(err), "mongo-limits", "max_rows_per_query", "1000")
		}
		set(map[string]any{"max_rows_per_query": 0})
		if n, err := count(700); n != 5000 || err != nil {
			t.Errorf("without a limit: got %d documents, %v", n, err)
		}
	})
	t.Run("time", func(t *testing.T) {
		set(map[string]any{"query_timeout_ms": 1})
		err := c.FindOne(ctx, bson.D{{Key: "text", Value: "none"}}, options.FindOne().SetSort(bson.D{{Key: "text", Value: 1}})).Err()
		if !isCode(err, 50) {
			t.Errorf("a query of more than 1 ms: got %v, want code 50", err)
		}
		set(map[string]any{"query_timeout_ms": 0})
		if n, err := count(1000); n != 5000 || err != nil {
			t.Errorf("without a limit: got %d documents, %v", n, err)
		}
	})
	t.Run("connections", func(t *testing.T) {
		set(map[string]any{"max_connections": 1})
		// As printed, the login names no workspace, and the first command does.
		named := strings.Replace(address, "authMechanism=PLAIN&", "", 1)
		var finds []func() error
		for says, address := range map[string]string{"max_connections": address, "auth error": named} {
			other, err := mongo.Connect(options.Client().ApplyURI(address).SetServerSelectionTimeout(5 * time.Second))
			if err != nil {
				t.Fatal(err)
			}
			defer other.Disconnect(context.WithoutCancel(ctx))
			find := func() error { return other.Database(db.Name()).Collection("c").FindOne(ctx, bson.D{}).Err() }
			contains(t, "the error", fmt.Sprint(find()), "max_connections", says)
			finds = append(finds, find)
		}
		if err := c.FindOne(ctx, bson.D{}).Err(); err != nil {
			t.Errorf("the client that was there: %v", err)
		}
		set(map[string]any{"max_connections": 100})
		for _, find := range finds {
			eventually(t, "the other client is let in", func() bool { return find() == nil })
		}
	})
}

// TestMongoDBDeleteEndsOpenSessions ends each, with a cursor or without.
func TestMongoDBDeleteEndsOpenSessions(t *testing.T) {
	ctx := mongoContext(t)
	address := shared.mongoAddress(t, "mongo-deleted", "tenant", nil)
	c := mongoClient(t, address).Collection("c")
	documents := make([]any, 500)
	for i := range documents {
		documents[i] = bson.D{{Key: "_id", Value: i}}
	}
	if _, err := c.InsertMany(ctx, documents); err != nil {
		t.Fatal(err)
	}
	cursor, err := c.Find(ctx, bson.D{}, options.Find().SetBatchSize(10))
	if err != nil {
		t.Fatal(err)
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	cursor.Next(ctx)
	shared.must(t, http.StatusOK, "DELETE", "/workspaces/mongo-deleted", nil)
	n := 1
	for cursor.Next(ctx) {
		n++
	}
	if cursor.Err() == nil || n >= 500 {
		t.Errorf("a cursor on a deleted workspace gave %d documents, %v", n, cursor.Err())
	}
	few, done := context.WithTimeout(ctx, 10*time.Second)
	defer done()
	if _, err := c.InsertOne(few, bson.D{}); err == nil {
		t.Error("a session of a deleted workspace inserts")
	}
}

// TestMongoDBWorkspacesShareNothing has two clients use the same names.
func TestMongoDBWorkspacesShareNothing(t *testing.T) {
	ctx := mongoContext(t)
	one := mongoClient(t, shared.mongoAddress(t, "mongo-apart-one", "control", nil))
	two := mongoClient(t, shared.mongoAddress(t, "mongo-apart-two", "control", nil))
	if _, err := one.Collection("same").InsertOne(ctx, bson.D{{Key: "_id", Value: "of one"}}); err != nil {
		t.Fatal(err)
	}
	if n, err := two.Collection("same").CountDocuments(ctx, bson.D{}); n != 0 || err != nil {
		t.Errorf("the neighbour's documents: got %d, %v", n, err)
	}
	names, err := two.Client().ListDatabaseNames(ctx, bson.D{})
	if err != nil || len(names) > 1 || len(names) == 1 && names[0] != two.Name() {
		t.Errorf("the databases: got %v, %v, want the own", names, err)
	}
	// The project's password opens either, but a client that has worked on one
	// stays there.
	if err := two.Client().Database(one.Name()).Collection("same").FindOne(ctx, bson.D{}).Err(); !isCode(err, 13) {
		t.Errorf("the neighbour's database on a session of one's own: got %v, want code 13", err)
	}
	_, err = two.Collection("same").Aggregate(ctx, mongo.Pipeline{bson.D{{Key: "$out", Value: bson.D{{Key: "db", Value: one.Name()}, {Key: "coll", Value: "same"}}}}})
	if err == nil {
		t.Error("$out writes to the neighbour's database")
	}
	if err := two.Drop(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := one.Collection("same").CountDocuments(ctx, bson.D{}); n != 1 || err != nil {
		t.Errorf("after the neighbour's dropDatabase: got %d documents, %v", n, err)
	}
}

func TestMongoDBRefusesWhoComesWithoutTLS(t *testing.T) {
	address := strings.Replace(shared.mongoAddress(t, "mongo-plain", "control", nil), "tls=true", "tls=false", 1)
	address, _, _ = strings.Cut(address, "&tlsCAFile")
	client, err := mongo.Connect(options.Client().ApplyURI(address).SetServerSelectionTimeout(5 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(context.WithoutCancel(t.Context()))
	contains(t, "the error", fmt.Sprint(client.Ping(mongoContext(t), nil)), "TLS")
}
