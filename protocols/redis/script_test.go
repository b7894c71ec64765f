package redis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
	"github.com/tidwall/redcon"
)

// scriptsThatShow are scripts whose replies and errors would show what stands in
// front of them: lines, hashes, arguments, what redis is.
var scriptsThatShow = []string{
	"return {KEYS[1], ARGV[1], #KEYS, #ARGV, ARGV[3]}",
	"return redis.call('HGET', 'x')",
	"local x = 1\nreturn redis.call('HGET', 'x')",
	"local x = 1\n\nlocal y = redis.call('NOSUCH')\nreturn y",
	"redis.call('SET', KEYS[1], 'x')\nreturn redis.call('INCR',\n  KEYS[1])",
	"local call = redis.call\nif call('EXISTS', 'none') == 0 then\n  return call('LPUSH', KEYS[1])\nend",
	"local function f(k)\n return redis.call('SET', k)\nend\nlocal a = 1\nreturn f('a')",
	"local function f(k)\n return (redis.call('SET', k))\nend\nlocal a = 1\nf('a')",
	"return redis.pcall('SET', 'a')",
	"local r = redis.pcall('SET', 'a')\nreturn r",
	"local r = redis.pcall('SET', 'a')\nreturn r.err",
	"local ok, e = pcall(redis.call, 'SET', 'a')\nreturn {tostring(ok), e}",
	"local ok, e = pcall(function() return redis.call('SET', 'a') end)\nreturn {tostring(ok), type(e), e}",
	"local ok, e = xpcall(function() redis.call('SET', 'a') end, function(e) return type(e) == 'table' and e.err or e end)\nreturn e",
	"local ok, e = pcall(redis.call, 'SET', 'a') error(e)",
	"local x\nlocal r = redis.pcall('SET', 'a') if r.err then error(r) end",
	"local x\nreturn redis.error_reply('MY own words')",
	"return {err='MY own words'}",
	"return redis.status_reply('FINE')",
	"local x\nerror('boom')",
	"local x\nerror({err='MY boom'})",
	"local x\nreturn nosuch",
	"local x\nreturn x.y",
	"return redis.nosuch",
	"local x\nredis.nosuch()",
	"redis.mine = 1",
	"\nredis.call = 1",
	"x = 1",
	"return redis.call()",
	"\nreturn redis.pcall()",
	"\nreturn redis.call({})",
	"\nredis.call('SET', 'a', {})",
	"\nredis.call('SET', 'a', true)",
	"return redis.call('SET', 1, 2.5)",
	"redis.call('SET', 0.1, 1) return redis.call('KEYS', '0*')",
	"return redis.call(1)",
	"return {redis.call('SET', 'a', 'b', 'NX'), redis.call('SET', 'a', 'c', 'GET'), redis.call('SET', 'a', 'd', 'EX')}",
	"return redis.sha1hex('')",
	"redis.setresp(3) redis.call('HSET', 'h', 'f', 'v') return redis.call('HGETALL', 'h')",
	"redis.call('HSET', 'h', 'f', 'v') return redis.call('HGETALL', 'h')",
	"return 1 +",
	"local x = 1\nreturn 1 +",
	"return (",
	"'",
	"",
	"-- a comment only",
	"-- return redis.call('HGET')\nreturn 1",
	"--[[ return redis.call('HGET')\n]]return redis.call('HGET')",
	"(function() redis.call('SET', 'a', 'b') end)() return 1",
	"return 'return redis.call(1)'",
	"return [[return redis.call(1)]]",
	"if false then return redis.call('PING') else return redis.call('PING') end",
	"return redis.call('PING'), 2",
	"return redis.call('PING');",
	"return redis.call('PING')['ok']",
	"return redis.call('ECHO', 'a') .. 'b'",
	"return redis.call('TIME') and 1",
	"return redis.call 'PING'",
	"local call = redis.call\nlocal function g(call) return call(1) end\nreturn g(function(x) return x end)",
	"local rcall = redis.call return {rcall('RPUSH', KEYS[1], 'a', 'b'), rcall('LRANGE', KEYS[1], 0, -1), rcall('TYPE', KEYS[1])}",
	"local t = {} for i = 1, 7000 do t[i] = 'm' .. i end return redis.call('SADD', 'big', unpack(t))",
	"return redis.call('SELECT', 1)",
	"return redis.call('FLUSHALL')",
	"return redis.call('EVAL', 'return 1', 0)",
	"return redis.call('SUBSCRIBE', 'a')",
	"return redis.call('XGROUP', 'CREATE', 'st', 'g', '$', 'MKSTREAM')",
	"return redis.call('MSET', 'a', 1, 'b')",
	"return redis.call('SORT', 'none', 'STORE', 'dest')",
	"return redis.call('RENAME', 'none', 'b')",
	"return redis.call('BLPOP', 'none', 0)",
	"return tostring(redis.REPL_ALL) .. redis.LOG_WARNING",
	"return redis.acl_check_cmd('GET', 'a')",
	"#!lua\nreturn redis.call('HGET', 'x')",
	"#!lua flags=no-writes\n\nreturn redis.call('SET', 'x', 'y')",
	"#!lua flags=nonsense\nreturn 1",
	"#!ruby\nreturn 1",
	"#!lua",
	"#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])",
	"return {1, 2.9, 'a', false, true, {3}, nil, 4}",
	"return cjson.encode({a=1})",
	"return math.floor(2.5)",
	"return tostring(server)",
}

