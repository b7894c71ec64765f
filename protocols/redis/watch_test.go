package redis

import (
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestAWatchOutlivesWrites(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{DefaultTTL: 100})
	c, other := s.connect(t), s.connect(t)
	c.must("WATCH", "seen")
	c.want(":1\r\n", "HSET", "h", "f", "v")
	c.wantTTL(":100\r\n", "h")
	other.must("SET", "seen", "2")
	c.must("MULTI")
	c.must("SET", "k", "1")
	c.want("*-1\r\n", "EXEC")
	c.must("WATCH", "seen")
	c.want(":1\r\n", "HSET", "h2", "f", "v")
	c.must("MULTI")
	c.must("HSET", "h3", "f", "v")
	c.want("*1\r\n:1\r\n", "EXEC")
	c.wantTTL(":100\r\n", "h3")
}

// TestAWatchEndsAsInRedis: what Redis refuses ends no watch, which a transaction
// of hidden commands would then be ended by.
func TestAWatchEndsAsInRedis(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{DefaultTTL: 100})
	other := s.connect(t)
	for command, reply := range map[string]string{
		"EXEC": "-ERR EXEC without MULTI\r\n", "DISCARD": "-ERR DISCARD without MULTI\r\n",
		"UNWATCH x": "-ERR wrong number of arguments for 'unwatch' command\r\n",
	} {
		c := s.connect(t)
		c.must("WATCH", "seen")
		c.want(reply, strings.Fields(command)...)
		other.must("APPEND", "seen", "x")
		c.want(":1\r\n", "HSET", "h"+command, "f", "v")
		c.wantTTL(":100\r\n", "h"+command)
		c.must("MULTI")
		c.want("*-1\r\n", "EXEC")
		c.want(":1\r\n", "HSET", "h"+command, "g", "v")
	}
	c := s.connect(t)
	c.must("WATCH", "seen")
	c.must("SUBSCRIBE", "news")
	c.want("+RESET\r\n", "RESET")
	other.must("APPEND", "seen", "x")
	c.want(":1\r\n", "HSET", "h", "f", "v")
}
