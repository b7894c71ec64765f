package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// failing is a service whose every method fails with err.
func failing(f *fixture, err error) {
	f.service.list = func() ([]workspace.Workspace, error) { return nil, err }
	f.service.create = func(string, string, string) (workspace.Details, error) { return workspace.Details{}, err }
	f.service.get = func(string) (workspace.Details, error) { return workspace.Details{}, err }
	f.service.delete = func(string) (workspace.Deleted, error) { return workspace.Deleted{}, err }
	f.service.query = func(context.Context, string, string) (workspace.Result, error) { return workspace.Result{}, err }
	f.service.schema = func(string) ([]workspace.Table, error) { return nil, err }
	f.service.pending = func(string) (workspace.Queue, error) { return workspace.Queue{}, err }
	f.service.skip = func(string, int64) error { return err }
	f.service.revert = func(context.Context, string, int64) (string, error) { return "", err }
	f.service.settings = func(string) (workspace.Workspace, error) { return workspace.Workspace{}, err }
	f.service.updateSettings = func(string, map[string]any) (workspace.Workspace, error) { return workspace.Workspace{}, err }
	failingTenants(f, err)
	f.service.importSchema = func(string, workspace.ImportRequest) (workspace.Imported, error) { return workspace.Imported{}, err }
	f.service.analyzeData = func(string, workspace.DataRequest) (workspace.DataAnalysis, error) {
		return workspace.DataAnalysis{}, err
	}
	f.service.importData = func(string, workspace.DataRequest) (workspace.BegunImport, error) {
		return workspace.BegunImport{}, err
	}
	f.service.importAll = func(string, workspace.DataRequest) (workspace.BegunImport, error) {
		return workspace.BegunImport{}, err
	}
	f.service.importStatus = func(string, string) (workspace.DataImport, error) { return workspace.DataImport{}, err }
	f.service.listProjects = func() ([]workspace.ProjectSummary, error) { return nil, err }
	f.service.createProject = func(string) (workspace.CreatedProject, error) { return workspace.CreatedProject{}, err }
	f.service.deleteProject = func(string) error { return err }
	f.service.listKeys = func() ([]workspace.APIKey, error) { return nil, err }
	f.service.createKey = func(workspace.KeyRequest) (workspace.CreatedKey, error) { return workspace.CreatedKey{}, err }
	f.service.revokeKey = func(string) error { return err }
}

func failingTenants(f *fixture, err error) {
	f.service.blueprints = func() ([]workspace.Blueprint, error) { return nil, err }
	f.service.blueprint = func(string) (workspace.Blueprint, error) { return workspace.Blueprint{}, err }
	f.service.versions = func(string) ([]workspace.Version, error) { return nil, err }
	f.service.listTenants = func() ([]workspace.TenantDetails, error) { return nil, err }
	f.service.getTenant = func(string) (workspace.TenantDetails, error) { return workspace.TenantDetails{}, err }
	f.service.createTenant = func(workspace.TenantRequest) (workspace.TenantDetails, error) { return workspace.TenantDetails{}, err }
	f.service.changeTenant = func(string, string) (workspace.TenantDetails, error) { return workspace.TenantDetails{}, err }
	f.service.deleteTenant = func(string, bool) error { return err }
	f.service.queryTenants = func(workspace.TenantQuery) ([]workspace.TenantResult, error) { return nil, err }
	f.service.deploy = func(workspace.DeploymentRequest) (workspace.Deployment, error) { return workspace.Deployment{}, err }
	f.service.listDeployments = func(string, int) ([]workspace.DeploymentSummary, bool, error) { return nil, false, err }
	f.service.getDeployment = func(string) (workspace.Deployment, error) { return workspace.Deployment{}, err }
}

// bodyFor is a good body for a route; empty where it takes none.
func bodyFor(rt route) string {
	switch {
	case rt.method != "POST" && rt.method != "PATCH":
		return ""
	case strings.HasSuffix(rt.path, "/settings"):
		return `{"max_connections": 1}`
	case rt.path == "/admin/query":
		return `{"blueprint": "main", "query": "SELECT 1", "all_tenants": true}`
	case rt.path == "/tenants":
		return `{"tenant_id": "acme", "databases": [{"blueprint": "main"}]}`
	case rt.path == "/deployments":
		return `{"blueprint_name": "main", "deploy_all": true}`
	case strings.HasSuffix(rt.path, "/schema"):
		return `{"source": "template", "template": "blog"}`
	case strings.Contains(rt.path, "/import-"):
		return `{"connection": {"type": "postgresql", "host": "db.example.com", "database": "mydb"}}`
	case strings.Contains(rt.path, "/quer"):
		return `{"query": "SELECT 1"}`
	case rt.path == "/projects", rt.path == "/apikeys":
		return `{"name": "a"}`
	case rt.path == "/workspaces":
		return `{"name": "a", "database": "postgresql", "mode": "tenant"}`
	}
	return ""
}

