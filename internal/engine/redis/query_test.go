package redis_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/engine/redis"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// query gives a query's rows as JSON.
func query(t *testing.T, e *redis.Engine, to workspace.Target, text string) string {
	t.Helper()
	r, err := e.Query(t.Context(), to, text, workspace.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if len(r.Columns) != 1 || r.Columns[0] != "result" || r.RowCount != int64(len(r.Rows)) || r.RowsAffected != nil {
		t.Errorf("%s: got %+v", text, r)
	}
	rows, err := json.Marshal(r.Rows)
	must(t, err)
	return string(rows)
}

func TestRepliesAreRowsOfJSON(t *testing.T) {
	e := newEngine(t, server)
	to := created(t, e, 17)
	for _, step := range []struct{ text, want string }{
		{`SET greeting "hello world"`, `[["OK"]]`},
		{`get greeting`, `[["hello world"]]`},
		{`GET missing`, `[[null]]`},
		{`INCR n`, `[[1]]`},
		{`SET big 9007199254740993`, `[["OK"]]`},
		{`INCRBY big 1`, `[["9007199254740994"]]`},
		{`SET raw "\xff\x00"`, `[["OK"]]`},
		{`GET raw`, `[["\\xff00"]]`},
		{`HSET h f1 v1 f2 v2`, `[[2]]`},
		{`HGETALL h`, `[["f1"],["v1"],["f2"],["v2"]]`},
		{`RPUSH l a b c`, `[[3]]`},
		{`LRANGE l 0 -1`, `[["a"],["b"],["c"]]`},
		{`LRANGE none 0 -1`, `[]`},
		{`MGET greeting missing`, `[["hello world"],[null]]`},
		{`XADD s 1-1 f v`, `[["1-1"]]`},
		{`XRANGE s - +`, `[[["1-1",["f","v"]]]]`},
		{"SET a 1\n\n  INCR a\nINCR a\n", `[[3]]`},
		{"MULTI\nINCR a\nGET a\nLPUSH a x\nEXEC", `[[4],["4"],[{"error":"WRONGTYPE Operation against a key holding the wrong kind of value"}]]`},
		{"EVAL 'return {1, \"two\", {3}}' 0", `[[1],["two"],[[3]]]`},
		{"ACL WHOAMI", `[["` + to.Role + `"]]`},
		{"CLIENT INFO", ``},
	} {
		if got := query(t, e, to, step.text); got != step.want && step.want != "" {
			t.Errorf("%s: got %s, want %s", step.text, got, step.want)
		}
	}
	equal(t, "keys of database 0", administrator(t, server, 0).DBSize(t.Context()).Val(), 0)
}

func TestWhatAQueryMayNotIsRefused(t *testing.T) {
	e := newEngine(t, server)
	to := created(t, e, 17)
	for _, try := range []struct {
		text, want string
		line       int
	}{
		{"SET a 1\nINCR\n", "ERR wrong number of arguments", 2},
		{"SET s x\nINCR s", "ERR value is not an integer", 2},
		{"LPUSH new x\nSET new x\nLPUSH new y", "WRONGTYPE", 3},
		{"nonsense", "ERR unknown command", 1},
		{"SELECT 18", "NOPERM", 1},
		{"FLUSHALL", "NOPERM", 1},
		{"CONFIG GET *", "NOPERM", 1},
		{"EVAL \"return redis.call('SELECT', 18)\" 0", "script", 1},
		{`GET "a`, "unbalanced quotes", 1},
		{"AUTH default x", "about a connection", 1},
		{"hello 3", "about a connection", 1},
		{"RESET", "about a connection", 1},
		{"QUIT", "about a connection", 1},
		{"\nSUBSCRIBE 17:news", "needs a connection that stays", 2},
		{"PSUBSCRIBE 17:*", "needs a connection that stays", 1},
		{"SSUBSCRIBE 17:s", "needs a connection that stays", 1},
		{"MONITOR", "needs a connection that stays", 1},
		{"CLIENT REPLY OFF", "about a connection", 1},
		{"client tracking on", "about a connection", 1},
	} {
		_, err := e.Query(t.Context(), to, try.text, workspace.Limits{})
		refused, ok := errors.AsType[*workspace.Error](err)
		if !ok || refused.Code != workspace.BadRequest || !strings.Contains(refused.Message, try.want) {
			t.Errorf("%s: got %v, want a bad request with %q", try.text, err, try.want)
			continue
		}
		equal(t, "line of "+try.text, refused.Details["line"], any(try.line))
	}
	for _, text := range []string{"", " \n\t\n"} {
		if _, err := e.Query(t.Context(), to, text, workspace.Limits{}); workspace.ErrorCode(err) != workspace.BadRequest {
			t.Errorf("%q: got %v, want a bad request", text, err)
		}
	}
	if _, err := e.Query(t.Context(), to, strings.Repeat("PING\n", 10_001), workspace.Limits{}); workspace.ErrorCode(err) != workspace.BadRequest {
		t.Errorf("too many commands: got %v", err)
	}
}

func TestAnErrorNamesItsCode(t *testing.T) {
	e := newEngine(t, server)
	_, err := e.Query(t.Context(), created(t, e, 17), "SET a x\nLPUSH a y", workspace.Limits{})
	refused, ok := errors.AsType[*workspace.Error](err)
	if !ok || refused.Details["codeName"] != "WRONGTYPE" {
		t.Errorf("got %v", err)
	}
}

func TestABlockingQueryEndsWithItsTime(t *testing.T) {
	e := newEngine(t, server)
	to := created(t, e, 17)
	_, err := e.Query(t.Context(), to, "BLPOP q 0", workspace.Limits{Workspace: "shop", TimeoutMS: 100})
	if workspace.ErrorCode(err) != workspace.BadRequest || !strings.Contains(err.Error(), "100 ms and was given up: use a Redis client") {
		t.Errorf("got %v, want one that names the limit", err)
	}
	gone := func() bool {
		return !strings.Contains(administrator(t, server, 0).ClientList(t.Context()).Val(), "cmd=blpop")
	}
	eventually(t, gone)

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := e.Query(ctx, to, "BLPOP q 0", workspace.Limits{})
		ended <- err
	}()
	eventually(t, func() bool { return !gone() })
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that it was cancelled", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("a query goes on without its client")
	}
	eventually(t, gone)
}

