package admin

import (
	"net/http"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func (a *api) schemaRoutes() []route {
	return []route{
		{http.MethodGet, "/workspaces/{id}/schema", reader, "read schema", a.getSchema},
	}
}

type table struct {
	Name    string   `json:"name"`
	Columns []column `json:"columns"`
	Indexes []string `json:"indexes"`
}

type column struct {
	Name       string  `json:"name"`
	Type       string  `json:"type"`
	Nullable   bool    `json:"nullable"`
	Default    *string `json:"default,omitempty"`
	PrimaryKey bool    `json:"primary_key,omitempty"`
}

// getSchema serves GET /workspaces/{id}/schema.
func (a *api) getSchema(x *exchange) error {
	found, err := a.service.Schema(x.r.Context(), x.principal, x.workspace)
	if err != nil {
		return err
	}
	tables := make([]table, len(found))
	for i, t := range found {
		tables[i] = tableOf(t)
	}
	return x.ok(&struct {
		envelope
		Tables []table `json:"tables"`
	}{Tables: tables})
}

func tableOf(t workspace.Table) table {
	columns := make([]column, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = column{Name: c.Name, Type: c.Type, Nullable: c.Nullable, Default: c.Default, PrimaryKey: c.PrimaryKey}
	}
	return table{Name: t.Name, Columns: columns, Indexes: orEmpty(t.Indexes)}
}
