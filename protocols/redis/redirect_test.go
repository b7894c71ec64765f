package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
	"github.com/tidwall/redcon"
)

// invalid is how a session is told that keys have changed, all where there are
// none.
func invalid(resp3 bool, keys ...string) string {
	out := appendInvalidation(nil, resp3)
	if len(keys) == 0 {
		return string(out) + null(resp3)
	}
	out = redcon.AppendArray(out, len(keys))
	for _, key := range keys {
		out = redcon.AppendBulkString(out, key)
	}
	return string(out)
}

// id is what CLIENT ID tells.
func (c *client) id() string {
	c.t.Helper()
	return strings.Trim(c.must("CLIENT", "ID"), ":\r\n")
}

// speak is connect with the given version.
func (c *client) speak(resp3 bool) *client {
	c.t.Helper()
	if resp3 {
		c.must("HELLO", "3")
	}
	return c
}

// sameTalk fails where the proxy's talk is not the server's.
func sameTalk(t *testing.T, talks map[string]string) {
	t.Helper()
	proxy, server := strings.Split(talks["proxy"], "\n"), strings.Split(talks["server"], "\n")
	for i := range max(len(proxy), len(server)) {
		if i >= len(proxy) || i >= len(server) || proxy[i] != server[i] {
			t.Fatalf("line %d: got\n%s\nwant\n%s", i, strings.Join(proxy[min(i, len(proxy)):], "\n"), strings.Join(server[min(i, len(server)):], "\n"))
		}
	}
}

// TestTrackingIsRedirectedAsByTheServer has the same said by the proxy and by
// the server itself, with what is told between the replies.
func TestTrackingIsRedirectedAsByTheServer(t *testing.T) {
	w := newWorld(t)
	for _, versions := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
		t.Run(fmt.Sprintf("resp3=%v to resp3=%v", versions[0], versions[1]), func(t *testing.T) {
			talks := make(map[string]string)
			for how, connect := range map[string]func(*testSpace, testing.TB) *client{"proxy": (*testSpace).connect, "server": (*testSpace).admin} {
				s := w.workspace(t, workspace.Settings{})
				tracker, to, writer := connect(s, t).speak(versions[0]), connect(s, t).speak(versions[1]), connect(s, t)
				id := to.id()
				var talk strings.Builder
				note := func(said, reply string) {
					fmt.Fprintf(&talk, "%s: %q\n", said, strings.ReplaceAll(reply, ":"+id+"\r\n", ":id\r\n"))
				}
				say := func(c *client, command string) {
					note(command, c.do(strings.Fields(strings.ReplaceAll(command, "<id>", id))...))
				}
				hear := func(command string) {
					writer.must(strings.Fields(command)...)
					note("told of "+command, to.read())
				}
				for _, command := range []string{
					"GETREDIR", "TRACKING ON REDIRECT <id>", "TRACKINGINFO", "GETREDIR", "TRACKING ON REDIRECT <id> NOLOOP OPTIN", "TRACKINGINFO", "CACHING YES", "TRACKING ON REDIRECT <id> OPTIN",
					"TRACKING OFF", "GETREDIR", "TRACKINGINFO", "TRACKING ON OPTOUT REDIRECT <id>", "TRACKINGINFO", "TRACKING ON OPTOUT", "TRACKINGINFO", "TRACKING OFF REDIRECT <id>",
					"TRACKING ON REDIRECT", "TRACKING ON REDIRECT x", "TRACKING ON REDIRECT 0", "TRACKING ON REDIRECT -1", "TRACKING ON REDIRECT 99999999 BAD", "TRACKING ON BAD REDIRECT 99999999",
					"TRACKING ON REDIRECT <id> REDIRECT <id>", "TRACKING OFF REDIRECT 99999999", "TRACKING MAYBE REDIRECT 99999999", "TRACKING MAYBE REDIRECT <id>", "TRACKING ON PREFIX a REDIRECT <id>",
					"TRACKINGINFO", "TRACKING ON BCAST REDIRECT <id> PREFIX k PREFIX h", "TRACKINGINFO",
				} {
					say(tracker, "CLIENT "+command)
				}
				if !versions[1] {
					say(to, "SUBSCRIBE "+invalidationChannel)
				}
				say(tracker, "SET other 1")
				for _, command := range []string{"SET k 1", "HSET h f v", "DEL k", "EVAL return(redis.call('APPEND','k','x')) 0"} {
					hear(command)
				}
				if versions[0] == versions[1] { // else the server's null is of the other version
					hear("FLUSHDB")
				}
				say(to, "PING")
				if !versions[1] {
					// Redis has it so: any channel will do.
					say(to, "PSUBSCRIBE a*")
					say(to, "UNSUBSCRIBE "+invalidationChannel)
					hear("SET k 2")
					say(to, "PUNSUBSCRIBE a*")
					writer.must("SET", "k", "3")
				}
				say(tracker, "CLIENT TRACKING OFF")
				writer.must("SET", "k", "4")
				say(to, "GET none")
				say(to, "PING")
				talks[how] = talk.String()
			}
			sameTalk(t, talks)
		})
	}
}

