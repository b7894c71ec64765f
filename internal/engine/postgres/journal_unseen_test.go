package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// unseen is statements that the server tells no event trigger of, each with
// what is recorded.
var unseen = []struct {
	statement string
	want      []string
}{
	{`EXPLAIN ANALYZE CREATE TABLE made AS SELECT id, name FROM users`, []string{`CREATE TABLE public.made (id integer, name character varying(20) COLLATE pg_catalog."C")`}},
	{`EXPLAIN (ANALYZE, COSTS off, FORMAT json) SELECT 1 AS a INTO app."Made Two"`, []string{`CREATE TABLE app."Made Two" (a integer)`}},
	{`EXPLAIN (ANALYZE, FORMAT xml) CREATE UNLOGGED TABLE made3 (x) WITH (fillfactor = 70) AS SELECT now() WITH NO DATA`, []string{`CREATE UNLOGGED TABLE public.made3 (x timestamp with time zone) WITH (fillfactor = '70')`}},
	{`EXPLAIN (ANALYZE, FORMAT yaml) CREATE MATERIALIZED VIEW seen (a, "B") WITH (fillfactor = 90) AS SELECT id, name FROM users`,
		[]string{"CREATE MATERIALIZED VIEW public.seen WITH (fillfactor = '90') AS  SELECT id AS a,\n    name AS \"B\"\n   FROM public.users"}},
	{`EXPLAIN ANALYZE CREATE TABLE IF NOT EXISTS made AS SELECT 1`, nil},
	{`EXPLAIN ANALYZE CREATE TABLE chosen AS EXECUTE choice`, []string{`CREATE TABLE public.chosen (n integer)`}},
	{`EXPLAIN ANALYZE CREATE TEMP TABLE made AS SELECT 1`, nil},
	{`EXPLAIN ANALYZE CREATE TABLE app.made AS SELECT made_inside() AS x`, []string{`CREATE TABLE inside (i int)`, `CREATE TABLE app.made (x integer)`}},
	{`CLUSTER users USING users_name`, []string{`ALTER TABLE users CLUSTER ON users_name`}},
	{`CLUSTER (VERBOSE) public.users USING users_name`, nil},
	{`CLUSTER VERBOSE users_pkey ON users`, []string{`ALTER TABLE users CLUSTER ON users_pkey`}},
	{`CLUSTER seen USING "Seen"`, []string{`ALTER TABLE seen CLUSTER ON "Seen"`}},
	{`CLUSTER measures USING measures_at`, []string{`ALTER TABLE public.measures_1 CLUSTER ON measures_1_at_idx`, `ALTER TABLE public.measures_2 CLUSTER ON measures_2_at_idx`}},
	{`CREATE TABLE beside (i int); EXPLAIN ANALYZE SELECT 1 AS a INTO behind; DROP TABLE beside`,
		[]string{`CREATE TABLE beside (i int)`, `CREATE TABLE public.behind (a integer)`, `DROP TABLE beside`}},
	{`BEGIN; CREATE TABLE twice (i int); ALTER TABLE twice RENAME TO once; EXPLAIN ANALYZE CREATE TABLE twice AS SELECT 2 AS b; COMMIT`,
		[]string{`CREATE TABLE twice (i int)`, `ALTER TABLE twice RENAME TO once`, `CREATE TABLE public.twice (b integer)`}},
	{`BEGIN; SAVEPOINT s; EXPLAIN ANALYZE CREATE TABLE undone AS SELECT 1; ROLLBACK TO s; EXPLAIN ANALYZE CREATE TABLE done AS SELECT 1 AS a; COMMIT`,
		[]string{`CREATE TABLE public.done (a integer)`}},
	{`BEGIN; EXPLAIN ANALYZE CREATE TABLE undone AS SELECT 1; CLUSTER users USING users_name; ROLLBACK`, nil},
}

// instead is a statement as the proxy lets it run.
func instead(t *testing.T, statement string) string {
	t.Helper()
	u, found := ddltrack.Unjournaled(statement)
	if !found {
		return statement
	}
	if u.Instead == "" {
		t.Fatalf("%s: %s", statement, u.Refusal)
	}
	return u.Instead
}

