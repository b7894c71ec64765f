package redis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// restoreBatch is how many users are made in one round trip.
const restoreBatch = 256

// setRoles makes the users, or puts back their rules and their passwords; roles
// is held. Sessions that are logged in as them stay.
func (e *Engine) setRoles(ctx context.Context, targets []workspace.Target) error {
	if err := e.loadRules(ctx); err != nil {
		return err
	}
	for batch := range slices.Chunk(targets, restoreBatch) {
		commands := e.admin.Pipeline()
		for _, t := range batch {
			if err := e.checkRole(t, t.Role); err != nil {
				return err
			}
			commands.Do(ctx, e.roleCommand(t, t.Role, t.Password)...)
			if t.Reader == "" {
				continue
			}
			if err := e.checkRole(t, t.Reader); err != nil {
				return err
			}
			commands.Do(ctx, e.readerCommand(t)...)
		}
		if _, err := commands.Exec(ctx); err != nil {
			return e.failed("make users", err)
		}
	}
	return nil
}

func (e *Engine) checkRole(t workspace.Target, role string) error {
	if role == e.config.User || role == defaultUser || role == "" || strings.ContainsAny(role, " \x00") {
		return fmt.Errorf("make user %q: not the name of a workspace's user", role)
	}
	if _, err := number(t.Database); err != nil {
		return fmt.Errorf("make user %s: %w", role, err)
	}
	return nil
}

// roleCommand makes the user all that it is to be. The server is given the hash
// of its password, which is random enough for that.
func (e *Engine) roleCommand(t workspace.Target, role, password string) []any {
	hash := sha256.Sum256([]byte(password))
	args := []any{"acl", "setuser", role, "reset", "on", "sanitize-payload", "#" + hex.EncodeToString(hash[:]), "~*"}
	for _, rule := range append(channels(t.Database), e.rules...) {
		args = append(args, rule)
	}
	if e.scoped {
		args = append(args, "resetdbs", "db="+t.Database)
	}
	return args
}

// readerCommand makes the user who may only read: what a workspace's may, without
// what changes something. Scripts are held to that command by command.
func (e *Engine) readerCommand(t workspace.Target) []any {
	args := e.roleCommand(t, t.Reader, t.ReaderPassword)
	for _, rule := range e.unwriting {
		args = append(args, rule)
	}
	return args
}

// loadRules reads the rules once for each run of the server; roles is held.
func (e *Engine) loadRules(ctx context.Context) (err error) {
	if e.rules != nil {
		return nil
	}
	reply, err := e.admin.Do(ctx, "acl", "getuser", defaultUser).Result()
	if err != nil {
		return e.failed("read the default user", err)
	}
	e.scoped = hasField(reply, "databases")
	if e.rules, e.unwriting, err = readRules(ctx, e.admin); err != nil {
		return e.failed("read commands", err)
	}
	return nil
}

// dropRole removes the user and ends its sessions; roles is held.
func (e *Engine) dropRole(ctx context.Context, role string) error {
	if role == e.config.User || role == defaultUser {
		return fmt.Errorf("drop user %s: it is the administrator's", role)
	}
	if role == "" {
		return nil
	}
	if err := e.admin.Do(ctx, "acl", "deluser", role).Err(); err != nil {
		return e.failed("drop user "+role, err)
	}
	return nil
}

// saveRoles keeps the users where the server has a file for them, so that they
// are there as soon as it is back. Restore makes good what was not kept.
func (e *Engine) saveRoles(ctx context.Context) {
	err := e.admin.Do(ctx, "acl", "save").Err()
	if reply, ok := errors.AsType[goredis.Error](err); err == nil || ok && strings.Contains(reply.Error(), "not configured to use an ACL file") {
		return
	}
	e.config.Log.WarnContext(ctx, "users could not be saved to the server's file", "server", e.config.Name, "error", err)
}

// Restore makes the users of the workspaces on the server again if it has been
// started since they were made: Redis itself forgets them. Where it has not,
// Restore is one question. current is asked for the workspaces while nobody can
// remove one.
func (e *Engine) Restore(ctx context.Context, current func() []workspace.Target) error {
	e.roles.Lock()
	defer e.roles.Unlock()
	server, err := e.info(ctx, "server")
	if err != nil {
		return err
	}
	run := server["run_id"]
	if run == e.run {
		return nil
	}
	e.rules = nil // the server may be a newer release now
	targets := current()
	if err := e.setRoles(ctx, targets); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if len(targets) > 0 {
		e.saveRoles(ctx)
	}
	e.run = run
	return nil
}