func TestAReplyThatIsTooLargeIsRefused(t *testing.T) {
	e := newEngine(t, server)
	to := created(t, e, 17)
	must(t, administrator(t, server, 17).Set(t.Context(), "large", strings.Repeat("x", 30<<20), 0).Err())
	query(t, e, to, "GETRANGE large 0 9")
	_, err := e.Query(t.Context(), to, "GET large\nGET large\nGET large", workspace.Limits{})
	if workspace.ErrorCode(err) != workspace.BadRequest || !strings.Contains(err.Error(), "64 MB") {
		t.Errorf("got %v, want one that names the bound", err)
	}
}

// TestQueriesTakeTheFrontWhereThereIsOne: then the front's login is used, and
// the server is not met at all.
func TestQueriesTakeTheFrontWhereThereIsOne(t *testing.T) {
	e, heard := fronted(t, "+OK\r\n")
	to := target(17)
	to.Client = workspace.ClientLogin{User: "shop", Password: "tdb_0123"}
	if got := query(t, e, to, "SET a 1"); got != `[["OK"]]` {
		t.Errorf("got %s", got)
	}
	said := <-heard
	contains(t, "login", said, "shop")
	contains(t, "login", said, "tdb_0123")
	for _, secret := range []string{to.Role, to.Password, "admin", "select"} {
		if strings.Contains(said, secret) {
			t.Errorf("the front was told %q", secret)
		}
	}
}

func TestTheFrontsRefusalIsTold(t *testing.T) {
	e, _ := fronted(t, "-ERR workspace 'shop' was deleted\r\n")
	_, err := e.Query(t.Context(), target(17), "PING", workspace.Limits{})
	if workspace.ErrorCode(err) != workspace.Unavailable || !strings.Contains(err.Error(), "was deleted") {
		t.Errorf("got %v", err)
	}
}

func TestAFullWorkspaceIsTold(t *testing.T) {
	e, _ := fronted(t, "-ERR max number of clients reached\r\n")
	if _, err := e.Query(t.Context(), target(17), "PING", workspace.Limits{}); !errors.Is(err, workspace.ErrFull) {
		t.Errorf("got %v", err)
	}
}

// fronted is an engine before a front that knows no HELLO and gives everything
// else the same reply; heard is what it was told, when its connection ends.
func fronted(t *testing.T, reply string) (e *redis.Engine, heard <-chan string) {
	t.Helper()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { front.Close() })
	e = redis.New(redis.Config{
		Name: "main", Address: workspace.Address{Network: "unix", Addr: "/nowhere"}, Password: "admin",
		Front: func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", front.Addr().String())
		},
	})
	t.Cleanup(e.Close)
	said := make(chan string, 1)
	go func() {
		conn, err := front.Accept()
		if err != nil {
			said <- err.Error()
			return
		}
		defer conn.Close()
		said <- converse(conn, reply)
	}()
	return e, said
}

// converse answers until the other side ends, and gives what it said.
func converse(conn net.Conn, reply string) string {
	var all strings.Builder
	for buffer := make([]byte, 4096); ; {
		n, err := conn.Read(buffer)
		all.Write(buffer[:n])
		if err != nil {
			return all.String()
		}
		if strings.Contains(string(buffer[:n]), "hello") {
			fmt.Fprint(conn, "-ERR unknown command 'hello'\r\n")
			continue
		}
		for range strings.Count(string(buffer[:n]), "*") {
			fmt.Fprint(conn, reply)
		}
	}
}
