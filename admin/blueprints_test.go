package admin

import (
	"net/http"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestBlueprintsAreListed(t *testing.T) {
	f := newFixture(t)
	f.service.blueprints = func() ([]workspace.Blueprint, error) {
		return []workspace.Blueprint{{Workspace: tenantWorkspace(), Tenants: 2}}, nil
	}
	f.call(t, "GET", "/blueprints", "").is(`{"success": true, "http_status": 200, "code": "ok", "blueprints": [
		{"name": "myapp", "database": "postgresql", "workspace_id": "myapp", "current_version": 3, "tenant_count": 2,
		"created_at": "2025-01-15T10:30:00Z"}], "count": 1}`)
	f.service.blueprints = func() ([]workspace.Blueprint, error) { return nil, nil }
	f.call(t, "GET", "/blueprints", "").is(`{"success": true, "http_status": 200, "code": "ok", "blueprints": [], "count": 0}`)
}

func TestBlueprintHasTheSchemaOfNewTenants(t *testing.T) {
	f := newFixture(t)
	var schema []string
	f.service.blueprint = func(name string) (workspace.Blueprint, error) {
		if name != "myapp" {
			return workspace.Blueprint{}, workspace.Errorf(workspace.NotFound, "Blueprint not found: %s", name)
		}
		return workspace.Blueprint{Workspace: tenantWorkspace(), Schema: schema}, nil
	}
	const head = `{"success": true, "http_status": 200, "code": "ok", "name": "myapp", "database": "postgresql", "workspace_id": "myapp",
		"current_version": 3, "tenant_count": 0, "created_at": "2025-01-15T10:30:00Z", "schema": `
	f.call(t, "GET", "/blueprints/myapp", "").is(head + `[]}`)
	schema = []string{"CREATE TABLE users (id int)", "ALTER TABLE users ADD name text"}
	f.call(t, "GET", "/blueprints/myapp", "").is(head + `["CREATE TABLE users (id int)", "ALTER TABLE users ADD name text"]}`)
	f.call(t, "GET", "/blueprints/other", "").want(http.StatusNotFound, "not_found").says("Blueprint not found: other")
}

func TestVersionsSayWhatTheyBringAndWhen(t *testing.T) {
	f := newFixture(t)
	at := tenantWorkspace().CreatedAt
	f.service.versions = func(name string) ([]workspace.Version, error) {
		if name != "myapp" {
			t.Errorf("got %q", name)
		}
		return []workspace.Version{
			{Number: 2, CreatedAt: at}, // all of it was skipped
			{Number: 1, CreatedAt: at, DeployedAt: &at, Entries: []workspace.Entry{
				{Change: workspace.Change{Statement: "CREATE TABLE a (i int)"}}, {Change: workspace.Change{Statement: "CREATE TABLE b (i int)"}},
			}},
		}, nil
	}
	f.call(t, "GET", "/blueprints/myapp/versions", "").is(`{"success": true, "http_status": 200, "code": "ok", "blueprint": "myapp", "versions": [
		{"version": 2, "ddl_count": 0, "ddl": [], "created_at": "2025-01-15T10:30:00Z", "deployed_at": null},
		{"version": 1, "ddl_count": 2, "ddl": ["CREATE TABLE a (i int)", "CREATE TABLE b (i int)"],
			"created_at": "2025-01-15T10:30:00Z", "deployed_at": "2025-01-15T10:30:00Z"}], "count": 2}`)
}
