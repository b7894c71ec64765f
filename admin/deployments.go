package admin

import (
	"bufio"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func (a *api) deploymentRoutes() []route {
	return []route{
		{http.MethodGet, "/deployments", reader, "list deployments", a.listDeployments},
		{http.MethodPost, "/deployments", writer, "deploy", a.deploy},
		{http.MethodGet, "/deployments/{deployment}", reader, "read deployment", a.getDeployment},
	}
}

// deploymentItem is a deployment without what became of it for each tenant.
type deploymentItem struct {
	ID               string                    `json:"id"`
	BlueprintName    string                    `json:"blueprint_name"`
	Version          int64                     `json:"version"`
	Status           workspace.DeploymentState `json:"status"`
	TenantsTotal     int                       `json:"tenants_total"`
	TenantsCompleted int                       `json:"tenants_completed"`
	TenantsFailed    int                       `json:"tenants_failed"`
	CreatedAt        string                    `json:"created_at"`
	CompletedAt      *string                   `json:"completed_at"` // null until it ended
}

func deploymentItemOf(d workspace.DeploymentSummary) deploymentItem {
	return deploymentItem{
		ID:               d.ID,
		BlueprintName:    d.Blueprint,
		Version:          d.Version,
		Status:           d.State,
		TenantsTotal:     d.Tenants,
		TenantsCompleted: d.Completed,
		TenantsFailed:    d.Failed,
		CreatedAt:        utc(d.CreatedAt),
		CompletedAt:      utcOrNull(d.CompletedAt),
	}
}

// deploymentDetails is a deployment with what became of it for each tenant.
type deploymentDetails struct {
	envelope
	deploymentItem
	Results []deploymentResult `json:"results"`
}

type deploymentResult struct {
	TenantID string                    `json:"tenant_id"`
	Status   workspace.DeploymentState `json:"status"`
	Duration string                    `json:"duration"` // so far
	Error    string                    `json:"error,omitempty"`
	Version  int64                     `json:"version"` // that the tenant has
}

func deploymentDetailsOf(d workspace.Deployment) *deploymentDetails {
	results := make([]deploymentResult, len(d.Results))
	for i, r := range d.Results {
		results[i] = deploymentResult{
			TenantID: r.Tenant,
			Status:   r.State,
			Duration: milliseconds(r.Took),
			Error:    r.Error,
			Version:  r.Version,
		}
	}
	return &deploymentDetails{deploymentItem: deploymentItemOf(d.Summary()), Results: results}
}

// The deployments of one list: at most, and where the client does not say.
const (
	mostDeployments   = 1000
	listedDeployments = 100
)

// listDeployments serves GET /deployments: the newest, or with ?before= those that
// are older than that one.
func (a *api) listDeployments(x *exchange) error {
	limit, err := x.number("limit", mostDeployments, listedDeployments)
	if err != nil {
		return err
	}
	before, _, err := x.parameter("before")
	if err != nil {
		return err
	}
	all, more, err := a.service.ListDeployments(x.r.Context(), x.principal, before, limit)
	if err != nil {
		return err
	}
	items := make([]deploymentItem, len(all))
	for i, d := range all {
		items[i] = deploymentItemOf(d)
	}
	return x.ok(&struct {
		envelope
		Deployments []deploymentItem `json:"deployments"`
		Count       int              `json:"count"`
		HasMore     bool             `json:"has_more"` // older ones
	}{Deployments: items, Count: len(items), HasMore: more})
}

// getDeployment serves GET /deployments/{deployment}.
func (a *api) getDeployment(x *exchange) error {
	d, err := a.service.GetDeployment(x.r.Context(), x.principal, x.vars["deployment"])
	if err != nil {
		return err
	}
	return x.ok(deploymentDetailsOf(d))
}

// deploy serves POST /deployments: it begins a deployment, or with ?dry_run=true
// answers what it would do.
func (a *api) deploy(x *exchange) error {
	dry, err := x.flag("dry_run")
	if err != nil {
		return err
	}
	asked, err := x.deploymentRequest()
	if err != nil {
		return err
	}
	if dry {
		x.note(slog.Bool("dry_run", true))
		return a.planDeployment(x, asked)
	}
	d, err := a.service.Deploy(x.r.Context(), x.principal, asked)
	if err != nil {
		return err
	}
	x.note(slog.String("deployment", d.ID))
	x.Header().Set("Location", "/deployments/"+d.ID)
	return x.created(deploymentDetailsOf(d))
}

// deploymentRequest reads what deploy is asked for.
func (x *exchange) deploymentRequest() (asked workspace.DeploymentRequest, err error) {
	err = x.decode(mostBody,
		field{name: "blueprint_name", into: &asked.Blueprint},
		field{name: "version", into: &asked.Version, optional: true},
		field{name: "deploy_all", into: &asked.All, optional: true},
		field{name: "tenants", into: &asked.Tenants, optional: true},
	)
	if err != nil {
		return asked, err
	}
	x.note(slog.String("blueprint", shorten(asked.Blueprint)))
	if asked.All {
		x.note(slog.Bool("deploy_all", true))
	} else {
		x.note(slog.Any("tenants", shortenAll(asked.Tenants)))
	}
	return asked, nil
}

// tenantPlan is what a deployment would do for one tenant.
type tenantPlan struct {
	TenantID    string   `json:"tenant_id"`
	FromVersion int64    `json:"from_version"`
	ToVersion   int64    `json:"to_version"`
	DDL         []string `json:"ddl"`
}

// planDeployment answers what a deployment would do, and does nothing. Many tenants
// may each have many statements to come: it holds the text of one tenant at a time.
func (a *api) planDeployment(x *exchange, asked workspace.DeploymentRequest) error {
	plan, err := a.service.PlanDeployment(x.r.Context(), x.principal, asked)
	if err != nil {
		return err
	}
	x.code = "ok"
	head := struct {
		envelope
		DryRun        bool   `json:"dry_run"`
		BlueprintName string `json:"blueprint_name"`
		Version       int64  `json:"version"`
	}{envelope{Success: true, HTTPStatus: http.StatusOK, Code: x.code}, true, plan.Blueprint, plan.Version}
	tail := struct {
		TenantsTotal int `json:"tenants_total"`
	}{len(plan.Tenants)}
	return x.streamed(func(out *bufio.Writer) error {
		return writeAround(out, head, "plan", func() error { return writePlans(out, plan.Tenants) }, tail)
	})
}

func writePlans(out *bufio.Writer, plans []workspace.TenantPlan) error {
	for i, t := range plans {
		if i > 0 {
			_ = out.WriteByte(',') // a bufio.Writer keeps its first error for Flush
		}
		text, err := encode(tenantPlan{TenantID: t.Tenant, FromVersion: t.From, ToVersion: t.To, DDL: orEmpty(t.Statements)})
		if err != nil {
			return fmt.Errorf("encode the plan for tenant %s: %w", t.Tenant, err)
		}
		if _, err := out.Write(text); err != nil {
			return fmt.Errorf("write the plan for tenant %s: %w", t.Tenant, err)
		}
	}
	return nil
}
