package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestStatementsOfRoutinesAreRecordedAsWhatTheyDid(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run("CREATE TABLE log (i int)")
	tests := []struct {
		name, setup, run string
		want             []string
	}{
		{"DO, static and dynamic", "",
			`DO $$ BEGIN CREATE TABLE d1 (i int); EXECUTE 'create table "d""2" (i int)'; EXECUTE format('DROP TABLE %I', 'd1'); END $$`,
			[]string{`CREATE TABLE d1 (i int)`, `create table "d""2" (i int)`, `DROP TABLE d1`}},
		{"DO in a loop", "",
			`DO $$ BEGIN FOR i IN 1..3 LOOP EXECUTE format('CREATE TABLE loop_%s (a text DEFAULT ''"
PL/pgSQL function x() line 1 at EXECUTE'')', i); END LOOP; END $$`,
			[]string{"CREATE TABLE loop_1 (a text DEFAULT '\"\nPL/pgSQL function x() line 1 at EXECUTE')",
				"CREATE TABLE loop_2 (a text DEFAULT '\"\nPL/pgSQL function x() line 1 at EXECUTE')",
				"CREATE TABLE loop_3 (a text DEFAULT '\"\nPL/pgSQL function x() line 1 at EXECUTE')"}},
		{"several statements in one EXECUTE, twice, with a no-op", "",
			`DO $$ BEGIN FOR i IN 1..2 LOOP
			   EXECUTE 'CREATE TABLE m1 (i int); CREATE TABLE IF NOT EXISTS m1 (i int); SELECT 1; CREATE TABLE m2 (i int); DROP TABLE m1, m2';
			 END LOOP; END $$`,
			[]string{`CREATE TABLE m1 (i int)`, `CREATE TABLE m2 (i int)`, `DROP TABLE m1, m2`,
				`CREATE TABLE m1 (i int)`, `CREATE TABLE m2 (i int)`, `DROP TABLE m1, m2`}},
		{"an exception undoes its block", "",
			`DO $$ BEGIN
			   BEGIN CREATE TABLE undone (i int); PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END;
			   CREATE TABLE kept (i int);
			 END $$`,
			[]string{`CREATE TABLE kept (i int)`}},
		{"SQL function", `CREATE FUNCTION sf() RETURNS int LANGUAGE sql AS 'CREATE TABLE sf1 (i int); INSERT INTO log VALUES (1); CREATE INDEX ON sf1 (i); SELECT 1'`,
			`SELECT sf()`,
			[]string{`CREATE TABLE sf1 (i int)`, `CREATE INDEX ON sf1 (i)`}},
		{"SQL function with a namesake", `CREATE FUNCTION twin() RETURNS void LANGUAGE sql AS 'CREATE TABLE twin1 (i int)';
			CREATE FUNCTION twin(int) RETURNS void LANGUAGE sql AS 'CREATE TABLE twin2 (i int)'`,
			`SELECT twin(); SELECT twin(1)`,
			[]string{`CREATE TABLE twin1 (i int)`, `CREATE TABLE twin2 (i int)`}},
		{"procedure that commits", `CREATE PROCEDURE pr() LANGUAGE plpgsql AS $$ BEGIN
			CREATE TABLE p1 (i int); COMMIT; CREATE TABLE p2 (i int); ROLLBACK; CREATE TABLE p3 (i int); END $$`,
			`CALL pr()`,
			[]string{`CREATE TABLE p1 (i int)`, `CREATE TABLE p3 (i int)`}},
		{"trigger function", `CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			EXECUTE 'CREATE TABLE t' || NEW.i || ' (i int)'; RETURN NEW; END $$;
			CREATE TRIGGER tr BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION tf()`,
			`INSERT INTO log VALUES (7), (8)`,
			[]string{`CREATE TABLE t7 (i int)`, `CREATE TABLE t8 (i int)`}},
		{"function called by CREATE TABLE AS", `CREATE FUNCTION cf() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE inner1 (i int); RETURN 1; END $$`,
			`CREATE TABLE outer1 AS SELECT cf() AS a`,
			[]string{`CREATE TABLE inner1 (i int)`, `CREATE TABLE public.outer1 (a integer)`}},
		{"CREATE TABLE AS in a function", "",
			`DO $$ DECLARE n int := 4; BEGIN CREATE TABLE made AS SELECT n AS a, 'x'::varchar(9) COLLATE "C" AS b; END $$`,
			[]string{`CREATE TABLE public.made (a integer, b character varying(9) COLLATE pg_catalog."C")`}},
		{"SELECT INTO", "",
			`SELECT 1 AS "A b", ARRAY['x'::char(3)] AS c INTO UNLOGGED sel`,
			[]string{`CREATE UNLOGGED TABLE public.sel ("A b" integer, c character(3)[])`}},
		{"standard strings off", "SET standard_conforming_strings = off",
			`DO $$ BEGIN EXECUTE 'CREATE TABLE scs (a text DEFAULT ''it\\''s; x'')'; END $$; COMMENT ON TABLE log IS 'a\';b'; CREATE TABLE scs2 (i int)`,
			[]string{`CREATE TABLE scs (a text DEFAULT 'it\'s; x')`, `COMMENT ON TABLE log IS 'a\';b'`, `CREATE TABLE scs2 (i int)`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s.run(test.setup)
			before := changes(t, e, target)
			s.run(test.run)
			wantStatements(t, changes(t, e, target)[len(before):], test.want...)
			s.run("RESET ALL")
		})
	}
	wantReplay(t, e, target, changes(t, e, target))
}

