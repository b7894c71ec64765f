package redis

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// The settings of the tests with a model, and what they mean by hand.
var modelSettings = workspace.Settings{
	DefaultTTL: 7000,
	Patterns: map[string]workspace.Pattern{
		"key:[01]": {TTL: 3000},
		"key:*":    {TTL: 5000},
		"key:2*":   {TTL: 0},
	},
}

var modelTTL = map[string]int64{"key:0": 3000, "key:1": 3000, "key:2": 0, "key:3": 5000, "key:4": 5000, "key:5": 5000}

func TestTheMostSpecificPatternDecides(t *testing.T) {
	r := compile(&workspace.KeyRules{DefaultTTL: 9, Patterns: map[string]workspace.Pattern{
		"*": {TTL: 1}, "a*": {TTL: 2}, "a?": {TTL: 3}, "ab*": {TTL: 4}, "ab": {TTL: 5}, "a[b]*": {TTL: 6}, "b\\*": {TTL: 7}, "a*c": {TTL: 8},
	}})
	for key, want := range map[string]int64{"": 1, "x": 1, "a": 2, "ac": 8, "ad": 2, "abc": 4, "abd": 4, "ab": 5, "b*": 7, "bx": 1, "axxc": 8} {
		if got := r.ttl([]byte(key)); got != want {
			t.Errorf("ttl of %q: got %d, want %d", key, got, want)
		}
	}
	if compile(&workspace.KeyRules{Patterns: map[string]workspace.Pattern{"*": {}}}) != nil {
		t.Error("settings that ask for nothing were compiled")
	}
}

// replacedKey is the key that a command, done with reply, put a new value in
// the place of, whatever was there; empty where it did not.
func replacedKey(args []string, reply string) string {
	name := strings.ToUpper(args[0])
	if reply[0] == '-' || len(args) < 2 {
		return ""
	}
	is := func(words ...string) bool {
		return slices.ContainsFunc(args[2:], func(arg string) bool { return slices.Contains(words, arg) })
	}
	switch name {
	case "SET":
		null := reply == "$-1\r\n" || reply == "_\r\n"
		if is("KEEPTTL") || is("NX", "XX") && null {
			return ""
		}
		return args[1]
	case "GETSET", "SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE", "ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE", "ZRANGESTORE", "GEOSEARCHSTORE":
		return args[1]
	case "RENAME":
		if args[1] == args[2] {
			return ""
		}
		return args[2]
	case "BITOP":
		return args[2]
	case "RENAMENX", "COPY":
		if reply == ":1\r\n" {
			return args[2]
		}
	case "SORT", "GEORADIUS":
		if is("STORE") {
			return args[len(args)-1]
		}
	}
	return ""
}

// model is a database whose keys get their expiry from the test, one command
// after the other.
type model struct {
	*client
	ttls map[string]int64
}

// run does one command and then what the settings ask for.
func (m *model) run(args []string) string {
	before := make(map[string]bool)
	for key := range m.ttls {
		before[key] = m.must("EXISTS", key) == ":1\r\n"
		if args[0] == "EVAL" { // a key that had an expiry and has none any more was replaced
			before[key] = m.must("TTL", key) == ":-1\r\n"
		}
	}
	reply := m.do(args...)
	replaced := replacedKey(args, reply)
	all := args[0] == "MSET" && reply == "+OK\r\n" || args[0] == "MSETNX" && reply == ":1\r\n"
	keeps := args[0] == "SET" && slices.Contains(args, "KEEPTTL")
	for key, ttl := range m.ttls {
		anew := !before[key] || key == replaced || all && slices.Contains(args[1:], key)
		if anew && ttl > 0 && !keeps && m.must("TTL", key) == ":-1\r\n" {
			m.must("EXPIRE", key, strconv.FormatInt(ttl, 10))
		}
	}
	return reply
}

// state is what a database holds: keys with their types and seconds to live.
func state(c *client) map[string]string {
	s := make(map[string]string)
	for i := range 6 {
		key := fmt.Sprintf("key:%d", i)
		s[key] = c.must("TYPE", key) + c.must("TTL", key)
	}
	s["keys"] = c.must("DBSIZE")
	return s
}

// sameState compares two states. A second may have passed between them.
func sameState(a, b map[string]string) bool {
	for key, x := range a {
		y := b[key]
		if x == y {
			continue
		}
		xs, ys := strings.Split(x, ":"), strings.Split(y, ":")
		if len(xs) != 2 || len(ys) != 2 || xs[0] != ys[0] {
			return false
		}
		m, _ := strconv.Atoi(strings.TrimSpace(xs[1]))
		n, _ := strconv.Atoi(strings.TrimSpace(ys[1]))
		if m < 0 || n < 0 || max(m-n, n-m) > 3 {
			return false
		}
	}
	return true
}

// modelTemplates are the templates whose replies tell no times, and that are
// no transaction of their own.
func modelTemplates() []string {
	return slices.DeleteFunc(allTemplates(), func(template string) bool {
		name, _, _ := strings.Cut(template, " ")
		return slices.Contains([]string{"TTL", "EXPIRETIME", "MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH", "CLIENT"}, name)
	})
}

