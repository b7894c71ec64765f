package test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// pgConnect is a session with that connection string, which the test closes.
func pgConnect(t testing.TB, address string) (*pgconn.PgConn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgconn.Connect(ctx, address)
	if err == nil {
		t.Cleanup(func() { closeConn(conn) })
	}
	return conn, err
}

func mustPGConnect(t testing.TB, address string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgConnect(t, address)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// pgSays runs one statement and gives the SQLSTATE of its error, empty where it
// has none.
func pgSays(conn *pgconn.PgConn, sql string) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil && sqlState(err) == "" {
		return err.Error()
	}
	return sqlState(err)
}

// holdsToReading runs what a reader may not, each with the exact refusal, and what
// it may.
func holdsToReading(t *testing.T, conn *pgconn.PgConn) {
	t.Helper()
	const writes = "SET default_transaction_read_only = off"
	for _, c := range []struct{ sql, state string }{
		{"SELECT * FROM users", ""},
		{"SELECT * FROM named", ""},
		{"TABLE billing.invoices", ""},
		{"SELECT last_value FROM users_id_seq", ""},
		{"EXPLAIN ANALYZE SELECT * FROM users", ""},
		{"COPY users TO STDOUT", ""},
		{"INSERT INTO users (name) VALUES ('x')", "25006"},
		{writes, ""},
		{"INSERT INTO users (name) VALUES ('x')", "42501"},
		{"UPDATE users SET name = 'x'", "42501"},
		{"DELETE FROM users", "42501"},
		{"TRUNCATE users", "42501"},
		{"SELECT * FROM users FOR UPDATE", "42501"},
		{"SELECT nextval('users_id_seq')", "42501"},
		{"COPY users FROM STDIN", "42501"},
		{"CREATE TABLE mine (i int)", "42501"},
		{"CREATE TEMPORARY TABLE mine (i int)", "42501"},
		{"CREATE SCHEMA mine", "42501"},
		{"ALTER TABLE users ADD x int", "42501"},
		{"DROP TABLE users", "42501"},
		{"COMMENT ON TABLE users IS 'x'", "42501"},
		{"GRANT INSERT ON users TO PUBLIC", "42501"}, // to the server it would be a warning, and no error
		{"ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO PUBLIC", "42501"},
		{"DROP OWNED BY CURRENT_USER", "42501"},
		{"SELECT lo_create(0)", "42501"},
		{"SELECT lo_creat(-1)", "42501"},
		{"SELECT lo_from_bytea(0, 'x')", "42501"},
		{"SELECT rolpassword FROM pg_authid", "42501"},
		{"SELECT count(*) FROM users", ""},
	} {
		if got := pgSays(conn, c.sql); got != c.state {
			t.Errorf("%s: got SQLSTATE %q, want %q", c.sql, got, c.state)
		}
	}
	if got := scalar(t, conn, "SELECT concat_ws(',', count(*), min(name)) FROM users"); got != "1,ann" {
		t.Errorf("the table holds %s", got)
	}
}

const readersTables = `CREATE TABLE users (id serial PRIMARY KEY, name text);
	INSERT INTO users (name) VALUES ('ann');
	CREATE VIEW named AS SELECT name FROM users;
	CREATE SCHEMA billing;
	CREATE TABLE billing.invoices (id int)`