const unseenSetup = `CREATE SCHEMA app; CREATE TABLE users (id int PRIMARY KEY, name varchar(20) COLLATE "C"); INSERT INTO users VALUES (1, 'x');
	CREATE INDEX users_name ON users (name); PREPARE choice AS SELECT 1 AS n;
	CREATE FUNCTION made_inside() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE inside (i int); RETURN 1; END $$;
	CREATE TABLE measures (at date) PARTITION BY RANGE (at); CREATE INDEX measures_at ON measures (at);
	CREATE TABLE measures_1 PARTITION OF measures FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
	CREATE TABLE measures_2 PARTITION OF measures FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')`

func TestWhatTheServerDoesNotTellOfIsRecorded(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run(unseenSetup)
	all := taken(t, e, target)
	for _, test := range unseen {
		if strings.HasPrefix(test.statement, "CLUSTER seen") {
			s.run(`CREATE UNIQUE INDEX "Seen" ON seen (a)`)
			all = append(all, taken(t, e, target)...)
		}
		s.run(instead(t, test.statement))
		got := taken(t, e, target)
		all = append(all, got...)
		for i := range got {
			// PostgreSQL before 17 names the table of each column.
			got[i].Statement = strings.ReplaceAll(got[i].Statement, " users.", " ")
		}
		wantStatements(t, got, test.want...)
	}
	wantReplay(t, e, target, all)
}

// A statement's parameters have the types and the values that they have where
// the server runs it itself.
func TestWhatTheServerDoesNotTellOfTakesParameters(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run(unseenSetup)
	all := taken(t, e, target)
	at := time.Date(2024, 2, 3, 4, 5, 6, 789000, time.UTC)
	for _, test := range []struct {
		statement string
		args      []any
		want      string
		holds     string // is true of what it made
	}{
		{`EXPLAIN ANALYZE CREATE TABLE p1 AS SELECT id + $1 AS n, $2 AS s, '$1 100%' AS l FROM users WHERE name = $3`, []any{41, `it's \ %1$s`, "x"},
			`CREATE TABLE public.p1 (n integer, s text, l text)`, `(SELECT n = 42 AND s = 'it''s \ %1$s' AND l = '$1 100%' FROM p1)`},
		{`EXPLAIN (ANALYZE, FORMAT json) CREATE TABLE p2 AS SELECT $1::char(3) AS c, ($2::int[])[1] AS a, $3::timestamptz AS at, $4::bytea AS b, $5::jsonb AS j, $6::bool AS n`,
			[]any{"ab ", []int32{7, 8}, at, []byte{0, 255}, `{"a": "'"}`, nil},
			`CREATE TABLE public.p2 (c character(3), a integer, at timestamp with time zone, b bytea, j jsonb, n boolean)`,
			`(SELECT c = 'ab' AND a = 7 AND at = '2024-02-03 04:05:06.000789Z' AND b = '\x00ff' AND j->>'a' = '''' AND n IS NULL FROM p2)`},
		{`EXPLAIN ANALYZE SELECT $1::numeric AS d INTO p3 FROM users LIMIT $2`, []any{"1.50", 1},
			`CREATE TABLE public.p3 (d numeric)`, `(SELECT d::text = '1.50' FROM p3)`},
	} {
		if _, err := s.conn.Exec(t.Context(), instead(t, test.statement), append([]any{pgx.QueryExecModeDescribeExec}, test.args...)...); err != nil {
			t.Fatalf("%s: %v", test.statement, err)
		}
		var holds bool
		if err := s.conn.QueryRow(t.Context(), "SELECT "+test.holds).Scan(&holds); err != nil || !holds {
			t.Errorf("%s: made something else, %v", test.statement, err)
		}
		got := taken(t, e, target)
		wantStatements(t, got, test.want)
		all = append(all, got...)
	}
	wantReplay(t, e, target, all)
}

