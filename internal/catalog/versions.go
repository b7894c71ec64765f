package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// ofVersions are the entries that versions consist of.
const ofVersions = `SELECT ` + entryColumns + ` FROM entries WHERE workspace_id = ? AND status IN ('pending', 'deployed')`

// Versions implements workspace.Catalog.
func (c *Catalog) Versions(ctx context.Context, id int64) ([]workspace.Version, error) {
	all, err := rows(ctx, c.reader, scanVersion,
		`SELECT version, created_at, deployed_at FROM versions WHERE workspace_id = ? ORDER BY version`, id)
	if err != nil {
		return nil, fmt.Errorf("read versions: %w", err)
	}
	entries, err := rows(ctx, c.reader, scanEntry, ofVersions+` ORDER BY version, id`, id)
	if err != nil {
		return nil, fmt.Errorf("read versions: %w", err)
	}
	for i := range all {
		n := 0
		for n < len(entries) && entries[n].Version == all[i].Number {
			n++
		}
		all[i].Entries, entries = entries[:n:n], entries[n:]
	}
	return all, nil
}

func scanVersion(r scanner) (v workspace.Version, err error) {
	var created int64
	var deployed sql.Null[int64]
	err = r.Scan(&v.Number, &created, &deployed)
	v.CreatedAt = fromMicros(created)
	v.DeployedAt = timeOrNil(deployed)
	return v, err
}

// BeginVersion implements workspace.Catalog.
func (c *Catalog) BeginVersion(ctx context.Context, databaseID, version int64) (v workspace.Version, err error) {
	err = c.write(ctx, "begin a version", func(tx *sql.Tx) error {
		var blueprint int64
		err := tx.QueryRowContext(ctx, `UPDATE tenant_databases SET applying = ? WHERE id = ? RETURNING workspace_id`, version, databaseID).Scan(&blueprint)
		if err != nil {
			return absent(err)
		}
		v, err = scanVersion(tx.QueryRowContext(ctx, `SELECT version, created_at, deployed_at FROM versions WHERE workspace_id = ? AND version = ?`, blueprint, version))
		if err != nil {
			return absent(err)
		}
		_, err = tx.ExecContext(ctx, `UPDATE entries SET status = 'deployed'
			WHERE workspace_id = ? AND version = ? AND status = 'pending'`, blueprint, version)
		if err != nil {
			return err
		}
		v.Entries, err = versionEntries(ctx, tx, blueprint, version)
		return err
	})
	return v, err
}

// versionEntries is what one version consists of.
func versionEntries(ctx context.Context, tx *sql.Tx, workspaceID, version int64) ([]workspace.Entry, error) {
	found, err := tx.QueryContext(ctx, ofVersions+` AND version = ? ORDER BY id`, workspaceID, version)
	if err != nil {
		return nil, err
	}
	return collect(found, scanEntry)
}

// FinishVersion implements workspace.Catalog.
func (c *Catalog) FinishVersion(ctx context.Context, databaseID, version int64, at time.Time) error {
	return c.write(ctx, "finish a version", func(tx *sql.Tx) error {
		err := exec(ctx, tx, `UPDATE tenant_databases SET version = max(version, ?), applying = 0 WHERE id = ?`, version, databaseID)
		if err != nil {
			return err
		}
		return noteDeployed(ctx, tx, databaseID, at)
	})
}

// noteDeployed gives the versions of a database that is ready the time at which
// the first tenant had them.
func noteDeployed(ctx context.Context, tx *sql.Tx, databaseID int64, at time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE versions SET deployed_at = ?1 FROM tenant_databases d
		WHERE d.id = ?2 AND d.state = 'ready' AND versions.workspace_id = d.workspace_id
			AND versions.version <= d.version AND versions.deployed_at IS NULL`, micros(at), databaseID)
	return err
}

// AbandonVersion implements workspace.Catalog.
func (c *Catalog) AbandonVersion(ctx context.Context, databaseID int64) error {
	return c.write(ctx, "abandon a version", func(tx *sql.Tx) error {
		var blueprint int64
		err := tx.QueryRowContext(ctx, `UPDATE tenant_databases SET applying = 0 WHERE id = ? RETURNING workspace_id`, databaseID).Scan(&blueprint)
		if err != nil {
			return absent(err)
		}
		return release(ctx, tx, blueprint)
	})
}

// release makes the versions of a blueprint pending that no tenant ever had and
// no database has or is getting.
func release(ctx context.Context, tx *sql.Tx, blueprint int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE entries SET status = 'pending'
		WHERE workspace_id = ?1 AND status = 'deployed'
			AND version IN (SELECT version FROM versions WHERE workspace_id = ?1 AND deployed_at IS NULL)
			AND version > (SELECT coalesce(max(max(version, applying)), 0) FROM tenant_databases WHERE workspace_id = ?1)`, blueprint)
	return err
}
