package mysql

import (
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// queued is a change as it is in the queue.
func queued(c workspace.Change, id int64) workspace.Entry {
	return workspace.Entry{ID: id, Status: "pending", Change: c}
}

func TestRevertUndoesAndSaysSo(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	newSession(t, e, target).run("CREATE TABLE t (a int)")
	before := dump(t, e, target)
	newSession(t, e, target).run("ALTER TABLE t ADD COLUMN b int, ADD COLUMN c int")
	list := taken(t, e, target)
	must(t, e.Revert(t.Context(), target, queued(list[1], 42)))
	wantSame(t, before, dump(t, e, target))
	got := taken(t, e, target)
	if len(got) != 1 || got[0].Reverts != 42 || got[0].Source != "api" {
		t.Fatalf("got %+v", got)
	}
	must(t, e.Revert(t.Context(), target, queued(list[0], 43)))
	if got = taken(t, e, target); len(got) != 1 || got[0].Reverts != 43 {
		t.Fatalf("got %+v", got)
	}
	newSession(t, e, target).run("CREATE TABLE t (a int)")
	if got = taken(t, e, target); len(got) != 1 || got[0].Reverts != 0 {
		t.Fatalf("got %+v", got)
	}
}

func TestRevertThatCannotBeIsAConflictAndLeavesNothing(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, e, target)
	s.run("CREATE TABLE parent (id int PRIMARY KEY)", "CREATE TABLE child (id int, CONSTRAINT fk FOREIGN KEY (id) REFERENCES parent (id))", "CREATE TABLE moved (a int)", "RENAME TABLE moved TO away", "DROP TABLE away")
	list := taken(t, e, target)
	for name, c := range map[string]workspace.Change{"needed": list[0], "gone": list[2], "no reverse": list[4]} {
		err := e.Revert(t.Context(), target, queued(c, 50))
		if workspace.ErrorCode(err) != workspace.Conflict {
			t.Errorf("%s: got %v, want a conflict", name, err)
		}
	}
	wantStatements(t, changes(t, e, target))
	s.run("CREATE TABLE again (a int)")
	if got := taken(t, e, target); len(got) != 1 || got[0].Reverts != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestRevertThatWasCutShortIsKnownByTheLog(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, e, target)
	s.run("CREATE TABLE t (a int)")
	list := taken(t, e, target)
	entry := queued(list[0], 60)
	must(t, e.intend(t.Context(), target, entry, s.id, strings.TrimSuffix(entry.Reverse, ";")))
	s.run("CREATE TABLE other (a int)", entry.Reverse, "CREATE TABLE t (a int)", entry.Reverse)
	// Another node finds it.
	got := taken(t, newEngine(t), target)
	var reverts []int64
	for _, c := range got {
		reverts = append(reverts, c.Reverts)
	}
	if len(got) != 4 || reverts[0] != 0 || reverts[1] != 60 || reverts[2] != 0 || reverts[3] != 0 {
		t.Errorf("got %v of %q", reverts, statements(got))
	}
}

func TestRevertWaitsForNobodyForever(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, e, target)
	s.run("CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)")
	list := taken(t, e, target)
	s.run("BEGIN", "SELECT * FROM t")
	done := make(chan error, 1)
	go func() { done <- e.Revert(t.Context(), target, queued(list[0], 70)) }()
	// Others are not kept waiting meanwhile.
	other := newTracked(t, e)
	newSession(t, e, other).run("CREATE TABLE t (a int)")
	wantStatements(t, changes(t, e, other), "CREATE TABLE t (a int)")
	if err := <-done; workspace.ErrorCode(err) != workspace.Conflict {
		t.Errorf("got %v, want a conflict", err)
	}
	s.run("COMMIT", "SELECT * FROM t")
}