// TestAFlushIsToldWhereTrackingIsRedirected: in the version of who is told.
func TestAFlushIsToldWhereTrackingIsRedirected(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{})
	writer := s.connect(t)
	for _, resp3 := range []bool{false, true} {
		to := s.connect(t).speak(resp3)
		for _, tracker := range []*client{s.connect(t), s.connect3(t)} {
			tracker.want("+OK\r\n", "CLIENT", "TRACKING", "ON", "REDIRECT", to.id())
		}
		to.send(appendCommand(nil, "SUBSCRIBE", invalidationChannel))
		to.expect(frame(resp3, "subscribe", invalidationChannel, 1))
		for _, command := range []string{"FLUSHDB", "FLUSHALL"} {
			writer.must(command)
			to.expect(invalid(resp3)) // once, for both who track
		}
	}
}

// TestARedirectionBreaksWithItsSession: who tracks hears of it in RESP3, and
// sees it in both versions, as at the server.
func TestARedirectionBreaksWithItsSession(t *testing.T) {
	w := newWorld(t)
	for _, resp3 := range []bool{false, true} {
		talks := make(map[string]string)
		for how, connect := range map[string]func(*testSpace, testing.TB) *client{"proxy": (*testSpace).connect, "server": (*testSpace).admin} {
			s := w.workspace(t, workspace.Settings{})
			tracker, to, writer := connect(s, t).speak(resp3), connect(s, t), connect(s, t)
			id := to.id()
			var talk strings.Builder
			say := func(command string) {
				reply := tracker.do(strings.Fields(command)...)
				if command == "CLIENT INFO" {
					values, _ := fieldsOf(t, reply)
					reply = strings.ReplaceAll(values["flags"], "U", "") + " " + values["redir"]
				}
				fmt.Fprintf(&talk, "%s: %q\n", command, strings.ReplaceAll(reply, id, "id"))
			}
			tracker.must("CLIENT", "TRACKING", "ON", "BCAST", "REDIRECT", id)
			say("CLIENT TRACKINGINFO")
			say("CLIENT INFO")
			to.must("QUIT")
			to.ended()
			wiretest.Await(t, "the session told has left", func() bool { return !s.lists(t, id) })
			writer.must("SET", "k", "1")
			if resp3 {
				fmt.Fprintf(&talk, "told: %q\n", strings.ReplaceAll(tracker.read(), id, "id"))
			} else {
				wiretest.Await(t, "the redirection is known to be broken", func() bool { return strings.Contains(tracker.must("CLIENT", "TRACKINGINFO"), "broken_redirect") })
			}
			for _, command := range []string{"CLIENT TRACKINGINFO", "CLIENT INFO", "CLIENT GETREDIR", "PING", "CLIENT TRACKING ON BCAST", "CLIENT TRACKINGINFO", "CLIENT INFO"} {
				say(command)
			}
			talks[how] = talk.String()
		}
		sameTalk(t, talks)
	}
}

// lists says whether the server has a connection with this id.
func (s *testSpace) lists(t testing.TB, id string) bool {
	t.Helper()
	return strings.Contains(s.admin(t).must("CLIENT", "LIST"), "id="+id+" ")
}

// TestRedirectionStaysInTheWorkspace: no session of another one can be told, and
// none is told of another one's keys.
func TestRedirectionStaysInTheWorkspace(t *testing.T) {
	w := newWorld(t)
	s, other := w.workspace(t, workspace.Settings{}), w.workspace(t, workspace.Settings{})
	for _, resp3 := range []bool{false, true} {
		tracker, to, stranger := s.connect(t).speak(resp3), s.connect3(t), other.connect3(t)
		theirs, servers := other.connect(t), s.admin(t).id()
		for _, id := range []string{stranger.id(), theirs.id(), servers} {
			tracker.want("-"+errTrackingRedirect+"\r\n", "CLIENT", "TRACKING", "ON", "REDIRECT", id)
			tracker.want("-"+errTrackingRedirect+"\r\n", "CLIENT", "TRACKING", "ON", "BCAST", "REDIRECT", id)
		}
		tracker.want(":-1\r\n", "CLIENT", "GETREDIR")
		tracker.must("CLIENT", "TRACKING", "ON", "REDIRECT", to.id())
		theirs.must("CLIENT", "TRACKING", "ON", "REDIRECT", stranger.id())
		s.connect(t).must("SET", "ours", "1")
		other.connect(t).must("SET", "theirs", "1")
		other.connect(t).must("FLUSHALL")
		s.connect(t).must("SET", "last", "1")
		to.expect(invalid(true, "ours"), invalid(true, "last"))
		stranger.expect(invalid(true, "theirs"), invalid(true))
		to.want("+PONG\r\n", "PING")
		stranger.want("+PONG\r\n", "PING")
	}
}

