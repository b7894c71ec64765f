package admin

import (
	"encoding/json"
	"net/http"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func (a *api) schemaRoutes() []route {
	return []route{
		{http.MethodGet, "/workspaces/{id}/schema", reader, "read schema", a.getSchema},
		{http.MethodPost, "/workspaces/{id}/schema", writer, "import schema", a.importSchema},
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

// collection is a table of a MongoDB workspace, where columns are each
// document's own.
type collection struct {
	Name      string          `json:"name"`
	Indexes   []string        `json:"indexes"`
	Validator json.RawMessage `json:"validator,omitempty"`
}

// keyGroup is the keys of a Redis workspace that one pattern matches.
type keyGroup struct {
	Pattern string           `json:"pattern"`
	Count   int64            `json:"count"`
	Types   map[string]int64 `json:"types"`
	WithTTL int64            `json:"with_ttl"`
}

// getSchema serves GET /workspaces/{id}/schema.
func (a *api) getSchema(x *exchange) error {
	w, err := a.service.Settings(x.r.Context(), x.principal, x.workspace)
	if err != nil {
		return err
	}
	if w.Type == workspace.Redis {
		return a.getKeys(x)
	}
	found, err := a.service.Schema(x.r.Context(), x.principal, x.workspace)
	if err != nil {
		return err
	}
	if w.Type == workspace.MongoDB {
		return x.ok(&struct {
			envelope
			Collections []collection `json:"collections"`
		}{Collections: collectionsOf(found)})
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

// getKeys is getSchema for what has keys in place of tables.
func (a *api) getKeys(x *exchange) error {
	found, err := a.service.Keys(x.r.Context(), x.principal, x.workspace)
	if err != nil {
		return err
	}
	groups := make([]keyGroup, len(found.Groups))
	for i, g := range found.Groups {
		groups[i] = keyGroup{Pattern: g.Pattern, Count: g.Count, Types: g.Types, WithTTL: g.WithTTL}
	}
	return x.ok(&struct {
		envelope
		Keys     []keyGroup `json:"keys"`
		KeyCount int64      `json:"key_count"`
		LookedAt int64      `json:"looked_at"`
		Complete bool       `json:"complete"`
	}{Keys: groups, KeyCount: found.Total, LookedAt: found.Looked, Complete: found.Complete})
}

func tableOf(t workspace.Table) table {
	columns := make([]column, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = column{Name: c.Name, Type: c.Type, Nullable: c.Nullable, Default: c.Default, PrimaryKey: c.PrimaryKey}
	}
	return table{Name: t.Name, Columns: columns, Indexes: orEmpty(t.Indexes)}
}

func collectionsOf(found []workspace.Table) []collection {
	all := make([]collection, len(found))
	for i, t := range found {
		all[i] = collection{Name: t.Name, Indexes: orEmpty(t.Indexes), Validator: t.Validator}
	}
	return all
}
