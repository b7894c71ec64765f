package test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// tenantDatabase is a new tenant's database of that blueprint, as a client
// reaches it.
func (in *installation) tenantDatabase(t testing.TB, name, blueprint string) database {
	t.Helper()
	body := in.tenant(t, name, blueprint)
	return database{installation: in, id: name, url: addressOf(t, body, blueprint), name: blueprint + "__" + name}
}

func TestPostgresTenantUsesItsRowsAndChangesNoSchema(t *testing.T) {
	in := shared
	source := in.workspace(t, "pt-rows", "tenant")
	source.psql(t, "CREATE TABLE users (id serial PRIMARY KEY, name text); CREATE SCHEMA s; CREATE TABLE s.log (at timestamptz DEFAULT now());")
	acme := in.tenantDatabase(t, "pt_rows_acme", "pt-rows")

	open := acme.connect(t)
	mustExec(t, open, "INSERT INTO users (name) VALUES ('Ann')")
	for _, sql := range []string{
		"CREATE TABLE x (a int)", "ALTER TABLE users ADD COLUMN email text", "DROP TABLE users", "DROP TABLE IF EXISTS users", "CREATE INDEX ON users (name)", "SELECT 1 AS a INTO x",
		"INSERT INTO users (name) VALUES ('Bob'); CREATE VIEW v AS SELECT 1", "GRANT SELECT ON users TO PUBLIC", "COMMENT ON TABLE users IS 'x'",
	} {
		if out, err := acme.psqlErr("", "-c", sql); err == nil || !strings.Contains(out, "ERROR:  "+noDDL) {
			t.Errorf("psql: %s: got %s, %v", sql, out, err)
		}
	}
	if out, err := acme.psqlErr(`BEGIN; INSERT INTO users (name) VALUES ('Bob'); DO $$ BEGIN EXECUTE 'DROP TABLE users'; END $$; COMMIT;`); err == nil || !strings.Contains(out, "must be owner of table users") {
		t.Errorf("what the proxy can't see: got %s, %v", out, err)
	}
	acme.psql(t, "DROP TABLE IF EXISTS mine; CREATE TEMP TABLE mine AS SELECT * FROM users; CREATE INDEX ON mine (id); DROP TABLE mine; TRUNCATE s.log;")

	conn, err := pgx.Connect(t.Context(), acme.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = tx.Exec(t.Context(), "ALTER TABLE users ADD COLUMN email text")
	if failure, ok := errors.AsType[*pgconn.PgError](err); !ok || failure.Code != "42501" || failure.Message != noDDL {
		t.Errorf("pgx: got %v", err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT 1"); err == nil || !strings.Contains(err.Error(), "25P02") {
		t.Errorf("behind it in the transaction: got %v", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Error(err)
	}

	// Sessions that are open see what a deployment brings.
	source.psql(t, "ALTER TABLE users ADD COLUMN email text DEFAULT 'none'; CREATE TABLE s.later (id bigserial);")
	in.deployAll(t, "pt-rows")
	var email string
	if err := conn.QueryRow(t.Context(), "SELECT email FROM users WHERE name = $1", "Ann").Scan(&email); err != nil || email != "none" {
		t.Errorf("got %q, %v", email, err)
	}
	mustExec(t, open, "INSERT INTO s.later DEFAULT VALUES; UPDATE users SET email = 'ann@example.org'")
	if n := scalar(t, open, "SELECT count(*) FROM users"); n != "1" {
		t.Errorf("got %s users: rows of what was refused are there", n)
	}
	if names := scalar(t, open, "SELECT string_agg(nspname, ',') FROM pg_namespace WHERE has_schema_privilege(oid, 'CREATE') AND nspname !~ '^pg_temp'"); names != "" {
		t.Errorf("clients may create in %s", names)
	}
}

func TestPostgresTenantIsSuspendedResumedTrashedAndRestored(t *testing.T) {
	in := shared
	in.workspace(t, "pt-life", "tenant").psql(t, "CREATE TABLE users (id int);")
	acme, other := in.tenantDatabase(t, "pt_life_acme", "pt-life"), in.tenantDatabase(t, "pt_life_globex", "pt-life")
	stays := other.connect(t)
	for _, c := range []struct{ method, end, begin, code string }{
		{"POST", "/suspend", "/resume", "57P03"},
		{"DELETE", "", "/restore", ""},
	} {
		open := acme.connect(t)
		mustExec(t, open, "INSERT INTO users VALUES (1)")
		in.must(t, http.StatusOK, c.method, "/tenants/pt_life_acme"+c.end, nil)
		err := exec1(open, "SELECT 1")
		failure, ok := errors.AsType[*pgconn.PgError](err)
		if !ok || failure.Severity != "FATAL" || c.code != "" && (failure.Code != c.code || !strings.Contains(failure.Message, `"pt-life__pt_life_acme" is suspended`)) {
			t.Errorf("%s: an open session: got %v", c.end, err)
		}
		if out, err := acme.psqlErr("SELECT 1"); err == nil || c.code != "" && !strings.Contains(out, "is suspended") {
			t.Errorf("%s: a new session: got %s", c.end, out)
		}
		in.must(t, http.StatusOK, "POST", "/tenants/pt_life_acme"+c.begin, nil)
	}
	if n := scalar(t, acme.connect(t), "SELECT count(*) FROM users"); n != "2" {
		t.Errorf("got %s rows, want 2", n)
	}
	mustExec(t, stays, "SELECT 1")
	in.must(t, http.StatusOK, "DELETE", "/tenants/pt_life_acme?hard=true", nil)
	if _, err := acme.psqlErr("SELECT 1"); err == nil {
		t.Error("a deleted tenant's client is let in")
	}
}

// sameSchema checks that a tenant has the schema of its blueprint, but for owners
// and privileges.
func sameSchema(t *testing.T, tenant, source database) {
	t.Helper()
	plain := func(d database) string {
		var lines []string
		for line := range strings.Lines(d.pgDump(t, "--schema-only", "--no-owner", "--no-privileges")) {
			if !strings.HasPrefix(line, `\restrict`) && !strings.HasPrefix(line, `\unrestrict`) {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "")
	}
	if got, want := plain(tenant), plain(source); got != want {
		t.Errorf("%s differs from its blueprint:\n%s", tenant.name, firstDifference(got, want))
	}
}

// Tenants made before, between and after deployments have the blueprint's schema.
func TestPostgresTenantsHaveTheSchemaOfTheirBlueprint(t *testing.T) {
	source := unlimited(t, "pt-same")
	early := shared.tenantDatabase(t, "pt_same_early", "pt-same")
	source.psql(t, "", "-q", "-v", "single=on", "--single-transaction", "-f", filepath.Join("testdata", "schemas", "rental.sql"))
	between := shared.tenantDatabase(t, "pt_same_between", "pt-same")
	shared.deployAll(t, "pt-same")
	source.psql(t, `
		CREATE TABLE kept (id serial PRIMARY KEY, a int, b text);
		CREATE TABLE skipped (id int);
		CREATE INDEX CONCURRENTLY ON kept (a);
		CREATE INDEX gone ON kept (b);
		DROP INDEX CONCURRENTLY gone;
		BEGIN; ALTER TABLE kept ADD COLUMN c text; CREATE VIEW shown AS SELECT a, c FROM kept; COMMIT;`)
	for _, e := range source.queue(t) {
		if strings.Contains(e.DDL, "skipped") {
			shared.must(t, http.StatusOK, "DELETE", fmt.Sprintf("/workspaces/pt-same/diff/%d", e.ID), nil)
		}
	}
	shared.deployAll(t, "pt-same")
	late := shared.tenantDatabase(t, "pt_same_late", "pt-same")
	source.psql(t, "DROP TABLE skipped;")
	for _, tenant := range []database{early, between, late} {
		sameSchema(t, tenant, source)
		mustExec(t, tenant.connect(t), "INSERT INTO kept (a, c) VALUES (1, 'x'); SELECT * FROM shown")
	}
}

// The program is killed while it deploys; the next one ends what it began, and
// each tenant has each version once.
func TestKilledWhileItDeploysEachPostgresTenantHasEachVersionOnce(t *testing.T) {
	const rounds, tenants = 6, 4
	in := newInstallation(t, "postgresql")
	source := in.workspace(t, "killed", "tenant")
	source.psql(t, "CREATE TABLE base (id serial PRIMARY KEY, n int);")
	of := make([]database, tenants)
	for i := range of {
		of[i] = in.tenantDatabase(t, fmt.Sprintf("t%d", i), "killed")
	}
	for round := range rounds {
		source.psql(t, fmt.Sprintf(`
			CREATE TABLE made_%[1]d (id serial PRIMARY KEY, base int REFERENCES base);
			BEGIN; ALTER TABLE base ADD COLUMN c%[1]d int; CREATE VIEW v%[1]d AS SELECT id, c%[1]d FROM base; COMMIT;
			CREATE INDEX CONCURRENTLY ON base (n);
			CREATE INDEX old_%[1]d ON base (c%[1]d);
			DROP INDEX CONCURRENTLY old_%[1]d;`, round))
		begun := in.must(t, http.StatusCreated, "POST", "/deployments", map[string]any{"blueprint_name": "killed", "deploy_all": true})
		// A moment that is longer from round to round, so that each finds it
		// somewhere else.
		time.Sleep(time.Duration(round) * 150 * time.Millisecond)
		in.kill()
		if err := in.start(); err != nil {
			t.Fatal(err)
		}
		path := fmt.Sprint("/deployments/", begun["id"])
		eventually(t, "the deployment has ended", func() bool {
			return in.must(t, http.StatusOK, "GET", path, nil)["completed_at"] != nil
		})
		holds(t, in.must(t, http.StatusOK, "GET", path, nil), fmt.Sprintf(`{"status": "completed", "tenants_completed": %d}`, tenants))
	}
	version := in.must(t, http.StatusOK, "GET", "/workspaces/killed", nil)["version"]
	for _, d := range append(of, in.tenantDatabase(t, "late", "killed")) {
		body := in.must(t, http.StatusOK, "GET", "/tenants/"+d.id, nil)
		if has := databaseOf(t, body, "killed")["version"]; has != version {
			t.Errorf("%s has version %v, want %v", d.id, has, version)
		}
		sameSchema(t, d, source)
	}
}
