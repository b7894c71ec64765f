package postgres

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestJournalCannotBeReadForgedOrBroken(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run("CREATE TABLE before (i int)")
	for _, attempt := range []string{
		"SELECT * FROM pg_tenantsdb.journal",
		"SELECT value FROM pg_tenantsdb.secret",
		"DELETE FROM pg_tenantsdb.journal",
		"TRUNCATE pg_tenantsdb.journal",
		"INSERT INTO pg_tenantsdb.body (xid, sent, hash, text) VALUES ('1', now(), 1, 'x')",
		"DO $$ BEGIN LOCK TABLE pg_tenantsdb.journal; END $$",
		"SELECT pg_tenantsdb.next_id()",
		"SELECT pg_tenantsdb.record('DROP TABLE', '', '')",
		"SELECT pg_tenantsdb.seal(ARRAY['a'])",
		"SELECT pg_tenantsdb.keep('x', true)",
		"SELECT pg_tenantsdb.on_end()",
		"CREATE TABLE pg_tenantsdb.mine (i int)",
		"ALTER TABLE pg_tenantsdb.journal DISABLE TRIGGER ALL",
		"CREATE RULE r AS ON INSERT TO pg_tenantsdb.journal DO INSTEAD NOTHING",
		"CREATE TRIGGER r BEFORE INSERT ON pg_tenantsdb.journal FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
		"CREATE OR REPLACE FUNCTION pg_tenantsdb.on_end() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
		"DROP SCHEMA pg_tenantsdb CASCADE",
		"GRANT ALL ON SCHEMA pg_tenantsdb TO CURRENT_USER",
		"ALTER EVENT TRIGGER tenantsdb_end DISABLE",
		"DROP EVENT TRIGGER tenantsdb_end",
		"DROP EXTENSION plpgsql CASCADE",
		"ALTER EXTENSION plpgsql DROP EVENT TRIGGER tenantsdb_end",
		"SET session_replication_role = replica",
		"SET track_counts = off",
		"SET lc_messages = 'C'",
		"ALTER DATABASE " + target.Database + " SET session_replication_role = replica",
		"ALTER ROLE CURRENT_USER SET track_counts = off",
		"COPY pg_tenantsdb.secret TO STDOUT",
	} {
		err := s.fail(attempt)
		if code := sqlState(err); code != "42501" {
			t.Errorf("%s: refused with %v", attempt, err)
		}
	}
	wantStatements(t, changes(t, e, target), "CREATE TABLE before (i int)")
}

// Objects that look like the system's, and settings that change how text is
// read, must neither run as superuser nor hide or break a change.
func TestJournalIsNotMisledByTheSession(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run(`CREATE SCHEMA trap;
		CREATE TABLE trap.caught (who text);
		CREATE FUNCTION trap.spring() RETURNS void LANGUAGE plpgsql SECURITY INVOKER AS $$ BEGIN INSERT INTO trap.caught VALUES (current_user); END $$;
		CREATE FUNCTION trap.current_setting(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring(); RETURN 'forged'; END $$;
		CREATE FUNCTION trap.current_setting(text, boolean) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring(); RETURN 'forged'; END $$;
		CREATE FUNCTION trap.set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring(); RETURN ''; END $$;
		CREATE FUNCTION trap.current_query() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring(); RETURN 'DROP TABLE users'; END $$;
		CREATE FUNCTION trap.same(a text, b text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring(); RETURN true; END $$;
		CREATE OPERATOR trap.= (leftarg = text, rightarg = text, function = trap.same);
		CREATE OPERATOR trap.<> (leftarg = text, rightarg = text, function = trap.same);
		CREATE FUNCTION trap.joined(a text, b text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring(); RETURN a; END $$;
		CREATE OPERATOR trap.|| (leftarg = text, rightarg = text, function = trap.joined);
		CREATE DOMAIN trap.text AS pg_catalog.text CHECK (trap.spring() IS NULL);
		CREATE DOMAIN trap.bigint AS pg_catalog.int8 CHECK (trap.spring() IS NULL)`)
	s.run(`CREATE TEMP TABLE pg_event_trigger_ddl_commands (i int); CREATE TEMP TABLE pg_class (oid int); CREATE TEMP TABLE journal (i int)`)
	taken(t, e, target)
	for _, setting := range []string{
		"search_path = pg_temp, trap, public, pg_catalog", "plpgsql.extra_errors = 'all'", "standard_conforming_strings = off",
		"backslash_quote = on", "quote_all_identifiers = on", "transform_null_equals = on", "lock_timeout = '1ms'",
		"array_nulls = off", "DateStyle = 'German'", "IntervalStyle = 'iso_8601'", "bytea_output = 'escape'", "client_encoding = 'LATIN1'",
		"client_min_messages = error", "default_transaction_read_only = off", "row_security = off", "jit = on", "jit_above_cost = 0",
		"work_mem = '64kB'", "enable_indexscan = off", "check_function_bodies = off", "xmloption = document", "extra_float_digits = -15",
		"tenantsdb.source = 'forged'", "pg_tenantsdb.state = '1|2|3|4|5|6|7'", "default_transaction_isolation = serializable", "synchronous_commit = off",
	} {
		s.run("SET " + setting)
	}
	const statement = `CREATE TABLE public."Mixed" (a pg_catalog.text, b pg_catalog.int8)`
	s.run(statement)
	s.run(`ALTER TABLE public."Mixed" ADD COLUMN c pg_catalog.int4; DROP TABLE public."Mixed"`)
	got := taken(t, e, target)
	wantStatements(t, got, statement, `ALTER TABLE public."Mixed" ADD COLUMN c pg_catalog.int4`, `DROP TABLE public."Mixed"`)
	if got[0].Object != `"Mixed"` || got[0].Identity != `public."Mixed"` || got[0].Source != "proxy" {
		t.Errorf("object %s, identity %s, source %s", got[0].Object, got[0].Identity, got[0].Source)
	}
	if want := "pg_temp, trap, public, pg_catalog"; got[0].Session["search_path"] != want {
		t.Errorf("search_path %q, want %q", got[0].Session["search_path"], want)
	}
	var caught int
	if err := s.conn.QueryRow(t.Context(), "SELECT count(*) FROM trap.caught").Scan(&caught); err != nil {
		t.Fatal(err)
	}
	if caught != 0 {
		t.Errorf("the session's functions were run %d times", caught)
	}
}

