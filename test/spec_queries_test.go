package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestSpecQuery(t *testing.T) {
	create(t, "spec-query", "tenant")
	holds(t, run(t, "spec-query", "CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT, email TEXT)"), `{"columns": [], "rows": [], "row_count": 0, "rows_affected": 0}`)
	holds(t, run(t, "spec-query", "INSERT INTO users (name, email) VALUES ('Alice', 'alice@example.com')"), `{"columns": [], "rows": [], "row_count": 0, "rows_affected": 1}`)
	body := run(t, "spec-query", "SELECT id, name, email FROM users")
	shape(t, body, `{"columns": ["id", "name", "email"], "rows": [[]], "row_count": 1, "execution_time": "8ms"}`)
	holds(t, body, `{"success": true, "http_status": 200, "code": "ok", "columns": ["id", "name", "email"], "rows": [[1, "Alice", "alice@example.com"]], "row_count": 1}`)
	if elapsed := body["execution_time"]; !regexp.MustCompile(`^\d+ms$`).MatchString(fmt.Sprint(elapsed)) {
		t.Errorf("execution_time is %v", elapsed)
	}
	if affected, there := body["rows_affected"]; there {
		t.Errorf("a statement with rows has rows_affected %v", affected)
	}
	holds(t, shared.must(t, http.StatusOK, "POST", "/workspaces/spec-query/query", map[string]any{"query": "SELECT 1 AS alias"}), `{"columns": ["alias"], "rows": [[1]]}`)
	holds(t, run(t, "spec-query", "SELECT 1 AS a; INSERT INTO users (name) VALUES ('x'); SELECT 'last' AS b"), `{"columns": ["b"], "rows": [["last"]], "row_count": 1}`)
	holds(t, run(t, "spec-query", "UPDATE users SET email = NULL RETURNING id"), `{"columns": ["id"], "rows": [[1], [2]], "row_count": 2}`)
	holds(t, run(t, "spec-query", "SELECT id FROM users WHERE false"), `{"columns": ["id"], "rows": [], "row_count": 0}`)

	queue := (database{installation: shared, id: "spec-query"}).queue(t)
	if len(queue) != 1 || queue[0].Source != "api" || queue[0].DDL != "CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT, email TEXT)" {
		t.Errorf("the queue has %+v", queue)
	}
}

func TestSpecQueryTypes(t *testing.T) {
	create(t, "spec-types", "control")
	for sql, want := range map[string]string{
		"1::smallint":                           `1`,
		"9007199254740992":                      `9007199254740992`,
		"9007199254740993":                      `"9007199254740993"`,
		"-9223372036854775808":                  `"-9223372036854775808"`,
		"1.10::numeric":                         `"1.10"`,
		"0.5::float8":                           `0.5`,
		"'NaN'::float8":                         `"NaN"`,
		"true":                                  `true`,
		"NULL::int":                             `null`,
		"'a\"b'::text":                          `"a\"b"`,
		`'\x00ff'::bytea`:                       `"\\x00ff"`,
		"'2025-01-15 11:30:00+01'::timestamptz": `"2025-01-15T10:30:00Z"`,
		"'2025-01-15'::date":                    `"2025-01-15"`,
		"'00000000-0000-0000-0000-000000000001'::uuid": `"00000000-0000-0000-0000-000000000001"`,
		`'{"a": [1, null]}'::jsonb`:                    `{"a": [1, null]}`,
		"ARRAY[1, 2, NULL]":                            `[1, 2, null]`,
		"'EUR'::char(3)":                               `"EUR"`,
	} {
		rows, err := json.Marshal(run(t, "spec-types", "SELECT "+sql)["rows"])
		if err != nil {
			t.Fatal(err)
		}
		var wanted any
		if err := json.Unmarshal([]byte(want), &wanted); err != nil {
			t.Fatal(err)
		}
		wantRows, err := json.Marshal([][]any{{wanted}})
		if err != nil {
			t.Fatal(err)
		}
		if string(rows) != string(wantRows) {
			t.Errorf("%s: got %s, want %s", sql, rows, wantRows)
		}
	}
}

func TestSpecQueryErrorsAreTheDatabasesOwn(t *testing.T) {
	create(t, "spec-query-errors", "tenant")
	for sql, want := range map[string]string{
		"SELECT * FROM missing":                    `{"sqlstate": "42P01", "position": 15}`,
		"SELEC 1":                                  `{"sqlstate": "42601", "position": 1}`,
		"SELECT 1 / 0":                             `{"sqlstate": "22012"}`,
		"CREATE TABLE a (id int, id int)":          `{"sqlstate": "42701"}`,
		"CREATE TABLE half (id int); SELECT 1 / 0": `{"sqlstate": "22012"}`,
		"SET ROLE postgres":                        `{"sqlstate": "42501"}`,
	} {
		a := shared.call(t, "POST", "/workspaces/spec-query-errors/queries", map[string]any{"query": sql})
		if a.status != http.StatusBadRequest {
			t.Errorf("%s: got status %d, want 400", sql, a.status)
		}
		holds(t, a.body, want)
		mustBeError(t, a, "bad_request")
	}
	if queue := (database{installation: shared, id: "spec-query-errors"}).queue(t); len(queue) != 0 {
		t.Errorf("failed statements are in the queue: %v", queue)
	}
}

func TestSpecQueryKeepsTheLimits(t *testing.T) {
	create(t, "spec-query-limits", "control")
	shared.must(t, http.StatusOK, "PATCH", "/workspaces/spec-query-limits/settings", map[string]any{"max_rows_per_query": 5, "query_timeout_ms": 200})
	holds(t, run(t, "spec-query-limits", "SELECT generate_series(1, 5)"), `{"row_count": 5}`)
	for _, c := range []struct{ sql, state, limit, setting string }{
		{"SELECT generate_series(1, 6)", "54000", "5", "max_rows_per_query"},
		{"SELECT pg_sleep(20)", "57014", "200", "query_timeout_ms"},
	} {
		a := shared.call(t, "POST", "/workspaces/spec-query-limits/queries", map[string]any{"query": c.sql})
		if a.status != http.StatusBadRequest || a.body["sqlstate"] != c.state {
			t.Errorf("%s: got status %d, want 400 and %s: %v", c.sql, a.status, c.state, a.body)
		}
		if text := fmt.Sprint(a.body["error"]); !strings.Contains(text, c.limit) || !strings.Contains(text, c.setting) {
			t.Errorf("%s: the error names not the limit and its setting: %s", c.sql, text)
		}
	}
}

// mustBeError checks the envelope of an error.
func mustBeError(t testing.TB, a answer, code string) {
	t.Helper()
	holds(t, a.body, fmt.Sprintf(`{"success": false, "http_status": %d, "code": %q}`, a.status, code))
	if text, ok := a.body["error"].(string); !ok || text == "" {
		t.Errorf("the answer has no error: %v", a.body)
	}
}
