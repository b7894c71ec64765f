package mongodb

import (
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// relayed sends a command as the relay does: announced, sent, recorded.
func relayed(t *testing.T, e *Engine, c *mongo.Client, target workspace.Target, text string) error {
	t.Helper()
	text = strings.ReplaceAll(text, "DB", target.Database)
	e.Announce(target, 1, text)
	command := extJSON(t, text)
	return databaseFor(c, target.Database, command).RunCommand(t.Context(), command).Err()
}

// taken is what changed since the last time; the journal is empty afterwards.
func taken(t *testing.T, e *Engine, target workspace.Target) []workspace.Change {
	t.Helper()
	list, err := e.Changes(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]int64, len(list))
	for i, c := range list {
		ids[i] = c.JournalID
	}
	if err := e.Forget(t.Context(), target, ids); err != nil {
		t.Fatal(err)
	}
	return list
}

// told are the statements in relaxed Extended JSON, without the database.
func told(t *testing.T, target workspace.Target, list []workspace.Change) []string {
	t.Helper()
	var all []string
	for _, c := range list {
		text, err := bson.MarshalExtJSON(extJSON(t, c.Statement), false, false)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.ReplaceAll(string(text), target.Database, "DB"))
	}
	return all
}

func wantTold(t *testing.T, target workspace.Target, list []workspace.Change, want ...string) {
	t.Helper()
	if got := told(t, target, list); !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// schemaOf is the schema without what names its collections' lives.
func schemaOf(t *testing.T, e *Engine, target workspace.Target) string {
	t.Helper()
	schema, err := e.schema(t.Context(), target.Database)
	if err != nil {
		t.Fatal(err)
	}
	for i := range schema {
		schema[i].UUID = ""
	}
	text, err := bson.MarshalExtJSON(snapshot{schema}, true, false)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wantReplay is the measure: the changes, on an empty database, give the same
// collections and indexes.
func wantReplay(t *testing.T, e *Engine, target workspace.Target, list []workspace.Change) {
	t.Helper()
	fresh := newWorkspace(t, e, false)
	for _, c := range list {
		text, err := ddltrack.MongoStatementFor(c.Statement, fresh.Database)
		if err != nil {
			t.Fatal(err)
		}
		command := extJSON(t, text)
		if err := databaseFor(e.client, fresh.Database, command).RunCommand(t.Context(), command).Err(); err != nil {
			t.Fatalf("replay %s: %v", c.Statement, err)
		}
	}
	if want, got := schemaOf(t, e, target), schemaOf(t, e, fresh); got != want {
		t.Errorf("replayed\n%s\nworkspace\n%s", got, want)
	}
}

// TestEachChangeIsNotedInTheClientsWords has one command, or none, between two
// looks.
func TestEachChangeIsNotedInTheClientsWords(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, true)
	c := newClient(t)
	var all []workspace.Change
	for _, test := range []struct {
		run    string
		want   []string
		fails  bool
		silent bool // not announced
	}{
		{run: `{"create": "users", "comment": "first", "writeConcern": {"w": 1}}`, want: []string{`{"create":"users"}`}},
		{run: `{"create": "users"}`, fails: true},
		{run: `{"create": "log", "capped": true, "size": 4000, "max": 10}`, want: []string{`{"create":"log","capped":true,"size":4000,"max":10}`}},
		{run: `{"createIndexes": "users", "indexes": [{"key": {"email": 1}, "name": "email_1", "unique": true, "background": true}]}`,
			want: []string{`{"createIndexes":"users","indexes":[{"key":{"email":1},"name":"email_1","unique":true,"background":true}]}`}},
		{run: `{"createIndexes": "users", "indexes": [{"key": {"email": 1}, "name": "email_1", "unique": true}]}`},
		{run: `{"createIndexes": "users", "indexes": [{"key": {"a": 1, "b": -1}, "name": "ab"}, {"key": {"email": 1}, "name": "email_1", "unique": true}, {"key": {"c": 1}, "name": "c"}]}`,
			want: []string{`{"createIndexes":"users","indexes":[{"key":{"a":1,"b":-1},"name":"ab"},{"key":{"email":1},"name":"email_1","unique":true},{"key":{"c":1},"name":"c"}]}`}},
		{run: `{"dropIndexes": "users", "index": "nothing"}`, fails: true},
		{run: `{"dropIndexes": "users", "index": {"c": 1}}`, want: []string{`{"dropIndexes":"users","index":{"c":1}}`}},
		{run: `{"insert": "users", "documents": [{"_id": 1, "email": "a"}]}`},
		{run: `{"insert": "implicit", "documents": [{"_id": 1}]}`, want: []string{`{"create":"implicit"}`}},
		{run: `{"update": "upserted", "updates": [{"q": {"_id": 1}, "u": {"$set": {"x": 1}}, "upsert": true}]}`, want: []string{`{"create":"upserted"}`}},
		{run: `{"findAndModify": "modified", "query": {"_id": 1}, "update": {"$set": {"x": 1}}, "upsert": true}`, want: []string{`{"create":"modified"}`}},
		{run: `{"createIndexes": "indexed", "indexes": [{"key": {"x": 1}, "name": "x_1"}]}`,
			want: []string{`{"create":"indexed"}`, `{"createIndexes":"indexed","indexes":[{"key":{"x":1},"name":"x_1"}]}`}},
		{run: `{"create": "unheard"}`, silent: true, want: []string{`{"create":"unheard"}`}},
		{run: `{"renameCollection": "DB.users", "to": "DB.people"}`, want: []string{`{"renameCollection":"DB.users","to":"DB.people"}`}},
		{run: `{"renameCollection": "DB.people", "to": "DB.log"}`, fails: true},
		{run: `{"drop": "upserted"}`, want: []string{`{"drop":"upserted"}`}},
		{run: `{"drop": "upserted"}`},
		{run: `{"find": "never"}`},
		{run: `{"dropIndexes": "people", "index": "*"}`, want: []string{`{"dropIndexes":"people","index":"*"}`}},
		{run: `{"create": "broken", "viewOn": "people", "pipeline": []}`, fails: true}, // FerretDB has no views
		{run: `{"insert": "broken", "documents": [{"_id": 1}]}`, silent: true, want: []string{`{"create":"broken"}`}},
		{run: `{"create": "a.b.c"}`, want: []string{`{"create":"a.b.c"}`}},
	} {
		text := test.run
		if test.silent {
			if err := c.Database(target.Database).RunCommand(t.Context(), extJSON(t, text)).Err(); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		} else if err := relayed(t, e, c, target, text); (err != nil) != test.fails {
			t.Fatalf("%s: %v", text, err)
		}
		got := taken(t, e, target)
		t.Run(test.run, func(t *testing.T) { wantTold(t, target, got, test.want...) })
		if len(got) == 2 && got[0].Unit != got[1].Unit {
			t.Errorf("%s: its two changes are two units", test.run)
		}
		all = append(all, got...)
	}
	wantReplay(t, e, target, all)
	if err := relayed(t, e, c, target, `{"dropDatabase": 1}`); err != nil {
		t.Fatal(err)
	}
	drops := taken(t, e, target)
	for _, d := range drops {
		if d.Operation != "drop" || d.Unit != drops[0].Unit {
			t.Errorf("dropDatabase gives %s in unit %s, want drops in unit %s", d.Statement, d.Unit, drops[0].Unit)
		}
	}
	wantReplay(t, e, target, append(all, drops...))
}

func TestScriptsOfTheAPINoteCommandByCommand(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, true)
	query(t, e, target, `
		db.createCollection("a", {capped: true, size: 4096});
		db.a.drop();
		db.createCollection("a");
		db.a.createIndex({x: 1}, {unique: true});
		try { db.createCollection("a") } catch (e) {}
		db.b.insertMany([{x: 1}, {x: 2}]);
		db.b.insertOne({x: 3});
		db.c.updateOne({_id: 1}, {$set: {x: 1}});
		db.c.updateOne({_id: 1}, {$set: {x: 1}}, {upsert: true});
		db.c.drop();
		db.b.renameCollection("c")`)
	got := taken(t, e, target)
	wantTold(t, target, got,
		`{"create":"a","capped":true,"size":4096}`, `{"drop":"a"}`, `{"create":"a"}`,
		`{"createIndexes":"a","indexes":[{"key":{"x":1},"name":"x_1","unique":true}]}`,
		`{"create":"b"}`, `{"create":"c"}`, `{"drop":"c"}`, `{"renameCollection":"DB.b","to":"DB.c"}`)
	for _, c := range got {
		if c.Source != sourceAPI {
			t.Errorf("%s: source %q", c.Statement, c.Source)
		}
	}
	wantReplay(t, e, target, got)
}

