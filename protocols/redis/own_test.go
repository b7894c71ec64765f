package redis

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
	"github.com/tidwall/redcon"
)

// fieldsOf are the fields of a line of CLIENT INFO or CLIENT LIST, and their
// names in order.
func fieldsOf(t *testing.T, reply string) (values map[string]string, names []string) {
	t.Helper()
	values = make(map[string]string)
	_, line, _ := strings.Cut(reply, "\r\n")
	line, ended := strings.CutSuffix(strings.TrimPrefix(line, "txt:"), "\n\r\n")
	if !ended {
		t.Fatalf("got %q, want one line", reply)
	}
	for field := range strings.SplitSeq(line, " ") {
		name, value, _ := strings.Cut(field, "=")
		values[name] = value
		names = append(names, name)
	}
	return values, names
}

// sees fails unless the line has these values.
func sees(t *testing.T, reply string, want map[string]string) {
	t.Helper()
	got, _ := fieldsOf(t, reply)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s: got %q, want %q in %q", name, got[name], want[name], reply)
		}
	}
}

// TestAClientSeesItsSessionAsItKnowsIt: nothing in the line is the proxy's or
// the server's, and it has the fields that the server gives.
func TestAClientSeesItsSessionAsItKnowsIt(t *testing.T) {
	w := newWorld(t)
	for _, protocol := range []string{"2", "3"} {
		s := w.workspace(t, workspace.Settings{DefaultTTL: 10})
		direct := s.admin(t)
		direct.must("HELLO", protocol)
		c := s.connect(t)
		c.must("HELLO", protocol)
		c.must("CLIENT", "SETNAME", "app")
		want := map[string]string{
			"id": strings.Trim(c.must("CLIENT", "ID"), ":\r\n"), "addr": c.conn.LocalAddr().String(), "laddr": w.addr, "name": "app", "user": s.live.Name,
			"db": "0", "resp": protocol, "flags": "N", "redir": "-1", "multi": "-1", "sub": "0", "psub": "0", "cmd": "client|info", "age": "0",
		}
		_, fields := fieldsOf(t, direct.must("CLIENT", "INFO"))
		for command, shown := range map[string]string{"CLIENT INFO": "client|info", "client list": "client|list", "CLIENT LIST TYPE NORMAL": "client|list", "CLIENT LIST ID 1 " + want["id"]: "client|list"} {
			got := c.must(strings.Fields(command)...)
			want["cmd"] = shown
			values, names := fieldsOf(t, got)
			want["age"] = values["age"] // a moment may have passed
			sees(t, got, want)
			if !slices.Equal(names, fields) {
				t.Errorf("%s: got fields %q, want %q", command, names, fields)
			}
			if plain := direct.must("CLIENT", "INFO"); got[0] != plain[0] {
				t.Errorf("%s: got %q, directly %q", command, got, plain)
			}
		}
		c.want(string(redcon.AppendBulkString(nil, s.live.Name)), "ACL", "WHOAMI")

		// In a transaction, among commands that have hidden ones about them.
		c.must("MULTI")
		for _, command := range []string{"CLIENT INFO", "LPUSH l x", "CLIENT LIST", "CLIENT ID"} {
			c.want("+QUEUED\r\n", strings.Fields(command)...)
		}
		rest, _ := strings.CutPrefix(c.must("EXEC"), "*4\r\n")
		first, rest, _ := strings.Cut(rest, ":1\r\n")
		second, id, _ := strings.Cut(rest, "\r\n:")
		want["flags"], want["multi"], want["cmd"] = "x", "4", "client|info"
		sees(t, first, want)
		want["cmd"] = "client|list"
		sees(t, second+"\r\n", want)
		if strings.TrimSpace(id) != want["id"] {
			t.Errorf("CLIENT ID: got %q, want %s", id, want["id"])
		}
		c.must("QUIT")
	}
}

// TestWhatTheProxyListensToIsNotTheClients: it listens to more for patterns, and
// for tracking.
func TestWhatTheProxyListensToIsNotTheClients(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{})
	c := s.connect3(t)
	c.must("CLIENT", "TRACKING", "ON")
	want := map[string]string{"flags": "t", "redir": "0", "sub": "0", "psub": "0"}
	sees(t, c.must("CLIENT", "INFO"), want)
	c.want("=4\r\ntxt:\r\n", "CLIENT", "LIST", "TYPE", "pubsub")
	c.must("SUBSCRIBE", "news")
	for _, pattern := range []string{"a*", "b*", "c*"} {
		c.must("PSUBSCRIBE", pattern)
	}
	sees(t, c.must("CLIENT", "LIST", "TYPE", "pubsub"), map[string]string{"flags": "Pt", "redir": "0", "sub": "1", "psub": "3"})
	c.must("CLIENT", "TRACKING", "OFF")
	c.must("CLIENT", "TRACKING", "ON", "BCAST")
	sees(t, c.must("CLIENT", "INFO"), map[string]string{"flags": "PtB"})
	c.must("CLIENT", "TRACKING", "OFF")
	sees(t, c.must("CLIENT", "INFO"), map[string]string{"flags": "P", "redir": "-1"})
}