func TestPostgresReadKeyReadsAndWritesNothing(t *testing.T) {
	in := newInstallation(t, "postgresql")
	d := in.workspace(t, "shop", "tenant")
	d.psql(t, readersTables)
	before := d.dump(t)
	k := in.key(t, "read", "workspace", "shop")
	conn := mustPGConnect(t, k.as(t, d.url))
	holdsToReading(t, conn)

	// What is made later, in schemas of later too, and a tenant's database.
	d.psql(t, "CREATE SCHEMA later; CREATE TABLE later.facts AS SELECT 7 AS n; CREATE MATERIALIZED VIEW later.seen AS SELECT * FROM later.facts")
	if got := scalar(t, conn, "SELECT f.n + s.n FROM later.facts f, later.seen s"); got != "14" {
		t.Errorf("what was made later: got %s", got)
	}
	d.psql(t, "DROP SCHEMA later CASCADE")
	acme := in.tenantDatabase(t, "acme", "shop")
	acme.psql(t, "INSERT INTO users (name) VALUES ('ann')")
	holdsToReading(t, mustPGConnect(t, k.as(t, acme.url)))
	d.psql(t, "CREATE TABLE third (i int)")
	in.deployAll(t, "shop")
	if got := scalar(t, mustPGConnect(t, k.as(t, acme.url)), "SELECT count(*) FROM third"); got != "0" {
		t.Errorf("what was deployed later: got %s", got)
	}
	d.psql(t, "DROP TABLE third")

	// Past the proxy too.
	l := in.superuser(t)
	mustExec(t, l.connect(t).PgConn(), `ALTER ROLE "shop_workspace_reader" PASSWORD 'known to the test'`)
	l.user, l.password, l.database = "shop_workspace_reader", "known to the test", d.name
	past := mustPGConnect(t, l.dsn())
	holdsToReading(t, past)
	for _, database := range []string{"postgres", acme.name} {
		l.database = database
		if _, err := pgConnect(t, l.dsn()); sqlState(err) != "42501" {
			t.Errorf("as the reader of shop to %s: got %v", database, err)
		}
	}
	if got := pgSays(past, `ALTER ROLE CURRENT_USER PASSWORD 'locks others out'`); got != "" {
		t.Fatalf("nobody can forbid a role to change its password, and yet: %s", got)
	}
	for range 4 { // more than are kept warm
		mustPGConnect(t, k.as(t, d.url))
	}

	// Nothing of it is in what the workspace is.
	for _, statement := range in.must(t, http.StatusOK, "GET", "/workspaces/shop", nil)["schema"].([]any) {
		if text := statement.(string); strings.Contains(text, "reader") || strings.Contains(text, "PRIVILEGES") || strings.Contains(text, "lo_create") {
			t.Errorf("the schema has %s", text)
		}
	}
	for _, e := range d.queue(t) {
		if strings.Contains(e.DDL, "reader") || strings.Contains(e.DDL, "GRANT") || strings.Contains(e.DDL, "PRIVILEGES") {
			t.Errorf("the queue has %s", e.DDL)
		}
	}
	in.revoke(t, k)
	if got := d.dump(t); got != before {
		t.Errorf("after the last read key the dump is\n%s\nand was\n%s", got, before)
	}
	if got := scalar(t, in.superuser(t).connect(t).PgConn(), "SELECT count(*) FROM pg_roles WHERE rolname LIKE '%reader'"); got != "0" {
		t.Errorf("%s readers are left", got)
	}
}

