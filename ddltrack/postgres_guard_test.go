package ddltrack

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func newGuard() *SchemaGuard { return &SchemaGuard{Refusal: "no"} }

func TestGuardRefusesChangesOfThePersistentSchema(t *testing.T) {
	for _, sql := range []string{
		"CREATE TABLE a (i int)", "create unlogged table a (i int)", "/* x */ CREATE TABLE a AS SELECT 1", "SELECT 1 AS a INTO b", "WITH x AS (SELECT 1) SELECT * INTO y FROM x",
		"(SELECT 1 AS a INTO b)", "SELECT 1; SELECT 2 INTO b", "TABLE a; CREATE VIEW v AS SELECT 1", "CREATE MATERIALIZED VIEW m AS SELECT 1",
		"EXPLAIN ANALYZE CREATE TABLE a AS SELECT 1", "EXPLAIN (ANALYZE) SELECT 1 INTO b", "CLUSTER a USING i",
		"ALTER TABLE a ADD b int", "ALTER TABLE public.a RENAME TO b", "ALTER INDEX a RENAME TO b", "DROP TABLE a", "DROP TABLE IF EXISTS public.a", "DROP TABLE a, pg_temp.b",
		"CREATE INDEX ON a (b)", "CREATE UNIQUE INDEX CONCURRENTLY i ON a (b)", "DROP INDEX CONCURRENTLY IF EXISTS i", "CREATE SEQUENCE s", "ALTER SEQUENCE s RESTART",
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE OR REPLACE PROCEDURE p() LANGUAGE sql AS ''", "ALTER FUNCTION f STABLE", "DROP ROUTINE f",
		"CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()", "DROP TRIGGER t ON a", "CREATE RULE r AS ON INSERT TO a DO NOTHING",
		"CREATE POLICY p ON a", "CREATE TYPE e AS ENUM ('a')", "ALTER TYPE e ADD VALUE 'b'", "CREATE DOMAIN d AS int", "CREATE SCHEMA s", "DROP SCHEMA IF EXISTS s CASCADE",
		"CREATE EXTENSION hstore", "CREATE STATISTICS s ON a, b FROM c", "CREATE CAST (int AS text) WITHOUT FUNCTION", "CREATE AGGREGATE g (int) (SFUNC = f, STYPE = int)",
		"GRANT SELECT ON a TO PUBLIC", "REVOKE ALL ON SCHEMA public FROM PUBLIC", "GRANT a TO b", "COMMENT ON TABLE a IS 'x'", "COMMENT ON COLUMN a.b IS 'x'",
		"SECURITY LABEL ON TABLE a IS 'x'", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", "DROP OWNED BY CURRENT_USER", "REASSIGN OWNED BY a TO b",
		"IMPORT FOREIGN SCHEMA s FROM SERVER x INTO public", "ALTER ROLE a PASSWORD 'x'", "ALTER DATABASE a SET work_mem = '1MB'", "CREATE ROLE a", "CREATE DATABASE a",
		"BEGIN; INSERT INTO a VALUES (1); DROP TABLE a; COMMIT", "CREATE NEWTHING a", "CREATE VIEW v AS SELECT * FROM pg_temp.a",
	} {
		if instead, refused := newGuard().Judge(sql); !refused || instead != "" {
			t.Errorf("%s: got %v, %q", sql, refused, instead)
		}
	}
}

