package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// nobody is the answer to who the workspaces are, where it does not matter.
func nobody() []workspace.Target { return nil }

// TestAScriptThatNeverEndsIsEnded: one workspace must not hold up the others.
func TestAScriptThatNeverEndsIsEnded(t *testing.T) {
	r := devstacktest.Redis(t, nil)
	e := newEngine(t, r)
	one, other := created(t, e, 31), created(t, e, 32)
	must(t, administrator(t, r, 0).ConfigSet(t.Context(), "busy-reply-threshold", "50").Err())
	beside := member(t, r, other)
	must(t, beside.Ping(t.Context()).Err())

	endless := make(chan error, 1)
	conn := member(t, r, one)
	go func() { endless <- conn.Eval(t.Context(), "while true do end", nil).Err() }()
	eventually(t, func() bool {
		err := beside.Ping(t.Context()).Err()
		return err != nil && strings.HasPrefix(err.Error(), "BUSY")
	})
	eventually(t, func() bool { return e.Restore(t.Context(), nobody) == nil })
	if err := <-endless; err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the endless script: got %v, want that it was killed", err)
	}
	must(t, beside.Ping(t.Context()).Err())
	must(t, conn.Ping(t.Context()).Err())
}

// TestAScriptThatWroteCannotBeEnded: that is Redis' own rule, so the operator
// must hear what is the matter.
func TestAScriptThatWroteCannotBeEnded(t *testing.T) {
	r := devstacktest.Redis(t, nil)
	e := newEngine(t, r)
	one := target(33)
	must(t, e.Create(t.Context(), one, true))
	admin := administrator(t, r, 0)
	must(t, admin.ConfigSet(t.Context(), "busy-reply-threshold", "50").Err())

	conn := member(t, r, one)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn.Eval(t.Context(), "redis.call('set', KEYS[1], '1') while true do end", []string{"a"})
	}()
	eventually(t, func() bool {
		err := admin.Ping(t.Context()).Err()
		return err != nil && strings.HasPrefix(err.Error(), "BUSY")
	})
	err := e.Restore(t.Context(), nobody)
	if workspace.ErrorCode(err) != workspace.Unavailable || !strings.Contains(fmt.Sprint(errors.Unwrap(err)), "SHUTDOWN NOSAVE") {
		t.Errorf("got %v, want what is left to do", err)
	}
	admin.ShutdownNoSave(t.Context()) // its answer is the end of the connection
	<-ended
	eventually(t, func() bool { return e.Restore(t.Context(), nobody) == nil })
}
