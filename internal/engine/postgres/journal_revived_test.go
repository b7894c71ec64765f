package postgres

import (
	"slices"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// An index that a failure left behind is recorded when it is revived, before
// what is done with it, and not where it is dropped or made anew.
func TestARevivedIndexIsRecorded(t *testing.T) {
	const (
		setup  = "CREATE TABLE a (i int)"
		failed = `CREATE UNIQUE INDEX CONCURRENTLY "I" ON a (i)`
		repair = "TRUNCATE a"
		made   = `CREATE UNIQUE INDEX "I" ON public.a USING btree (i)`
		plain  = `CREATE UNIQUE INDEX "I" ON a (i)`
		rename = `ALTER INDEX "I" RENAME TO j`
		view   = "CREATE VIEW v AS SELECT * FROM a"
	)
	for _, test := range []struct {
		name  string
		runs  []string
		looks bool // the reader looks before the last statement
		want  []string
	}{
		{"by REINDEX INDEX", []string{`REINDEX INDEX "I"`}, false, []string{setup, made}},
		{"by REINDEX INDEX CONCURRENTLY", []string{`REINDEX INDEX CONCURRENTLY "I"`}, false, []string{setup, made}},
		{"by REINDEX TABLE", []string{"REINDEX TABLE a"}, false, []string{setup, made}},
		{"and renamed", []string{`REINDEX INDEX "I"`, rename}, false, []string{setup, made, rename}},
		{"and renamed after a look", []string{`REINDEX INDEX "I"`, rename}, true, []string{setup, made, rename}},
		{"in a transaction", []string{`BEGIN; REINDEX INDEX "I"; ` + view + "; ROLLBACK", "BEGIN; REINDEX INDEX \"I\"; " + view + "; COMMIT"}, false, []string{setup, made, view}},
		{"and dropped", []string{`REINDEX INDEX "I"`, `DROP INDEX CONCURRENTLY "I"`}, false, nil}, // PostgreSQL 17 and newer tell of REINDEX, so that both are recorded
		{"not, but dropped", []string{`DROP INDEX "I"`}, false, []string{setup}},
		{"not, but made anew", []string{`DROP INDEX "I"`, plain}, false, []string{setup, plain}},
		{"not, but renamed", []string{rename}, false, []string{setup}},
		{"not at all", []string{view}, false, []string{setup, view}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEngine(t)
			target := newTracked(t, e)
			s := newSession(t, target)
			s.run(setup)
			s.run("INSERT INTO a VALUES (1), (1)")
			if err := s.fail(failed); sqlState(err) != "23505" {
				t.Fatal(err)
			}
			wantStatements(t, changes(t, e, target), setup) // as the proxy does when the statement failed
			s.run(repair)
			for i, run := range test.runs {
				if test.looks && i == len(test.runs)-1 {
					changes(t, e, target)
				}
				s.run(run)
			}
			changes(t, e, target)
			got := changes(t, e, target)
			if test.want != nil {
				wantStatements(t, got, test.want...)
			}
			wantReplay(t, e, target, got)
		})
	}
}

// An index that failed while another is built is known before it is revived.
func TestAnIndexThatFailedWhileAnotherIsBuiltIsRecordedWhenRevived(t *testing.T) {
	const (
		setup = "CREATE TABLE a (i int); CREATE TABLE b (i int)"
		build = "CREATE INDEX CONCURRENTLY j ON b (i)"
		made  = "CREATE UNIQUE INDEX i ON public.a USING btree (i)"
	)
	e := newEngine(t)
	target := newTracked(t, e)
	s, holder, builder := newSession(t, target), newSession(t, target), newSession(t, target)
	s.run(setup)
	s.run("INSERT INTO a VALUES (1), (1)")
	holder.run("BEGIN; INSERT INTO b VALUES (1)")
	done := make(chan error, 1)
	go func() {
		_, err := builder.conn.PgConn().Exec(t.Context(), build).ReadAll()
		done <- err
	}()
	awaitTold(t, e, target, done)
	if err := s.fail("CREATE UNIQUE INDEX CONCURRENTLY i ON a (i)"); sqlState(err) != "23505" {
		t.Fatal(err)
	}
	changes(t, e, target) // as the proxy does when the statement failed
	s.run("TRUNCATE a")
	s.run("REINDEX INDEX i")
	holder.run("COMMIT")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	changes(t, e, target)
	got := changes(t, e, target)
	if !slices.Contains(statements(got), made) {
		t.Errorf("got %q", statements(got))
	}
	wantReplay(t, e, target, got)
}

