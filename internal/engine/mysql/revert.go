package mysql

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// revertWait bounds, in seconds, how long a revert waits for sessions that use
// the object.
const revertWait = 10

// Revert runs entry.Reverse as the workspace's role. That it undoes the entry is
// noted before, with the number of the session that runs it, so that the journal
// knows it by the binary log, whatever becomes of us meanwhile. A reverse that
// the server refuses, because something depends on the object or uses it, is a
// Conflict.
func (e *Engine) Revert(ctx context.Context, t workspace.Target, entry workspace.Entry) error {
	if !entry.Reversible || entry.Reverse == "" {
		return workspace.Errorf(workspace.Conflict, "DDL %d can't be reverted: %s", entry.ID, entry.WhyNot)
	}
	statements := ddltrack.SplitMySQL(entry.Reverse, e.modeOf(""))
	if len(statements) != 1 {
		return fmt.Errorf("revert DDL %d: reverse is %d statements, and one is needed for all or nothing", entry.ID, len(statements))
	}
	c, err := e.connectAs(ctx, t)
	if err != nil {
		return err
	}
	defer c.close()
	// The reverse is written for the server's own way of reading.
	if err := c.exec(ctx, fmt.Sprintf("SET SESSION sql_mode = '', SESSION lock_wait_timeout = %d", revertWait)); err != nil {
		return fmt.Errorf("revert DDL %d: %w", entry.ID, err)
	}
	if err := e.intend(ctx, t, entry, c.id, statements[0].Text); err != nil {
		return err
	}
	if err := c.exec(ctx, statements[0].Text); err != nil {
		return e.refusedReverse(ctx, entry, err)
	}
	return e.confirm(ctx, entry)
}

// intend notes which session is about to undo an entry, and how.
func (e *Engine) intend(ctx context.Context, t workspace.Target, entry workspace.Entry, thread uint32, statement string) error {
	r, release, err := e.read(ctx)
	if err != nil {
		return err
	}
	defer release()
	// What came before must not be taken for the reverse.
	if err := r.advance(ctx); err != nil {
		return err
	}
	return r.transaction(ctx, func(c *conn) error {
		err := c.exec(ctx, "REPLACE INTO tenantsdb.revert VALUES ("+strconv.FormatInt(entry.ID, 10)+", "+literal(t.Database)+", "+
			strconv.FormatUint(uint64(thread), 10)+", "+blob([]byte(statement))+")")
		if err != nil {
			return fmt.Errorf("note revert of DDL %d: %w", entry.ID, err)
		}
		return nil
	})
}

// confirm finds the reverse in the binary log.
func (e *Engine) confirm(ctx context.Context, entry workspace.Entry) error {
	r, release, err := e.read(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := r.advance(ctx); err != nil {
		return err
	}
	noted, err := r.reverted(ctx, entry.ID)
	if err != nil {
		return err
	}
	if err := r.settle(ctx, entry.ID); err != nil {
		return err
	}
	if !noted {
		// IF EXISTS says yes to an object that has another name by now.
		return workspace.Errorf(workspace.Conflict, "DDL %d can't be reverted: %s is not there any more", entry.ID, entry.Object)
	}
	return nil
}

// modeOf is how the server reads under a sql_mode.
func (e *Engine) modeOf(sqlMode string) ddltrack.MySQLMode {
	if f := e.known(); f != nil {
		return f.mode(sqlMode)
	}
	return ddltrack.MySQLModeOf(sqlMode)
}

// refusedReverse is the server's own reason for not running a reverse. Where
// there is none the reverse may still take effect, and the note stays.
func (e *Engine) refusedReverse(ctx context.Context, entry workspace.Entry, failure error) error {
	refusal, ok := errors.AsType[*gomysql.MyError](failure)
	if !ok {
		return fmt.Errorf("run reverse of DDL %d: %w", entry.ID, failure)
	}
	r, release, err := e.read(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := r.settle(ctx, entry.ID); err != nil {
		return err
	}
	conflict := workspace.Errorf(workspace.Conflict, "DDL %d can't be reverted: %s", entry.ID, refusal.Message).Because(failure)
	conflict.Details = map[string]any{"errno": int(refusal.Code), "sqlstate": refusal.State}
	return conflict
}

// settle forgets the note.
func (r *reader) settle(ctx context.Context, entry int64) error {
	return r.transaction(ctx, func(c *conn) error {
		if err := c.exec(ctx, "DELETE FROM tenantsdb.revert WHERE entry = "+strconv.FormatInt(entry, 10)); err != nil {
			return fmt.Errorf("settle revert of DDL %d: %w", entry, err)
		}
		return nil
	})
}

// reverted says whether the journal has the reverse of an entry.
func (r *reader) reverted(ctx context.Context, entry int64) (bool, error) {
	c, err := r.connect(ctx)
	if err != nil {
		return false, err
	}
	row, err := c.row(ctx, "SELECT count(*) FROM tenantsdb.journal WHERE reverts = "+strconv.FormatInt(entry, 10))
	if err != nil {
		return false, fmt.Errorf("find revert of DDL %d: %w", entry, err)
	}
	return string(row[0]) != "0", nil
}

// reverts is the queue entry that a logged statement undid; 0 for none. The note
// goes with it, so that the session's number means nothing when it comes again.
func (b *batch) reverts(ctx context.Context, database string, en entry) (int64, error) {
	rows, err := b.conn.rows(ctx, "SELECT entry, statement FROM tenantsdb.revert WHERE name = "+literal(database)+
		" AND thread = "+strconv.FormatUint(uint64(en.query.thread), 10))
	if err != nil {
		return 0, fmt.Errorf("find reverts: %w", err)
	}
	for _, row := range rows {
		intended := ddltrack.DescribeMySQL(oneStatement(string(row[1]), b.facts.mode("")), ddltrack.MySQLCommand{Database: database, FoldNames: b.facts.foldNames})
		if intended.Operation != en.description.Operation || intended.Identity != en.description.Identity {
			continue
		}
		id, err := strconv.ParseInt(string(row[0]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("find reverts: %w", err)
		}
		if err := b.conn.exec(ctx, "DELETE FROM tenantsdb.revert WHERE entry = "+string(row[0])); err != nil {
			return 0, fmt.Errorf("settle revert of DDL %d: %w", id, err)
		}
		return id, nil
	}
	return 0, nil
}
