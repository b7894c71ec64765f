package admin

import (
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestQueryOfOneTenantIsAnsweredAsAWorkspaces(t *testing.T) {
	f := newFixture(t)
	f.service.queryTenants = func(q workspace.TenantQuery) ([]workspace.TenantResult, error) {
		if want := (workspace.TenantQuery{Blueprint: "fintech", Text: "SELECT 1", Tenant: "acme"}); q != want {
			t.Errorf("got %+v, want %+v", q, want)
		}
		return []workspace.TenantResult{{Tenant: "acme", Result: workspace.Result{
			Columns: []string{"id"}, Rows: [][]any{{1}, {nil}}, RowCount: 2, Elapsed: 8 * time.Millisecond,
		}}}, nil
	}
	f.call(t, "POST", "/admin/query", `{"blueprint": "fintech", "query": "SELECT 1", "tenant_id": "acme"}`).is(`{
		"success": true, "http_status": 200, "code": "ok", "columns": ["id"], "rows": [[1], [null]], "row_count": 2, "execution_time": "8ms"}`)
	if log := f.audit.String(); !contains(log, `"tenant":"acme"`) || !contains(log, `"blueprint":"fintech"`) || contains(log, "SELECT") {
		t.Errorf("got audit record %s", log)
	}
}

func TestQueryOfOneTenantFailsAsAWorkspaces(t *testing.T) {
	f := newFixture(t)
	f.service.queryTenants = func(workspace.TenantQuery) ([]workspace.TenantResult, error) {
		err := workspace.Errorf(workspace.BadRequest, `relation "nope" does not exist`)
		err.Details = map[string]any{"sqlstate": "42P01"}
		return []workspace.TenantResult{{Tenant: "acme", Err: err}}, nil
	}
	f.call(t, "POST", "/admin/query", `{"blueprint": "fintech", "query": "SELECT * FROM nope", "tenant_id": "acme"}`).is(`{
		"success": false, "http_status": 400, "code": "bad_request", "error": "relation \"nope\" does not exist", "sqlstate": "42P01"}`)
}

func TestQueryOfAllTenantsHasAResultForEach(t *testing.T) {
	f := newFixture(t)
	affected := int64(4)
	f.service.queryTenants = func(q workspace.TenantQuery) ([]workspace.TenantResult, error) {
		if want := (workspace.TenantQuery{Blueprint: "fintech", Text: "SELECT", All: true}); q != want {
			t.Errorf("got %+v, want %+v", q, want)
		}
		f.clock.advance(8 * time.Millisecond)
		return []workspace.TenantResult{
			{Tenant: "acme", Result: workspace.Result{Columns: []string{"id", "note"}, Rows: [][]any{{1, "<a&b>"}, {2, nil}}, RowCount: 2}},
			{Tenant: "globex", Result: workspace.Result{RowsAffected: &affected}},
			{Tenant: "initech", Err: workspace.Errorf(workspace.BadRequest, `relation "users" does not exist`)},
			{Tenant: "umbrella", Err: errors.New("planted detail")},
		}, nil
	}
	got := f.call(t, "POST", "/admin/query", `{"blueprint": "fintech", "query": "SELECT", "all_tenants": true}`)
	got.is(`{"success": true, "http_status": 200, "code": "ok", "results": [
		{"tenant_id": "acme", "columns": ["id", "note"], "rows": [[1, "<a&b>"], [2, null]], "row_count": 2},
		{"tenant_id": "globex", "columns": [], "rows": [], "row_count": 0, "rows_affected": 4},
		{"tenant_id": "initech", "columns": [], "rows": [], "row_count": 0, "error": "relation \"users\" does not exist"},
		{"tenant_id": "umbrella", "columns": [], "rows": [], "row_count": 0,
			"error": "something went wrong on the server; its log has the details under this request_id"}
		], "total_tenants": 4, "execution_time": "8ms"}`)
	if !contains(f.log.String(), "planted detail") || !contains(f.log.String(), got.Header().Get("X-Request-Id")) {
		t.Errorf("the log lacks the detail or the id\n%s", f.log)
	}
	if log := f.audit.String(); !contains(log, `"all_tenants":true`) {
		t.Errorf("got audit record %s", log)
	}
}

func TestQueryOfAllOfNoTenants(t *testing.T) {
	f := newFixture(t)
	f.service.queryTenants = func(workspace.TenantQuery) ([]workspace.TenantResult, error) { return nil, nil }
	f.call(t, "POST", "/admin/query", `{"blueprint": "fintech", "query": "SELECT", "all_tenants": true}`).is(`{
		"success": true, "http_status": 200, "code": "ok", "results": [], "total_tenants": 0, "execution_time": "0ms"}`)
}

func TestQueryOfAllTenantsIsSentInPieces(t *testing.T) {
	f := newFixture(t)
	rows := make([][]any, 10_000)
	for i := range rows {
		rows[i] = []any{i, "some text that makes the row longer"}
	}
	f.service.queryTenants = func(workspace.TenantQuery) ([]workspace.TenantResult, error) {
		one := workspace.Result{Columns: []string{"n", "t"}, Rows: rows, RowCount: int64(len(rows))}
		return []workspace.TenantResult{{Tenant: "acme", Result: one}, {Tenant: "globex", Result: one}}, nil
	}
	w := &chunks{ResponseRecorder: httptest.NewRecorder()}
	f.api.ServeHTTP(w, request("POST", "/admin/query", `{"blueprint": "fintech", "query": "SELECT", "all_tenants": true}`))
	if w.largest > 64<<10 || w.Body.Len() < 800<<10 {
		t.Errorf("got chunks of up to %d bytes of %d, want at most 65536", w.largest, w.Body.Len())
	}
	canonical(t, w.Body.String())
}

func TestUnencodableRowOfATenantIsNotAnsweredAsSuccess(t *testing.T) {
	f := newFixture(t)
	f.service.queryTenants = func(workspace.TenantQuery) ([]workspace.TenantResult, error) {
		return []workspace.TenantResult{{Tenant: "acme", Result: workspace.Result{Columns: []string{"x"}, Rows: [][]any{{math.NaN()}}, RowCount: 1}}}, nil
	}
	f.call(t, "POST", "/admin/query", `{"blueprint": "fintech", "query": "SELECT", "all_tenants": true}`).want(http.StatusInternalServerError, "internal_error")
}

func TestSchemaChangeInTenantsIsRefused(t *testing.T) {
	f := newFixture(t)
	f.service.queryTenants = func(workspace.TenantQuery) ([]workspace.TenantResult, error) { return nil, workspace.NoDDLQuery() }
	f.call(t, "POST", "/admin/query", `{"blueprint": "fintech", "query": "DROP TABLE t", "all_tenants": true}`).want(http.StatusBadRequest, "bad_request").
		says("DDL not allowed on tenant databases. Deploy schema through blueprints.")
}

func TestTenantQueryIsRefusedByItsField(t *testing.T) {
	f := newFixture(t)
	for body, want := range map[string]string{
		`{"query": "SELECT 1", "tenant_id": "acme"}`:                                              `missing field "blueprint"`,
		`{"blueprint": "fintech", "tenant_id": "acme"}`:                                           `missing field "query"`,
		`{"blueprint": "fintech", "query": "SELECT 1", "tenant_id": ["acme"]}`:                    `field "tenant_id" must be a string, got an array`,
		`{"blueprint": "fintech", "query": "SELECT 1", "all_tenants": 1}`:                         `field "all_tenants" must be true or false, got a number`,
		`{"blueprint": "fintech", "query": " ", "tenant_id": "acme"}`:                             `field "query" is empty`,
		`{"blueprint": "fintech", "query": "SELECT\u0000", "tenant_id": "acme"}`:                  `NUL`,
		`{"blueprint": "fintech", "query": "SELECT 1", "tenant_id": "acme", "tenants": ["acme"]}`: `unknown field "tenants"; the fields are blueprint, query, tenant_id, all_tenants`,
	} {
		f.call(t, "POST", "/admin/query", body).want(http.StatusBadRequest, "bad_request").says(want)
	}
}