// Nobody waits for a transaction that is taking a broken index off the list, and
// it does not come back when that commits.
func TestABrokenIndexThatIsBeingReplacedIsLookedAtOnce(t *testing.T) {
	const (
		setup = "CREATE TABLE a (i int)"
		again = "CREATE INDEX i ON a (i)"
	)
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run(setup)
	s.run("INSERT INTO a VALUES (1), (1)")
	if err := s.fail("CREATE UNIQUE INDEX CONCURRENTLY i ON a (i)"); sqlState(err) != "23505" {
		t.Fatal(err)
	}
	changes(t, e, target)
	s.run("BEGIN; DROP INDEX i; " + again)
	looked := make(chan error, 1)
	go func() {
		_, err := e.Changes(t.Context(), target)
		looked <- err
	}()
	select {
	case err := <-looked:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("the reader waits for a transaction")
		s.run("COMMIT")
		if err := <-looked; err != nil {
			t.Error(err)
		}
	}
	if s.conn.PgConn().TxStatus() == 'T' {
		s.run("COMMIT")
	}
	changes(t, e, target)
	got := changes(t, e, target)
	wantStatements(t, got, setup, again)
	wantReplay(t, e, target, got)
}

// What revives an index may have waited for the very command that fails, and so
// be done before anybody looks.
func TestAnIndexRevivedBeforeALookIsRecorded(t *testing.T) {
	const (
		setup  = "CREATE TABLE a (i int)"
		build  = "CREATE INDEX CONCURRENTLY ON a (i)"
		made   = "CREATE INDEX a_i_idx ON public.a USING btree (i)"
		alter  = "ALTER TABLE a ADD j uuid DEFAULT gen_random_uuid()" // builds all indexes anew
		second = "CREATE INDEX CONCURRENTLY k ON a (i)"
	)
	for _, test := range []struct {
		name   string
		revive string
		then   []string // what the session runs whose index failed
		want   []string
	}{
		{"by ALTER TABLE", alter, nil, []string{setup, alter, made}},
		{"by REINDEX", "REINDEX TABLE a", nil, []string{setup, made}},
		{"and another is built", "REINDEX TABLE a", []string{second}, []string{setup, made, second}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEngine(t)
			target := newTracked(t, e)
			s, holder, builder := newSession(t, target), newSession(t, target), newSession(t, target)
			s.run(setup)
			holder.run("BEGIN; INSERT INTO a VALUES (1)")
			built, revived := make(chan error, 1), make(chan error, 1)
			go func() {
				_, err := builder.conn.PgConn().Exec(t.Context(), build).ReadAll()
				built <- err
			}()
			awaitWaiting(t, e, target, 1)
			go func() {
				_, err := s.conn.PgConn().Exec(t.Context(), test.revive).ReadAll()
				revived <- err
			}()
			awaitWaiting(t, e, target, 2)
			if err := builder.conn.PgConn().CancelRequest(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-built; sqlState(err) != "57014" {
				t.Fatal(err)
			}
			holder.run("COMMIT")
			if err := <-revived; err != nil {
				t.Fatal(err)
			}
			for _, sql := range test.then {
				builder.run(sql)
			}
			got := changes(t, e, target)
			wantStatements(t, got, test.want...)
			wantReplay(t, e, target, got)
			wantStatements(t, changes(t, e, target), test.want...)
		})
	}
}

// awaitWaiting waits until so many sessions of the database wait for a lock.
func awaitWaiting(t *testing.T, e *Engine, target workspace.Target, sessions int) {
	t.Helper()
	conn, release, err := e.admin(t.Context(), target.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for waiting := 0; waiting < sessions; {
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'", target.Database).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
}
