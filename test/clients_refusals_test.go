package test

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// refusals are statements that change a tracked workspace in a way of which the
// server tells nobody, each with a part of what the client is told.
var refusals = []struct{ statement, told string }{
	{"EXPLAIN (ANALYZE, SOMETHING_NEW 1) CREATE NEWTABLE made AS SELECT 1 AS id", "without a record"},
	{"ALTER ROLE CURRENT_USER PASSWORD 'mine'", "managed by TenantsDB"},
	{"ALTER USER CURRENT_USER SET work_mem = '1MB'", "managed by TenantsDB"},
	{"ALTER DATABASE refusals_workspace SET work_mem = '1MB'", "managed by TenantsDB"},
	{"ALTER DATABASE refusals_workspace RENAME TO mine", "managed by TenantsDB"},
	{"GRANT CONNECT ON DATABASE refusals_workspace TO PUBLIC", "managed by TenantsDB"},
}

// TestRefusals wants each refusal to arrive as an error of the server would: in
// its order, failing its transaction, and leaving the session usable.
func TestRefusals(t *testing.T) {
	d := shared.workspace(t, "refusals", "tenant")
	l := d.login(t)
	l.psql(t, "CREATE TABLE t (id int PRIMARY KEY)")
	queued := len(d.queue(t))
	for _, way := range queryProtocols {
		t.Run(way.name, func(t *testing.T) {
			conn := l.connect(t)
			for _, r := range refusals {
				_, err := conn.Exec(t.Context(), r.statement, way.mode)
				contains(t, r.statement, wantCode(t, r.statement, err, "0A000").Message, r.told)
				alive(t, conn)
			}
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, err = tx.Exec(t.Context(), refusals[0].statement, way.mode)
			wantCode(t, "in a transaction", err, "0A000")
			_, err = tx.Exec(t.Context(), "SELECT 1", way.mode)
			wantCode(t, "after it", err, "25P02")
			if err := tx.Rollback(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("among others", func(t *testing.T) {
		conn := l.connect(t)
		_, err := conn.Exec(t.Context(), "CREATE TABLE beside (id int); ALTER ROLE CURRENT_USER RENAME TO mine; SELECT 1", pgx.QueryExecModeSimpleProtocol)
		wantCode(t, "a message of several statements", err, "0A000")
		alive(t, conn)
	})
	if got := l.psql(t, "SELECT to_regclass('made') IS NULL AND to_regclass('beside') IS NULL"); got != "t" {
		t.Error("something of what was refused is there")
	}
	if n := len(d.queue(t)); n != queued {
		t.Errorf("%d statements are queued, want %d", n, queued)
	}
}
