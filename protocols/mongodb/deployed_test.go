package mongodb

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// TestTheTableAndTheRuleAgree holds the commands that the table takes for changes
// of the schema to what ddltrack says of them, which it is asked about no others.
func TestTheTableAndTheRuleAgree(t *testing.T) {
	for name, c := range newCommands() {
		changes := ddltrack.ChangesMongoSchema(bson.D{{Key: name, Value: "c"}})
		if passes := c.own == passes || c.admin == passes; passes && changes != (c.change == changesSchema) {
			t.Errorf("%s: the table says %d, the rule %t", name, c.change, changes)
		}
		if out := c.change == mayWriteOut; (name == "aggregate") && !out {
			t.Error("an aggregate's stages are not looked at")
		}
	}
}

// schemaChanges are commands that a tenant's clients may not send.
func schemaChanges(database string) []bson.D {
	index := func(collection, name string, key bson.D) bson.D {
		return bson.D{{Key: "createIndexes", Value: collection}, {Key: "indexes", Value: bson.A{bson.D{{Key: "key", Value: key}, {Key: "name", Value: name}}}}}
	}
	out := bson.D{{Key: "db", Value: database}, {Key: "coll", Value: "series"}, {Key: "timeseries", Value: bson.D{{Key: "timeField", Value: "at"}}}}
	long := make([]any, 3_000)
	for i := range long {
		long[i] = int32(i)
	}
	return []bson.D{
		{{Key: "create", Value: "made"}},
		{{Key: "create", Value: "made"}, {Key: "viewOn", Value: "users"}, {Key: "pipeline", Value: bson.A{}}},
		{{Key: "create", Value: "made"}, {Key: "validator", Value: bson.D{{Key: "x", Value: bson.D{{Key: "$in", Value: bson.A(long)}}}}}},
		{{Key: "collMod", Value: "users"}, {Key: "validator", Value: bson.D{}}},
		{{Key: "drop", Value: "users"}},
		{{Key: "dropDatabase", Value: 1}},
		index("users", "x_1", bson.D{{Key: "x", Value: 1}}),
		index("users", "filename_1_uploadDate_1", bson.D{{Key: "filename", Value: 1}, {Key: "uploadDate", Value: 1}}),
		index("fs.files", "x_1", bson.D{{Key: "x", Value: 1}}),
		{{Key: "dropIndexes", Value: "users"}, {Key: "index", Value: "*"}},
		{{Key: "deleteIndexes", Value: "users"}, {Key: "index", Value: "*"}},
		{{Key: "convertToCapped", Value: "users"}, {Key: "size", Value: 4096}},
		{{Key: "cloneCollectionAsCapped", Value: "users"}, {Key: "toCollection", Value: "made"}, {Key: "size", Value: 4096}},
		{{Key: "createSearchIndexes", Value: "users"}, {Key: "indexes", Value: bson.A{}}},
		{{Key: "updateSearchIndex", Value: "users"}, {Key: "name", Value: "i"}},
		{{Key: "dropSearchIndex", Value: "users"}, {Key: "name", Value: "i"}},
		{{Key: "aggregate", Value: "users"}, {Key: "pipeline", Value: bson.A{bson.D{{Key: "$match", Value: bson.D{}}}, bson.D{{Key: "$out", Value: out}}}}, {Key: "cursor", Value: bson.D{}}},
	}
}

