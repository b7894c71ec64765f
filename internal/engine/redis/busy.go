package redis

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// isBusy says whether the server refused us because a script has been running
// for longer than its busy-reply-threshold, 5 s where nobody has changed it.
func isBusy(err error) bool {
	reply, ok := errors.AsType[goredis.Error](err)
	return ok && prefix(reply.Error()) == "BUSY"
}

// endScript ends the script that keeps the server from everybody else, and gives
// the error that is true until it has ended, for busy is what the server said.
// One workspace could hold up all others for good, since none of them may SCRIPT
// KILL. Redis ends no script that has written: only an operator can, by SHUTDOWN
// NOSAVE. See https://redis.io/docs/latest/commands/script-kill/.
func (e *Engine) endScript(ctx context.Context, busy error) error {
	err := e.admin.ScriptKill(ctx).Err()
	if reply, ok := errors.AsType[goredis.Error](err); ok && prefix(reply.Error()) == "UNKILLABLE" {
		return workspace.Errorf(workspace.Unavailable, "redis server %s can't be reached", e.config.Name).
			Because(fmt.Errorf("end a script that has written, for which SHUTDOWN NOSAVE is all that is left: %w", err))
	}
	if err == nil {
		e.config.Log.WarnContext(ctx, "script ended that kept the server from everybody", "server", e.config.Name)
	}
	return e.failed("read info", busy)
}
