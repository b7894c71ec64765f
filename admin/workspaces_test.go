package admin

import (
	"net/http"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// tenantWorkspace and controlWorkspace are those of the specification.
func tenantWorkspace() workspace.Workspace {
	return workspace.Workspace{
		ID: 1, Name: "myapp", Type: workspace.PostgreSQL, Mode: workspace.Tenant, State: workspace.Ready,
		Database: "myapp_workspace", Settings: workspace.DefaultSettings(), Version: 3,
		CreatedAt: time.Date(2025, 1, 15, 11, 30, 0, 7, time.FixedZone("", 3600)),
	}
}

func controlWorkspace() workspace.Workspace {
	w := tenantWorkspace()
	w.ID, w.Name, w.Mode, w.Database, w.Version = 2, "controlplane", workspace.Control, "controlplane_workspace", 0
	return w
}

func detailsOf(w workspace.Workspace, password string) workspace.Details {
	return workspace.Details{
		Workspace: w,
		Connection: workspace.Connection{
			Host: "pg.tenantsdb.com", Port: 5432, Database: w.Database, User: "tdb_2abf90d3", Password: password,
			String: "postgresql://tdb_2abf90d3:" + password + "@pg.tenantsdb.com:5432/" + w.Database + "?sslmode=require&x=<>",
		},
	}
}

func TestListShowsVersionInTenantModeOnly(t *testing.T) {
	f := newFixture(t)
	f.service.list = func() ([]workspace.Workspace, error) {
		return []workspace.Workspace{tenantWorkspace(), controlWorkspace()}, nil
	}
	f.call(t, "GET", "/workspaces", "").is(`{"success": true, "http_status": 200, "code": "ok", "workspaces": [
		{"id": "myapp", "name": "myapp", "mode": "tenant", "database": "postgresql", "created_at": "2025-01-15T10:30:00Z", "version": 3},
		{"id": "controlplane", "name": "controlplane", "mode": "control", "database": "postgresql", "created_at": "2025-01-15T10:30:00Z"}
	], "count": 2}`)
}

func TestListOfNoneIsEmptyNotNull(t *testing.T) {
	f := newFixture(t)
	f.service.list = func() ([]workspace.Workspace, error) { return nil, nil }
	f.call(t, "GET", "/workspaces", "").is(`{"success": true, "http_status": 200, "code": "ok", "workspaces": [], "count": 0}`)
}

func TestListShowsVersionZero(t *testing.T) {
	f := newFixture(t)
	w := tenantWorkspace()
	w.Version = 0
	f.service.list = func() ([]workspace.Workspace, error) { return []workspace.Workspace{w}, nil }
	item := f.call(t, "GET", "/workspaces", "").body["workspaces"].([]any)[0].(map[string]any)
	if item["version"] != 0.0 {
		t.Errorf("got version %v, want 0", item["version"])
	}
}

func TestCreateTenantWorkspace(t *testing.T) {
	f := newFixture(t)
	f.service.create = func(name, database, mode string) (workspace.Details, error) {
		if name != "myapp" || database != "PostgreSQL" || mode != "tenant" {
			t.Errorf("got %q %q %q", name, database, mode)
		}
		return detailsOf(tenantWorkspace(), "tdb_d2bf66ed7898c448"), nil
	}
	got := f.call(t, "POST", "/workspaces", `{"name": "myapp", "database": "PostgreSQL", "mode": "tenant"}`)
	got.want(http.StatusCreated, "created").is(`{
		"success": true, "http_status": 201, "code": "created",
		"id": "myapp", "mode": "tenant", "blueprint": "myapp", "database": "PostgreSQL",
		"connection": {"host": "pg.tenantsdb.com", "port": 5432, "database": "myapp_workspace",
			"user": "tdb_2abf90d3", "username": "tdb_2abf90d3", "password": "tdb_d2bf66ed7898c448"},
		"connection_string": "postgresql://tdb_2abf90d3:tdb_d2bf66ed7898c448@pg.tenantsdb.com:5432/myapp_workspace?sslmode=require&x=<>"}`)
	if got, want := got.Header().Get("Location"), "/workspaces/myapp"; got != want {
		t.Errorf("got Location %q, want %q", got, want)
	}
}

func TestConnectionStringCanBeCopiedFromTheRawAnswer(t *testing.T) {
	f := newFixture(t)
	details := detailsOf(tenantWorkspace(), "p")
	f.service.get = func(string) (workspace.Details, error) { return details, nil }
	if got := f.call(t, "GET", "/workspaces/myapp", ""); !contains(got.Body.String(), details.Connection.String) {
		t.Errorf("answer escapes the connection string\n%s", got.Body)
	}
}

func TestCreateControlWorkspaceHasNoBlueprint(t *testing.T) {
	f := newFixture(t)
	f.service.create = func(string, string, string) (workspace.Details, error) {
		return detailsOf(controlWorkspace(), "p"), nil
	}
	got := f.call(t, "POST", "/workspaces", `{"name": "controlplane", "database": "postgres", "mode": "control"}`)
	got.want(http.StatusCreated, "created")
	if _, ok := got.body["blueprint"]; ok {
		t.Errorf("got a blueprint\n%s", got.Body)
	}
}

func TestGetWorkspace(t *testing.T) {
	f := newFixture(t)
	details := detailsOf(tenantWorkspace(), "••••••••")
	details.Definitions = []string{"CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT NOT NULL)"}
	details.Undeployed = 2
	f.service.get = func(id string) (workspace.Details, error) {
		if id != "myapp" {
			t.Errorf("got id %q", id)
		}
		return details, nil
	}
	f.call(t, "GET", "/workspaces/myapp", "").is(`{
		"success": true, "http_status": 200, "code": "ok",
		"id": "myapp", "name": "myapp", "mode": "tenant", "database": "postgresql",
		"schema": ["CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT NOT NULL)"], "schema_error": null,
		"undeployed_changes": 2,
		"connection": {"host": "pg.tenantsdb.com", "port": 5432, "database": "myapp_workspace",
			"user": "tdb_2abf90d3", "username": "tdb_2abf90d3", "password": "••••••••"},
		"connection_string": "postgresql://tdb_2abf90d3:••••••••@pg.tenantsdb.com:5432/myapp_workspace?sslmode=require&x=<>",
		"settings": {"query_timeout_ms": 30000, "max_rows_per_query": 10000, "max_connections": 100},
		"version": 3, "created_at": "2025-01-15T10:30:00Z"}`)
}

func TestGetControlWorkspaceWithUnreadableSchema(t *testing.T) {
	f := newFixture(t)
	details := detailsOf(controlWorkspace(), "••••••••")
	details.SchemaError = "the server is away"
	f.service.get = func(string) (workspace.Details, error) { return details, nil }
	got := f.call(t, "GET", "/workspaces/controlplane", "").want(http.StatusOK, "ok")
	if got.body["schema_error"] != "the server is away" {
		t.Errorf("got schema_error %v", got.body["schema_error"])
	}
	for _, key := range []string{"version", "undeployed_changes"} {
		if _, ok := got.body[key]; ok {
			t.Errorf("control mode has %s", key)
		}
	}
}

func TestDeleteWorkspace(t *testing.T) {
	f := newFixture(t)
	f.service.delete = func(id string) (workspace.Deleted, error) {
		return workspace.Deleted{Name: id, Mode: workspace.Tenant, VersionsDeleted: 3}, nil
	}
	f.call(t, "DELETE", "/workspaces/main", "").is(`{
		"success": true, "http_status": 200, "code": "ok", "message": "workspace deleted",
		"details": {"workspace": "main", "mode": "tenant", "versions_deleted": 3, "deletion_type": "full", "physical_db": true}}`)
}

func TestDeleteWithTenantsSaysWhatToDo(t *testing.T) {
	f := newFixture(t)
	f.service.delete = func(string) (workspace.Deleted, error) {
		err := workspace.Errorf(workspace.Conflict, "cannot delete workspace with deployed tenants")
		err.Details = map[string]any{
			"message": "cannot delete workspace with deployed tenants", "reason": "tenants_deployed",
			"deployed_to":     []string{"acme", "globex"},
			"action_required": "Delete all tenants first or use a different workspace",
		}
		return workspace.Deleted{}, err
	}
	f.call(t, "DELETE", "/workspaces/main", "").want(http.StatusConflict, "conflict").is(`{
		"success": false, "http_status": 409, "code": "conflict",
		"error": "cannot delete workspace with deployed tenants",
		"message": "cannot delete workspace with deployed tenants", "reason": "tenants_deployed",
		"deployed_to": ["acme", "globex"],
		"action_required": "Delete all tenants first or use a different workspace"}`)
}
