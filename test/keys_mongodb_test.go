package test

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// runText runs a command document of the given text.
func runText(t testing.TB, db *mongo.Database, command string) error {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(command), false, &d); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return db.RunCommand(mongoContext(t), d).Err()
}

func TestMongoDBReadKeyReadsAndWritesNothing(t *testing.T) {
	in := shared
	address := in.mongoAddress(t, "keys-docs", "tenant", nil)
	of := mongoClient(t, address)
	mustRun(t, of, `{"insert": "users", "documents": [{"_id": 1, "name": "ann"}]}`)
	queued := len(database{installation: in, id: "keys-docs"}.queue(t))
	k := in.key(t, "read", "workspace", "keys-docs")
	db := mongoClient(t, k.as(t, address))
	for _, c := range []string{
		`{"find": "users"}`, `{"count": "users"}`, `{"listCollections": 1}`, `{"listIndexes": "users"}`, `{"dbStats": 1}`,
		`{"aggregate": "users", "pipeline": [{"$match": {"_id": 1}}], "cursor": {}}`, `{"explain": {"find": "users"}}`, `{"ping": 1}`, `{"hello": 1}`, `{"connectionStatus": 1}`,
	} {
		if err := runText(t, db, c); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
	for _, c := range []string{
		`{"insert": "users", "documents": [{"_id": 2}]}`, `{"update": "users", "updates": [{"q": {}, "u": {"$set": {"name": "x"}}}]}`, `{"delete": "users", "deletes": [{"q": {}, "limit": 0}]}`,
		`{"findAndModify": "users", "query": {}, "update": {"$set": {"name": "x"}}}`, `{"findandmodify": "users", "query": {}, "remove": true}`,
		`{"aggregate": "users", "pipeline": [{"$out": "copy"}], "cursor": {}}`, `{"aggregate": "users", "pipeline": [{"$merge": {"into": "copy"}}], "cursor": {}}`,
		`{"aggregate": "users", "pipeline": [{"$facet": {"a": [{"$out": "copy"}]}}], "cursor": {}}`, `{"aggregate": "users", "pipeline": [], "pipeline": [{"$out": "copy"}], "cursor": {}}`,
		`{"mapReduce": "users", "map": "f", "reduce": "f", "out": "copy"}`, `{"explain": {"delete": "users", "deletes": [{"q": {}, "limit": 0}]}}`,
		`{"explain": {"aggregate": "users", "pipeline": [{"$out": "copy"}], "cursor": {}}}`,
		`{"create": "other"}`, `{"drop": "users"}`, `{"dropDatabase": 1}`, `{"createIndexes": "users", "indexes": [{"key": {"name": 1}, "name": "n"}]}`, `{"dropIndexes": "users", "index": "*"}`,
		`{"collMod": "users"}`, `{"compact": "users"}`, `{"reIndex": "users"}`, `{"validate": "users"}`, `{"createUser": "x", "pwd": "x", "roles": []}`,
		`{"insert": "users", "documents": [{"_id": 2}], "txnNumber": 1, "startTransaction": true, "autocommit": false}`,
	} {
		if err := runText(t, db, c); !isCode(err, 13) {
			t.Errorf("%s: got %v, want it unauthorized", c, err)
		} else if !strings.Contains(c, "createUser") && !strings.Contains(err.Error(), "not authorized on keys-docs_workspace to execute command") {
			t.Errorf("%s: got %v", c, err)
		}
	}
	if err := runText(t, db, `{"noSuchCommand": 1}`); !isCode(err, 59) {
		t.Errorf("an unknown command: got %v", err)
	}
	for _, c := range []string{
		`{"renameCollection": "keys-docs_workspace.users", "to": "keys-docs_workspace.gone"}`,
		`{"bulkWrite": 1, "ops": [{"delete": 0, "filter": {}}], "nsInfo": [{"ns": "keys-docs_workspace.users"}]}`,
	} {
		if err := runText(t, db.Client().Database("admin"), c); !isCode(err, 13) {
			t.Errorf("%s: got %v, want it unauthorized", c, err)
		}
	}
	// The driver sends documents in sequences of their own.
	if _, err := db.Collection("users").InsertMany(mongoContext(t), []bson.D{{{Key: "_id", Value: 2}}, {{Key: "_id", Value: 3}}}); !isCode(err, 13) {
		t.Errorf("insertMany: got %v", err)
	}
	if _, err := db.Collection("users").BulkWrite(mongoContext(t), []mongo.WriteModel{mongo.NewDeleteManyModel().SetFilter(bson.D{})}); !isCode(err, 13) {
		t.Errorf("bulkWrite: got %v", err)
	}
	if n, err := of.Collection("users").CountDocuments(mongoContext(t), bson.D{{Key: "name", Value: "ann"}}); err != nil || n != 1 {
		t.Errorf("the collection holds %d, %v", n, err)
	}
	if got := mongoListing(t, of); strings.Contains(got, "copy") || strings.Contains(got, "other") {
		t.Errorf("the database has %s", got)
	}
	if got := len((database{installation: in, id: "keys-docs"}).queue(t)); got != queued {
		t.Errorf("the queue had %d changes and has %d", queued, got)
	}
}

func TestMongoDBKeysReachTheirScopeAndEnd(t *testing.T) {
	in := shared
	address := in.mongoAddress(t, "keys-mgo", "tenant", nil)
	other := in.mongoAddress(t, "keys-mgo-other", "tenant", nil)
	acme := in.withCA(addressOf(t, in.tenant(t, "keys_mgo_acme", "keys-mgo"), "keys-mgo"))
	ofMgo, ofAcme := in.key(t, "write", "workspace", "keys-mgo"), in.key(t, "write", "tenant", "keys_mgo_acme", "keys_mgo_late")
	reads := in.key(t, "read", "tenant", "keys_mgo_acme", "keys_mgo_late")
	late := in.withCA(addressOf(t, in.tenant(t, "keys_mgo_late", "keys-mgo"), "keys-mgo"))
	for _, c := range []struct {
		k       proxyLogin
		address string
		in      bool
	}{
		{ofMgo, address, true}, {ofMgo, acme, true}, {ofMgo, late, true}, {ofMgo, other, false},
		{ofAcme, acme, true}, {ofAcme, late, true}, {ofAcme, address, false},
	} {
		db := mongoClient(t, c.k.as(t, c.address))
		_, err := db.Collection("users").InsertOne(mongoContext(t), bson.D{{Key: "by", Value: c.k.user}})
		if c.in && err != nil || !c.in && !isCode(err, 13) {
			t.Errorf("%s writes to %s: got %v", c.k.user, db.Name(), err)
		}
	}
	if err := runText(t, mongoClient(t, ofMgo.as(t, acme)), `{"create": "other"}`); !isCode(err, 13) || !strings.Contains(err.Error(), noDDL) {
		t.Errorf("DDL on a tenant's database: got %v", err)
	}
	for _, readable := range []string{acme, late} {
		db := mongoClient(t, reads.as(t, readable))
		if n, err := db.Collection("users").CountDocuments(mongoContext(t), bson.D{}); err != nil || n != 2 {
			t.Errorf("%s: got %d, %v", db.Name(), n, err)
		}
		if _, err := db.Collection("users").InsertOne(mongoContext(t), bson.D{}); !isCode(err, 13) {
			t.Errorf("%s: got %v", db.Name(), err)
		}
		// A connection that a writer left writes for no reader.
		if _, err := mongoClient(t, ofAcme.as(t, readable)).Collection("users").InsertOne(mongoContext(t), bson.D{}); err != nil {
			t.Error(err)
		}
	}
	db := mongoClient(t, reads.as(t, acme)+"&maxPoolSize=1&retryReads=false")
	if err := db.Collection("users").FindOne(mongoContext(t), bson.D{}).Err(); err != nil {
		t.Fatal(err)
	}
	in.revoke(t, reads)
	if err := db.Collection("users").FindOne(mongoContext(t), bson.D{}).Err(); err == nil {
		t.Error("a session of a revoked key reads on")
	}
	if err := mongoClient(t, reads.as(t, acme)).Collection("users").FindOne(mongoContext(t), bson.D{}).Err(); err == nil || !strings.Contains(err.Error(), "Authentication failed") {
		t.Errorf("its login: got %v", err)
	}
}
