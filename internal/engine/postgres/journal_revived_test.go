package postgres

import "testing"

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
