package redis

import (
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// connections is how many connections the server has ever had.
func connections(t testing.TB, admin *client) string {
	t.Helper()
	_, after, found := strings.Cut(admin.must("INFO", "stats"), "total_connections_received:")
	count, _, _ := strings.Cut(after, "\r\n")
	if !found {
		t.Fatal("INFO has no total_connections_received")
	}
	return count
}

// TestQuestionsToTheServerShareAConnection: whoever listens to notifications,
// or asks for INFO, costs the server no connection of the administrator each.
func TestQuestionsToTheServerShareAConnection(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{})
	admin := adminClient(t, "0")
	t.Cleanup(func() { admin.must("CONFIG", "SET", "notify-keyspace-events", "KEA") })
	c := s.connect3(t)
	c.must("INFO")
	before := connections(t, admin)
	c.must("INFO")
	for _, channel := range []string{"__keyevent@0__:set", "__keyspace@0__:k"} {
		admin.must("CONFIG", "SET", "notify-keyspace-events", "")
		c.send(appendCommand(nil, "SUBSCRIBE", channel))
		if got := c.read(); !strings.HasPrefix(got, ">3\r\n$9\r\nsubscribe\r\n") {
			t.Fatalf("SUBSCRIBE: got %q", got)
		}
	}
	c.must("PUBSUB", "CHANNELS")
	if after := connections(t, admin); after != before {
		t.Errorf("the server had %s connections, then %s", before, after)
	}

	// Who tracks and who listens may both find them off: each asks for all.
	admin.must("CONFIG", "SET", "notify-keyspace-events", "")
	s.connect3(t).must("CLIENT", "TRACKING", "ON")
	if got := admin.must("CONFIG", "GET", "notify-keyspace-events"); !strings.Contains(got, "E") {
		t.Errorf("notify-keyspace-events: got %q", got)
	}

	// The server closes those of the administrator, as one that starts anew.
	admin.must("CONFIG", "SET", "notify-keyspace-events", "")
	admin.must("CLIENT", "KILL", "USER", "default", "SKIPME", "yes")
	c.send(appendCommand(nil, "PSUBSCRIBE", "__keyevent@*:del"))
	c.expect(frame(true, "psubscribe", "__keyevent@*:del", 3))
	if got := admin.must("CONFIG", "GET", "notify-keyspace-events"); !strings.Contains(got, "E") {
		t.Errorf("notify-keyspace-events: got %q", got)
	}
}
