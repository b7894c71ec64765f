package redis

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// TestAPipelineMayBeWrittenBeforeAnythingIsRead: most libraries write a pipeline
// to its end before they read, and the replies may be more than the sockets hold.
func TestAPipelineMayBeWrittenBeforeAnythingIsRead(t *testing.T) {
	w := newWorld(t)
	for _, settings := range []workspace.Settings{{}, {MaxKeys: 10, DefaultTTL: 100}} {
		c := w.workspace(t, settings).connect(t)
		key, value := strings.Repeat("k", 200), strings.Repeat("v", 200)
		c.must("SET", key, value)
		const n = 2 * maxOwed
		c.send(bytes.Repeat(appendCommand(nil, "GET", key), n))
		if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		got := int64(len(c.buf))
		more, err := io.CopyN(io.Discard, c.conn, int64(n*len("$200\r\n"+value+"\r\n"))-got)
		if err != nil {
			t.Fatalf("read %d bytes: %v", got+more, err)
		}
		c.buf = nil
		c.want("+PONG\r\n", "PING")
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
