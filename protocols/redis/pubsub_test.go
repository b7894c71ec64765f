package redis

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tidwall/redcon"
)

// frame is a message or confirmation as the protocol has it: a push in RESP3.
func frame(resp3 bool, parts ...any) string {
	kind := byte('*')
	if resp3 {
		kind = '>'
	}
	out := appendHeader(nil, kind, len(parts))
	for _, part := range parts {
		switch v := part.(type) {
		case string:
			out = redcon.AppendBulkString(out, v)
		case int:
			out = appendHeader(out, ':', v)
		case nil:
			if resp3 {
				out = append(out, "_\r\n"...)
			} else {
				out = append(out, "$-1\r\n"...)
			}
		}
	}
	return string(out)
}

// expect reads replies that must come.
func (c *client) expect(frames ...string) {
	c.t.Helper()
	for _, want := range frames {
		if got := c.read(); got != want {
			c.t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestChannels(t *testing.T) {
	for _, resp3 := range []bool{false, true} {
		t.Run(fmt.Sprintf("resp3=%v", resp3), func(t *testing.T) {
			w := newWorld(t)
			s, other := w.workspace(t, workspace.Settings{}), w.workspace(t, workspace.Settings{})
			c, stranger := s.connect(t), other.connect(t)
			if resp3 {
				c.must("HELLO", "3")
			}
			publisher := s.connect(t)
			say := func(command string) { c.send([]byte(command + "\r\n")) }
			say("SUBSCRIBE a b")
			c.expect(frame(resp3, "subscribe", "a", 1), frame(resp3, "subscribe", "b", 2))
			say("PSUBSCRIBE n?ws x*")
			c.expect(frame(resp3, "psubscribe", "n?ws", 3), frame(resp3, "psubscribe", "x*", 4))
			say("SSUBSCRIBE shard")
			c.expect(frame(resp3, "ssubscribe", "shard", 1))
			publisher.want(":1\r\n", "PUBLISH", "a", "one")
			c.expect(frame(resp3, "message", "a", "one"))
			publisher.want(":1\r\n", "PUBLISH", "news", "two")
			c.expect(frame(resp3, "pmessage", "n?ws", "news", "two"))
			publisher.want(":0\r\n", "PUBLISH", "nothing", "lost")
			publisher.must("SPUBLISH", "shard", "three")
			c.expect(frame(resp3, "smessage", "shard", "three"))
			for _, channel := range []string{"a", "news", s.route.Database + ":a", "__keyspace@" + s.route.Database + "__:k"} {
				stranger.want(":0\r\n", "PUBLISH", channel, "from outside")
			}
			stranger.want(":0\r\n", "SPUBLISH", "shard", "from outside")
			stranger.want("*0\r\n", "PUBSUB", "CHANNELS")
			stranger.want(":0\r\n", "PUBSUB", "NUMPAT")
			stranger.want("*2\r\n$1\r\na\r\n:0\r\n", "PUBSUB", "NUMSUB", "a")
			if got := publisher.must("PUBSUB", "CHANNELS"); got != "*2\r\n$1\r\na\r\n$1\r\nb\r\n" && got != "*2\r\n$1\r\nb\r\n$1\r\na\r\n" {
				t.Errorf("PUBSUB CHANNELS: got %q", got)
			}
			publisher.want("*1\r\n$1\r\nb\r\n", "PUBSUB", "CHANNELS", "b*")
			publisher.want(":2\r\n", "PUBSUB", "NUMPAT")
			publisher.want("*4\r\n$1\r\na\r\n:1\r\n$1\r\nz\r\n:0\r\n", "PUBSUB", "NUMSUB", "a", "z")
			publisher.want("*1\r\n$5\r\nshard\r\n", "PUBSUB", "SHARDCHANNELS")
			publisher.want("*2\r\n$5\r\nshard\r\n:1\r\n", "PUBSUB", "SHARDNUMSUB", "shard")
			if resp3 {
				c.want("+PONG\r\n", "PING")
				c.want("+OK\r\n", "SET", "k", "v")
				c.want("*0\r\n", "LRANGE", "none", "0", "-1")
			} else {
				c.want("*2\r\n$4\r\npong\r\n$0\r\n\r\n", "PING")
				c.want("-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n", "GET", "k")
			}
			say("PUNSUBSCRIBE n?ws none")
			c.expect(frame(resp3, "punsubscribe", "n?ws", 3), frame(resp3, "punsubscribe", "none", 3))
			publisher.must("PUBLISH", "news", "lost")
			publisher.must("PUBLISH", "xyz", "four")
			c.expect(frame(resp3, "pmessage", "x*", "xyz", "four"))
			say("UNSUBSCRIBE")
			first, second := frame(resp3, "unsubscribe", "a", 2), frame(resp3, "unsubscribe", "b", 1)
			if got := c.read(); got == strings.Replace(first, "\na\r", "\nb\r", 1) {
				c.expect(strings.Replace(second, "\nb\r", "\na\r", 1))
			} else if got != first {
				t.Errorf("UNSUBSCRIBE: got %q", got)
			} else {
				c.expect(second)
			}
			say("PUNSUBSCRIBE")
			c.expect(frame(resp3, "punsubscribe", "x*", 0))
			say("PUNSUBSCRIBE")
			c.expect(frame(resp3, "punsubscribe", nil, 0))
			say("SUNSUBSCRIBE")
			c.expect(frame(resp3, "sunsubscribe", "shard", 0))
			say("UNSUBSCRIBE")
			c.expect(frame(resp3, "unsubscribe", nil, 0))
			c.want(map[bool]string{false: "$-1\r\n", true: "_\r\n"}[resp3], "GET", "none")
			publisher.want(":0\r\n", "PUBSUB", "NUMPAT")
		})
	}
}

func TestAMessageForSeveralPatterns(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{})
	c, publisher := s.connect3(t), s.connect(t)
	c.send(appendCommand(nil, "PSUBSCRIBE", "a*", "*b", "ab"))
	c.expect(frame(true, "psubscribe", "a*", 1), frame(true, "psubscribe", "*b", 2), frame(true, "psubscribe", "ab", 3))
	large := strings.Repeat("x", 2<<20)
	for _, payload := range []string{"small", large} {
		publisher.want(":3\r\n", "PUBLISH", "ab", payload)
		got := map[string]int{}
		for range 3 {
			got[c.read()]++
		}
		for _, pattern := range []string{"a*", "*b", "ab"} {
			if got[frame(true, "pmessage", pattern, "ab", payload)] != 1 {
				t.Errorf("no message for %s", pattern)
			}
		}
	}
	publisher.must("PUBLISH", "aa", large)
	c.expect(frame(true, "pmessage", "a*", "aa", large))
}

func TestKeyspaceNotificationsAreOfTheOwnDatabase(t *testing.T) {
	w := newWorld(t)
	s, other := w.workspace(t, workspace.Settings{}), w.workspace(t, workspace.Settings{})
	c, all := s.connect3(t), s.connect3(t)
	c.send(appendCommand(nil, "SUBSCRIBE", "__keyspace@0__:k"))
	c.expect(frame(true, "subscribe", "__keyspace@0__:k", 1))
	all.send(appendCommand(nil, "PSUBSCRIBE", "__key*__:*"))
	all.expect(frame(true, "psubscribe", "__key*__:*", 1))
	foreign := other.connect(t)
	foreign.must("SET", "k", "other")
	s.connect(t).must("SET", "k", "own")
	c.expect(frame(true, "message", "__keyspace@0__:k", "set"))
	all.expect(frame(true, "pmessage", "__key*__:*", "__keyspace@0__:k", "set"), frame(true, "pmessage", "__key*__:*", "__keyevent@0__:set", "k"))
	foreign.must("DEL", "k")
	s.connect(t).must("DEL", "k")
	c.expect(frame(true, "message", "__keyspace@0__:k", "del"))
	all.expect(frame(true, "pmessage", "__key*__:*", "__keyspace@0__:k", "del"), frame(true, "pmessage", "__key*__:*", "__keyevent@0__:del", "k"))
}

// TestNotificationsAreThereForWhoListens: the server has them turned off, and a
// client may not turn them on.
func TestNotificationsAreThereForWhoListens(t *testing.T) {
	admin := adminClient(t, "0")
	t.Cleanup(func() { admin.must("CONFIG", "SET", "notify-keyspace-events", "KEA") })
	const setting = "notify-keyspace-events"
	for _, listen := range [][]string{
		{"SUBSCRIBE", "news", "__keyevent@0__:set"}, {"SUBSCRIBE", "__keyspace@0__:k"},
		{"PSUBSCRIBE", "__key*__:*"}, {"PSUBSCRIBE", "__keyevent@0__:s*"}, {"PSUBSCRIBE", "__keyspace@*__:k"},
	} {
		t.Run(strings.Join(listen, " "), func(t *testing.T) {
			s := newWorld(t).workspace(t, workspace.Settings{})
			admin.must("CONFIG", "SET", setting, "Kg")
			c, writer := s.connect(t), s.connect(t)
			c.send(appendCommand(nil, listen...))
			for range listen[1:] {
				c.read()
			}
			writer.must("SET", "k", "v")
			if got := c.read(); !strings.Contains(got, "message\r\n") || !strings.Contains(got, "@0__:") {
				t.Errorf("got %q", got)
			}
			if got := admin.must("CONFIG", "GET", setting); !strings.Contains(got, "A") || !strings.Contains(got, "K") || !strings.Contains(got, "E") {
				t.Errorf("%s: got %q", setting, got)
			}
		})
	}
	s := newWorld(t).workspace(t, workspace.Settings{})
	admin.must("CONFIG", "SET", setting, "")
	c := s.connect(t)
	c.must("SUBSCRIBE", "news")
	c.must("PSUBSCRIBE", "*")
	admin.want("*2\r\n$22\r\n"+setting+"\r\n$0\r\n\r\n", "CONFIG", "GET", setting)
}

func TestTrackingTellsOfTheWorkspacesKeysOnly(t *testing.T) {
	w := newWorld(t)
	s, other := w.workspace(t, workspace.Settings{}), w.workspace(t, workspace.Settings{})
	invalid := func(key string) string {
		return ">2\r\n$10\r\ninvalidate\r\n*1\r\n" + string(redcon.AppendBulkString(nil, key))
	}
	const all = ">2\r\n$10\r\ninvalidate\r\n_\r\n"
	adminClient(t, "0").must("CONFIG", "SET", "notify-keyspace-events", "")
	t.Cleanup(func() { adminClient(t, "0").must("CONFIG", "SET", "notify-keyspace-events", "KEA") })
	c := s.connect3(t)
	c.want(":-1\r\n", "CLIENT", "GETREDIR")
	c.want("+OK\r\n", "CLIENT", "TRACKING", "ON", "OPTIN")
	c.want("+OK\r\n", "CLIENT", "TRACKING", "ON", "OPTIN")
	c.want("+OK\r\n", "CLIENT", "CACHING", "YES")
	c.want(":0\r\n", "CLIENT", "GETREDIR")
	c.want("%3\r\n$5\r\nflags\r\n~2\r\n$2\r\non\r\n$5\r\noptin\r\n$8\r\nredirect\r\n:0\r\n$8\r\nprefixes\r\n*0\r\n", "CLIENT", "TRACKINGINFO")
	c.want("_\r\n", "GET", "k")
	foreign, own := other.connect(t), s.connect(t)
	foreign.must("SET", "k", "theirs")
	foreign.must("EVAL", "redis.call('DEL', 'k')", "0")
	foreign.must("FLUSHDB")
	own.must("SET", "k", "1")
	c.expect(invalid("k"))
	own.must("EVAL", "redis.call('APPEND', 'k', '2')", "0")
	c.expect(invalid("k"))
	own.must("FLUSHALL")
	c.expect(all)
	own.must("MULTI")
	own.must("SET", "k", "3")
	own.must("FLUSHDB")
	own.want("*2\r\n+OK\r\n+OK\r\n", "EXEC")
	c.expect(invalid("k"), all)

	// Subscriptions know nothing of it.
	c.send(appendCommand(nil, "PSUBSCRIBE", "__keyspace*"))
	c.expect(frame(true, "psubscribe", "__keyspace*", 1))
	own.must("SET", "k", "4")
	got := map[string]bool{c.read(): true, c.read(): true}
	if !got[invalid("k")] || !got[frame(true, "pmessage", "__keyspace*", "__keyspace@0__:k", "set")] {
		t.Errorf("of a key that is tracked and listened to: got %v", got)
	}
	own.want(":1\r\n", "PUBSUB", "NUMPAT")
	c.send(appendCommand(appendCommand(nil, "PUNSUBSCRIBE"), "PUNSUBSCRIBE"))
	c.expect(frame(true, "punsubscribe", "__keyspace*", 0), frame(true, "punsubscribe", nil, 0))
	own.must("DEL", "k")
	c.expect(invalid("k"))

	c.want("+OK\r\n", "CLIENT", "TRACKING", "OFF")
	own.must("SET", "k", "5")
	c.want("+PONG\r\n", "PING")
	c.must("CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP")
	if got := c.do("HELLO", "2"); got[0] != '*' {
		t.Errorf("HELLO 2: got %q", got)
	}
	own.must("SET", "k", "6")
	c.want("$1\r\n6\r\n", "GET", "k")
	for command, want := range map[string]string{
		"CLIENT TRACKING": wrongArguments("client|tracking"), "CLIENT TRACKING x": errSyntax, "CLIENT TRACKING ON x": errSyntax,
		"CLIENT TRACKING ON OPTIN OPTOUT": errTrackingBoth,
	} {
		c.want("-"+want+"\r\n", strings.Fields(command)...)
	}
}

// TestTrackingByPrefixes compares with the server what CLIENT TRACKING answers,
// and hears of the keys that have a prefix only.
func TestTrackingByPrefixes(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{})
	c, d := s.connect3(t), s.admin(t)
	d.must("HELLO", "3")
	for _, command := range []string{
		"ON PREFIX a", "ON BCAST OPTIN", "ON BCAST PREFIX ab PREFIX a", "ON BCAST PREFIX", "ON BCAST PREFIX b PREFIX a NOLOOP", "ON BCAST PREFIX c",
		"ON BCAST PREFIX bb", "ON", "ON BCAST OPTIN", "OFF", "ON BCAST", "ON BCAST PREFIX x", "OFF", "ON OPTIN", "ON OPTOUT", "ON", "ON OPTIN BCAST",
		"OFF BCAST OPTIN", "OFF PREFIX a", "ON OPTOUT", "OFF", "ON BCAST PREFIX cache: PREFIX user:1",
	} {
		words := append([]string{"CLIENT", "TRACKING"}, strings.Fields(command)...)
		c.want(d.do(words...), words...)
		c.want(d.do("CLIENT", "TRACKINGINFO"), "CLIENT", "TRACKINGINFO")
	}
	own := s.connect(t)
	invalid := func(key string) string {
		return ">2\r\n$10\r\ninvalidate\r\n*1\r\n" + string(redcon.AppendBulkString(nil, key))
	}
	for _, key := range []string{"other", "cache", "cache:1", "user:2", "user:12", "CACHE:1"} {
		own.must("SET", key, "x")
	}
	c.expect(invalid("cache:1"), invalid("user:12"))
	c.send(appendCommand(nil, "PSUBSCRIBE", "__keyspace@0__:o*"))
	c.expect(frame(true, "psubscribe", "__keyspace@0__:o*", 1))
	own.must("DEL", "other", "cache:1")
	c.expect(frame(true, "pmessage", "__keyspace@0__:o*", "__keyspace@0__:other", "del"), invalid("cache:1"))
	c.want("-"+errTrackingRedirect+"\r\n", "CLIENT", "TRACKING", "ON", "REDIRECT", "1")
}

func TestResetUndoesEverything(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{})
	c := s.connect3(t)
	c.must("CLIENT", "SETNAME", "x")
	c.must("CLIENT", "TRACKING", "ON")
	c.send(appendCommand(appendCommand(nil, "SUBSCRIBE", "a", "b"), "PSUBSCRIBE", "*", "c*"))
	for range 4 {
		c.read()
	}
	c.must("MULTI")
	c.want("+RESET\r\n", "RESET")
	c.want("$-1\r\n", "GET", "k")
	c.want("$-1\r\n", "CLIENT", "GETNAME")
	s.connect(t).want(":0\r\n", "PUBLISH", "a", "m")
	c.want("+OK\r\n", "SET", "k", "v")
}

func TestPatternsAreBounded(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{})
	c := s.connect(t)
	long, longest := strings.Repeat("*", maxPattern+1), strings.Repeat("a", maxPattern)
	for _, command := range [][]string{{"KEYS", long}, {"SCAN", "0", "MATCH", long}, {"HSCAN", "h", "0", "COUNT", "5", "match", long}, {"PSUBSCRIBE", "a", long}, {"PUBSUB", "CHANNELS", long}} {
		c.want("-"+errLongPattern+"\r\n", command...)
	}
	c.want("*0\r\n", "KEYS", longest)
	c.want("*2\r\n$1\r\n0\r\n*0\r\n", "SCAN", "0", "MATCH", longest)
	many := []string{"PSUBSCRIBE"}
	for i := range maxPatterns + 1 {
		many = append(many, fmt.Sprintf("p%d", i))
	}
	c.want("-"+errManyPatterns+"\r\n", many...)
}
