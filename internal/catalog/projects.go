package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Secret implements workspace.Catalog.
func (c *Catalog) Secret(ctx context.Context, name string, fresh []byte) (kept []byte, err error) {
	err = c.write(ctx, "keep secret "+name, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`, name, fresh); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT value FROM secrets WHERE name = ?`, name).Scan(&kept)
	})
	return kept, err
}

// AddProject implements workspace.Catalog.
func (c *Catalog) AddProject(ctx context.Context, p workspace.Project, cr workspace.Credential, k workspace.APIKey) error {
	return c.write(ctx, "add project", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO projects (id, name, created_at) VALUES (?, ?, ?)`,
			p.ID, p.Name, micros(p.CreatedAt))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO credentials
			(id, project_id, sealed, iterations, salt, stored_key, server_key, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			cr.ID, cr.ProjectID, cr.Sealed, cr.SCRAM.Iterations, cr.SCRAM.Salt, cr.SCRAM.StoredKey, cr.SCRAM.ServerKey, micros(cr.CreatedAt))
		if err != nil {
			return err
		}
		return addKey(ctx, tx, k)
	})
}

// Projects implements workspace.Catalog.
func (c *Catalog) Projects(ctx context.Context) ([]workspace.Project, error) {
	all, err := rows(ctx, c.reader, func(r scanner) (p workspace.Project, err error) {
		var created int64
		err = r.Scan(&p.ID, &p.Name, &created)
		p.CreatedAt = fromMicros(created)
		return p, err
	}, `SELECT id, name, created_at FROM projects ORDER BY created_at, id`)
	if err != nil {
		return nil, fmt.Errorf("read projects: %w", err)
	}
	return all, nil
}

// RemoveProject implements workspace.Catalog.
func (c *Catalog) RemoveProject(ctx context.Context, id string) error {
	return c.write(ctx, "remove project", func(tx *sql.Tx) error {
		err := exec(ctx, tx, `DELETE FROM projects WHERE id = ?`, id)
		if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY {
			return fmt.Errorf("%w: %w", workspace.ErrInUse, err)
		}
		return err
	})
}

// Credentials implements workspace.Catalog.
func (c *Catalog) Credentials(ctx context.Context) ([]workspace.Credential, error) {
	all, err := rows(ctx, c.reader, func(r scanner) (cr workspace.Credential, err error) {
		var created int64
		err = r.Scan(&cr.ID, &cr.ProjectID, &cr.Sealed, &cr.SCRAM.Iterations, &cr.SCRAM.Salt, &cr.SCRAM.StoredKey, &cr.SCRAM.ServerKey, &created)
		cr.CreatedAt = fromMicros(created)
		return cr, err
	}, `SELECT id, project_id, sealed, iterations, salt, stored_key, server_key, created_at
		FROM credentials ORDER BY created_at, id`)
	if err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	return all, nil
}

// AddKey implements workspace.Catalog.
func (c *Catalog) AddKey(ctx context.Context, k workspace.APIKey) error {
	return c.write(ctx, "add key", func(tx *sql.Tx) error { return addKey(ctx, tx, k) })
}

func addKey(ctx context.Context, tx *sql.Tx, k workspace.APIKey) error {
	values, err := json.Marshal(k.Scope.Values)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO api_keys
		(id, project_id, name, prefix, hash, role, scope_type, scope_values, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		k.ID, k.ProjectID, k.Name, k.Prefix, k.Hash, k.Role, k.Scope.Type, string(values), micros(k.CreatedAt))
	l := k.Login
	if err != nil || l.ID == "" {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO key_logins
		(key_id, login, credential, sealed, iterations, salt, stored_key, server_key)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		k.ID, l.ProjectID, l.ID, l.Sealed, l.SCRAM.Iterations, l.SCRAM.Salt, l.SCRAM.StoredKey, l.SCRAM.ServerKey)
	return err
}

// Keys implements workspace.Catalog.
func (c *Catalog) Keys(ctx context.Context) ([]workspace.APIKey, error) {
	all, err := rows(ctx, c.reader, scanKey, `SELECT
		id, project_id, name, prefix, hash, role, scope_type, scope_values, created_at, revoked_at,
		login, credential, sealed, iterations, salt, stored_key, server_key
		FROM api_keys LEFT JOIN key_logins ON key_id = id ORDER BY created_at, id`)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	return all, nil
}

func scanKey(r scanner) (k workspace.APIKey, err error) {
	var values string
	var created int64
	var revoked sql.Null[int64]
	var login, credential sql.Null[string]
	var iterations sql.Null[int]
	l := &k.Login
	err = r.Scan(&k.ID, &k.ProjectID, &k.Name, &k.Prefix, &k.Hash, &k.Role, &k.Scope.Type, &values, &created, &revoked,
		&login, &credential, &l.Sealed, &iterations, &l.SCRAM.Salt, &l.SCRAM.StoredKey, &l.SCRAM.ServerKey)
	if err != nil {
		return k, err
	}
	k.CreatedAt = fromMicros(created)
	if login.Valid {
		l.ProjectID, l.ID, l.SCRAM.Iterations, l.CreatedAt = login.V, credential.V, iterations.V, k.CreatedAt
	}
	k.RevokedAt = timeOrNil(revoked)
	return k, json.Unmarshal([]byte(values), &k.Scope.Values)
}

// RevokeKey implements workspace.Catalog.
func (c *Catalog) RevokeKey(ctx context.Context, id string, at time.Time) error {
	return c.write(ctx, "revoke key", func(tx *sql.Tx) error {
		if err := exec(ctx, tx, `UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?`, micros(at), id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM key_logins WHERE key_id = ?`, id)
		return err
	})
}
