package admin

import (
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func (a *api) settingsRoutes() []route {
	return []route{
		{http.MethodGet, "/workspaces/{id}/settings", reader, "read settings", a.getSettings},
		{http.MethodPost, "/workspaces/{id}/settings", writer, "change settings", a.changeSettings},
		{http.MethodPatch, "/workspaces/{id}/settings", writer, "change settings", a.changeSettings},
	}
}

// The settings of a type, 0 meaning no limit.
type (
	limitSettings struct {
		QueryTimeoutMS  int64 `json:"query_timeout_ms"`
		MaxRowsPerQuery int64 `json:"max_rows_per_query"`
		MaxConnections  int64 `json:"max_connections"`
	}
	redisSettings struct {
		DefaultTTL int64                        `json:"default_ttl"`
		MaxKeys    int64                        `json:"max_keys"`
		Patterns   map[string]workspace.Pattern `json:"patterns"`
	}
)

func settingsOf(t workspace.DatabaseType, s workspace.Settings) any {
	if t != workspace.Redis {
		return limitSettings{QueryTimeoutMS: s.QueryTimeoutMS, MaxRowsPerQuery: s.MaxRowsPerQuery, MaxConnections: s.MaxConnections}
	}
	patterns := s.Patterns
	if patterns == nil {
		patterns = map[string]workspace.Pattern{}
	}
	return redisSettings{DefaultTTL: s.DefaultTTL, MaxKeys: s.MaxKeys, Patterns: patterns}
}

// getSettings serves GET /workspaces/{id}/settings.
func (a *api) getSettings(x *exchange) error {
	w, err := a.service.Settings(x.r.Context(), x.principal, x.workspace)
	if err != nil {
		return err
	}
	return x.ok(&struct {
		envelope
		DatabaseType    string   `json:"database_type"`
		Settings        any      `json:"settings"`
		AvailableFields []string `json:"available_fields"`
	}{
		DatabaseType:    w.Type.DisplayName(),
		Settings:        settingsOf(w.Type, w.Settings),
		AvailableFields: workspace.AvailableSettings(w.Type),
	})
}

// changeSettings serves POST and PATCH /workspaces/{id}/settings. Both change
// only the fields that are given.
func (a *api) changeSettings(x *exchange) error {
	fields, err := x.decodeAny(mostBody)
	if err != nil {
		return err
	}
	w, err := a.service.UpdateSettings(x.r.Context(), x.principal, x.workspace, fields)
	if err != nil {
		return err
	}
	x.note(slog.Any("fields", slices.Sorted(maps.Keys(fields))))
	text := "Settings saved."
	if w.Mode == workspace.Tenant {
		text = "Settings saved. Deploy to apply to tenants."
	}
	return x.ok(&struct {
		envelope
		Settings      any    `json:"settings"`
		Message       string `json:"message"`
		PendingDeploy bool   `json:"pending_deploy"`
		DatabaseType  string `json:"database_type"`
	}{
		Settings:      settingsOf(w.Type, w.Settings),
		Message:       text,
		PendingDeploy: w.Mode == workspace.Tenant,
		DatabaseType:  w.Type.DisplayName(),
	})
}
