package admin

import (
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// deployment is one that has ended, well for one tenant.
func deployment() workspace.Deployment {
	ended := tenantWorkspace().CreatedAt.Add(time.Minute)
	return workspace.Deployment{
		ID: "dep_1", Blueprint: "fintech", Version: 3, State: workspace.DeploymentPartial,
		CreatedAt: tenantWorkspace().CreatedAt, CompletedAt: &ended,
		Results: []workspace.DeploymentResult{
			{Tenant: "acme", State: workspace.DeploymentCompleted, Version: 3, Took: 1500 * time.Microsecond},
			{Tenant: "globex", State: workspace.DeploymentFailed, Version: 2, Took: time.Minute, Error: `relation "users" already exists`},
			{Tenant: "initech", State: workspace.DeploymentInProgress, Version: 2},
		},
	}
}

const (
	deploymentJSON = `"id": "dep_1", "blueprint_name": "fintech", "version": 3, "status": "partial", "tenants_total": 3, "tenants_completed": 1,
		"tenants_failed": 1, "created_at": "2025-01-15T10:30:00Z", "completed_at": "2025-01-15T10:31:00Z"`
	resultsJSON = `"results": [{"tenant_id": "acme", "status": "completed", "duration": "1ms", "version": 3},
		{"tenant_id": "globex", "status": "failed", "duration": "60000ms", "error": "relation \"users\" already exists", "version": 2},
		{"tenant_id": "initech", "status": "in_progress", "duration": "0ms", "version": 2}]`
)

func TestDeploymentIsBegun(t *testing.T) {
	for body, want := range map[string]workspace.DeploymentRequest{
		`{"blueprint_name": "fintech", "deploy_all": true}`:                                 {Blueprint: "fintech", All: true},
		`{"blueprint_name": "fintech", "version": 3, "tenants": ["acme"]}`:                  {Blueprint: "fintech", Version: 3, Tenants: []string{"acme"}},
		`{"blueprint_name": "fintech", "deploy_all": false, "tenants": ["acme", "globex"]}`: {Blueprint: "fintech", Tenants: []string{"acme", "globex"}},
	} {
		f := newFixture(t)
		f.service.deploy = func(r workspace.DeploymentRequest) (workspace.Deployment, error) {
			if !reflect.DeepEqual(r, want) {
				t.Errorf("got %+v, want %+v", r, want)
			}
			return deployment(), nil
		}
		got := f.call(t, "POST", "/deployments?dry_run=false", body)
		got.is(`{"success": true, "http_status": 201, "code": "created", ` + deploymentJSON + `, ` + resultsJSON + `}`)
		if got, want := got.Header().Get("Location"), "/deployments/dep_1"; got != want {
			t.Errorf("got Location %q, want %q", got, want)
		}
		if log := f.audit.String(); !contains(log, `"blueprint":"fintech"`) || !contains(log, `"deployment":"dep_1"`) || contains(log, "dry_run") {
			t.Errorf("got audit record %s", log)
		}
	}
}

func TestDeploymentIsReadBeforeItEnds(t *testing.T) {
	f := newFixture(t)
	f.service.getDeployment = func(id string) (workspace.Deployment, error) {
		if id != "dep_1" {
			return workspace.Deployment{}, workspace.Errorf(workspace.NotFound, "Deployment not found: %s", id)
		}
		d := deployment()
		d.State, d.CompletedAt, d.Results = workspace.DeploymentPending, nil, nil
		return d, nil
	}
	f.call(t, "GET", "/deployments/dep_1", "").is(`{"success": true, "http_status": 200, "code": "ok", "id": "dep_1", "blueprint_name": "fintech", "version": 3,
		"status": "pending", "tenants_total": 0, "tenants_completed": 0, "tenants_failed": 0, "created_at": "2025-01-15T10:30:00Z", "completed_at": null, "results": []}`)
	f.call(t, "GET", "/deployments/dep_2", "").want(http.StatusNotFound, "not_found").says("Deployment not found: dep_2")
}

func TestDeploymentsAreListedWithoutTheirResults(t *testing.T) {
	f := newFixture(t)
	for path, want := range map[string]string{
		"/deployments":                         " 100",
		"/deployments?limit=7":                 " 7",
		"/deployments?before=dep_9&limit=1000": "dep_9 1000",
	} {
		f.service.listDeployments = func(before string, limit int) ([]workspace.DeploymentSummary, bool, error) {
			if got := fmt.Sprint(before, " ", limit); got != want {
				t.Errorf("%s: got %q, want %q", path, got, want)
			}
			return []workspace.DeploymentSummary{deployment().Summary()}, true, nil
		}
		f.call(t, "GET", path, "").is(`{"success": true, "http_status": 200, "code": "ok", "deployments": [{` + deploymentJSON + `}], "count": 1, "has_more": true}`)
	}
	f.service.listDeployments = func(string, int) ([]workspace.DeploymentSummary, bool, error) { return nil, false, nil }
	f.call(t, "GET", "/deployments", "").is(`{"success": true, "http_status": 200, "code": "ok", "deployments": [], "count": 0, "has_more": false}`)
	for _, wrong := range []string{"limit=0", "limit=-1", "limit=1001", "limit=x", "limit=", "limit=1&limit=2", "before=a&before=b", "limit=%"} {
		f.call(t, "GET", "/deployments?"+wrong, "").want(http.StatusBadRequest, "bad_request").says("parameter")
	}
}

func TestDryRunAnswersThePlanAndDeploysNothing(t *testing.T) {
	f := newFixture(t) // whose deploy is not to be called
	f.service.planDeployment = func(r workspace.DeploymentRequest) (workspace.DeploymentPlan, error) {
		if want := (workspace.DeploymentRequest{Blueprint: "fintech", All: true}); !reflect.DeepEqual(r, want) {
			t.Errorf("got %+v, want %+v", r, want)
		}
		return workspace.DeploymentPlan{Blueprint: "fintech", Version: 3, Tenants: []workspace.TenantPlan{
			{Tenant: "acme", From: 1, To: 3, Statements: []string{"CREATE TABLE a (i int)", "CREATE TABLE b (i int)"}},
			{Tenant: "globex", From: 3, To: 3},
		}}, nil
	}
	f.call(t, "POST", "/deployments?dry_run=true", `{"blueprint_name": "fintech", "deploy_all": true}`).is(`{"success": true, "http_status": 200, "code": "ok",
		"dry_run": true, "blueprint_name": "fintech", "version": 3, "tenants_total": 2, "plan": [
		{"tenant_id": "acme", "from_version": 1, "to_version": 3, "ddl": ["CREATE TABLE a (i int)", "CREATE TABLE b (i int)"]},
		{"tenant_id": "globex", "from_version": 3, "to_version": 3, "ddl": []}]}`)
	if log := f.audit.String(); !contains(log, `"dry_run":true`) || !contains(log, `"blueprint":"fintech"`) {
		t.Errorf("got audit record %s", log)
	}
}

func TestDeploymentRequestIsRefusedByItsField(t *testing.T) {
	f := newFixture(t)
	for body, want := range map[string]string{
		`{}`: `missing field "blueprint_name"`,
		`{"blueprint_name": "fintech", "deploy_all": "true"}`:                 `field "deploy_all" must be true or false, got a string`,
		`{"blueprint_name": "fintech", "tenants": "acme"}`:                    `field "tenants" must be an array of strings, got a string`,
		`{"blueprint_name": "fintech", "deploy_all": true, "version": 0}`:     `field "version" must be a whole number of at least 1, got 0`,
		`{"blueprint_name": "fintech", "deploy_all": true, "version": null}`:  `field "version" must be a whole number, got null`,
		`{"blueprint_name": "fintech", "deploy_all": true, "blueprint": "b"}`: `unknown field "blueprint"; the fields are blueprint_name, version, deploy_all, tenants`,
		`{"blueprint_name": "fintech", "deploy_all": true, "dry_run": true}`:  `unknown field "dry_run"`,
	} {
		f.call(t, "POST", "/deployments", body).want(http.StatusBadRequest, "bad_request").says(want)
	}
}
