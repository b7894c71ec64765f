package redis

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
	"github.com/tidwall/redcon"
)

func TestAWarmBackendCarriesNothingOver(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	for name, dirt := range map[string]string{
		"a name": "CLIENT SETNAME x", "RESP3": "HELLO 3", "MULTI": "MULTI", "WATCH": "WATCH k", "no replies": "CLIENT REPLY OFF",
		"subscriptions": "SUBSCRIBE a", "patterns": "PSUBSCRIBE a*", "tracking": "CLIENT TRACKING ON",
	} {
		c := s.connect(t)
		c.send([]byte(dirt + "\r\n"))
		if name != "no replies" {
			c.read()
		}
		c.send([]byte("QUIT\r\n"))
		c.ended()
		wiretest.Await(t, "the session has ended", func() bool {
			return strings.Count(w.log.String(), "session started") == strings.Count(w.log.String(), "session ended")
		})
		next := s.connect(t)
		next.want("$-1\r\n", "CLIENT", "GETNAME")
		s.admin(t).must("SET", "k", name)
		next.want("+OK\r\n", "MULTI")
		next.want("+QUEUED\r\n", "GET", "k")
		next.want("*1\r\n"+string(redcon.AppendBulkString(nil, name)), "EXEC")
		if got := next.do("CLIENT", "TRACKINGINFO"); !strings.Contains(got, "off") {
			t.Errorf("after %s: tracking is %q", name, got)
		}
		s.admin(t).want(":0\r\n", "PUBLISH", s.route.Database+":a", "m")
		next.want("+OK\r\n", "QUIT")
		next.ended()
	}
}

func TestBackendsAreReusedAndForgotten(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	c := s.connect(t)
	id := c.must("CLIENT", "ID")
	c.must("QUIT")
	c.ended()
	wiretest.Await(t, "the backend is warm", func() bool {
		return w.protocol.pool.Idle() == 1
	})
	again := s.connect(t)
	again.want(id, "CLIENT", "ID")
	again.must("QUIT")
	again.ended()
	wiretest.Await(t, "the backend is warm", func() bool {
		return w.protocol.pool.Idle() == 1
	})
	w.protocol.Forget(s.live.ID)
	admin := s.admin(t)
	wiretest.Await(t, "the backend is closed", func() bool {
		return !strings.Contains(admin.must("CLIENT", "LIST"), "user="+s.route.Role)
	})
}

func TestSessionsOfADeletedWorkspaceAreTold(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	idle, waiting := s.connect(t), s.connect(t)
	idle.must("PING")
	waiting.send(appendCommand(nil, "BLPOP", "none", "0"))
	s.awaitBlocked(t)
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	w.server.CloseWorkspace(ctx, s.live.ID)
	want := fmt.Sprintf("-ERR workspace '%s' was deleted\r\n", s.live.Name)
	if got := idle.ended(); got != want {
		t.Errorf("idle: got %q", got)
	}
	if got := waiting.ended(); got != want {
		t.Errorf("waiting: got %q", got)
	}
}

func TestDrainingWaitsForReplies(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	idle, busy := s.connect(t), s.connect(t)
	idle.must("PING")
	busy.send(appendCommand(nil, "BLPOP", "list", "0"))
	s.awaitBlocked(t)
	for _, r := range w.watched.Relays() {
		r.Stop(protocols.Draining)
	}
	if got := idle.ended(); got != "" {
		t.Errorf("idle: got %q", got)
	}
	s.admin(t).must("RPUSH", "list", "x")
	if got := busy.ended(); got != "*2\r\n$4\r\nlist\r\n$1\r\nx\r\n" {
		t.Errorf("busy: got %q", got)
	}
}

func TestQuitComesAfterAllReplies(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{})
	c := s.connect(t)
	c.send(append(bytes.Repeat([]byte("PING\r\n"), 5000), "QUIT\r\nPING\r\n"...))
	if got := c.ended(); got != strings.Repeat("+PONG\r\n", 5000)+"+OK\r\n" {
		t.Errorf("got %d bytes: …%q", len(got), got[max(0, len(got)-40):])
	}
}

func TestABackendThatGoesIsReported(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	c := s.connect(t)
	id := strings.Trim(c.must("CLIENT", "ID"), ":\r\n")
	adminClient(t, "0").must("CLIENT", "KILL", "ID", id)
	if got := c.ended(); !strings.HasPrefix(got, "-ERR the database of workspace") {
		t.Errorf("got %q", got)
	}
	s.connect(t).want("+PONG\r\n", "PING")
}

