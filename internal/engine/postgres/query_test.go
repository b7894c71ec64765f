package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestQueryValuesEncodeAsTheContractsJSON(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	asRole(t, target, `CREATE TYPE mood AS ENUM ('sad', 'very "happy"'); CREATE DOMAIN flags AS bool[]; CREATE DOMAIN small AS int`)
	for sql, want := range map[string]string{
		`NULL::int`:           `null`,
		`true`:                `true`,
		`false`:               `false`,
		`1::int2`:             `1`,
		`(-2147483648)::int4`: `-2147483648`,
		`9007199254740992`:    `9007199254740992`,
		`9007199254740993`:    `"9007199254740993"`,
		`-9007199254740993`:   `"-9007199254740993"`,
		`1.10::numeric`:       `"1.10"`,
		`'NaN'::numeric`:      `"NaN"`,
		`1.5::float8`:         `1.5`,
		`0.1::float4`:         `0.1`,
		`1e300::float8`:       `1e+300`,
		`'NaN'::float8`:       `"NaN"`,
		`'-Infinity'::float4`: `"-Infinity"`,
		`'\x00ff'::bytea`:     `"\\x00ff"`,
		`''::bytea`:           `"\\x"`,
		`'it''s'::text`:       `"it's"`,
		`'a'::"char"`:         `"a"`,
		`'2024-02-29'::date`:  `"2024-02-29"`,
		`'12:30:00.5'::time`:  `"12:30:00.5"`,
		`'2024-02-29 12:30:00.123456'::timestamp`:             `"2024-02-29T12:30:00.123456Z"`,
		`'2024-02-29 12:30:00+05:30'::timestamptz`:            `"2024-02-29T07:00:00Z"`,
		`'infinity'::timestamptz`:                             `"infinity"`,
		`'2024-01-01 BC'::timestamp`:                          `"2024-01-01 00:00:00 BC"`,
		`'20240-01-01'::timestamp`:                            `"20240-01-01 00:00:00"`,
		`'1 day 2 hours'::interval`:                           `"1 day 02:00:00"`,
		`'{"a": [1, null]}'::json`:                            `{"a":[1,null]}`,
		`'{"a": 1.10}'::jsonb`:                                `{"a":1.10}`,
		`'"x"'::jsonb`:                                        `"x"`,
		`'null'::jsonb`:                                       `null`,
		`ARRAY[1,2,NULL]`:                                     `[1,2,null]`,
		`'{}'::int[]`:                                         `[]`,
		`ARRAY[[1,2],[3,4]]`:                                  `[[1,2],[3,4]]`,
		`'[0:1]={5,6}'::int[]`:                                `[5,6]`,
		`ARRAY['a"b', 'c\d', 'NULL', '', 'e,f', '{']::text[]`: `["a\"b","c\\d","NULL","","e,f","{"]`,
		`ARRAY[9007199254740993]`:                             `["9007199254740993"]`,
		`ARRAY['{"k":1}']::jsonb[]`:                           `[{"k":1}]`,
		`ARRAY[true]::flags`:                                  `[true]`,
		`ARRAY['very "happy"']::mood[]`:                       `["very \"happy\""]`,
		`ARRAY[7]::small[]`:                                   `[7]`,
		`'sad'::mood`:                                         `"sad"`,
		`int4range(1,5)`:                                      `"[1,5)"`,
		`ROW(1,'x')`:                                          `"(1,x)"`,
		`'(1,2),(0,0)'::box`:                                  `"(1,2),(0,0)"`,
		`ARRAY['(1,2),(0,0)']::box[]`:                         `"{(1,2),(0,0)}"`,
		`'1 2'::int2vector`:                                   `"1 2"`,
		`gen_random_uuid() IS NOT NULL`:                       `true`,
	} {
		result, err := e.Query(t.Context(), target, "SELECT "+sql, workspace.Limits{})
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		got, err := json.Marshal(result.Rows[0][0])
		if err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		if string(got) != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
	}
}

