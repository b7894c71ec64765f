package mysql

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestNodesShareTheJournal(t *testing.T) {
	nodes := []*Engine{newEngine(t), newEngine(t), newEngine(t)}
	target := newTracked(t, nodes[0])
	other := newTracked(t, nodes[1])
	const tables = 30
	var wg sync.WaitGroup
	for i, e := range nodes {
		s := newSession(t, e, []workspace.Target{target, other, target}[i])
		wg.Go(func() {
			for n := range tables {
				if err := s.exec(context.Background(), fmt.Sprintf("CREATE TABLE t%d_%d (a int)", i, n)); err != nil {
					t.Error(err)
				}
				if _, err := e.Changes(context.Background(), target); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, e := range nodes {
		got := statements(changes(t, e, target))
		if n := len(slices.Compact(slices.Sorted(slices.Values(got)))); len(got) != 2*tables || n != 2*tables {
			t.Errorf("%d changes of which %d differ, want %d", len(got), n, 2*tables)
		}
		if n := len(changes(t, e, other)); n != tables {
			t.Errorf("%d changes of the other, want %d", n, tables)
		}
	}
}

func TestRotatedLogsAreReadThrough(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, e, target)
	admin := administrator(t, e)
	var want []string
	for i := range 5 {
		sql := fmt.Sprintf("CREATE TABLE t%d (a longtext)", i)
		s.run(sql, fmt.Sprintf("INSERT INTO t%d VALUES (REPEAT('x', 500000))", i))
		want = append(want, sql)
		admin.run("FLUSH BINARY LOGS")
		if i == 2 {
			wantStatements(t, changes(t, e, target), want...)
		}
	}
	wantStatements(t, changes(t, e, target), want...)
	wantStatements(t, changes(t, newEngine(t), target), want...)
}

func TestManyChangesAreReadInBatches(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, e, target)
	var want []string
	for i := range maxBatch + 50 {
		sql := fmt.Sprintf("CREATE VIEW v%d AS SELECT %d AS a", i, i)
		e.Announce(target, s.id, sql)
		s.run(sql)
		want = append(want, sql)
	}
	got := taken(t, e, target)
	if len(got) != len(want) || got[0].Statement != "CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `v0` AS SELECT 0 AS a" {
		// What was announced first has been forgotten: the memory is bounded.
		t.Errorf("got %d changes, the first is %q", len(got), got[0].Statement)
	}
	if last := got[len(got)-1].Statement; last != want[len(want)-1] {
		t.Errorf("last is %q, want %q", last, want[len(want)-1])
	}
}

func TestDataIsNotReadAgain(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, e, target)
	s.run("CREATE TABLE t (a int)")
	taken(t, e, target)
	for range 3 {
		s.run("INSERT INTO t VALUES (1)")
		wantStatements(t, changes(t, e, target))
	}
	r, release, err := e.read(t.Context())
	must(t, err)
	defer release()
	c, err := r.connect(t.Context())
	must(t, err)
	status, err := binlogStatus(t.Context(), c, e.known())
	must(t, err)
	if r.stream == nil || r.stream.next != status.end {
		t.Errorf("the stream is not at the end %v", status.end)
	}
}

func TestAdministratorsStatementsAreRecordedByTheirDatabase(t *testing.T) {
	e := newEngine(t)
	target, other := newTracked(t, e), newTracked(t, e)
	admin := administrator(t, e)
	in := quote(target.Database)
	admin.run("CREATE TABLE "+in+".t (a int)", "USE "+quote(other.Database), "ALTER TABLE "+in+".t ADD b int", "CREATE TABLE t (a int)")
	got := changes(t, e, target)
	wantStatements(t, got, "CREATE TABLE "+in+".t (a int)", "ALTER TABLE "+in+".t ADD b int")
	wantStatements(t, changes(t, e, other), "CREATE TABLE t (a int)")
	wantReplay(t, e, target, got)
}

func TestControlWorkspacesAreNotTracked(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	newSession(t, e, target).run("CREATE TABLE t (a int)")
	wantStatements(t, changes(t, e, target))
}

func TestEventsOfTheSchedulerAreRecorded(t *testing.T) {
	e := newEngine(t)
	admin := administrator(t, e)
	if admin.value("SELECT @@global.event_scheduler") != "ON" {
		admin.run("SET GLOBAL event_scheduler = ON")
	}
	target := newTracked(t, e)
	s := newSession(t, e, target)
	s.run("CREATE EVENT ev ON SCHEDULE AT CURRENT_TIMESTAMP DO CREATE TABLE by_event (a int)")
	await(t, "the event and its end are recorded", func() bool {
		got := statements(changes(t, e, target))
		return slices.Contains(got, "CREATE TABLE by_event (a int)") &&
			slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(strings.ToUpper(s), "DROP EVENT") })
	})
}

func TestLostLogIsSaidAndTheDifferenceRecorded(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, e, target)
	s.run("CREATE TABLE kept (a int)", "CREATE TABLE dropped (a int)", "CREATE PROCEDURE gone() SELECT 1")
	list := taken(t, e, target)
	e.Close()
	s.run("DROP TABLE dropped", "DROP PROCEDURE gone", "CREATE TABLE made (a int DEFAULT 5)", "CREATE VIEW v AS SELECT a FROM made", "CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1")
	admin := administrator(t, e)
	reset := "RESET MASTER"
	if !e.known().mariaDB {
		reset = "RESET BINARY LOGS AND GTIDS"
	}
	admin.run(reset)
	var log bytes.Buffer
	c := configOf(server.socket, server.user, server.password)
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	again := prepared(t, c)
	got := taken(t, again, target)
	if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "does not reach back") {
		t.Errorf("log says %q", log.String())
	}
	if len(got) != 5 {
		t.Errorf("got %q", statements(got))
	}
	s.run("ALTER TABLE kept ADD b int")
	got = append(got, taken(t, again, target)...)
	wantReplay(t, again, target, append(list, got...))
}

// A reader that could not write what it read reads it again, and still knows the
// clients' own words.
func TestWhatCouldNotBeNotedIsFoundAgain(t *testing.T) {
	e := newEngine(t)
	admin := administrator(t, e)
	target := newTracked(t, e)
	s := newSession(t, e, target)
	s.run("create table a (x int)")
	taken(t, e, target)
	text := "drop  table a; create  table a (y int); drop  table a"
	e.Announce(target, s.id, text)
	admin.run("RENAME TABLE tenantsdb.journal TO tenantsdb.away")
	s.run(text)
	for range 2 {
		if _, err := e.Changes(t.Context(), target); err == nil {
			t.Error("changes are read without a journal")
		}
	}
	admin.run("RENAME TABLE tenantsdb.away TO tenantsdb.journal")
	wantStatements(t, taken(t, e, target), "drop  table a", "create  table a (y int)", "drop  table a")
	wantStatements(t, changes(t, e, target))
}