func TestGuardLetsOtherStatementsPass(t *testing.T) {
	for _, sql := range []string{
		"", ";", "SELECT 1", "SELECT 'CREATE TABLE a'", "SELECT into_stock FROM a", "INSERT INTO a SELECT 1", "WITH x AS (SELECT 1) INSERT INTO a SELECT * FROM x",
		"UPDATE a SET b = 1; DELETE FROM a", "TRUNCATE a", "REFRESH MATERIALIZED VIEW m", "VACUUM a", "ANALYZE", "REINDEX TABLE a", "LISTEN c", "NOTIFY c", "LOCK TABLE a",
		"COPY a FROM STDIN", "DO 'BEGIN END'", "CALL p()", "SET search_path = a", "RESET ALL", "DISCARD ALL", "BEGIN", "COMMIT", "SAVEPOINT s", "PREPARE p AS SELECT 1",
		"EXECUTE p", "DECLARE c CURSOR FOR SELECT 1", "EXPLAIN SELECT 1", "EXPLAIN CREATE TABLE a AS SELECT 1", "EXPLAIN ANALYZE INSERT INTO a VALUES (1)", "CLUSTER", "CLUSTER a",
		"-- CREATE TABLE a (i int)", "SELECT 1 /* ; CREATE TABLE a (i int) */", "SELECT '; CREATE TABLE a (i int)'", `INSERT INTO a VALUES ('C:\', '; DROP TABLE a')`,
		"CREATE TEMP TABLE a (i int)", "CREATE TEMPORARY TABLE a AS SELECT 1", "CREATE LOCAL TEMP TABLE a (i int)", "CREATE TABLE pg_temp.a (i int)", "SELECT 1 AS a INTO TEMP b",
		"SELECT 1 AS a INTO pg_temp.b", "CREATE TEMP VIEW v AS SELECT 1", "CREATE TEMP SEQUENCE s", "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"DROP FUNCTION pg_temp.f", "CREATE TYPE pg_temp.e AS ENUM ('a')", "CREATE DOMAIN pg_temp.d AS int", "CREATE TYPE pg_temp.c AS (i int)", "DROP TYPE pg_temp.c", "EXPLAIN ANALYZE CREATE TEMP TABLE a AS SELECT 1",
		"CREATE TEMP TABLE a (i int); CREATE INDEX x ON a (i); ALTER TABLE a ADD b int; ALTER TABLE a RENAME b TO c; COMMENT ON COLUMN a.c IS 'x'; DROP INDEX x; DROP TABLE a",
		"CREATE TEMP TABLE a (i int); ALTER TABLE a RENAME TO b; CREATE TRIGGER t BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION f(); GRANT SELECT ON b TO PUBLIC; DROP TRIGGER t ON b; CLUSTER b USING i",
		"CREATE TEMP TABLE a (i int, j int); CREATE STATISTICS s ON i, j FROM a; DROP STATISTICS s; CREATE POLICY p ON a; ALTER SEQUENCE pg_temp.s RESTART",
		"ALTER LARGE OBJECT 7 OWNER TO a", "COMMENT ON LARGE OBJECT 7 IS 'x'", "GRANT SELECT ON LARGE OBJECT 7 TO PUBLIC", "ALTER SYSTEM SET work_mem = '1MB'", "CREATE TEMP NEWTHING a",
	} {
		if instead, refused := newGuard().Judge(sql); refused || instead != "" {
			t.Errorf("%s: got %v, %q", sql, refused, instead)
		}
	}
}

// A name is a temporary relation's from the message on that made one.
func TestGuardKeepsTheNamesOfTemporaryRelations(t *testing.T) {
	g := newGuard()
	if _, refused := g.Judge("DROP TABLE a"); !refused {
		t.Error("a name that nobody made passed")
	}
	g.Judge("CREATE TEMP TABLE a (i int)")
	for _, sql := range []string{"CREATE INDEX ON a (i)", "DROP TABLE a", "DROP TABLE IF EXISTS a"} {
		if instead, refused := g.Judge(sql); refused || instead != "" {
			t.Errorf("%s: got %v, %q", sql, refused, instead)
		}
	}
	for _, sql := range []string{"DROP TABLE a, b", "DROP TABLE public.a", "DROP FUNCTION a", "CREATE TABLE a (i int)"} {
		if _, refused := g.Judge(sql); !refused {
			t.Errorf("%s passed", sql)
		}
	}
	for i := range maxTemporary {
		g.Judge(fmt.Sprintf("CREATE TEMP TABLE t%d (i int)", i))
	}
	if len(g.temporary) > maxTemporary {
		t.Errorf("%d names are kept", len(g.temporary))
	}
	// What can't be kept is left to the role's privileges.
	if _, refused := g.Judge("DROP TABLE whatever"); refused {
		t.Error("a name that may be a temporary relation's was refused")
	}
}

