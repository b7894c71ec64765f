package redis

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// repliesAndPushes reads n replies, and the pushes among them and behind them up
// to the reply of a PING.
func (c *client) repliesAndPushes(n int) (replies, pushes []string) {
	c.t.Helper()
	c.send(appendCommand(nil, "PING"))
	for len(replies) <= n {
		if got := c.read(); got[0] == '>' {
			pushes = append(pushes, got)
		} else {
			replies = append(replies, got)
		}
	}
	return replies[:n], pushes
}

// TestPushesComeBetweenReplies: Redis 7.0 sends a client what it is told of its
// own commands within the replies to these, where no client can take it.
func TestPushesComeBetweenReplies(t *testing.T) {
	for name, settings := range map[string]workspace.Settings{"no settings": {}, "settings for keys": {DefaultTTL: 1000, MaxKeys: 1000}} {
		t.Run(name, func(t *testing.T) {
			s := newWorld(t).workspace(t, settings)
			c := s.connect3(t)
			c.must("ZADD", "z", "1", "a", "2", "b")
			c.must("CLIENT", "TRACKING", "ON")
			c.must("SUBSCRIBE", "news")
			c.send([]byte("MULTI\r\nSET x 1\r\nHSET h f v\r\nPUBLISH news hello\r\nHGETALL h\r\nEXEC\r\nZPOPMIN z 2\r\n"))
			replies, pushes := c.repliesAndPushes(7)
			want := []string{"*4\r\n+OK\r\n:1\r\n:1\r\n%1\r\n$1\r\nf\r\n$1\r\nv\r\n", "*2\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2\r\n"}
			if got := replies[5:]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("replies: got %q, want %q", got, want)
			}
			for _, push := range []string{invalid(true, "x"), invalid(true, "h"), invalid(true, "z"), frame(true, "message", "news", "hello")} {
				if !strings.Contains(strings.Join(pushes, ""), push) {
					t.Errorf("pushes: got %q, want %q among them", pushes, push)
				}
			}
			if strings.Contains(strings.Join(pushes, ""), "keyspace") {
				t.Errorf("pushes: %q show how the proxy learns of changes", pushes)
			}
		})
	}
}

// TestPushesWithinAReplyAreBounded: a transaction can change more keys than are
// to be held.
func TestPushesWithinAReplyAreBounded(t *testing.T) {
	const writes = 30_000
	s := newWorld(t).workspace(t, workspace.Settings{})
	c := s.connect3(t)
	c.must("CLIENT", "TRACKING", "ON")
	batch := []byte("MULTI\r\n")
	for i := range writes {
		batch = fmt.Appendf(batch, "SET key:%d v\r\n", i)
	}
	c.send(append(batch, "EXEC\r\n"...))
	replies, pushes := c.repliesAndPushes(writes + 2)
	if got, want := replies[writes+1], fmt.Sprintf("*%d\r\n", writes)+strings.Repeat("+OK\r\n", writes); got != want {
		t.Errorf("EXEC: got %d bytes, want %d", len(got), len(want))
	}
	told := strings.Join(pushes, "")
	if !strings.Contains(told, invalid(true)) && strings.Count(told, "invalidate") < writes {
		t.Errorf("%d keys were told, want %d or all", strings.Count(told, "invalidate"), writes)
	}
}