func pathFor(rt route) string {
	return strings.NewReplacer("{id}", "main", "{ddl_id}", "42", "{project_id}", "tdb_1", "{key_id}", "key_2",
		"{blueprint}", "main", "{tenant}", "acme", "{deployment}", "dep_1").Replace(rt.path)
}

// keyed are the routes that need a key.
func keyed(f *fixture) []route {
	var keyed []route
	for rt := range maps.Values(f.api.routes) {
		if rt.least != anyone {
			keyed = append(keyed, rt)
		}
	}
	slices.SortFunc(keyed, func(a, b route) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return keyed
}

func TestEveryCodeOfTheDomainHasItsStatusOnEveryRoute(t *testing.T) {
	for code, status := range map[workspace.Code]int{
		workspace.BadRequest:  400,
		workspace.Forbidden:   403,
		workspace.NotFound:    404,
		workspace.Conflict:    409,
		workspace.RateLimited: 429,
		workspace.Unavailable: 503,
		workspace.Internal:    500,
	} {
		f := newFixture(t)
		failing(f, fmt.Errorf("handle: %w", workspace.Errorf(code, "told to the client")))
		for _, rt := range keyed(f) {
			got := f.call(t, rt.method, pathFor(rt), bodyFor(rt)).want(status, string(code))
			if got.body["success"] != false || got.body["http_status"] != float64(status) {
				t.Errorf("got envelope %v", got.body)
			}
			if status != 500 {
				got.says("told to the client")
			}
			if retry := got.Header().Get("Retry-After"); (status == 429) != (retry != "") {
				t.Errorf("got Retry-After %q", retry)
			}
		}
	}
}

func TestInternalErrorTellsOnlyTheRequestID(t *testing.T) {
	for name, err := range map[string]error{
		"of Go":         errors.New("planted detail"),
		"of the domain": workspace.Errorf(workspace.Internal, "planted detail"),
		"with a cause":  workspace.Errorf(workspace.Internal, "broken").Because(errors.New("planted detail")),
	} {
		f := newFixture(t)
		failing(f, err)
		got := f.call(t, "GET", "/workspaces", "").want(http.StatusInternalServerError, "internal_error")
		if strings.Contains(got.Body.String(), "planted") {
			t.Errorf("%s: the answer tells the detail\n%s", name, got.Body)
		}
		id, _ := got.body["request_id"].(string)
		if id == "" || id != got.Header().Get("X-Request-Id") {
			t.Errorf("%s: got request_id %q, header %q", name, id, got.Header().Get("X-Request-Id"))
		}
		if !strings.Contains(f.log.String(), "planted detail") || !strings.Contains(f.log.String(), id) {
			t.Errorf("%s: the log lacks the detail or the id\n%s", name, f.log)
		}
	}
}

func TestUnavailableKeepsItsCauseForTheLog(t *testing.T) {
	f := newFixture(t)
	failing(f, workspace.Errorf(workspace.Unavailable, "the database server can't be reached").Because(errors.New("dial 10.0.0.5 refused")))
	got := f.call(t, "GET", "/workspaces", "").want(http.StatusServiceUnavailable, "unavailable")
	if strings.Contains(got.Body.String(), "10.0.0.5") || !strings.Contains(f.log.String(), "10.0.0.5") {
		t.Errorf("answer %s\nlog %s", got.Body, f.log)
	}
}

func TestPanicIsAnInternalErrorAndLogged(t *testing.T) {
	f := newFixture(t)
	f.service.list = func() ([]workspace.Workspace, error) { panic("planted panic") }
	got := f.call(t, "GET", "/workspaces", "").want(http.StatusInternalServerError, "internal_error")
	if strings.Contains(got.Body.String(), "planted") || !strings.Contains(f.log.String(), "planted panic") {
		t.Errorf("answer %s\nlog %s", got.Body, f.log)
	}
}

func TestUnknownRouteIsNotFoundInJSON(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/nope", "/workspaces/", "//workspaces", "/workspaces/a/b", "/workspaces/../health", "/workspaces//diff", "/workspaces/a%2Fb/diff/"} {
		f.call(t, "GET", path, "").want(http.StatusNotFound, "not_found")
	}
}

