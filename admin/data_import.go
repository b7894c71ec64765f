package admin

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func (a *api) dataImportRoutes() []route {
	return []route{
		{http.MethodPost, "/workspaces/{id}/import-data/analyze", writer, "analyze data import", a.analyzeData},
		{http.MethodPost, "/workspaces/{id}/import-data", writer, "import data", a.importData},
		{http.MethodGet, "/workspaces/{id}/import-data/status", reader, "read data import", a.getDataImport},
		{http.MethodPost, "/workspaces/{id}/import-full", writer, "import schema and data", a.importAll},
	}
}

// dataRequest reads where rows are and where they are to go.
func (x *exchange) dataRequest() (r workspace.DataRequest, err error) {
	var connection json.RawMessage
	err = x.decode(mostBody,
		field{name: "connection", into: &connection},
		field{name: "tables", into: &r.Tables, optional: true},
		field{name: "routing_field", into: &r.RoutingField, optional: true},
		field{name: "shared_tables", into: &r.Shared, optional: true},
		field{name: "tenants", into: &r.Tenants, optional: true},
		field{name: "create_tenants", into: &r.CreateTenants, optional: true},
		field{name: "drop_routing_field", into: &r.DropRouting, optional: true},
	)
	if err != nil {
		return r, err
	}
	if r.Connection, err = decodeConnection(connection); err != nil {
		return r, err
	}
	if r.RoutingField != "" {
		x.note(slog.String("routing_field", shorten(r.RoutingField)))
	}
	return r, nil
}

// analyzedTable is a table of the source beside the workspace's.
type analyzedTable struct {
	Name           string   `json:"name"`
	Rows           int64    `json:"rows"`
	RowsExact      bool     `json:"rows_exact"`
	Bytes          int64    `json:"bytes"`
	InWorkspace    bool     `json:"in_workspace"`
	MissingColumns []string `json:"missing_columns"` // that the workspace's lacks
	Routed         bool     `json:"routed"`
}

type analyzedTenant struct {
	TenantID string `json:"tenant_id"`
	Rows     int64  `json:"rows"`
	Exists   bool   `json:"exists"`
}

type dataSource struct {
	Host     string `json:"host"`
	Port     int64  `json:"port"`
	Database string `json:"database"`
}

type analysisAnswer struct {
	envelope
	DatabaseType      string           `json:"database_type"`
	Source            dataSource       `json:"source"`
	Tables            []analyzedTable  `json:"tables"`
	RoutingCandidates []string         `json:"routing_candidates"`
	Tenants           []analyzedTenant `json:"tenants"`
	TenantsTotal      int64            `json:"tenants_total"`
	Problems          []string         `json:"problems"`
	Importable        bool             `json:"importable"`
}

// analyzeData serves POST /workspaces/{id}/import-data/analyze.
func (a *api) analyzeData(x *exchange) error {
	r, err := x.dataRequest()
	if err != nil {
		return err
	}
	found, err := a.service.AnalyzeData(x.r.Context(), x.principal, x.workspace, r)
	if err != nil {
		return err
	}
	body := &analysisAnswer{
		DatabaseType:      found.Type.DisplayName(),
		Source:            dataSource{found.Source.Host, found.Source.Port, found.Source.Database},
		Tables:            make([]analyzedTable, len(found.Tables)),
		RoutingCandidates: orEmpty(found.Candidates),
		Tenants:           make([]analyzedTenant, len(found.Tenants)),
		TenantsTotal:      found.Total,
		Problems:          orEmpty(found.Problems),
		Importable:        len(found.Problems) == 0,
	}
	for i, t := range found.Tables {
		body.Tables[i] = analyzedTable{t.Name, t.Rows, t.Exact, t.Bytes, t.There, orEmpty(t.Missing), t.Routed}
	}
	for i, t := range found.Tenants {
		body.Tenants[i] = analyzedTenant{t.Value, t.Rows, t.Exists}
	}
	return x.ok(body)
}

// begunAnswer says that an import was begun.
type begunAnswer struct {
	envelope
	ImportID       string                `json:"import_id"`
	Status         workspace.ImportState `json:"status"`
	Message        string                `json:"message"`
	Error          string                `json:"error,omitempty"`
	CreatedTenants []tenantItem          `json:"created_tenants"`
}