func TestQueryOutputSettingsDoNotChangeTheForm(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	result, err := e.Query(t.Context(), target, `SET bytea_output = escape; SET TimeZone = 'Asia/Kathmandu';
		SELECT '\x00415cff'::bytea, '2024-01-01 00:00:00+00'::timestamptz`, workspace.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got := result.Rows[0][0]; got != `\x00415cff` {
		t.Errorf("got bytea %v", got)
	}
	if got := result.Rows[0][1]; got != "2024-01-01T00:00:00Z" {
		t.Errorf("got time %v", got)
	}
}

func TestQueryGivesTheLastResult(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	for _, c := range []struct {
		sql      string
		columns  int
		rows     int64
		affected int64 // -1: none
	}{
		{"CREATE TABLE t (a int, b text)", 0, 0, 0},
		{"INSERT INTO t VALUES (1,'x'),(2,'y')", 0, 0, 2},
		{"INSERT INTO t VALUES (3,'z') RETURNING a", 1, 1, -1},
		{"SELECT * FROM t ORDER BY a", 2, 3, -1},
		{"SELECT 1; UPDATE t SET b = 'q' WHERE a > 1", 0, 0, 2},
		{"UPDATE t SET b = 'r'; SELECT a FROM t WHERE false", 1, 0, -1},
		{"SELECT a INTO t2 FROM t", 0, 0, 3},
		{"BEGIN; DELETE FROM t2; COMMIT", 0, 0, 0},
		{"SELECT", 0, 1, -1},
		{"", 0, 0, 0},
		{"-- nothing", 0, 0, 0},
	} {
		result, err := e.Query(t.Context(), target, c.sql, workspace.Limits{})
		if err != nil {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		affected := int64(-1)
		if result.RowsAffected != nil {
			affected = *result.RowsAffected
		}
		if len(result.Columns) != c.columns || result.RowCount != c.rows || int64(len(result.Rows)) != c.rows || affected != c.affected {
			t.Errorf("%s: got %v, %d affected", c.sql, result, affected)
		}
		if result.Elapsed <= 0 {
			t.Errorf("%s: no elapsed time", c.sql)
		}
	}
}

func TestQueryTellsTheServersError(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	for _, c := range []struct {
		sql, message, sqlstate string
		position               any
	}{
		{"SELEC 1", `syntax error at or near "SELEC"`, "42601", int32(1)},
		{"SELECT * FROM missing", `relation "missing" does not exist`, "42P01", int32(15)},
		{"SELECT 1/0", "division by zero", "22012", nil},
		{"BEGIN; CREATE TABLE left_open (a int)", "", "25001", nil},
		{"CREATE TABLE lost (a int); COPY lost FROM STDIN", "COPY FROM STDIN", "0A000", nil},
		{"COPY (SELECT 1) TO STDOUT", "COPY TO STDOUT", "0A000", nil},
		{"SELECT 'a\x00b'", "zero byte", "", nil},
	} {
		_, err := e.Query(t.Context(), target, c.sql, workspace.Limits{})
		failure, ok := errors.AsType[*workspace.Error](err)
		if !ok || failure.Code != workspace.BadRequest {
			t.Errorf("%s: got %v, want a bad request", c.sql, err)
			continue
		}
		state, _ := failure.Details["sqlstate"].(string)
		if !strings.Contains(failure.Message, c.message) || state != c.sqlstate || failure.Details["position"] != c.position {
			t.Errorf("%s: got %q %v", c.sql, failure.Message, failure.Details)
		}
	}
	for _, table := range []string{"left_open", "lost"} {
		result, err := e.Query(t.Context(), target, "SELECT to_regclass('"+table+"') IS NULL", workspace.Limits{})
		if err != nil || result.Rows[0][0] != true {
			t.Errorf("table %s of a failed query: got %v, %v", table, result.Rows, err)
		}
	}
}

func TestQueryTimeoutCancelsOnTheServer(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	start := time.Now()
	_, err := e.Query(t.Context(), target, "SELECT pg_sleep(60)", workspace.Limits{Workspace: "shop", TimeoutMS: 100})
	wantLimit(t, err, "57014", `workspace "shop"`)
	wantLimit(t, err, "57014", "query_timeout_ms")
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
	awaitNoSession(t, e, target)
}

func TestQueryThatIgnoresItsCancelIsTerminated(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	_, err := e.Query(t.Context(), target, `DO $$ BEGIN
		LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP;
	END $$`, workspace.Limits{Workspace: "shop", TimeoutMS: 50})
	wantLimit(t, err, "57014", `workspace "shop"`)
	wantLimit(t, err, "57014", "query_timeout_ms")
	awaitNoSession(t, e, target)
}

func TestQueryEndsWithItsCaller(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := e.Query(ctx, target, "SELECT pg_sleep(60)", workspace.Limits{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	awaitNoSession(t, e, target)
}

func TestQueryRowLimit(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	limits := workspace.Limits{Workspace: "shop", MaxRows: 10}
	result, err := e.Query(t.Context(), target, "SELECT generate_series(1, 10)", limits)
	if err != nil || result.RowCount != 10 {
		t.Errorf("at the limit: got %d rows, %v", result.RowCount, err)
	}
	_, err = e.Query(t.Context(), target, "SELECT generate_series(1, 1000000000)", limits)
	wantLimit(t, err, "54000", `workspace "shop"`)
	wantLimit(t, err, "54000", "max_rows_per_query")
	_, err = e.Query(t.Context(), target, "SELECT generate_series(1, 6); SELECT generate_series(1, 6)", limits)
	if err != nil {
		t.Errorf("limit is for each statement: %v", err)
	}
	awaitNoSession(t, e, target)
}

func TestQueryResultMemoryIsBounded(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	_, err := e.Query(t.Context(), target, "SELECT repeat('x', 1000000) FROM generate_series(1, 1000)", workspace.Limits{})
	wantLimit(t, err, "54000", "64 MiB")
	_, err = e.Query(t.Context(), target, "SELECT repeat('x', 100000000)", workspace.Limits{})
	wantLimit(t, err, "54000", "64 MiB")
	awaitNoSession(t, e, target)
}

func wantLimit(t *testing.T, err error, sqlstate, names string) {
	t.Helper()
	failure, ok := errors.AsType[*workspace.Error](err)
	if !ok || failure.Code != workspace.BadRequest || failure.Details["sqlstate"] != sqlstate || !strings.Contains(failure.Message, names) {
		t.Errorf("got %v, want %s naming %s", err, sqlstate, names)
	}
}

// awaitNoSession waits until nothing of the workspace runs on the server.
func awaitNoSession(t *testing.T, e *Engine, target workspace.Target) {
	t.Helper()
	conn, release, err := e.admin(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	await(t, "sessions of "+target.Role+" to end", func() bool {
		var n int
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE usename = $1", target.Role).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
}

// await polls until done, for 10 seconds at most.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("still waiting for %s", what)
		case <-tick.C:
		}
	}
}
