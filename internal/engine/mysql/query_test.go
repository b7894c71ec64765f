package mysql

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func query(t *testing.T, e *Engine, target workspace.Target, text string, limits workspace.Limits) workspace.Result {
	t.Helper()
	result, err := e.Query(t.Context(), target, text, limits)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return result
}

// refused is the error of a query that must fail.
func refused(t *testing.T, e *Engine, target workspace.Target, text string, limits workspace.Limits) *workspace.Error {
	t.Helper()
	_, err := e.Query(t.Context(), target, text, limits)
	refusal, ok := errors.AsType[*workspace.Error](err)
	if !ok {
		t.Fatalf("%s: got %v, want a *workspace.Error", text, err)
	}
	return refusal
}

func TestQueryGivesTheContractsValues(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	query(t, e, target, `CREATE TABLE v (i int, u bigint unsigned, d decimal(10,2), f double, s varchar(10), b varbinary(4), bl blob, dt datetime(3), ts timestamp NULL,
		da date, ti time, y year, bi bit(9), e enum('x','y'), n int, t text);
		INSERT INTO v VALUES (-5, 18446744073709551615, 1.50, 0.25, 'ü', X'00ff', X'01', '2024-05-06 07:08:09.125', '2024-05-06 07:08:09',
		'2024-05-06', '-12:30:00', 2024, 257, 'y', NULL, '')`, workspace.Limits{})
	result := query(t, e, target, "SET time_zone = '+02:00'; UPDATE v SET ts = '2024-05-06 07:08:09'; SELECT * FROM v", workspace.Limits{})
	got, err := json.Marshal(result.Rows)
	must(t, err)
	const want = `[[-5,"18446744073709551615","1.50",0.25,"ü","\\x00ff","\\x01","2024-05-06T07:08:09.125Z","2024-05-06T05:08:09Z","2024-05-06","-12:30:00",2024,257,"y",null,""]]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if result.RowCount != 1 || len(result.Columns) != 16 || result.Columns[1] != "u" || result.RowsAffected != nil || result.Elapsed <= 0 {
		t.Errorf("got %+v", result)
	}
	if !e.known().mariaDB {
		got, err := json.Marshal(query(t, e, target, `SELECT CAST('{"a": [1]}' AS json)`, workspace.Limits{}).Rows)
		if must(t, err); string(got) != `[[{"a":[1]}]]` {
			t.Errorf("json: got %s", got)
		}
	}
}

func TestQueryGivesTheResultBeforeAComment(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	for _, behind := range []string{"", ";", "; -- don't", ";\n/* all */ # of it\n;", " -- here", ";\n\n"} {
		if got := query(t, e, target, "SELECT 7, ';'"+behind, workspace.Limits{}); got.RowCount != 1 {
			t.Errorf("%q: got %+v", behind, got)
		}
	}
	if got := query(t, e, target, "SELECT 7; /*!40000 SET @a = 1 */", workspace.Limits{}); got.RowCount != 0 {
		t.Errorf("a statement in a comment: got %+v", got)
	}
}

// The role's right to drop tables is one to drop the database with them.
func TestQueryDropsNoDatabase(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	for _, text := range []string{"DROP DATABASE " + target.Database, "SELECT 1; /*! drop schema if exists */ `" + target.Database + "`",
		"CREATE PROCEDURE p() DROP DATABASE " + target.Database, "PREPARE s FROM 'DROP DATABASE " + target.Database + "'; EXECUTE s"} {
		if got := refused(t, e, target, text, workspace.Limits{}); got.Details["errno"] != 1227 {
			t.Errorf("%s: got %v %v", text, got, got.Details)
		}
	}
	query(t, e, target, "CREATE TABLE t (a int); DROP TABLE t; SELECT 'DROP DATABASE x'", workspace.Limits{})
}

func TestQueryGivesTheLastResult(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	result := query(t, e, target, "CREATE TABLE t (a int); SELECT 1; INSERT INTO t VALUES (1), (2)", workspace.Limits{})
	if result.RowsAffected == nil || *result.RowsAffected != 2 || len(result.Columns) != 0 {
		t.Errorf("got %+v", result)
	}
	result = query(t, e, target, "CREATE PROCEDURE p() BEGIN SELECT 1 AS x; SELECT 2 AS y; END; SELECT a FROM t WHERE a > 5", workspace.Limits{})
	if result.RowCount != 0 || len(result.Columns) != 1 || result.RowsAffected != nil {
		t.Errorf("got %+v", result)
	}
}

func TestQueryKeepsItsLimits(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	query(t, e, target, "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2), (3)", workspace.Limits{})
	if result := query(t, e, target, "SELECT a FROM t", workspace.Limits{MaxRows: 3}); result.RowCount != 3 {
		t.Errorf("got %d rows at the limit, want 3", result.RowCount)
	}
	refusal := refused(t, e, target, "SELECT a FROM t", workspace.Limits{Workspace: "shop", MaxRows: 2})
	if refusal.Details["errno"] != tooBigSelect || !strings.Contains(refusal.Message, `workspace "shop" allows a query to give 2 rows (max_rows_per_query)`) {
		t.Errorf("rows: got %v %v", refusal, refusal.Details)
	}
	refusal = refused(t, e, target, "SELECT SLEEP(600) FROM t", workspace.Limits{Workspace: "shop", TimeoutMS: 100})
	if refusal.Details["errno"] != queryTimeout || !strings.Contains(refusal.Message, `workspace "shop" allows a query to run for 100 ms (query_timeout_ms)`) {
		t.Errorf("time: got %v %v", refusal, refusal.Details)
	}
	refusal = refused(t, e, target, "DO SLEEP(600); SELECT 1 FROM t WHERE SLEEP(600)", workspace.Limits{TimeoutMS: 100})
	if refusal.Details["errno"] != queryTimeout {
		t.Errorf("time: got %v %v", refusal, refusal.Details)
	}
	refusal = refused(t, e, target, "SELECT REPEAT('x', 15000000) FROM t a, t b", workspace.Limits{})
	if refusal.Details["errno"] != netPacketTooBig {
		t.Errorf("size: got %v %v", refusal, refusal.Details)
	}
	admin := administrator(t, e)
	await(t, "the sessions that hit their limits are gone", func() bool {
		return admin.value("SELECT count(*) FROM information_schema.PROCESSLIST WHERE USER = "+literal(target.Role)) == "0"
	})
}

func TestQueryTellsTheServersErrors(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	refusal := refused(t, e, target, "SELECT * FROM missing", workspace.Limits{})
	if refusal.Code != workspace.BadRequest || refusal.Details["errno"] != 1146 || refusal.Details["sqlstate"] != "42S02" || !strings.Contains(refusal.Message, "missing") {
		t.Errorf("got %v %v %v", refusal.Code, refusal, refusal.Details)
	}
	query(t, e, target, "CREATE TABLE t (a int)", workspace.Limits{})
	if refusal = refused(t, e, target, "BEGIN; INSERT INTO t VALUES (1)", workspace.Limits{}); refusal.Details["errno"] != openTransaction {
		t.Errorf("got %v %v", refusal, refusal.Details)
	}
	if refusal = refused(t, e, target, "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t", workspace.Limits{}); refusal.Code != workspace.BadRequest {
		t.Errorf("got %v", refusal)
	}
	if got := query(t, e, target, "SELECT count(*) FROM t", workspace.Limits{}).Rows[0][0]; got != int64(0) {
		t.Errorf("%v rows were left behind", got)
	}
}

func TestServerThatIsNotThereIsUnavailable(t *testing.T) {
	c := configOf("/nowhere/socket", "root", "planted-secret")
	e := New(c)
	defer e.Close()
	_, err := e.Query(t.Context(), newTarget(), "SELECT 1", workspace.Limits{})
	for _, err := range []error{err, e.Ping(t.Context()), e.Prepare(t.Context())} {
		if workspace.ErrorCode(err) != workspace.Unavailable || strings.Contains(err.Error(), "planted") {
			t.Errorf("got %v", err)
		}
	}
}

func TestChangesByQueryComeFromTheAPI(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	query(t, e, target, "create view v as select 1; DROP VIEW v; CREATE TABLE t (a int)", workspace.Limits{})
	got := changes(t, e, target)
	wantStatements(t, got, "create view v as select 1", "DROP VIEW v", "CREATE TABLE t (a int)")
	for _, c := range got {
		if c.Source != "api" {
			t.Errorf("%s: source %q, want api", c.Statement, c.Source)
		}
	}
}
