package redis_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/internal/engine/redis"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestPrepareTakesAGuardedServer(t *testing.T) {
	e := newEngine(t, server)
	must(t, e.Prepare(t.Context()))
	must(t, e.Ping(t.Context()))
	n, err := e.Databases(t.Context())
	must(t, err)
	equal(t, "databases", n, 4096)
}

func TestPrepareRefusesAServerThatLetsAnybodyIn(t *testing.T) {
	r := devstacktest.Redis(t, nil)
	must(t, administrator(t, r, 0).Do(t.Context(), "ACL", "SETUSER", "default", "nopass").Err())
	err := newEngine(t, r).Prepare(t.Context())
	if err == nil || !strings.Contains(err.Error(), "requirepass") || workspace.ErrorCode(err) == workspace.Unavailable {
		t.Errorf("got %v, want a refusal that says what to do", err)
	}
}

func TestPrepareRefusesAServerWithOneDatabase(t *testing.T) {
	r := devstacktest.Redis(t, map[string]string{"databases": "1"})
	if err := newEngine(t, r).Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "--databases") {
		t.Errorf("got %v, want a refusal that says what to do", err)
	}
}

// Servers before Redis 7.2.11, 7.4.6, 8.0.4 and 8.2.2, and Valkey of that time, let
// a script change the metatable of strings, which all scripts have.
func TestPrepareWarnsWhereScriptsReachOthers(t *testing.T) {
	r := devstacktest.Redis(t, nil)
	var log bytes.Buffer
	e := redis.New(redis.Config{
		Name: "main", Address: workspace.Address{Network: "unix", Addr: r.Socket()}, User: r.User(), Password: r.Password(),
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	t.Cleanup(e.Close)
	must(t, e.Prepare(t.Context()))
	one, other := member(t, r, created(t, e, 17)), member(t, r, created(t, e, 18))
	reaches := one.Eval(t.Context(), "getmetatable('').mark='reached' return 1", nil).Err() == nil
	seen, err := other.Eval(t.Context(), "return tostring(getmetatable('').mark)", nil).Text()
	must(t, err)
	equal(t, "seen by the other", seen == "reached", reaches)
	equal(t, "warned", strings.Contains(log.String(), "CVE-2025-46818"), reaches)
}

func TestAServerThatIsNotThereIsUnavailableAndNamesNoAddress(t *testing.T) {
	e := redis.New(redis.Config{Name: "main", Address: workspace.Address{Network: "unix", Addr: t.TempDir() + "/none"}, Password: "secret"})
	defer e.Close()
	to := target(17)
	_, queryErr := e.Query(t.Context(), to, "PING", workspace.Limits{})
	_, keysErr := e.Keys(t.Context(), to)
	_, existsErr := e.Exists(t.Context(), "x")
	for doing, err := range map[string]error{
		"prepare": e.Prepare(t.Context()), "ping": e.Ping(t.Context()), "create": e.Create(t.Context(), to, false),
		"drop": e.Drop(t.Context(), to), "query": queryErr, "keys": keysErr, "exists": existsErr,
		"restore": e.Restore(t.Context(), func() []workspace.Target { return nil }),
	} {
		if workspace.ErrorCode(err) != workspace.Unavailable {
			t.Errorf("%s: got %v, want Unavailable", doing, err)
			continue
		}
		if strings.Contains(err.Error(), "none") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: tells too much: %v", doing, err)
		}
	}
}

func TestAWrongPasswordIsUnavailable(t *testing.T) {
	e := redis.New(redis.Config{Name: "main", Address: workspace.Address{Network: "unix", Addr: server.Socket()}, Password: "wrong"})
	defer e.Close()
	if err := e.Prepare(t.Context()); workspace.ErrorCode(err) != workspace.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
	}
}

func TestCreateAndDropMayBeRepeated(t *testing.T) {
	e := newEngine(t, server)
	to := target(17)
	for range 2 {
		must(t, e.Create(t.Context(), to, true))
		equal(t, "user", exists(t, e, to.Role), true)
	}
	must(t, member(t, server, to).Set(t.Context(), "a", "1", 0).Err())
	equal(t, "database", exists(t, e, to.Database), true)
	for range 2 {
		must(t, e.Drop(t.Context(), to))
		equal(t, "user", exists(t, e, to.Role), false)
		equal(t, "database", exists(t, e, to.Database), false)
	}
}

func exists(t *testing.T, e *redis.Engine, name string) bool {
	t.Helper()
	found, err := e.Exists(t.Context(), name)
	must(t, err)
	return found
}

func TestCreateRefusesWhatIsNobodys(t *testing.T) {
	e := newEngine(t, server)
	for _, to := range []workspace.Target{
		{Database: "0", Role: "shop"}, {Database: "4096", Role: "shop"}, {Database: "-1", Role: "shop"},
		{Database: "017", Role: "shop"}, {Database: "shop", Role: "shop"},
		{Database: "17", Role: "default"}, {Database: "17", Role: ""}, {Database: "17", Role: "two words"},
	} {
		if err := e.Create(t.Context(), to, false); err == nil {
			t.Errorf("%+v was made", to)
		}
	}
	if err := e.Drop(t.Context(), workspace.Target{Database: "17", Role: "default"}); err == nil {
		t.Error("the administrator was dropped")
	}
}

