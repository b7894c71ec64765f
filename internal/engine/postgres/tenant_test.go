package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// newTenant makes a tenant's database that goes with the test.
func newTenant(t *testing.T, e *Engine) workspace.Target {
	t.Helper()
	n := server.serial.Add(1)
	target := workspace.Target{
		Database: fmt.Sprintf("shop__t%d", n), Role: fmt.Sprintf("t%d_role", n), Password: fmt.Sprintf("planted-secret-%d", n),
		Owner: fmt.Sprintf("t%d_owner", n), OwnerPassword: fmt.Sprintf("planted-owner-secret-%d", n),
	}
	if err := e.Create(t.Context(), target, false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Drop(context.Background(), target); err != nil {
			t.Error(err)
		}
	})
	return target
}

// versionOf is a version of statements, whose entries have ids of their own.
func versionOf(number int64, statements ...string) workspace.Version {
	v := workspace.Version{Number: number}
	for i, s := range statements {
		v.Entries = append(v.Entries, workspace.Entry{ID: number*100 + int64(i), Version: number, Change: workspace.Change{Statement: s}})
	}
	return v
}

// mustDeploy gives the target versions from the first on, a list of statements
// each.
func mustDeploy(t *testing.T, e *Engine, target workspace.Target, versions ...[]string) {
	t.Helper()
	for i, statements := range versions {
		if err := e.Deploy(t.Context(), target, versionOf(int64(i+1), statements...)); err != nil {
			t.Fatalf("version %d: %v", i+1, workspace.Causes(err))
		}
	}
}

