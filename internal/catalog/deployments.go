package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
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
	return c.write(ctx, "set a deployment's state", func(tx *sql.Tx) error {
		return exec(ctx, tx, `UPDATE deployments SET state = ?, completed_at = ? WHERE id = ?`, s, microsOrNull(completed), id)
	})
}

// selectDeployments has each deployment's blueprint by its name.
const selectDeployments = `SELECT d.id, d.project_id, d.workspace_id, w.name, d.version, d.state, d.created_at, d.completed_at
	FROM deployments d JOIN workspaces w ON w.id = d.workspace_id`

// Deployments implements workspace.Catalog.
func (c *Catalog) Deployments(ctx context.Context, page workspace.DeploymentPage) ([]workspace.DeploymentSummary, error) {
	blueprints, err := json.Marshal(page.Blueprints) // null: all
	if err != nil {
		return nil, fmt.Errorf("read deployments: %w", err)
	}
	all, err := rows(ctx, c.reader, scanSummary, `SELECT page.*, count(r.tenant),
			count(r.tenant) FILTER (WHERE r.state = 'completed'), count(r.tenant) FILTER (WHERE r.state = 'failed')
		FROM (`+selectDeployments+`
			WHERE d.project_id = ?1
				AND (?2 = 'null' OR w.name IN (SELECT value FROM json_each(?2)))
				AND (?3 = '' OR (d.created_at, d.id) < (SELECT created_at, id FROM deployments WHERE id = ?3))
			ORDER BY d.created_at DESC, d.id DESC LIMIT ?4) page
		LEFT JOIN deployment_results r ON r.deployment_id = page.id
		GROUP BY page.id ORDER BY page.created_at DESC, page.id DESC`, page.ProjectID, string(blueprints), page.Before, page.Limit)
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

// deployments is those that query gives, with their results.
func (c *Catalog) deployments(ctx context.Context, query string, args ...any) ([]workspace.Deployment, error) {
	all, err := rows(ctx, c.reader, func(r scanner) (workspace.Deployment, error) { return scanDeployment(r) }, query, args...)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(all))
	for i, d := range all {
		ids[i] = d.ID
	}
	listed, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	results := map[string][]workspace.DeploymentResult{}
	_, err = rows(ctx, c.reader, func(r scanner) (id string, err error) {
		id, result, err := scanResult(r)
		results[id] = append(results[id], result)
		return id, err
	}, `SELECT deployment_id, tenant, database_id, state, version, error, took
		FROM deployment_results WHERE deployment_id IN (SELECT value FROM json_each(?)) ORDER BY deployment_id, tenant`, string(listed))
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Results = results[all[i].ID]
	}
	return all, nil
}

func scanSummary(r scanner) (s workspace.DeploymentSummary, err error) {
	s.Deployment, err = scanDeployment(r, &s.Tenants, &s.Completed, &s.Failed)
	return s, err
}

// scanDeployment reads a deployment, and more from the columns behind it.
func scanDeployment(r scanner, more ...any) (d workspace.Deployment, err error) {
	var created int64
	var completed sql.Null[int64]
	columns := []any{&d.ID, &d.ProjectID, &d.BlueprintID, &d.Blueprint, &d.Version, &d.State, &created, &completed}
	err = r.Scan(append(columns, more...)...)
	d.CreatedAt = fromMicros(created)
	d.CompletedAt = timeOrNil(completed)
	return d, err
}

func scanResult(r scanner) (deployment string, result workspace.DeploymentResult, err error) {
	var took int64
	err = r.Scan(&deployment, &result.Tenant, &result.DatabaseID, &result.State, &result.Version, &result.Error, &took)
	result.Took = time.Duration(took) * time.Microsecond
	return deployment, result, err
}
