package admin

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const dataBody = `{"connection": {"type": "postgresql", "host": "db.example.com", "port": 5433, "database": "mydb", "user": "admin", "password": "planted"},
	"tables": ["users", "plans"], "routing_field": "tenant_id", "shared_tables": ["plans"], "tenants": ["acme"], "create_tenants": true, "drop_routing_field": true}`

func TestDataAnalysisTellsWhatAnImportWouldMeet(t *testing.T) {
	f := newFixture(t)
	var asked workspace.DataRequest
	f.service.analyzeData = func(_ string, r workspace.DataRequest) (workspace.DataAnalysis, error) {
		asked = r
		return workspace.DataAnalysis{
			Type: workspace.PostgreSQL, Source: workspace.SourceLogin{Host: "db.example.com", Port: 5433, Database: "mydb", User: "admin"},
			Tables: []workspace.AnalyzedTable{
				{DataTable: workspace.DataTable{Name: "users", Rows: 12, Exact: true, Bytes: 8192}, There: true, Routed: true},
				{DataTable: workspace.DataTable{Name: "plans", Rows: 1000000, Bytes: 1 << 30}, Missing: []string{"price"}},
			},
			Candidates: []string{"tenant_id"}, Total: 2000, Problems: []string{"there is one"},
			Tenants: []workspace.AnalyzedTenant{{TenantCount: workspace.TenantCount{Value: "acme", Rows: 12}, Exists: true}},
		}, nil
	}
	f.call(t, "POST", "/workspaces/main/import-data/analyze", dataBody).is(`{
		"success": true, "http_status": 200, "code": "ok", "database_type": "PostgreSQL",
		"source": {"host": "db.example.com", "port": 5433, "database": "mydb"},
		"tables": [
			{"name": "users", "rows": 12, "rows_exact": true, "bytes": 8192, "in_workspace": true, "missing_columns": [], "routed": true},
			{"name": "plans", "rows": 1000000, "rows_exact": false, "bytes": 1073741824, "in_workspace": false, "missing_columns": ["price"], "routed": false}],
		"routing_candidates": ["tenant_id"], "tenants": [{"tenant_id": "acme", "rows": 12, "exists": true}], "tenants_total": 2000,
		"problems": ["there is one"], "importable": false
	}`)
	want := workspace.DataRequest{
		Connection: &workspace.SourceLogin{Type: "postgresql", Host: "db.example.com", Port: 5433, Database: "mydb", User: "admin", Password: "planted"},
		Tables:     []string{"users", "plans"}, RoutingField: "tenant_id", Shared: []string{"plans"}, Tenants: []string{"acme"}, CreateTenants: true, DropRouting: true,
	}
	if !reflect.DeepEqual(asked, want) {
		t.Errorf("got the request %+v, want %+v", asked, want)
	}
	for name, text := range map[string]string{"log": f.log.String(), "audit log": f.audit.String()} {
		if strings.Contains(text, "planted") {
			t.Errorf("the %s has the password\n%s", name, text)
		}
	}
}

func TestDataImportIsAcceptedWithWhereItsStatusIs(t *testing.T) {
	f := newFixture(t)
	f.service.importData = func(string, workspace.DataRequest) (workspace.BegunImport, error) {
		return workspace.BegunImport{Import: workspace.DataImport{ID: "imp_00ff", State: workspace.ImportPending}}, nil
	}
	got := f.call(t, "POST", "/workspaces/main/import-data", `{"connection": {"type": "mysql", "host": "h", "database": "d"}, "tables": ["a"]}`)
	got.is(`{"success": true, "http_status": 202, "code": "accepted", "import_id": "imp_00ff", "status": "pending",
		"message": "Data import into workspace 'main' has begun", "created_tenants": []}`)
	if at := got.Header().Get("Location"); at != "/workspaces/main/import-data/status?import_id=imp_00ff" {
		t.Errorf("got the location %q", at)
	}
}

func TestFullImportTellsWhatOfTheSchemaFailed(t *testing.T) {
	f := newFixture(t)
	f.service.importAll = func(id string, _ workspace.DataRequest) (workspace.BegunImport, error) {
		return workspace.BegunImport{
			Import: workspace.DataImport{ID: "imp_00ff", State: workspace.ImportFailed, Error: "nothing was copied: the table a is not in the database"},
			Schema: &workspace.Imported{Workspace: workspace.Workspace{Name: id, Type: workspace.PostgreSQL}, Source: "database", Created: []string{"b"}, Executed: 1},
		}, nil
	}
	f.call(t, "POST", "/workspaces/main/import-full", dataBody).is(`{"success": true, "http_status": 202, "code": "accepted", "import_id": "imp_00ff", "status": "failed",
		"message": "Schema imported to workspace 'main', and its data can't be", "error": "nothing was copied: the table a is not in the database", "created_tenants": [],
		"created": ["b"], "skipped": [], "errors": [], "warnings": [], "details": {"workspace": "main", "database_type": "PostgreSQL",
			"statements_executed": 1, "statements_skipped": 0, "statements_failed": 0, "statements_total": 1}}`)
}

func TestStatusOfADataImportAddsUpTablesAndTenants(t *testing.T) {
	f := newFixture(t)
	began := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	ended := began.Add(time.Minute)
	f.service.importStatus = func(_, importID string) (workspace.DataImport, error) {
		return workspace.DataImport{
			ID: importID, State: workspace.ImportFailed, Error: "tenant b: table users: refused", CreatedAt: began, CompletedAt: &ended,
			Tables: []workspace.ImportTable{{Name: "plans", Rows: 2, Exact: true}, {Name: "users", Rows: 9}},
			Parts: []workspace.ImportPart{
				{Tenant: "a", State: workspace.ImportCompleted, At: -1, Rows: []int64{2, 5}},
				{Tenant: "b", State: workspace.ImportFailed, At: 1, Rows: []int64{2, 3}, Error: "refused"},
			},
		}, nil
	}
	f.call(t, "GET", "/workspaces/main/import-data/status?import_id=imp_00ff", "").is(`{
		"success": true, "http_status": 200, "code": "ok", "import_id": "imp_00ff", "status": "failed", "rows_imported": 7,
		"tables": [
			{"name": "plans", "status": "failed", "rows_imported": 2, "rows_total": 2, "rows_exact": true, "error": "undone: tenant b: table users: refused"},
			{"name": "users", "status": "failed", "rows_imported": 5, "rows_total": 9, "rows_exact": false, "error": "tenant b: table users: refused"}],
		"tenants": [{"tenant_id": "a", "status": "completed", "rows_imported": 7}, {"tenant_id": "b", "status": "failed", "rows_imported": 0, "error": "refused"}],
		"started_at": "2026-11-30T12:00:00Z", "completed_at": "2026-11-30T12:01:00Z", "error": "tenant b: table users: refused"
	}`)
}

func TestDataImportWithAWrongFieldIsABadRequestThatNamesIt(t *testing.T) {
	f := newFixture(t)
	f.service.importData = func(string, workspace.DataRequest) (workspace.BegunImport, error) {
		t.Error("reached the service")
		return workspace.BegunImport{}, nil
	}
	for body, says := range map[string]string{
		`{}`:                                   `missing field "connection"`,
		`{"connection": []}`:                   `field "connection" must be an object`,
		`{"connection": {}, "tables": "a"}`:    `field "tables" must be an array of strings`,
		`{"connection": {}, "source": "json"}`: `unknown field "source"`,
	} {
		f.call(t, "POST", "/workspaces/main/import-data", body).want(http.StatusBadRequest, "bad_request").says(says)
	}
}
