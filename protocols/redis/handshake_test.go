package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func TestLogins(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	for name, login := range map[string][]string{
		"name and password":  {"AUTH", s.live.Name, testPassword},
		"workspace":          {"AUTH", "workspace", testPassword},
		"default user":       {"auth", "default", testPassword},
		"password alone":     {"AUTH", testPassword},
		"HELLO 2":            {"HELLO", "2", "AUTH", s.live.Name, testPassword},
		"HELLO 3 and a name": {"hello", "3", "SETNAME", "app", "auth", "workspace", testPassword},
	} {
		c := w.stranger(t)
		got := c.do(login...)
		want := "+OK\r\n"
		switch {
		case strings.Contains(name, "HELLO 2"):
			want = "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n"
		case strings.Contains(name, "HELLO 3"):
			want = "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n"
		}
		if valkey := strings.Replace(want, "$5\r\nredis", "$6\r\nvalkey", 1); !strings.HasPrefix(got, want) && !strings.HasPrefix(got, valkey) {
			t.Errorf("%s: got %q", name, got)
		}
		c.want("+PONG\r\n", "PING")
		if strings.Contains(name, "name") && login[0] == "hello" {
			c.want("$3\r\napp\r\n", "CLIENT", "GETNAME")
		}
	}
}

func TestStrangersAreToldWhatRedisSays(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	for _, step := range []struct {
		reply string
		args  []string
	}{
		{errNoAuth, []string{"PING"}}, {errNoAuth, []string{"GET", "a"}}, {errNoAuth, []string{"CLIENT", "LIST"}},
		{errNoAuthHello, []string{"HELLO"}}, {errNoAuthHello, []string{"HELLO", "3"}}, {errNoProto, []string{"HELLO", "9"}},
		{"-ERR wrong number of arguments for 'auth' command", []string{"AUTH"}},
		{errWrongPass, []string{"AUTH", "nobody", testPassword}}, {errWrongPass, []string{"HELLO", "3", "AUTH", s.live.Name, "wrong"}},
		{"+OK", []string{"CLIENT", "SETINFO", "LIB-NAME", "x"}}, {"+OK", []string{"CLIENT", "SETNAME", "early"}},
	} {
		c := w.stranger(t)
		c.want(step.reply+"\r\n", step.args...)
		c.want("+OK\r\n", "AUTH", s.live.Name, testPassword)
		if step.args[0] == "CLIENT" && step.args[1] == "SETNAME" {
			c.want("$5\r\nearly\r\n", "CLIENT", "GETNAME")
		}
	}
	c := w.stranger(t)
	c.want("+OK\r\n", "QUIT")
	c.ended()
}

func TestStrangersAreBounded(t *testing.T) {
	w := newWorld(t)
	w.workspace(t, workspace.Settings{})
	for name, c := range map[string]struct{ sent, told string }{
		"many arguments": {"*11\r\n", "-ERR Protocol error: unauthenticated multibulk length\r\n"},
		"a long one":     {"*2\r\n$4\r\nAUTH\r\n$16385\r\n", "-ERR Protocol error: unauthenticated bulk length\r\n"},
		"a huge one":     {"*1\r\n$9223372036854775807\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
		"no command":     {"*1\r\n+PING\r\n", "-ERR Protocol error: expected '$', got '+'\r\n"},
		"open quotes":    {"AUTH \"x\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"},
		"many commands":  {strings.Repeat("PING\r\n", 200), strings.Repeat(errNoAuth+"\r\n", maxStartupCommands) + errTooMuch + "\r\n"},
		"many bytes":     {strings.Repeat("x", maxStartupBytes), errTooMuch + "\r\n"},
		"empty lines":    {strings.Repeat("\r\n", 200), errTooMuch + "\r\n"},
		"bad passwords":  {strings.Repeat("AUTH x\r\n", 5), strings.Repeat(errWrongPass+"\r\n", maxFailures)},
	} {
		stranger := w.stranger(t)
		stranger.send([]byte(c.sent))
		got := stranger.ended()
		if name == "many commands" && got != "" && strings.HasPrefix(c.told, got) {
			continue // the end overtakes answers that were not read
		}
		if got != c.told {
			t.Errorf("%s: got %q, want %q", name, got, c.told)
		}
	}
}

func TestPlaintextIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, sent := range []string{"*1\r\n$4\r\nPING\r\n", "PING\r\n", "AUTH " + testPassword + "\r\n"} {
		raw := w.dialRaw(t)
		c := &client{t: t, conn: raw}
		c.send([]byte(sent))
		if got := c.ended(); got != errTLSRequired+"\r\n" {
			t.Errorf("%q: got %q", sent, got)
		}
	}
}

func TestCommandsBehindTheLoginAreKept(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	c := w.stranger(t)
	c.send([]byte("AUTH " + s.live.Name + " " + testPassword + "\r\nSET a 1\r\n*2\r\n$3\r\nGET\r\n$1\r\n"))
	if got := c.read() + c.read(); got != "+OK\r\n+OK\r\n" {
		t.Fatalf("got %q", got)
	}
	c.send([]byte("a\r\n"))
	if got := c.read(); got != "$1\r\n1\r\n" {
		t.Errorf("got %q", got)
	}
}

