package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// AddDataImport implements workspace.Catalog.
func (c *Catalog) AddDataImport(ctx context.Context, d workspace.DataImport) error {
	tables, err := json.Marshal(d.Tables)
	if err != nil {
		return fmt.Errorf("add data import: %w", err)
	}
	return c.write(ctx, "add data import", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO data_imports (id, project_id, workspace_id, state, error, tables, created_at, completed_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, d.ID, d.ProjectID, d.WorkspaceID, d.State, d.Error, string(tables), micros(d.CreatedAt), microsOrNull(d.CompletedAt))
		if err != nil {
			return err
		}
		for n, p := range d.Parts {
			imported, err := json.Marshal(p.Rows)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO data_import_parts (import_id, part, tenant, database_id, state, imported, at, mark, error)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, d.ID, n, p.Tenant, p.DatabaseID, p.State, string(imported), p.At, p.Mark, p.Error)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// SetDataImportPart implements workspace.Catalog.
func (c *Catalog) SetDataImportPart(ctx context.Context, id string, n int, p workspace.ImportPart) error {
	imported, err := json.Marshal(p.Rows)
	if err != nil {
		return fmt.Errorf("keep a part of a data import: %w", err)
	}
	return c.write(ctx, "keep a part of a data import", func(tx *sql.Tx) error {
		return exec(ctx, tx, `UPDATE data_import_parts SET state = ?, imported = ?, at = ?, mark = ?, error = ? WHERE import_id = ? AND part = ?`,
			p.State, string(imported), p.At, p.Mark, p.Error, id, n)
	})
}

// SetDataImportState implements workspace.Catalog.
func (c *Catalog) SetDataImportState(ctx context.Context, id string, s workspace.ImportState, told string, completed *time.Time) error {
	return c.write(ctx, "set a data import's state", func(tx *sql.Tx) error {
		return exec(ctx, tx, `UPDATE data_imports SET state = ?, error = ?, completed_at = ? WHERE id = ?`, s, told, microsOrNull(completed), id)
	})
}

const selectDataImports = `SELECT id, project_id, workspace_id, state, error, tables, created_at, completed_at FROM data_imports`

// DataImport implements workspace.Catalog.
func (c *Catalog) DataImport(ctx context.Context, id string) (workspace.DataImport, error) {
	found, err := c.dataImports(ctx, selectDataImports+` WHERE id = ?`, id)
	switch {
	case err != nil:
		return workspace.DataImport{}, fmt.Errorf("read data import %s: %w", id, err)
	case len(found) == 0:
		return workspace.DataImport{}, workspace.ErrNotFound
	}
	return found[0], nil
}

// UnfinishedDataImports implements workspace.Catalog.
func (c *Catalog) UnfinishedDataImports(ctx context.Context) ([]workspace.DataImport, error) {
	all, err := c.dataImports(ctx, selectDataImports+` WHERE completed_at IS NULL ORDER BY created_at, id`)
	if err != nil {
		return nil, fmt.Errorf("read unfinished data imports: %w", err)
	}
	return all, nil
}

func (c *Catalog) dataImports(ctx context.Context, query string, args ...any) ([]workspace.DataImport, error) {
	all, err := rows(ctx, c.reader, scanDataImport, query, args...)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Parts, err = rows(ctx, c.reader, scanPart, `SELECT tenant, database_id, state, imported, at, mark, error
			FROM data_import_parts WHERE import_id = ? ORDER BY part`, all[i].ID)
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func scanDataImport(r scanner) (d workspace.DataImport, err error) {
	var tables string
	var created int64
	var completed sql.Null[int64]
	if err := r.Scan(&d.ID, &d.ProjectID, &d.WorkspaceID, &d.State, &d.Error, &tables, &created, &completed); err != nil {
		return d, err
	}
	d.CreatedAt = fromMicros(created)
	d.CompletedAt = timeOrNil(completed)
	return d, json.Unmarshal([]byte(tables), &d.Tables)
}

func scanPart(r scanner) (p workspace.ImportPart, err error) {
	var imported string
	if err := r.Scan(&p.Tenant, &p.DatabaseID, &p.State, &imported, &p.At, &p.Mark, &p.Error); err != nil {
		return p, err
	}
	return p, json.Unmarshal([]byte(imported), &p.Rows)
}
