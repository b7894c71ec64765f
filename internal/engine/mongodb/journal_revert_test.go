package mongodb

import (
	"errors"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestReverseIsExact(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, true)
	c := newClient(t)
	query(t, e, target, `db.base.insertOne({_id: 1}); db.base.createIndex({k: 1}, {unique: true}); db.base.createIndex({m: 1, n: -1}, {name: "mn"})`)
	taken(t, e, target)
	for _, test := range []struct{ run, reverse string }{
		{`{"create": "users"}`, `{"drop":"users"}`},
		{`{"create": "log", "capped": true, "size": 4096}`, `{"drop":"log"}`},
		{`{"createIndexes": "base", "indexes": [{"key": {"x": 1}, "name": "x_1"}]}`, `{"dropIndexes":"base","index":"x_1"}`},
		{`{"createIndexes": "base", "indexes": [{"key": {"x": 1}, "name": "x_1"}, {"key": {"y": 1}, "name": "y_1"}]}`, `{"dropIndexes":"base","index":["x_1","y_1"]}`},
		{`{"createIndexes": "base", "indexes": [{"key": {"k": 1}, "name": "k_1", "unique": true}, {"key": {"y": 1}, "name": "y_1"}]}`, `{"dropIndexes":"base","index":"y_1"}`},
		{`{"dropIndexes": "base", "index": "k_1"}`, `{"createIndexes":"base","indexes":[{"key":{"k":{"$numberInt":"1"}},"name":"k_1","unique":true}]}`},
		{`{"dropIndexes": "base", "index": "*"}`, `{"createIndexes":"base","indexes":[{"key":{"k":{"$numberInt":"1"}},"name":"k_1","unique":true},{"key":{"m":{"$numberInt":"1"},"n":{"$numberInt":"-1"}},"name":"mn"}]}`},
		{`{"renameCollection": "DB.base", "to": "DB.renamed"}`, `{"renameCollection":"DB.renamed","to":"DB.base"}`},
		{`{"insert": "made", "documents": [{"_id": 1}]}`, `{"drop":"made"}`},
	} {
		t.Run(test.run, func(t *testing.T) {
			before := schemaOf(t, e, target)
			if err := relayed(t, e, c, target, test.run); err != nil {
				t.Fatal(err)
			}
			got := taken(t, e, target)
			if len(got) != 1 || strings.ReplaceAll(got[0].Reverse, target.Database, "DB") != test.reverse || !got[0].Reversible {
				t.Fatalf("got %+v, want reverse %s", got, test.reverse)
			}
			if err := e.Revert(t.Context(), target, workspace.Entry{ID: 42, Change: got[0]}); err != nil {
				t.Fatal(err)
			}
			if after := schemaOf(t, e, target); after != before {
				t.Errorf("the reverse leaves a difference:\n%s\n%s", before, after)
			}
			noted := taken(t, e, target)
			if len(noted) != 1 || noted[0].Reverts != 42 {
				t.Errorf("journal after the revert: %+v", noted)
			}
		})
	}
}

// entryOf makes a change and gives it as an entry of the queue.
func entryOf(t *testing.T, e *Engine, target workspace.Target, script string) workspace.Entry {
	t.Helper()
	query(t, e, target, script)
	list := taken(t, e, target)
	if len(list) != 1 {
		t.Fatalf("%s: %+v", script, list)
	}
	return workspace.Entry{ID: 7, Change: list[0]}
}

func wantConflict(t *testing.T, err error, text string) {
	t.Helper()
	if refused, ok := errors.AsType[*workspace.Error](err); !ok || refused.Code != workspace.Conflict || !strings.Contains(refused.Message, text) {
		t.Errorf("got %v, want a conflict that says %q", err, text)
	}
}

func TestRevertsThatCanNotBeAreConflicts(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, true)
	created := entryOf(t, e, target, `db.createCollection("a")`)
	index := entryOf(t, e, target, `db.a.createIndex({x: 1})`)
	dropped := entryOf(t, e, target, `db.a.drop()`)
	wantConflict(t, e.Revert(t.Context(), target, dropped), "documents are gone")
	wantConflict(t, e.Revert(t.Context(), target, created), "not there any more")
	wantConflict(t, e.Revert(t.Context(), target, index), "")
	if list := taken(t, e, target); len(list) != 0 {
		t.Errorf("refused reverts left %+v", list)
	}
	// What is done later is no revert.
	query(t, e, target, `db.createCollection("a"); db.a.drop()`)
	for _, c := range taken(t, e, target) {
		if c.Reverts != 0 {
			t.Errorf("%s is noted as a revert", c.Statement)
		}
	}
}

// TestARevertThatWasCutShortIsFinishedByTheNextLook stops a node after each of
// its steps.
func TestARevertThatWasCutShortIsFinishedByTheNextLook(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, true)
	entry := entryOf(t, e, target, `db.createCollection("a")`)
	mark := func() {
		t.Helper()
		if err := e.mark(t.Context(), target.Database, revert{entry.ID, entry.Reverse}); err != nil {
			t.Fatal(err)
		}
	}
	mark() // and no more
	query(t, e, target, `db.createCollection("other")`)
	if list := taken(t, e, target); len(list) != 1 || list[0].Reverts != 0 {
		t.Errorf("before the reverse ran: %+v", list)
	}
	command, err := ddltrack.ParseMongoCommand(entry.Reverse)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.client.Database(target.Database).RunCommand(t.Context(), command).Err(); err != nil {
		t.Fatal(err)
	}
	if list := taken(t, newEngine(t), target); len(list) != 1 || list[0].Reverts != entry.ID {
		t.Errorf("after the reverse ran: %+v", list)
	}
	// A mark is void once its collection went another way.
	entry = entryOf(t, e, target, `db.createCollection("a")`)
	mark()
	query(t, e, target, `db.a.createIndex({x: 1}); db.a.drop()`)
	for _, c := range taken(t, e, target) {
		if c.Reverts != 0 {
			t.Errorf("%s is noted as a revert", c.Statement)
		}
	}
}