// TestATenantsClientsMayNotChangeTheSchema sends each change as drivers do: by
// itself, compressed, and in a transaction; the session goes on after each.
func TestATenantsClientsMayNotChangeTheSchema(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Deployed, workspace.DefaultSettings())
	before := s.collections(t, bson.D{{Key: "insert", Value: "users"}, {Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: 1}}}}})
	c := s.connect(t)
	rename := admin(bson.D{{Key: "renameCollection", Value: s.route.Database + ".users"}, {Key: "to", Value: s.route.Database + ".made"}})
	all := []bson.D{rename}
	for _, d := range schemaChanges(s.route.Database) {
		all = append(all, s.cmd(d))
	}
	transaction := bson.D{{Key: "lsid", Value: bson.D{{Key: "id", Value: bson.Binary{Subtype: 4, Data: make([]byte, 16)}}}}, {Key: "txnNumber", Value: int64(1)}, {Key: "autocommit", Value: false}}
	for _, d := range all {
		t.Run(d[0].Key, func(t *testing.T) {
			c.refused(13, workspace.NoDDL, d)
			c.refused(13, workspace.NoDDL, append(slices.Clone(d), transaction...))
			c.id++
			packed, err := w.protocol.codecs.appendPacked(nil, zlibMethod, appendMessage(nil, c.id, 0, 0, encode(t, d)))
			if err != nil {
				t.Fatal(err)
			}
			c.send(packed)
			h, b := c.read()
			if b, _, err = w.protocol.codecs.unpack(b, h); err != nil {
				t.Fatal(err)
			}
			if h, err = readHeader(b, maxReply); err != nil {
				t.Fatal(err)
			}
			if got := body(t, h, b); got["code"] != int32(13) || got["codeName"] != "Unauthorized" || got["errmsg"] != workspace.NoDDL {
				t.Errorf("compressed: got %v", got)
			}
			c.want(bson.D{{Key: "n", Value: 1}}, s.cmd(bson.D{{Key: "count", Value: "users"}}))
		})
	}
	if after := s.collections(t, nil); !slices.Equal(after, before) {
		t.Errorf("the collections are %v, and were %v", after, before)
	}
	if records, announced := w.recorder.Taken(); records > 0 || len(announced) > 0 {
		t.Errorf("%d records and %v are for a queue that there is not", records, announced)
	}
}

// collections are those of the database, asked for past the proxy, after a
// command.
func (s *testSpace) collections(t *testing.T, command bson.D) []string {
	t.Helper()
	db := s.direct(t)
	if command != nil {
		if err := db.RunCommand(t.Context(), command).Err(); err != nil {
			t.Fatal(err)
		}
	}
	names, err := db.ListCollectionNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// TestATenantsClientsMakeCollectionsByWriting has the driver insert, upsert and
// upload to GridFS.
func TestATenantsClientsMakeCollectionsByWriting(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Deployed, workspace.DefaultSettings())
	for _, query := range []string{plainDirect, ""} {
		db, ctx := s.driver(t, query), t.Context()
		if _, err := db.Collection("inserted").InsertOne(ctx, bson.D{{Key: "x", Value: 1}}); err != nil {
			t.Errorf("insert: %v", err)
		}
		if _, err := db.Collection("upserted").UpdateOne(ctx, bson.D{{Key: "x", Value: 1}}, bson.D{{Key: "$set", Value: bson.D{{Key: "y", Value: 1}}}}, options.UpdateOne().SetUpsert(true)); err != nil {
			t.Errorf("upsert: %v", err)
		}
		for _, name := range []string{"fs", "photos" + strings.ReplaceAll(query, "&", "_")} {
			bucket := db.GridFSBucket(options.GridFSBucket().SetName(name))
			content := bytes.Repeat([]byte(name), 1<<17)
			if _, err := bucket.UploadFromStream(ctx, "a file", bytes.NewReader(content)); err != nil {
				t.Fatalf("upload to %s: %v", name, err)
			}
			var got bytes.Buffer
			if _, err := bucket.DownloadToStreamByName(ctx, "a file", &got); err != nil || !bytes.Equal(got.Bytes(), content) {
				t.Errorf("download from %s: %d bytes, %v", name, got.Len(), err)
			}
			indexes, err := s.direct(t).Collection(name + ".chunks").Indexes().ListSpecifications(ctx)
			if err != nil || len(indexes) != 2 {
				t.Errorf("the chunks of %s have the indexes %v, %v", name, indexes, err)
			}
		}
		if _, err := db.Collection("inserted").Indexes().CreateOne(ctx, mongo.IndexModel{Keys: bson.D{{Key: "x", Value: 1}}}); err == nil || !strings.Contains(err.Error(), workspace.NoDDL) {
			t.Errorf("an index: %v", err)
		}
		if err := db.Collection("inserted").Drop(ctx); err == nil || !strings.Contains(err.Error(), workspace.NoDDL) {
			t.Errorf("drop: %v", err)
		}
	}
}

// TestSystemCollectionsAreWrittenByNoBulk is about what has commands of its own,
// such as views.
func TestSystemCollectionsAreWrittenByNoBulk(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Deployed, workspace.DefaultSettings())
	s.connect(t).refused(13, "belongs to the server", admin(bson.D{{Key: "bulkWrite", Value: 1}, {Key: "ops", Value: bson.A{}},
		{Key: "nsInfo", Value: bson.A{bson.D{{Key: "ns", Value: s.route.Database + ".system.views"}}}}}))
}
