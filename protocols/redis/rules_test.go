package redis

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

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
		eyes.wantTTL(":-1\r\n", "old")
		for n := range 3 {
			if got := eyes.must("TTL", fmt.Sprintf("new:%d", n)); got == ":-1\r\n" {
				t.Error("a new key was seen without its expiry")
			}
		}
	}
	close(stop)
	writing.Wait()
}

// TestAKeyIsStoredBehindAnOption: the values of options, and members, may be the
// same word.
func TestAKeyIsStoredBehindAnOption(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{DefaultTTL: 100, MaxKeys: 3})
	c, admin := s.connect(t), s.admin(t)
	admin.must("RPUSH", "l", "1", "2")
	admin.must("GEOADD", "shops", "13", "38", "store", "13", "38", "storedist")
	script := "return redis.call(ARGV[1],unpack(ARGV,2))"
	for _, command := range []string{
		"SORT l STORE dest BY nosort GET store GET #", "SORT l BY store LIMIT 0 9 GET store storedist x STORE dest",
		"SORT l BY store STORE no STORE dest", "GEORADIUSBYMEMBER shops store 9 km STORE dest", "GEORADIUSBYMEMBER shops storedist 9 km COUNT 1 STOREDIST dest ASC",
		"GEORADIUS shops 13 38 9 km STOREDIST no STORE dest",
	} {
		for name, words := range map[string][]string{"": strings.Fields(command), " in a script": append([]string{"EVAL", script, "0"}, strings.Fields(command)...)} {
			if got := c.do(words...); got[0] != ':' && !strings.Contains(command, "storedist x") {
				t.Errorf("%s%s: got %q", command, name, got)
			} else if got[0] == ':' {
				c.wantTTL(":100\r\n", "dest")
			}
			admin.must("DEL", "dest")
		}
	}
	// Where no key is made there is none to have a place.
	admin.must("SET", "third", "1")
	for _, command := range []string{"SORT l BY store GET #", "GEORADIUSBYMEMBER shops store 9 km", "GEORADIUSBYMEMBER shops storedist 9 km DESC"} {
		for name, words := range map[string][]string{"": strings.Fields(command), " in a script": append([]string{"EVAL", script, "0"}, strings.Fields(command)...)} {
			if got := c.do(words...); got[0] != '*' {
				t.Errorf("%s%s: got %q", command, name, got)
			}
		}
	}
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
		c.wantTTL(want, key)
	}
	// The keys of an MSET lie between its values.
	admin := s.admin(t)
	admin.must("MSET", "b", "old", "e", "old")
	c.want("+OK\r\n", "MSET", "a", large, "e", "small", "f", large, "b", large)
	for _, key := range []string{"a", "b", "e", "f"} {
		c.wantTTL(":100\r\n", key)
	}
	c.want(":6\r\n", "DBSIZE")
	c.must("DEL", "a", "e")
	c.must("MULTI")
	c.want("-"+errTooLong+"\r\n", "MSET", "a", large, "e", large)
	c.must("DISCARD")
	c.want("-"+errTooLong+"\r\n", "MSET", "1", large, "2", large, "3", "x", "4", "x", "5", "x", "6", "x", "7", "x")
	c.want("-"+wrongArguments("mset")+"\r\n", "MSET", "a", large, "e")
	c.want("+PONG\r\n", "PING")

	s.live.Set(workspace.Settings{DefaultTTL: 50})
	c.must("MULTI")
	c.must("MSET", "m", large, "n", large)
	c.must("SET", "o", "x")
	c.want("*2\r\n+OK\r\n+OK\r\n", "EXEC")
	c.must("WATCH", "w")
	c.must("MSET", "w", large, "x", large)
	for _, key := range []string{"m", "n", "o", "w", "x"} {
		c.wantTTL(":50\r\n", key)
	}
	c.send(appendCommand(nil, "MSET", "m", large, strings.Repeat("k", maxLongKey+1), "v"))
	if got := c.ended(); got != "-ERR "+errLongKeys.Error()+"\r\n" {
		t.Errorf("a key too long: got %q", got)
	}
}

