package admin

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestRequestIDIsTheCallersWhereItIsSane(t *testing.T) {
	f := newFixture(t)
	for sent, kept := range map[string]bool{
		"abc-123_X.9": true, strings.Repeat("a", 64): true,
		"": false, strings.Repeat("a", 65): false, "a b": false, "a\nb": false, "é": false, `a"b`: false,
	} {
		r := httptest.NewRequest("GET", "/health", nil)
		r.Header["X-Request-Id"] = []string{sent}
		got := f.send(t, r).Header().Get("X-Request-Id")
		if (got == sent) != kept || got == "" {
			t.Errorf("sent %q: got %q", sent, got)
		}
	}
}

func TestGeneratedRequestIDsDiffer(t *testing.T) {
	f := newFixture(t)
	one := f.call(t, "GET", "/health", "").Header().Get("X-Request-Id")
	other := f.call(t, "GET", "/health", "").Header().Get("X-Request-Id")
	if one == other {
		t.Errorf("got %q twice", one)
	}
}

func TestAccessLogIsOneLineARequest(t *testing.T) {
	f := newFixture(t)
	f.service.get = func(string) (workspace.Details, error) {
		return workspace.Details{}, workspace.Errorf(workspace.NotFound, "no")
	}
	got := f.call(t, "GET", "/workspaces/main?x=planted", "")
	lines := f.log.all(t)
	if len(lines) != 1 {
		t.Fatalf("got %d lines, want 1\n%s", len(lines), f.log)
	}
	for key, want := range map[string]any{
		"msg": "request served", "request_id": got.Header().Get("X-Request-Id"), "method": "GET",
		"path": "/workspaces/main", "key_id": "key_1", "status": 404.0, "code": "not_found",
		"bytes": float64(got.Body.Len()), "address": "192.0.2.1",
	} {
		if lines[0][key] != want {
			t.Errorf("%s: got %v, want %v", key, lines[0][key], want)
		}
	}
}

func TestAuditLogHasEveryActionAndNoRead(t *testing.T) {
	f := newFixture(t)
	failing(f, workspace.Errorf(workspace.Conflict, "no"))
	acts := 0
	for _, rt := range keyed(f) {
		f.call(t, rt.method, pathFor(rt), bodyFor(rt))
		if rt.method != "GET" {
			acts++
		}
	}
	all := f.audit.all(t)
	if len(all) != acts {
		t.Fatalf("got %d records, want %d\n%s", len(all), acts, f.audit)
	}
	for _, record := range all {
		if record["key_id"] != "key_1" || record["project_id"] != "tdb_2abf90d3" || record["outcome"] != "conflict" ||
			record["action"] == "" || record["request_id"] == "" {
			t.Errorf("got %v", record)
		}
		named := []any{record["name"], record["target"], record["tenant"], record["blueprint"]}
		if record["workspace"] == "" && !slices.ContainsFunc(named, func(name any) bool { return name != nil }) {
			t.Errorf("%v names nothing", record)
		}
	}
}

func TestAuditLogSaysWhatWasChanged(t *testing.T) {
	f := newFixture(t)
	f.service.updateSettings = func(string, map[string]any) (workspace.Workspace, error) { return tenantWorkspace(), nil }
	f.service.skip = func(string, int64) error { return nil }
	f.service.create = func(string, string, string) (workspace.Details, error) { return workspace.Details{}, nil }
	f.call(t, "POST", "/workspaces/main/settings", `{"max_connections": 1, "max_rows_per_query": 2}`)
	f.call(t, "DELETE", "/workspaces/main/diff/42", "")
	got := f.audit.String()
	for _, want := range []string{`"fields":["max_connections","max_rows_per_query"]`, `"ddl_id":42`, `"outcome":"ok"`} {
		if !strings.Contains(got, want) {
			t.Errorf("audit log lacks %s\n%s", want, got)
		}
	}
}

func TestAuditLogHasRefusedKeys(t *testing.T) {
	f := newFixture(t)
	r := httptest.NewRequest("GET", "/workspaces", nil)
	r.Header.Set("Authorization", "Bearer wrong")
	f.send(t, r)
	all := f.audit.all(t)
	if len(all) != 1 || all[0]["outcome"] != "unauthorized" || all[0]["address"] != "192.0.2.1" {
		t.Errorf("got %v", all)
	}
}

func TestNoLogHasASecret(t *testing.T) {
	f := newFixture(t)
	f.service.create = func(string, string, string) (workspace.Details, error) {
		return detailsOf(tenantWorkspace(), "planted_password"), nil
	}
	f.service.query = func(context.Context, string, string) (workspace.Result, error) {
		return workspace.Result{}, workspace.Errorf(workspace.BadRequest, "syntax error at planted_literal")
	}
	f.call(t, "POST", "/workspaces", `{"name": "myapp", "database": "postgresql", "mode": "tenant"}`)
	f.service.createProject = func(string) (workspace.CreatedProject, error) {
		return workspace.CreatedProject{APIKey: "planted_key", ProxyPassword: "planted_password"}, nil
	}
	f.service.createKey = func(workspace.KeyRequest) (workspace.CreatedKey, error) {
		key := workspace.APIKey{ID: "key_2", ProjectID: "tdb_1", Role: "write", Scope: workspace.Scope{Type: "project"}}
		return workspace.CreatedKey{APIKey: key, Secret: "planted_key", ProxyPassword: "planted_password"}, nil
	}
	f.service.createTenant = func(workspace.TenantRequest) (workspace.TenantDetails, error) {
		return acme(workspace.TenantReady, "planted_password"), nil
	}
	f.service.queryTenants = func(workspace.TenantQuery) ([]workspace.TenantResult, error) {
		failed := workspace.Errorf(workspace.BadRequest, "syntax error at planted_literal")
		return []workspace.TenantResult{{Tenant: "acme", Err: failed}}, nil
	}
	f.call(t, "POST", "/tenants", `{"tenant_id": "acme", "databases": [{"blueprint": "fintech"}]}`)
	f.call(t, "POST", "/admin/query", `{"blueprint": "fintech", "query": "SELECT 'planted_literal'", "all_tenants": true}`)
	f.call(t, "POST", "/projects", `{"name": "p"}`)
	f.call(t, "POST", "/apikeys", `{"name": "k"}`)
	f.call(t, "POST", "/workspaces/main/queries", `{"query": "CREATE USER x PASSWORD 'planted_literal'"}`)
	f.call(t, "POST", "/workspaces/main/queries?key=planted_query", `{"query": planted_syntax}`)
	r := httptest.NewRequest("GET", "/workspaces", nil)
	r.Header.Set("Authorization", "Bearer planted_key")
	f.send(t, r)
	for name, text := range map[string]string{"log": f.log.String(), "audit log": f.audit.String()} {
		if text == "" || strings.Contains(text, "planted") || strings.Contains(text, rightKey) {
			t.Errorf("the %s is empty or has a secret\n%s", name, text)
		}
	}
}

func TestLongPathIsShortenedInTheLog(t *testing.T) {
	f := newFixture(t)
	f.call(t, "GET", "/"+strings.Repeat("a", 5000), "")
	if len(f.log.String()) > 1000 {
		t.Errorf("got a line of %d bytes", len(f.log.String()))
	}
}