var owner = regexp.MustCompile(`shop\d+_owner`)

// TestScriptsKnowNothingOfTheSettings runs scripts with settings and without, in
// every way that a client has: what it sees is the same.
func TestScriptsKnowNothingOfTheSettings(t *testing.T) {
	scriptsAsByTheServer(t, modelSettings, scriptsThatShow)
}

// TestScriptsThatPublishKnowNothingOfTheProxy does so with scripts that get its
// line where there are no settings.
func TestScriptsThatPublishKnowNothingOfTheProxy(t *testing.T) {
	var scripts []string
	for _, script := range scriptsThatShow {
		scripts = append(scripts, script+"\n-- Publish")
	}
	scriptsAsByTheServer(t, workspace.Settings{}, scripts)
}

func scriptsAsByTheServer(t *testing.T, settings workspace.Settings, scripts []string) {
	for _, protocol := range []string{"2", "3"} {
		t.Run("RESP"+protocol, func(t *testing.T) {
			w := newWorld(t)
			if settings.DefaultTTL > 0 {
				settings.MaxKeys = 100_000
			}
			a, b := w.workspace(t, settings).connect(t), w.workspace(t, workspace.Settings{}).direct(t)
			a.must("HELLO", protocol)
			b.must("HELLO", protocol)
			both := func(args ...string) string {
				t.Helper()
				// Valkey names the user, which is another workspace's.
				got, want := owner.ReplaceAllString(a.do(args...), "owner"), owner.ReplaceAllString(b.do(args...), "owner")
				if got != want {
					t.Errorf("%q:\ngot  %q\nwant %q", args, got, want)
				}
				return want
			}
			for _, script := range scripts {
				hash := sha([]byte(script))
				for _, args := range [][]string{{"1", "key", "arg", "more"}, {"0"}, {"2", "key"}, {"-1"}, {"x"}, nil} {
					both(append([]string{"EVAL", script}, args...)...)
					both(append([]string{"EVALSHA", hash}, args...)...)
					both(append([]string{"EVAL_RO", script}, args...)...)
					both(append([]string{"EVALSHA_RO", strings.ToUpper(hash)}, args...)...)
				}
				both("MULTI")
				both("SCRIPT", "LOAD", script)
				both("SET", "between", "x")
				both("EVAL", script, "1", "key", "arg")
				both("EVALSHA", hash, "1", "key", "arg")
				both("SCRIPT", "EXISTS", hash)
				both("EXEC")
				both("SCRIPT", "LOAD", script)
				both("SCRIPT", "EXISTS", hash, hash)
			}
			for _, command := range []string{"EVAL", "EVALSHA", "EVALSHA x 0", "SCRIPT LOAD", "SCRIPT LOAD a b", "SCRIPT EXISTS", "SCRIPT EXISTS 1 2", "SCRIPT"} {
				both(strings.Fields(command)...)
			}
		})
	}
}

