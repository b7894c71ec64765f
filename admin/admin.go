package admin

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Service is what the API asks of the domain; *workspace.Service is one.
type Service interface {
	Authenticate(ctx context.Context, key string) (workspace.Principal, error)
	Ready(ctx context.Context) []workspace.Check

	List(ctx context.Context, p workspace.Principal) ([]workspace.Workspace, error)
	Create(ctx context.Context, p workspace.Principal, name, database, mode string) (workspace.Details, error)
	Get(ctx context.Context, p workspace.Principal, id string) (workspace.Details, error)
	Delete(ctx context.Context, p workspace.Principal, id string) (workspace.Deleted, error)

	Query(ctx context.Context, p workspace.Principal, id, text string) (workspace.Result, error)
	Schema(ctx context.Context, p workspace.Principal, id string) ([]workspace.Table, error)
	ImportSchema(ctx context.Context, p workspace.Principal, id string, r workspace.ImportRequest) (workspace.Imported, error)

	Keys(ctx context.Context, p workspace.Principal, id string) (workspace.Keys, error)
	Pending(ctx context.Context, p workspace.Principal, id string) (workspace.Queue, error)
	Skip(ctx context.Context, p workspace.Principal, id string, ddlID int64) error
	Revert(ctx context.Context, p workspace.Principal, id string, ddlID int64) (string, error)

	Settings(ctx context.Context, p workspace.Principal, id string) (workspace.Workspace, error)
	UpdateSettings(ctx context.Context, p workspace.Principal, id string, fields map[string]any) (workspace.Workspace, error)

	Blueprints(ctx context.Context, p workspace.Principal) ([]workspace.Blueprint, error)
	Blueprint(ctx context.Context, p workspace.Principal, name string) (workspace.Blueprint, error)
	BlueprintVersions(ctx context.Context, p workspace.Principal, name string) ([]workspace.Version, error)

	DataImportService
	TenantService
	DeploymentService

	ListProjects(ctx context.Context, p workspace.Principal) ([]workspace.ProjectSummary, error)
	CreateProject(ctx context.Context, p workspace.Principal, name string) (workspace.CreatedProject, error)
	DeleteProject(ctx context.Context, p workspace.Principal, id string) error

	ListKeys(ctx context.Context, p workspace.Principal) ([]workspace.APIKey, error)
	CreateKey(ctx context.Context, p workspace.Principal, r workspace.KeyRequest) (workspace.CreatedKey, error)
	RevokeKey(ctx context.Context, p workspace.Principal, id string) error
}

// DataImportService is the part of a Service that is about rows of live databases.
type DataImportService interface {
	AnalyzeData(ctx context.Context, p workspace.Principal, id string, r workspace.DataRequest) (workspace.DataAnalysis, error)
	ImportData(ctx context.Context, p workspace.Principal, id string, r workspace.DataRequest) (workspace.BegunImport, error)
	ImportAll(ctx context.Context, p workspace.Principal, id string, r workspace.DataRequest) (workspace.BegunImport, error)
	DataImportStatus(ctx context.Context, p workspace.Principal, id, importID string) (workspace.DataImport, error)
}

// TenantService is the part of a Service that is about tenants.
type TenantService interface {
	ListTenants(ctx context.Context, p workspace.Principal) ([]workspace.TenantDetails, error)
	GetTenant(ctx context.Context, p workspace.Principal, name string) (workspace.TenantDetails, error)
	CreateTenant(ctx context.Context, p workspace.Principal, r workspace.TenantRequest) (workspace.TenantDetails, error)
	SuspendTenant(ctx context.Context, p workspace.Principal, name string) (workspace.TenantDetails, error)
	ResumeTenant(ctx context.Context, p workspace.Principal, name string) (workspace.TenantDetails, error)
	RestoreTenant(ctx context.Context, p workspace.Principal, name string) (workspace.TenantDetails, error)
	DeleteTenant(ctx context.Context, p workspace.Principal, name string, hard bool) error
	QueryTenants(ctx context.Context, p workspace.Principal, q workspace.TenantQuery) ([]workspace.TenantResult, error)
}

// DeploymentService is the part of a Service that is about deployments.
type DeploymentService interface {
	Deploy(ctx context.Context, p workspace.Principal, r workspace.DeploymentRequest) (workspace.Deployment, error)
	PlanDeployment(ctx context.Context, p workspace.Principal, r workspace.DeploymentRequest) (workspace.DeploymentPlan, error)
	ListDeployments(ctx context.Context, p workspace.Principal, before string, limit int) (list []workspace.DeploymentSummary, more bool, err error)
	GetDeployment(ctx context.Context, p workspace.Principal, id string) (workspace.Deployment, error)
}

// Config is what the API needs. Service is required.
type Config struct {
	Service    Service
	Version    string                // of the program, shown at GET /
	Log        *slog.Logger          // access log and failures; nil: nothing is logged
	Audit      *slog.Logger          // one record for each action and refused key; nil: none
	Metrics    http.Handler          // serves /metrics; nil: that is a 404
	Registerer prometheus.Registerer // where the API's own metrics go; nil: nowhere
	Now        func() time.Time      // nil: the system's clock
}

// api is the handler of all routes.
type api struct {
	service  Service
	version  string
	log      *slog.Logger
	audit    *slog.Logger
	exporter http.Handler
	metrics  *metrics
	limits   *limiter
	now      func() time.Time

	router *mux.Router
	routes map[*mux.Route]route
}

// New makes the handler of the whole API. It is safe for concurrent use.
func New(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Audit == nil {
		c.Audit = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &api{
		service:  c.Service,
		version:  c.Version,
		log:      c.Log,
		audit:    c.Audit,
		exporter: c.Metrics,
		metrics:  newMetrics(c.Registerer),
		limits:   newLimiter(),
		now:      c.Now,
	}
	a.register()
	return a
}

// ServeHTTP is the way of one request.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := a.begin(w, r)
	defer a.end(x)

	if err := a.serve(x); err != nil {
		a.fail(x, err)
	}
}

// serve finds out whether the request may be answered and has its route answer
// it. A caller without a key learns nothing, not even which routes exist.
func (a *api) serve(x *exchange) error {
	if err := a.admit(x); err != nil {
		return err
	}
	matched, missing := a.match(x)
	if !matched || x.route.least > anyone {
		if err := a.authenticate(x); err != nil {
			return err
		}
	}
	if !matched {
		return missing
	}
	if err := a.authorize(x); err != nil {
		return err
	}
	return x.route.serve(x)
}
