package admin

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestSettingsAreShownWithTheAvailableFields(t *testing.T) {
	f := newFixture(t)
	f.service.settings = func(string) (workspace.Workspace, error) { return tenantWorkspace(), nil }
	f.call(t, "GET", "/workspaces/myapp/settings", "").is(`{
		"success": true, "http_status": 200, "code": "ok", "database_type": "PostgreSQL",
		"settings": {"query_timeout_ms": 30000, "max_rows_per_query": 10000, "max_connections": 100},
		"available_fields": ["query_timeout_ms", "max_rows_per_query", "max_connections"]}`)
}

func TestRedisSettingsAreItsOwn(t *testing.T) {
	f := newFixture(t)
	w := tenantWorkspace()
	w.Type = workspace.Redis
	w.Settings = workspace.Settings{DefaultTTL: 3600, MaxKeys: 50000, Patterns: map[string]workspace.Pattern{"cache:*": {TTL: 300}}}
	f.service.updateSettings = func(string, map[string]any) (workspace.Workspace, error) { return w, nil }
	f.call(t, "PATCH", "/workspaces/cache/settings", `{"default_ttl": 3600}`).is(`{
		"success": true, "http_status": 200, "code": "ok",
		"settings": {"default_ttl": 3600, "max_keys": 50000, "patterns": {"cache:*": {"ttl": 300}}},
		"message": "Settings saved. Deploy to apply to tenants.", "pending_deploy": true, "database_type": "Redis"}`)
}

func TestChangedSettingsAnswerByMode(t *testing.T) {
	for _, method := range []string{"POST", "PATCH"} {
		for mode, want := range map[workspace.Mode]string{
			workspace.Tenant:  `"message": "Settings saved. Deploy to apply to tenants.", "pending_deploy": true`,
			workspace.Control: `"message": "Settings saved.", "pending_deploy": false`,
		} {
			f := newFixture(t)
			f.service.updateSettings = func(_ string, fields map[string]any) (workspace.Workspace, error) {
				if want := map[string]any{"max_connections": json.Number("7")}; !reflect.DeepEqual(fields, want) {
					t.Errorf("got %#v, want %#v", fields, want)
				}
				w := tenantWorkspace()
				w.Mode, w.Settings.MaxConnections = mode, 7
				return w, nil
			}
			f.call(t, method, "/workspaces/myapp/settings", `{"max_connections": 7}`).is(`{
				"success": true, "http_status": 200, "code": "ok",
				"settings": {"query_timeout_ms": 30000, "max_rows_per_query": 10000, "max_connections": 7},
				` + want + `, "database_type": "PostgreSQL"}`)
		}
	}
}

func TestSettingsBodyIsStrict(t *testing.T) {
	for body, want := range map[string]string{
		`{"max_connections": 1, "max_connections": 2}`: `duplicate field "max_connections"`,
		`{"patterns": {"a": {"ttl": 1}, "a": {}}}`:     `duplicate field "a"`,
		`[]`: `must be a JSON object, got an array`,
		`{"patterns": ` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`: `nested deeper than 32 levels`,
	} {
		f := newFixture(t)
		f.call(t, "POST", "/workspaces/myapp/settings", body).want(http.StatusBadRequest, "bad_request").says(want)
	}
}