func TestKeysThatScriptsDoNotName(t *testing.T) {
	s := newWorld(t).workspace(t, modelSettings)
	c, admin := s.connect(t), s.admin(t)
	admin.must("MSET", "old", "1", "replaced", "1", "renamed", "1")
	admin.must("SET", "timed", "1", "EX", "10")
	c.want(":-1\r\n", "EVAL", `
		local old = redis.call('TTL', 'old')
		redis.call('SET', 'key:0', 'x')
		redis.call('set', 'key:2', 'x')
		redis.call('RPUSH', 'key:3', 'x')
		redis.pcall('hset', 'other', 'f', 'v')
		redis.call('APPEND', 'old', 'x')
		redis.pcall('MSET', 'old', 'x', 'old')
		redis.call('SET', 'replaced', 'x')
		redis.call('RENAME', 'renamed', 'moved')
		redis.call('PERSIST', 'timed')
		redis.call('SET', 'explicit', 'x', 'EX', 50)
		redis.call('SETEX', 'explicit2', 50, 'x')
		redis.call('SET', 'kept', 'x', 'KEEPTTL')
		redis.call('SET', 'persisted', 'x')
		redis.call('PERSIST', 'persisted')
		redis.call('MSET', 'key:1', 1, 'key:4', 2)
		redis.call('ZADD', 'z', 'NX', 1, 'm')
		redis.call('ZUNIONSTORE', 'zz', 1, 'z')
		redis.call('BITOP', 'NOT', 'bits', 'old')
		redis.call('SORT', 'key:3', 'ALPHA', 'STORE', 'sorted')
		redis.call('XGROUP', 'CREATE', 'stream', 'g', '$', 'MKSTREAM')
		redis.call('LMOVE', 'key:3', 'list', 'LEFT', 'LEFT')
		redis.call('SET', 5, 'x')
		return old`, "0")
	for key, want := range map[string]int{
		"key:0": 3000, "key:1": 3000, "key:2": -1, "key:4": 5000, "other": 7000, "old": -1, "replaced": 7000, "renamed": -2,
		"moved": 7000, "timed": -1, "explicit": 50, "explicit2": 50, "kept": -1, "persisted": -1, "z": 7000, "zz": 7000, "bits": 7000,
		"sorted": 7000, "stream": 7000, "list": 7000, "5": 7000, "key:3": -2,
	} {
		c.wantTTL(fmt.Sprintf(":%d\r\n", want), key)
	}
}

