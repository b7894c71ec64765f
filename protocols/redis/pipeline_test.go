package redis

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// TestAPipelineMayBeWrittenBeforeAnythingIsRead: most libraries write a pipeline
// to its end before they read, and the replies may be more than the sockets hold.
func TestAPipelineMayBeWrittenBeforeAnythingIsRead(t *testing.T) {
	c := newWorld(t).workspace(t, workspace.Settings{}).connect(t)
	key, value := strings.Repeat("k", 200), strings.Repeat("v", 200)
	c.must("SET", key, value)
	const n = maxOwed + maxOwed/4
	gets := bytes.Repeat(appendCommand(nil, "GET", key), n)
	// What waits for its turn waits for a while only.
	c.send(slices.Concat(gets, appendCommand(nil, "INFO", "keyspace"), gets, appendCommand(nil, "PING")))
	for _, next := range []string{"$", "+PONG"} {
		if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		rest := int64(n*len("$200\r\n"+value+"\r\n") - len(c.buf))
		if more, err := io.CopyN(io.Discard, c.conn, rest); err != nil {
			t.Fatalf("read %d bytes of %d: %v", more, rest, err)
		}
		c.buf = nil
		if got := c.read(); !strings.HasPrefix(got, next) {
			t.Errorf("got %.100q, want %s…", got, next)
		}
	}
}

// TestWhatTheProxyAnswersComesInItsTurn: it is true of what the commands before
// it in the pipeline did.
func TestWhatTheProxyAnswersComesInItsTurn(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{})
	const keyspace = "# Keyspace\r\ndb0:keys="
	for range 20 {
		c := s.connect3(t)
		var pipeline []byte
		for _, line := range []string{"SET k v", "INFO keyspace", "DEL k", "INFO keyspace"} {
			pipeline = appendCommand(pipeline, strings.Fields(line)...)
		}
		c.send(pipeline)
		if got := c.read() + c.read(); !strings.Contains(got, keyspace+"1,") {
			t.Errorf("behind SET: got %q", got)
		}
		if got := c.read() + c.read(); strings.Contains(got, keyspace) {
			t.Errorf("behind DEL: got %q", got)
		}
		c.send([]byte("SUBSCRIBE a\nPUBSUB NUMSUB a\nPSUBSCRIBE n* ne*\nPUBSUB NUMPAT\nUNSUBSCRIBE\nPUBSUB CHANNELS\n"))
		c.expect(frame(true, "subscribe", "a", 1), "*2\r\n$1\r\na\r\n:1\r\n",
			frame(true, "psubscribe", "n*", 2), frame(true, "psubscribe", "ne*", 3), ":2\r\n",
			frame(true, "unsubscribe", "a", 2), "*0\r\n")
		c.send([]byte("CLIENT KILL TYPE normal SKIPME no\nPUNSUBSCRIBE n*\nPUNSUBSCRIBE\nCLIENT KILL TYPE pubsub SKIPME no\nPING\n"))
		c.expect(":0\r\n", frame(true, "punsubscribe", "n*", 1), frame(true, "punsubscribe", "ne*", 0), ":0\r\n", "+PONG\r\n")
	}
}

// TestPublishCountsInEveryTurn: as Redis counts, right behind a PSUBSCRIBE and in
// a transaction, too.
func TestPublishCountsInEveryTurn(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{})
	for range 20 {
		c := s.connect3(t)
		c.send([]byte("PSUBSCRIBE n*\nPSUBSCRIBE ne*\nPUBLISH other m\nPUNSUBSCRIBE ne*\nMULTI\nPUBLISH other m\nPUBLISH n\nEXEC\nMULTI\nPUBLISH other m\nSPUBLISH new m\nECHO x\nEXEC\nPUNSUBSCRIBE\n"))
		c.expect(frame(true, "psubscribe", "n*", 1), frame(true, "psubscribe", "ne*", 2), ":0\r\n", frame(true, "punsubscribe", "ne*", 1),
			"+OK\r\n", "+QUEUED\r\n", "-ERR wrong number of arguments for 'publish' command\r\n", "-EXECABORT Transaction discarded because of previous errors.\r\n",
			"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "*3\r\n:0\r\n:0\r\n$1\r\nx\r\n", frame(true, "punsubscribe", "n*", 0))
		listener, other := s.connect(t), s.connect(t)
		listener.send(appendCommand(nil, "PSUBSCRIBE", "a*", "ab*"))
		listener.expect(frame(false, "psubscribe", "a*", 1), frame(false, "psubscribe", "ab*", 2))
		other.must("MULTI")
		other.must("PUBLISH", "abc", "m")
		other.must("PUBLISH", "b", "m")
		other.want("*2\r\n:2\r\n:0\r\n", "EXEC")
		listener.send([]byte("PUNSUBSCRIBE\n"))
		for range 4 {
			listener.read()
		}
	}
}