func TestDropEndsSessionsAndLeavesNothing(t *testing.T) {
	e := newEngine(t, server)
	to, other := target(17), created(t, e, 18)
	must(t, e.Create(t.Context(), to, true))
	neighbour := member(t, server, other)
	must(t, neighbour.Set(t.Context(), "a", "1", 0).Err())
	conn := member(t, server, to)
	must(t, conn.Set(t.Context(), "a", "1", 0).Err())
	blocked := member(t, server, to)
	ended := make(chan error, 1)
	go func() { ended <- blocked.Do(context.Background(), "BLPOP", "q", "0").Err() }()
	eventually(t, func() bool {
		list := administrator(t, server, 0).ClientList(t.Context()).Val()
		return strings.Contains(list, "cmd=blpop")
	})

	must(t, e.Drop(t.Context(), to))
	if err := <-ended; err == nil {
		t.Error("a blocked session lives on")
	}
	if err := conn.Ping(t.Context()).Err(); err == nil {
		t.Error("an idle session lives on")
	}
	must(t, neighbour.Ping(t.Context()).Err())
	equal(t, "keys of the neighbour", neighbour.DBSize(t.Context()).Val(), 1)

	// Whoever gets the number next begins with nothing.
	must(t, e.Create(t.Context(), workspace.Target{Database: "17", Role: "next", Password: "x"}, true))
	defer func() { must(t, e.Drop(context.Background(), workspace.Target{Database: "17", Role: "next"})) }()
	equal(t, "keys of the next", administrator(t, server, 17).DBSize(t.Context()).Val(), 0)
}

func TestCreateGivesANewPasswordToAnOldUser(t *testing.T) {
	e := newEngine(t, server)
	to := created(t, e, 17)
	to.Password = "another"
	must(t, e.Create(t.Context(), to, true))
	must(t, member(t, server, to).Ping(t.Context()).Err())
	must(t, administrator(t, server, 0).Ping(t.Context()).Err())
	if err := member(t, server, target(17)).Ping(t.Context()).Err(); err == nil {
		t.Error("the old password still opens")
	}
}

// TestUsersComeBackAfterARestart is about a server that keeps no file of its
// users; where there is one, they are there at once.
func TestUsersComeBackAfterARestart(t *testing.T) {
	r := devstacktest.Redis(t, nil)
	e := newEngine(t, r)
	lives, gone := target(17), target(18)
	asked := 0
	current := func() []workspace.Target { asked++; return []workspace.Target{lives} }
	must(t, e.Create(t.Context(), lives, true))
	must(t, e.Create(t.Context(), gone, true))
	must(t, member(t, r, lives).Set(t.Context(), "a", "1", 0).Err())
	must(t, e.Drop(t.Context(), gone))
	must(t, e.Restore(t.Context(), current))
	must(t, e.Restore(t.Context(), current))
	equal(t, "times that the workspaces were asked for", asked, 1)

	admin := administrator(t, r, 0)
	restart(t, admin, func() {})
	must(t, member(t, r, lives).Ping(t.Context()).Err()) // from the server's file
	equal(t, "a dropped user", exists(t, e, gone.Role), false)

	// The same without what the file kept.
	restart(t, admin, func() {
		must(t, admin.Do(t.Context(), "ACL", "DELUSER", lives.Role).Err())
		must(t, admin.Do(t.Context(), "ACL", "SAVE").Err())
	})
	if err := member(t, r, lives).Ping(t.Context()).Err(); err == nil {
		t.Fatal("the user is there before it was restored")
	}
	must(t, e.Restore(t.Context(), current))
	equal(t, "value", member(t, r, lives).Get(t.Context(), "a").Val(), "1")
	equal(t, "a dropped user", exists(t, e, gone.Role), false)
}

// restart ends the server, which devstack then starts again, and waits for it.
func restart(t *testing.T, admin *goredis.Client, before func()) {
	t.Helper()
	before()
	run := runID(t, admin)
	admin.ShutdownNoSave(t.Context()) // its answer is the end of the connection
	eventually(t, func() bool {
		now := runID(t, admin)
		return now != "" && now != run
	})
}

// runID is empty while the server is not there.
func runID(t *testing.T, admin *goredis.Client) string {
	t.Helper()
	_, rest, _ := strings.Cut(admin.Info(t.Context(), "server").Val(), "run_id:")
	id, _, _ := strings.Cut(rest, "\r")
	return id
}

// eventually waits for what a server in the background brings about.
func eventually(t *testing.T, what func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for !what() {
		select {
		case <-deadline:
			t.Fatal("it did not come about in 30 s")
		case <-poll.C:
		}
	}
}

func TestAServerTellsHowManyDatabasesItHas(t *testing.T) {
	r := devstacktest.Redis(t, map[string]string{"databases": "4"})
	e := newEngine(t, r)
	n, err := e.Databases(t.Context())
	must(t, err)
	equal(t, "databases", n, 4)
	for n := 1; n < 4; n++ {
		to := created(t, e, n)
		must(t, member(t, r, to).Set(t.Context(), "a", n, 0).Err())
	}
	if err := e.Create(t.Context(), target(4), false); err == nil {
		t.Error("a fifth database was made")
	}
}
