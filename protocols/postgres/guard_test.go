package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// In these tests the role owns the database, so that nothing but the proxy
// refuses.

// mustBeRefused checks that err is the refusal of a schema change.
func mustBeRefused(t *testing.T, how string, err error) {
	t.Helper()
	failure, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || failure.Code != codeInsufficientRight || failure.Message != workspace.NoDDL || failure.Severity != "ERROR" {
		t.Errorf("%s: got %v, want the refusal", how, err)
		return
	}
	if failure.Where != "" || failure.ConstraintName != "" || failure.File != "" || failure.Routine != "" {
		t.Errorf("%s: got where %q, constraint %q, raised at %s of %s, want nothing of how it was raised", how, failure.Where, failure.ConstraintName, failure.Routine, failure.File)
	}
}

// schemaOf is what an own session sees of a schema.
func (w *world) schema(t *testing.T) string {
	t.Helper()
	return one(t, w.direct(t), "SELECT coalesce(string_agg(concat(relname, ' ', relnatts, relhastriggers), ',' ORDER BY relname), '') FROM pg_class WHERE relnamespace = 'public'::regnamespace")
}

func TestATenantsSessionsChangeNoSchema(t *testing.T) {
	w := newWorld(t, withMode(workspace.Deployed))
	mustExec(t, w.direct(t), "CREATE TABLE users (id int); CREATE TABLE orders (id int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
	before := w.schema(t)
	conn := w.connect(t)
	ctx := t.Context()
	for _, sql := range []string{
		"CREATE TABLE x (a int)", "SELECT 1 AS a INTO x", "CREATE TABLE x AS SELECT 1", "ALTER TABLE users ADD email text", "DROP TABLE users", "DROP TABLE IF EXISTS users",
		"DROP TABLE IF EXISTS x, users", "CREATE INDEX CONCURRENTLY ON users (id)", "CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION f()",
		"EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1", "GRANT SELECT ON users TO PUBLIC", "COMMENT ON TABLE users IS 'x'", "ALTER ROLE CURRENT_USER PASSWORD 'x'", "CREATE SCHEMA x",
	} {
		_, err := exec(t, conn, sql)
		mustBeRefused(t, "simple: "+sql, err)
		mustBeRefused(t, "extended: "+sql, conn.ExecParams(ctx, sql, nil, nil, nil, nil).Read().Err)

		// A utility statement fails when it is executed, as on a server.
		if _, err := conn.Prepare(ctx, "p", sql, nil); err != nil {
			t.Errorf("prepare %s: %v", sql, err)
		}
		mustBeRefused(t, "prepared: "+sql, conn.ExecPrepared(ctx, "p", nil, nil, nil).Read().Err)
		mustExec(t, conn, "DEALLOCATE p")

		_, err = exec(t, conn, "INSERT INTO users VALUES (1); "+sql+"; INSERT INTO users VALUES (2)")
		mustBeRefused(t, "among others: "+sql, err)

		if status := conn.TxStatus(); status != 'I' {
			t.Errorf("%s: got status %c outside of a transaction", sql, status)
		}
		mustExec(t, conn, "BEGIN; INSERT INTO users VALUES (3); SAVEPOINT s")
		_, err = exec(t, conn, sql)
		mustBeRefused(t, "in a transaction: "+sql, err)
		if status := conn.TxStatus(); status != 'E' {
			t.Errorf("%s: got status %c in a transaction that failed", sql, status)
		}
		if _, err := exec(t, conn, "SELECT 1"); sqlstate(err) != "25P02" {
			t.Errorf("%s: behind it: got %v, want 25P02", sql, err)
		}
		mustExec(t, conn, "ROLLBACK TO s; INSERT INTO orders VALUES (1); COMMIT")
		mustExec(t, conn, "DELETE FROM users WHERE id = 3")
	}
	if after := w.schema(t); after != before {
		t.Errorf("got schema %q, want %q", after, before)
	}
	if rows := one(t, conn, "SELECT (SELECT count(*) FROM users) || ' ' || (SELECT count(*) FROM orders)"); rows != "0 14" {
		t.Errorf("got rows %q: a refused text ran, or what was behind it did not", rows)
	}
}

func TestATenantsPipelineSkipsToItsSync(t *testing.T) {
	w := newWorld(t, withMode(workspace.Deployed))
	mustExec(t, w.direct(t), "CREATE TABLE users (id int)")
	conn := w.connect(t)
	pipe := conn.StartPipeline(context.Background())
	pipe.SendQueryParams("INSERT INTO users VALUES (1)", nil, nil, nil, nil)
	pipe.SendQueryParams("CREATE TABLE x (a int)", nil, nil, nil, nil)
	pipe.SendQueryParams("INSERT INTO users VALUES (2)", nil, nil, nil, nil)
	if err := pipe.Sync(); err != nil {
		t.Fatal(err)
	}
	pipe.SendQueryParams("INSERT INTO users VALUES (3)", nil, nil, nil, nil)
	if err := pipe.Sync(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for range 5 {
		result, err := pipe.GetResults()
		switch r := result.(type) {
		case *pgconn.ResultReader:
			tag, err := r.Close()
			if err != nil {
				mustBeRefused(t, "in a pipeline", err)
				got = append(got, "refused")
				break
			}
			got = append(got, tag.String())
		case *pgconn.PipelineSync:
			got = append(got, "sync")
		default:
			mustBeRefused(t, "in a pipeline", err)
			got = append(got, "refused")
		}
	}
	if err := pipe.Close(); err != nil {
		t.Fatal(err)
	}
	if want := "INSERT 0 1,refused,sync,INSERT 0 1,sync"; strings.Join(got, ",") != want {
		t.Errorf("got %q, want %s", got, want)
	}
	if ids := one(t, conn, "SELECT string_agg(id::text, ',') FROM users"); ids != "3" {
		t.Errorf("got rows %s, want 3 alone", ids)
	}
}

func TestATenantsSessionsHaveTemporaryObjects(t *testing.T) {
	w := newWorld(t, withMode(workspace.Deployed))
	mustExec(t, w.direct(t), "CREATE TABLE users (id int)")
	before := w.schema(t)
	conn := w.connect(t)
	for _, sql := range []string{
		"DROP TABLE IF EXISTS t", "CREATE TEMP TABLE t (a int)", "CREATE INDEX i ON t (a)", "ALTER TABLE t ADD b int", "ALTER TABLE t RENAME TO u", "DROP INDEX i", "DROP TABLE IF EXISTS u",
		"SELECT 1 AS a INTO TEMP t", "DROP TABLE t", "CREATE TEMP VIEW v AS SELECT 1", "DROP VIEW v", "SET search_path = public", "TRUNCATE users", "VACUUM users", "LISTEN c",
		"DROP TABLE IF EXISTS nowhere; CREATE TEMP TABLE nowhere AS SELECT 1; DROP TABLE nowhere", "DO 'BEGIN NULL; END'", "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
	} {
		results := mustExec(t, conn, sql)
		if tag := results[0].CommandTag.String(); strings.HasPrefix(sql, "DROP") && tag != strings.Join(strings.Fields(sql)[:2], " ") {
			t.Errorf("%s: got tag %q", sql, tag)
		}
	}
	for _, sql := range []string{"DROP TABLE IF EXISTS t", "CREATE TEMP TABLE t (a int)", "DROP TABLE t"} {
		if err := conn.ExecParams(t.Context(), sql, nil, nil, nil, nil).Read().Err; err != nil {
			t.Errorf("extended: %s: %v", sql, err)
		}
	}
	if after := w.schema(t); after != before {
		t.Errorf("got schema %q, want %q", after, before)
	}
}