// TestTheLargestValueIsNeverInMemory writes and reads values of 512 MB, with
// hidden commands around them and without.
func TestTheLargestValueIsNeverInMemory(t *testing.T) {
	w := newWorld(t)
	chunk := make([]byte, 1<<20)
	for name, settings := range map[string]workspace.Settings{"settings off": {}, "settings on": {DefaultTTL: 100, MaxKeys: 10}} {
		t.Run(name, func(t *testing.T) {
			s := w.workspace(t, settings)
			c := s.connect(t)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for _, write := range []struct{ head, want string }{
				{"*3\r\n$4\r\nHSET\r\n$1\r\nh\r\n", "-" + wrongArguments("hset") + "\r\n"}, // one argument short
				{"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n", "+OK\r\n"},
			} {
				c.send(appendHeader([]byte(write.head), '$', maxBulk))
				for range maxBulk / len(chunk) {
					c.send(chunk)
				}
				c.send([]byte("\r\n"))
				if got := c.read(); got != write.want {
					t.Errorf("%q: got %q", write.head, got)
				}
			}
			c.send(appendCommand(nil, "GET", "k"))
			for left := len(appendHeader(nil, '$', maxBulk)) + maxBulk + len("\r\n"); left > 0; {
				n, err := c.conn.Read(chunk)
				if err != nil {
					t.Fatal(err)
				}
				left -= n
			}
			runtime.ReadMemStats(&after)
			if after.HeapSys > before.HeapSys+64<<20 {
				t.Errorf("the heap grew from %d to %d bytes for values of %d", before.HeapSys, after.HeapSys, maxBulk)
			}
			want := ":0\r\n"
			if settings.DefaultTTL > 0 {
				want = ":1\r\n" // it had an expiry
			}
			c.want(want, "PERSIST", "k")
		})
	}
}

func TestALongSetKeepsItsExpiry(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{DefaultTTL: 100})
	c := s.connect(t)
	large := strings.Repeat("v", 3<<20)
	s.admin(t).must("SET", "old", "1")
	c.must("SET", "short", "1", "EX", "50")
	for key, want := range map[string]string{"new": ":-1\r\n", "old": ":-1\r\n", "short": ":50\r\n"} {
		c.want("+OK\r\n", "SET", key, large, "KeepTTL")
		c.wantTTL(want, key)
	}
	c.must("MULTI")
	c.must("SET", "queued", large, "KEEPTTL")
	c.must("SET", "other", large, "NX")
	c.want("*2\r\n+OK\r\n+OK\r\n", "EXEC")
	c.wantTTL(":-1\r\n", "queued")
	c.wantTTL(":100\r\n", "other")
	// The value itself is no option.
	c.send([]byte("*4\r\n$3\r\nSET\r\n$1\r\nv\r\n$7\r\nKEEPTTL\r\n$2\r\nNX\r\n"))
	if got := c.read(); got != "+OK\r\n" {
		t.Errorf("SET v KEEPTTL NX: got %q", got)
	}
	c.wantTTL(":100\r\n", "v")
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
	c.wantTTL(":100\r\n", "to")
}

// lives says whether a reply to TTL is want, or what is left of it on a slow
// machine: more than half.
func lives(reply, want string) bool {
	got, err := strconv.Atoi(strings.Trim(reply, ":\r\n"))
	n, wrong := strconv.Atoi(strings.Trim(want, ":\r\n"))
	return reply == want || err == nil && wrong == nil && got <= n && got > n/2
}

// wantTTL is want for the time to live of a key.
func (c *client) wantTTL(want, key string) {
	c.t.Helper()
	if got := c.must("TTL", key); !lives(got, want) {
		c.t.Errorf("TTL %s: got %q, want %q", key, got, want)
	}
}

