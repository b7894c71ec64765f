package test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestSpecSettings(t *testing.T) {
	create(t, "spec-settings", "tenant")
	body := shared.must(t, http.StatusOK, "GET", "/workspaces/spec-settings/settings", nil)
	holds(t, body, `{"success": true, "http_status": 200, "code": "ok", "database_type": "PostgreSQL",
		"settings": {"query_timeout_ms": 30000, "max_rows_per_query": 10000, "max_connections": 100},
		"available_fields": ["query_timeout_ms", "max_rows_per_query", "max_connections"]}`)
	for _, method := range []string{"POST", "PATCH"} {
		holds(t, shared.must(t, http.StatusOK, method, "/workspaces/spec-settings/settings", map[string]any{"max_connections": 7}),
			`{"success": true, "http_status": 200, "code": "ok", "settings": {"query_timeout_ms": 30000, "max_rows_per_query": 10000, "max_connections": 7},
			"message": "Settings saved. Deploy to apply to tenants.", "pending_deploy": true, "database_type": "PostgreSQL"}`)
	}
	create(t, "spec-settings-control", "control")
	holds(t, shared.must(t, http.StatusOK, "POST", "/workspaces/spec-settings-control/settings", map[string]any{"query_timeout_ms": 0, "max_rows_per_query": 0, "max_connections": 0}),
		`{"settings": {"query_timeout_ms": 0, "max_rows_per_query": 0, "max_connections": 0}, "message": "Settings saved.", "pending_deploy": false}`)
	for _, c := range []struct {
		field string
		value any
	}{
		{"max_connections", -1}, {"max_connections", "7"}, {"max_connections", 1.5}, {"max_connections", nil}, {"max_connections", true},
		{"query_timeout_ms", []int{1}}, {"max_rows_per_query", map[string]int{}}, {"max_rows_per_query", 1e300},
		{"default_ttl", 5}, {"patterns", map[string]any{}}, {"no_such_setting", 5}, {"Max_Connections", 5},
	} {
		a := shared.call(t, "POST", "/workspaces/spec-settings/settings", map[string]any{"query_timeout_ms": 1, c.field: c.value})
		if a.status != http.StatusBadRequest {
			t.Errorf("%s = %v: got %d, want 400", c.field, c.value, a.status)
			continue
		}
		mustBeError(t, a, "bad_request")
		text := fmt.Sprint(a.body["error"])
		for _, name := range []string{c.field, "query_timeout_ms", "max_rows_per_query", "max_connections"} {
			if !strings.Contains(text, name) {
				t.Errorf("%s = %v: the error does not name %s: %s", c.field, c.value, name, text)
			}
		}
	}
	// A refused update changes nothing, not even its valid fields.
	holds(t, shared.must(t, http.StatusOK, "GET", "/workspaces/spec-settings/settings", nil), `{"settings": {"query_timeout_ms": 30000, "max_rows_per_query": 10000, "max_connections": 7}}`)
}

func TestSpecSettingsReachOpenSessions(t *testing.T) {
	d := shared.workspace(t, "spec-live", "tenant")
	conn := d.connect(t)
	set := func(name string, value int) {
		t.Helper()
		shared.must(t, http.StatusOK, "PATCH", "/workspaces/spec-live/settings", map[string]any{name: value})
	}
	mustExec(t, conn, "SELECT generate_series(1, 100)")
	set("max_rows_per_query", 99)
	if code := sqlState(exec1(conn, "SELECT generate_series(1, 100)")); code != "54000" {
		t.Errorf("over the new row limit: got %q, want 54000", code)
	}
	set("max_rows_per_query", 0)
	mustExec(t, conn, "SELECT generate_series(1, 20000)")
	set("query_timeout_ms", 100)
	begun := time.Now()
	if code := sqlState(exec1(conn, "SELECT pg_sleep(60)")); code != "57014" {
		t.Errorf("over the new time limit: got %q, want 57014", code)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("the statement was stopped after %v", took)
	}
	set("query_timeout_ms", 0)
	mustExec(t, conn, "SELECT pg_sleep(0.2)")
	set("max_connections", 1)
	if err := d.logIn(t, shared.ProjectID, shared.ProxyPassword, d.name); sqlState(err) != "53300" {
		t.Errorf("beyond the new connection limit: got %v, want 53300", err)
	}
	mustExec(t, conn, "SELECT 1")
	set("max_connections", 2)
	if err := d.logIn(t, shared.ProjectID, shared.ProxyPassword, d.name); err != nil {
		t.Errorf("within the new connection limit: %v", err)
	}
}
