package postgres

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// read is target with a reader, and the reader's login.
func read(target workspace.Target) (with, as workspace.Target) {
	with = target
	with.Reader, with.ReaderPassword = target.Role+"_reader", "planted-reader-secret"
	as = workspace.Target{Database: target.Database, Role: with.Reader, Password: with.ReaderPassword}
	return with, as
}

// state is the SQLSTATE of what a statement of a session of its own says.
func state(t *testing.T, conn *pgx.Conn, sql string) string {
	t.Helper()
	_, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
	if err != nil && sqlState(err) == "" {
		t.Fatalf("%s: %v", sql, err)
	}
	return sqlState(err)
}

func TestAReaderLeavesNoTrace(t *testing.T) {
	e := newEngine(t)
	target := newTarget()
	if err := e.Create(t.Context(), target, true); err != nil {
		t.Fatal(err)
	}
	with, as := read(target)
	t.Cleanup(func() {
		if err := e.Drop(context.Background(), with); err != nil {
			t.Error(err)
		}
	})
	asRole(t, target,
		"CREATE SCHEMA billing", "CREATE TABLE users (id serial PRIMARY KEY)", "CREATE TABLE billing.invoices (id int)",
		"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", "CREATE VIEW seen AS SELECT * FROM users")
	dumped := dump(t, target)
	defined, err := e.Definitions(t.Context(), with)
	if err != nil {
		t.Fatal(err)
	}
	journal := func() (all []string) {
		changes, err := e.Changes(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			all = append(all, c.Statement)
		}
		return all
	}
	before := journal()
	for range 2 {
		if err := e.SetReader(t.Context(), with); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := connectRole(t, as, as.Database)
	if err != nil {
		t.Fatal(err)
	}
	if got := state(t, conn, "SELECT FROM users, billing.invoices, seen, users_id_seq"); got != "" {
		t.Errorf("it can't read: %s", got)
	}
	if got := state(t, conn, "SET default_transaction_read_only = off"); got != "" {
		t.Fatal(got)
	}
	for _, sql := range []string{
		"INSERT INTO users DEFAULT VALUES", "CREATE TABLE public.x (i int)", "GRANT SELECT ON users TO PUBLIC", "REVOKE SELECT ON users FROM PUBLIC",
		"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC", "DROP OWNED BY CURRENT_USER", "SELECT lo_create(0)", "SELECT * FROM pg_tenantsdb.version",
		"DO $$ BEGIN EXECUTE 'GRANT SELECT ON users TO PUBLIC'; END $$", "SELECT rolpassword FROM pg_authid", "CREATE TEMP TABLE x (i int)",
	} {
		if got := state(t, conn, sql); got != "42501" {
			t.Errorf("%s: got SQLSTATE %q", sql, got)
		}
	}
	asRole(t, target, "SELECT lo_unlink(lo_create(0))") // the owner may
	if got := journal(); !slices.Equal(got, before) {
		t.Errorf("the journal has %q and had %q", got, before)
	}
	after, err := e.Definitions(t.Context(), with)
	if err != nil || !slices.Equal(after, defined) {
		t.Errorf("%v: the definitions are\n%s\nand were\n%s", err, strings.Join(after, "\n"), strings.Join(defined, "\n"))
	}
	for range 2 {
		if err := e.DropReader(t.Context(), with); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("its session lives on")
	}
	if got := dump(t, target); got != dumped {
		t.Errorf("the dump is\n%s\nand was\n%s", got, dumped)
	}
	if got := journal(); !slices.Equal(got, before) {
		t.Errorf("the journal has %q and had %q", got, before)
	}
}

// What a reader does to itself, where no event trigger forbids it, is put back; what
// others gave it, it can't give up.
func TestAReaderIsPutBack(t *testing.T) {
	e := newEngine(t)
	for _, target := range []workspace.Target{newWorkspace(t, e), newTenant(t, e)} {
		asRole(t, owner(target), "CREATE TABLE users (id int)")
		with, as := read(target)
		if err := e.SetReader(t.Context(), with); err != nil {
			t.Fatal(err)
		}
		asRole(t, as, "SET default_transaction_read_only = off", "DROP OWNED BY CURRENT_USER")
		asRole(t, as, "SELECT FROM users", "SET default_transaction_read_only = off", "ALTER ROLE CURRENT_USER SET default_transaction_read_only = off",
			"ALTER ROLE CURRENT_USER SET search_path = pg_catalog", "ALTER ROLE CURRENT_USER PASSWORD 'another'")
		if _, err := connectRole(t, as, as.Database); sqlState(err) != invalidPassword {
			t.Errorf("after it changed its password: got %v", err)
		}
		if err := e.Create(t.Context(), with, false); err != nil {
			t.Fatal(err)
		}
		asRole(t, as, "SELECT FROM users")
		conn, err := connectRole(t, as, as.Database)
		if err != nil {
			t.Fatal(err)
		}
		if got := state(t, conn, "CREATE TABLE x (i int)"); got != "25006" {
			t.Errorf("its transactions are read-only no more: got %q", got)
		}
		if err := e.DropReader(t.Context(), with); err != nil {
			t.Fatal(err)
		}
	}
}
