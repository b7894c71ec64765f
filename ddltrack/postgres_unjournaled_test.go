package ddltrack

import (
	"fmt"
	"strings"
	"testing"
)

// manyParameters are more than format takes.
func manyParameters() string {
	var list []string
	for i := range maxParameters + 1 {
		list = append(list, fmt.Sprintf("$%d::int", i+1))
	}
	return strings.Join(list, ", ")
}

func TestUnjournaledStatementsAreRefused(t *testing.T) {
	for _, test := range []struct{ sql, reason string }{
		{"EXPLAIN ANALYZE CREATE TABLE a AS EXECUTE p($1)", noExplain},
		{"EXPLAIN ANALYZE CREATE TABLE a AS WITH d AS (DELETE FROM b RETURNING i) SELECT $1::int FROM d", noExplain},
		{"EXPLAIN ANALYZE CREATE TABLE a AS SELECT " + manyParameters(), noExplain},
		{"EXPLAIN ANALYZE CREATE TABLE a AS SELECT 1; ALTER ROLE w RENAME TO v", noRole},
		{"CLUSTER (VERBOSE, SOMETHING_NEW) a USING i", noCluster},
		{"ALTER USER CURRENT_USER PASSWORD 'x'", noRole},
		{"ALTER ROLE w SET search_path = a", noRole},
		{"ALTER ROLE w RENAME TO v", noRole},
		{"ALTER DATABASE w SET search_path = a", noDatabase},
		{"ALTER DATABASE w RENAME TO v", noDatabase},
		{"ALTER DATABASE w OWNER TO v", noDatabase},
		{"ALTER DATABASE w CONNECTION LIMIT 0", noDatabase},
		{"GRANT CONNECT ON DATABASE w TO PUBLIC", noGrant},
		{"REVOKE ALL ON DATABASE w FROM PUBLIC", noGrant},
		{`SELECT 'a\'; CLUSTER a USING i; --'`, noReading},
		{`SELECT '\'';CLUSTER a USING i; --'`, noReading},
		{`SELECT '\'';ALTER ROLE w RENAME TO v; --'`, noRole},
		{"EXPLAIN (ANALYZE, SOMETHING_NEW 1) CREATE NEWTABLE a AS SELECT 1", noExplain},
	} {
		if u, found := Unjournaled(test.sql); !found || u.Refusal != test.reason || u.Instead != "" {
			t.Errorf("%s: got %+v, %v", test.sql, u, found)
		}
	}
}