func TestAPathIsMatchedAsItWasSent(t *testing.T) {
	f := newFixture(t)
	var asked string
	f.service.get = func(id string) (workspace.Details, error) {
		asked = id
		return workspace.Details{}, workspace.Errorf(workspace.NotFound, "Workspace not found: %s", id)
	}
	for path, want := range map[string]string{
		"/workspaces/a%2Fschema": "a/schema", "/workspaces/my%5Fapp": "my_app", "/workspaces/%C3%BC%20x": "ü x", "/workspaces/ü": "ü",
	} {
		if f.call(t, "GET", path, "").want(http.StatusNotFound, "not_found"); asked != want {
			t.Errorf("%s: asked for %q, want %q", path, asked, want)
		}
	}
}

func TestWrongMethodNamesTheRightOnes(t *testing.T) {
	f := newFixture(t)
	for path, allow := range map[string]string{
		"/workspaces":               "GET, HEAD, POST",
		"/workspaces/main":          "GET, HEAD, DELETE",
		"/workspaces/main/settings": "GET, HEAD, POST, PATCH",
		"/workspaces/main/queries":  "POST",
		"/health":                   "GET, HEAD",
	} {
		got := f.call(t, "PUT", path, "").want(http.StatusMethodNotAllowed, "bad_request").says(allow)
		if got := got.Header().Get("Allow"); got != allow {
			t.Errorf("%s: got Allow %q, want %q", path, got, allow)
		}
	}
}

func TestBodyIsBoundedAndTyped(t *testing.T) {
	tests := []struct {
		name, path, kind string
		size             int
		unsized          bool
		status           int
		code             string
	}{
		{"body too large", "/workspaces", "application/json", mostBody + 1, false, 413, "payload_too_large"},
		{"body too large, length not told", "/workspaces", "application/json", mostBody + 1, true, 413, "payload_too_large"},
		{"query too large", "/workspaces/main/queries", "application/json", mostQuery + 1, true, 413, "payload_too_large"},
		{"query may be larger than other bodies", "/workspaces/main/queries", "application/json", mostQuery, true, 400, "bad_request"},
		{"form", "/workspaces", "application/x-www-form-urlencoded", 10, false, 415, "unsupported_media_type"},
		{"text", "/workspaces/main/settings", "text/plain", 10, false, 415, "unsupported_media_type"},
		{"other charset", "/workspaces", "application/json; charset=utf-16", 10, false, 415, "unsupported_media_type"},
		{"broken type", "/workspaces", "application/json; =", 10, false, 415, "unsupported_media_type"},
		{"utf-8 named", "/workspaces", "application/json; charset=UTF-8", 10, false, 400, "bad_request"},
		{"type not named", "/workspaces", "", 10, false, 400, "bad_request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			r := request("POST", tt.path, strings.Repeat("x", tt.size))
			r.Header.Set("Content-Type", tt.kind)
			if tt.unsized {
				r.ContentLength = -1
			}
			f.send(t, r).want(tt.status, tt.code)
		})
	}
}

func TestCompressedBodyIsRefused(t *testing.T) {
	f := newFixture(t)
	r := request("POST", "/workspaces", "{}")
	r.Header.Set("Content-Encoding", "gzip")
	f.send(t, r).want(http.StatusUnsupportedMediaType, "unsupported_media_type")
}

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	f := newFixture(t)
	for _, r := range []*http.Request{
		request("GET", "/health", ""), request("GET", "/nope", ""), httptest.NewRequest("GET", "/workspaces", nil),
	} {
		got := f.send(t, r)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Type": "application/json",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			if got := got.Header().Get(name); got != want {
				t.Errorf("%s: got %s %q, want %q", r.URL.Path, name, got, want)
			}
		}
	}
}

func TestHeadIsServedWhereGetIs(t *testing.T) {
	f := newFixture(t)
	if got := f.call(t, "HEAD", "/health", ""); got.Code != http.StatusOK {
		t.Errorf("got %d, want 200", got.Code)
	}
}

func TestRefusalKeepsItsOwnKeys(t *testing.T) {
	f := newFixture(t)
	err := workspace.Errorf(workspace.Conflict, "no")
	err.Details = map[string]any{"success": true, "http_status": 200, "code": "ok", "error": "yes", "request_id": 1, "reason": "r"}
	failing(f, err)
	got := f.call(t, "GET", "/workspaces", "")
	if want := `{"success":false,"http_status":409,"code":"conflict","error":"no","reason":"r"}` + "\n"; got.Body.String() != want {
		t.Errorf("got %s, want %s", got.Body, want)
	}
	if len(err.Details) != 6 {
		t.Errorf("the error's own details were changed: %v", err.Details)
	}
}

func TestRefusalArrivesWithoutDetailsThatHaveNoJSON(t *testing.T) {
	f := newFixture(t)
	err := workspace.Errorf(workspace.Conflict, "no")
	err.Details = map[string]any{"reason": make(chan int)}
	failing(f, err)
	f.call(t, "GET", "/workspaces", "").want(http.StatusConflict, "conflict").says("no")
}
