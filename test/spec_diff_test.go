package test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestSpecDeployQueue(t *testing.T) {
	create(t, "spec-diff", "tenant")
	holds(t, shared.must(t, http.StatusOK, "GET", "/workspaces/spec-diff/diff", nil),
		`{"success": true, "http_status": 200, "code": "ok", "workspace": "spec-diff", "blueprint": "spec-diff", "version": 0, "count": 0, "pending": []}`)
	d := database{installation: shared, id: "spec-diff", url: shared.must(t, http.StatusOK, "GET", "/workspaces/spec-diff", nil)["connection_string"].(string)}
	d.url = strings.Replace(d.url, "••••••••", shared.ProxyPassword, 1)
	d.psql(t, `
		CREATE TABLE users (id int);
		BEGIN; CREATE INDEX users_id ON users (id); CREATE SCHEMA "Odd; one"; SET LOCAL search_path = "Odd; one"; CREATE TABLE inner_one (id int); COMMIT;
		CREATE TABLE gone (id int); DROP TABLE gone;
		BEGIN; CREATE TABLE never (id int); ROLLBACK;
		INSERT INTO users VALUES (1); CREATE TEMP TABLE mine (id int); SET work_mem = '1MB';`)
	body := shared.must(t, http.StatusOK, "GET", "/workspaces/spec-diff/diff", nil)
	shape(t, body, `{"workspace": "main", "blueprint": "main", "version": 1, "count": 1, "pending": [{"id": 42, "version": 1, "ddl": "CREATE TABLE", "database": "postgresql",
		"operation": "CREATE TABLE", "object_type": "table", "object": "users", "reversible": true, "source": "proxy", "session": {}, "status": "pending", "warnings": [], "created_at": ""}]}`)
	holds(t, body, `{"version": 4, "count": 6}`)
	pending := body["pending"].([]any)
	for i, want := range []string{
		`{"version": 1, "ddl": "CREATE TABLE users (id int)", "operation": "CREATE TABLE", "object_type": "table", "object": "users", "reversible": true, "reverse": "DROP TABLE IF EXISTS users;", "session": {}}`,
		`{"version": 2, "ddl": "CREATE INDEX users_id ON users (id)", "operation": "CREATE INDEX", "object_type": "index", "object": "users_id", "reversible": true, "reverse": "DROP INDEX IF EXISTS users_id;"}`,
		`{"version": 2, "ddl": "CREATE SCHEMA \"Odd; one\"", "operation": "CREATE SCHEMA", "object_type": "schema"}`,
		`{"version": 2, "ddl": "CREATE TABLE inner_one (id int)", "operation": "CREATE TABLE", "session": {"search_path": "\"Odd; one\""}}`,
		`{"version": 3, "ddl": "CREATE TABLE gone (id int)"}`,
		`{"version": 4, "ddl": "DROP TABLE gone", "operation": "DROP TABLE", "object": "gone", "reversible": false, "reverse": null}`,
	} {
		e := pending[i].(map[string]any)
		holds(t, e, want)
		holds(t, e, `{"database": "postgresql", "source": "proxy", "status": "pending"}`)
		mustBeUTC(t, e["created_at"])
		if i > 0 && e["id"].(float64) <= pending[i-1].(map[string]any)["id"].(float64) {
			t.Errorf("ids do not grow: %v", e["id"])
		}
	}

	create(t, "spec-diff-control", "control")
	run(t, "spec-diff-control", "CREATE TABLE users (id int)")
	a := shared.call(t, "GET", "/workspaces/spec-diff-control/diff", nil)
	if a.status != http.StatusBadRequest {
		t.Errorf("queue of a control workspace: got %d, want 400", a.status)
	}
	mustBeError(t, a, "bad_request")
}

func TestSpecSkip(t *testing.T) {
	create(t, "spec-skip", "tenant")
	run(t, "spec-skip", "CREATE TABLE kept (id int)")
	run(t, "spec-skip", "CREATE TABLE skipped (id int)")
	d := database{installation: shared, id: "spec-skip"}
	id := d.queue(t)[1].ID
	path := fmt.Sprintf("/workspaces/spec-skip/diff/%d", id)
	holds(t, shared.must(t, http.StatusOK, "DELETE", path, nil),
		fmt.Sprintf(`{"success": true, "http_status": 200, "code": "ok", "message": "DDL %d removed from deploy queue"}`, id))
	if queue := d.queue(t); len(queue) != 1 || queue[0].DDL != "CREATE TABLE kept (id int)" {
		t.Errorf("after the skip the queue has %v", queue)
	}
	holds(t, run(t, "spec-skip", "SELECT to_regclass('skipped') IS NOT NULL"), `{"rows": [[true]]}`)
	for _, unknown := range []string{path, path + "/revert", "/workspaces/spec-skip/diff/999999999", "/workspaces/spec-skip/diff/many"} {
		method := "DELETE"
		if strings.HasSuffix(unknown, "/revert") {
			method = "POST"
		}
		a := shared.call(t, method, unknown, nil)
		if a.status != http.StatusNotFound {
			t.Errorf("%s %s: got %d, want 404", method, unknown, a.status)
		}
		mustBeError(t, a, "not_found")
	}
	// An id belongs to its workspace alone.
	create(t, "spec-skip-other", "tenant")
	if a := shared.call(t, "DELETE", fmt.Sprintf("/workspaces/spec-skip-other/diff/%d", d.queue(t)[0].ID), nil); a.status != http.StatusNotFound {
		t.Errorf("skip of another workspace's entry: got %d, want 404", a.status)
	}
}

