package workspace_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestRecordIsExactWhenForgetFails(t *testing.T) {
	i, s, p, id := newWorkspace(t)
	i.faults.set("forget", errors.New("connection lost"))
	i.server.commit("shop_workspace", change("CREATE TABLE a"), change("CREATE TABLE b"))
	must(t, s.Record(t.Context(), id))
	i.server.commit("shop_workspace", change("CREATE TABLE c"))
	must(t, s.Record(t.Context(), id))
	want := []string{"CREATE TABLE a", "CREATE TABLE b", "CREATE TABLE c"}
	equal(t, "queue", statements(t, s, p), want)
	all, err := s.List(t.Context(), p)
	must(t, err)
	equal(t, "version", all[0].Version, int64(2))

	i.faults.set("forget", nil)
	must(t, s.Record(t.Context(), id))
	equal(t, "left in the journal", len(i.server.databases["shop_workspace"].journal), 0)

	equal(t, "queue of the next start", statements(t, i.start(), p), want)
}

func TestRecordFailsWhenTheCatalogDoes(t *testing.T) {
	i, s, p, id := newWorkspace(t)
	i.server.commit("shop_workspace", change("CREATE TABLE a"))
	i.faults.set("append", errors.New("disk full"))
	err := s.Record(t.Context(), id)
	e := refused(t, err, workspace.Unavailable)
	equal(t, "told", e.Message, "the metadata store can't be reached")
	_, err = s.Pending(t.Context(), p, "shop")
	refused(t, err, workspace.Unavailable)
	i.faults.set("append", nil)
	equal(t, "queue", statements(t, s, p), []string{"CREATE TABLE a"})
}

// Every caller must find its own change in the queue, and many share a run.
func TestConcurrentRecordsShareRuns(t *testing.T) {
	i, s, p, id := newWorkspace(t)
	release := make(chan struct{})
	var once sync.Once
	entered := make(chan struct{})
	i.faults.on("changes", func() {
		once.Do(func() { close(entered); <-release })
	})
	before := i.server.journalReads()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Record(t.Context(), id); err != nil {
			t.Error(err)
		}
	})
	<-entered
	const callers = 50
	var queued sync.WaitGroup
	queued.Add(callers)
	for n := range callers {
		wg.Go(func() {
			i.server.commit("shop_workspace", change(fmt.Sprintf("CREATE TABLE t%d", n)))
			queued.Done()
			if err := s.Record(t.Context(), id); err != nil {
				t.Error(err)
				return
			}
			entries, err := i.catalog.Pending(t.Context(), id)
			if err != nil {
				t.Error(err)
				return
			}
			own := func(e workspace.Entry) bool { return e.Statement == fmt.Sprintf("CREATE TABLE t%d", n) }
			if !slices.ContainsFunc(entries, own) {
				t.Errorf("record returned before change %d was in the queue", n)
			}
		})
	}
	queued.Wait()
	close(release)
	wg.Wait()
	if reads := i.server.journalReads() - before; reads > callers/2 {
		t.Errorf("%d callers made %d runs, want them to share", callers, reads)
	}
	equal(t, "entries", len(statements(t, s, p)), callers)
}

func TestControlWorkspaceIsNotRecorded(t *testing.T) {
	i := install(t)
	s := i.start()
	p := i.admin(s)
	d, err := s.Create(t.Context(), p, "plain", "PostgreSQL", "control")
	must(t, err)
	must(t, s.Record(t.Context(), d.ID))
	equal(t, "reads", i.server.journalReads(), 0)
	for _, try := range []func() error{
		func() error { _, err := s.Pending(t.Context(), p, "plain"); return err },
		func() error { return s.Skip(t.Context(), p, "plain", 1) },
		func() error { _, err := s.Revert(t.Context(), p, "plain", 1); return err },
	} {
		refused(t, try(), workspace.BadRequest, "control mode")
	}
}

func TestQueryRecordsBeforeItAnswers(t *testing.T) {
	i, s, p, id := newWorkspace(t)
	r, err := s.Query(t.Context(), p, "shop", "CREATE TABLE a")
	must(t, err)
	equal(t, "limit of rows", r.RowCount, int64(10000))
	n, err := i.catalog.PendingCount(t.Context(), id)
	must(t, err)
	equal(t, "pending", n, int64(1))

	i.faults.set("query", workspace.Errorf(workspace.BadRequest, "syntax error"))
	i.server.commit("shop_workspace", change("CREATE TABLE first_of_two"))
	_, err = s.Query(t.Context(), p, "shop", "CREATE TABLE first_of_two; nonsense")
	refused(t, err, workspace.BadRequest, "syntax error")
	n, err = i.catalog.PendingCount(t.Context(), id)
	must(t, err)
	equal(t, "pending after a query that failed half-way", n, int64(2))
}

func TestStartRecordsWhatWasLeft(t *testing.T) {
	i, s, _, id := newWorkspace(t)
	s.Close()
	i.server.commit("shop_workspace", change("CREATE TABLE a"))
	appended := make(chan struct{})
	var once sync.Once
	i.faults.on("forget", func() { once.Do(func() { close(appended) }) })
	i.start()
	select {
	case <-appended:
	case <-time.After(time.Minute):
		t.Fatal("the start recorded nothing")
	}
	n, err := i.catalog.PendingCount(t.Context(), id)
	must(t, err)
	equal(t, "pending", n, int64(1))
	refused(t, s.Record(t.Context(), id), workspace.Unavailable, "shutting down")
}

// The process dies at every step of a record and of a revert in turn. After
// the restart the queue equals what the database holds.
func TestQueueIsExactAfterACrashAtEachStep(t *testing.T) {
	for _, late := range []bool{false, true} {
		for n := 1; ; n++ {
			died := false
			t.Run(fmt.Sprintf("%d/late=%v", n, late), func(t *testing.T) {
				i, s, p, id := newWorkspace(t)
				i.server.commit("shop_workspace", change("CREATE TABLE a"))
				must(t, s.Record(t.Context(), id))
				q, err := s.Pending(t.Context(), p, "shop")
				must(t, err)
				i.server.commit("shop_workspace", change("CREATE TABLE b"))
				i.faults.dieAt(n, late)
				_, err = s.Revert(t.Context(), p, "shop", q.Pending[0].ID)
				died = i.faults.died()
				i.faults.dieAt(0, false)
				s.Close()

				want := []string{"CREATE TABLE a", "CREATE TABLE b"}
				if slices.Contains(i.server.databases["shop_workspace"].schema, "DROP TABLE IF EXISTS a;") {
					want = want[1:]
				} else if err == nil {
					t.Error("a revert that did not happen was acknowledged")
				}
				equal(t, "queue", statements(t, i.start(), p), want)
			})
			if !died {
				if n < 5 {
					t.Fatalf("a revert has only %d steps", n-1)
				}
				break
			}
		}
	}
}
