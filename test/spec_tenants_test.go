package test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the contract says of blueprints, tenants, deployments and /admin/query,
// against the running program.

// psqlAt runs a statement at a connection string, as psql prints it bare.
func psqlAt(address, statement string) (string, error) {
	out, err := exec.Command("psql", "-XqAt", address, "-c", statement).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func mustPsqlAt(t testing.TB, want, address, statement string) {
	t.Helper()
	if got, err := psqlAt(address, statement); err != nil || got != want {
		t.Errorf("%s: got %q %v, want %q", statement, got, err, want)
	}
}

func TestSpecCreateTenant(t *testing.T) {
	in := shared
	create(t, "spec-tenant", "tenant")
	create(t, "spec-tenant2", "tenant")
	run(t, "spec-tenant", "CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT NOT NULL)")
	body := in.tenant(t, "spec_acme", "spec-tenant")
	shape(t, body, `{"success": true, "http_status": 201, "code": "created", "tenant_id": "acme", "status": "ready", "databases": [{"blueprint": "fintech", "database_type": "PostgreSQL",
		"isolation_level": 1, "connection": {"host": "", "port": 1, "database": "", "user": "", "username": "", "password": "", "connection_string": ""}}]}`)
	d, at := databaseOf(t, body, "spec-tenant"), in.Listeners["postgresql"]
	holds(t, body, `{"success": true, "http_status": 201, "code": "created", "tenant_id": "spec_acme", "status": "ready"}`)
	holds(t, d, `{"database_type": "PostgreSQL", "isolation_level": 1, "version": 1}`)
	c := d["connection"].(map[string]any)
	holds(t, c, fmt.Sprintf(`{"host": %q, "port": %d, "database": "spec-tenant__spec_acme", "username": %q}`, at.Host, at.Port, c["user"]))
	user, password := c["user"].(string), c["password"].(string)
	if !regexp.MustCompile(`^tdb_[0-9a-f]{8}$`).MatchString(user) || !regexp.MustCompile(`^tdb_[0-9a-f]{16}$`).MatchString(password) || user == in.ProjectID {
		t.Errorf("user %s or its password is not formed as it should be", user)
	}
	want := fmt.Sprintf("postgresql://%s:%s@%s:%d/spec-tenant__spec_acme?sslmode=require", user, password, at.Host, at.Port)
	if c["connection_string"] != want || d["connection_string"] != want {
		t.Errorf("got %v and %v, want %s", c["connection_string"], d["connection_string"], want)
	}
	mustPsqlAt(t, "spec-tenant__spec_acme", want, "SELECT current_database()")
	mustPsqlAt(t, "1", want, "INSERT INTO users (name) VALUES ('Alice') RETURNING id")
	holds(t, run(t, "spec-tenant", "SELECT count(*) FROM users"), `{"rows": [[0]]}`)

	// Another blueprint is another database, with a login of its own; the
	// password of the first is not shown again.
	more := in.must(t, http.StatusCreated, "POST", "/tenants", map[string]any{"tenant_id": "spec_acme", "databases": []map[string]any{{"blueprint": "spec-tenant2", "isolation_level": 1}}})
	masked := maps.Clone(c)
	masked["password"], masked["connection_string"] = "••••••••", strings.ReplaceAll(want, password, "••••••••")
	if got := databaseOf(t, more, "spec-tenant")["connection"].(map[string]any); !maps.Equal(got, masked) {
		t.Errorf("got %v, want %v", got, masked)
	}
	mustPsqlAt(t, "spec-tenant2__spec_acme", addressOf(t, more, "spec-tenant2"), "SELECT current_database()")
	if _, err := psqlAt(strings.Replace(want, "spec-tenant__", "spec-tenant2__", 1), "SELECT 1"); err == nil {
		t.Error("the login of one database opens the other")
	}

	details := in.must(t, http.StatusOK, "GET", "/tenants/spec_acme", nil)
	holds(t, details, `{"success": true, "http_status": 200, "code": "ok", "tenant_id": "spec_acme", "status": "ready"}`)
	mustBeUTC(t, details["created_at"])
	if text := fmt.Sprint(details); strings.Contains(text, password) || strings.Count(text, "••••••••@") != 4 {
		t.Errorf("details do not mask the passwords: %s", text)
	}
	audit, err := os.ReadFile(filepath.Join(in.dir, "audit.log"))
	if err != nil || !strings.Contains(string(audit), `"tenant":"spec_acme"`) {
		t.Errorf("the audit log does not have it: %v", err)
	}
	if strings.Contains(string(audit), password) || strings.Contains(in.log.String(), password) {
		t.Error("a log has the password")
	}
	list := in.must(t, http.StatusOK, "GET", "/tenants", nil)
	if all := list["tenants"].([]any); list["count"] != float64(len(all)) || !strings.Contains(fmt.Sprint(all), fmt.Sprint(details["databases"])) {
		t.Errorf("the list does not have it: %v", list)
	}
}

func TestSpecTenantRequestsAreRefused(t *testing.T) {
	in := shared
	create(t, "spec-refused", "tenant")
	create(t, "spec-refused-control", "control")
	in.tenant(t, "spec_refused", "spec-refused")
	for _, c := range []struct {
		what, method, path, content string
		status                      int
		names                       string
	}{
		{"no name", "POST", "/tenants", `{"databases": [{"blueprint": "spec-refused"}]}`, 400, "tenant_id"},
		{"empty name", "POST", "/tenants", `{"tenant_id": "", "databases": [{"blueprint": "spec-refused"}]}`, 400, "tenant_id"},
		{"upper case", "POST", "/tenants", `{"tenant_id": "Acme", "databases": [{"blueprint": "spec-refused"}]}`, 400, "tenant_id"},
		{"hyphen", "POST", "/tenants", `{"tenant_id": "ac-me", "databases": [{"blueprint": "spec-refused"}]}`, 400, "tenant_id"},
		{"separator", "POST", "/tenants", `{"tenant_id": "a__b", "databases": [{"blueprint": "spec-refused"}]}`, 400, "__"},
		{"quote", "POST", "/tenants", `{"tenant_id": "a';--", "databases": [{"blueprint": "spec-refused"}]}`, 400, "tenant_id"},
		{"no databases", "POST", "/tenants", `{"tenant_id": "acme"}`, 400, "databases"},
		{"empty databases", "POST", "/tenants", `{"tenant_id": "acme", "databases": []}`, 400, "databases"},
		{"no blueprint", "POST", "/tenants", `{"tenant_id": "acme", "databases": [{}]}`, 400, "databases[0].blueprint"},
		{"wrong type", "POST", "/tenants", `{"tenant_id": "acme", "databases": [{"blueprint": 1}]}`, 400, "databases[0].blueprint"},
		{"unknown field", "POST", "/tenants", `{"tenant_id": "acme", "databases": [{"blueprint": "spec-refused", "size": 1}]}`, 400, "databases[0].size"},
		{"twice", "POST", "/tenants", `{"tenant_id": "acme", "databases": [{"blueprint": "spec-refused"}, {"blueprint": "spec-refused"}]}`, 400, "spec-refused"},
		{"control mode", "POST", "/tenants", `{"tenant_id": "acme", "databases": [{"blueprint": "spec-refused-control"}]}`, 400, "control mode"},
		{"unknown level", "POST", "/tenants", `{"tenant_id": "acme", "databases": [{"blueprint": "spec-refused", "isolation_level": 3}]}`, 400, "isolation_level"},
		{"no server of its own", "POST", "/tenants", `{"tenant_id": "acme", "databases": [{"blueprint": "spec-refused", "isolation_level": 2}]}`, 400, ""},
		{"unknown blueprint", "POST", "/tenants", `{"tenant_id": "acme", "databases": [{"blueprint": "never-made"}]}`, 404, "never-made"},
		{"there already", "POST", "/tenants", `{"tenant_id": "spec_refused", "databases": [{"blueprint": "spec-refused"}]}`, 409, "spec_refused"},
		{"unknown tenant", "GET", "/tenants/never_made", "", 404, "Tenant not found: never_made"},
		{"unknown tenant", "POST", "/tenants/never_made/suspend", "", 404, "Tenant not found: never_made"},
		{"unknown tenant", "POST", "/tenants/never_made/resume", "", 404, "Tenant not found: never_made"},
		{"unknown tenant", "POST", "/tenants/never_made/restore", "", 404, "Tenant not found: never_made"},
		{"unknown tenant", "DELETE", "/tenants/never_made", "", 404, "Tenant not found: never_made"},
		{"unknown tenant", "DELETE", "/tenants/never_made?hard=true", "", 404, "Tenant not found: never_made"},
		{"doubtful delete", "DELETE", "/tenants/spec_refused?hard=yes", "", 400, "hard"},
		{"not in the trash", "POST", "/tenants/spec_refused/restore", "", 409, "spec_refused"},
		{"unknown blueprint", "GET", "/blueprints/never-made", "", 404, "never-made"},
		{"unknown blueprint", "GET", "/blueprints/never-made/versions", "", 404, "never-made"},
		{"no blueprint in control mode", "GET", "/blueprints/spec-refused-control", "", 400, "control mode"},
		{"no blueprint name", "POST", "/deployments", `{"deploy_all": true}`, 400, "blueprint_name"},
		{"unknown blueprint", "POST", "/deployments", `{"blueprint_name": "never-made", "deploy_all": true}`, 404, "never-made"},
		{"no tenants", "POST", "/deployments", `{"blueprint_name": "spec-refused"}`, 400, "deploy_all"},
		{"no tenants", "POST", "/deployments", `{"blueprint_name": "spec-refused", "tenants": []}`, 400, "deploy_all"},
		{"some and all", "POST", "/deployments", `{"blueprint_name": "spec-refused", "deploy_all": true, "tenants": ["spec_refused"]}`, 400, "deploy_all"},
		{"unknown tenant", "POST", "/deployments", `{"blueprint_name": "spec-refused", "tenants": ["never_made"]}`, 404, "never_made"},
		{"version to come", "POST", "/deployments", `{"blueprint_name": "spec-refused", "version": 9, "deploy_all": true}`, 400, "version"},
		{"doubtful dry run", "POST", "/deployments?dry_run=1", `{"blueprint_name": "spec-refused", "deploy_all": true}`, 400, "dry_run"},
		{"unknown deployment", "GET", "/deployments/dep_0", "", 404, "dep_0"},
		{"no tenant", "POST", "/admin/query", `{"blueprint": "spec-refused", "query": "SELECT 1"}`, 400, "all_tenants"},
		{"one and all", "POST", "/admin/query", `{"blueprint": "spec-refused", "query": "SELECT 1", "tenant_id": "spec_refused", "all_tenants": true}`, 400, "all_tenants"},
		{"no query", "POST", "/admin/query", `{"blueprint": "spec-refused", "tenant_id": "spec_refused"}`, 400, "query"},
		{"unknown tenant", "POST", "/admin/query", `{"blueprint": "spec-refused", "query": "SELECT 1", "tenant_id": "never_made"}`, 404, "never_made"},
		{"unknown blueprint", "POST", "/admin/query", `{"blueprint": "never-made", "query": "SELECT 1", "all_tenants": true}`, 404, "never-made"},
	} {
		a, _ := ask(t, c.method, c.path, c.content, map[string]string{"Authorization": "Bearer " + in.APIKey})
		code := map[int]string{400: "bad_request", 404: "not_found", 409: "conflict"}[c.status]
		if a.status != c.status || !strings.Contains(fmt.Sprint(a.body["error"]), c.names) {
			t.Errorf("%s: %s %s %s: got %d %v, want %d with %q", c.what, c.method, c.path, c.content, a.status, a.body["error"], c.status, c.names)
		}
		mustBeError(t, a, code)
	}
}

func TestSpecTenantsOfAnotherProjectAreUnknown(t *testing.T) {
	in := shared
	create(t, "spec-mine", "tenant")
	in.tenant(t, "spec_mine", "spec-mine")
	deployment := in.deploy(t, map[string]any{"blueprint_name": "spec-mine", "deploy_all": true})["id"]

	project := in.must(t, http.StatusCreated, "POST", "/projects", map[string]any{"name": "spec-theirs"})
	t.Cleanup(func() { in.call(t, "DELETE", "/projects/"+project["project_id"].(string), nil) })
	theirs := &installation{ready: in.ready}
	theirs.APIKey = project["api_key"].(string)
	for _, c := range []struct {
		method, path string
		body         map[string]any
	}{
		{"GET", "/blueprints/spec-mine", nil},
		{"GET", "/blueprints/spec-mine/versions", nil},
		{"GET", "/tenants/spec_mine", nil},
		{"POST", "/tenants/spec_mine/suspend", nil},
		{"DELETE", "/tenants/spec_mine?hard=true", nil},
		{"GET", fmt.Sprint("/deployments/", deployment), nil},
		{"POST", "/deployments", map[string]any{"blueprint_name": "spec-mine", "deploy_all": true}},
		{"POST", "/tenants", map[string]any{"tenant_id": "spec_theirs", "databases": []map[string]any{{"blueprint": "spec-mine"}}}},
		{"POST", "/admin/query", map[string]any{"blueprint": "spec-mine", "query": "SELECT 1", "tenant_id": "spec_mine"}},
	} {
		if a := theirs.call(t, c.method, c.path, c.body); a.status != http.StatusNotFound {
			t.Errorf("%s %s: got %d %v, want 404", c.method, c.path, a.status, a.body)
		}
	}
	for _, path := range []string{"/blueprints", "/tenants", "/deployments"} {
		holds(t, theirs.must(t, http.StatusOK, "GET", path, nil), `{"count": 0}`)
	}
	// The same names may be used there, and are theirs.
	theirs.must(t, http.StatusCreated, "POST", "/workspaces", map[string]any{"name": "spec-mine", "database": "PostgreSQL", "mode": "tenant"})
	body := theirs.tenant(t, "spec_mine", "spec-mine")
	if d := databaseOf(t, body, "spec-mine")["connection"].(map[string]any)["database"]; d == "spec-mine__spec_mine" {
		t.Error("the two tenants have one database")
	}
	if _, err := psqlAt(addressOf(t, body, "spec-mine"), "SELECT 1"); err != nil {
		t.Error(err)
	}
}

func TestSpecRolesAndScopesHoldForTenants(t *testing.T) {
	in := shared
	for _, name := range []string{"spec-scope", "spec-scope2"} {
		create(t, name, "tenant")
	}
	in.tenant(t, "spec_scope", "spec-scope")
	in.tenant(t, "spec_scope2", "spec-scope", "spec-scope2")
	deployment := fmt.Sprint("/deployments/", in.deploy(t, map[string]any{"blueprint_name": "spec-scope", "deploy_all": true})["id"])
	key := func(request map[string]any) *installation {
		t.Helper()
		request["name"] = "spec-scope"
		made := in.must(t, http.StatusCreated, "POST", "/apikeys", request)
		t.Cleanup(func() { in.call(t, "DELETE", fmt.Sprint("/apikeys/", made["id"]), nil) })
		other := &installation{ready: in.ready}
		other.APIKey = made["api_key"].(string)
		return other
	}
	reader := key(map[string]any{"role": "read"})
	ofTenant := key(map[string]any{"scope_type": "tenant", "scope_values": []string{"spec_scope"}})
	ofBlueprint := key(map[string]any{"scope_type": "workspace", "scope_values": []string{"spec-scope"}})
	deployAll := map[string]any{"blueprint_name": "spec-scope", "deploy_all": true}
	ask := map[string]any{"blueprint": "spec-scope", "query": "SELECT 1", "tenant_id": "spec_scope"}
	askOther := map[string]any{"blueprint": "spec-scope", "query": "SELECT 1", "tenant_id": "spec_scope2"}
	askAll := map[string]any{"blueprint": "spec-scope", "query": "SELECT 1", "all_tenants": true}
	for _, c := range []struct {
		who          string
		key          *installation
		method, path string
		body         map[string]any
		status       int
	}{
		{"reader", reader, "GET", "/tenants/spec_scope", nil, 200},
		{"reader", reader, "GET", "/blueprints/spec-scope", nil, 200},
		{"reader", reader, "GET", deployment, nil, 200},
		{"reader", reader, "POST", "/tenants", map[string]any{"tenant_id": "spec_new", "databases": []map[string]any{{"blueprint": "spec-scope"}}}, 403},
		{"reader", reader, "POST", "/tenants/spec_scope/suspend", nil, 403},
		{"reader", reader, "POST", "/tenants/spec_scope/resume", nil, 403},
		{"reader", reader, "POST", "/tenants/spec_scope/restore", nil, 403},
		{"reader", reader, "DELETE", "/tenants/spec_scope", nil, 403},
		{"reader", reader, "POST", "/deployments", deployAll, 403},
		{"reader", reader, "POST", "/deployments?dry_run=true", deployAll, 403},
		{"reader", reader, "POST", "/admin/query", ask, 403},

		{"tenant's", ofTenant, "GET", "/tenants/spec_scope", nil, 200},
		{"tenant's", ofTenant, "GET", "/tenants/spec_scope2", nil, 403},
		{"tenant's", ofTenant, "GET", "/tenants/never_made", nil, 403},
		{"tenant's", ofTenant, "POST", "/tenants/spec_scope2/suspend", nil, 403},
		{"tenant's", ofTenant, "DELETE", "/tenants/spec_scope2?hard=true", nil, 403},
		{"tenant's", ofTenant, "POST", "/admin/query", ask, 200},
		{"tenant's", ofTenant, "POST", "/admin/query", askOther, 403},
		{"tenant's", ofTenant, "POST", "/admin/query", askAll, 403},
		{"tenant's", ofTenant, "POST", "/deployments", deployAll, 403},
		{"tenant's", ofTenant, "GET", "/blueprints/spec-scope", nil, 403},

		{"blueprint's", ofBlueprint, "GET", "/blueprints/spec-scope", nil, 200},
		{"blueprint's", ofBlueprint, "GET", "/blueprints/spec-scope2", nil, 403},
		{"blueprint's", ofBlueprint, "GET", "/blueprints/spec-scope2/versions", nil, 403},
		{"blueprint's", ofBlueprint, "POST", "/deployments?dry_run=true", deployAll, 200},
		{"blueprint's", ofBlueprint, "POST", "/deployments", map[string]any{"blueprint_name": "spec-scope2", "deploy_all": true}, 403},
		{"blueprint's", ofBlueprint, "POST", "/admin/query", askAll, 200},
	} {
		if a := c.key.call(t, c.method, c.path, c.body); a.status != c.status {
			t.Errorf("%s key: %s %s %v: got %d %v, want %d", c.who, c.method, c.path, c.body, a.status, a.body["error"], c.status)
		}
	}
	holds(t, ofTenant.must(t, http.StatusOK, "GET", "/tenants", nil), `{"count": 1}`)
	holds(t, ofBlueprint.must(t, http.StatusOK, "GET", "/blueprints", nil), `{"count": 1}`)
}

func TestSpecTenantIsSuspendedTrashedAndDeleted(t *testing.T) {
	in := shared
	create(t, "spec-life", "tenant")
	run(t, "spec-life", "CREATE TABLE kept (id int)")
	address := addressOf(t, in.tenant(t, "spec_life", "spec-life"), "spec-life")
	request := map[string]any{"tenant_id": "spec_life", "databases": []map[string]any{{"blueprint": "spec-life"}}}
	mustPsqlAt(t, "7", address, "INSERT INTO kept VALUES (7) RETURNING id")

	holds(t, in.must(t, http.StatusOK, "POST", "/tenants/spec_life/suspend", nil), `{"message": "Tenant 'spec_life' suspended", "tenant_id": "spec_life", "status": "suspended"}`)
	if out, err := psqlAt(address, "SELECT 1"); err == nil || !strings.Contains(out, "is suspended") {
		t.Errorf("a suspended tenant's client: got %q %v", out, err)
	}
	holds(t, in.must(t, http.StatusOK, "POST", "/tenants/spec_life/resume", nil), `{"message": "Tenant 'spec_life' resumed", "status": "ready"}`)
	mustPsqlAt(t, "7", address, "SELECT id FROM kept")

	holds(t, in.must(t, http.StatusOK, "DELETE", "/tenants/spec_life", nil), `{"message": "Tenant 'spec_life' moved to trash", "tenant_id": "spec_life", "status": "trash"}`)
	if _, err := psqlAt(address, "SELECT 1"); err == nil {
		t.Error("a client of a tenant in the trash is let in")
	}
	a := in.call(t, "POST", "/tenants", request)
	if want := "Tenant 'spec_life' is in trash. Use POST /tenants/spec_life/restore or DELETE /tenants/spec_life?hard=true"; a.status != http.StatusConflict || a.body["error"] != want {
		t.Errorf("create again: got %d %v", a.status, a.body["error"])
	}
	mustBeError(t, a, "conflict")
	holds(t, in.must(t, http.StatusOK, "POST", "/tenants/spec_life/restore", nil), `{"message": "Tenant 'spec_life' restored", "status": "ready"}`)
	mustPsqlAt(t, "7", address, "SELECT id FROM kept")

	holds(t, in.must(t, http.StatusOK, "DELETE", "/tenants/spec_life?hard=true", nil), `{"message": "Tenant 'spec_life' deleted", "tenant_id": "spec_life", "status": "deleted"}`)
	if a := in.call(t, "GET", "/tenants/spec_life", nil); a.status != http.StatusNotFound {
		t.Errorf("a tenant deleted for good: got %d, want 404", a.status)
	}
	again := addressOf(t, in.must(t, http.StatusCreated, "POST", "/tenants", request), "spec-life")
	mustPsqlAt(t, "0", again, "SELECT count(*) FROM kept")
}

func TestSpecWorkspaceWithTenantsIsKept(t *testing.T) {
	in := shared
	create(t, "spec-kept", "tenant")
	in.tenant(t, "spec_kept_b", "spec-kept")
	in.tenant(t, "spec_kept_a", "spec-kept")
	in.must(t, http.StatusOK, "DELETE", "/tenants/spec_kept_b", nil) // the trash counts
	a := in.call(t, "DELETE", "/workspaces/spec-kept", nil)
	if a.status != http.StatusConflict {
		t.Fatalf("got %d %v, want 409", a.status, a.body)
	}
	holds(t, a.body, `{"message": "cannot delete workspace with deployed tenants", "reason": "tenants_deployed", "deployed_to": ["spec_kept_a", "spec_kept_b"],
		"action_required": "Delete all tenants first or use a different workspace"}`)
	for _, name := range []string{"spec_kept_a", "spec_kept_b"} {
		in.must(t, http.StatusOK, "DELETE", "/tenants/"+name+"?hard=true", nil)
	}
	in.must(t, http.StatusOK, "DELETE", "/workspaces/spec-kept", nil)
}
