package test

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// noDDL is what clients of a tenant's database are told.
const noDDL = "DDL not allowed on tenant databases - use workspace mode"

// tenant makes a tenant with a database of each blueprint, gone for good with
// the test, and gives the answer.
func (in *installation) tenant(t testing.TB, name string, blueprints ...string) map[string]any {
	t.Helper()
	var databases []map[string]any
	for _, blueprint := range blueprints {
		databases = append(databases, map[string]any{"blueprint": blueprint})
	}
	body := in.must(t, http.StatusCreated, "POST", "/tenants", map[string]any{"tenant_id": name, "databases": databases})
	t.Cleanup(func() { in.call(t, "DELETE", "/tenants/"+name+"?hard=true", nil) })
	return body
}

// databaseOf is the tenant's database of that blueprint, as an answer has it.
func databaseOf(t testing.TB, tenant map[string]any, blueprint string) map[string]any {
	t.Helper()
	for _, d := range tenant["databases"].([]any) {
		if d := d.(map[string]any); d["blueprint"] == blueprint {
			return d
		}
	}
	t.Fatalf("no database of %s in %v", blueprint, tenant)
	return nil
}

// addressOf is the connection string of that database.
func addressOf(t testing.TB, tenant map[string]any, blueprint string) string {
	t.Helper()
	return databaseOf(t, tenant, blueprint)["connection_string"].(string)
}

// deploy begins a deployment and gives it as it is when it has ended.
func (in *installation) deploy(t testing.TB, request map[string]any) map[string]any {
	t.Helper()
	path := fmt.Sprintf("/deployments/%s", in.must(t, http.StatusCreated, "POST", "/deployments", request)["id"])
	deadline := time.After(time.Minute)
	for {
		body := in.must(t, http.StatusOK, "GET", path, nil)
		if body["completed_at"] != nil {
			return body
		}
		select {
		case <-deadline:
			t.Fatalf("the deployment did not end: %v", body)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// deployAll is deploy of the current version to all, which must complete.
func (in *installation) deployAll(t testing.TB, blueprint string) {
	t.Helper()
	if d := in.deploy(t, map[string]any{"blueprint_name": blueprint, "deploy_all": true}); d["status"] != "completed" {
		t.Fatalf("the deployment of %s: %v", blueprint, d)
	}
}