// TestScriptsMatchPatternsAsTheProxyDoes has random patterns decide in scripts
// and outside of them.
func TestScriptsMatchPatternsAsTheProxyDoes(t *testing.T) {
	random := newRandom(t)
	word := func(alphabet []string, n int) string {
		var b strings.Builder
		for range random.IntN(n) {
			b.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		return b.String()
	}
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	c := s.connect(t)
	letters := []string{"a", "b", "c", "]", "^", "-", "%", ".", "\x00", "\xe9", "*", "_"}
	for range 40 {
		settings := workspace.Settings{DefaultTTL: 10_000, Patterns: map[string]workspace.Pattern{}}
		for i := range 1 + random.IntN(6) {
			pattern := word(append([]string{"*", "*", "?", "[ab]", "[^a]", "[a-c]", "[", "\\", "\\*", "[]", "[\xe0-\xf0]", "[c-a]"}, letters...), 7)
			settings.Patterns[pattern] = workspace.Pattern{TTL: int64(1000 * (i + 1))}
		}
		s.live.Set(settings)
		r := compile(s.live.KeyRules())
		var keys []string
		for range 60 {
			keys = append(keys, word(letters, 6))
		}
		c.must("FLUSHDB")
		const script = `for _, k in ipairs(ARGV) do redis.call('RPUSH', k, 'x') end local r = {} for i, k in ipairs(ARGV) do r[i] = redis.call('TTL', k) end return r`
		got := c.must(append([]string{"EVAL", script, "0"}, keys...)...)
		want := redcon.AppendArray(nil, len(keys))
		for _, key := range keys {
			want = redcon.AppendInt(want, r.ttl([]byte(key)))
		}
		if got != string(want) {
			t.Fatalf("patterns %v, keys %q:\ngot  %q\nwant %q", settings.Patterns, keys, got, want)
		}
	}
}

func TestAtTheLimitScriptsUpdate(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{MaxKeys: 3, DefaultTTL: 100})
	c := s.connect(t)
	const add = `for _, k in ipairs(ARGV) do redis.call('SET', k, 'x') end return #ARGV`
	c.want(":2\r\n", "EVAL", add, "0", "a", "b")
	if got := c.do("EVAL", add, "0", "c", "d"); !isFull(got) || !strings.Contains(strings.Replace(got, sha([]byte(add))+", ", "", 1), "script: on @user_script:1.") {
		t.Errorf("one key too many: got %q", got)
	}
	c.want(":3\r\n", "DBSIZE")
	c.want(":3\r\n", "EVAL", add, "0", "a", "b", "c")
	c.want("+OK\r\n", "EVAL", `redis.call('DEL', 'a') return redis.call('SET', 'e', 'x')`, "0")
	c.want("+OK\r\n", "EVAL", `return redis.call('RENAME', 'e', 'f')`, "0")
	c.want("$-1\r\n", "EVAL", `return redis.call('SET', 'new', 'x', 'XX')`, "0")
	c.want(":0\r\n", "EVAL", `return redis.call('ZADD', 'new', 'CH', 'xx', 1, 'm')`, "0")
	c.want("$-1\r\n", "EVAL", `return redis.call('XADD', 'new', 'MAXLEN', '~', 5, 'NOMKSTREAM', '*', 'f', 'v')`, "0")
	for _, script := range []string{
		`return redis.call('XADD', 'new', '*', 'nomkstream', 'v')`, `return redis.call('MSET', 'f', 1, 'new', 1)`,
		`return redis.call('XGROUP', 'CREATE', 'new', 'g', '$', 'MKSTREAM')`, `return redis.call('SETEX', 'new', 10, 'x')`,
		`redis.call('SET', KEYS[1], 'x')`,
	} {
		if got := c.do("EVAL", script, "1", "new"); !isFull(got) {
			t.Errorf("%s: got %q", script, got)
		}
	}
	c.want("*2\r\n+OK\r\n$-1\r\n", "EVAL", `return {redis.pcall('SET', 'f', 'y'), redis.pcall('GET', 'none')}`, "0")

	// In a transaction, the keys that scripts name are claimed with it.
	c.must("MULTI")
	c.must("EVAL", add, "0", "b", "new")
	c.must("EVAL", add, "1", "f", "f")
	if got := c.do("EXEC"); !strings.HasPrefix(got, "*2\r\n-ERR max_keys limit reached") || !strings.HasSuffix(got, "\r\n:1\r\n") {
		t.Errorf("a transaction of scripts: got %q", got)
	}
	c.must("MULTI")
	c.must("EVAL", add, "1", "new", "new")
	if got := c.do("EXEC"); !strings.HasPrefix(got, "-EXECABORT Transaction discarded because of: max_keys") {
		t.Errorf("a transaction of a script at the limit: got %q", got)
	}
	c.must("DEL", "b")
	c.must("MULTI")
	c.must("EVAL", add, "1", "new", "new")
	c.want("*1\r\n:1\r\n", "EXEC")
}