// A client that fakes the state under way can only make itself recorded more.
func TestForgedStateHidesNothing(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run(`CREATE TABLE a (i text); INSERT INTO a VALUES ('1');
		CREATE FUNCTION meddle(x text) RETURNS int LANGUAGE plpgsql AS $$
		DECLARE state text := current_setting('pg_tenantsdb.state');
		BEGIN
			PERFORM set_config('pg_tenantsdb.state', regexp_replace(state, '[0-9]+:[0-9]+:0', '99999999:0:1'), false);
			RETURN x::int;
		END $$`)
	taken(t, e, target)
	s.run("ALTER TABLE a ALTER COLUMN i TYPE int USING meddle(i)")
	s.run("CREATE TABLE b AS SELECT meddle('1') AS i")
	wantStatements(t, taken(t, e, target), "ALTER TABLE a ALTER COLUMN i TYPE int USING meddle(i)", "CREATE TABLE public.b (i integer)")
}

func TestJournalLeavesNoTraceInDumpOrLog(t *testing.T) {
	e := newEngine(t)
	tracked, plain := newTracked(t, e), newWorkspace(t, e)
	const statement = "CREATE TABLE marked_by_the_log_test (i int)"
	asRole(t, tracked, statement)
	asRole(t, plain, statement)
	if a, b := dump(t, tracked), dump(t, plain); a != b {
		t.Errorf("dumps differ:\n%s\n%s", a, b)
	}
	log, err := os.ReadFile(filepath.Join(server.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "INFO:") {
		t.Error("the server logs the journal's message")
	}
}

func TestInstallingTwiceKeepsTheJournal(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	asRole(t, target, "CREATE TABLE a (i int)")
	if err := e.Create(t.Context(), target, true); err != nil {
		t.Fatal(err)
	}
	asRole(t, target, "CREATE TABLE b (i int)")
	wantStatements(t, changes(t, e, target), "CREATE TABLE a (i int)", "CREATE TABLE b (i int)")
	conn, release, err := e.admin(t.Context(), target.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	// An older version is brought up to date around what it holds.
	if _, err := conn.Exec(t.Context(), "UPDATE pg_tenantsdb.version SET number = 0"); err != nil {
		t.Fatal(err)
	}
	if err := installJournal(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	asRole(t, target, "CREATE TABLE c (i int)")
	wantStatements(t, changes(t, e, target), "CREATE TABLE a (i int)", "CREATE TABLE b (i int)", "CREATE TABLE c (i int)")
	if _, err := conn.Exec(t.Context(), "INSERT INTO pg_tenantsdb.version VALUES (1000)"); err != nil {
		t.Fatal(err)
	}
	if err := installJournal(t.Context(), conn); err == nil {
		t.Error("a newer journal was accepted")
	}
}

func TestForgetKeepsWhatOthersNeed(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	asRole(t, target, "CREATE TABLE a (i int); CREATE TABLE b (i int)")
	first := changes(t, e, target)
	if err := e.Forget(t.Context(), target, []int64{first[0].JournalID}); err != nil {
		t.Fatal(err)
	}
	wantStatements(t, changes(t, e, target), "CREATE TABLE b (i int)")
	for range 2 {
		if err := e.Forget(t.Context(), target, []int64{first[1].JournalID}); err != nil {
			t.Fatal(err)
		}
	}
	wantStatements(t, changes(t, e, target))
}
