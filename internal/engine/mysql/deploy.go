package mysql

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	// A statement of a deployment waits for the sessions that use what it changes,
	// and everybody else waits behind it. So it waits for firstLockWait, lets the
	// others pass for as long, and tries again with twice the time, until it has
	// waited for lastLockWait.
	firstLockWait = 2 * time.Second
	lastLockWait  = 32 * time.Second

	// notesPatience is how long, in seconds, one statement may take.
	notesPatience = 24 * 60 * 60

	lockWaitTimeout = 1205
	lockDeadlock    = 1213
)

// Deploy gives a tenant's database one version. A schema change of this server
// commits by itself, so what is remembered is each statement: it is noted before
// it runs, with the place where the binary log ended then, and again when it is
// done. Of one that was cut short the log tells whether it took effect, since that
// has it then exactly once. While a statement that a dead process has sent is
// still running on the server, the next call waits for its end.
func (e *Engine) Deploy(ctx context.Context, t workspace.Target, v workspace.Version) error {
	if t.Owner == "" {
		return fmt.Errorf("deploy version %d to %s: it is no tenant's database", v.Number, t.Database)
	}
	d, err := e.beginDeployment(ctx, t)
	if err != nil {
		return err
	}
	defer d.close()
	return d.version(ctx, v)
}

// deployment is one call of Deploy, which has the database to itself.
type deployment struct {
	engine  *Engine
	target  workspace.Target
	owner   *conn    // runs the statements, and holds the lock
	notes   *conn    // the administrator's, writes what is remembered
	release func()   // gives notes back
	changed []string // settings that the last entry changed
}

func (e *Engine) beginDeployment(ctx context.Context, t workspace.Target) (*deployment, error) {
	owner, err := e.connectRole(ctx, t, t.Owner, t.OwnerPassword)
	if err != nil {
		return nil, err
	}
	d := &deployment{engine: e, target: t, owner: owner}
	if err := d.lock(ctx); err != nil {
		d.close()
		return nil, err
	}
	if d.notes, d.release, err = e.admin(ctx); err != nil {
		d.close()
		return nil, err
	}
	// Positions mean nothing on another server. The connection has nothing to do
	// while a statement runs.
	if err := d.notes.exec(ctx, fmt.Sprintf("SET SESSION sql_log_bin = 0, SESSION wait_timeout = %d", notesPatience)); err != nil {
		d.close()
		return nil, fmt.Errorf("deploy to %s: %w", t.Database, err)
	}
	return d, nil
}

func (d *deployment) close() {
	d.owner.close()
	if d.notes == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	if d.notes.exec(ctx, "SET SESSION sql_log_bin = 1, SESSION wait_timeout = DEFAULT") != nil {
		d.notes.close()
	}
	d.release()
}

// version runs what the database lacks of v.
func (d *deployment) version(ctx context.Context, v workspace.Version) error {
	is, err := d.has(ctx, v.Number)
	if err != nil || is {
		return err
	}
	done, err := d.settle(ctx, v)
	if err != nil {
		return err
	}
	for i, entry := range v.Entries {
		if done[entry.ID] {
			continue
		}
		err := d.entry(ctx, v.Number, entry)
		if err == nil && i < len(v.Entries)-1 {
			err = d.confirm(ctx, entry.ID) // of the last one, finish does
		}
		if err != nil && len(done) > 0 {
			err = workspace.Partly(err)
		}
		if err != nil {
			return err
		}
		done[entry.ID] = true
	}
	return d.finish(ctx, v.Number)
}

// settle is which entries of v the database has. One whose end is not known is
// looked for in the log.
func (d *deployment) settle(ctx context.Context, v workspace.Version) (done map[int64]bool, err error) {
	list, err := d.noted(ctx, v.Number)
	if err != nil {
		return nil, err
	}
	done = map[int64]bool{}
	for _, n := range list {
		if n.done {
			done[n.entry] = true
		}
	}
	for _, n := range list {
		i := slices.IndexFunc(v.Entries, func(e workspace.Entry) bool { return e.ID == n.entry })
		if n.done || i < 0 {
			continue
		}
		found, err := d.found(ctx, n.from, v.Entries[i])
		switch {
		case errors.Is(err, errLogLost):
			return nil, d.undecided(n)
		case err != nil:
			return nil, err
		case found == tookEffect:
			done[n.entry] = true
			err = d.confirm(ctx, n.entry)
		default:
			err = d.forget(ctx, n.entry)
		}
		if err != nil {
			return nil, err
		}
	}
	return done, nil
}

