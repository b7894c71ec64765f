package postgres

import (
	"fmt"
	"sync"
	"testing"
)

// A name that keeps clear of one that is dropped at that moment is recorded with
// its table, however the two commands meet.
func TestANameKeptClearOfOneThatIsBeingDroppedIsRecorded(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	maker, dropper := newSession(t, target), newSession(t, target)
	const rounds = 40
	run := func(s session, text string) {
		if _, err := s.conn.PgConn().Exec(t.Context(), text).ReadAll(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for i := range rounds {
		run(maker, fmt.Sprintf("CREATE TABLE t%d (id serial); ALTER TABLE t%d RENAME TO old%d", i, i, i))
	}
	for i := range rounds {
		var both sync.WaitGroup
		both.Go(func() { run(dropper, fmt.Sprintf("DROP TABLE old%d", i)) })
		both.Go(func() { run(maker, fmt.Sprintf("CREATE TABLE t%d (id serial)", i)) })
		both.Wait()
	}
	wantReplay(t, e, target, taken(t, e, target))
}
