package shell

import (
	"bytes"
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

const shownDatabase = "the_db"

// sent is the command that a line of mongosh, or a command document, sends.
func sent(t *testing.T, line string) bson.D {
	t.Helper()
	if strings.HasPrefix(line, "{") {
		command, err := ddltrack.ParseMongoCommand(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return command
	}
	var got []bson.D
	_, err := evaluate(order{Text: line, Database: shownDatabase}, func(command bson.D) (Answer, error) {
		got = append(got, command)
		return nothing(nil)
	})
	if err != nil || len(got) != 1 {
		t.Fatalf("%s: sent %v, %v", line, got, err)
	}
	return got[0]
}

// essence is a command in bytes that are the same for commands that do the same:
// options have no order, some words have a second spelling.
func essence(t *testing.T, command bson.D) []byte {
	t.Helper()
	command = slices.Clone(ddltrack.MongoCommand(command))
	if command[0].Key == "deleteIndexes" {
		command[0].Key = "dropIndexes"
	}
	if command[0].Key == "renameCollection" {
		command = ddltrack.MongoCommandFor(command, shownDatabase)
		command = slices.DeleteFunc(command, func(e bson.E) bool { return e.Key == "dropTarget" && e.Value == false })
	}
	slices.SortStableFunc(command[1:], byKey)
	for i, e := range command {
		list, ok := e.Value.(bson.A)
		if e.Key != "indexes" || !ok {
			continue
		}
		list = slices.Clone(list)
		for j := range list {
			if spec, ok := list[j].(bson.D); ok {
				list[j] = slices.SortedStableFunc(slices.Values(spec), byKey)
			}
		}
		command[i].Value = list
	}
	b, err := bson.Marshal(command)
	if err != nil {
		t.Fatalf("%v: %v", command, err)
	}
	return b
}

func byKey(a, b bson.E) int { return cmp.Compare(a.Key, b.Key) }

func TestShownStatementsAreThoseOfAShell(t *testing.T) {
	for _, test := range []struct{ statement, want string }{
		{`{"create": "users"}`, `db.createCollection("users")`},
		{`{"create": "users", "validator": {"age": {"$gte": {"$numberInt": "0"}}}, "capped": true, "size": {"$numberLong": "4096"}}`, `db.createCollection("users", {validator: {age: {$gte: 0}}, capped: true, size: NumberLong("4096")})`},
		{`{"create": "users", "autoIndexId": false}`, `db.runCommand({create: "users", autoIndexId: false})`},
		{`{"create": "t", "timeseries": {"timeField": "at", "granularity": "hours"}, "expireAfterSeconds": {"$numberLong": "60"}}`, `db.createCollection("t", {timeseries: {timeField: "at", granularity: "hours"}, expireAfterSeconds: NumberLong("60")})`},
		{`{"create": "v", "viewOn": "c", "pipeline": [{"$match": {"a": 1}}], "collation": {"locale": "de"}}`, `db.createView("v", "c", [{$match: {a: 1}}], {collation: {locale: "de"}})`},
		{`{"create": "v", "viewOn": "c"}`, `db.runCommand({create: "v", viewOn: "c"})`},
		{`{"createIndexes": "users", "indexes": [{"key": {"email": 1}, "unique": true, "name": "email_1"}]}`, `db.users.createIndex({email: 1}, {unique: true})`},
		{`{"createIndexes": "users", "indexes": [{"key": {"a": 1, "b": -1}, "name": "own"}]}`, `db.users.createIndex({a: 1, b: -1}, {name: "own"})`},
		{`{"createIndexes": "users", "indexes": [{"key": {"a": 1}, "name": "a_1"}, {"key": {"b": "text"}, "name": "b_text"}]}`, `db.users.createIndexes([{a: 1}, {b: "text"}])`},
		{`{"createIndexes": "users", "indexes": [{"key": {"a": 1}, "name": "a_1"}, {"key": {"b": 1}, "name": "b_1", "sparse": true}]}`,
			`db.runCommand({createIndexes: "users", indexes: [{key: {a: 1}, name: "a_1"}, {key: {b: 1}, name: "b_1", sparse: true}]})`},
		{`{"createIndexes": "users", "indexes": [{"key": {"b": 1, "0": 1}, "name": "x"}]}`, `db.users.createIndex(new Map([["b", 1], ["0", 1]]), {name: "x"})`},
		{`{"createIndexes": "users", "indexes": [{"key": {"a": 1}, "name": "a_1", "prepareUnique": true}]}`, `db.runCommand({createIndexes: "users", indexes: [{key: {a: 1}, name: "a_1", prepareUnique: true}]})`},
		{`{"collMod": "users", "index": {"name": "a_1", "hidden": true}}`, `db.runCommand({collMod: "users", index: {name: "a_1", hidden: true}})`},
		{`{"dropIndexes": "users", "index": "a_1"}`, `db.users.dropIndex("a_1")`},
		{`{"dropIndexes": "users", "index": "*"}`, `db.users.dropIndexes()`},
		{`{"dropIndexes": "users", "index": {"a": 1}}`, `db.users.dropIndex({a: 1})`},
		{`{"dropIndexes": "users", "index": ["a", "b"]}`, `db.users.dropIndexes(["a", "b"])`},
		{`{"drop": "users", "writeConcern": {"w": 1}}`, `db.users.drop()`},
		{`{"drop": "stats"}`, `db.getCollection("stats").drop()`},
		{`{"drop": "a.b"}`, `db.getCollection("a.b").drop()`},
		{`{"drop": "_own"}`, `db.getCollection("_own").drop()`},
		{`{"drop": "with \"quotes\" & <ä>"}`, `db.getCollection("with \"quotes\" & <ä>").drop()`},
		{`{"renameCollection": "x.users", "to": "x.people"}`, `db.users.renameCollection("people")`},
		{`{"renameCollection": "x.a.b", "to": "x.c.d", "dropTarget": true}`, `db.getCollection("a.b").renameCollection("c.d", true)`},
		{`{"convertToCapped": "users", "size": 4096}`, `db.users.convertToCapped(4096)`},
		{`{"dropDatabase": 1}`, `db.dropDatabase()`},
		{`{"create": "c", "validator": {"_bsontype": "Long"}}`, `{"create":"c","validator":{"_bsontype":"Long"}}`},
		{`no document`, `no document`},
	} {
		if got := ddltrack.MongoShown(test.statement); got != test.want {
			t.Errorf("%s\nis shown as %s\nwant        %s", test.statement, got, test.want)
		}
	}
}

// TestShownValuesKeepTheirTypes has every value that BSON has within a command.
func TestShownValuesKeepTheirTypes(t *testing.T) {
	for _, test := range []struct {
		value any
		want  string
	}{
		{bson.ObjectID{1, 2}, `ObjectId("010200000000000000000000")`}, {bson.DateTime(5), `ISODate("1970-01-01T00:00:00.005Z")`},
		{bson.DateTime(-8_640_000_000_000_000), `new Date(-8640000000000000)`}, {int64(1) << 60, `NumberLong("1152921504606846976")`},
		{mustDecimal(t, "1.10"), `NumberDecimal("1.10")`}, {bson.Binary{Subtype: 4, Data: make([]byte, 16)}, `UUID("00000000-0000-0000-0000-000000000000")`},
		{bson.Binary{Subtype: 0, Data: []byte("abc")}, `BinData(0, "YWJj")`}, {bson.Binary{Subtype: 2, Data: []byte("abc")}, `BinData(2, "YWJj")`},
		{bson.Regex{Pattern: "a/b\n", Options: "ix"}, `BSONRegExp("a/b\n", "ix")`}, {bson.Timestamp{T: 1 << 31, I: 7}, `Timestamp({t: 2147483648, i: 7})`},
		{bson.MinKey{}, `MinKey()`}, {bson.MaxKey{}, `MaxKey()`}, {bson.JavaScript("function () { return \"x\" }"), `Code("function () { return \"x\" }")`},
		{bson.CodeWithScope{Code: "x", Scope: bson.D{{Key: "a", Value: int32(1)}}}, `Code("x", {a: 1})`}, {bson.Symbol("s"), `BSONSymbol("s")`},
		{1.0, `Double(1)`}, {math.Copysign(0, -1), `Double(-0)`}, {float64(1 << 31), `Double(2.147483648e+09)`}, {3e9, `3e+09`}, {0.5, `0.5`}, {math.Inf(-1), `-Infinity`},
		{int32(-5), `-5`}, {nil, `null`}, {true, `true`}, {"\u2028\x00<&>", `"\u2028\u0000<&>"`},
		{bson.D{{Key: "__proto__", Value: int32(1)}, {Key: "a-b", Value: int32(2)}}, `{["__proto__"]: 1, "a-b": 2}`},
		{bson.D{{Key: "b", Value: int32(1)}, {Key: "10", Value: int32(2)}}, `new Map([["b", 1], ["10", 2]])`},
		{bson.D{{Key: "1", Value: int32(1)}, {Key: "2", Value: int32(2)}, {Key: "01", Value: int32(2)}}, `{"1": 1, "2": 2, "01": 2}`},
	} {
		command := bson.D{{Key: "collMod", Value: "c"}, {Key: "v", Value: test.value}}
		line := ddltrack.MongoShell(command)
		if want := `db.runCommand({collMod: "c", v: ` + test.want + `})`; line != want {
			t.Errorf("got %s, want %s", line, want)
			continue
		}
		if got := sent(t, line); !bytes.Equal(essence(t, got), essence(t, command)) {
			t.Errorf("%s sends %v, want %v", line, got, command)
		}
	}
	for _, v := range []any{bson.Undefined{}, bson.DBPointer{DB: "d"}, bson.DateTime(math.MaxInt64), bson.D{{Key: "a"}, {Key: "a"}}} {
		if line := ddltrack.MongoShell(bson.D{{Key: "collMod", Value: "c"}, {Key: "v", Value: bson.A{v}}}); !strings.HasPrefix(line, `{"collMod":"c"`) {
			t.Errorf("%v, which JavaScript does not have, is shown as %s", v, line)
		}
	}
}

func mustDecimal(t *testing.T, s string) bson.Decimal128 {
	t.Helper()
	d, err := bson.ParseDecimal128(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// FuzzShownStatements shows random commands: what the line sends when it is
// evaluated is the command, as it was stored.
func FuzzShownStatements(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		command := randomStatements{rand.New(rand.NewPCG(seed, 4))}.command()
		stored, err := ddltrack.MongoStatement(command)
		if err != nil {
			t.Fatalf("%v: %v", command, err)
		}
		if command, err = ddltrack.ParseMongoCommand(stored); err != nil {
			t.Fatalf("%s: %v", stored, err)
		}
		line := ddltrack.MongoShown(stored)
		if strings.ContainsAny(line, "\n\r") {
			t.Errorf("more than a line: %q", line)
		}
		if got := sent(t, line); !bytes.Equal(essence(t, got), essence(t, command)) {
			t.Errorf("%s\nsends %v\nwant  %v", line, got, command)
		}
	})
}

// randomStatements makes commands about the schema.
type randomStatements struct{ *rand.Rand }

func (r randomStatements) pick(words ...string) string { return words[r.IntN(len(words))] }

func (r randomStatements) name() string {
	return r.pick("users", "a.b", "_x", "stats", "constructor", "toString", "then", "collection", "ä ö", "new", "1", "it's", `"`, "a\nb", "$x", "db", "__proto__", "x1")
}

func (r randomStatements) key() string {
	return r.pick("a", "b", "c", "a.b", "0", "1", "10", "01", "-1", "4294967295", "4294967294", "", "$gt", "__proto__", "constructor", "toJSON", "with space", "'", `"\`, "ä", "\u2028", "value", "length", "then", "_bsontype")
}

func (r randomStatements) value(depth int) any {
	switch n := r.IntN(24); {
	case n < 4 && depth > 0:
		return r.document(depth - 1)
	case n < 6 && depth > 0:
		list := bson.A{}
		for range r.IntN(4) {
			list = append(list, r.value(depth-1))
		}
		return list
	case n < 8:
		return int32(r.Uint32())
	case n < 10:
		return r.Int64() - 1<<62
	case n < 12:
		return []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 1 << 31, -(1 << 31), -(1<<31 + 1), 1 << 53, 1e300, 5e-324, math.Inf(1), math.NaN(), r.NormFloat64()}[r.IntN(14)]
	case n == 12:
		return bson.DateTime(r.Int64N(2*8_640_000_000_000_000) - 8_640_000_000_000_000)
	case n == 13:
		return bson.DateTime(r.Int64())
	case n == 14:
		var id bson.ObjectID
		id[0], id[11] = byte(r.Uint32()), byte(r.Uint32())
		return id
	case n == 15:
		return bson.NewDecimal128(0x3040<<48|r.Uint64N(1<<48), r.Uint64())
	case n == 16:
		return bson.Binary{Subtype: []byte{0, 1, 2, 3, 4, 5, 6, 128}[r.IntN(8)], Data: make([]byte, []int{0, 1, 16, 17}[r.IntN(4)])}
	case n == 17:
		return bson.Regex{Pattern: r.key(), Options: r.pick("", "i", "imsx", "m")}
	case n == 18:
		return bson.Timestamp{T: r.Uint32(), I: r.Uint32()}
	case n == 19:
		return []any{bson.MinKey{}, bson.MaxKey{}, bson.Null{}, nil, true, false, bson.Undefined{}, bson.DBPointer{DB: "d"}}[r.IntN(8)]
	case n == 20:
		return []any{bson.JavaScript(r.key()), bson.Symbol(r.key()), bson.CodeWithScope{Code: "x", Scope: r.document(1)}}[r.IntN(3)]
	}
	return r.key()
}

func (r randomStatements) document(depth int) bson.D {
	d := bson.D{}
	for range r.IntN(5) {
		d = append(d, bson.E{Key: r.key(), Value: r.value(depth)})
	}
	return d
}

// options are some of those that a command may have, and now and then one that
// it may not.
func (r randomStatements) options(words ...string) bson.D {
	d := bson.D{}
	for _, word := range append(words, "unheard") {
		if r.IntN(len(words)+1) == 0 {
			d = append(d, bson.E{Key: word, Value: r.value(3)})
		}
	}
	r.Shuffle(len(d), func(i, j int) { d[i], d[j] = d[j], d[i] })
	return d
}

func (r randomStatements) index() bson.D {
	key := bson.D{}
	for range 1 + r.IntN(3) {
		key = append(key, bson.E{Key: r.key(), Value: []any{int32(1), int32(-1), "text", 1.0, int64(1), r.value(1)}[r.IntN(6)]})
	}
	spec := append(bson.D{{Key: "key", Value: key}}, r.options("unique", "sparse", "partialFilterExpression", "collation", "weights", "wildcardProjection")...)
	if r.IntN(4) > 0 {
		spec = append(spec, bson.E{Key: "name", Value: r.pick("own", "a_1", key[0].Key+"_1", key[0].Key+"_-1")})
	}
	return spec
}

func (r randomStatements) command() bson.D {
	name := r.name()
	about := func(command string, rest ...bson.E) bson.D {
		return append(bson.D{{Key: command, Value: name}}, rest...)
	}
	switch r.IntN(11) {
	case 0:
		return about("create", r.options("capped", "size", "validator", "collation", "timeseries", "clusteredIndex", "autoIndexId", "encryptedFields")...)
	case 1:
		return about("create", append(bson.D{{Key: "viewOn", Value: "c"}, {Key: "pipeline", Value: bson.A{r.document(2)}}}, r.options("collation")...)...)
	case 2, 3:
		specs := bson.A{}
		for range 1 + r.IntN(3) {
			specs = append(specs, r.index())
		}
		return about("createIndexes", bson.E{Key: "indexes", Value: specs})
	case 4:
		return about(r.pick("dropIndexes", "deleteIndexes"), bson.E{Key: "index", Value: []any{"*", "a_1", r.document(1), bson.A{"a", "b"}, bson.A{}}[r.IntN(5)]})
	case 5:
		return about("drop", r.options()...)
	case 6:
		rest := []bson.E{{Key: "to", Value: shownDatabase + "." + r.name()}}
		if r.IntN(2) == 0 {
			rest = append(rest, bson.E{Key: "dropTarget", Value: r.IntN(2) == 0})
		}
		return append(bson.D{{Key: "renameCollection", Value: shownDatabase + "." + name}}, rest...)
	case 7:
		return about("convertToCapped", bson.E{Key: "size", Value: r.value(0)})
	case 8:
		return bson.D{{Key: "dropDatabase", Value: int32(1)}}
	case 9:
		return about("createSearchIndexes", r.options("indexes")...)
	}
	return about("collMod", r.options("validator", "validationLevel", "index", "cappedSize", "changeStreamPreAndPostImages")...)
}
