package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// AddDeployment implements workspace.Catalog.
func (c *Catalog) AddDeployment(ctx context.Context, d workspace.Deployment) error {
	return c.write(ctx, "add deployment", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO deployments (id, project_id, workspace_id, version, state, created_at)
			VALUES (?, ?, ?, ?, ?, ?)`, d.ID, d.ProjectID, d.BlueprintID, d.Version, d.State, micros(d.CreatedAt))
		if err != nil {
			return orphan(err)
		}
		for _, r := range d.Results {
			if err := setResult(ctx, tx, d.ID, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// SetDeploymentResult implements workspace.Catalog.
func (c *Catalog) SetDeploymentResult(ctx context.Context, id string, r workspace.DeploymentResult) error {
	return c.write(ctx, "keep a deployment's result", func(tx *sql.Tx) error { return setResult(ctx, tx, id, r) })
}

func setResult(ctx context.Context, tx *sql.Tx, id string, r workspace.DeploymentResult) error {
	return orphan(exec(ctx, tx, `INSERT INTO deployment_results (deployment_id, tenant, database_id, state, version, error, took)
		VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (deployment_id, tenant) DO UPDATE
		SET database_id = excluded.database_id, state = excluded.state, version = excluded.version, error = excluded.error, took = excluded.took`,
		id, r.Tenant, r.DatabaseID, r.State, r.Version, r.Error, r.Took.Microseconds()))
}

// SetDeploymentState implements workspace.Catalog.
func (c *Catalog) SetDeploymentState(ctx context.Context, id string, s workspace.DeploymentState, completed *time.Time) error {
	var at sql.Null[int64]
	if completed != nil {
		at = sql.Null[int64]{V: micros(*completed), Valid: true}
	}
	return c.write(ctx, "set a deployment's state", func(tx *sql.Tx) error {
		return exec(ctx, tx, `UPDATE deployments SET state = ?, completed_at = ? WHERE id = ?`, s, at, id)
	})
}

// selectDeployments has each deployment's blueprint by its name.
const selectDeployments = `SELECT d.id, d.project_id, d.workspace_id, w.name, d.version, d.state, d.created_at, d.completed_at
	FROM deployments d JOIN workspaces w ON w.id = d.workspace_id`

// Deployments implements workspace.Catalog.
func (c *Catalog) Deployments(ctx context.Context, project string) ([]workspace.Deployment, error) {
	all, err := c.deployments(ctx, selectDeployments+` WHERE d.project_id = ? ORDER BY d.created_at DESC, d.id`, project)
	if err != nil {
		return nil, fmt.Errorf("read deployments: %w", err)
	}
	return all, nil
}

// Deployment implements workspace.Catalog.
func (c *Catalog) Deployment(ctx context.Context, id string) (workspace.Deployment, error) {
	found, err := c.deployments(ctx, selectDeployments+` WHERE d.id = ?`, id)
	switch {
	case err != nil:
		return workspace.Deployment{}, fmt.Errorf("read deployment %s: %w", id, err)
	case len(found) == 0:
		return workspace.Deployment{}, workspace.ErrNotFound
	}
	return found[0], nil
}

// UnfinishedDeployments implements workspace.Catalog.
func (c *Catalog) UnfinishedDeployments(ctx context.Context) ([]workspace.Deployment, error) {
	all, err := c.deployments(ctx, selectDeployments+` WHERE d.completed_at IS NULL ORDER BY d.created_at, d.id`)
	if err != nil {
		return nil, fmt.Errorf("read unfinished deployments: %w", err)
	}
	return all, nil
}

func (c *Catalog) deployments(ctx context.Context, query string, args ...any) ([]workspace.Deployment, error) {
	all, err := rows(ctx, c.reader, scanDeployment, query, args...)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Results, err = rows(ctx, c.reader, scanResult, `SELECT tenant, database_id, state, version, error, took
			FROM deployment_results WHERE deployment_id = ? ORDER BY tenant`, all[i].ID)
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func scanDeployment(r scanner) (d workspace.Deployment, err error) {
	var created int64
	var completed sql.Null[int64]
	err = r.Scan(&d.ID, &d.ProjectID, &d.BlueprintID, &d.Blueprint, &d.Version, &d.State, &created, &completed)
	d.CreatedAt = fromMicros(created)
	if completed.Valid {
		at := fromMicros(completed.V)
		d.CompletedAt = &at
	}
	return d, err
}

func scanResult(r scanner) (result workspace.DeploymentResult, err error) {
	var took int64
	err = r.Scan(&result.Tenant, &result.DatabaseID, &result.State, &result.Version, &result.Error, &took)
	result.Took = time.Duration(took) * time.Microsecond
	return result, err
}