// TestTheLibraryIsTheClientsOwn: told before the login or after it, and gone with
// the session. Redis knows of it from 7.2 on.
func TestTheLibraryIsTheClientsOwn(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	library := func(c *client) string {
		values, _ := fieldsOf(t, c.must("CLIENT", "INFO"))
		return values["lib-name"] + values["lib-ver"]
	}
	told := ""
	if _, names := fieldsOf(t, s.admin(t).must("CLIENT", "INFO")); slices.Contains(names, "lib-name") {
		told = "shoplib1.2"
		s.admin(t).must("ACL", "SETUSER", s.route.Role, "+client|setinfo")
	}
	early := w.stranger(t)
	early.want("+OK\r\n", "CLIENT", "SETINFO", "LIB-NAME", "shoplib")
	early.want("+OK\r\n", "CLIENT", "SETINFO", "LIB-VER", "1.2")
	early.want("+OK\r\n", "AUTH", s.live.Name, testPassword)
	late := s.connect(t)
	late.do("CLIENT", "SETINFO", "LIB-NAME", "shoplib")
	late.do("CLIENT", "SETINFO", "LIB-VER", "1.2")
	for name, c := range map[string]*client{"before the login": early, "after the login": late} {
		if got := library(c); got != told {
			t.Errorf("%s: got %q, want %q", name, got, told)
		}
		id := c.must("CLIENT", "ID")
		c.must("QUIT")
		c.ended()
		wiretest.Await(t, "the backend is warm", func() bool { return w.protocol.pool.Idle() == 1 })
		next := s.connect(t)
		next.want(id, "CLIENT", "ID") // the same backend
		if got := library(next); got != "" {
			t.Errorf("the next session has the library %q", got)
		}
		defer next.must("PING") // it stays until both were seen
	}
}

// TestAClientChoosesAmongItself: of what CLIENT LIST, KILL and UNBLOCK take, only
// the own session is there, and mistakes are told in the server's words.
func TestAClientChoosesAmongItself(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	c, other := s.connect(t), s.connect(t)
	id, others := strings.Trim(c.must("CLIENT", "ID"), ":\r\n"), strings.Trim(other.must("CLIENT", "ID"), ":\r\n")
	own, theirs := c.conn.LocalAddr().String(), other.conn.LocalAddr().String()
	for command, want := range map[string]string{
		"CLIENT LIST TYPE pubsub": "$0\r\n\r\n", "CLIENT LIST TYPE replica": "$0\r\n\r\n", "CLIENT LIST ID " + others: "$0\r\n\r\n",
		"CLIENT KILL " + theirs: "-ERR No such client\r\n", "CLIENT KILL ID " + others: ":0\r\n", "CLIENT KILL ID " + others + " SKIPME no": ":0\r\n",
		"CLIENT KILL ID " + id: ":0\r\n", "CLIENT KILL TYPE normal": ":0\r\n", "CLIENT KILL SKIPME yes": ":0\r\n", "CLIENT KILL ADDR " + own: ":0\r\n",
		"CLIENT KILL LADDR " + w.addr + " TYPE pubsub SKIPME no": ":0\r\n", "CLIENT KILL USER " + s.live.Name: ":0\r\n",
		"CLIENT KILL USER " + s.route.Role: "-ERR No such user '" + s.route.Role + "'\r\n",
		"CLIENT UNBLOCK " + id:             ":0\r\n", "CLIENT UNBLOCK " + others + " ERROR": ":0\r\n",
	} {
		if got := c.do(strings.Fields(command)...); got != want {
			t.Errorf("%s: got %q, want %q", command, got, want)
		}
	}
	direct := s.admin(t)
	for _, command := range []string{
		"CLIENT LIST TYPE", "CLIENT LIST TYPE none", "CLIENT LIST BAD 1 2", "CLIENT INFO 1",
		"CLIENT KILL", "CLIENT KILL ID 0", "CLIENT KILL ID", "CLIENT KILL TYPE none", "CLIENT KILL USER nobody", "CLIENT KILL SKIPME maybe", "CLIENT KILL ID 1 ADDR",
		"CLIENT UNBLOCK", "CLIENT UNBLOCK x", "CLIENT UNBLOCK 1 BAD",
	} {
		words := strings.Fields(command)
		if got, want := c.do(words...), direct.do(words...); got != want {
			t.Errorf("%s: got %q, directly %q", command, got, want)
		}
	}
	other.want("+PONG\r\n", "PING")
	c.want("+PONG\r\n", "PING")
}

// TestAClientMayEndItself: with the reply, and before what it sent behind.
func TestAClientMayEndItself(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	for how, want := range map[string]string{
		"%[2]s": "+OK\r\n", "ID %[1]s SKIPME no": ":1\r\n", "addr %[2]s laddr %[3]s user %[4]s type normal skipme NO": ":1\r\n",
	} {
		c := s.connect(t)
		id := strings.Trim(c.must("CLIENT", "ID"), ":\r\n")
		c.send(fmt.Appendf(nil, "PING\r\nCLIENT KILL "+how+"\r\nSET after it\r\n", id, c.conn.LocalAddr(), w.addr, s.live.Name))
		if got := c.ended(); got != "+PONG\r\n"+want {
			t.Errorf("%s: got %q, want %q", how, got, want)
		}
	}
	s.admin(t).want(":0\r\n", "EXISTS", "after")
}
