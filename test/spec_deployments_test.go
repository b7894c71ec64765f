package test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestSpecDeployment(t *testing.T) {
	in := shared
	create(t, "spec-deploy", "tenant")
	d := database{installation: in, id: "spec-deploy"}
	run(t, "spec-deploy", "CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT)")
	acme := addressOf(t, in.tenant(t, "spec_deploy_acme", "spec-deploy"), "spec-deploy")
	mustPsqlAt(t, "1", acme, "INSERT INTO users (name) VALUES ('Alice') RETURNING id")
	if queue := d.queue(t); len(queue) != 0 {
		t.Errorf("what the tenant has is still pending: %v", queue)
	}

	run(t, "spec-deploy", "ALTER TABLE users ADD COLUMN email TEXT")
	run(t, "spec-deploy", "CREATE TABLE skipped (id int)")
	skipped := d.queue(t)[1].ID
	in.must(t, http.StatusOK, "DELETE", fmt.Sprintf("/workspaces/spec-deploy/diff/%d", skipped), nil)
	run(t, "spec-deploy", "CREATE INDEX users_email ON users (email)")
	queue := d.queue(t)
	all := map[string]any{"blueprint_name": "spec-deploy", "deploy_all": true}

	plan := in.must(t, http.StatusOK, "POST", "/deployments?dry_run=true", all)
	holds(t, plan, `{"success": true, "http_status": 200, "code": "ok", "dry_run": true, "blueprint_name": "spec-deploy", "version": 4, "tenants_total": 1,
		"plan": [{"tenant_id": "spec_deploy_acme", "from_version": 1, "to_version": 4, "ddl": ["ALTER TABLE users ADD COLUMN email TEXT", "CREATE INDEX users_email ON users (email)"]}]}`)
	if after := d.queue(t); len(after) != 2 {
		t.Errorf("the dry run deployed: %v", after)
	}

	begun := in.must(t, http.StatusCreated, "POST", "/deployments", map[string]any{"blueprint_name": "spec-deploy", "version": 2, "tenants": []string{"spec_deploy_acme"}})
	shape(t, begun, `{"id": "dep_1", "blueprint_name": "", "version": 2, "status": "", "tenants_total": 1, "tenants_completed": 0, "tenants_failed": 0, "created_at": ""}`)
	mustBeUTC(t, begun["created_at"])
	path := fmt.Sprint("/deployments/", begun["id"])
	if !strings.HasPrefix(path, "/deployments/dep_") {
		t.Errorf("got id %v", begun["id"])
	}
	eventually(t, "the deployment has ended", func() bool {
		return in.must(t, http.StatusOK, "GET", path, nil)["completed_at"] != nil
	})
	ended := in.must(t, http.StatusOK, "GET", path, nil)
	shape(t, ended, `{"results": [{"tenant_id": "", "status": "", "duration": "", "version": 1}], "completed_at": ""}`)
	holds(t, ended, `{"blueprint_name": "spec-deploy", "version": 2, "status": "completed", "tenants_total": 1, "tenants_completed": 1, "tenants_failed": 0}`)
	holds(t, ended["results"].([]any)[0].(map[string]any), `{"tenant_id": "spec_deploy_acme", "status": "completed", "version": 2, "error": null}`)
	mustPsqlAt(t, "Alice|", acme, "SELECT name, email FROM users")
	mustPsqlAt(t, "t", acme, "SELECT to_regclass('users_email') IS NULL")

	// Deployed entries can't be reverted any more, the others can.
	a := in.call(t, "POST", fmt.Sprintf("/workspaces/spec-deploy/diff/%d/revert", queue[0].ID), nil)
	if a.status != http.StatusNotFound || a.body["error"] != "Cannot revert DDLs already deployed to tenants. Create a new migration instead." {
		t.Errorf("revert of a deployed entry: got %d %v", a.status, a.body)
	}
	if a := in.call(t, "DELETE", fmt.Sprintf("/workspaces/spec-deploy/diff/%d", queue[0].ID), nil); a.status != http.StatusNotFound {
		t.Errorf("skip of a deployed entry: got %d %v", a.status, a.body)
	}

	in.deployAll(t, "spec-deploy")
	in.deployAll(t, "spec-deploy") // once more changes nothing
	globex := addressOf(t, in.tenant(t, "spec_deploy_globex", "spec-deploy"), "spec-deploy")
	for _, address := range []string{acme, globex} {
		mustPsqlAt(t, "t|t", address, "SELECT to_regclass('users_email') IS NOT NULL, to_regclass('skipped') IS NULL")
	}
	holds(t, in.must(t, http.StatusOK, "GET", "/workspaces/spec-deploy", nil), `{"version": 4, "undeployed_changes": 0}`)

	list := in.must(t, http.StatusOK, "GET", "/deployments", nil)["deployments"].([]any)
	holds(t, list[0].(map[string]any), `{"blueprint_name": "spec-deploy", "version": 4, "status": "completed", "tenants_total": 1, "tenants_completed": 1, "tenants_failed": 0}`)

	blueprint := in.must(t, http.StatusOK, "GET", "/blueprints/spec-deploy", nil)
	holds(t, blueprint, `{"name": "spec-deploy", "database": "postgresql", "workspace_id": "spec-deploy", "current_version": 4, "tenant_count": 2,
		"schema": ["CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT)", "ALTER TABLE users ADD COLUMN email TEXT", "CREATE INDEX users_email ON users (email)"]}`)
	versions := in.must(t, http.StatusOK, "GET", "/blueprints/spec-deploy/versions", nil)
	shape(t, versions, `{"versions": [{"version": 1, "ddl_count": 1, "ddl": [], "created_at": ""}], "count": 4}`)
	for i, v := range versions["versions"].([]any) {
		count := 1
		if i == 1 { // version 3, whose statement was skipped
			count = 0
		}
		holds(t, v.(map[string]any), fmt.Sprintf(`{"version": %d, "ddl_count": %d}`, 4-i, count))
	}
}

