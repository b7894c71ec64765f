package redis

import (
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestFirstCommands(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	c := s.connect(t)
	c.want("+PONG\r\n", "PING")
	c.want("+OK\r\n", "SET", "a", "1")
	c.want("$1\r\n1\r\n", "GET", "a")
	c.want("+OK\r\n", "SELECT", "0")
	c.want("-"+errOtherDatabase+"\r\n", "SELECT", "1")
	c.send([]byte("SET b \"x y\"\r\nGET b\r\n"))
	if got := c.read() + c.read(); got != "+OK\r\n$3\r\nx y\r\n" {
		t.Errorf("inline: got %q", got)
	}
	c.want("+OK\r\n", "MULTI")
	c.want("+QUEUED\r\n", "INCR", "a")
	c.want("*1\r\n:2\r\n", "EXEC")
	c.want(":2\r\n", "DBSIZE")
	t.Log(c.do("INFO"), c.do("CLIENT", "LIST"), c.do("MONITOR"))
	c3 := s.connect3(t)
	c3.want("$1\r\n2\r\n", "GET", "a")
	c3.want("%0\r\n", "HGETALL", "h")
	c3.want("+OK\r\n", "QUIT")
	if got := c3.ended(); got != "" {
		t.Errorf("after QUIT: got %q", got)
	}
}

func TestFirstSettings(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{DefaultTTL: 100, Patterns: map[string]workspace.Pattern{"p:*": {TTL: 50}}})
	c := s.connect(t)
	c.want("+OK\r\n", "SET", "a", "1")
	c.want(":100\r\n", "TTL", "a")
	c.want(":1\r\n", "HSET", "p:h", "f", "v")
	c.want(":50\r\n", "TTL", "p:h")
	c.want(":1\r\n", "PERSIST", "p:h")
	c.want(":1\r\n", "HSET", "p:h", "g", "v")
	c.want(":-1\r\n", "TTL", "p:h")
	c.want("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", "LPUSH", "p:h", "g")
	c.want("-ERR wrong number of arguments for 'lpush' command\r\n", "LPUSH", "x")
	c.want("+OK\r\n", "MULTI")
	c.want("+QUEUED\r\n", "RPUSH", "l", "1", "2")
	c.want("+QUEUED\r\n", "TTL", "l")
	c.want("+QUEUED\r\n", "LRANGE", "l", "0", "-1")
	c.want("*3\r\n:2\r\n:100\r\n*2\r\n$1\r\n1\r\n$1\r\n2\r\n", "EXEC")
	c.want(":1\r\n", "COPY", "l", "p:l")
	c.want(":100\r\n", "TTL", "p:l")
	c.want("$1\r\n1\r\n", "EVAL", "redis.call('SET',KEYS[1],1) return redis.call('GET',KEYS[1])", "1", "s")
	c.want(":100\r\n", "TTL", "s")
	c.want(":5\r\n", "DBSIZE")
}

func TestFirstLimit(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{MaxKeys: 2})
	c := s.connect(t)
	c.want("+OK\r\n", "SET", "a", "1")
	c.want("+OK\r\n", "SET", "b", "1")
	t.Log(c.do("SET", "c", "1"))
	c.want("+OK\r\n", "SET", "b", "2", "PX", "20")
	c.want(":2\r\n", "INCR", "a")
	c.want("*-1\r\n", "BLPOP", "nothing", "0.05")
	c.want("+OK\r\n", "SET", "c", "1")
	c.want("+OK\r\n", "MULTI")
	c.want("+QUEUED\r\n", "SET", "d", "1")
	t.Log(c.do("EXEC"))
	t.Log(c.do("EVAL", "return redis.call('SET',KEYS[1],1)", "1", "d"))
	c.want("$-1\r\n", "EVAL", "return redis.call('GET',KEYS[1])", "1", "d")
}