// TestAnIdOfARedirectionIsNotReused: who asked for a session that has gone must
// not have another one told.
func TestAnIdOfARedirectionIsNotReused(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	to, tracker := s.connect(t), s.connect(t)
	id := to.id()
	tracker.must("CLIENT", "TRACKING", "ON", "REDIRECT", id)
	to.must("QUIT")
	to.ended()
	wiretest.Await(t, "its backend is closed", func() bool { return !s.lists(t, id) })
	tracker.want("-"+errTrackingRedirect+"\r\n", "CLIENT", "TRACKING", "ON", "REDIRECT", id)
	if next := s.connect(t).id(); next == id {
		t.Errorf("the next session has the id %s again", id)
	}
}

// TestTrackingInRESP2IsSilent: as at the server, it is on, and heard of from
// HELLO 3 to HELLO 2.
func TestTrackingInRESP2IsSilent(t *testing.T) {
	w := newWorld(t)
	talks := make(map[string]string)
	for how, connect := range map[string]func(*testSpace, testing.TB) *client{"proxy": (*testSpace).connect, "server": (*testSpace).admin} {
		s := w.workspace(t, workspace.Settings{})
		c, writer := connect(s, t), connect(s, t)
		var talk strings.Builder
		note := func(said, reply string) { fmt.Fprintf(&talk, "%s: %q\n", said, reply) }
		for _, step := range []string{"CLIENT TRACKING ON BCAST", "CLIENT TRACKINGINFO", "CLIENT GETREDIR", "w SET k 1", "GET k", "HELLO 3", "CLIENT TRACKINGINFO", "t SET k 2", "w SET none 1",
			"HELLO 2", "w SET k 3", "GET k", "CLIENT TRACKINGINFO", "HELLO 3", "t SET k 4", "CLIENT TRACKING OFF", "w SET k 5", "GET k", "CLIENT TRACKINGINFO"} {
			words := strings.Fields(step)
			switch words[0] {
			case "w", "t":
				writer.must(words[1:]...)
				if words[0] == "t" || words[2] == "none" {
					note(step, c.read())
				}
			case "HELLO":
				c.must(words...)
			default:
				note(step, c.do(words...))
			}
		}
		talks[how] = talk.String()
	}
	sameTalk(t, talks)
}

// TestASessionMayRedirectToItself and needs no other.
func TestASessionMayRedirectToItself(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{})
	for _, resp3 := range []bool{false, true} {
		c, writer := s.connect(t).speak(resp3), s.connect(t)
		c.want("+OK\r\n", "CLIENT", "TRACKING", "ON", "BCAST", "REDIRECT", c.id())
		c.send(appendCommand(nil, "SUBSCRIBE", "any"))
		c.expect(frame(resp3, "subscribe", "any", 1))
		writer.must("SET", "k", "1")
		c.expect(invalid(resp3, "k"))
		c.want("+RESET\r\n", "RESET")
		writer.must("SET", "k", "2")
		c.want("$1\r\n2\r\n", "GET", "k")
		c.want(":-1\r\n", "CLIENT", "GETREDIR")
	}
}

// TestWhatIsToldComesBetweenReplies, whatever these are and however many.
func TestWhatIsToldComesBetweenReplies(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{DefaultTTL: 1000})
	to, tracker, writer := s.connect3(t), s.connect(t), s.connect(t)
	id := to.id()
	tracker.must("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "told:", "REDIRECT", id)
	large := strings.Repeat("x", 300<<10)
	writer.must("SET", "large", large)
	const rounds = 100
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range rounds {
			writer.must("SET", fmt.Sprintf("told:%d", i), "v")
		}
	}()
	replies := []string{"$" + fmt.Sprint(len(large)) + "\r\n" + large + "\r\n", ":1\r\n", "+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "*2\r\n$1\r\na\r\n:" + id + "\r\n", "+PONG\r\n"}
	var batch []byte
	for _, command := range []string{"GET large", "LPUSH l a", "MULTI", "LPOP l", "CLIENT ID", "EXEC", "PING"} {
		batch = appendCommand(batch, strings.Fields(command)...)
	}
	told := 0
	for round := 0; round < 30 || told < rounds; round++ {
		to.send(batch)
		for i := 0; i < len(replies); {
			got := to.read()
			switch {
			case got == replies[i]:
				i++
			case got == invalid(true, fmt.Sprintf("told:%d", told)):
				told++
			case got == invalid(true, fmt.Sprintf("told:%d", told-1)): // of its expiry
			default:
				t.Fatalf("got %.200q, want %.200q or that told:%d has changed", got, replies[i], told)
			}
		}
	}
	<-done
}