// What runs in a statement's place says of errors what the statement would.
func TestWhatRunsInAStatementsPlaceFailsAsItDoes(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run(unseenSetup)
	taken(t, e, target)
	for _, statement := range []string{
		`EXPLAIN ANALYZE CREATE TABLE users AS SELECT 1`,
		`EXPLAIN ANALYZE CREATE TABLE made AS SELECT 1 / 0`,
		`EXPLAIN ANALYZE CREATE TABLE nowhere.made AS SELECT 1`,
		`EXPLAIN (ANALYZE, NONSENSE) CREATE TABLE made AS SELECT 1`,
		`CLUSTER nobody USING i`,
		`CLUSTER users USING nobody`,
		`CLUSTER measures USING nobody`,
		`CLUSTER users USING measures_at`,
	} {
		want, got := s.fail(statement), s.fail(instead(t, statement))
		if sqlState(got) != sqlState(want) || message(got) != message(want) {
			t.Errorf("%s: got %v, want %v", statement, got, want)
		}
	}
	wantStatements(t, taken(t, e, target))
}

// message is a server's error without its severity and code.
func message(err error) string { return strings.SplitN(err.Error(), " (SQLSTATE", 2)[0] }

func TestQueriesOfTheAPIAreRecordedAsWell(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	asRole(t, target, unseenSetup)
	taken(t, e, target)
	for _, test := range unseen[:2] {
		result, err := e.Query(t.Context(), target, test.statement, workspace.Limits{})
		if err != nil || len(result.Columns) != 1 || result.Columns[0] != "QUERY PLAN" || len(result.Rows) == 0 {
			t.Fatalf("%s: %+v, %v", test.statement, result, err)
		}
		got := taken(t, e, target)
		wantStatements(t, got, test.want...)
		if len(got) == 1 && (got[0].Source != "api" || got[0].Operation != "CREATE TABLE" || !got[0].Reversible) {
			t.Errorf("%s: recorded as %+v", test.statement, got[0])
		}
	}
	const refused = "ALTER ROLE CURRENT_USER PASSWORD 'mine'"
	if _, err := e.Query(t.Context(), target, refused, workspace.Limits{}); workspace.ErrorCode(err) != workspace.BadRequest {
		t.Errorf("%s: %v", refused, err)
	}
	wantStatements(t, taken(t, e, target))
}

// A client that calls what the journal lends it finds no way to record what is
// not so.
func TestLentRoutinesRecordNothingElse(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run("CREATE TABLE before (i int)")
	taken(t, e, target)
	s.run(`SELECT pg_catalog.tenantsdb_explained('before', '{}', 'public'); TRUNCATE before; SELECT pg_catalog.tenantsdb_explained('before', '{}', 'public');
		SELECT * FROM pg_catalog.tenantsdb_explain('EXPLAIN SELECT 1', 'before', NULL::text);
		CREATE TEMP TABLE passing (i int); SELECT pg_catalog.tenantsdb_explained('passing', '{}', 'public')`)
	wantStatements(t, taken(t, e, target))
	for _, attempt := range []string{
		`SELECT * FROM pg_catalog.tenantsdb_explain('SELECT value::text FROM pg_tenantsdb.secret', 'x', NULL::text)`,
		`CALL pg_catalog.tenantsdb_cluster('pg_tenantsdb.journal', 'journal_pkey', '')`,
	} {
		if err := s.fail(attempt); sqlState(err) != "42501" {
			t.Errorf("%s: %v", attempt, err)
		}
	}
}

func TestAnOlderJournalIsBroughtUpWhenItIsRead(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	conn, release, err := e.admin(t.Context(), target.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := conn.Exec(t.Context(), "BEGIN; SET LOCAL session_replication_role = replica; UPDATE pg_tenantsdb.version SET number = 1; DROP PROCEDURE pg_catalog.tenantsdb_cluster; COMMIT"); err != nil {
		t.Fatal(err)
	}
	wantStatements(t, changes(t, e, target))
	s := newSession(t, target)
	s.run("CREATE TABLE a (i int PRIMARY KEY)")
	s.run(instead(t, "CLUSTER a USING a_pkey"))
	wantStatements(t, changes(t, e, target), "CREATE TABLE a (i int PRIMARY KEY)", "ALTER TABLE a CLUSTER ON a_pkey")
}
