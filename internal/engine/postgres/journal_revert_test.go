package postgres

import (
	"errors"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Each reverse must bring back the dump that was there before.
func TestReverseIsExact(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run(`CREATE SCHEMA app; CREATE TABLE base (id int PRIMARY KEY, "B c" text, other int);
		CREATE TABLE app.far (id int); CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
		CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN dom AS int CONSTRAINT pos CHECK (VALUE > 0); CREATE TYPE comp AS (x int); CREATE TABLE parent (d date) PARTITION BY RANGE (d);
		CREATE VIEW seen AS SELECT id FROM base; CREATE SEQUENCE seq; CREATE INDEX idx ON base (other);
		CREATE PROCEDURE proc(int) LANGUAGE sql AS 'SELECT 1'; CREATE POLICY pol ON base; CREATE TRIGGER trg BEFORE INSERT ON base FOR EACH ROW EXECUTE FUNCTION tf();
		CREATE RULE rul AS ON DELETE TO base DO ALSO NOTHING; ALTER TABLE base ADD CONSTRAINT con CHECK (id > 0);
		CREATE FUNCTION replaced() RETURNS int LANGUAGE sql AS 'SELECT 1'`)
	taken(t, e, target)
	tests := []struct{ run, reverse string }{
		{`CREATE TABLE users (id serial PRIMARY KEY, m mood UNIQUE)`, `DROP TABLE IF EXISTS users;`},
		{`CREATE TABLE "Odd ""name" (id int)`, `DROP TABLE IF EXISTS "Odd ""name";`},
		{`CREATE TABLE app.users (id int)`, `DROP TABLE IF EXISTS app.users;`},
		{`CREATE TABLE made AS SELECT 1 AS a`, `DROP TABLE IF EXISTS made;`},
		{`CREATE TABLE part PARTITION OF parent FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')`, `DROP TABLE IF EXISTS part;`},
		{`CREATE INDEX ON base (other, id)`, `DROP INDEX IF EXISTS base_other_id_idx;`},
		{`CREATE INDEX CONCURRENTLY i2 ON app.far (id)`, `DROP INDEX IF EXISTS app.i2;`},
		{`ALTER TABLE base ADD COLUMN n1 int`, `ALTER TABLE base DROP COLUMN IF EXISTS n1;`},
		{`ALTER TABLE base ADD COLUMN "N 2" serial UNIQUE, ADD n3 mood REFERENCES nothing`, ``},
		{`ALTER TABLE base ADD COLUMN "N 2" serial UNIQUE, ADD n3 int REFERENCES base`, `ALTER TABLE base DROP COLUMN IF EXISTS "N 2", DROP COLUMN IF EXISTS n3;`},
		{`ALTER TABLE base ADD COLUMN IF NOT EXISTS n4 int`, `ALTER TABLE base DROP COLUMN IF EXISTS n4;`},
		{`ALTER TABLE app.far ADD CONSTRAINT fk FOREIGN KEY (id) REFERENCES base, ADD COLUMN c int`, `ALTER TABLE app.far DROP COLUMN IF EXISTS c, DROP CONSTRAINT IF EXISTS fk;`},
		{`ALTER TABLE base ADD CONSTRAINT uniq UNIQUE (other)`, `ALTER TABLE base DROP CONSTRAINT IF EXISTS uniq;`},
		{`CREATE VIEW v AS SELECT * FROM base`, `DROP VIEW IF EXISTS v;`},
		{`CREATE OR REPLACE VIEW v AS SELECT * FROM base`, `DROP VIEW IF EXISTS v;`},
		{`CREATE MATERIALIZED VIEW mv AS SELECT * FROM base`, `DROP MATERIALIZED VIEW IF EXISTS mv;`},
		{`CREATE SEQUENCE app.sq`, `DROP SEQUENCE IF EXISTS app.sq;`},
		{`CREATE TYPE t1 AS (a int)`, `DROP TYPE IF EXISTS t1;`},
		{`CREATE TYPE "T 2" AS ENUM ('x')`, `DROP TYPE IF EXISTS "T 2";`},
		{`CREATE TYPE t3 AS RANGE (subtype = int)`, `DROP TYPE IF EXISTS t3;`},
		{`CREATE DOMAIN d2 AS text`, `DROP DOMAIN IF EXISTS d2;`},
		{`CREATE SCHEMA s2`, `DROP SCHEMA IF EXISTS s2;`},
		{`CREATE FUNCTION f(a int, VARIADIC b mood[]) RETURNS int LANGUAGE sql AS 'SELECT 1'`, `DROP FUNCTION IF EXISTS f(integer,public.mood[]);`},
		{`CREATE OR REPLACE FUNCTION f2() RETURNS int LANGUAGE sql AS 'SELECT 1'`, `DROP FUNCTION IF EXISTS f2();`},
		{`CREATE FUNCTION f3(IN a int, OUT b int) LANGUAGE sql AS 'SELECT 1'`, `DROP FUNCTION IF EXISTS f3(integer);`},
		{`CREATE PROCEDURE p(IN a int, OUT b int) LANGUAGE sql AS 'SELECT 1'`, `DROP PROCEDURE IF EXISTS p(integer);`},
		{`CREATE AGGREGATE a1(*) (sfunc = int8inc, stype = int8, initcond = '0')`, `DROP ROUTINE IF EXISTS a1();`},
		{`CREATE AGGREGATE a2(float8 ORDER BY anyelement) (sfunc = no_such_function, stype = int8)`, ``},
		{`CREATE TRIGGER t2 AFTER UPDATE ON app.far FOR EACH ROW EXECUTE FUNCTION tf()`, `DROP TRIGGER IF EXISTS t2 ON app.far;`},
		{`CREATE POLICY "P 2" ON base`, `DROP POLICY IF EXISTS "P 2" ON base;`},
		{`CREATE RULE r2 AS ON UPDATE TO base DO ALSO NOTHING`, `DROP RULE IF EXISTS r2 ON base;`},
		{`CREATE EXTENSION "uuid-ossp"`, `DROP EXTENSION IF EXISTS "uuid-ossp";`},
		{`CREATE STATISTICS st ON id, other FROM base`, `DROP STATISTICS IF EXISTS st;`},
		{`CREATE COLLATION coll FROM "C"`, `DROP COLLATION IF EXISTS coll;`},
		{`CREATE CAST (mood AS int) WITH INOUT`, `DROP CAST IF EXISTS (public.mood AS integer);`},
		{`CREATE TEXT SEARCH DICTIONARY di (template = simple)`, `DROP TEXT SEARCH DICTIONARY IF EXISTS di;`},
		{`CREATE TEXT SEARCH CONFIGURATION co (copy = english)`, `DROP TEXT SEARCH CONFIGURATION IF EXISTS co;`},
		{`ALTER TABLE base RENAME TO renamed`, `ALTER TABLE renamed RENAME TO base;`},
		{`ALTER TABLE base RENAME COLUMN "B c" TO c2`, `ALTER TABLE base RENAME COLUMN c2 TO "B c";`},
		{`ALTER VIEW seen RENAME COLUMN id TO identity`, `ALTER VIEW seen RENAME COLUMN identity TO id;`},
		{`ALTER TABLE base RENAME CONSTRAINT con TO con2`, `ALTER TABLE base RENAME CONSTRAINT con2 TO con;`},
		{`ALTER INDEX idx RENAME TO "I"`, `ALTER INDEX "I" RENAME TO idx;`},
		{`ALTER VIEW seen RENAME TO sees`, `ALTER VIEW sees RENAME TO seen;`},
		{`ALTER SEQUENCE seq RENAME TO seq2`, `ALTER SEQUENCE seq2 RENAME TO seq;`},
		{`ALTER TYPE mood RENAME TO feel`, `ALTER TYPE feel RENAME TO mood;`},
		{`ALTER TYPE mood RENAME VALUE 'a' TO 'it''s'`, `ALTER TYPE mood RENAME VALUE 'it''s' TO 'a';`},
		{`ALTER DOMAIN dom RENAME TO dom2`, `ALTER DOMAIN dom2 RENAME TO dom;`},
		{`ALTER DOMAIN dom RENAME CONSTRAINT pos TO positive`, `ALTER DOMAIN dom RENAME CONSTRAINT positive TO pos;`},
		{`ALTER TYPE comp RENAME ATTRIBUTE x TO y`, `ALTER TYPE comp RENAME ATTRIBUTE y TO x;`},
		{`ALTER FUNCTION tf() RENAME TO tf2`, `ALTER FUNCTION tf2() RENAME TO tf;`},
		{`ALTER PROCEDURE proc(int) RENAME TO proc2`, `ALTER PROCEDURE proc2(integer) RENAME TO proc;`},
		{`ALTER TRIGGER trg ON base RENAME TO trg2`, `ALTER TRIGGER trg2 ON base RENAME TO trg;`},
		{`ALTER POLICY pol ON base RENAME TO pol2`, `ALTER POLICY pol2 ON base RENAME TO pol;`},
		{`ALTER RULE rul ON base RENAME TO rul2`, `ALTER RULE rul2 ON base RENAME TO rul;`},
		{`ALTER SCHEMA app RENAME TO app2`, `ALTER SCHEMA app2 RENAME TO app;`},
	}
	for _, test := range tests {
		t.Run(test.run, func(t *testing.T) {
			before := dump(t, target)
			if test.reverse == "" {
				s.fail(test.run)
				return
			}
			s.run(test.run)
			got := taken(t, e, target)
			if len(got) != 1 || got[0].Reverse != test.reverse {
				t.Errorf("got %+v, want reverse %s", got, test.reverse)
			}
			entry := workspace.Entry{ID: 42, Change: got[0]}
			if err := e.Revert(t.Context(), target, entry); err != nil {
				t.Fatal(err)
			}
			if after := dump(t, target); after != before {
				t.Errorf("the reverse leaves a difference:\n%s\n%s", before, after)
			}
			noted := taken(t, e, target)
			if len(noted) != 1 || noted[0].Reverts != 42 {
				t.Errorf("journal after the revert: %+v", noted)
			}
		})
	}
}

func TestStatementsWithoutExactReverseSayWhy(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run(`CREATE TABLE base (id int, c text); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
		CREATE VIEW v AS SELECT 1 AS a; CREATE INDEX i ON base (id); CREATE UNIQUE INDEX u ON base (id)`)
	taken(t, e, target)
	for _, statement := range []string{
		`CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'`,
		`CREATE OR REPLACE VIEW v AS SELECT 2 AS a`,
		`ALTER TABLE base ADD COLUMN IF NOT EXISTS c text, ADD COLUMN IF NOT EXISTS d text`,
		`ALTER TABLE base ADD COLUMN e int, ALTER COLUMN c SET NOT NULL`,
		`ALTER TABLE base ADD CHECK (id > 0)`,
		`ALTER TABLE base ADD CONSTRAINT ui UNIQUE USING INDEX u`,
		`ALTER TABLE base ADD CONSTRAINT pk PRIMARY KEY (id)`,
		`CREATE SCHEMA s CREATE TABLE t (i int)`,
		`CREATE OPERATOR === (leftarg = int, rightarg = int, function = int4eq)`,
		`COMMENT ON TABLE base IS 'x'`,
		`GRANT SELECT ON base TO PUBLIC`,
		`DROP INDEX i`,
		`DROP VIEW v`,
	} {
		s.run(statement)
		got := taken(t, e, target)
		if len(got) != 1 || got[0].Reversible || got[0].Reverse != "" || got[0].WhyNot == "" {
			t.Errorf("%s: %+v", statement, got)
			continue
		}
		err := e.Revert(t.Context(), target, workspace.Entry{ID: 7, Change: got[0]})
		if workspace.ErrorCode(err) != workspace.Conflict || !strings.Contains(err.Error(), got[0].WhyNot) {
			t.Errorf("%s: revert gives %v", statement, err)
		}
	}
}

func TestRevertIsRefusedWhereItCannotBeExact(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run("CREATE TABLE a (i int)")
	entry := workspace.Entry{ID: 1, Change: taken(t, e, target)[0]}
	s.run("CREATE VIEW v AS SELECT * FROM a")
	taken(t, e, target)

	err := e.Revert(t.Context(), target, entry)
	conflict, ok := errors.AsType[*workspace.Error](err)
	if !ok || conflict.Code != workspace.Conflict || conflict.Details["sqlstate"] != "2BP01" || !strings.Contains(conflict.Message, "view v depends on table a") {
		t.Errorf("with a dependent view: %v", err)
	}

	s.run("DROP VIEW v; ALTER TABLE a RENAME TO b")
	taken(t, e, target)
	if err := e.Revert(t.Context(), target, entry); workspace.ErrorCode(err) != workspace.Conflict {
		t.Errorf("of an object that has another name: %v", err)
	}
	if got := changes(t, e, target); len(got) != 0 {
		t.Errorf("a refused revert left %+v", got)
	}
}

func TestLaterChangesNameWhatTheyStandOn(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	tests := []struct{ first, later string }{
		{"CREATE TABLE a (i int)", "CREATE VIEW av AS SELECT * FROM a"},
		{"ALTER TABLE a ADD COLUMN c int", "CREATE INDEX a_c ON a (c)"},
		{"ALTER TABLE a ADD COLUMN d int", "ALTER TABLE a ALTER COLUMN d SET DEFAULT 3"},
		{"CREATE INDEX a_d ON a (d)", "ALTER INDEX a_d RENAME TO a_dd"},
		{"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'", "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()"},
		{"CREATE TRIGGER t2 BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()", "ALTER TRIGGER t2 ON a RENAME TO t3"},
		{"CREATE SCHEMA s", "CREATE TABLE s.t (i int)"},
		{"CREATE TYPE m AS ENUM ('a')", "CREATE TABLE uses (m m)"},
		{"CREATE TABLE p (i int PRIMARY KEY)", "CREATE TABLE q (i int REFERENCES p)"},
		{"CREATE SCHEMA s2", "ALTER SCHEMA s2 RENAME TO s3"},
		{"CREATE COLLATION c1 FROM \"C\"", "ALTER COLLATION c1 RENAME TO c2"},
		{"CREATE UNIQUE INDEX p_i ON p (i)", "ALTER TABLE p REPLICA IDENTITY USING INDEX p_i"},
		{"CREATE UNIQUE INDEX p_i2 ON p (i)", "ALTER TABLE public.p CLUSTER ON p_i2"},
		{"CREATE UNIQUE INDEX p_i3 ON p (i)", "ALTER TABLE p ADD UNIQUE USING INDEX p_i3"},
		{"CREATE TABLE owner (i int)", "CREATE SEQUENCE owned OWNED BY owner.i"},
		{"ALTER TABLE owner ADD j int", "ALTER SEQUENCE owned OWNED BY public.owner.j"},
		{"ALTER TABLE a ADD e int", "CREATE STATISTICS a_e ON d, e FROM a"},
		{"ALTER TABLE a ADD g int", "GRANT SELECT (g) ON a TO PUBLIC"},
		{"ALTER TABLE q ADD CONSTRAINT q1 FOREIGN KEY (i) REFERENCES p", "ALTER TABLE q ALTER CONSTRAINT q1 DEFERRABLE"},
		{"ALTER TABLE q RENAME i TO k", "CREATE VIEW joined AS SELECT 1 AS one FROM q JOIN q r USING (k)"},
		{"ALTER TABLE a ADD h int", "CREATE RULE r AS ON DELETE TO q DO ALSO INSERT INTO a (h) VALUES (1)"},
		{"ALTER TABLE a ADD k int", "CREATE RULE r2 AS ON DELETE TO q DO ALSO UPDATE a SET k = 1"},
		{"ALTER TABLE a ADD l int", "CREATE TABLE parted (LIKE a) PARTITION BY LIST (l)"},
		{"CREATE TABLE read (i int)", "CREATE FUNCTION reads() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM read'"},
		{"ALTER TABLE read ADD j int", "CREATE FUNCTION reads2() RETURNS SETOF int LANGUAGE sql AS 'SELECT j FROM read'"},
		{"CREATE FUNCTION called() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE FUNCTION calls() RETURNS int LANGUAGE sql AS 'SELECT called()'"},
		{"CREATE TABLE s.u (i int)", "CREATE FUNCTION sets() RETURNS bigint LANGUAGE sql SET search_path = s AS 'SELECT count(*) FROM u'"},
		{"ALTER TABLE read ADD k int", "CREATE FUNCTION typed(read.k%TYPE) RETURNS int LANGUAGE sql AS 'SELECT 1'"},
		{"ALTER TABLE read ADD l int", `CREATE FUNCTION block() RETURNS int LANGUAGE plpgsql AS 'DECLARE v public."read".l%TYPE; BEGIN RETURN 1; END'`},
		{"CREATE TYPE declared AS (i int)", "CREATE PROCEDURE block2() LANGUAGE plpgsql AS 'DECLARE v declared; BEGIN END'"},
	}
	for _, test := range tests {
		s.run(test.first)
		s.run(test.later)
		got := taken(t, e, target)
		found := false
		for _, r := range got[1].References {
			found = found || r == got[0].Identity || strings.HasPrefix(r, got[0].Identity+".")
		}
		if !found {
			t.Errorf("%s: references %v, not %s", test.later, got[1].References, got[0].Identity)
		}
	}
}
