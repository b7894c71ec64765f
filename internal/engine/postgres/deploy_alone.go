package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// aloneWait bounds how long a statement that runs concurrently waits for the
// transactions that were there before it. Meanwhile it holds up no client, but
// for one that uses a partition by its own name which is being detached.
const aloneWait = "10min"

// intent is noted before a statement that is several transactions of the
// server's, so that after a crash the catalog tells how far it came.
type intent struct {
	Entry    int64   `json:"entry"`
	Relation int64   `json:"relation"` // the OID of what Outside.Relation named; 0 where there was none
	Indexes  []int64 `json:"indexes"`  // OIDs of those that a table had which gets one
}

// progress is how far such a statement came.
type progress int

const (
	untouched progress = iota
	halfway
	finished
)

// alone runs an entry that can't be in a transaction.
func (d *deployment) alone(ctx context.Context, entry workspace.Entry, o ddltrack.Outside) error {
	i, reached := d.has.Intent, untouched
	var err error
	if i != nil && i.Entry == entry.ID {
		reached, err = d.resume(ctx, o.Kind, i)
	} else {
		i, err = d.intend(ctx, entry, o)
	}
	if err != nil {
		return entryError(entry, err)
	}
	if reached != finished {
		if err := d.runAlone(ctx, entry, o.Kind, i); err != nil {
			return entryError(entry, err)
		}
	}
	err = d.marking(ctx, d.has.with(d.version, []workspace.Entry{entry}), func(tx pgx.Tx) error {
		return grantRows(ctx, tx, d.target)
	})
	if err != nil {
		return workspace.Partly(told(err))
	}
	return nil
}

func (d *deployment) runAlone(ctx context.Context, entry workspace.Entry, kind ddltrack.OutsideKind, i *intent) error {
	if err := d.wait(ctx); err != nil {
		return err
	}
	err := d.runEntry(ctx, entry)
	if err == nil || i == nil {
		return err
	}
	return d.undo(ctx, kind, i, err)
}

// intend notes the intent. It is nil where there is nothing that the statement
// could do, as the server is going to say.
func (d *deployment) intend(ctx context.Context, entry workspace.Entry, o ddltrack.Outside) (*intent, error) {
	i := &intent{Entry: entry.ID}
	if err := d.set(ctx, entry.Session); err != nil {
		return nil, err
	}
	err := d.conn.QueryRow(ctx, `
		SELECT coalesce(r.oid::bigint, 0), ARRAY(SELECT indexrelid::bigint FROM pg_catalog.pg_index WHERE indrelid = r.oid)
		  FROM (SELECT pg_catalog.to_regclass($1)::oid) r (oid)`, o.Relation).Scan(&i.Relation, &i.Indexes)
	if err != nil {
		return nil, err
	}
	if err := d.reset(ctx); err != nil {
		return nil, err
	}
	if reached, err := d.reached(ctx, o.Kind, i); err != nil || reached == finished {
		return nil, err
	}
	return i, d.marking(ctx, d.has.about(d.version, i), func(pgx.Tx) error { return nil })
}

func (d *deployment) wait(ctx context.Context) error {
	_, err := d.conn.Exec(ctx, "SET lock_timeout = '"+aloneWait+"'")
	return err
}

// resume looks how far a statement came that was noted, and brings what is
// half-way to an end: an index that is not valid to none, which is as if the
// statement had not run yet, and a partition that is being detached to a table.
// An index that is half-way dropped is dropped by the statement itself.
func (d *deployment) resume(ctx context.Context, kind ddltrack.OutsideKind, i *intent) (reached progress, err error) {
	if err := d.wait(ctx); err != nil {
		return 0, err
	}
	switch kind {
	case ddltrack.CreatesIndex:
		reached, err = d.resumeIndex(ctx, i)
	case ddltrack.DetachesPartition:
		reached, err = d.resumeDetach(ctx, i)
	default:
		reached, err = d.reached(ctx, kind, i)
	}
	if err != nil {
		return 0, err
	}
	return reached, d.reset(ctx)
}

