package admin

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func noChecks(context.Context) []workspace.Check { return nil }

func contains(text, part string) bool { return strings.Contains(text, part) }

func TestIndexSaysWhatThisIs(t *testing.T) {
	f := newFixture(t)
	f.send(t, httptest.NewRequest("GET", "/", nil)).is(`{"success": true, "http_status": 200, "code": "ok",
		"name": "TenantsDB admin API", "version": "v1.2.3", "openapi": "/openapi.json", "health": "/health", "ready": "/ready"}`)
}

func TestHealthDoesNotAskTheService(t *testing.T) {
	f := newFixture(t)
	f.send(t, httptest.NewRequest("GET", "/health", nil)).is(`{"success": true, "http_status": 200, "code": "ok", "status": "healthy"}`)
}

func TestReadyNamesWhatFailedAndNotWhy(t *testing.T) {
	f := newFixture(t)
	f.service.ready = func(ctx context.Context) []workspace.Check {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the checks have no deadline")
		}
		return []workspace.Check{
			{Name: "catalog", Took: time.Millisecond},
			{Name: "postgresql/main", Err: errors.New("dial /secret/socket: refused"), Took: 2 * time.Second},
		}
	}
	f.send(t, httptest.NewRequest("GET", "/ready", nil)).is(`{"success": false, "http_status": 503, "code": "unavailable",
		"error": "not ready: postgresql/main", "status": "not_ready", "checks": [
			{"name": "catalog", "ok": true, "took": "1ms"}, {"name": "postgresql/main", "ok": false, "took": "2000ms"}]}`)
	if !contains(f.log.String(), "dial /secret/socket") {
		t.Errorf("the log lacks the reason\n%s", f.log)
	}
}

func TestReady(t *testing.T) {
	f := newFixture(t)
	f.service.ready = func(context.Context) []workspace.Check {
		return []workspace.Check{{Name: "catalog", Took: time.Millisecond}}
	}
	f.send(t, httptest.NewRequest("GET", "/ready", nil)).is(`{"success": true, "http_status": 200, "code": "ok",
		"status": "ready", "checks": [{"name": "catalog", "ok": true, "took": "1ms"}]}`)
}

func TestMetricsCountByRouteAndNotByPath(t *testing.T) {
	f := newFixture(t)
	f.api.exporter = promhttp.HandlerFor(f.registry, promhttp.HandlerOpts{})
	f.service.get = func(string) (workspace.Details, error) {
		return workspace.Details{}, workspace.Errorf(workspace.NotFound, "no")
	}
	f.call(t, "GET", "/workspaces/one", "")
	f.call(t, "GET", "/workspaces/two", "")
	f.call(t, "BREW", "/planted", "")
	got := f.send(t, httptest.NewRequest("GET", "/metrics", nil)).Body.String()
	for _, want := range []string{
		`tenantsdb_admin_requests_total{method="GET",route="/workspaces/{id}",status="404"} 2`,
		`tenantsdb_admin_requests_total{method="none",route="none",status="404"} 1`,
		`tenantsdb_admin_request_duration_seconds_count{method="GET",route="/workspaces/{id}"} 2`,
	} {
		if !contains(got, want) {
			t.Errorf("metrics lack %s\n%s", want, got)
		}
	}
	for _, unwanted := range []string{"BREW", "planted", "one"} {
		if contains(got, `"`+unwanted) || contains(got, "/"+unwanted) {
			t.Errorf("metrics have %s\n%s", unwanted, got)
		}
	}
}

func TestMetricsThatAreNotExportedAreNotFound(t *testing.T) {
	f := newFixture(t)
	f.send(t, httptest.NewRequest("GET", "/metrics", nil)).want(http.StatusNotFound, "not_found")
}
