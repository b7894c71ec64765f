package redis

import (
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tidwall/redcon"
)

// TestScriptsPublishOnTheWorkspacesChannels: Bull, Redisson and others do so to
// tell of jobs and locks, and know of no prefix.
func TestScriptsPublishOnTheWorkspacesChannels(t *testing.T) {
	const script = "local n = redis.call('PUBLISH', KEYS[1], ARGV[1]) redis.pcall('Publish', 12, ARGV[1])\nreturn n"
	hash := sha([]byte(script))
	for name, settings := range map[string]workspace.Settings{"no settings": {}, "settings for keys": {DefaultTTL: 1000, MaxKeys: 1000}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.workspace(t, settings)
			c, listener, foreign := s.connect(t), s.connect(t), w.workspace(t, workspace.Settings{}).connect(t)
			for _, l := range []*client{listener, foreign} {
				l.must("SUBSCRIBE", "jobs")
				l.must("SUBSCRIBE", "12")
				l.must("SUBSCRIBE", "__keyspace@0__:k")
			}
			heard := func(channel, message string) {
				t.Helper()
				listener.expect(frame(false, "message", channel, message))
				listener.expect(frame(false, "message", "12", message))
			}
			if got := c.do("EVALSHA", hash, "1", "jobs", "0"); !strings.HasPrefix(got, "-NOSCRIPT") {
				t.Errorf("before it was sent: got %q", got)
			}
			c.want("*1\r\n:0\r\n", "SCRIPT", "EXISTS", hash)
			c.want(":1\r\n", "EVAL", script, "1", "jobs", "1")
			heard("jobs", "1")
			c.want(":1\r\n", "EVALSHA", strings.ToUpper(hash), "1", "jobs", "2")
			heard("jobs", "2")
			c.want(string(redcon.AppendBulkString(nil, hash)), "SCRIPT", "LOAD", script)
			c.want("*2\r\n:1\r\n:0\r\n", "SCRIPT", "EXISTS", hash, unknownScript)
			c.must("MULTI")
			c.must("EVALSHA", hash, "1", "jobs", "3")
			c.must("EVAL", script, "1", "__keyspace@0__:k", "set")
			c.want("*2\r\n:1\r\n:1\r\n", "EXEC")
			heard("jobs", "3")
			heard("__keyspace@0__:k", "set")
			c.want(":0\r\n", "EVAL", script, "1", "none", "4")
			listener.expect(frame(false, "message", "12", "4"))
			if got := c.do("EVAL", "local x\nredis.call('PUBLISH', 'jobs')", "0"); !strings.HasSuffix(got, "on @user_script:2.\r\n") || !strings.HasPrefix(got, "-ERR Wrong number of args") {
				t.Errorf("PUBLISH without a message: got %q", got)
			}
			foreign.want("*2\r\n$4\r\npong\r\n$0\r\n\r\n", "PING")
		})
	}
}

// TestScriptsThatDoNotPublishPassWithoutSettings: their hashes are the server's.
func TestScriptsThatDoNotPublishPassWithoutSettings(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{})
	c, direct := s.connect(t), s.direct(t)
	const script = "return redis.call('INCR', KEYS[1])"
	c.want(":1\r\n", "EVAL", script, "1", "n")
	direct.want(":2\r\n", "EVALSHA", sha([]byte(script)), "1", "n")
	c.must("EVAL", "return redis.call('PUBLISH', 'a', 'b')", "0")
	c.want(":3\r\n", "EVALSHA", sha([]byte(script)), "1", "n")
	long := "return 1 --publish " + strings.Repeat("x", maxHeld)
	c.want(":1\r\n", "EVAL", long, "0")
	c.want(":1\r\n", "EVALSHA", sha([]byte(long)), "0")
	c.want(string(redcon.AppendBulkString(nil, sha([]byte(long)))), "SCRIPT", "LOAD", long)
}
