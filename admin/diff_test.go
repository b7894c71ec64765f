package admin

import (
	"context"
	"net/http"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestDiffShowsTheQueue(t *testing.T) {
	f := newFixture(t)
	at := tenantWorkspace().CreatedAt
	f.service.settings = func(string) (workspace.Workspace, error) { return tenantWorkspace(), nil }
	f.service.pending = func(string) (workspace.Queue, error) {
		return workspace.Queue{Workspace: "myapp", Version: 3, Pending: []workspace.Entry{
			{ID: 41, Version: 2, Status: "pending", Change: workspace.Change{
				JournalID: 9, Unit: "u", Statement: "CREATE TABLE users (id int)", Operation: "CREATE TABLE", ObjectType: "table",
				Object: "users", Identity: "public.users", Reversible: true, Reverse: "DROP TABLE IF EXISTS users;",
				Session: map[string]string{"search_path": "app"}, Source: "proxy", Warnings: []string{"w"}, At: at,
			}},
			{ID: 42, Version: 3, Status: "pending", Change: workspace.Change{
				Statement: "DROP TABLE users", Operation: "DROP TABLE", ObjectType: "table", Object: "users",
				WhyNot: "the data is gone", Source: "api", At: at,
			}},
		}}, nil
	}
	f.call(t, "GET", "/workspaces/myapp/diff", "").is(`{"success": true, "http_status": 200, "code": "ok",
		"workspace": "myapp", "blueprint": "myapp", "version": 3, "count": 2, "pending": [
		{"id": 41, "version": 2, "ddl": "CREATE TABLE users (id int)", "database": "postgresql", "operation": "CREATE TABLE",
			"object_type": "table", "object": "users", "reversible": true, "reverse": "DROP TABLE IF EXISTS users;", "source": "proxy",
			"session": {"search_path": "app"}, "status": "pending", "warnings": ["w"], "created_at": "2025-01-15T10:30:00Z"},
		{"id": 42, "version": 3, "ddl": "DROP TABLE users", "database": "postgresql", "operation": "DROP TABLE",
			"object_type": "table", "object": "users", "reversible": false, "reverse": null, "not_reversible": "the data is gone",
			"source": "api", "session": {}, "status": "pending", "warnings": [], "created_at": "2025-01-15T10:30:00Z"}
	]}`)
}

func TestDiffOfAControlWorkspaceIsRefused(t *testing.T) {
	f := newFixture(t)
	f.service.settings = func(string) (workspace.Workspace, error) { return controlWorkspace(), nil }
	f.service.pending = func(string) (workspace.Queue, error) {
		return workspace.Queue{}, workspace.Errorf(workspace.BadRequest, "control mode has no deploy queue")
	}
	f.call(t, "GET", "/workspaces/controlplane/diff", "").want(http.StatusBadRequest, "bad_request").says("control mode")
}

func TestSkipAnswersTheSpecifiedMessage(t *testing.T) {
	f := newFixture(t)
	f.service.skip = func(id string, ddlID int64) error {
		if id != "main" || ddlID != 42 {
			t.Errorf("got %q %d", id, ddlID)
		}
		return nil
	}
	f.call(t, "DELETE", "/workspaces/main/diff/42", "").is(`{
		"success": true, "http_status": 200, "code": "ok", "message": "DDL 42 removed from deploy queue"}`)
}

func TestRevertAnswersTheSpecifiedMessage(t *testing.T) {
	f := newFixture(t)
	f.service.revert = func(context.Context, string, int64) (string, error) { return "DROP TABLE IF EXISTS users;", nil }
	f.call(t, "POST", "/workspaces/main/diff/42/revert", "").is(`{
		"success": true, "http_status": 200, "code": "ok", "message": "Reverted: DROP TABLE IF EXISTS users;"}`)
}

func TestChangeIDThatIsNoNumberIsUnknown(t *testing.T) {
	f := newFixture(t)
	for _, id := range []string{"abc", "4.2", "99999999999999999999", "%00"} {
		f.call(t, "DELETE", "/workspaces/main/diff/"+id, "").want(http.StatusNotFound, "not_found")
		f.call(t, "POST", "/workspaces/main/diff/"+id+"/revert", "").want(http.StatusNotFound, "not_found")
	}
}
