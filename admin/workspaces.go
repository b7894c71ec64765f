package admin

import (
	"net/http"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func (a *api) workspaceRoutes() []route {
	return []route{
		{http.MethodGet, "/workspaces", reader, "list workspaces", a.listWorkspaces},
		{http.MethodPost, "/workspaces", writer, "create workspace", a.createWorkspace},
		{http.MethodGet, "/workspaces/{id}", reader, "read workspace", a.getWorkspace},
		{http.MethodDelete, "/workspaces/{id}", writer, "delete workspace", a.deleteWorkspace},
	}
}

// workspaceItem is one workspace in a list.
type workspaceItem struct {
	ID        string                 `json:"id"`
	Name      string                 `json:"name"`
	Mode      workspace.Mode         `json:"mode"`
	Database  workspace.DatabaseType `json:"database"`
	CreatedAt string                 `json:"created_at"`
	Version   *int64                 `json:"version,omitempty"` // tenant mode only
}

// listWorkspaces serves GET /workspaces.
func (a *api) listWorkspaces(x *exchange) error {
	all, err := a.service.List(x.r.Context(), x.principal)
	if err != nil {
		return err
	}
	items := make([]workspaceItem, len(all))
	for i, w := range all {
		items[i] = workspaceItem{
			ID:        w.Name,
			Name:      w.Name,
			Mode:      w.Mode,
			Database:  w.Type,
			CreatedAt: utc(w.CreatedAt),
			Version:   ifTenant(w.Mode, w.Version),
		}
	}
	return x.ok(&struct {
		envelope
		Workspaces []workspaceItem `json:"workspaces"`
		Count      int             `json:"count"`
	}{Workspaces: items, Count: len(items)})
}

// connection is how a native client reaches a workspace. user and username are
// the same: the specification has one in one place and the other in another.
type connection struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Database string `json:"database"`
	User     string `json:"user"`
	Username string `json:"username"`
	Password string `json:"password"`
}

func connectionOf(c workspace.Connection) connection {
	return connection{Host: c.Host, Port: c.Port, Database: c.Database, User: c.User, Username: c.User, Password: c.Password}
}

// createWorkspace serves POST /workspaces.
func (a *api) createWorkspace(x *exchange) error {
	var name, database, mode string
	err := x.decode(mostBody,
		field{name: "name", into: &name},
		field{name: "database", into: &database, choices: "PostgreSQL, MySQL, MongoDB or Redis"},
		field{name: "mode", into: &mode, choices: "tenant or control"},
	)
	if err != nil {
		return err
	}
	x.workspace = name
	w, err := a.service.Create(x.r.Context(), x.principal, name, database, mode)
	if err != nil {
		return err
	}
	blueprint := ""
	if w.Mode == workspace.Tenant {
		blueprint = w.Name
	}
	x.Header().Set("Location", "/workspaces/"+w.Name)
	return x.created(&struct {
		envelope
		ID               string         `json:"id"`
		Mode             workspace.Mode `json:"mode"`
		Blueprint        string         `json:"blueprint,omitempty"`
		Database         string         `json:"database"`
		Connection       connection     `json:"connection"`
		ConnectionString string         `json:"connection_string"`
	}{
		ID:               w.Name,
		Mode:             w.Mode,
		Blueprint:        blueprint,
		Database:         w.Type.DisplayName(),
		Connection:       connectionOf(w.Connection),
		ConnectionString: w.Connection.String,
	})
}

// getWorkspace serves GET /workspaces/{id}.
func (a *api) getWorkspace(x *exchange) error {
	w, err := a.service.Get(x.r.Context(), x.principal, x.workspace)
	if err != nil {
		return err
	}
	var schemaError *string
	if w.SchemaError != "" {
		schemaError = &w.SchemaError
	}
	return x.ok(&struct {
		envelope
		ID                string                 `json:"id"`
		Name              string                 `json:"name"`
		Mode              workspace.Mode         `json:"mode"`
		Database          workspace.DatabaseType `json:"database"`
		Schema            []string               `json:"schema"`
		SchemaError       *string                `json:"schema_error"`
		UndeployedChanges *int64                 `json:"undeployed_changes,omitempty"` // tenant mode only
		Connection        connection             `json:"connection"`
		ConnectionString  string                 `json:"connection_string"`
		Settings          any                    `json:"settings"`
		Version           *int64                 `json:"version,omitempty"` // tenant mode only
		CreatedAt         string                 `json:"created_at"`
	}{
		ID:                w.Name,
		Name:              w.Name,
		Mode:              w.Mode,
		Database:          w.Type,
		Schema:            orEmpty(w.Definitions),
		SchemaError:       schemaError,
		UndeployedChanges: ifTenant(w.Mode, w.Undeployed),
		Connection:        connectionOf(w.Connection),
		ConnectionString:  w.Connection.String,
		Settings:          settingsOf(w.Type, w.Settings),
		Version:           ifTenant(w.Mode, w.Version),
		CreatedAt:         utc(w.CreatedAt),
	})
}

// deletion is what a delete removed.
type deletion struct {
	Workspace       string         `json:"workspace"`
	Mode            workspace.Mode `json:"mode"`
	VersionsDeleted int64          `json:"versions_deleted"`
	DeletionType    string         `json:"deletion_type"`
	PhysicalDB      bool           `json:"physical_db"`
}

// deleteWorkspace serves DELETE /workspaces/{id}.
func (a *api) deleteWorkspace(x *exchange) error {
	gone, err := a.service.Delete(x.r.Context(), x.principal, x.workspace)
	if err != nil {
		return err
	}
	return x.ok(&struct {
		envelope
		Message string   `json:"message"`
		Details deletion `json:"details"`
	}{
		Message: "workspace deleted",
		Details: deletion{
			Workspace:       gone.Name,
			Mode:            gone.Mode,
			VersionsDeleted: gone.VersionsDeleted,
			DeletionType:    "full",
			PhysicalDB:      true,
		},
	})
}

// ifTenant is n, or nothing outside tenant mode, where there are no versions.
func ifTenant(mode workspace.Mode, n int64) *int64 {
	if mode != workspace.Tenant {
		return nil
	}
	return &n
}
