package mongodb

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// shown is a result as the API answers it.
func shown(t *testing.T, r workspace.Result) string {
	t.Helper()
	rows, err := json.Marshal(r.Rows)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(r.Columns, ",") + " " + string(rows)
}

// TestWhatMongoshTakesIsAnswered runs each text on a collection of three
// documents that no other text has changed.
func TestWhatMongoshTakesIsAnswered(t *testing.T) {
	e := newEngine(t)
	const seed = `db.users.insertMany([{_id: 1, name: "ada", age: 36, tags: ["a", "b"]}, {_id: 2, name: "bob", age: 25}, {_id: 3, name: "cy", age: 41, at: ISODate("2024-01-02T03:04:05.678Z")}])`
	const id = `{"$oid":"0123456789abcdef01234567"}`
	for _, test := range []struct{ text, want string }{
		{`db.users.find({age: {$gt: 30}}, {name: 1}).sort({_id: -1})`, `_id,name [[3,"cy"],[1,"ada"]]`},
		{`db.users.find().limit(1)`, `_id,name,age,tags [[1,"ada",36,["a","b"]]]`},
		{`db.users.find({}, {_id: 0, name: 1}).sort({age: 1}).skip(1).limit(1)`, `name [["ada"]]`},
		{`db.users.find().project({name: 1, _id: 0}).sort({name: -1}).toArray()`, `name [["cy"],["bob"],["ada"]]`},
		{`db.users.find({_id: 3})`, `_id,name,age,at [[3,"cy",41,"2024-01-02T03:04:05.678Z"]]`},
		{`db.users.find({}, {at: 1, tags: 1})`, `_id,tags,at [[1,["a","b"],null],[2,null,null],[3,null,"2024-01-02T03:04:05.678Z"]]`},
		{`db.users.find().count()`, `result [[3]]`},
		{`db.users.find().limit(2).size()`, `result [[2]]`},
		{`db.users.find().itcount()`, `result [[3]]`},
		{`db.users.find().batchSize(1).toArray().length`, `result [[3]]`},
		{`db.users.find({name: /^A/i}).map(u => u.name)`, `result [["ada"]]`},
		{`db.users.find({name: /^a/i}, {name: 1}).map(u => u.name).toArray()`, `result [["ada"]]`},
		{`let n = 0; db.users.find().forEach(u => { n += u.age }); n`, `result [[102]]`},
		{`const c = db.users.find().sort({_id: 1}); c.next(); c.next().name`, `result [["bob"]]`},
		{`const c = db.users.find(); let n = 0; while (c.hasNext()) { c.next(); n++ } n`, `result [[3]]`},
		{`let names = []; for (const u of db.users.find().sort({_id: 1})) names.push(u.name); names`, `result [["ada"],["bob"],["cy"]]`},
		{`db.users.findOne({_id: 2})`, `_id,name,age [[2,"bob",25]]`},
		{`db.users.findOne({_id: 99})`, ` []`},
		{`db.users.findOne({_id: 1}, {name: 1, _id: 0})`, `name [["ada"]]`},
		{`db.users.aggregate([{$match: {age: {$lt: 40}}}, {$group: {_id: null, total: {$sum: "$age"}}}])`, `_id,total [[null,61]]`},
		{`db.users.aggregate({$sort: {_id: 1}}, {$limit: 1}, {$project: {name: 1, _id: 0}}).toArray()`, `name [["ada"]]`},
		{`db.users.aggregate([{$unwind: "$tags"}, {$count: "n"}])`, `n [[2]]`},
		{`db.users.countDocuments({age: {$gt: 30}})`, `result [[2]]`},
		{`db.users.countDocuments()`, `result [[3]]`},
		{`db.users.countDocuments({_id: 99})`, `result [[0]]`},
		{`db.users.estimatedDocumentCount()`, `result [[3]]`},
		{`db.users.count({age: 25})`, `result [[1]]`},
		{`db.users.distinct("name").sort()`, `result [["ada"],["bob"],["cy"]]`},
		{`db.users.distinct("age", {_id: {$lt: 3}}).length`, `result [[2]]`},
		{`db.users.insertOne({_id: 4, name: "di"})`, `acknowledged,insertedId [[true,4]]`},
		{`db.users.insertOne({name: "eve"}).insertedId instanceof ObjectId`, `result [[true]]`},
		{`db.users.insertMany([{_id: 5}, {_id: 6}])`, `acknowledged,insertedIds [[true,{"0":5,"1":6}]]`},
		{`db.users.updateOne({_id: 1}, {$set: {age: 37}})`, `acknowledged,insertedId,matchedCount,modifiedCount,upsertedCount [[true,null,1,1,0]]`},
		{`db.users.updateMany({}, {$inc: {age: 1}}).modifiedCount`, `result [[3]]`},
		{`db.users.updateOne({_id: 77}, {$set: {age: 1}}, {upsert: true})`, `acknowledged,insertedId,matchedCount,modifiedCount,upsertedCount [[true,77,0,0,1]]`},
		{`db.users.replaceOne({_id: 2}, {name: "new"}); db.users.findOne({_id: 2})`, `_id,name [[2,"new"]]`},
		{`db.users.deleteOne({_id: 1})`, `acknowledged,deletedCount [[true,1]]`},
		{`db.users.deleteMany({}).deletedCount`, `result [[3]]`},
		{`db.users.findOneAndUpdate({_id: 1}, {$set: {age: 40}}, {returnDocument: "after"}).age`, `result [[40]]`},
		{`db.users.findOneAndUpdate({_id: 1}, {$set: {age: 40}}).age`, `result [[36]]`},
		{`db.users.findOneAndReplace({_id: 1}, {name: "r"}, {returnNewDocument: true})`, `_id,name [[1,"r"]]`},
		{`db.users.findOneAndDelete({_id: 1}).name`, `result [["ada"]]`},
		{`db.users.findAndModify({query: {_id: 2}, update: {$inc: {age: 1}}, new: true}).age`, `result [[26]]`},
		{`db.users.bulkWrite([{insertOne: {document: {_id: 8}}}, {updateOne: {filter: {_id: 1}, update: {$set: {x: 1}}}}, {deleteOne: {filter: {_id: 2}}}])`,
			`acknowledged,insertedCount,insertedIds,matchedCount,modifiedCount,deletedCount,upsertedCount,upsertedIds [[true,1,{"0":8},1,1,1,0,{}]]`},
		{`db.users.createIndex({age: 1})`, `result [["age_1"]]`},
		{`db.users.createIndex({name: 1, age: -1}, {name: "both", unique: true}); db.users.getIndexes().map(i => i.name)`, `result [["_id_"],["both"]]`},
		{`db.users.createIndexes([{a: 1}, {b: 1}])`, `result [["a_1"],["b_1"]]`},
		{`db.users.createIndex({a: 1}); db.users.dropIndex("a_1"); db.users.getIndexes().length`, `result [[1]]`},
		{`db.users.createIndex({a: 1}); db.users.dropIndexes(); db.users.getIndexes()`, `v,key,name [[2,{"_id":1},"_id_"]]`},
		{`db.users.drop()`, `result [[true]]`},
		{`db.users.renameCollection("people"); db.getCollectionNames()`, `result [["people"]]`},
		{`db.createCollection("log", {capped: true, size: 4096}).ok`, `result [[1]]`},
		{`db.createCollection("b"); db.getCollectionNames()`, `result [["b"],["users"]]`},
		{`db.getCollectionInfos({name: "users"})[0].type`, `result [["collection"]]`},
		{`show collections`, `result [["users"]]`},
		{"db.createCollection('z')\nshow tables", `result [["users"],["z"]]`},
		{`db.getCollection("users").countDocuments()`, `result [[3]]`},
		{`db["users"].countDocuments()`, `result [[3]]`},
		{`db.a.b.insertOne({_id: 1}); db.getCollectionNames()`, `result [["a.b"],["users"]]`},
		{`db.runCommand({count: "users"}).n`, `result [[3]]`},
		{`db.runCommand("ping").ok`, `result [[1]]`},
		{`db.adminCommand({ping: 1}).ok`, `result [[1]]`},
		{`db.stats().collections`, `result [[1]]`},
		{`db.dropDatabase().ok`, `result [[1]]`},
		{`db.users.explain().find({age: 25}).finish().command.find`, `result [["users"]]`},
		{`db.users.find().explain().command.find`, `result [["users"]]`},
		{`{"find": "users", "filter": {"_id": 1}, "projection": {"name": 1}}`, `_id,name [[1,"ada"]]`},
		{`{find: "users", filter: {age: {$gt: 40}}, projection: {_id: 1}}`, `_id [[3]]`},
		{`{"count": "users"}`, `n,ok [[3,1]]`},
		{`{"find": "users", "batchSize": 1, "projection": {"_id": 1}}`, `_id [[1],[2],[3]]`},
		{`{"insert": "users", "documents": [{"_id": {"$oid": "0123456789abcdef01234567"}}]}`, `n,ok [[1,1]]`},
		{`ObjectId("0123456789abcdef01234567")`, `result [[` + id + `]]`},
		{`db.o.insertOne({_id: ObjectId("0123456789abcdef01234567")}); db.o.findOne()._id.toString()`, `result [["0123456789abcdef01234567"]]`},
		{`new ObjectId("0123456789abcdef01234567").getTimestamp()`, `result [["1970-08-09T22:25:43Z"]]`},
		{`ISODate("2024-05-06T07:08:09Z")`, `result [["2024-05-06T07:08:09Z"]]`},
		{`new Date(0)`, `result [["1970-01-01T00:00:00Z"]]`},
		{`NumberLong("9007199254740993")`, `result [["9007199254740993"]]`},
		{`NumberLong(5)`, `result [[5]]`},
		{`NumberInt(5) + 1`, `result [[6]]`},
		{`NumberDecimal("1.10")`, `result [["1.10"]]`},
		{`Long("7").toNumber()`, `result [[7]]`},
		{`Double(3)`, `result [[3]]`},
		{`10 / 4`, `result [[2.5]]`},
		{`UUID("00112233-4455-6677-8899-aabbccddeeff")`, `result [[{"$binary":{"base64":"ABEiM0RVZneImaq7zN3u/w==","subType":"04"}}]]`},
		{`BinData(0, "AQID").hex()`, `result [["010203"]]`},
		{`Timestamp({t: 3, i: 1})`, `result [[{"$timestamp":{"t":3,"i":1}}]]`},
		{`[MinKey(), MaxKey()]`, `result [[{"$minKey":1}],[{"$maxKey":1}]]`},
		{`db.n.insertOne({_id: 1, l: NumberLong("9223372036854775807"), r: /a+/i, f: 1.5, b: BinData(0, "AQ=="), n: null}); db.n.findOne()`,
			`_id,l,r,f,b,n [[1,"9223372036854775807",{"$regularExpression":{"pattern":"a+","options":"i"}},1.5,{"$binary":{"base64":"AQ==","subType":"00"}},null]]`},
		{`print("a", 1); print({b: 2})`, `output [["a 1"],["{\"b\":2}"]]`},
		{`db.users.find().sort({_id: 1}).forEach(u => print(u.name))`, `output [["ada"],["bob"],["cy"]]`},
		{`db`, `result [["WORKSPACE"]]`},
		{`db.users`, `result [["WORKSPACE.users"]]`},
		{`db.getSiblingDB(db.getName()).users.countDocuments()`, `result [[3]]`},
		{`1; "two"; [3, {a: 4}]`, `result,a [[3,null],[null,4]]`},
		{`const x = 1;`, ` []`},
		{`try { db.users.insertOne({_id: 1}) } catch (e) { e.code }`, `result [[11000]]`},
		{`(async () => { return await Promise.resolve(db.users.countDocuments()) })()`, `result [[3]]`},
		{`JSON.stringify({id: ObjectId("0123456789abcdef01234567")})`, `result [["{\"id\":{\"$oid\":\"0123456789abcdef01234567\"}}"]]`},
		{`EJSON.parse('{"n": {"$numberLong": "12"}}').n.toString()`, `result [["12"]]`},
		{`db.users.find({_id: {$in: [1, 2]}}, {_id: 1}).comment("why").hint({_id: 1})`, `_id [[1],[2]]`},
	} {
		t.Run(test.text, func(t *testing.T) {
			target := newWorkspace(t, e, false)
			query(t, e, target, seed)
			want := strings.ReplaceAll(test.want, "WORKSPACE", target.Database)
			if got := shown(t, query(t, e, target, test.text)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestWritesSayHowManyDocumentsTheyChanged(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, false)
	for _, test := range []struct {
		text string
		want int64
	}{
		{`db.c.insertMany([{_id: 1}, {_id: 2}, {_id: 3}])`, 3},
		{`db.c.updateMany({_id: {$gt: 1}}, {$set: {x: 1}})`, 2},
		{`db.c.deleteOne({_id: 1})`, 1},
		{`db.c.bulkWrite([{insertOne: {document: {_id: 9}}}, {deleteOne: {filter: {_id: 9}}}])`, 2},
		{`{"update": "c", "updates": [{"q": {"_id": 2}, "u": {"$set": {"x": 2}}}, {"q": {"_id": 50}, "u": {"$set": {"x": 2}}, "upsert": true}]}`, 2},
		{`{"delete": "c", "deletes": [{"q": {}, "limit": 0}]}`, 3},
	} {
		got := query(t, e, target, test.text)
		if got.RowsAffected == nil || *got.RowsAffected != test.want {
			t.Errorf("%s: got %v rows affected, want %d", test.text, got.RowsAffected, test.want)
		}
	}
	if got := query(t, e, target, `db.c.find()`); got.RowsAffected != nil {
		t.Errorf("a find affects %d rows", *got.RowsAffected)
	}
}

func TestErrorsAreTheServersOwn(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, false)
	query(t, e, target, `db.c.insertOne({_id: 1})`)
	for _, test := range []struct{ text, codeName, message string }{
		{`db.c.insertOne({_id: 1})`, "DuplicateKey", "E11000"},
		{`{"insert": "c", "documents": [{"_id": 1}]}`, "DuplicateKey", "E11000"},
		{`db.c.find({$nope: 1})`, "BadValue", "$nope"},
		{`{"find": "c", "filter": {"$nope": 1}}`, "BadValue", "$nope"},
		{`db.createCollection("c")`, "NamespaceExists", "already exists"},
		{`db.runCommand({nonsense: 1})`, "Unauthorized", "not available"},
		{`db.c.dropIndex("x")`, "IndexNotFound", "(line 1)"},
		{`db.c.find(`, "", "SyntaxError"},
		{"let a = 1;\nnosuch()", "", "ReferenceError: nosuch is not defined (line 2)"},
		{`db.c.frobnicate()`, "", "TypeError"},
		{`throw new Error("mine")`, "", "mine"},
		{`throw 5`, "", "uncaught: 5"},
		{`null.x`, "", "TypeError"},
		{`db.c.updateOne({}, {x: 1})`, "", "update operators"},
		{`db.c.watch()`, "", "MongoDB client"},
		{`it`, "", "ReferenceError"},
	} {
		_, err := e.Query(t.Context(), target, test.text, workspace.Limits{})
		failure, ok := errors.AsType[*workspace.Error](err)
		if !ok || failure.Code != workspace.BadRequest {
			t.Errorf("%s: got %v, want a bad request", test.text, err)
			continue
		}
		name, _ := failure.Details["codeName"].(string)
		if name != test.codeName || !strings.Contains(failure.Message, test.message) {
			t.Errorf("%s: got %q %q, want %q %q", test.text, name, failure.Message, test.codeName, test.message)
		}
	}
}
