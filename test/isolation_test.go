package test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What a workspace's credentials must not do, whether the proxy stands before
// the server or not.

// escapes are statements that lead out of a workspace, or into its journal,
// each with the server's own SQLSTATE for the refusal.
func escapes() map[string]string {
	const denied = "42501" // insufficient_privilege
	refused := map[string]string{
		// A name that the server keeps for itself, and a slot that it can't have.
		"CREATE SCHEMA pg_tenantsdb_too": "42939",
	}
	for _, sql := range []string{
		// Another role.
		"SET ROLE postgres",
		"SET SESSION AUTHORIZATION postgres",
		"SELECT set_config('role', 'postgres', false)",
		"DO $$ BEGIN EXECUTE 'SET ROLE postgres'; END $$",
		"CREATE ROLE intruder SUPERUSER",
		"ALTER ROLE postgres PASSWORD 'known'",
		"DROP ROLE postgres",
		"GRANT pg_read_server_files TO CURRENT_USER",
		"GRANT pg_execute_server_program TO CURRENT_USER",
		"SELECT * FROM pg_authid",
		"SELECT passwd FROM pg_shadow",
		// Another database.
		"CREATE DATABASE another",
		"DROP DATABASE postgres",
		"ALTER DATABASE template1 SET work_mem = '1MB'",
		"CREATE EXTENSION dblink",
		"CREATE EXTENSION postgres_fdw",
		"CREATE FOREIGN DATA WRAPPER away",
		"CREATE SUBSCRIPTION away CONNECTION 'dbname=postgres' PUBLICATION p",
		// The server's files and programs.
		"SELECT pg_read_file('PG_VERSION')",
		"SELECT pg_read_binary_file('PG_VERSION')",
		"SELECT pg_ls_dir('.')",
		"SELECT pg_stat_file('PG_VERSION')",
		"SELECT lo_import('PG_VERSION')",
		"SELECT lo_export(1, '/nowhere/x')",
		"COPY (SELECT 1) TO '/nowhere/x'",
		"COPY (SELECT 1) TO PROGRAM 'true'",
		"CREATE TEMP TABLE lines (l text); COPY lines FROM PROGRAM 'id'",
		"CREATE TEMP TABLE lines (l text); COPY lines FROM '/etc/hostname'",
		"CREATE EXTENSION file_fdw",
		"CREATE EXTENSION adminpack",
		"CREATE FUNCTION system(cstring) RETURNS int LANGUAGE c AS 'libc.so.6', 'system'",
		"CREATE FUNCTION inside() RETURNS int LANGUAGE internal AS 'pg_backend_pid'",
		"LOAD 'auto_explain'",
		"CREATE TABLESPACE away LOCATION '/nowhere'",
		// The server itself.
		"ALTER SYSTEM SET work_mem = '1MB'",
		"SELECT pg_reload_conf()",
		"SELECT pg_rotate_logfile()",
		"SELECT pg_switch_wal()",
		"SELECT pg_create_physical_replication_slot('mine')",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'checkpointer' OR usename = 'postgres'",
		"SET session_replication_role = replica",
		"SET log_statement = 'all'",
		"UPDATE pg_class SET relname = 'x' WHERE relname = 'y'",
		// The journal.
		"SELECT * FROM pg_tenantsdb.journal",
		"SELECT * FROM pg_tenantsdb.secret",
		"DELETE FROM pg_tenantsdb.body",
		"SELECT pg_tenantsdb.writes()",
		"SELECT pg_tenantsdb.record('CREATE TABLE', '', '')",
		"CREATE TABLE pg_tenantsdb.mine (id int)",
		"DROP SCHEMA pg_tenantsdb CASCADE",
		"ALTER TABLE pg_tenantsdb.journal DISABLE TRIGGER ALL",
		"GRANT ALL ON SCHEMA pg_tenantsdb TO PUBLIC",
		"DROP EVENT TRIGGER tenantsdb_end",
		"ALTER EVENT TRIGGER tenantsdb_start DISABLE",
		"CREATE EVENT TRIGGER mine ON sql_drop EXECUTE FUNCTION pg_tenantsdb.on_drop()",
		"DROP EXTENSION plpgsql CASCADE",
	} {
		refused[sql] = denied
	}
	return refused
}