func TestPostgresKeysReachTheirScope(t *testing.T) {
	in := newInstallation(t, "postgresql")
	shop, blog := in.workspace(t, "shop", "tenant"), in.workspace(t, "blog", "tenant")
	shop.psql(t, readersTables)
	acme, zeta := in.tenantDatabase(t, "acme", "shop"), in.tenantDatabase(t, "zeta", "shop")
	ofShop, ofAcme := in.key(t, "write", "workspace", "shop"), in.key(t, "write", "tenant", "acme", "late")
	reads := in.key(t, "read", "tenant", "acme")
	late := in.tenantDatabase(t, "late", "shop")
	check := func() {
		t.Helper()
		for _, c := range []struct {
			k  proxyLogin
			d  database
			in bool
		}{
			{ofShop, shop, true}, {ofShop, acme, true}, {ofShop, zeta, true}, {ofShop, late, true}, {ofShop, blog, false},
			{ofAcme, acme, true}, {ofAcme, late, true}, {ofAcme, zeta, false}, {ofAcme, shop, false},
			{reads, acme, true}, {reads, late, false}, {reads, shop, false},
		} {
			conn, err := pgConnect(t, c.k.as(t, c.d.url))
			if !c.in {
				failed, _ := errors.AsType[*pgconn.PgError](err)
				if failed == nil || failed.Code != "28P01" || failed.Message != fmt.Sprintf("password authentication failed for user %q", c.k.user) {
					t.Errorf("%s to %s: got %v", c.k.user, c.d.name, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s to %s: %v", c.k.user, c.d.name, err)
				continue
			}
			want := ""
			if c.k == reads {
				want = "25006"
			}
			if got := pgSays(conn, "INSERT INTO users (name) VALUES ('x')"); got != want {
				t.Errorf("%s writes to %s: got %q, want %q", c.k.user, c.d.name, got, want)
			}
		}
	}
	check()
	in.stop()
	if err := in.start(); err != nil {
		t.Fatal(err)
	}
	check()

	// A scoped writer is held to what the project's and the tenant's logins are.
	if got := pgSays(mustPGConnect(t, ofShop.as(t, acme.url)), "CREATE TABLE x (i int)"); got != "42501" {
		t.Errorf("DDL on a tenant's database: got %q", got)
	}
	queued := len(shop.queue(t))
	mustExec(t, mustPGConnect(t, ofShop.as(t, shop.url)), "CREATE TABLE tracked (i int)")
	if got := len(shop.queue(t)); got != queued+1 {
		t.Errorf("the queue had %d changes and has %d", queued, got)
	}
	in.must(t, http.StatusOK, "PATCH", "/workspaces/shop/settings", map[string]any{"max_rows_per_query": 3})
	if got := pgSays(mustPGConnect(t, ofShop.as(t, shop.url)), "SELECT generate_series(1, 4)"); got != "54000" {
		t.Errorf("more rows than allowed: got %q", got)
	}
}

// A session's connection to the server goes to the next of the same role only.
func TestPostgresReadersGetNoWritersConnection(t *testing.T) {
	in := shared
	d := in.workspace(t, "keys-warm", "control")
	k, one := in.key(t, "read", "workspace", "keys-warm"), in.key(t, "write", "workspace", "keys-warm")
	for range 20 {
		for address, want := range map[string]string{k.as(t, d.url): "keys-warm_workspace_reader", d.url: "keys-warm_workspace", one.as(t, d.url): "keys-warm_workspace"} {
			conn := mustPGConnect(t, address)
			if got := scalar(t, conn, "SELECT concat_ws(' ', session_user, current_user)"); got != want+" "+want {
				t.Fatalf("got a session of %s, want %s", got, want)
			}
			closeConn(conn)
		}
	}
}

func TestPostgresRevokedKeysSessionsEnd(t *testing.T) {
	in := shared
	d := in.workspace(t, "keys-revoked", "control")
	d.psql(t, "CREATE TABLE users (id int)")
	k, stays := in.key(t, "read", "workspace", "keys-revoked"), in.key(t, "read", "workspace", "keys-revoked")
	idle, busy, other := mustPGConnect(t, k.as(t, d.url)), mustPGConnect(t, k.as(t, d.url)), mustPGConnect(t, stays.as(t, d.url))
	ended := make(chan error, 1)
	go func() {
		_, err := busy.Exec(context.Background(), "SELECT pg_sleep(600)").ReadAll()
		ended <- err
	}()
	in.waitForSleep(t)
	in.revoke(t, k)
	failed, _ := errors.AsType[*pgconn.PgError](<-ended)
	if failed == nil || failed.Code != "57P01" || failed.Message != "terminating connection because the API key of this login was revoked" {
		t.Errorf("the statement at hand ended with %v", failed)
	}
	if got := pgSays(idle, "SELECT 1"); got != "57P01" {
		t.Errorf("an idle session: got %q", got)
	}
	if got := pgSays(other, "SELECT count(*) FROM users"); got != "" {
		t.Errorf("another key's session: got %q", got)
	}
	if _, err := pgConnect(t, k.as(t, d.url)); sqlState(err) != "28P01" {
		t.Errorf("its login: got %v", err)
	}
	mustPGConnect(t, stays.as(t, d.url))
}

// waitForSleep waits until a statement sleeps on the server.
func (in *installation) waitForSleep(t testing.TB) {
	t.Helper()
	conn := in.superuser(t).connect(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		var sleeping bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND usename LIKE '%reader')").Scan(&sleeping); err != nil {
			t.Fatal(err)
		}
		if sleeping {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// dump is the workspace as pg_dump writes it.
func (d database) dump(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("pg_dump", "--dbname", d.url).CombinedOutput()
	if err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, out)
	}
	// Newer ones make up a word for each dump.
	var lines []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, `\restrict`) && !strings.HasPrefix(line, `\unrestrict`) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
