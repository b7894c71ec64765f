package admin

import (
	"net/http"
	"reflect"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestProjectsAreListed(t *testing.T) {
	f := newFixture(t)
	f.service.listProjects = func() ([]workspace.ProjectSummary, error) {
		p := workspace.Project{ID: "tdb_2abf90d3", Name: "default", CreatedAt: tenantWorkspace().CreatedAt}
		return []workspace.ProjectSummary{{Project: p, APIKeys: 2}}, nil
	}
	f.call(t, "GET", "/projects", "").is(`{"success": true, "http_status": 200, "code": "ok", "projects": [
		{"project_id": "tdb_2abf90d3", "name": "default", "api_key_count": 2, "created_at": "2025-01-15T10:30:00Z"}], "count": 1}`)
}

func TestNewProjectShowsItsSecretsOnce(t *testing.T) {
	f := newFixture(t)
	f.service.createProject = func(name string) (workspace.CreatedProject, error) {
		return workspace.CreatedProject{
			Project: workspace.Project{ID: "tdb_1", Name: name}, APIKey: "tenantsdb_sk_1", ProxyPassword: "tdb_2",
		}, nil
	}
	f.call(t, "POST", "/projects", `{"name": "shop"}`).is(`{"success": true, "http_status": 201, "code": "created",
		"project_id": "tdb_1", "name": "shop", "api_key": "tenantsdb_sk_1", "proxy_password": "tdb_2",
		"message": "Project created. Save your API key - it won't be shown again!"}`)
}

func TestDeletedProjectIsNamed(t *testing.T) {
	f := newFixture(t)
	f.service.deleteProject = func(id string) error {
		if id != "tdb_1" {
			t.Errorf("got %q", id)
		}
		return nil
	}
	f.call(t, "DELETE", "/projects/tdb_1", "").is(`{"success": true, "http_status": 200, "code": "ok",
		"project_id": "tdb_1", "message": "project deleted"}`)
}

func TestKeysAreListedWithoutSecrets(t *testing.T) {
	f := newFixture(t)
	f.service.listKeys = func() ([]workspace.APIKey, error) {
		return []workspace.APIKey{{
			ID: "key_1", Name: "ci", Prefix: "tenantsdb_sk_12345678", Hash: []byte("planted"), Role: "write",
			Scope: workspace.Scope{Type: "project"}, CreatedAt: tenantWorkspace().CreatedAt,
		}}, nil
	}
	f.call(t, "GET", "/apikeys", "").is(`{"success": true, "http_status": 200, "code": "ok", "api_keys": [
		{"id": "key_1", "name": "ci", "prefix": "tenantsdb_sk_12345678", "role": "write", "scope_type": "project",
		"scope_values": [], "proxy_user": null, "created_at": "2025-01-15T10:30:00Z"}], "count": 1}`)
}

func TestNewKeyShowsItsSecretsOnce(t *testing.T) {
	f := newFixture(t)
	scope := workspace.Scope{Type: "workspace", Values: []string{"main"}}
	f.service.createKey = func(r workspace.KeyRequest) (workspace.CreatedKey, error) {
		if want := (workspace.KeyRequest{Name: "ci", Role: "read", Scope: scope}); !reflect.DeepEqual(r, want) {
			t.Errorf("got %+v, want %+v", r, want)
		}
		key := workspace.APIKey{
			ID: "key_2", Name: r.Name, Prefix: "tenantsdb_sk_1", Role: r.Role, Scope: r.Scope, CreatedAt: tenantWorkspace().CreatedAt,
			Login: workspace.Credential{ProjectID: "tdb_3"},
		}
		return workspace.CreatedKey{APIKey: key, Secret: "tenantsdb_sk_123", ProxyPassword: "tdb_4"}, nil
	}
	body := `{"name": "ci", "role": "read", "scope_type": "workspace", "scope_values": ["main"]}`
	f.call(t, "POST", "/apikeys", body).is(`{"success": true, "http_status": 201, "code": "created",
		"id": "key_2", "name": "ci", "prefix": "tenantsdb_sk_1", "role": "read", "scope_type": "workspace", "scope_values": ["main"],
		"proxy_user": "tdb_3", "created_at": "2025-01-15T10:30:00Z", "api_key": "tenantsdb_sk_123", "proxy_password": "tdb_4",
		"message": "API key created. Save it - it won't be shown again!"}`)
}

func TestNewKeyOfTheWholeProjectHasItsPassword(t *testing.T) {
	f := newFixture(t)
	f.service.createKey = func(workspace.KeyRequest) (workspace.CreatedKey, error) {
		key := workspace.APIKey{ProjectID: "tdb_1", Role: "write", Scope: workspace.Scope{Type: "project"}}
		return workspace.CreatedKey{APIKey: key, Secret: "s", ProxyPassword: "tdb_2"}, nil
	}
	got := f.call(t, "POST", "/apikeys", `{"name": "ci"}`).want(http.StatusCreated, "created")
	if got.body["proxy_user"] != "tdb_1" || got.body["proxy_password"] != "tdb_2" {
		t.Errorf("got proxy_user %v and proxy_password %v", got.body["proxy_user"], got.body["proxy_password"])
	}
}

func TestRevokedKeyIsNamed(t *testing.T) {
	f := newFixture(t)
	f.service.revokeKey = func(string) error { return nil }
	f.call(t, "DELETE", "/apikeys/key_2", "").is(`{"success": true, "http_status": 200, "code": "ok",
		"id": "key_2", "message": "API key revoked"}`)
}
