package mongodb

import (
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// TestNoCommandLeavesTheDatabase is about what is refused before anything is
// sent, since a server without users would do it.
func TestNoCommandLeavesTheDatabase(t *testing.T) {
	for _, text := range []string{
		`{"shutdown": 1}`, `{"listDatabases": 1}`, `{"createUser": "u", "pwd": "p", "roles": []}`, `{"eval": "1"}`, `{"fsync": 1}`,
		`{"setParameter": 1}`, `{"currentOp": 1}`, `{"killOp": 1, "op": 1}`, `{"serverStatus": 1}`, `{"getLog": "global"}`, `{"replSetGetStatus": 1}`,
		`{"mapReduce": "c", "map": "m", "reduce": "r", "out": {"replace": "x", "db": "other"}}`, `{"cloneCollection": "other.c"}`, `{"applyOps": []}`,
		`{"Find": "c"}`, `{"nonsense": 1}`, `{"hello": 1}`, `{"whatsmyuri": 1}`, `{"usersInfo": 1}`, `{"copydb": 1}`, `{"abortTransaction": 1}`,
		`{"find": "c", "$db": "other"}`, `{"find": "c", "lsid": {"id": 1}}`, `{"insert": "c", "documents": [], "txnNumber": {"$numberLong": "1"}}`,
		`{"find": "system.users"}`, `{"insert": "system.views", "documents": []}`, `{"find": "$cmd"}`, `{"find": 1}`, `{"drop": "system.js"}`,
		`{"renameCollection": "mine.c", "to": "other.c"}`, `{"renameCollection": "other.c", "to": "mine.c"}`, `{"renameCollection": "mine.c", "to": "mine.system.views"}`,
		`{"renameCollection": "mine.c", "to": "minex.c"}`,
		`{"bulkWrite": 1, "ops": [], "nsInfo": [{"ns": "mine.c"}, {"ns": "other.c"}]}`, `{"bulkWrite": 1, "ops": [], "nsInfo": [{"x": 1, "ns": "mine.c"}]}`,
		`{"dataSize": "other.c"}`,
		`{"explain": {"shutdown": 1}}`, `{"explain": {"aggregate": "c", "pipeline": [{"$out": {"db": "other", "coll": "c"}}], "cursor": {}}}`, `{"explain": 1}`, `{"explain": {}}`,
		`{"aggregate": "c", "pipeline": [{"$out": {"db": "other", "coll": "c"}}]}`,
		`{"aggregate": "c", "pipeline": [{"$out": "system.views"}]}`,
		`{"aggregate": "c", "pipeline": [{"$merge": {"into": {"db": "other", "coll": "c"}}}]}`,
		`{"aggregate": "c", "pipeline": [{"$lookup": {"from": {"db": "other", "coll": "c"}, "as": "x"}}]}`,
		`{"aggregate": "c", "pipeline": [{"$lookup": {"from": "d", "as": "x", "pipeline": [{"$lookup": {"from": {"db": "local", "coll": "oplog.rs"}, "as": "y"}}]}}]}`,
		`{"aggregate": "c", "pipeline": [{"$facet": {"a": [{"$unionWith": {"coll": "d", "pipeline": [{"$currentOp": {}}]}}]}}]}`,
		`{"aggregate": "c", "pipeline": [{"$unionWith": {"coll": "system.users", "db": "admin"}}]}`,
		`{"aggregate": "c", "pipeline": [{"$unionWith": {"db": "other", "coll": "d"}}]}`,
		`{"aggregate": "c", "pipeline": [{"$graphLookup": {"from": {"db": "other", "coll": "d"}}}]}`,
		`{"aggregate": 1, "pipeline": [{"$currentOp": {"allUsers": true}}]}`, `{"aggregate": 1, "pipeline": [{"$listLocalSessions": {"allUsers": true}}]}`,
		`{"aggregate": "c", "pipeline": [{"$listSessions": {}}]}`, `{"aggregate": 1, "pipeline": [{"$changeStream": {"allChangesForCluster": true}}]}`,
		`{"aggregate": 1, "pipeline": [{"$listCatalog": {}}]}`, `{"aggregate": 1, "pipeline": [{"$querySettings": {}}]}`,
		`{"aggregate": "c", "pipeline": {"$out": "x"}}`, `{"aggregate": "c", "pipeline": [{"$match": {}, "$out": {"db": "other", "coll": "c"}}]}`, `{"aggregate": "c", "pipeline": ["$out"]}`,
		`{"create": "v", "viewOn": "c", "pipeline": [{"$lookup": {"from": {"db": "other", "coll": "c"}, "as": "x"}}]}`,
		`{"create": "v", "viewOn": "system.users", "pipeline": []}`,
		`{"collMod": "v", "viewOn": "c", "pipeline": [{"$unionWith": {"db": "other", "coll": "c"}}]}`,
	} {
		if why := outOfBounds(extJSON(t, text), "mine"); why == "" {
			t.Errorf("%s: is let through", text)
		}
	}
	for _, text := range []string{
		`{"find": "c", "filter": {"$expr": {"$gt": ["$a", 1]}}}`, `{"aggregate": "c", "pipeline": [{"$lookup": {"from": "d", "as": "x", "pipeline": [{"$match": {}}]}}, {"$out": "e"}]}`,
		`{"aggregate": "c", "pipeline": [{"$merge": {"into": {"db": "mine", "coll": "e"}}}]}`, `{"aggregate": "c", "pipeline": [{"$out": {"db": "mine", "coll": "e"}}]}`,
		`{"aggregate": 1, "pipeline": [{"$documents": [{"a": 1}]}]}`, `{"aggregate": "c", "pipeline": [{"$unionWith": "d"}, {"$facet": {"a": [{"$count": "n"}]}}]}`,
		`{"renameCollection": "mine.c", "to": "mine.d"}`, `{"bulkWrite": 1, "ops": [], "nsInfo": [{"ns": "mine.c"}]}`, `{"dropDatabase": 1}`,
		`{"create": "v", "viewOn": "c", "pipeline": [{"$match": {"pipeline": 1}}]}`, `{"getMore": {"$numberLong": "5"}, "collection": "c"}`,
	} {
		if why := outOfBounds(extJSON(t, text), "mine"); why != "" {
			t.Errorf("%s: %s", text, why)
		}
	}
}

func TestAQueryReachesNoOtherDatabase(t *testing.T) {
	e := newEngine(t)
	target, other := newWorkspace(t, e, false), newWorkspace(t, e, false)
	query(t, e, other, `db.secret.insertOne({_id: "theirs"})`)
	query(t, e, target, `db.mine.insertOne({_id: 1})`)
	for _, text := range []string{
		`db.getSiblingDB("OTHER").secret.find()`, `use OTHER`, `db.adminCommand({listDatabases: 1})`,
		`db.adminCommand({renameCollection: "OTHER.secret", to: db.getName() + ".got"})`,
		`db.mine.aggregate([{$lookup: {from: {db: "OTHER", coll: "secret"}, as: "x"}}])`,
		`db.mine.aggregate([{$out: {db: "OTHER", coll: "secret"}}])`,
		`db.runCommand({find: "secret", $db: "OTHER"})`, `db.getMongo().getDB("OTHER").secret.find()`,
		`db.runCommand({dropDatabase: 1, $db: "OTHER"})`, `db.getSiblingDB("admin").shutdownServer()`, `db.getSiblingDB("tenantsdb")`,
		`{"renameCollection": "OTHER.secret", "to": "OTHER.gone"}`,
	} {
		result, err := e.Query(t.Context(), target, strings.ReplaceAll(text, "OTHER", other.Database), noLimits)
		if err == nil {
			t.Errorf("%s: gave %s", text, shown(t, result))
		}
	}
	if got := shown(t, query(t, e, other, `db.secret.find()`)); got != `_id [["theirs"]]` {
		t.Errorf("the other database has %s", got)
	}
}

// TestAQueryBringsNoSQLToTheServer is about FerretDB, which makes SQL of names.
func TestAQueryBringsNoSQLToTheServer(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, false)
	for _, text := range []string{
		`db.createCollection('a" (x); --')`, `db.getCollection('a"').insertOne({})`, `db.c.createIndex({a: 1}, {name: 'a"'})`, `db.c.createIndex({'a"': 1}, {name: "a"})`,
		`db.getCollection('a"').updateOne({}, {$set: {x: 1}}, {upsert: true})`, `{"create": "a\"b"}`, `db.c.renameCollection('a"')`,
	} {
		_, err := e.Query(t.Context(), target, text, workspace.Limits{})
		if err == nil || !strings.Contains(err.Error(), "double quote") {
			t.Errorf("%s: got %v, want it refused", text, err)
		}
	}
	query(t, e, target, `db.createCollection("it's"); db.c.insertOne({quoted: '"text"'})`)
}