func TestUnjournaledStatementsAreReplaced(t *testing.T) {
	explain := func(statement, table, plan string) string {
		return "SELECT * FROM pg_catalog.tenantsdb_explain($tenantsdb$" + statement + "$tenantsdb$, $tenantsdb$" + table + "$tenantsdb$, NULL::pg_catalog." + plan + `) AS _ ("QUERY PLAN")`
	}
	cluster := func(table, index, verbose string) string {
		return "CALL pg_catalog.tenantsdb_cluster($tenantsdb$" + table + "$tenantsdb$, $tenantsdb$" + index + "$tenantsdb$, '" + verbose + "')"
	}
	const quotes = "EXPLAIN ANALYZE CREATE TABLE a AS SELECT $tenantsdb$x$tenantsdb$"
	for _, test := range []struct{ sql, instead string }{
		{"EXPLAIN ANALYZE CREATE TABLE a AS SELECT 1", explain("EXPLAIN ANALYZE CREATE TABLE a AS SELECT 1", "a", "text")},
		{"/* x */ explain (costs off, Analyze) SELECT 1 INTO s.\"A\"; ", "/* x */ " + explain("explain (costs off, Analyze) SELECT 1 INTO s.\"A\"", "A", "text") + "; "},
		{"EXPLAIN (ANALYZE on, FORMAT json) CREATE MATERIALIZED VIEW a AS SELECT 1", explain("EXPLAIN (ANALYZE on, FORMAT json) CREATE MATERIALIZED VIEW a AS SELECT 1", "a", "json")},
		{"EXPLAIN (ANALYZE 1, FORMAT XML) WITH x AS (SELECT 1) SELECT * INTO a FROM x UNION SELECT 2", explain("EXPLAIN (ANALYZE 1, FORMAT XML) WITH x AS (SELECT 1) SELECT * INTO a FROM x UNION SELECT 2", "a", "xml")},
		{"SELECT 1; -- y\nEXPLAIN ANALYZE CREATE TABLE a AS EXECUTE p", "SELECT 1; -- y\n" + explain("EXPLAIN ANALYZE CREATE TABLE a AS EXECUTE p", "a", "text")},
		{"/* CLUSTER a USING i */ CLUSTER a USING i", "/* CLUSTER a USING i */ " + cluster("a", "i", "")},
		{"CLUSTER VERBOSE \"I\" ON s.a", cluster("s.a", "I", "(VERBOSE)")},
		{"SELECT ';'; cluster (verbose off) \"A b\" using i; SELECT 2", "SELECT ';'; " + cluster(`"A b"`, "i", "") + "; SELECT 2"},
		{`SELECT '\n'; CLUSTER a USING i`, `SELECT '\n'; ` + cluster("a", "i", "")},
		{"EXPLAIN ANALYZE CREATE TABLE a AS SELECT $2 % $1, $2, '$1', $$ $1 $$", "WITH tenantsdb AS (SELECT $2 % $1, $2, '$1', ' $1 ') SELECT * FROM pg_catalog.tenantsdb_explain(pg_catalog.format(" +
			"$tenantsdb$EXPLAIN ANALYZE CREATE TABLE a AS SELECT (%1$L::%2$s) %% (%3$L::%4$s), (%1$L::%2$s), '$1', $$ $1 $$$tenantsdb$, $2, pg_catalog.format_type(pg_catalog.pg_typeof($2), -1), $1, pg_catalog.format_type(pg_catalog.pg_typeof($1), -1)), " +
			`$tenantsdb$a$tenantsdb$, NULL::pg_catalog.text) AS _ ("QUERY PLAN")`},
		{quotes, "SELECT * FROM pg_catalog.tenantsdb_explain($tenantsdb_$" + quotes + `$tenantsdb_$, $tenantsdb$a$tenantsdb$, NULL::pg_catalog.text) AS _ ("QUERY PLAN")`},
	} {
		if u, found := Unjournaled(test.sql); !found || u.Instead != test.instead || u.Refusal != "" {
			t.Errorf("%s: got\n%+v, %v, want\n%s", test.sql, u, found, test.instead)
		}
	}
}

func TestJournaledStatementsPass(t *testing.T) {
	for _, sql := range []string{
		"", "SELECT 1", "EXPLAIN CREATE TABLE a AS SELECT 1", "EXPLAIN ANALYZE SELECT 1", "EXPLAIN (ANALYZE off) CREATE TABLE a AS SELECT 1",
		"EXPLAIN ANALYZE INSERT INTO a SELECT 1", "CLUSTER", "CLUSTER a", "ALTER TABLE a CLUSTER ON i", "GRANT SELECT ON a TO PUBLIC",
		"EXPLAIN ANALYZE CREATE TEMP TABLE a AS SELECT 1", "EXPLAIN ANALYZE SELECT 1 INTO pg_temp.a", "ALTER USER MAPPING FOR w SERVER s OPTIONS (SET a 'b')", "SELECT 'EXPLAIN ANALYZE CREATE TABLE a AS SELECT 1'",
		"-- CLUSTER a USING i", "SELECT 1 /* ; CLUSTER a USING i */", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO w",
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1; CLUSTER a USING i'",
	} {
		if u, found := Unjournaled(sql); found {
			t.Errorf("%s: found, %+v", sql, u)
		}
	}
}

const typicalSelect = "SELECT abalance, bbalance FROM pgbench_accounts a JOIN pgbench_branches b USING (bid) WHERE aid = $1 AND name = 'x;y'"

func TestUnjournaledCostsNoAllocation(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Unjournaled(typicalSelect) }); n != 0 {
		t.Errorf("%v allocations for a SELECT", n)
	}
}

func BenchmarkUnjournaledSelect(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Unjournaled(typicalSelect)
	}
}