// TestScriptsOfAnotherTime are EVALSHAs of scripts that the proxy has not seen
// since there are settings: the client has to send them again.
func TestScriptsOfAnotherTime(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{})
	c := s.connect(t)
	const script = "return redis.call('SET', 'k', ARGV[1])"
	hash := strings.Split(c.must("SCRIPT", "LOAD", script), "\r\n")[1]
	c.want("+OK\r\n", "EVALSHA", hash, "0", "1")
	s.live.Set(workspace.Settings{DefaultTTL: 100})
	c.want("*1\r\n:0\r\n", "SCRIPT", "EXISTS", hash)
	if got := c.do("EVALSHA", hash, "0", "2"); !strings.HasPrefix(got, "-NOSCRIPT No matching script.") {
		t.Errorf("EVALSHA of a script of another time: got %q", got)
	}
	c.want("+OK\r\n", "EVAL", script, "0", "2")
	c.want("+OK\r\n", "EVALSHA", hash, "0", "3")
	c.wantTTL(":100\r\n", "k")
	s.live.Set(workspace.Settings{DefaultTTL: 50, MaxKeys: 10})
	c.want("+OK\r\n", "EVALSHA", hash, "0", "3")
	c.wantTTL(":50\r\n", "k")
	c.want("*2\r\n:1\r\n:0\r\n", "SCRIPT", "EXISTS", strings.ToUpper(hash), unknownScript)
	s.live.Set(workspace.Settings{})
	c.want("+OK\r\n", "EVALSHA", hash, "0", "3")
}

func TestScriptsAreFollowedToTheirTailCalls(t *testing.T) {
	for text, want := range map[string]string{
		"return redis.call('a', (1))":                                     "return( redis.call('a', (1)))",
		"if x then return redis.call(t[1],{}) end":                        "if x then return( redis.call(t[1],{})) end",
		"local c=redis.call\nreturn c(1)":                                 "local c=redis.call\nreturn( c(1))",
		"local c=redis.call\nc=f\nreturn c(1)":                            "local c=redis.call\nc=f\nreturn c(1)",
		"local c=redis.call\nlocal function c() end\nreturn c(1)":         "local c=redis.call\nlocal function c() end\nreturn c(1)",
		"local c=redis.call or f return c(1)":                             "local c=redis.call or f return c(1)",
		"return redis.call(1).ok":                                         "return redis.call(1).ok",
		"return redis.call(1)+1":                                          "return redis.call(1)+1",
		"return x.redis.call(1)":                                          "return x.redis.call(1)",
		"return redis.call(1":                                             "return redis.call(1",
		"local s='return redis.call(1)' --return redis.call(1)\nreturn s": "local s='return redis.call(1)' --return redis.call(1)\nreturn s",
		"return redis.call('\\')') --[==[ ]] ]==]":                        "return( redis.call('\\')')) --[==[ ]] ]==]",
		"return redis.call(function() return redis.call(1) end)":          "return( redis.call(function() return redis.call(1) end))",
		"return 'not closed":                                              "return 'not closed",
	} {
		if got := string(appendScriptBody(nil, []byte(text))); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", text, got, want)
		}
	}
	// A hostile text takes no more than its length.
	hostile := []byte(strings.Repeat("return redis.call(", maxHeld/len("return redis.call(")))
	if got := appendScriptBody(nil, hostile); string(got) != string(hostile) {
		t.Error("brackets that do not close were changed")
	}
	if !slices.Equal(strings.Fields(scriptPrologue(newCommands()))[:1], []string{"local"}) || strings.Contains(scriptPrologue(newCommands()), "\n") {
		t.Error("the prologue is not one line of Lua")
	}
}

// TestTransactionsThatEndGiveBackTheirRoom ends transactions with scripts in
// each way.
func TestTransactionsThatEndGiveBackTheirRoom(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{MaxKeys: 1000})
	g := &w.protocol.space(s.live.ID).gate
	held := func() int64 {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.inFlight + g.parked
	}
	for _, end := range []string{"EXEC", "DISCARD", "RESET", "QUIT", ""} {
		c := s.connect(t)
		c.must("MULTI")
		c.must("EVAL", "return redis.call('SET', ARGV[1], 'x')", "0", "a")
		c.must("EVAL", "return redis.call('SET', ARGV[1], 'x')", "0", "b")
		if n := held(); n != 2*minQueued {
			t.Errorf("before %q: %d places are held, want %d", end, n, 2*minQueued)
		}
		if end != "" {
			c.must(end)
		}
		if end == "QUIT" || end == "" {
			c.conn.Close()
		}
		wiretest.Await(t, "the room is given back after "+end, func() bool { return held() == 0 })
	}
}