// TestKeysLiveAsAModelSays runs random commands, some of them in transactions,
// in a workspace with patterns: keys, types, times and replies are those of a
// database where the test sets each expiry itself.
func TestKeysLiveAsAModelSays(t *testing.T) {
	for _, protocol := range []string{"2", "3"} {
		t.Run("RESP"+protocol, func(t *testing.T) {
			w := newWorld(t)
			settings := modelSettings
			settings.MaxKeys = 1000 // far away, so that its gate is passed
			through, direct := w.workspace(t, settings), w.workspace(t, workspace.Settings{})
			c, m := through.connect(t), &model{direct.admin(t), modelTTL}
			look := through.admin(t)
			c.must("HELLO", protocol)
			m.must("HELLO", protocol)
			look.must("HELLO", protocol)
			random := newRandom(t)
			all := modelTemplates()
			for range 1500 {
				var commands [][]string
				for range 1 + random.IntN(5)*random.IntN(2) {
					commands = append(commands, fill(random, all[random.IntN(len(all))]))
				}
				if len(commands) > 1 && random.IntN(2) == 0 && !slices.ContainsFunc(commands, waits) {
					inTransaction(t, c, m, commands)
				} else {
					pipeline(t, random, c, m, commands)
				}
				got, want := state(look), state(m.client)
				if !sameState(got, want) {
					t.Fatalf("after %q:\ngot  %q\nwant %q", commands, got, want)
				}
			}
		})
	}
}

// modelled is a command as the model's server, where the client is the
// administrator of database m, has to be asked.
func (m *model) modelled(command []string) string {
	switch {
	case command[0] == "FLUSHALL":
		command = append([]string{"FLUSHDB"}, command[1:]...)
	case command[0] == "SELECT" && len(command) == 2:
		return "+OK\r\n"
	}
	return m.run(command)
}

// waits says that the command's null is another one inside of a transaction,
// where it can't wait.
func waits(command []string) bool {
	return command[0] == "BRPOPLPUSH" || command[0] == "BLMOVE"
}

func pipeline(t *testing.T, random *rand.Rand, c *client, m *model, commands [][]string) {
	t.Helper()
	var sent []byte
	for _, command := range commands {
		sent = appendCommand(sent, command...)
	}
	if random.IntN(4) == 0 { // in pieces
		at := random.IntN(len(sent))
		c.send(sent[:at])
		c.send(sent[at:])
	} else {
		c.send(sent)
	}
	for _, command := range commands {
		if got, want := c.read(), m.modelled(command); got != want {
			t.Fatalf("%q: got %q, want %q", command, got, want)
		}
	}
}

// inTransaction runs commands in MULTI. What can't be queued ends it, which the
// model has no part in.
func inTransaction(t *testing.T, c *client, m *model, commands [][]string) {
	t.Helper()
	c.want("+OK\r\n", "MULTI")
	failed := false
	for _, command := range commands {
		failed = c.do(command...) != "+QUEUED\r\n" || failed
	}
	got := c.do("EXEC")
	if failed {
		if !strings.HasPrefix(got, "-EXECABORT") {
			t.Fatalf("EXEC of %q: got %q, want EXECABORT", commands, got)
		}
		return
	}
	want := appendHeader(nil, '*', len(commands))
	for _, command := range commands {
		want = append(want, m.modelled(command)...)
	}
	if got != string(want) {
		t.Fatalf("EXEC of %q:\ngot  %q\nwant %q", commands, got, want)
	}
}

func TestAnExpiryIsSetWithTheWrite(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{DefaultTTL: 100})
	// Somebody else's eyes never see a new key that lives for ever, nor the
	// mark on an old one.
	const rounds = 300
	eyes := s.admin(t)
	eyes.must("SET", "old", "1")
	var writing sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		c := s.connect(t)
		writing.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprintf("new:%d", (n+i)%3)
				c.must("RPUSH", key, "x")
				c.must("APPEND", "old", "x")
				c.must("DEL", key)
			}
		})
	}
	for range rounds {
		eyes.want(":-1\r\n", "TTL", "old")
		for n := range 3 {
			if got := eyes.must("TTL", fmt.Sprintf("new:%d", n)); got == ":-1\r\n" {
				t.Error("a new key was seen without its expiry")
			}
		}
	}
	close(stop)
	writing.Wait()
}

func TestAWatchOutlivesWrites(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{DefaultTTL: 100})
	c, other := s.connect(t), s.connect(t)
	c.must("WATCH", "seen")
	c.want(":1\r\n", "HSET", "h", "f", "v")
	c.want(":100\r\n", "TTL", "h")
	other.must("SET", "seen", "2")
	c.must("MULTI")
	c.must("SET", "k", "1")
	c.want("*-1\r\n", "EXEC")
	c.must("WATCH", "seen")
	c.want(":1\r\n", "HSET", "h2", "f", "v")
	c.must("MULTI")
	c.must("HSET", "h3", "f", "v")
	c.want("*1\r\n:1\r\n", "EXEC")
	c.want(":100\r\n", "TTL", "h3")
}

