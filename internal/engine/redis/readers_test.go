package redis_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// reading is a workspace whose database has a reader, and the target of that.
func withReader(n int) (to, reader workspace.Target) {
	to = target(n)
	to.Reader, to.ReaderPassword = to.Role+"_reader", "secret of the reader"
	reader = to
	reader.Role, reader.Password = to.Reader, to.ReaderPassword
	return to, reader
}

// Every command that the server calls a write is refused to a reader, whatever
// category it is in, and everything else is as for the workspace's own user.
func TestAReaderMayWhatTheWorkspaceMayWithoutWriting(t *testing.T) {
	e := newEngine(t, server)
	to, as := withReader(17)
	must(t, e.Create(t.Context(), to, false))
	t.Cleanup(func() { must(t, e.Drop(context.Background(), to)) })
	// Valkey judges DRYRUN in the database of who asks.
	admin := administrator(t, server, 17)
	commands, err := admin.Command(t.Context()).Result()
	must(t, err)
	allowed := 0
	for name, c := range commands {
		// DRYRUN wants as many arguments as the command has.
		args := []any{"acl", "dryrun", "", name}
		for range max(int(c.Arity), -int(c.Arity)) - 1 {
			args = append(args, "1")
		}
		may := func(user string) bool {
			args[2] = user
			said, err := admin.Do(t.Context(), args...).Text()
			return err == nil && said == "OK"
		}
		writer, reader := may(to.Role), may(to.Reader)
		writes := slices.Contains(c.Flags, "write") || name == "publish" || name == "spublish"
		if reader != (writer && !writes) {
			t.Errorf("%s (%s): the workspace's user may %t, its reader %t", name, strings.Join(c.Flags, " "), writer, reader)
		}
		if reader {
			allowed++
		}
	}
	if allowed < 50 {
		t.Errorf("a reader may only %d commands", allowed)
	}

	must(t, member(t, server, to).Set(t.Context(), "a", "1", 0).Err())
	conn := member(t, server, as)
	for want, words := range map[string][]string{
		"1": {"GET", "a"}, "2": {"EVAL", "return 2", "0"}, "one": {"EVAL", "redis.call('get', 'a') return 'one'", "0"},
	} {
		equal(t, strings.Join(words, " "), do(t, conn, words...), want)
	}
	for _, words := range [][]string{
		{"SET", "a", "2"}, {"EVAL", "return redis.call('set', 'a', '2')", "0"}, {"SORT", "a", "STORE", "b"}, {"XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"},
		{"SCRIPT", "LOAD", "return 1"}, {"SELECT", "0"},
	} {
		if got := do(t, conn, words...); got == "OK" || got == "1" {
			t.Errorf("%v: got %s", words, got)
		}
	}
	equal(t, "a", member(t, server, to).Get(t.Context(), "a").Val(), "1")
}

func TestAReaderComesAndGoesBesideItsWorkspace(t *testing.T) {
	e := newEngine(t, server)
	bare := created(t, e, 17)
	to, as := withReader(17)
	writer := member(t, server, bare)
	for range 2 {
		must(t, e.SetReader(t.Context(), to))
	}
	conn := member(t, server, as)
	must(t, conn.Ping(t.Context()).Err())
	for range 2 {
		must(t, e.DropReader(t.Context(), to))
	}
	if err := conn.Ping(t.Context()).Err(); err == nil {
		t.Error("the reader's session lives on")
	}
	must(t, writer.Ping(t.Context()).Err())
	equal(t, "reader", exists(t, e, to.Reader), false)
	must(t, e.SetReader(t.Context(), to))
	must(t, e.Drop(t.Context(), to))
	equal(t, "reader of a dropped workspace", exists(t, e, to.Reader), false)
	must(t, e.Create(t.Context(), bare, false))
}
