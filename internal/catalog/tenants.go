package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// AddTenantDatabase implements workspace.Catalog.
func (c *Catalog) AddTenantDatabase(ctx context.Context, t workspace.TenantRecord, d workspace.TenantDatabase) (tenantID, id int64, err error) {
	kept, err := json.Marshal(settings(d.Settings))
	if err != nil {
		return 0, 0, fmt.Errorf("add tenant database: %w", err)
	}
	tenantID = t.ID
	err = c.write(ctx, "add tenant database", func(tx *sql.Tx) error {
		if tenantID == 0 {
			err := tx.QueryRowContext(ctx, `INSERT INTO tenants (project_id, name, state, created_at) VALUES (?, ?, ?, ?) RETURNING id`,
				t.ProjectID, t.Name, t.State, micros(t.CreatedAt)).Scan(&tenantID)
			if err != nil {
				return err
			}
		}
		l := d.Login
		return tx.QueryRowContext(ctx, `INSERT INTO tenant_databases
			(tenant_id, workspace_id, state, isolation_level, server, database, role, role_secret, owner, owner_secret,
			 login, credential, sealed, iterations, salt, stored_key, server_key, settings, version, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			tenantID, d.BlueprintID, d.State, d.IsolationLevel, d.Server, d.Database, d.Role, d.RoleSecret, d.Owner, d.OwnerSecret,
			l.ProjectID, l.ID, l.Sealed, l.SCRAM.Iterations, l.SCRAM.Salt, l.SCRAM.StoredKey, l.SCRAM.ServerKey,
			string(kept), d.Version, micros(d.CreatedAt)).Scan(&id)
	})
	if err != nil {
		return 0, 0, err
	}
	return tenantID, id, nil
}

// Tenants implements workspace.Catalog.
func (c *Catalog) Tenants(ctx context.Context) ([]workspace.TenantRecord, error) {
	all, err := rows(ctx, c.reader, func(r scanner) (t workspace.TenantRecord, err error) {
		var created int64
		err = r.Scan(&t.ID, &t.ProjectID, &t.Name, &t.State, &created)
		t.CreatedAt = fromMicros(created)
		return t, err
	}, `SELECT id, project_id, name, state, created_at FROM tenants ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read tenants: %w", err)
	}
	return all, nil
}

// TenantDatabases implements workspace.Catalog.
func (c *Catalog) TenantDatabases(ctx context.Context) ([]workspace.TenantDatabase, error) {
	all, err := rows(ctx, c.reader, scanTenantDatabase, `SELECT
		id, tenant_id, workspace_id, state, isolation_level, server, database, role, role_secret, owner, owner_secret,
		login, credential, sealed, iterations, salt, stored_key, server_key, settings, version, created_at
		FROM tenant_databases ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read tenant databases: %w", err)
	}
	return all, nil
}

func scanTenantDatabase(r scanner) (d workspace.TenantDatabase, err error) {
	var text string
	var created int64
	l := &d.Login
	err = r.Scan(&d.ID, &d.TenantID, &d.BlueprintID, &d.State, &d.IsolationLevel, &d.Server, &d.Database, &d.Role, &d.RoleSecret, &d.Owner, &d.OwnerSecret,
		&l.ProjectID, &l.ID, &l.Sealed, &l.SCRAM.Iterations, &l.SCRAM.Salt, &l.SCRAM.StoredKey, &l.SCRAM.ServerKey,
		&text, &d.Version, &created)
	if err != nil {
		return d, err
	}
	d.CreatedAt = fromMicros(created)
	l.CreatedAt = d.CreatedAt
	d.Settings, err = readSettings(text)
	if err != nil {
		return d, fmt.Errorf("settings of tenant database %d: %w", d.ID, err)
	}
	return d, nil
}

// SetTenantState implements workspace.Catalog.
func (c *Catalog) SetTenantState(ctx context.Context, id int64, s workspace.TenantState) error {
	return c.write(ctx, "set tenant state", func(tx *sql.Tx) error {
		return exec(ctx, tx, `UPDATE tenants SET state = ? WHERE id = ?`, s, id)
	})
}

// SetTenantDatabasesReady implements workspace.Catalog.
func (c *Catalog) SetTenantDatabasesReady(ctx context.Context, ids []int64, at time.Time) error {
	return c.write(ctx, "set tenant databases ready", func(tx *sql.Tx) error {
		for _, id := range ids {
			if err := exec(ctx, tx, `UPDATE tenant_databases SET state = ? WHERE id = ?`, workspace.Ready, id); err != nil {
				return err
			}
			if err := noteDeployed(ctx, tx, id, at); err != nil {
				return err
			}
		}
		return nil
	})
}

// SetTenantDeleting implements workspace.Catalog.
func (c *Catalog) SetTenantDeleting(ctx context.Context, id int64) error {
	return c.write(ctx, "set tenant deleting", func(tx *sql.Tx) error {
		if err := exec(ctx, tx, `UPDATE tenants SET state = ? WHERE id = ?`, workspace.TenantTrash, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE tenant_databases SET state = ? WHERE tenant_id = ?`, workspace.Deleting, id)
		return err
	})
}

// SetTenantDatabaseSettings implements workspace.Catalog.
func (c *Catalog) SetTenantDatabaseSettings(ctx context.Context, id int64, s workspace.Settings) error {
	kept, err := json.Marshal(settings(s))
	if err != nil {
		return fmt.Errorf("set tenant database settings: %w", err)
	}
	return c.write(ctx, "set tenant database settings", func(tx *sql.Tx) error {
		return exec(ctx, tx, `UPDATE tenant_databases SET settings = ? WHERE id = ?`, string(kept), id)
	})
}

// RemoveTenantDatabase implements workspace.Catalog.
func (c *Catalog) RemoveTenantDatabase(ctx context.Context, id int64) error {
	return c.write(ctx, "remove tenant database", func(tx *sql.Tx) error {
		var tenantID, blueprint int64
		err := tx.QueryRowContext(ctx, `DELETE FROM tenant_databases WHERE id = ? RETURNING tenant_id, workspace_id`, id).Scan(&tenantID, &blueprint)
		if err != nil {
			return absent(err)
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM tenants WHERE id = ?
			AND NOT EXISTS (SELECT 1 FROM tenant_databases WHERE tenant_id = tenants.id)`, tenantID)
		if err != nil {
			return err
		}
		if err := removeReader(ctx, tx, id); err != nil {
			return err
		}
		return release(ctx, tx, blueprint)
	})
}