// TestMovesThatAreServedTogetherGiveTheirKeyAnExpiry: when the first of them
// could look, the new list had more than its own element. An old list without an
// expiry stays so.
func TestMovesThatAreServedTogetherGiveTheirKeyAnExpiry(t *testing.T) {
	for name, push := range map[string]string{
		"one push": "RPUSH from x y\r\n", "and somebody else's": "RPUSH from x\r\nRPUSH to z\r\nRPUSH from y\r\n",
		"a script": "EVAL \"redis.call('RPUSH','from','x','y')\" 0\r\n",
	} {
		for _, ttl := range []string{":100\r\n", ":-1\r\n"} {
			s := newWorld(t).workspace(t, workspace.Settings{DefaultTTL: 100})
			look, other := s.admin(t), s.connect(t)
			if ttl == ":-1\r\n" {
				look.must("RPUSH", "to", "old")
			}
			var waiting []*client
			for range 2 {
				c := s.connect(t)
				c.send(appendCommand(nil, "BLMOVE", "from", "to", "LEFT", "RIGHT", "0"))
				waiting = append(waiting, c)
			}
			wiretest.Await(t, "both wait", func() bool { return strings.Contains(look.must("INFO", "clients"), "blocked_clients:2") })
			other.send([]byte(push))
			for _, c := range waiting {
				if got := c.read(); got != "$1\r\nx\r\n" && got != "$1\r\ny\r\n" {
					t.Errorf("%s: got %q", name, got)
				}
			}
			if ttl == ":100\r\n" { // the clients send nothing more
				wiretest.Await(t, name+": the list has its expiry", func() bool { return lives(look.must("TTL", "to"), ttl) })
			}
			for _, c := range waiting {
				c.wantTTL(ttl, "to")
				c.must("SET", "alive", "1")
			}
		}
	}
}

// TestAMoveWhoseClientLeavesGivesItsKeyAnExpiry: nobody sends anything more on
// the connection.
func TestAMoveWhoseClientLeavesGivesItsKeyAnExpiry(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{DefaultTTL: 100})
	look := s.admin(t)
	c := s.connect(t)
	c.send(append(appendCommand(nil, "BLMOVE", "from", "to", "LEFT", "RIGHT", "0"), "QUIT\r\n"...))
	s.awaitBlocked(t)
	s.connect(t).send([]byte("RPUSH from x\r\nRPUSH to y\r\n"))
	if got := c.ended(); got != "$1\r\nx\r\n+OK\r\n" {
		t.Errorf("got %q", got)
	}
	wiretest.Await(t, "the list has its expiry", func() bool { return lives(look.must("TTL", "to"), ":100\r\n") })
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
		c.wantTTL(want, key)
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
	c.wantTTL(":-1\r\n", "old")
	c.wantTTL(":100\r\n", "new")
	c.want(":2\r\n", "DBSIZE")
	sha := strings.Split(c.must("SCRIPT", "LOAD", script), "\r\n")[1]
	c.want(":-2\r\n", "EVALSHA", sha, "2", "none", "newer")
	c.wantTTL(":100\r\n", "newer")
}

// TestSeveralKeysWithOptions is about MSETEX, of Valkey 9.1 and Redis 8.4, and
// holds its rules on a server without it, too, which refuses the command.
func TestSeveralKeysWithOptions(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{DefaultTTL: 100, MaxKeys: 6})
	c := s.connect(t)
	has := !strings.HasPrefix(c.must("COMMAND", "INFO", "MSETEX"), "*1\r\n*-1") && !strings.HasPrefix(c.must("COMMAND", "INFO", "MSETEX"), "*1\r\n$-1")
	for key, step := range map[string]struct {
		command string
		ttl     string
	}{
		"a": {"MSETEX 2 a 1 b EX", ":100\r\n"},
		"c": {"MSETEX 1 c 1 EX 50", ":50\r\n"},
		"d": {"MSETEX 1 d keepttl KEEPTTL", ":-1\r\n"},
		"e": {"MSETEX 1 e 1 NX", ":100\r\n"},
	} {
		got := c.do(strings.Fields(step.command)...)
		if !has {
			if !strings.Contains(got, "unknown command") {
				t.Errorf("%s: got %q", step.command, got)
			}
			continue
		}
		if got != ":1\r\n" {
			t.Errorf("%s: got %q", step.command, got)
		}
		c.wantTTL(step.ttl, key)
	}
	if has {
		if got := c.do("MSETEX", "2", "f", "1", "g", "1"); !isFull(got) {
			t.Errorf("over the limit: got %q", got)
		}
		c.want(":1\r\n", "MSETEX", "2", "a", "2", "f", "1")
		c.wantTTL(":100\r\n", "f")
	}
	for _, wrong := range []string{"MSETEX", "MSETEX 1", "MSETEX 9223372036854775807 k v", "MSETEX 2 k v", "MSETEX x k v", "MSETEX 0 k v"} {
		if got := c.do(strings.Fields(wrong)...); got[0] != '-' {
			t.Errorf("%s: got %q", wrong, got)
		}
	}
}