func TestGuardHasTheServerLookBeforeADropThatMayFindNothing(t *testing.T) {
	instead, refused := newGuard().Judge(`SELECT 1; DROP TABLE IF EXISTS "A b", c CASCADE; CREATE TEMP TABLE c (i int)`)
	if refused || !strings.HasPrefix(instead, "SELECT 1; DO $tenantsdb_$BEGIN IF EXISTS (") || !strings.HasSuffix(instead, "END$tenantsdb_$; CREATE TEMP TABLE c (i int)") ||
		!strings.Contains(instead, `to_regclass($tenantsdb$"A b"$tenantsdb$), pg_catalog.to_regclass($tenantsdb$c$tenantsdb$)`) ||
		!strings.Contains(instead, `EXECUTE $tenantsdb$DROP TABLE IF EXISTS "A b", c CASCADE$tenantsdb$; RAISE INFO USING MESSAGE = 'DROP TABLE', ERRCODE = 'TDB04'`) {
		t.Errorf("got %v, %s", refused, instead)
	}
}

func TestGuardCostsNoAllocation(t *testing.T) {
	g := newGuard()
	for _, sql := range []string{typicalSelect, "INSERT INTO a VALUES ('x;y', $1)", "UPDATE a SET b = $1"} {
		if n := testing.AllocsPerRun(100, func() { g.Judge(sql) }); n != 0 {
			t.Errorf("%v allocations for %s", n, sql)
		}
	}
}

func BenchmarkGuardSelect(b *testing.B) {
	b.ReportAllocs()
	g := newGuard()
	for b.Loop() {
		g.Judge(typicalSelect)
	}
}

// What the server reports as a change of the schema is refused, replaced, or
// about what may be temporary or data; and the cheap look misses nothing.
func FuzzGuard(f *testing.F) {
	seeds(f)
	f.Add("DROP TABLE IF EXISTS a; CREATE TEMP TABLE a (i int)")
	f.Fuzz(func(t *testing.T, sql string) {
		if !utf8.ValidString(sql) || strings.ContainsRune(sql, 0) {
			return
		}
		instead, refused := newGuard().Judge(sql)
		if refused && instead != "" {
			t.Fatalf("refused, and %q", instead)
		}
		if refused || instead != "" {
			return
		}
		g := newGuard()
		for _, s := range Split(sql, true) {
			if replacement, refused := g.statement(s); refused || replacement != "" {
				t.Fatalf("%q passed", s.Text)
			}
		}
	})
}

func TestOutsideTransaction(t *testing.T) {
	for _, test := range []struct {
		sql  string
		want Outside
	}{
		{`CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY s."T x" (a)`, Outside{CreatesIndex, `s."T x"`}},
		{"/* x */ create index concurrently on t (lower(a))", Outside{CreatesIndex, "t"}},
		{"DROP INDEX CONCURRENTLY IF EXISTS s.i", Outside{DropsIndex, "s.i"}},
		{"ALTER TABLE a.p DETACH PARTITION b.c CONCURRENTLY", Outside{DetachesPartition, "b.c"}},
	} {
		if got, alone := OutsideTransaction(test.sql, true); !alone || got != test.want {
			t.Errorf("%s: got %+v, %v, want %+v", test.sql, got, alone, test.want)
		}
	}
	for _, sql := range []string{"CREATE INDEX ON t (a)", "DROP INDEX i, j", "DROP TABLE t", "ALTER TABLE p DETACH PARTITION c", "ALTER TABLE p DETACH PARTITION c FINALIZE",
		"ALTER TABLE p ATTACH PARTITION c DEFAULT", "ALTER TYPE e ADD VALUE 'x'", "REFRESH MATERIALIZED VIEW CONCURRENTLY m", "not SQL", ""} {
		if got, alone := OutsideTransaction(sql, true); alone {
			t.Errorf("%s: got %+v", sql, got)
		}
	}
}