func (d *deployment) resumeIndex(ctx context.Context, i *intent) (progress, error) {
	left, err := names(ctx, d.conn, madeIndexes+"AND NOT x.indisvalid", i.Relation, i.Indexes)
	if err != nil {
		return 0, err
	}
	for _, index := range left {
		if _, err := d.conn.Exec(ctx, "DROP INDEX CONCURRENTLY "+index); err != nil {
			return 0, workspace.Partly(told(err))
		}
	}
	return d.reached(ctx, ddltrack.CreatesIndex, i)
}

func (d *deployment) resumeDetach(ctx context.Context, i *intent) (progress, error) {
	reached, err := d.reached(ctx, ddltrack.DetachesPartition, i)
	if err != nil || reached != halfway {
		return reached, err
	}
	finish, err := names(ctx, d.conn, `
		SELECT pg_catalog.format('ALTER TABLE %s DETACH PARTITION %s FINALIZE', inhparent::regclass, inhrelid::regclass)
		  FROM pg_catalog.pg_inherits WHERE inhrelid = $1`, i.Relation)
	if err != nil {
		return 0, err
	}
	for _, statement := range finish {
		if _, err := d.conn.Exec(ctx, statement); err != nil {
			return 0, workspace.Partly(told(err))
		}
	}
	return finished, nil
}

// madeIndexes are the indexes of table $1 that are not among $2.
const madeIndexes = `
	SELECT x.indexrelid::regclass::text FROM pg_catalog.pg_index x
	 WHERE x.indrelid = $1 AND x.indexrelid::bigint <> ALL ($2) `

// reached is what the catalog tells.
func (d *deployment) reached(ctx context.Context, kind ddltrack.OutsideKind, i *intent) (progress, error) {
	var sql string
	args := []any{i.Relation}
	switch kind {
	case ddltrack.CreatesIndex:
		sql = "SELECT CASE WHEN count(*) = 0 THEN 0 WHEN bool_and(indisvalid) THEN 2 ELSE 1 END FROM pg_catalog.pg_index WHERE indrelid = $1 AND indexrelid::bigint <> ALL ($2)"
		args = append(args, i.Indexes)
	case ddltrack.DropsIndex:
		sql = "SELECT CASE WHEN count(*) = 0 THEN 2 WHEN bool_and(indisvalid) THEN 0 ELSE 1 END FROM pg_catalog.pg_index WHERE indexrelid = $1"
	case ddltrack.DetachesPartition:
		sql = "SELECT CASE WHEN count(*) = 0 THEN 2 WHEN bool_or(inhdetachpending) THEN 1 ELSE 0 END FROM pg_catalog.pg_inherits WHERE inhrelid = $1"
	}
	var p progress
	if err := d.conn.QueryRow(ctx, sql, args...).Scan(&p); err != nil {
		return 0, fmt.Errorf("look how far DDL %d came: %w", i.Entry, err)
	}
	return p, nil
}

// undo takes back what a statement left that failed, and its intent. Where that
// can't be, ErrPartly is in the chain of what it gives.
func (d *deployment) undo(ctx context.Context, kind ddltrack.OutsideKind, i *intent, failure error) error {
	failure = told(failure)
	if d.conn.IsClosed() {
		return workspace.Partly(failure) // perhaps: the next one looks how far it came
	}
	if left, err := d.leave(ctx, kind, i); err != nil || left != untouched {
		return workspace.Partly(failure)
	}
	m := d.has
	m.Intent = nil
	if len(m.Entries) == 0 {
		m.Next = 0
	}
	if err := d.marking(ctx, m, func(pgx.Tx) error { return nil }); err != nil {
		return errors.Join(failure, err)
	}
	return failure
}

// leave is how far a statement came that failed, without the index that it left.
func (d *deployment) leave(ctx context.Context, kind ddltrack.OutsideKind, i *intent) (progress, error) {
	if err := d.reset(ctx); err != nil {
		return 0, err
	}
	if err := d.wait(ctx); err != nil {
		return 0, err
	}
	if kind == ddltrack.CreatesIndex {
		return d.resumeIndex(ctx, i)
	}
	return d.reached(ctx, kind, i)
}