func TestNoStatementLeadsOutOfAWorkspace(t *testing.T) {
	d := shared.workspace(t, "escapes", "tenant")
	mustRefuseEscapes(t, d.connect(t))
	// What the proxy refuses beyond the server: the owner of a database could
	// open it to others, and a role may change its own password.
	conn := d.connect(t)
	for _, sql := range []string{
		"GRANT CONNECT ON DATABASE \"" + d.name + "\" TO PUBLIC",
		"ALTER DATABASE \"" + d.name + "\" SET search_path = x",
		"ALTER ROLE CURRENT_USER PASSWORD 'known'",
		"ALTER USER CURRENT_USER SET search_path = x",
	} {
		if code := sqlState(exec1(conn, sql)); code != "42501" && code != "0A000" {
			t.Errorf("%s: got %q, want it refused", sql, code)
		}
	}
	if queue := d.queue(t); len(queue) != 0 {
		t.Errorf("refused statements are in the queue: %v", queue)
	}
}

func TestNoStatementLeadsOutOfTheRoleItself(t *testing.T) {
	d := shared.workspace(t, "escapes-direct", "tenant")
	mustRefuseEscapes(t, d.connectPastTheProxy(t, d.name))
}

func mustRefuseEscapes(t *testing.T, conn *pgconn.PgConn) {
	t.Helper()
	before := scalar(t, conn, "SELECT current_user || ' ' || session_user")
	for sql, code := range escapes() {
		// 0A000 is the proxy's own word, for what it does not let pass at all.
		if got := sqlState(exec1(conn, sql)); got != code && got != "0A000" {
			t.Errorf("%s: got SQLSTATE %q, want %s", sql, got, code)
		}
	}
	if after := scalar(t, conn, "SELECT current_user || ' ' || session_user"); after != before {
		t.Errorf("the session is %s now, it was %s", after, before)
	}
}

