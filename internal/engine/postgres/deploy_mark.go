package postgres

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// mark is what a database has of its blueprint, as tenant.sql describes it.
type mark struct {
	Version int64
	Next    int64
	Entries []int64
	Intent  *intent
}

// with is m when entries of a version took effect too.
func (m mark) with(v workspace.Version, entries []workspace.Entry) mark {
	done := slices.Clone(m.Entries)
	for _, entry := range entries {
		done = append(done, entry.ID)
	}
	for _, entry := range v.Entries {
		if !slices.Contains(done, entry.ID) {
			return mark{Version: m.Version, Next: v.Number, Entries: done}
		}
	}
	return mark{Version: v.Number, Entries: []int64{}}
}

// about is m with an intent.
func (m mark) about(v workspace.Version, i *intent) mark {
	m.Next, m.Intent = v.Number, i
	return m
}

// readMark finds out what the database has. What it has of another version than
// this one is nothing to go on from.
func (d *deployment) readMark(ctx context.Context) error {
	rows, err := d.conn.Query(ctx, "SELECT version, next, entries, intent FROM pg_tenantsdb.deployed")
	if err != nil {
		return told(err)
	}
	m, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[mark])
	if err != nil {
		return told(err)
	}
	if m.Next != d.version.Number {
		m = mark{Version: m.Version, Entries: []int64{}}
	}
	d.has = m
	return nil
}

// marking does something and writes the mark, in one transaction.
func (d *deployment) marking(ctx context.Context, m mark, do func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, d.conn, func(tx pgx.Tx) error {
		if err := do(tx); err != nil {
			return err
		}
		noted, err := json.Marshal(m.Intent)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE pg_tenantsdb.deployed SET version = $1, next = $2, entries = $3, intent = nullif($4::text::jsonb, 'null')",
			m.Version, m.Next, m.Entries, string(noted))
		return err
	})
	if err == nil {
		d.has = m
	}
	return err
}