func TestChangesStayUntilTheyAreForgotten(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, true)
	query(t, e, target, `db.createCollection("a"); db.createCollection("b")`)
	first, err := e.Changes(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Forget(t.Context(), target, []int64{first[0].JournalID}); err != nil {
		t.Fatal(err)
	}
	again, err := e.Changes(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 2 || len(again) != 1 || again[0].JournalID != first[1].JournalID || again[0].Statement != first[1].Statement {
		t.Errorf("got %+v, then %+v", first, again)
	}
	query(t, e, target, `db.createCollection("c")`)
	if later := taken(t, e, target); len(later) != 2 || later[1].JournalID <= first[1].JournalID {
		t.Errorf("a number was given twice: %+v after %+v", later, first)
	}
}

func TestControlWorkspacesAreNotTracked(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, false)
	query(t, e, target, `db.createCollection("a"); db.b.insertOne({})`)
	if list, err := e.Changes(t.Context(), target); err == nil {
		t.Errorf("got %+v", list)
	}
}

func TestADatabaseOfTheSameNameStartsAnew(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, true)
	query(t, e, target, `db.createCollection("old")`)
	late, _, err := e.load(t.Context(), target.Database)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Drop(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	// Another node's write that comes too late.
	late.Number++
	if _, err := e.store(t.Context(), target.Database, late); err != nil {
		t.Fatal(err)
	}
	if err := e.Create(t.Context(), target, true); err != nil {
		t.Fatal(err)
	}
	if got := taken(t, e, target); len(got) != 0 {
		t.Errorf("the new database has the old one's changes: %+v", got)
	}
}