func TestSpecRevert(t *testing.T) {
	create(t, "spec-revert", "tenant")
	run(t, "spec-revert", "CREATE TABLE base (id int PRIMARY KEY, name text)")
	source := shared.must(t, http.StatusOK, "GET", "/workspaces/spec-revert", nil)
	for ddl, reverse := range map[string]string{
		"CREATE TABLE users (id int)":                            "DROP TABLE IF EXISTS users;",
		"CREATE INDEX base_name ON base (name)":                  "DROP INDEX IF EXISTS base_name;",
		"CREATE UNIQUE INDEX CONCURRENTLY base_n ON base (name)": "DROP INDEX IF EXISTS base_n;",
		"ALTER TABLE base ADD COLUMN age int":                    "ALTER TABLE base DROP COLUMN IF EXISTS age;",
		"ALTER TABLE base ADD COLUMN a int, ADD COLUMN b text":   "ALTER TABLE base DROP COLUMN IF EXISTS a, DROP COLUMN IF EXISTS b;",
		"CREATE TABLE copied AS SELECT 1 AS one":                 "DROP TABLE IF EXISTS copied;",
	} {
		run(t, "spec-revert", ddl)
		d := database{installation: shared, id: "spec-revert"}
		queue := d.queue(t)
		last := queue[len(queue)-1]
		if last.Reverse != reverse {
			t.Errorf("%s: reverse is %q, want %q", ddl, last.Reverse, reverse)
		}
		holds(t, shared.must(t, http.StatusOK, "POST", fmt.Sprintf("/workspaces/spec-revert/diff/%d/revert", last.ID), nil),
			fmt.Sprintf(`{"success": true, "http_status": 200, "code": "ok", "message": "Reverted: %s"}`, reverse))
		if after := d.queue(t); len(after) != 1 {
			t.Errorf("%s: after the revert the queue has %v", ddl, after)
		}
		if after := shared.must(t, http.StatusOK, "GET", "/workspaces/spec-revert", nil); fmt.Sprint(after["schema"]) != fmt.Sprint(source["schema"]) {
			t.Errorf("%s: after the revert the schema is %v, it was %v", ddl, after["schema"], source["schema"])
		}
	}
}

func TestSpecRevertIsRefusedWhereItIsNotSafe(t *testing.T) {
	create(t, "spec-no-revert", "tenant")
	d := database{installation: shared, id: "spec-no-revert"}
	run(t, "spec-no-revert", "CREATE TABLE base (id int PRIMARY KEY)")
	run(t, "spec-no-revert", "CREATE TABLE child (base int REFERENCES base)")
	run(t, "spec-no-revert", "CREATE VIEW seen AS SELECT * FROM base")
	run(t, "spec-no-revert", "ALTER TABLE child DROP COLUMN base")
	queue := d.queue(t)
	revert := func(i int) answer {
		return shared.call(t, "POST", fmt.Sprintf("/workspaces/spec-no-revert/diff/%d/revert", queue[i].ID), nil)
	}
	dependent := revert(0)
	if dependent.status != http.StatusConflict {
		t.Errorf("revert of what others need: got %d, want 409: %v", dependent.status, dependent.body)
	}
	mustBeError(t, dependent, "conflict")
	for _, name := range []string{"child", "seen"} {
		if !strings.Contains(fmt.Sprint(dependent.body["error"]), name) {
			t.Errorf("the refusal does not name %s: %v", name, dependent.body["error"])
		}
	}
	shape(t, dependent.body, `{"reason": "", "action_required": ""}`)
	irreversible := revert(3)
	if irreversible.status != http.StatusConflict {
		t.Errorf("revert of a dropped column: got %d, want 409", irreversible.status)
	}
	mustBeError(t, irreversible, "conflict")
	shape(t, irreversible.body, `{"reason": "", "action_required": ""}`)
	if after := d.queue(t); len(after) != len(queue) {
		t.Errorf("refused reverts changed the queue: %v", after)
	}
	if a := revert(2); a.status != http.StatusOK {
		t.Errorf("revert of the view, which nothing needs: got %d: %v", a.status, a.body)
	}
}