func TestEachStatementOfAMessageIsRecordedAsItsOwnText(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	tests := []struct {
		name, run string
		want      []string
	}{
		{"no-ops, comments and strings between", `-- first
			CREATE TABLE a (i int) /* ; */; CREATE TABLE IF NOT EXISTS a (i int); SELECT 'DROP TABLE a; ';
			/* second */ CREATE TABLE b (t text DEFAULT ';'); -- end
			DROP TABLE IF EXISTS nobody; CREATE TEMP TABLE c (i int); DROP TABLE c; CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END; DROP TABLE a -- bye`,
			[]string{`CREATE TABLE a (i int)`, `CREATE TABLE b (t text DEFAULT ';')`,
				`CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END`, `DROP TABLE a`}},
		{"savepoints", `BEGIN; CREATE TABLE s1 (i int); SAVEPOINT x; CREATE TABLE s2 (i int); SAVEPOINT y; CREATE TABLE s3 (i int);
			ROLLBACK TO x; CREATE TABLE s4 (i int); RELEASE x; CREATE TABLE s5 (i int); COMMIT`,
			[]string{`CREATE TABLE s1 (i int)`, `CREATE TABLE s4 (i int)`, `CREATE TABLE s5 (i int)`}},
		{"rollback in the middle", `CREATE TABLE r1 (i int); BEGIN; CREATE TABLE r2 (i int); ROLLBACK; CREATE TABLE r3 (i int); COMMIT; CREATE TABLE r4 (i int)`,
			[]string{`CREATE TABLE r3 (i int)`, `CREATE TABLE r4 (i int)`}},
		{"settings reset in the middle", `CREATE TABLE z1 (i int); RESET ALL; CREATE TABLE z2 (i int); CREATE TABLE z3 (i int)`,
			[]string{`CREATE TABLE z1 (i int)`, `CREATE TABLE z2 (i int)`, `CREATE TABLE z3 (i int)`}},
		{"state reset by hand", `CREATE TABLE y1 (i int); SELECT set_config('pg_tenantsdb.state', '', false); CREATE TABLE y2 (i int)`,
			[]string{`CREATE TABLE y1 (i int)`, `CREATE TABLE y2 (i int)`}},
		{"temporary and persistent dropped together", `CREATE TABLE q1 (i int); CREATE TEMP TABLE q2 (i int); CREATE TABLE q3 (i int); DROP TABLE q1, q2, q3 CASCADE`,
			[]string{`CREATE TABLE q1 (i int)`, `CREATE TABLE q3 (i int)`, `DROP TABLE public.q3, public.q1 CASCADE`}},
		{"temporary and persistent granted together", `CREATE TABLE g1 (i int); CREATE TEMP TABLE g2 (i int); GRANT SELECT ON g1, g2 TO PUBLIC`,
			[]string{`CREATE TABLE g1 (i int)`, `GRANT select ON g1 TO public`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := changes(t, e, target)
			s.run(test.run)
			wantStatements(t, changes(t, e, target)[len(before):], test.want...)
		})
	}
	wantReplay(t, e, target, changes(t, e, target))
}

