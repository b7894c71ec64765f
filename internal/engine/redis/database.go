package redis

import (
	"context"
	"fmt"
	"slices"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Create makes the workspace's user; its database is there already. tracked
// changes nothing: a Redis database has no schema to follow. For the same reason
// a tenant's has no owner, and its user may what a workspace's may.
func (e *Engine) Create(ctx context.Context, t workspace.Target, _ bool) error {
	n, err := number(t.Database)
	if err != nil {
		return err
	}
	count, err := e.Databases(ctx)
	if err != nil {
		return err
	}
	if n >= count {
		return fmt.Errorf("create database %d: the server has only %d", n, count)
	}
	e.roles.Lock()
	defer e.roles.Unlock()
	if err := e.setRoles(ctx, []workspace.Target{t}); err != nil {
		return err
	}
	e.saveRoles(ctx)
	return nil
}

// Drop removes the user, which ends its sessions, and then empties the database,
// so that nothing is written to it in between.
func (e *Engine) Drop(ctx context.Context, t workspace.Target) error {
	e.roles.Lock()
	defer e.roles.Unlock()
	for _, role := range []string{t.Reader, t.Role} {
		if err := e.dropRole(ctx, role); err != nil {
			return err
		}
	}
	e.saveRoles(ctx)
	inside, err := e.within(t)
	if err != nil {
		return err
	}
	defer inside.Close()
	if err := inside.FlushDBAsync(ctx).Err(); err != nil {
		return e.failed("empty database "+t.Database, err)
	}
	return nil
}

// SetReader makes the user who may only read the database.
func (e *Engine) SetReader(ctx context.Context, t workspace.Target) error {
	e.roles.Lock()
	defer e.roles.Unlock()
	if err := e.loadRules(ctx); err != nil {
		return err
	}
	if err := e.checkRole(t, t.Reader); err != nil {
		return err
	}
	if err := e.admin.Do(ctx, e.readerCommand(t)...).Err(); err != nil {
		return e.failed("make user "+t.Reader, err)
	}
	e.saveRoles(ctx)
	return nil
}

// DropReader removes the user who may only read, which ends its sessions.
func (e *Engine) DropReader(ctx context.Context, t workspace.Target) error {
	e.roles.Lock()
	defer e.roles.Unlock()
	if err := e.dropRole(ctx, t.Reader); err != nil {
		return err
	}
	e.saveRoles(ctx)
	return nil
}

// Exists says whether a logical database of that number holds keys, or, for
// what is no number, whether there is a user of that name.
func (e *Engine) Exists(ctx context.Context, name string) (bool, error) {
	if _, err := number(name); err == nil {
		counts, err := e.info(ctx, "keyspace")
		if err != nil {
			return false, err
		}
		_, found := counts["db"+name]
		return found, nil
	}
	users, err := e.admin.Do(ctx, "acl", "users").StringSlice()
	if err != nil {
		return false, e.failed("list users", err)
	}
	return slices.Contains(users, name), nil
}

// Tables is empty: Redis has none.
func (e *Engine) Tables(context.Context, workspace.Target) ([]workspace.Table, error) {
	return []workspace.Table{}, nil
}

// Definitions is empty: nothing has to be defined before keys are written.
func (e *Engine) Definitions(context.Context, workspace.Target) ([]string, error) {
	return []string{}, nil
}

// Changes is empty: there is no schema that could change.
func (e *Engine) Changes(context.Context, workspace.Target) ([]workspace.Change, error) {
	return nil, nil
}

// Forget has nothing to forget.
func (e *Engine) Forget(context.Context, workspace.Target, []int64) error { return nil }

// Revert is refused, since no change ever enters the queue.
func (e *Engine) Revert(context.Context, workspace.Target, workspace.Entry) error {
	return workspace.Errorf(workspace.NotFound, "a Redis workspace has no schema changes to revert")
}