// TestABackendThatMisbehaves has a scripted server answer what no server does.
func TestABackendThatMisbehaves(t *testing.T) {
	for name, answer := range map[string]string{
		"no reply at all": "", "not a reply": "hello\r\n", "two replies": "+PONG\r\n+PONG\r\n", "a long bulk": "$99999999999\r\n", "an endless line": "+" + strings.Repeat("x", 2<<20),
	} {
		w := newWorld(t)
		peer := wiretest.NewPeer(t, func(conn net.Conn) {
			var buf [4096]byte
			for _, ready := range []string{"+OK\r\n", "+OK\r\n+OK\r\n:7\r\n"} { // to AUTH, then to SELECT, AUTH and CLIENT ID
				if _, err := conn.Read(buf[:]); err != nil {
					return
				}
				_, _ = conn.Write([]byte(ready))
			}
			if _, err := conn.Read(buf[:]); err != nil {
				return
			}
			_, _ = conn.Write([]byte(answer))
		})
		s := w.workspaceAt(t, workspace.Settings{}, peer.Addr)
		c := s.connect(t)
		c.send([]byte("PING\r\n"))
		got := c.ended()
		if strings.Contains(got, "hello") || len(got) > 4096 {
			t.Errorf("%s: got %.100q", name, got)
		}
		if strings.HasSuffix(name, "at all") && !strings.HasPrefix(got, "-ERR the database of workspace") {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// TestNeitherSideBlocksTheOther sends much more than both sides hold before it
// reads anything.
func TestNeitherSideBlocksTheOther(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{DefaultTTL: 1000})
	c := s.connect(t)
	value := strings.Repeat("v", 10_000)
	c.must("SET", "k", value)
	const n = 20_000
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		batch := bytes.Repeat(appendCommand(appendCommand(nil, "GET", "k"), "RPUSH", "l", "x"), 100)
		for range n / 100 {
			if _, err := c.conn.Write(batch); err != nil {
				return
			}
		}
	}()
	want := string(redcon.AppendBulkString(nil, value))
	for i := range n {
		if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if got := c.read(); got != want {
			t.Fatalf("GET %d: got %.40q", i, got)
		}
		if got := c.read(); got != fmt.Sprintf(":%d\r\n", i+1) {
			t.Fatalf("RPUSH %d: got %.40q", i, got)
		}
	}
	<-sent
}

// scriptedServer answers logins and the proxy's own questions, and lets script
// say what becomes of another command; false ends the connection.
func scriptedServer(t *testing.T, script func(conn net.Conn, name string) bool) *wiretest.Peer {
	return wiretest.NewPeer(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for {
			command, err := readAnswer(in)
			if err != nil {
				script(conn, "")
				return
			}
			words, _ := command.([]any)
			reply := map[any]string{"AUTH": "+OK\r\n", "SELECT": "+OK\r\n", "CLIENT": ":7\r\n", "DBSIZE": ":0\r\n", "EXISTS": ":0\r\n"}[words[0]]
			if _, err := conn.Write([]byte(reply)); err != nil || reply == "" && !script(conn, fmt.Sprint(words[0])) {
				return
			}
		}
	})
}

// A server that reads no more, as one that is stopped, must not keep the session
// of a client that has sent more than anybody holds.
func TestAServerThatReadsNoMoreKeepsNoSession(t *testing.T) {
	release := make(chan struct{})
	peer := scriptedServer(t, func(net.Conn, string) bool { <-release; return false })
	t.Cleanup(func() { close(release) })
	w := newWorld(t)
	s := w.workspaceAt(t, workspace.Settings{}, peer.Addr)
	c := s.connect(t)
	value := appendCommand(nil, "SET", "k", strings.Repeat("v", 1<<20))
	for {
		if err := c.conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.conn.Write(value); err != nil {
			break
		}
	}
	w.watched.Last().Stop(protocols.Cut)
	wiretest.Await(t, "the session has ended", func() bool { return strings.Contains(w.log.String(), "session ended") })
}

// What a server was sent may run until it says that it saw the end.
func TestAClaimLastsUntilTheServerSawTheEnd(t *testing.T) {
	var g *gate
	asked, held := make(chan struct{}), make(chan int64, 1)
	peer := scriptedServer(t, func(_ net.Conn, name string) bool {
		if name == "SET" {
			close(asked)
			return true
		}
		select {
		case <-asked:
		default:
			return false // the gate's own connection
		}
		<-time.After(100 * time.Millisecond) // as long as the command takes
		g.mu.Lock()
		defer g.mu.Unlock()
		select {
		case held <- g.inFlight:
		default:
		}
		return false
	})
	w := newWorld(t)
	s := w.workspaceAt(t, workspace.Settings{MaxKeys: 3}, peer.Addr)
	g = &w.protocol.space(s.live.ID).gate
	c := s.connect(t)
	c.send(appendCommand(nil, "SET", "a", "1"))
	<-asked
	w.watched.Last().Stop(protocols.Deleted)
	if n := <-held; n != 1 {
		t.Errorf("keys claimed while the server was at work: got %d, want 1", n)
	}
	wiretest.Await(t, "the claim is settled", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.inFlight == 0
	})
}