func TestValuesAreNotHeldForTheirKeys(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{DefaultTTL: 100, MaxKeys: 10})
	c := s.connect(t)
	large := strings.Repeat("v", 3<<20)
	c.want("+OK\r\n", "SET", "a", large)
	c.want("+OK\r\n", "SET", "b", large, "EX", "50")
	c.want("+OK\r\n", "SET", "c", large, "NX")
	c.want("$-1\r\n", "SET", "c", large, "NX")
	c.want(":1\r\n", "LPUSH", "d", large)
	c.want("$3145728\r\n"+large+"\r\n", "GETSET", "a", "")
	for key, want := range map[string]string{"a": ":100\r\n", "b": ":50\r\n", "c": ":100\r\n", "d": ":100\r\n"} {
		c.want(want, "TTL", key)
	}
	// The keys of an MSET lie between its values.
	c.want("-"+errTooLong+"\r\n", "MSET", "a", large, "b", large)
	c.want("+PONG\r\n", "PING")
}

func TestALargeValueIsNeverInMemory(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{DefaultTTL: 100})
	c := s.connect(t)
	const size = 128 << 20
	chunk := make([]byte, 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c.send(appendHeader([]byte("*3\r\n$4\r\nHSET\r\n$1\r\nh\r\n"), '$', size)) // one argument short
	for range size / len(chunk) {
		c.send(chunk)
	}
	c.send([]byte("\r\n"))
	if got := c.read(); got != "-"+wrongArguments("hset")+"\r\n" {
		t.Errorf("HSET: got %q", got)
	}
	c.send(appendHeader([]byte("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n"), '$', size))
	for range size / len(chunk) {
		c.send(chunk)
	}
	c.send([]byte("\r\n"))
	if got := c.read(); got != "+OK\r\n" {
		t.Errorf("SET: got %q", got)
	}
	c.send(appendCommand(nil, "GET", "k"))
	for left := size + len("$134217728\r\n\r\n"); left > 0; {
		n, err := c.conn.Read(chunk)
		if err != nil {
			t.Fatal(err)
		}
		left -= n
	}
	runtime.ReadMemStats(&after)
	if before.HeapSys+size/2 < after.HeapSys {
		t.Errorf("the heap grew from %d to %d bytes for values of %d", before.HeapSys, after.HeapSys, size)
	}
}

func TestBlockedMovesGiveTheirKeyAnExpiry(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{DefaultTTL: 100})
	c, other := s.connect(t), s.connect(t)
	c.send(appendCommand(nil, "BLMOVE", "from", "to", "LEFT", "RIGHT", "0"))
	s.awaitBlocked(t)
	other.want(":1\r\n", "RPUSH", "from", "x")
	if got := c.read(); got != "$1\r\nx\r\n" {
		t.Errorf("BLMOVE: got %q", got)
	}
	c.want(":100\r\n", "TTL", "to")
}

// awaitBlocked waits until a client waits for a key.
func (s *testSpace) awaitBlocked(t testing.TB) {
	t.Helper()
	wiretest.Await(t, "a client is blocked", func() bool {
		info := s.admin(t).must("INFO", "clients")
		return !strings.Contains(info, "blocked_clients:0")
	})
}

func TestSettingsChangeOpenSessions(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	c := s.connect(t)
	c.must("SET", "a", "1")
	s.live.Set(workspace.Settings{DefaultTTL: 60})
	c.must("SET", "b", "1")
	s.live.Set(workspace.Settings{MaxKeys: 2})
	if got := c.do("SET", "c", "1"); !strings.HasPrefix(got, "-ERR max_keys limit reached (workspace 'shop") {
		t.Errorf("over the limit: got %q", got)
	}
	s.live.Set(workspace.Settings{})
	c.must("SET", "c", "1")
	for key, want := range map[string]string{"a": ":-1\r\n", "b": ":60\r\n", "c": ":-1\r\n"} {
		c.want(want, "TTL", key)
	}
}

func TestScriptsSeeNoMark(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{DefaultTTL: 100})
	admin := s.admin(t)
	admin.must("SET", "old", "1")
	c := s.connect(t)
	const script = `local t=redis.call('TTL',KEYS[1]) redis.call('SET',KEYS[2],'x') return t`
	c.want(":-1\r\n", "EVAL", script, "2", "old", "new")
	c.want(":-1\r\n", "TTL", "old")
	c.want(":100\r\n", "TTL", "new")
	c.want(":2\r\n", "DBSIZE")
	sha := strings.Split(c.must("SCRIPT", "LOAD", script), "\r\n")[1]
	c.want(":-2\r\n", "EVALSHA", sha, "2", "none", "newer")
	c.want(":100\r\n", "TTL", "newer")
	if strings.Contains(admin.must("KEYS", "*"), w.protocol.note) {
		t.Error("a note was left behind")
	}
}
