package postgres

import (
	"slices"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// An index that a failure left behind, of which no record tells, holds its name:
// what the server makes up beside it is recorded with the name.
func TestANameMadeUpBesideABrokenIndexIsRecorded(t *testing.T) {
	const (
		setup  = "CREATE TABLE a (i int)"
		failed = "CREATE UNIQUE INDEX CONCURRENTLY ON a (i)"
		second = "CREATE INDEX CONCURRENTLY ON a (i)"
		third  = "CREATE INDEX ON a (i)"
		nested = `DO $$ BEGIN CREATE INDEX ON a (i); END $$`
		named  = "CREATE INDEX i9 ON a (i)"
		after  = "CREATE INDEX ON a (i)"
	)
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run(setup)
	s.run("INSERT INTO a VALUES (1), (1)")
	if err := s.fail(failed); sqlState(err) != "23505" {
		t.Fatal(err)
	}
	for _, sql := range []string{second, third, nested, named, "DROP INDEX a_i_idx", after, after} {
		s.run(sql)
	}
	changes(t, e, target)
	got := changes(t, e, target)
	wantStatements(t, got, setup,
		"CREATE INDEX CONCURRENTLY a_i_idx1 ON a (i)",
		"CREATE INDEX a_i_idx2 ON a (i)",
		"CREATE INDEX a_i_idx3 ON a (i)",
		named, after, after)
	wantReplay(t, e, target, got)
}

// A name that a transaction holds which then rolls back, or commits later, is in
// no record before the one that kept clear of it.
func TestANameMadeUpBesideAnOpenTransactionIsRecorded(t *testing.T) {
	for _, end := range []string{"ROLLBACK", "COMMIT"} {
		t.Run(end, func(t *testing.T) {
			e := newEngine(t)
			target := newTracked(t, e)
			holder, other := newSession(t, target), newSession(t, target)
			holder.run("CREATE TABLE a (i int, j int)")
			holder.run("BEGIN")
			holder.run("CREATE INDEX ON a (i) WHERE j > 1")
			done := make(chan error, 1)
			go func() {
				// It waits for the holder on a server that sees only what was
				// committed, and then may fail.
				_, err := other.conn.PgConn().Exec(t.Context(), "CREATE INDEX ON a (i) WHERE j > 2").ReadAll()
				done <- err
			}()
			awaitTold(t, e, target, done)
			holder.run("CREATE INDEX ON a (i) WHERE j > 3")
			holder.run(end)
			<-done
			wantReplay(t, e, target, changes(t, e, target))
		})
	}
}

// awaitTold waits until the statement whose end done tells of has ended or waits
// for a lock.
func awaitTold(t *testing.T, e *Engine, target workspace.Target, done chan error) {
	t.Helper()
	conn, release, err := e.admin(t.Context(), target.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for waiting := false; !waiting; {
		select {
		case err := <-done:
			done <- err
			return
		default:
		}
		if err := conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock')", target.Database).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
}

// An index that another transaction revives is in no record when a concurrent
// index keeps clear of it, since that one goes before.
func TestANameMadeUpBesideAnIndexThatIsBeingRevivedIsRecorded(t *testing.T) {
	const (
		setup  = "CREATE TABLE a (i int)"
		revive = "ALTER TABLE a ADD b serial" // builds all indexes anew
		second = "CREATE INDEX CONCURRENTLY ON a (i)"
	)
	e := newEngine(t)
	target := newTracked(t, e)
	s, other := newSession(t, target), newSession(t, target)
	s.run(setup)
	s.run("INSERT INTO a VALUES (1), (1)")
	if err := s.fail("CREATE UNIQUE INDEX CONCURRENTLY ON a (i)"); sqlState(err) != "23505" {
		t.Fatal(err)
	}
	changes(t, e, target) // as the proxy does when the statement failed
	s.run("BEGIN; TRUNCATE a; " + revive)
	done := make(chan error, 1)
	go func() {
		_, err := other.conn.PgConn().Exec(t.Context(), second).ReadAll()
		done <- err
	}()
	awaitTold(t, e, target, done)
	s.run("COMMIT")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	changes(t, e, target)
	got := changes(t, e, target)
	if !slices.Contains(statements(got), "CREATE INDEX CONCURRENTLY a_i_idx1 ON a (i)") {
		t.Errorf("got %q", statements(got))
	}
	wantReplay(t, e, target, got)
}