func begunAnswerOf(id string, begun workspace.BegunImport) begunAnswer {
	body := begunAnswer{
		ImportID:       begun.Import.ID,
		Status:         begun.Import.State,
		Message:        fmt.Sprintf("Data import into workspace '%s' has begun", id),
		Error:          begun.Import.Error,
		CreatedTenants: make([]tenantItem, len(begun.Created)),
	}
	for i, t := range begun.Created {
		body.CreatedTenants[i] = tenantItemOf(t)
	}
	return body
}

// accept answers 202 for an import.
func (x *exchange) accept(importID string, body answer) error {
	x.note(slog.String("import", importID))
	x.Header().Set("Location", "/workspaces/"+url.PathEscape(x.workspace)+"/import-data/status?import_id="+importID)
	return x.succeed(http.StatusAccepted, "accepted", body)
}

// importData serves POST /workspaces/{id}/import-data.
func (a *api) importData(x *exchange) error {
	r, err := x.dataRequest()
	if err != nil {
		return err
	}
	begun, err := a.service.ImportData(x.r.Context(), x.principal, x.workspace, r)
	if err != nil {
		return err
	}
	body := begunAnswerOf(x.workspace, begun)
	return x.accept(begun.Import.ID, &body)
}

// importAll serves POST /workspaces/{id}/import-full.
func (a *api) importAll(x *exchange) error {
	r, err := x.dataRequest()
	if err != nil {
		return err
	}
	begun, err := a.service.ImportAll(x.r.Context(), x.principal, x.workspace, r)
	if err != nil {
		return err
	}
	schema := importAnswerOf(*begun.Schema)
	body := &struct {
		begunAnswer
		Created  []string          `json:"created"`
		Skipped  []string          `json:"skipped"`
		Errors   []failedStatement `json:"errors"`
		Warnings []string          `json:"warnings"`
		Details  importDetails     `json:"details"`
	}{begunAnswerOf(x.workspace, begun), schema.Created, schema.Skipped, schema.Errors, schema.Warnings, schema.Details}
	body.Message = fmt.Sprintf("Schema imported to workspace '%s', and the import of its data has begun", x.workspace)
	if begun.Import.Error != "" {
		body.Message = fmt.Sprintf("Schema imported to workspace '%s', and its data can't be", x.workspace)
	}
	return x.accept(begun.Import.ID, body)
}

// importedTable is what became of a table.
type importedTable struct {
	Name         string                `json:"name"`
	Status       workspace.ImportState `json:"status"`
	RowsImported int64                 `json:"rows_imported"`
	RowsTotal    int64                 `json:"rows_total"`
	RowsExact    bool                  `json:"rows_exact"`
	Error        string                `json:"error,omitempty"`
}

// importedTenant is what became of the rows of one tenant.
type importedTenant struct {
	TenantID     string                `json:"tenant_id"`
	Status       workspace.ImportState `json:"status"`
	RowsImported int64                 `json:"rows_imported"`
	Error        string                `json:"error,omitempty"`
}

// getDataImport serves GET /workspaces/{id}/import-data/status.
func (a *api) getDataImport(x *exchange) error {
	d, err := a.service.DataImportStatus(x.r.Context(), x.principal, x.workspace, x.r.URL.Query().Get("import_id"))
	if err != nil {
		return err
	}
	tables := []importedTable{}
	for _, t := range d.TableResults() {
		tables = append(tables, importedTable{t.Name, t.State, t.Imported, t.Rows, t.Exact, t.Error})
	}
	tenants := []importedTenant{}
	for _, p := range d.Parts {
		if p.Tenant != "" {
			tenants = append(tenants, importedTenant{p.Tenant, p.State, p.Imported(), p.Error})
		}
	}
	return x.ok(&struct {
		envelope
		ImportID     string                `json:"import_id"`
		Status       workspace.ImportState `json:"status"`
		Tables       []importedTable       `json:"tables"`
		Tenants      []importedTenant      `json:"tenants"`
		RowsImported int64                 `json:"rows_imported"`
		StartedAt    string                `json:"started_at"`
		CompletedAt  *string               `json:"completed_at"` // null until it ended
		Error        string                `json:"error,omitempty"`
	}{
		ImportID:     d.ID,
		Status:       d.State,
		Tables:       tables,
		Tenants:      tenants,
		RowsImported: d.RowsImported(),
		StartedAt:    utc(d.CreatedAt),
		CompletedAt:  utcOrNull(d.CompletedAt),
		Error:        d.Error,
	})
}
