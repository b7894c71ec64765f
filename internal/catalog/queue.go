package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Append implements workspace.Catalog.
func (c *Catalog) Append(ctx context.Context, id int64, changes []workspace.Change, at time.Time) (version int64, err error) {
	err = c.write(ctx, "append to the deploy queue", func(tx *sql.Tx) error {
		a := appender{tx: tx, id: id, at: at}
		if err := tx.QueryRowContext(ctx, `SELECT version FROM workspaces WHERE id = ?`, id).Scan(&a.version); err != nil {
			return absent(err)
		}
		before := a.version
		for _, ch := range changes {
			if err := a.add(ctx, ch); err != nil {
				return fmt.Errorf("journal id %d: %w", ch.JournalID, err)
			}
		}
		version = a.version
		if version == before {
			return nil
		}
		return exec(ctx, tx, `UPDATE workspaces SET version = ? WHERE id = ?`, version, id)
	})
	return version, err
}

// appender is one Append under way.
type appender struct {
	tx      *sql.Tx
	id      int64
	at      time.Time
	version int64 // the newest so far
}

// add enters one change, unless it is known or undoes an entry.
func (a *appender) add(ctx context.Context, ch workspace.Change) error {
	known, err := a.exists(ctx, `SELECT 1 FROM entries WHERE workspace_id = ? AND journal_id = ?`, a.id, ch.JournalID)
	if err != nil || known {
		return err
	}
	if ch.Reverts != 0 {
		undone, err := a.revert(ctx, ch.Reverts)
		if err != nil || undone {
			return err
		}
	}
	version, err := a.versionOf(ctx, ch.Unit)
	if err != nil {
		return err
	}
	return a.insert(ctx, version, ch)
}

// revert takes an entry out of the queue. It reports false where tenants have
// the entry's change, and so need its reverse too.
func (a *appender) revert(ctx context.Context, entryID int64) (bool, error) {
	_, err := a.tx.ExecContext(ctx, `UPDATE entries SET status = 'reverted'
		WHERE workspace_id = ? AND id = ? AND status = 'pending'`, a.id, entryID)
	if err != nil {
		return false, err
	}
	return a.exists(ctx, `SELECT 1 FROM entries
		WHERE workspace_id = ? AND id = ? AND status <> 'deployed'`, a.id, entryID)
}

// versionOf is the version that unit makes, or has made.
func (a *appender) versionOf(ctx context.Context, unit string) (version int64, err error) {
	err = a.tx.QueryRowContext(ctx, `SELECT version FROM versions WHERE workspace_id = ? AND unit = ?`, a.id, unit).Scan(&version)
	if err == nil || !errors.Is(err, sql.ErrNoRows) {
		return version, err
	}
	a.version++
	_, err = a.tx.ExecContext(ctx, `INSERT INTO versions (workspace_id, version, unit, created_at) VALUES (?, ?, nullif(?, ''), ?)`,
		a.id, a.version, unit, micros(a.at))
	return a.version, err
}

func (a *appender) insert(ctx context.Context, version int64, ch workspace.Change) error {
	needs, err := json.Marshal(ch.References)
	if err != nil {
		return err
	}
	session, err := json.Marshal(ch.Session)
	if err != nil {
		return err
	}
	warnings, err := json.Marshal(ch.Warnings)
	if err != nil {
		return err
	}
	_, err = a.tx.ExecContext(ctx, `INSERT INTO entries
		(workspace_id, version, journal_id, status, statement, operation, object_type, object, identity,
		 reversible, reverse, why_not, needs, session, source, warnings, changed_at)
		VALUES (?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.id, version, ch.JournalID, ch.Statement, ch.Operation, ch.ObjectType, ch.Object, ch.Identity,
		ch.Reversible, ch.Reverse, ch.WhyNot, string(needs), string(session), ch.Source, string(warnings), micros(ch.At))
	return err
}

func (a *appender) exists(ctx context.Context, query string, args ...any) (found bool, err error) {
	err = a.tx.QueryRowContext(ctx, `SELECT EXISTS (`+query+`)`, args...).Scan(&found)
	return found, err
}

const entryColumns = `id, version, journal_id, status, statement, operation, object_type, object, identity,
	reversible, reverse, why_not, needs, session, source, warnings, changed_at,
	(SELECT unit FROM versions v WHERE v.workspace_id = entries.workspace_id AND v.version = entries.version)`

// Pending implements workspace.Catalog.
func (c *Catalog) Pending(ctx context.Context, id int64) ([]workspace.Entry, error) {
	all, err := rows(ctx, c.reader, scanEntry,
		`SELECT `+entryColumns+` FROM entries WHERE workspace_id = ? AND status = 'pending' ORDER BY id`, id)
	if err != nil {
		return nil, fmt.Errorf("read the deploy queue: %w", err)
	}
	return all, nil
}

// PendingCount implements workspace.Catalog.
func (c *Catalog) PendingCount(ctx context.Context, id int64) (n int64, err error) {
	err = c.reader.QueryRowContext(ctx, `SELECT count(*) FROM entries WHERE workspace_id = ? AND status = 'pending'`, id).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count the deploy queue: %w", err)
	}
	return n, nil
}

// Entry implements workspace.Catalog.
func (c *Catalog) Entry(ctx context.Context, id, entryID int64) (workspace.Entry, error) {
	e, err := scanEntry(c.reader.QueryRowContext(ctx,
		`SELECT `+entryColumns+` FROM entries WHERE workspace_id = ? AND id = ? AND status IN ('pending', 'deployed')`, id, entryID))
	if err != nil {
		return e, fmt.Errorf("read entry %d: %w", entryID, absent(err))
	}
	return e, nil
}

// Skip implements workspace.Catalog.
func (c *Catalog) Skip(ctx context.Context, id, entryID int64) error {
	return c.write(ctx, "skip entry", func(tx *sql.Tx) error {
		return exec(ctx, tx, `UPDATE entries SET status = 'skipped' WHERE workspace_id = ? AND id = ? AND status = 'pending'`, id, entryID)
	})
}

func scanEntry(r scanner) (e workspace.Entry, err error) {
	var needs, session, warnings string
	var changed int64
	var unit sql.Null[string]
	err = r.Scan(&e.ID, &e.Version, &e.JournalID, &e.Status, &e.Statement, &e.Operation, &e.ObjectType, &e.Object, &e.Identity,
		&e.Reversible, &e.Reverse, &e.WhyNot, &needs, &session, &e.Source, &warnings, &changed, &unit)
	if err != nil {
		return e, err
	}
	e.At = fromMicros(changed)
	e.Unit = unit.V
	return e, errors.Join(
		json.Unmarshal([]byte(needs), &e.References),
		json.Unmarshal([]byte(session), &e.Session),
		json.Unmarshal([]byte(warnings), &e.Warnings))
}

// absent is ErrNotFound for a row that is not there.
func absent(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return workspace.ErrNotFound
	}
	return err
}
