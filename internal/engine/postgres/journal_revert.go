package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// revertWait bounds how long a revert waits for sessions that use the object.
const revertWait = "10s"

// Revert runs entry.Reverse as the workspace's role and notes in the journal,
// in the same transaction, that it undid the entry. The journal's triggers do
// not see the reverse. A reverse that the server refuses, because something
// depends on the object or uses it, is a Conflict.
func (e *Engine) Revert(ctx context.Context, t workspace.Target, entry workspace.Entry) error {
	if !entry.Reversible || entry.Reverse == "" {
		return workspace.Errorf(workspace.Conflict, "DDL %d can't be reverted: %s", entry.ID, entry.WhyNot)
	}
	conn, release, err := e.admin(ctx, t.Database)
	if err != nil {
		return err
	}
	defer release()
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		before, err := catalogWrites(ctx, tx)
		if err != nil {
			return err
		}
		if err := runReverse(ctx, tx, t.Role, entry); err != nil {
			return err
		}
		after, err := catalogWrites(ctx, tx)
		if err != nil {
			return err
		}
		// IF EXISTS says yes to an object that has another name by now.
		if before == after {
			return workspace.Errorf(workspace.Conflict, "DDL %d can't be reverted: %s is not there any more", entry.ID, entry.Object)
		}
		return noteRevert(ctx, tx, entry)
	})
}

// catalogWrites is how much this connection has written to the schema.
func catalogWrites(ctx context.Context, tx pgx.Tx) (int64, error) {
	var total int64
	if err := tx.QueryRow(ctx, "SELECT total FROM pg_tenantsdb.writes()").Scan(&total); err != nil {
		return 0, fmt.Errorf("count writes to the catalogs: %w", err)
	}
	return total, nil
}

// runReverse leaves the transaction with the admin's role and search_path.
func runReverse(ctx context.Context, tx pgx.Tx, role string, entry workspace.Entry) error {
	become := "SET LOCAL session_replication_role = replica; SET LOCAL lock_timeout = '" + revertWait + "'; SET LOCAL ROLE " + quote(role)
	if _, err := tx.Conn().PgConn().Exec(ctx, become).ReadAll(); err != nil {
		return fmt.Errorf("become the workspace's role: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(entry.Session)) {
		if _, err := tx.Exec(ctx, "SELECT pg_catalog.set_config($1, $2, true)", name, entry.Session[name]); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	// A reverse leaves out no schema but public.
	reverse := "SET LOCAL search_path = public;\n" + entry.Reverse
	if _, err := tx.Conn().PgConn().Exec(ctx, reverse).ReadAll(); err != nil {
		return refused(entry, err)
	}
	back := "SET LOCAL ROLE NONE; SET LOCAL search_path = pg_catalog, pg_temp"
	if _, err := tx.Conn().PgConn().Exec(ctx, back).ReadAll(); err != nil {
		return fmt.Errorf("leave the workspace's role: %w", err)
	}
	return nil
}

// refused is the server's own reason for not running a reverse.
func refused(entry workspace.Entry, err error) error {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return fmt.Errorf("run reverse of DDL %d: %w", entry.ID, err)
	}
	reason := pgErr.Message
	if pgErr.Detail != "" {
		reason += ": " + pgErr.Detail
	}
	conflict := workspace.Errorf(workspace.Conflict, "DDL %d can't be reverted: %s", entry.ID, reason).Because(err)
	conflict.Details = map[string]any{"sqlstate": pgErr.Code}
	return conflict
}

// noteRevert writes the journal row that takes the entry out of the queue.
func noteRevert(ctx context.Context, tx pgx.Tx, entry workspace.Entry) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO pg_tenantsdb.journal (xid, pid, message, ordinal, tag, created, objects, dropped, sources,
		            temporary, settings, source, at, reverts, seen)
		SELECT pg_current_xact_id(), pg_backend_pid(), pg_tenantsdb.keep($1, true), 0, 'REVERT', false, '[]', '[]', '[]',
		       '{}', '{}', 'api', clock_timestamp(), $2, pg_current_snapshot()`, entry.Reverse, entry.ID)
	if err != nil {
		return fmt.Errorf("note revert of DDL %d: %w", entry.ID, err)
	}
	return nil
}