// One tenant's failure is its own, and leaves nothing of the version behind.
func TestSpecDeploymentFailsForOneTenant(t *testing.T) {
	in := shared
	create(t, "spec-partial", "tenant")
	run(t, "spec-partial", "CREATE TABLE users (name TEXT)")
	acme := addressOf(t, in.tenant(t, "spec_partial_a", "spec-partial"), "spec-partial")
	globex := addressOf(t, in.tenant(t, "spec_partial_b", "spec-partial"), "spec-partial")
	mustPsqlAt(t, "", acme, "INSERT INTO users VALUES ('twice'), ('twice')")
	run(t, "spec-partial", "BEGIN; CREATE TABLE beside (id int); CREATE UNIQUE INDEX users_name ON users (name); COMMIT")

	d := in.deploy(t, map[string]any{"blueprint_name": "spec-partial", "deploy_all": true})
	holds(t, d, `{"status": "partial", "tenants_total": 2, "tenants_completed": 1, "tenants_failed": 1}`)
	failed, done := d["results"].([]any)[0].(map[string]any), d["results"].([]any)[1].(map[string]any)
	holds(t, failed, `{"tenant_id": "spec_partial_a", "status": "failed", "version": 1}`)
	holds(t, done, `{"tenant_id": "spec_partial_b", "status": "completed", "version": 2, "error": null}`)
	if !strings.Contains(fmt.Sprint(failed["error"]), "could not create unique index") {
		t.Errorf("the error does not say why: %v", failed["error"])
	}
	mustPsqlAt(t, "t", acme, "SELECT to_regclass('beside') IS NULL")
	mustPsqlAt(t, "t", globex, "SELECT to_regclass('beside') IS NOT NULL")

	mustPsqlAt(t, "", acme, "DELETE FROM users")
	in.deployAll(t, "spec-partial")
	mustPsqlAt(t, "t", acme, "SELECT to_regclass('users_name') IS NOT NULL")
}

func TestSpecTenantQuery(t *testing.T) {
	in := shared
	create(t, "spec-ask", "tenant")
	run(t, "spec-ask", "CREATE TABLE users (id int PRIMARY KEY, name TEXT)")
	for _, name := range []string{"spec_ask_a", "spec_ask_b", "spec_ask_idle"} {
		in.tenant(t, name, "spec-ask")
	}
	in.must(t, http.StatusOK, "POST", "/tenants/spec_ask_idle/suspend", nil)
	one := func(query string) answer {
		return in.call(t, "POST", "/admin/query", map[string]any{"blueprint": "spec-ask", "query": query, "tenant_id": "spec_ask_a"})
	}
	all := func(query string) answer {
		return in.call(t, "POST", "/admin/query", map[string]any{"blueprint": "spec-ask", "query": query, "all_tenants": true})
	}
	holds(t, one("INSERT INTO users VALUES (1, 'Alice'), (2, NULL)").body, `{"success": true, "http_status": 200, "code": "ok", "columns": [], "rows": [], "row_count": 0, "rows_affected": 2}`)
	got := one("SELECT id, name FROM users ORDER BY id")
	holds(t, got.body, `{"columns": ["id", "name"], "rows": [[1, "Alice"], [2, null]], "row_count": 2}`)
	shape(t, got.body, `{"execution_time": "8ms"}`)
	got = all("SELECT count(*) AS n FROM users")
	shape(t, got.body, `{"execution_time": "8ms"}`)
	holds(t, got.body, `{"success": true, "http_status": 200, "code": "ok", "total_tenants": 2, "results": [
		{"tenant_id": "spec_ask_a", "columns": ["n"], "rows": [[2]], "row_count": 1}, {"tenant_id": "spec_ask_b", "columns": ["n"], "rows": [[0]], "row_count": 1}]}`)
	// What fails for one is told in its place.
	got = all("SELECT 1 / (count(*) - 2) AS n FROM users")
	holds(t, got.body, `{"success": true, "total_tenants": 2, "results": [
		{"tenant_id": "spec_ask_a", "columns": [], "rows": [], "row_count": 0, "error": "division by zero"}, {"tenant_id": "spec_ask_b", "columns": ["n"], "rows": [[0]], "row_count": 1}]}`)
	failed := one("SELECT * FROM nope")
	holds(t, failed.body, `{"http_status": 400, "error": "relation \"nope\" does not exist", "sqlstate": "42P01"}`)
	for _, ddl := range []string{"CREATE TABLE more (id int)", "DROP TABLE users", "INSERT INTO users VALUES (3, 'x'); ALTER TABLE users ADD COLUMN y int", "SELECT * INTO copied FROM users"} {
		for which, a := range map[string]answer{"one": one(ddl), "all": all(ddl)} {
			if a.status != http.StatusBadRequest || a.body["error"] != "DDL not allowed on tenant databases. Deploy schema through blueprints." {
				t.Errorf("%s, of %s: got %d %v", ddl, which, a.status, a.body)
			}
			mustBeError(t, a, "bad_request")
		}
	}
	holds(t, one("SELECT count(*) FROM users").body, `{"rows": [[2]]}`)
	if a := in.call(t, "POST", "/admin/query", map[string]any{"blueprint": "spec-ask", "query": "SELECT 1", "tenant_id": "spec_ask_idle"}); a.status != http.StatusConflict {
		t.Errorf("a query of a suspended tenant: got %d %v, want 409", a.status, a.body)
	}
}
