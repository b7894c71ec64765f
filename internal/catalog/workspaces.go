package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// settings is how workspace.Settings are kept; its names are part of the
// schema.
type settings struct {
	QueryTimeoutMS  int64                        `json:"query_timeout_ms"`
	MaxRowsPerQuery int64                        `json:"max_rows_per_query"`
	MaxConnections  int64                        `json:"max_connections"`
	DefaultTTL      int64                        `json:"default_ttl,omitempty"`
	MaxKeys         int64                        `json:"max_keys,omitempty"`
	Patterns        map[string]workspace.Pattern `json:"patterns,omitempty"`
}

// AddWorkspace implements workspace.Catalog.
func (c *Catalog) AddWorkspace(ctx context.Context, w workspace.Workspace) (id int64, err error) {
	kept, err := json.Marshal(settings(w.Settings))
	if err != nil {
		return 0, fmt.Errorf("add workspace: %w", err)
	}
	err = c.write(ctx, "add workspace", func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `INSERT INTO workspaces
			(project_id, name, type, mode, state, server, database, role, role_secret, settings, version, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			w.ProjectID, w.Name, w.Type, w.Mode, w.State, w.Server, w.Database, w.Role, w.RoleSecret, string(kept), w.Version, micros(w.CreatedAt)).
			Scan(&id)
	})
	return id, err
}

// Workspaces implements workspace.Catalog.
func (c *Catalog) Workspaces(ctx context.Context) ([]workspace.Workspace, error) {
	all, err := rows(ctx, c.reader, scanWorkspace, `SELECT
		id, project_id, name, type, mode, state, server, database, role, role_secret, settings, version, created_at
		FROM workspaces ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read workspaces: %w", err)
	}
	return all, nil
}

func scanWorkspace(r scanner) (w workspace.Workspace, err error) {
	var text string
	var created int64
	err = r.Scan(&w.ID, &w.ProjectID, &w.Name, &w.Type, &w.Mode, &w.State, &w.Server, &w.Database, &w.Role, &w.RoleSecret, &text, &w.Version, &created)
	if err != nil {
		return w, err
	}
	w.CreatedAt = fromMicros(created)
	if w.Settings, err = readSettings(text); err != nil {
		return w, fmt.Errorf("settings of workspace %d: %w", w.ID, err)
	}
	return w, nil
}

func readSettings(text string) (workspace.Settings, error) {
	var kept settings
	err := json.Unmarshal([]byte(text), &kept)
	return workspace.Settings(kept), err
}

// SetState implements workspace.Catalog.
func (c *Catalog) SetState(ctx context.Context, id int64, s workspace.State) error {
	return c.write(ctx, "set workspace state", func(tx *sql.Tx) error {
		return exec(ctx, tx, `UPDATE workspaces SET state = ? WHERE id = ?`, s, id)
	})
}

// SetSettings implements workspace.Catalog.
func (c *Catalog) SetSettings(ctx context.Context, id int64, s workspace.Settings) error {
	kept, err := json.Marshal(settings(s))
	if err != nil {
		return fmt.Errorf("set workspace settings: %w", err)
	}
	return c.write(ctx, "set workspace settings", func(tx *sql.Tx) error {
		return exec(ctx, tx, `UPDATE workspaces SET settings = ? WHERE id = ?`, string(kept), id)
	})
}

// RemoveWorkspace implements workspace.Catalog.
func (c *Catalog) RemoveWorkspace(ctx context.Context, id int64) error {
	return c.write(ctx, "remove workspace", func(tx *sql.Tx) error {
		if err := exec(ctx, tx, `DELETE FROM workspaces WHERE id = ?`, id); err != nil {
			return err
		}
		return removeReader(ctx, tx, id)
	})
}
