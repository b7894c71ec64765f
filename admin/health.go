package admin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// readyWait is how long the checks of one GET /ready may take.
const readyWait = 5 * time.Second

func (a *api) healthRoutes() []route {
	return []route{
		{http.MethodGet, "/", anyone, "read index", a.getIndex},
		{http.MethodGet, "/health", anyone, "read health", a.getHealth},
		{http.MethodGet, "/ready", anyone, "read readiness", a.getReady},
		{http.MethodGet, "/metrics", anyone, "read metrics", a.getMetrics},
	}
}

// getIndex serves GET /: what this is and where to go on.
func (a *api) getIndex(x *exchange) error {
	return x.ok(&struct {
		envelope
		Name    string `json:"name"`
		Version string `json:"version"`
		OpenAPI string `json:"openapi"`
		Health  string `json:"health"`
		Ready   string `json:"ready"`
	}{Name: "TenantsDB admin API", Version: a.version, OpenAPI: "/openapi.json", Health: "/health", Ready: "/ready"})
}

// getHealth serves GET /health: the process serves.
func (a *api) getHealth(x *exchange) error {
	return x.ok(&struct {
		envelope
		Status string `json:"status"`
	}{Status: "healthy"})
}

// check is one of the things that readiness needs. Why it failed is only in
// the log: the route is open to all.
type check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Took string `json:"took"`
}

// getReady serves GET /ready: requests can be served, or what stands in the way.
func (a *api) getReady(x *exchange) error {
	ctx, cancel := context.WithTimeout(x.r.Context(), readyWait)
	defer cancel()

	results := a.service.Ready(ctx)
	checks := make([]check, len(results))
	var failed []string
	for i, c := range results {
		checks[i] = check{Name: c.Name, OK: c.Err == nil, Took: milliseconds(c.Took)}
		if c.Err != nil {
			failed = append(failed, c.Name)
			a.log.Warn("readiness check failed", "request_id", x.id, "check", c.Name, "error", c.Err)
		}
	}
	if len(failed) > 0 {
		e := workspace.Errorf(workspace.Unavailable, "not ready: %s", strings.Join(failed, ", "))
		e.Details = map[string]any{"status": "not_ready", "checks": checks}
		return e
	}
	return x.ok(&struct {
		envelope
		Status string  `json:"status"`
		Checks []check `json:"checks"`
	}{Status: "ready", Checks: checks})
}

// getMetrics serves GET /metrics in the exporter's own format.
func (a *api) getMetrics(x *exchange) error {
	if a.exporter == nil {
		return workspace.Errorf(workspace.NotFound, "metrics are not exported here")
	}
	x.code = "ok"
	a.exporter.ServeHTTP(x, x.r)
	return nil
}
