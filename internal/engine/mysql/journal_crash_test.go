package mysql

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// However far a reader comes before it dies, each change is in the journal once.
func TestReaderMayDieBetweenAnyTwoSteps(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, e, target)
	atEachMessage(t, func(at string, dying func(func(context.Context, *Engine) error) error) {
		sql := "CREATE TABLE t" + at + " (a int)"
		s.run(sql)
		var list []workspace.Change
		err := dying(func(ctx context.Context, e *Engine) (err error) {
			list, err = e.Changes(ctx, target)
			return err
		})
		got := taken(t, e, target)
		wantStatements(t, got, sql)
		if err == nil {
			wantStatements(t, list, sql)
			if len(list) > 0 && list[0].JournalID != got[0].JournalID {
				t.Errorf("%s had id %d and has %d", sql, list[0].JournalID, got[0].JournalID)
			}
		}
	})
}

// TestServerMayBeKilled kills a server of its own while schema changes stream in.
// What is in the dictionary afterwards, and nothing else, is in the journal.
func TestServerMayBeKilled(t *testing.T) {
	e, pidFile, ok := ownServer(t)
	if !ok {
		return
	}
	target := newTracked(t, e)
	acknowledged := map[string]bool{}
	for round := range 4 {
		awaitServer(t, e)
		ctx, cancel := context.WithCancel(t.Context())
		var (
			mu sync.Mutex
			wg sync.WaitGroup
			// A reader under the race detector is slower than three writers:
			// these go no further ahead of it than there is room.
			ahead = make(chan struct{}, 150)
		)
		for worker := range 3 {
			c, err := e.connect(t.Context(), target.Role, target.Password, target.Database)
			must(t, err)
			wg.Go(func() {
				defer c.close()
				for n := 0; ; n++ {
					name := fmt.Sprintf("t%d_%d_%d", round, worker, n)
					sql := "CREATE TABLE " + name + " (a int)"
					if n%4 == 3 {
						name = fmt.Sprintf("v%d_%d_%d", round, worker, n)
						sql = "CREATE VIEW " + name + " AS SELECT 1 AS a"
					}
					select {
					case ahead <- struct{}{}:
					case <-ctx.Done():
						return
					}
					if c.exec(ctx, sql) != nil {
						return
					}
					mu.Lock()
					acknowledged[name] = true
					mu.Unlock()
				}
			})
		}
		for range 3 {
			_, err := e.Changes(t.Context(), target)
			must(t, err)
			for len(ahead) > 0 {
				<-ahead
			}
		}
		kill(t, pidFile)
		cancel()
		wg.Wait()
	}
	awaitServer(t, e)
	var recorded []string
	for _, c := range changes(t, e, target) {
		recorded = append(recorded, c.Object)
	}
	slices.Sort(recorded)
	admin := administrator(t, e)
	list, err := listObjects(t.Context(), admin.conn, target.Database)
	must(t, err)
	var there []string
	for _, o := range list {
		there = append(there, o.name)
	}
	slices.Sort(there)
	if !slices.Equal(recorded, there) {
		t.Errorf("journal has %d objects, the database %d:\n%v\n%v", len(recorded), len(there), recorded, there)
	}
	for name := range acknowledged {
		if !slices.Contains(recorded, name) {
			t.Errorf("%s was acknowledged and is not recorded", name)
		}
	}
	if len(there) == 0 {
		t.Error("nothing was made")
	}
}