// TestTooManyKeysAreToldAsAll: what waits for a session is bounded.
func TestTooManyKeysAreToldAsAll(t *testing.T) {
	for _, resp3 := range []bool{false, true} {
		r, _ := newBench(workspace.Settings{})
		r.replies.resp3, r.replies.heard.subscribed = resp3, 1
		told := func() string {
			r.replies.out, r.replies.from = nil, 0
			if _, _, _, err := r.scanBackend(nil); err != nil {
				t.Fatal(err)
			}
			return string(r.replies.out)
		}
		r.tell("a", false)
		r.tell("b", false)
		if got, want := told(), invalid(resp3, "a")+invalid(resp3, "b"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		for range maxTold / 100 {
			r.tell(strings.Repeat("k", 100), false)
			if r.told.size > maxTold && len(r.told.keys) > 0 {
				t.Fatalf("%d bytes of keys are held", r.told.size)
			}
		}
		if got := told(); got != invalid(resp3) {
			t.Errorf("got %.200q, want all", got)
		}
		r.tell("c", false)
		if got := told() + told(); got != invalid(resp3, "c") {
			t.Errorf("got %q, want c once", got)
		}
	}
}

// TestSessionsEndThatMissChanges: their clients must not go on with what they
// keep. The next ones are told as ever, and nobody listens for none.
func TestSessionsEndThatMissChanges(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	admin := s.admin(t)
	ear := func() (id string) {
		for line := range strings.SplitSeq(admin.must("CLIENT", "LIST"), "\n") {
			if strings.Contains(line, " psub=2 ") && strings.Contains(line, "user="+s.route.Role) {
				_, id, _ = strings.Cut(strings.Fields(line)[0], "=")
			}
		}
		return id
	}
	tracker, to := s.connect3(t), s.connect(t)
	tracker.must("CLIENT", "TRACKING", "ON", "REDIRECT", to.id())
	id := to.id()
	admin.must("CLIENT", "KILL", "ID", ear())
	if got := to.ended(); got != string(unreachable(s.live))+"\r\n" {
		t.Errorf("who is told: got %q", got)
	}
	tracker.expect(">2\r\n$21\r\ntracking-redir-broken\r\n:" + id + "\r\n")
	sees(t, tracker.must("CLIENT", "INFO"), map[string]string{"flags": "tR", "redir": id})
	next := s.connect3(t)
	tracker.must("CLIENT", "TRACKING", "ON", "REDIRECT", next.id())
	sees(t, tracker.must("CLIENT", "INFO"), map[string]string{"flags": "t", "redir": next.id()})
	s.connect(t).must("SET", "k", "1")
	next.expect(invalid(true, "k"))
	if ear() == "" {
		t.Error("nobody listens")
	}
	tracker.must("CLIENT", "TRACKING", "OFF")
	wiretest.Await(t, "nobody listens any more", func() bool { return ear() == "" })
	next.want("+PONG\r\n", "PING")
}

// A client that says goodbye just when it is told of a change gets its replies.
func TestAGoodbyeWhileToldOfAChangeWaitsForItsReplies(t *testing.T) {
	front, _ := net.Pipe()
	near, far := net.Pipe()
	for _, conn := range []net.Conn{front, near, far} {
		defer conn.Close()
	}
	r := &relay{back: &backend{conn: near}}
	r.life.Begin(&r.mu, front, near)
	r.owed.push(reply{kind: passed, n: 1})
	r.tell("k", false)
	go func() { _, _ = far.Write([]byte("+OK\r\n")) }()
	s := &toldAtGoodbye{relay: r, left: make(chan struct{})}
	if err := s.life.Run(context.Background(), s); err != nil {
		t.Error(err)
	}
	if s.failed != nil {
		t.Errorf("the reply: %v", s.failed)
	}
}

// toldAtGoodbye is a session whose backend's direction finds itself interrupted
// once the client has left.
type toldAtGoodbye struct {
	*relay
	left   chan struct{}
	failed error
}

func (s *toldAtGoodbye) PumpFrontend(context.Context) error { return window.ErrGoodbye }

func (s *toldAtGoodbye) Leave(err error) window.Patience {
	defer close(s.left)
	return s.relay.Leave(err)
}

func (s *toldAtGoodbye) PumpBackend(context.Context) error {
	<-s.left
	if !s.isRoused(os.ErrDeadlineExceeded) {
		s.failed = errors.New("what the telling interrupted does not go on")
		return s.failed
	}
	_, s.failed = s.back.conn.Read(make([]byte, 5))
	return io.EOF
}

func (s *toldAtGoodbye) Dispose()        {}
func (s *toldAtGoodbye) LastWords(error) {}
