package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// How a deployment behaves on a database whose clients work on. Whoever waits
// for a lock on a table holds up all who come behind, so it waits for a moment
// only, gives back what it has, and tries again after a pause that doubles up to
// the longest: about a minute in all.
const (
	lockWait     = "2s"
	lockTries    = 10
	firstPause   = 500 * time.Millisecond
	longestPause = 8 * time.Second

	// After which pauses it is looked whether those are gone that deployed before:
	// the session of the last version has gone in a moment.
	firstLook   = time.Millisecond
	longestLook = 50 * time.Millisecond

	lockNotAvailable = "55P03"
	deadlockDetected = "40P01"
)

// Deploy runs the version as the owner of the tenant's database, in a session of
// its own. What the server can run in a transaction is in one, with the clients'
// rights on what it made and the mark of the version; a statement that it can't
// run in one is run alone, between a note of the intent and the mark, and where
// it was cut short the catalog tells how far it came.
func (e *Engine) Deploy(ctx context.Context, t workspace.Target, v workspace.Version) error {
	conn, err := e.connectOwner(ctx, t)
	if err != nil {
		return err
	}
	defer disconnect(ctx, conn)
	d := &deployment{conn: conn, target: t, version: v, pause: firstPause}
	if err := d.run(ctx); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("deploy version %d to %s: %w", v.Number, t.Database, ctx.Err())
		}
		return err
	}
	return nil
}

// deployment is one version on its way into one database.
type deployment struct {
	conn    *pgx.Conn
	target  workspace.Target
	version workspace.Version
	pause   time.Duration // before the second try
	has     mark
}

// step is a part of a version that is done as a whole: entries in one
// transaction, or one that can't be in any.
type step struct {
	entries []workspace.Entry
	outside *ddltrack.Outside
}

func (d *deployment) run(ctx context.Context) error {
	if err := d.awaitPredecessors(ctx); err != nil {
		return err
	}
	if err := d.readMark(ctx); err != nil || d.has.Version >= d.version.Number {
		return err
	}
	for _, s := range d.steps() {
		var err error
		if s.outside != nil {
			err = d.alone(ctx, s.entries[0], *s.outside)
		} else {
			err = d.together(ctx, s.entries)
		}
		if err != nil && len(d.has.Entries) > 0 {
			return workspace.Partly(err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitPredecessors waits until the sessions are gone that deployed here before
// this one: the server may still be running a statement of a process that died.
func (d *deployment) awaitPredecessors(ctx context.Context) error {
	for pause := firstLook; ; pause = min(2*pause, longestLook) {
		var busy bool
		err := d.conn.QueryRow(ctx, `
			SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a, pg_catalog.pg_stat_activity own
			                WHERE own.pid = pg_catalog.pg_backend_pid() AND a.usesysid = own.usesysid AND a.datid = own.datid
			                  AND (a.backend_start, a.pid) < (own.backend_start, own.pid))`).Scan(&busy)
		if err != nil {
			return statementError(err)
		}
		if !busy {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// steps are what is left to do of the version. One without entries has a step
// all the same, for its mark.
func (d *deployment) steps() []step {
	var list []step
	for _, entry := range d.version.Entries {
		if slices.Contains(d.has.Entries, entry.ID) {
			continue
		}
		outside, alone := ddltrack.OutsideTransaction(entry.Statement, entry.Session[standardStringsName] != "off")
		switch n := len(list); {
		case alone:
			list = append(list, step{entries: []workspace.Entry{entry}, outside: &outside})
		case n > 0 && list[n-1].outside == nil:
			list[n-1].entries = append(list[n-1].entries, entry)
		default:
			list = append(list, step{entries: []workspace.Entry{entry}})
		}
	}
	if len(list) == 0 {
		list = append(list, step{})
	}
	return list
}

// together runs entries in one transaction, again where it did not get its locks.
func (d *deployment) together(ctx context.Context, entries []workspace.Entry) error {
	pause := d.pause
	for try := 1; ; try++ {
		err := d.transaction(ctx, entries)
		if err == nil {
			return nil
		}
		if code := sqlState(err); code != lockNotAvailable && code != deadlockDetected {
			return told(err)
		}
		if try == lockTries {
			return inUse(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

func (d *deployment) transaction(ctx context.Context, entries []workspace.Entry) error {
	return d.marking(ctx, d.has.with(d.version, entries), func(tx pgx.Tx) error {
		for _, entry := range entries {
			if err := d.runEntry(ctx, entry); err != nil {
				return entryError(entry, err)
			}
			if d.conn.PgConn().TxStatus() != 'T' {
				return workspace.Partly(workspace.Errorf(workspace.BadRequest, "DDL %d ended the transaction of its version, which can't be deployed exactly once", entry.ID))
			}
		}
		return grantRows(ctx, tx, d.target)
	})
}

// runEntry runs one statement under the settings that it was recorded with, and
// puts them back.
func (d *deployment) runEntry(ctx context.Context, entry workspace.Entry) error {
	if err := d.set(ctx, entry.Session); err != nil {
		return err
	}
	if _, err := d.conn.PgConn().Exec(ctx, entry.Statement).ReadAll(); err != nil {
		return err
	}
	return d.reset(ctx)
}

func (d *deployment) set(ctx context.Context, session map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(session)) {
		if _, err := d.conn.Exec(ctx, "SELECT pg_catalog.set_config($1, $2, false)", name, session[name]); err != nil {
			return err
		}
	}
	return nil
}

// reset gives all settings the values that connectOwner's session began with.
func (d *deployment) reset(ctx context.Context) error {
	_, err := d.conn.Exec(ctx, "RESET ALL")
	return err
}

// told is a failure as a client may see it.
func told(err error) error {
	if _, ok := errors.AsType[*workspace.Error](err); ok {
		return err
	}
	return statementError(err)
}

// entryError is told with the entry that failed.
func entryError(entry workspace.Entry, err error) error {
	err = told(err)
	if failure, ok := errors.AsType[*workspace.Error](err); ok && failure.Details != nil {
		failure.Details["ddl_id"] = entry.ID
	}
	return err
}

// inUse says why a deployment gave up that did not get its locks.
func inUse(err error) error {
	failure, ok := errors.AsType[*workspace.Error](told(err))
	if !ok {
		return err
	}
	told := *failure
	told.Message = fmt.Sprintf("%s: clients' transactions hold what it needs, in each of %d tries; deploy again when they have ended", failure.Message, lockTries)
	return &told
}
