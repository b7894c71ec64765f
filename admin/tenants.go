package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func (a *api) tenantRoutes() []route {
	return []route{
		{http.MethodGet, "/tenants", reader, "list tenants", a.listTenants},
		{http.MethodPost, "/tenants", writer, "create tenant", a.createTenant},
		{http.MethodGet, "/tenants/{tenant}", reader, "read tenant", a.getTenant},
		{http.MethodDelete, "/tenants/{tenant}", writer, "delete tenant", a.deleteTenant},
		{http.MethodPost, "/tenants/{tenant}/suspend", writer, "suspend tenant", a.suspendTenant},
		{http.MethodPost, "/tenants/{tenant}/resume", writer, "resume tenant", a.resumeTenant},
		{http.MethodPost, "/tenants/{tenant}/restore", writer, "restore tenant", a.restoreTenant},
	}
}

// tenantItem is one tenant with its databases.
type tenantItem struct {
	TenantID  string                `json:"tenant_id"`
	Status    workspace.TenantState `json:"status"`
	Databases []tenantDatabase      `json:"databases"`
	CreatedAt string                `json:"created_at"`
}

type tenantDatabase struct {
	Blueprint        string           `json:"blueprint"`
	DatabaseType     string           `json:"database_type"`
	IsolationLevel   int64            `json:"isolation_level"`
	Version          int64            `json:"version"` // of the blueprint, that it has whole
	Connection       tenantConnection `json:"connection"`
	ConnectionString string           `json:"connection_string"`
}

// tenantConnection has the string within it too, so that a program can hand on
// one object.
type tenantConnection struct {
	connection
	ConnectionString string `json:"connection_string"`
}

func tenantItemOf(t workspace.TenantDetails) tenantItem {
	databases := make([]tenantDatabase, len(t.Databases))
	for i, d := range t.Databases {
		databases[i] = tenantDatabase{
			Blueprint:        d.Blueprint,
			DatabaseType:     d.Type.DisplayName(),
			IsolationLevel:   d.IsolationLevel,
			Version:          d.Version,
			Connection:       tenantConnection{connectionOf(d.Connection), d.Connection.String},
			ConnectionString: d.Connection.String,
		}
	}
	return tenantItem{TenantID: t.Name, Status: t.State, Databases: databases, CreatedAt: utc(t.CreatedAt)}
}

// listTenants serves GET /tenants.
func (a *api) listTenants(x *exchange) error {
	all, err := a.service.ListTenants(x.r.Context(), x.principal)
	if err != nil {
		return err
	}
	items := make([]tenantItem, len(all))
	for i, t := range all {
		items[i] = tenantItemOf(t)
	}
	return x.ok(&struct {
		envelope
		Tenants []tenantItem `json:"tenants"`
		Count   int          `json:"count"`
	}{Tenants: items, Count: len(items)})
}

// createTenant serves POST /tenants. Its answer is the only one that shows the
// passwords of the databases that it made.
func (a *api) createTenant(x *exchange) error {
	asked, err := x.tenantRequest()
	if err != nil {
		return err
	}
	t, err := a.service.CreateTenant(x.r.Context(), x.principal, asked)
	if err != nil {
		return err
	}
	x.Header().Set("Location", "/tenants/"+t.Name)
	return x.created(&struct {
		envelope
		tenantItem
	}{tenantItem: tenantItemOf(t)})
}

// tenantRequest reads what createTenant is asked for.
func (x *exchange) tenantRequest() (workspace.TenantRequest, error) {
	var name string
	var databases []*workspace.TenantDatabaseRequest
	err := x.decode(mostBody,
		field{name: "tenant_id", into: &name},
		field{name: "databases", into: objects(func() []field {
			d := &workspace.TenantDatabaseRequest{}
			databases = append(databases, d)
			return []field{
				{name: "blueprint", into: &d.Blueprint},
				{name: "isolation_level", into: &d.IsolationLevel, optional: true},
			}
		})},
	)
	if err != nil {
		return workspace.TenantRequest{}, err
	}
	asked := workspace.TenantRequest{Name: name}
	blueprints := make([]string, len(databases))
	for i, d := range databases {
		asked.Databases = append(asked.Databases, *d)
		blueprints[i] = d.Blueprint
	}
	x.note(slog.String("tenant", shorten(name)))
	x.note(slog.Any("blueprints", shortenAll(blueprints)))
	return asked, nil
}

// getTenant serves GET /tenants/{tenant}.
func (a *api) getTenant(x *exchange) error {
	t, err := a.service.GetTenant(x.r.Context(), x.principal, x.vars["tenant"])
	if err != nil {
		return err
	}
	return x.ok(&struct {
		envelope
		tenantItem
	}{tenantItem: tenantItemOf(t)})
}

// deleteTenant serves DELETE /tenants/{tenant}: into the trash, or for good with
// ?hard=true.
func (a *api) deleteTenant(x *exchange) error {
	name := x.vars["tenant"]
	hard, err := x.flag("hard")
	if err != nil {
		return err
	}
	x.note(slog.Bool("hard", hard))
	if err := a.service.DeleteTenant(x.r.Context(), x.principal, name, hard); err != nil {
		return err
	}
	status, text := string(workspace.TenantTrash), "Tenant '%s' moved to trash"
	if hard {
		status, text = "deleted", "Tenant '%s' deleted"
	}
	return x.ok(&struct {
		envelope
		Message  string `json:"message"`
		TenantID string `json:"tenant_id"`
		Status   string `json:"status"`
	}{Message: fmt.Sprintf(text, name), TenantID: name, Status: status})
}

// suspendTenant serves POST /tenants/{tenant}/suspend.
func (a *api) suspendTenant(x *exchange) error {
	return x.changeTenant(a.service.SuspendTenant, "Tenant '%s' suspended")
}

// resumeTenant serves POST /tenants/{tenant}/resume.
func (a *api) resumeTenant(x *exchange) error {
	return x.changeTenant(a.service.ResumeTenant, "Tenant '%s' resumed")
}

// restoreTenant serves POST /tenants/{tenant}/restore: back from the trash.
func (a *api) restoreTenant(x *exchange) error {
	return x.changeTenant(a.service.RestoreTenant, "Tenant '%s' restored")
}

// changeTenant does to the tenant what change does, and answers with it as it
// is then.
func (x *exchange) changeTenant(change func(context.Context, workspace.Principal, string) (workspace.TenantDetails, error), said string) error {
	t, err := change(x.r.Context(), x.principal, x.vars["tenant"])
	if err != nil {
		return err
	}
	return x.ok(&struct {
		envelope
		Message string `json:"message"`
		tenantItem
	}{Message: fmt.Sprintf(said, t.Name), tenantItem: tenantItemOf(t)})
}
