package admin

import (
	"net/http"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func (a *api) blueprintRoutes() []route {
	return []route{
		{http.MethodGet, "/blueprints", reader, "list blueprints", a.listBlueprints},
		{http.MethodGet, "/blueprints/{blueprint}", reader, "read blueprint", a.getBlueprint},
		{http.MethodGet, "/blueprints/{blueprint}/versions", reader, "list versions", a.listVersions},
	}
}

// blueprintItem is a blueprint without its schema.
type blueprintItem struct {
	Name           string                 `json:"name"`
	Database       workspace.DatabaseType `json:"database"`
	WorkspaceID    string                 `json:"workspace_id"`
	CurrentVersion int64                  `json:"current_version"`
	TenantCount    int64                  `json:"tenant_count"`
	CreatedAt      string                 `json:"created_at"`
}

func blueprintItemOf(b workspace.Blueprint) blueprintItem {
	return blueprintItem{
		Name:           b.Name,
		Database:       b.Type,
		WorkspaceID:    b.Name,
		CurrentVersion: b.Version,
		TenantCount:    b.Tenants,
		CreatedAt:      utc(b.CreatedAt),
	}
}

// listBlueprints serves GET /blueprints.
func (a *api) listBlueprints(x *exchange) error {
	all, err := a.service.Blueprints(x.r.Context(), x.principal)
	if err != nil {
		return err
	}
	items := make([]blueprintItem, len(all))
	for i, b := range all {
		items[i] = blueprintItemOf(b)
	}
	return x.ok(&struct {
		envelope
		Blueprints []blueprintItem `json:"blueprints"`
		Count      int             `json:"count"`
	}{Blueprints: items, Count: len(items)})
}

// getBlueprint serves GET /blueprints/{blueprint}.
func (a *api) getBlueprint(x *exchange) error {
	b, err := a.service.Blueprint(x.r.Context(), x.principal, x.vars["blueprint"])
	if err != nil {
		return err
	}
	return x.ok(&struct {
		envelope
		blueprintItem
		Schema []string `json:"schema"`
	}{blueprintItem: blueprintItemOf(b), Schema: orEmpty(b.Schema)})
}

// blueprintVersion is what one version brings to tenants.
type blueprintVersion struct {
	Version    int64    `json:"version"`
	DDLCount   int      `json:"ddl_count"`
	DDL        []string `json:"ddl"`
	CreatedAt  string   `json:"created_at"`
	DeployedAt *string  `json:"deployed_at"` // null where no tenant was to get it yet
}

// listVersions serves GET /blueprints/{blueprint}/versions.
func (a *api) listVersions(x *exchange) error {
	all, err := a.service.BlueprintVersions(x.r.Context(), x.principal, x.vars["blueprint"])
	if err != nil {
		return err
	}
	items := make([]blueprintVersion, len(all))
	for i, v := range all {
		statements := make([]string, len(v.Entries))
		for n, e := range v.Entries {
			statements[n] = e.Statement
		}
		items[i] = blueprintVersion{
			Version:    v.Number,
			DDLCount:   len(statements),
			DDL:        statements,
			CreatedAt:  utc(v.CreatedAt),
			DeployedAt: utcOrNull(v.DeployedAt),
		}
	}
	return x.ok(&struct {
		envelope
		Blueprint string             `json:"blueprint"`
		Versions  []blueprintVersion `json:"versions"`
		Count     int                `json:"count"`
	}{Blueprint: x.vars["blueprint"], Versions: items, Count: len(items)})
}

// utcOrNull is utc, or null for a time that has not come.
func utcOrNull(t *time.Time) *string {
	if t == nil {
		return nil
	}
	text := utc(*t)
	return &text
}
