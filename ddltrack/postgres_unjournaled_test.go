package ddltrack

import "testing"

func TestUnjournaledStatementsAreFound(t *testing.T) {
	for _, test := range []struct{ sql, reason string }{
		{"EXPLAIN ANALYZE CREATE TABLE a AS SELECT 1", noExplain},
		{"/* x */ explain (costs off, Analyze) SELECT 1 INTO a", noExplain},
		{"EXPLAIN (ANALYZE on) CREATE MATERIALIZED VIEW a AS SELECT 1", noExplain},
		{"EXPLAIN (ANALYZE 1) WITH x AS (SELECT 1) SELECT * INTO a FROM x UNION SELECT 2", noExplain},
		{"SELECT 1; -- y\nEXPLAIN ANALYZE CREATE TABLE a AS EXECUTE p", noExplain},
		{"CLUSTER a USING i", noCluster},
		{"CLUSTER VERBOSE i ON a", noCluster},
		{"SELECT ';'; cluster a using i", noCluster},
		{"ALTER USER CURRENT_USER PASSWORD 'x'", noRole},
		{"ALTER ROLE w SET search_path = a", noRole},
		{"ALTER ROLE w RENAME TO v", noRole},
		{"ALTER DATABASE w SET search_path = a", noDatabase},
		{"ALTER DATABASE w RENAME TO v", noDatabase},
		{"ALTER DATABASE w OWNER TO v", noDatabase},
		{"ALTER DATABASE w CONNECTION LIMIT 0", noDatabase},
		{"GRANT CONNECT ON DATABASE w TO PUBLIC", noGrant},
		{"REVOKE ALL ON DATABASE w FROM PUBLIC", noGrant},
		{`SELECT 'a\'; CLUSTER a USING i; --'`, noCluster},
		{`SELECT '\'';CLUSTER a USING i; --'`, noCluster},
		{"EXPLAIN (ANALYZE, SOMETHING_NEW 1) CREATE NEWTABLE a AS SELECT 1", noExplain},
	} {
		if reason, found := Unjournaled(test.sql); !found || reason != test.reason {
			t.Errorf("%s: got %q, %v", test.sql, reason, found)
		}
	}
	for _, sql := range []string{
		"", "SELECT 1", "EXPLAIN CREATE TABLE a AS SELECT 1", "EXPLAIN ANALYZE SELECT 1", "EXPLAIN (ANALYZE off) CREATE TABLE a AS SELECT 1",
		"EXPLAIN ANALYZE INSERT INTO a SELECT 1", "CLUSTER", "CLUSTER a", "ALTER TABLE a CLUSTER ON i", "GRANT SELECT ON a TO PUBLIC",
		"ALTER USER MAPPING FOR w SERVER s OPTIONS (SET a 'b')", "SELECT 'EXPLAIN ANALYZE CREATE TABLE a AS SELECT 1'",
		"-- CLUSTER a USING i", "SELECT 1 /* ; CLUSTER a USING i */", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO w",
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1; CLUSTER a USING i'",
	} {
		if reason, found := Unjournaled(sql); found {
			t.Errorf("%s: refused, %q", sql, reason)
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
