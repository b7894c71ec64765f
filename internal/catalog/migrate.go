package catalog

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
)

// Migration n is the n-th file by name; a released one is never changed.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to date, all or nothing.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	version, err := schemaVersion(ctx, tx)
	if err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	if version > len(files) {
		return fmt.Errorf("its schema has version %d and this release knows only %d: use the newer release that wrote it", version, len(files))
	}
	for n := version; n < len(files); n++ {
		text, err := migrations.ReadFile(files[n])
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("apply %s: %w", files[n], err)
		}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE schema_version SET version = ?`, len(files)); err != nil {
		return fmt.Errorf("keep the schema version: %w", err)
	}
	return tx.Commit()
}

// schemaVersion is the number of migrations applied so far.
func schemaVersion(ctx context.Context, tx *sql.Tx) (version int, err error) {
	if _, err = tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT`); err != nil {
		return 0, err
	}
	if _, err = tx.ExecContext(ctx, `INSERT INTO schema_version SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM schema_version)`); err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, `SELECT version FROM schema_version`).Scan(&version)
	return version, err
}
