package catalog

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// AddReader implements workspace.Catalog.
func (c *Catalog) AddReader(ctx context.Context, r workspace.ReaderRecord) error {
	return c.write(ctx, "add reader", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO readers (database_id, role, role_secret) VALUES (?, ?, ?)`, r.DatabaseID, r.Role, r.RoleSecret)
		return err
	})
}

// Readers implements workspace.Catalog.
func (c *Catalog) Readers(ctx context.Context) ([]workspace.ReaderRecord, error) {
	all, err := rows(ctx, c.reader, func(s scanner) (r workspace.ReaderRecord, err error) {
		err = s.Scan(&r.DatabaseID, &r.Role, &r.RoleSecret)
		return r, err
	}, `SELECT database_id, role, role_secret FROM readers ORDER BY database_id`)
	if err != nil {
		return nil, fmt.Errorf("read readers: %w", err)
	}
	return all, nil
}

// RemoveReader implements workspace.Catalog.
func (c *Catalog) RemoveReader(ctx context.Context, databaseID int64) error {
	return c.write(ctx, "remove reader", func(tx *sql.Tx) error { return removeReader(ctx, tx, databaseID) })
}

func removeReader(ctx context.Context, tx *sql.Tx, databaseID int64) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM readers WHERE database_id = ?`, databaseID)
	return err
}