// entry runs one statement, and again where others hold what it changes.
func (d *deployment) entry(ctx context.Context, version int64, entry workspace.Entry) error {
	for wait := firstLockWait; ; wait *= 2 {
		failure := d.try(ctx, version, entry, wait)
		if !othersHold(failure) || wait >= lastLockWait {
			return failure
		}
		d.engine.config.Log.InfoContext(ctx, "open transactions hold what a statement of a deployment changes; it is tried again", "server", d.engine.config.Name,
			"database", d.target.Database, "ddl", entry.ID, "waited", wait.String())
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return failure
		}
	}
}

// try runs the statement once. What the server refuses had no effect, unless the
// log shows one: MariaDB has dropped the table that CREATE OR REPLACE fails to
// make; and a statement may be killed when it is done.
func (d *deployment) try(ctx context.Context, version int64, entry workspace.Entry, wait time.Duration) error {
	if err := d.owner.exec(ctx, d.settings(entry, wait)); err != nil {
		return d.failed(ctx, entry, err)
	}
	from, err := d.note(ctx, version, entry.ID)
	if err != nil {
		return err
	}
	failure := d.owner.exec(ctx, d.statement(entry))
	if failure == nil {
		return nil
	}
	if errno(failure) == 0 {
		return d.failed(ctx, entry, failure) // whether it took effect the next call finds out
	}
	found, err := d.found(ctx, from, entry)
	if err != nil {
		return workspace.Partly(d.failed(ctx, entry, errors.Join(failure, err)))
	}
	if found == tookEffect && ended(failure) {
		return nil
	}
	if err := d.forget(ctx, entry.ID); err != nil {
		return err
	}
	if failure = d.failed(ctx, entry, failure); found != tookNone {
		failure = workspace.Partly(failure)
	}
	return failure
}

// settings make the owner's session what the entry was recorded in.
func (d *deployment) settings(entry workspace.Entry, wait time.Duration) string {
	sql := fmt.Sprintf("SET NAMES utf8mb4, SESSION lock_wait_timeout = %d", int(wait.Seconds()))
	for _, name := range d.changed {
		sql += ", SESSION " + name + " = DEFAULT"
	}
	d.changed = slices.Sorted(maps.Keys(entry.Session))
	for _, name := range d.changed {
		sql += ", SESSION " + name + " = " + literal(entry.Session[name])
	}
	d.changed = slices.DeleteFunc(d.changed, func(name string) bool { return name == characterSetClient || name == collationConnection })
	return sql
}

// statement is the entry's, as one of the tenant's database, and one that may be
// run again where a crash of the server has left a part of it.
func (d *deployment) statement(entry workspace.Entry) string {
	f := d.engine.known()
	s := oneStatement(entry.Statement, f.modeOfEntry(entry))
	s = ddltrack.MovedMySQL(s, ddltrack.DatabaseOfMySQL(entry.Identity), d.target.Database, f.foldNames)
	if f.mariaDB {
		s = ddltrack.DropLeftMySQL(s)
	}
	return s.Text
}

// modeOfEntry is how the server reads the entry.
func (f *facts) modeOfEntry(entry workspace.Entry) ddltrack.MySQLMode {
	name, differs := entry.Session[sqlMode]
	if !differs {
		name = f.defaults[sqlMode]
	}
	return f.mode(name)
}

// failed is the server's own refusal of an entry, or that there is no server.
func (d *deployment) failed(ctx context.Context, entry workspace.Entry, failure error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("deploy DDL %d to %s: %w", entry.ID, d.target.Database, failure)
	}
	told := statementError(failure)
	if told.Details != nil {
		told.Details["ddl_id"] = entry.ID
	}
	if othersHold(failure) {
		told.Message = "open transactions hold what the statement changes; end them and deploy again: " + told.Message
	}
	return told
}

// ended says whether a statement failed because somebody ended it.
func ended(failure error) bool {
	switch errno(failure) {
	case queryInterrupted, connectionKilled, serverShutdown:
		return true
	}
	return false
}

// othersHold says whether the statement was refused since other sessions use
// what it changes.
func othersHold(failure error) bool {
	number := errno(failure)
	return number == lockWaitTimeout || number == lockDeadlock
}