// sqlState is the server's code in err, empty where there is none.
func sqlState(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// A login leads to its own database; all others, whether they exist or not,
// look alike.
func TestCredentialsReachNoOtherDatabase(t *testing.T) {
	mine := shared.workspace(t, "mine", "tenant")
	other := shared.project(t, "neighbours")
	theirs := other.workspace(t, "theirs", "control")
	for _, c := range []struct{ what, user, password, database string }{
		{"maintenance database", shared.ProjectID, shared.ProxyPassword, "postgres"},
		{"template", shared.ProjectID, shared.ProxyPassword, "template1"},
		{"closed template", shared.ProjectID, shared.ProxyPassword, "template0"},
		{"another project's workspace", shared.ProjectID, shared.ProxyPassword, theirs.name},
		{"another project's password", shared.ProjectID, other.ProxyPassword, mine.name},
		{"another project's user", other.ProjectID, other.ProxyPassword, mine.name},
		{"the server's superuser", "postgres", shared.ProxyPassword, mine.name},
		{"the physical role", mine.role(t), shared.ProxyPassword, mine.name},
		{"no such database", shared.ProjectID, shared.ProxyPassword, "never_made_workspace"},
		{"no such user", "tdb_00000000", shared.ProxyPassword, mine.name},
		{"wrong password", shared.ProjectID, "tdb_0000000000000000", mine.name},
		{"no password", shared.ProjectID, "", mine.name},
		{"the API key", shared.ProjectID, shared.APIKey, mine.name},
	} {
		err := mine.logIn(t, c.user, c.password, c.database)
		want := fmt.Sprintf("password authentication failed for user \"%s\"", c.user)
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != "28P01" || refused.Severity != "FATAL" || refused.Message != want {
			t.Errorf("%s: got %v, want FATAL 28P01 %s", c.what, err, want)
		}
	}
	if err := mine.logIn(t, shared.ProjectID, shared.ProxyPassword, mine.name); err != nil {
		t.Errorf("own database: %v", err)
	}
	if err := theirs.logIn(t, other.ProjectID, other.ProxyPassword, theirs.name); err != nil {
		t.Errorf("the other project's own database: %v", err)
	}
	for _, path := range []string{"/workspaces/theirs", "/workspaces/theirs/diff", "/workspaces/theirs/schema", "/workspaces/theirs/settings"} {
		theirAnswer, noAnswer := shared.call(t, "GET", path, nil), shared.call(t, "GET", strings.Replace(path, "theirs", "nothing", 1), nil)
		if theirAnswer.status != http.StatusNotFound || strings.ReplaceAll(fmt.Sprint(theirAnswer.body["error"]), "theirs", "nothing") != noAnswer.body["error"] {
			t.Errorf("GET %s: got %d %v, want it like an unknown workspace: %v", path, theirAnswer.status, theirAnswer.body, noAnswer.body)
		}
	}
}

// With the proxy out of the way, the role still opens no database but its own.
func TestTheRoleItselfReachesNoOtherDatabase(t *testing.T) {
	mine := shared.workspace(t, "role-mine", "tenant")
	sibling := shared.workspace(t, "role-sibling", "control")
	if got := scalar(t, mine.connectPastTheProxy(t, mine.name), "SELECT current_database()"); got != mine.name {
		t.Errorf("own database: got %s, want %s", got, mine.name)
	}
	for _, database := range []string{"postgres", "template1", "template0", sibling.name} {
		_, err := mine.dialPastTheProxy(t, database)
		if code := sqlState(err); code != "42501" && code != "55000" { // 55000: it takes no connections at all
			t.Errorf("database %s: got %v, want it refused", database, err)
		}
	}
	attributes := scalar(t, mine.connectPastTheProxy(t, mine.name), `SELECT concat_ws(' ', rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,
		(SELECT count(*) FROM pg_auth_members WHERE member = r.oid)) FROM pg_roles r WHERE rolname = current_user`)
	if attributes != "f f f f f 0" {
		t.Errorf("the role's attributes and memberships are %s", attributes)
	}
}

// project makes another project and gives the installation as its keys see it.
func (in *installation) project(t testing.TB, name string) *installation {
	t.Helper()
	body := in.must(t, http.StatusCreated, "POST", "/projects", map[string]any{"name": name})
	other := &installation{dir: in.dir, ready: in.ready}
	other.ProjectID, other.APIKey, other.ProxyPassword = body["project_id"].(string), body["api_key"].(string), body["proxy_password"].(string)
	t.Cleanup(func() { in.call(t, "DELETE", "/projects/"+other.ProjectID, nil) })
	return other
}

// logIn tries a login through the proxy.
func (d database) logIn(t testing.TB, user, password, database string) error {
	t.Helper()
	c, err := pgconn.ParseConfig(d.url)
	if err != nil {
		t.Fatal(err)
	}
	c.User, c.Password, c.Database = user, password, database
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgconn.ConnectConfig(ctx, c)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// connectPastTheProxy is a session of the workspace's own role on the server.
func (d database) connectPastTheProxy(t testing.TB, database string) *pgconn.PgConn {
	t.Helper()
	conn, err := d.dialPastTheProxy(t, database)
	if err != nil {
		t.Fatalf("connect as the role: %v", err)
	}
	t.Cleanup(func() { closeConn(conn) })
	return conn
}

// dialPastTheProxy gives the role a password that the test knows; the proxy
// puts its own back when it needs it.
func (d database) dialPastTheProxy(t testing.TB, database string) (*pgconn.PgConn, error) {
	t.Helper()
	const known = "known to the test"
	role := d.role(t)
	l := d.installation.superuser(t)
	mustExec(t, l.connect(t).PgConn(), "ALTER ROLE "+pgx.Identifier{role}.Sanitize()+" PASSWORD "+literal(known))
	l.user, l.password, l.database = role, known, database
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return pgconn.Connect(ctx, l.dsn())
}