// asClient is a session of the clients' role, past the proxy.
func asClient(t *testing.T, target workspace.Target) *pgx.Conn {
	t.Helper()
	conn, err := connectRole(t, target, target.Database)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestClientsOfATenantUseItsRowsAndChangeNoSchema(t *testing.T) {
	e := newEngine(t)
	target := newTenant(t, e)
	mustDeploy(t, e, target, []string{
		"CREATE SCHEMA billing",
		"CREATE EXTENSION citext",
		"CREATE TABLE users (id serial PRIMARY KEY, email citext UNIQUE, n int DEFAULT 0)",
		"CREATE TABLE billing.invoices (id int GENERATED ALWAYS AS IDENTITY, user_id int REFERENCES users, at date) PARTITION BY RANGE (at)",
		"CREATE TABLE billing.invoices_2030 PARTITION OF billing.invoices FOR VALUES FROM ('2030-01-01') TO ('2031-01-01')",
		"CREATE VIEW active AS SELECT * FROM users WHERE n >= 0",
		"CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM users",
		"CREATE SEQUENCE billing.numbers",
		"CREATE FUNCTION twice(i int) RETURNS int LANGUAGE sql AS 'SELECT 2 * i'",
		"CREATE FUNCTION hidden() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"REVOKE ALL ON FUNCTION hidden() FROM PUBLIC",
		"CREATE FUNCTION run(s text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE s; END'",
		"CREATE TYPE mood AS ENUM ('ok')",
		// What would let clients change the schema.
		"GRANT ALL ON SCHEMA billing TO PUBLIC",
		"GRANT ALL ON users TO PUBLIC",
	}, []string{
		"CREATE TABLE billing.later (id bigserial)",
		"CREATE SCHEMA more",
		"CREATE TABLE more.much (id int)",
	})
	conn := asClient(t, target)
	for _, sql := range []string{
		"INSERT INTO users (email) VALUES ('Ann@example.org') RETURNING id",
		"SELECT * FROM users WHERE email = 'ann@EXAMPLE.org'",
		"UPDATE active SET n = twice(n)",
		"INSERT INTO billing.invoices (user_id, at) VALUES (1, '2030-05-05')",
		"SELECT * FROM billing.invoices_2030",
		"SELECT nextval('billing.numbers'), setval('billing.numbers', 9), lastval()",
		"SELECT * FROM counted",
		"INSERT INTO billing.later DEFAULT VALUES",
		"TRUNCATE more.much",
		"SELECT 'ok'::mood",
		"CREATE TEMP TABLE t (a int); CREATE INDEX ON t (a); INSERT INTO t VALUES (1); ALTER TABLE t ADD b int; DROP TABLE t",
		"SELECT run('CREATE TEMP TABLE u (a int)')",
		"SELECT lo_unlink(lo_from_bytea(0, 'x'))",
		"BEGIN; LOCK TABLE users IN SHARE MODE; COMMIT",
		"DELETE FROM billing.invoices; DELETE FROM users",
		"COPY users TO STDOUT",
	} {
		if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	for _, sql := range []string{
		"CREATE TABLE public.x (a int)", "CREATE TABLE billing.x (a int)", "CREATE SCHEMA x", "CREATE EXTENSION hstore",
		"SELECT 1 AS a INTO billing.x", "ALTER TABLE users ADD x int", "DROP TABLE users", "CREATE INDEX ON users (n)",
		"CREATE TRIGGER x BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
		"CREATE OR REPLACE FUNCTION twice(i int) RETURNS int LANGUAGE sql AS 'SELECT 3 * i'", "DROP FUNCTION twice", "CREATE VIEW v AS SELECT 1",
		"ALTER SEQUENCE billing.numbers RESTART", "COMMENT ON TABLE users IS 'x'", "ALTER TYPE mood ADD VALUE 'bad'",
		"SELECT run('CREATE TABLE x (a int)')", "DO $$ BEGIN ALTER TABLE users ADD x int; END $$", "SELECT run('DROP TABLE billing.later')",
		"SELECT hidden()", "SET ROLE " + target.Owner, "SET SESSION AUTHORIZATION " + target.Owner, "CREATE ROLE x", "CREATE DATABASE x",
		"ALTER DATABASE " + target.Database + " SET work_mem = '1MB'", "SELECT * FROM pg_tenantsdb.deployed", "UPDATE pg_tenantsdb.deployed SET version = 9",
		"COPY (SELECT 1) TO PROGRAM 'true'", "SELECT pg_read_file('PG_VERSION')", "REASSIGN OWNED BY CURRENT_USER TO " + target.Owner,
	} {
		_, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
		if sqlState(err) != "42501" {
			t.Errorf("%s: got %v, want 42501", sql, err)
		}
	}
	// What they have is not granted again by each deployment.
	admin, release, err := e.admin(t.Context(), target.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if again, err := names(t.Context(), admin, lackingSQL, target.Owner, target.Role); err != nil || len(again) > 0 {
		t.Errorf("got %q, %v", again, err)
	}
	// A GRANT of what one does not have to give is a warning.
	if _, err := conn.Exec(t.Context(), "GRANT SELECT ON users TO PUBLIC"); err != nil && sqlState(err) != "42501" {
		t.Error(err)
	}
}

func TestATenantsRolesReachNoOtherDatabase(t *testing.T) {
	e := newEngine(t)
	mine, others, space := newTenant(t, e), newTenant(t, e), newWorkspace(t, e)
	for _, database := range []string{others.Database, space.Database, "postgres", "template1"} {
		for _, target := range []workspace.Target{mine, owner(mine)} {
			if _, err := connectRole(t, target, database); sqlState(err) != "42501" {
				t.Errorf("%s into %s: got %v, want 42501", target.Role, database, err)
			}
		}
	}
	if _, err := connectRole(t, space, mine.Database); sqlState(err) != "42501" {
		t.Errorf("a workspace's role into a tenant's database: got %v, want 42501", err)
	}
}

func TestATenantMayBeMadeAndDroppedAgainAtEachStep(t *testing.T) {
	e := newEngine(t)
	target := newTenant(t, e)
	mustDeploy(t, e, target, []string{"CREATE TABLE users (id int)"})
	for _, sql := range []string{"REVOKE ALL ON DATABASE " + target.Database + " FROM " + target.Role, "ALTER ROLE " + target.Owner + " NOLOGIN", "ALTER DATABASE " + target.Database + " WITH ALLOW_CONNECTIONS false"} {
		if err := execAdmin(t, e, sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Create(t.Context(), target, false); err != nil {
		t.Fatal(err)
	}
	mustDeploy(t, e, target, []string{"CREATE TABLE users (id int)"}, []string{"ALTER TABLE users ADD name text"})
	if _, err := asClient(t, target).Exec(t.Context(), "INSERT INTO users VALUES (1, 'Ann')"); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := e.Drop(t.Context(), target); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{target.Database, target.Role, target.Owner} {
		if exists, err := e.Exists(t.Context(), name); err != nil || exists {
			t.Errorf("exists %s after drop: got %v, %v", name, exists, err)
		}
	}
}

func TestQueriesOfATenantChangeNoSchema(t *testing.T) {
	e := newEngine(t)
	target := newTenant(t, e)
	mustDeploy(t, e, target, []string{"CREATE TABLE users (id int)"})
	for _, text := range []string{
		"INSERT INTO users VALUES (1); CREATE TABLE x (a int)",
		"INSERT INTO users VALUES (1); COMMIT; DROP TABLE users",
		"DROP TABLE IF EXISTS users", "SELECT 1 AS a INTO x", "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1",
	} {
		_, err := e.Query(t.Context(), target, text, workspace.Limits{})
		if err == nil || err.Error() != workspace.NoDDLQuery().Message || workspace.ErrorCode(err) != workspace.BadRequest {
			t.Errorf("%s: got %v", text, err)
		}
	}
	if result, err := e.Query(t.Context(), target, "SELECT count(*) FROM users", workspace.Limits{}); err != nil || fmt.Sprint(result.Rows) != "[[0]]" {
		t.Errorf("rows of refused texts: got %v, %v", result.Rows, err)
	}
	for _, text := range []string{
		"CREATE TEMP TABLE t AS SELECT 1 AS a; CREATE INDEX ON t (a); SELECT * FROM t",
		"DROP TABLE IF EXISTS t; CREATE TEMP TABLE t (a int); DROP TABLE t",
		"INSERT INTO users VALUES (2)",
	} {
		if _, err := e.Query(t.Context(), target, text, workspace.Limits{}); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	_, err := e.Query(t.Context(), target, "DO $$ BEGIN EXECUTE 'DROP TABLE users'; END $$", workspace.Limits{})
	if err == nil || !strings.Contains(err.Error(), "must be owner") {
		t.Errorf("hidden DDL: got %v", err)
	}
}