// TestAHelloThatFailsForItsNameChangesNothing: the client goes on in RESP2.
func TestAHelloThatFailsForItsNameChangesNothing(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{})
	const bad = "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"
	inSession, atLogin := s.connect(t), s.world.stranger(t)
	inSession.want(bad, "HELLO", "3", "SETNAME", "a b")
	atLogin.want(bad, "HELLO", "3", "AUTH", s.live.Name, testPassword, "SETNAME", "a\xff")
	for _, c := range []*client{inSession, atLogin} {
		if got := c.do("INFO", "keyspace"); got[0] != '$' {
			t.Errorf("INFO: got %q", got)
		}
		if got := c.do("HELLO", "3", "SETNAME", ""); got[0] != '%' {
			t.Errorf("HELLO: got %q", got)
		}
		if got := c.do("INFO", "keyspace"); got[0] != '=' {
			t.Errorf("INFO: got %q", got)
		}
	}
}

func TestAFullWorkspaceSaysSo(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{MaxConnections: 1})
	s.connect(t).want("+PONG\r\n", "PING")
	for _, login := range [][]string{{"AUTH", s.live.Name, testPassword}, {"HELLO", "3", "AUTH", s.live.Name, testPassword}} {
		c := w.stranger(t)
		c.send(appendCommand(nil, login...))
		if got := c.ended(); got != "-ERR max number of clients reached\r\n" {
			t.Errorf("%s: got %q", login[0], got)
		}
	}
}

func TestAServerThatCannotBeReached(t *testing.T) {
	w := newWorld(t)
	s := w.workspaceAt(t, workspace.Settings{}, "/nowhere/at/all")
	c := w.stranger(t)
	c.send(appendCommand(nil, "AUTH", s.live.Name, testPassword))
	if got := c.ended(); !strings.HasPrefix(got, "-ERR the database of workspace '"+s.live.Name+"' can't be reached") {
		t.Errorf("got %q", got)
	}
}

func TestADirectoryThatFails(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Directory = failing{} })
	c := w.stranger(t)
	c.send(appendCommand(nil, "AUTH", "x", "y"))
	if got := c.ended(); got != errNotNow+"\r\n" {
		t.Errorf("got %q", got)
	}
}

type failing struct{}

func (failing) LoginByPassword(context.Context, workspace.DatabaseType, string, string) (workspace.Login, error) {
	return workspace.Login{}, errors.New("the catalog is away")
}

// TestBrokenConnectionsLeakNothing breaks off at every step of a session.
func TestBrokenConnectionsLeakNothing(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{DefaultTTL: 10, MaxKeys: 100})
	login := string(appendCommand(nil, "AUTH", s.live.Name, testPassword))
	steps := []string{"", "*", "*2\r\n$4\r\nAU", login, login + "*2\r\n$3\r\nGET\r\n", login + "PING\r\n", login + "SUBSCRIBE c\r\n", login + "PSUBSCRIBE c*\r\n",
		login + "MULTI\r\nLPUSH l 1\r\n", login + "WATCH a\r\n", login + "BLPOP none 0\r\n", login + "BLMOVE none b LEFT LEFT 0\r\n", login + "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1000000\r\nxx",
		login + "*1\r\n$99999999999\r\n", login + strings.Repeat("SET a 1\r\n", 500)}
	round := func(n int) {
		for i := range n {
			conn := tls.Client(w.dialRaw(t), w.cert.Client())
			if i%7 == 6 { // in the middle of TLS
				_, _ = conn.NetConn().Write([]byte{recordTypeHandshake, 3, 1})
				conn.NetConn().Close()
				continue
			}
			if err := conn.Handshake(); err != nil {
				t.Fatal(err)
			}
			_, _ = conn.Write([]byte(steps[i%len(steps)]))
			if i%3 == 0 {
				_ = conn.NetConn().(*net.TCPConn).SetLinger(0)
			}
			conn.NetConn().Close()
		}
		wiretest.Await(t, "all sessions have ended", func() bool {
			return strings.Count(w.log.String(), "session started") == strings.Count(w.log.String(), "session ended")
		})
	}
	round(50)
	w.protocol.Forget(s.live.ID)
	before := wiretest.OpenFiles(t)
	round(300)
	w.protocol.Forget(s.live.ID)
	wiretest.Await(t, "all files are closed", func() bool { return wiretest.OpenFiles(t) <= before+2 })
	if g := &w.protocol.space(s.live.ID).gate; g.inFlight != 0 || g.parked != 0 {
		t.Errorf("%d and %d keys are claimed for ever", g.inFlight, g.parked)
	}
	s.connect(t).want("+PONG\r\n", "PING")
}

func TestAStrangerThatSaysNothingEnds(t *testing.T) {
	w := newWorld(t)
	front, back := net.Pipe()
	defer back.Close()
	if err := front.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.protocol.Handshake(t.Context(), front); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