func TestFailedAndRolledBackStatementsAreNotRecorded(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run("BEGIN; CREATE TABLE a (i int); ROLLBACK")
	s.fail("CREATE TABLE a (i int); SELECT 1 / 0")
	s.fail("CREATE TABLE a (i nonsense)")
	s.run("CREATE TABLE dup (i int); INSERT INTO dup VALUES (1), (1)")
	s.fail("CREATE UNIQUE INDEX CONCURRENTLY dup_i ON dup (i)")
	s.run("BEGIN; SAVEPOINT s")
	s.fail("CREATE TABLE dup (i int)")
	s.run("ROLLBACK TO s; CREATE TABLE b (i int); COMMIT")
	s.run("BEGIN; CREATE TABLE c (i int); PREPARE TRANSACTION 'later'")
	wantStatements(t, changes(t, e, target), "CREATE TABLE dup (i int)", "CREATE TABLE b (i int)")
	s.run("COMMIT PREPARED 'later'")
	wantStatements(t, changes(t, e, target), "CREATE TABLE dup (i int)", "CREATE TABLE b (i int)", "CREATE TABLE c (i int)")
}

func TestPreparedStatementExecutedTwiceIsRecordedTwice(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	const add = "ALTER TABLE a ADD COLUMN c int"
	s.run("CREATE TABLE a (i int)")
	for _, sql := range []string{add, "ALTER TABLE a DROP COLUMN c"} {
		if _, err := s.conn.Prepare(t.Context(), sql, sql); err != nil {
			t.Fatal(err)
		}
	}
	pipeline := &pgx.Batch{}
	for range 2 {
		pipeline.Queue(add)
		pipeline.Queue("ALTER TABLE a DROP COLUMN c")
	}
	if err := s.conn.SendBatch(t.Context(), pipeline).Close(); err != nil {
		t.Fatal(err)
	}
	got := changes(t, e, target)
	wantStatements(t, got, "CREATE TABLE a (i int)", add, "ALTER TABLE a DROP COLUMN c", add, "ALTER TABLE a DROP COLUMN c")
	if got[1].Unit != got[4].Unit || got[0].Unit == got[1].Unit {
		t.Error("units are not the transactions")
	}
	wantReplay(t, e, target, got)
}

func TestSettingsThatChangeTheMeaningGoWithTheStatement(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run("CREATE SCHEMA app; CREATE TABLE public.p (i int)")
	s.run(`SET search_path = app, public; SET check_function_bodies = off; SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Tokyo'`)
	s.run(`CREATE TABLE t (i int, at timestamptz DEFAULT '02/03/2024 10:00'::timestamptz)`)
	s.run(`CREATE FUNCTION broken() RETURNS int LANGUAGE sql AS 'SELECT nothing FROM nowhere'`)
	s.run(`ALTER TABLE p ADD COLUMN j int`)
	s.run(`BEGIN; SET LOCAL search_path = public; SET LOCAL standard_conforming_strings = off; CREATE TABLE u (t text DEFAULT 'a\nb'); COMMIT`)
	got := changes(t, e, target)
	for name, want := range map[string]string{"search_path": "app, public", "check_function_bodies": "off", "DateStyle": "SQL, DMY", "TimeZone": "Asia/Tokyo"} {
		if got[2].Session[name] != want {
			t.Errorf("%s: got %q, want %q", name, got[2].Session[name], want)
		}
	}
	if len(got[0].Session) != 0 {
		t.Errorf("session of a plain statement: %v", got[0].Session)
	}
	if got[2].Object != "app.t" || got[2].Reverse != "DROP TABLE IF EXISTS app.t;" || got[4].Object != "p" {
		t.Errorf("objects %q (%s), %q", got[2].Object, got[2].Reverse, got[4].Object)
	}
	wantReplay(t, e, target, got)
}
