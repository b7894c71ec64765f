package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// markOf is the mark of a tenant's database.
func markOf(t *testing.T, e *Engine, target workspace.Target) (m mark) {
	t.Helper()
	conn, err := e.connectOwner(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer disconnect(t.Context(), conn)
	d := deployment{conn: conn, target: target}
	err = conn.QueryRow(t.Context(), "SELECT version, next, entries FROM pg_tenantsdb.deployed").Scan(&d.has.Version, &d.has.Next, &d.has.Entries)
	if err != nil {
		t.Fatal(err)
	}
	return d.has
}

func TestDeployIsAllOrNothingAndNamesTheEntry(t *testing.T) {
	e := newEngine(t)
	target := newTenant(t, e)
	mustDeploy(t, e, target, []string{"CREATE TABLE users (id int)"})
	before := dump(t, target)
	bad := versionOf(2, "CREATE TABLE orders (id int)", "ALTER TABLE users ADD COLUMN email text", "ALTER TABLE nowhere ADD COLUMN x int", "CREATE TABLE late (id int)")
	err := e.Deploy(t.Context(), target, bad)
	failure, ok := errors.AsType[*workspace.Error](err)
	if !ok || failure.Code != workspace.BadRequest || failure.Details["sqlstate"] != "42P01" || failure.Details["ddl_id"] != int64(202) || errors.Is(err, workspace.ErrPartly) {
		t.Fatalf("got %#v, %v", failure, err)
	}
	if after := dump(t, target); after != before {
		t.Errorf("the failed version left something:\n%s", after)
	}
	if m := markOf(t, e, target); m.Version != 1 || m.Next != 0 || len(m.Entries) != 0 {
		t.Errorf("got mark %+v", m)
	}
	for range 2 { // the second time there is nothing to do
		if err := e.Deploy(t.Context(), target, versionOf(2, "ALTER TABLE users ADD COLUMN email text")); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Deploy(t.Context(), target, workspace.Version{Number: 3}); err != nil {
		t.Fatal(err)
	}
	if m := markOf(t, e, target); m.Version != 3 {
		t.Errorf("got mark %+v", m)
	}
}

func TestDeployRunsEachStatementUnderItsSettings(t *testing.T) {
	e := newEngine(t)
	target := newTenant(t, e)
	v := versionOf(1, "CREATE SCHEMA a", "CREATE TABLE t (at date DEFAULT '02/03/2030', s text DEFAULT 'x\\ny')", "CREATE TABLE t (i int)",
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT i FROM later'", "CREATE TABLE later (i int)",
		"CREATE INDEX CONCURRENTLY ON t (s)")
	v.Entries[1].Session = map[string]string{"search_path": "a", "DateStyle": "ISO, DMY", "standard_conforming_strings": "off"}
	v.Entries[3].Session = map[string]string{"check_function_bodies": "off"}
	v.Entries[5].Session = map[string]string{"search_path": "a, public"}
	if err := e.Deploy(t.Context(), target, v); err != nil {
		t.Fatal(workspace.Causes(err))
	}
	schema := dump(t, target)
	for _, want := range []string{"at date DEFAULT '2030-03-02'::date", "s text DEFAULT 'x\ny'::text", "CREATE TABLE public.t (", "CREATE TABLE public.later", "CREATE INDEX t_s_idx ON a.t"} {
		if !strings.Contains(schema, want) {
			t.Errorf("no %q in\n%s", want, schema)
		}
	}
	if strings.Contains(schema, "tenantsdb") {
		t.Errorf("the mark shows in the dump:\n%s", schema)
	}
}

// What is allowed in one transaction in the workspace is so in the tenant's.
func TestDeployTakesWhatOneTransactionTook(t *testing.T) {
	e := newEngine(t)
	target := newTenant(t, e)
	mustDeploy(t, e, target,
		[]string{"CREATE TYPE old AS ENUM ('a')", "CREATE TABLE t (o old DEFAULT 'a')"},
		[]string{"ALTER TYPE old ADD VALUE 'c'", "ALTER TABLE t ADD COLUMN n int"},
		[]string{"CREATE TABLE u (o old DEFAULT 'c')", "CREATE MATERIALIZED VIEW m AS SELECT * FROM u", "REFRESH MATERIALIZED VIEW m"})
	if _, err := asClient(t, target).Exec(t.Context(), "INSERT INTO u DEFAULT VALUES"); err != nil {
		t.Error(err)
	}
}

func TestDeployRunsAsTheOwner(t *testing.T) {
	e := newEngine(t)
	target := newTenant(t, e)
	for _, sql := range []string{"CREATE EXTENSION file_fdw", "CREATE TABLE pg_catalog.x (a int)", "CREATE CAST (int AS text) WITHOUT FUNCTION",
		"CREATE TABLE x (a int DEFAULT set_config('role', 'postgres', false)::int)"} {
		err := e.Deploy(t.Context(), target, versionOf(1, sql, "INSERT INTO x DEFAULT VALUES"))
		if code := sqlState(err); code != "42501" {
			t.Errorf("%s: got %v", sql, err)
		}
	}
}

// A statement that waits for a lock holds up all that come behind it, so it
// gives way to them.
func TestDeployGivesWayToClients(t *testing.T) {
	e := newEngine(t)
	target := newTenant(t, e)
	mustDeploy(t, e, target, []string{"CREATE TABLE users (id int)"})
	long, other := asClient(t, target), asClient(t, target)
	if _, err := long.Exec(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	if _, err := long.Exec(t.Context(), "SELECT * FROM users"); err != nil {
		t.Fatal(err)
	}
	deployed := make(chan error, 1)
	go func() {
		deployed <- e.Deploy(t.Context(), target, versionOf(2, "ALTER TABLE users ADD COLUMN email text"))
	}()
	waitFor(t, e, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = '"+target.Database+"' AND wait_event_type = 'Lock')")
	if _, err := other.Exec(t.Context(), "SET lock_timeout = '30s'"); err != nil {
		t.Fatal(err)
	}
	// It goes on though the long transaction does not end.
	if _, err := other.Exec(t.Context(), "SELECT * FROM users"); err != nil {
		t.Errorf("a client behind the deployment: %v", err)
	}
	select {
	case err := <-deployed:
		t.Fatalf("the deployment ended before the transaction that it waits for: %v", err)
	default:
	}
	if _, err := long.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-deployed; err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(t.Context(), "SELECT email FROM users"); err != nil {
		t.Error(err)
	}
}

func TestDeployGivesUpWhereALockIsNeverFree(t *testing.T) {
	e := newEngine(t)
	target := newTenant(t, e)
	mustDeploy(t, e, target, []string{"CREATE TABLE users (id int)"})
	long := asClient(t, target)
	if _, err := long.Exec(t.Context(), "BEGIN; SELECT * FROM users"); err != nil {
		t.Fatal(err)
	}
	conn, err := e.connectRole(t.Context(), owner(target), map[string]string{"lock_timeout": "10ms"})
	if err != nil {
		t.Fatal(err)
	}
	defer disconnect(t.Context(), conn)
	d := &deployment{conn: conn, target: target, version: versionOf(2, "CREATE TABLE more (id int)", "ALTER TABLE users ADD COLUMN email text"), pause: time.Millisecond}
	err = d.run(t.Context())
	failure, ok := errors.AsType[*workspace.Error](err)
	if !ok || failure.Details["sqlstate"] != lockNotAvailable || failure.Details["ddl_id"] != int64(201) || !strings.Contains(failure.Message, "in each of 10 tries") || errors.Is(err, workspace.ErrPartly) {
		t.Errorf("got %v", err)
	}
	if m := markOf(t, e, target); m.Version != 1 || m.Next != 0 {
		t.Errorf("got mark %+v", m)
	}
	if _, err := long.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := d.run(t.Context()); err != nil {
		t.Error(err)
	}
}

// waitFor waits until a query of one boolean is true.
func waitFor(t *testing.T, e *Engine, sql string) {
	t.Helper()
	conn, release, err := e.admin(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for is := false; !is; {
		if err := conn.QueryRow(ctx, sql).Scan(&is); err != nil {
			t.Fatalf("wait for %s: %v", sql, err)
		}
	}
}

func TestDeploymentsOfOneDatabaseTakeTurns(t *testing.T) {
	e := newEngine(t)
	target := newTenant(t, e)
	v := versionOf(1, "CREATE TABLE users (id int)", "CREATE INDEX CONCURRENTLY ON users (id)", "ALTER TABLE users ADD COLUMN email text")
	failures := make(chan error, 4)
	for range cap(failures) {
		go func() { failures <- e.Deploy(t.Context(), target, v) }()
	}
	for range cap(failures) {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
	if indexes := indexesOf(t, e, target); !slices.Equal(indexes, []string{"users_id_idx"}) {
		t.Errorf("got indexes %q", indexes)
	}
}

// indexesOf are the indexes in a tenant's database, those that are not valid in
// parentheses.
func indexesOf(t *testing.T, e *Engine, target workspace.Target) []string {
	t.Helper()
	conn, release, err := e.admin(t.Context(), target.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	list, err := names(t.Context(), conn, `
		SELECT CASE WHEN i.indisvalid THEN c.relname::text ELSE '(' || c.relname || ')' END
		  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
