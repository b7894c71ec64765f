package mongodb

import (
	"context"
	"fmt"
	"slices"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Revert notes that the entry is being reverted, runs its reverse as the
// workspace's role, and notes the difference that it made as that revert. After
// a crash in between the next Changes does the last step. A reverse that the
// server refuses, or that changes nothing, is a Conflict.
func (e *Engine) Revert(ctx context.Context, t workspace.Target, entry workspace.Entry) error {
	if !entry.Reversible || entry.Reverse == "" {
		return workspace.Errorf(workspace.Conflict, "DDL %d can't be reverted: %s", entry.ID, entry.WhyNot)
	}
	command, err := ddltrack.ParseMongoCommand(entry.Reverse)
	if err != nil {
		return fmt.Errorf("reverse of DDL %d: %w", entry.ID, err)
	}
	d := e.database(t.Database)
	d.changing.Lock()
	defer d.changing.Unlock()
	if _, err := e.take(ctx, t.Database, announcement{source: sourceProxy}); err != nil {
		return fmt.Errorf("database %s: %w", t.Database, err)
	}
	if err := e.mark(ctx, t.Database, revert{entry.ID, entry.Reverse}); err != nil {
		return err
	}
	client, release, err := e.asRole(ctx, t)
	if err != nil {
		return e.giveUp(ctx, t.Database, entry.ID, err)
	}
	defer release()
	if err := databaseFor(client, t.Database, command).RunCommand(ctx, command).Err(); err != nil {
		if code(err) == 0 || unusable(err) {
			// It may have run: the mark stays, and the next look decides.
			return e.failed(fmt.Sprintf("run reverse of DDL %d", entry.ID), err)
		}
		return e.giveUp(ctx, t.Database, entry.ID, refused(entry, err))
	}
	s, err := e.take(ctx, t.Database, announcement{source: sourceProxy})
	if err != nil {
		return fmt.Errorf("database %s: %w", t.Database, err)
	}
	if !slices.Contains(s.Reverted, entry.ID) {
		return e.giveUp(ctx, t.Database, entry.ID, workspace.Errorf(workspace.Conflict, "DDL %d can't be reverted: %s is not there any more", entry.ID, entry.Object))
	}
	return nil
}

// mark notes a revert that is about to be run.
func (e *Engine) mark(ctx context.Context, database string, r revert) error {
	_, err := e.advance(ctx, database, func(s *state) (bool, error) {
		s.unmark(r.Entry)
		s.Reverted = slices.DeleteFunc(s.Reverted, func(id int64) bool { return id == r.Entry })
		s.Reverting = append(s.Reverting, r)
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("database %s: note revert of DDL %d: %w", database, r.Entry, err)
	}
	return nil
}

// unmark takes the entry's mark away; false where there is none.
func (s *state) unmark(entry int64) bool {
	before := len(s.Reverting)
	s.Reverting = slices.DeleteFunc(s.Reverting, func(r revert) bool { return r.Entry == entry })
	return len(s.Reverting) < before
}

// giveUp takes the mark of a revert away, which did not happen because of why.
func (e *Engine) giveUp(ctx context.Context, database string, entry int64, why error) error {
	_, err := e.advance(context.WithoutCancel(ctx), database, func(s *state) (bool, error) { return s.unmark(entry), nil })
	if err != nil {
		e.config.Log.WarnContext(ctx, "mark of a revert stays in the journal", "server", e.config.Name, "database", database, "ddl", entry, "error", err)
	}
	return why
}

// refused is the server's own reason for not running a reverse.
func refused(entry workspace.Entry, err error) error {
	f := answerOf(nil, err)
	conflict := workspace.Errorf(workspace.Conflict, "DDL %d can't be reverted: %s", entry.ID, f.Error).Because(err)
	conflict.Details = map[string]any{"codeName": f.CodeName}
	return conflict
}
