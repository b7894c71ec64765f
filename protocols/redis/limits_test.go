package redis

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// size is how many keys the server counts.
func size(t testing.TB, c *client) int {
	t.Helper()
	n, err := strconv.Atoi(strings.Trim(c.must("DBSIZE"), ":\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func isFull(reply string) bool {
	return strings.HasPrefix(reply, "-ERR max_keys limit reached (workspace ")
}

// TestNeverMoreKeysThanAllowed has 32 writers add, update and delete keys of
// all kinds at the limit, with and without pipelines, transactions, scripts that
// do not name their keys, and expiries, while the server's own count is watched.
func TestNeverMoreKeysThanAllowed(t *testing.T) {
	const limit, writers, rounds = 50, 32, 150
	const script = `redis.call('SET', ARGV[1], 'v') redis.call('DEL', ARGV[2]) redis.call('APPEND', ARGV[3], 'v') return 1`
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{MaxKeys: limit, DefaultTTL: 500})
	watcher := s.admin(t)
	var running sync.WaitGroup
	var refused, added atomic.Int64
	done := make(chan struct{})
	for i := range writers {
		c := s.connect(t)
		running.Go(func() {
			for n := range rounds {
				key := fmt.Sprintf("k%d", (n*7+i*13)%80)
				var replies []string
				switch n % 11 {
				case 0:
					replies = append(replies, c.do("SET", key, "v"))
				case 1:
					c.send(appendCommand(appendCommand(nil, "SETNX", key+"l", "v"), "APPEND", key, "v"))
					replies = append(replies, c.read(), c.read())
				case 2:
					c.must("MULTI")
					c.must("SET", key, "v")
					c.must("SET", key+"m", "v")
					replies = append(replies, c.do("EXEC"))
				case 3:
					replies = append(replies, c.do("MSET", key, "v", key+"n", "v"))
				case 4:
					c.must("DEL", key, key+"l", key+"m", key+"n")
				case 5:
					replies = append(replies, c.do("EVAL", script, "0", key, key+"l", key+"s"))
				case 6:
					c.must("MULTI")
					c.must("EVAL", script, "1", key+"s", key+"t", key+"n", key+"s")
					c.must("SETNX", key+"m", "v")
					replies = append(replies, c.do("EXEC"))
				case 7:
					replies = append(replies, c.do("SET", key+"x", "v", "PX", "3"))
				case 9:
					if got := c.do("RENAME", key, key+"r"); got[0] != '-' || isFull(got) {
						replies = append(replies, got)
					}
				case 10:
					c.must("MULTI")
					c.must("RENAME", key+"r", key)
					c.must("SETNX", key+"l", "v")
					if got := c.do("EXEC"); !strings.Contains(got, "-ERR no such key") {
						replies = append(replies, got)
					}
				case 8:
					c.send(appendCommand(appendCommand(nil, "EVALSHA", sha([]byte(script)), "0", key+"x", key+"s", key), "DEL", key+"t"))
					replies = append(replies, c.read(), c.read())
				}
				for _, reply := range replies {
					switch {
					case strings.HasPrefix(reply, "*2\r\n-ERR max_keys limit reached"):
						refused.Add(1)
					case reply[0] != '-':
						added.Add(1)
					case isFull(reply), strings.HasPrefix(reply, "-EXECABORT Transaction discarded because of: max_keys"):
						refused.Add(1)
					default:
						t.Errorf("got %q", reply)
						return
					}
				}
			}
		})
	}
	go func() { running.Wait(); close(done) }()
	most := 0
	for open := true; open; {
		select {
		case <-done:
			open = false
		default:
		}
		most = max(most, size(t, watcher))
	}
	if most > limit {
		t.Errorf("%d keys were seen, the limit is %d", most, limit)
	}
	if refused.Load() == 0 || added.Load() == 0 || most < limit-5 {
		t.Errorf("%d writes passed, %d were refused, %d keys at most: the limit was not met", added.Load(), refused.Load(), most)
	}
	g := &w.protocol.space(s.live.ID).gate
	wiretest.Await(t, "all claims are settled", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.inFlight == 0 && g.parked == 0
	})
}

func TestAtTheLimit(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{MaxKeys: 3})
	c := s.connect(t)
	c.must("MSET", "a", "1", "b", "2")
	c.must("RPUSH", "l", "x", "y")
	for _, command := range [][]string{
		{"SET", "new", "1"}, {"MSET", "a", "1", "new", "1"}, {"HSET", "new", "f", "v"}, {"COPY", "a", "new"}, {"LMOVE", "l", "new", "LEFT", "LEFT"},
		{"SORT", "l", "ALPHA", "STORE", "new"}, {"XGROUP", "CREATE", "new", "g", "$", "MKSTREAM"}, {"BITOP", "NOT", "new", "a"},
		{"EVAL", "return redis.call('SET',KEYS[1],1)", "1", "new"}, {"EVAL", "return redis.call('SET','new',1)", "0"},
		{"SETEX", "new", "10", "v"}, {"RESTORE", "new", "0", "x"}, {"BLMOVE", "l", "new", "LEFT", "LEFT", "0"},
	} {
		if got := c.do(command...); !isFull(got) {
			t.Errorf("%q: got %q", command, got)
		}
	}
	for command, reply := range map[string]string{
		"SET new 1 XX": "$-1", "ZADD new GT XX CH 1 m": ":0", "GEOADD new XX 1 1 m": ":0", "XADD new MAXLEN ~ 5 NOMKSTREAM * f v": "$-1",
	} {
		c.want(reply+"\r\n", strings.Fields(command)...)
	}
	for _, command := range []string{"XADD new MAXLEN 5 * NOMKSTREAM v", "ZADD new 1 xx", "XADD new * NOMKSTREAM v"} {
		if got := c.do(strings.Fields(command)...); !isFull(got) {
			t.Errorf("%s: got %q", command, got)
		}
	}
	c.want("+OK\r\n", "SET", "a", "3")
	c.want(":4\r\n", "INCR", "a")
	c.want("+OK\r\n", "RENAME", "b", "c")
	c.want("$1\r\n4\r\n", "EVAL", "return redis.call('GET',KEYS[1])", "1", "a")
	c.want("$-1\r\n", "EVAL", "return redis.call('GET',KEYS[1])", "1", "none")
	c.want(":5\r\n", "EVAL", "return redis.call('INCR',KEYS[1])", "1", "a")
	c.want("*0\r\n", "LRANGE", "none", "0", "-1")
	c.want(":1\r\n", "DEL", "c")
	c.want("+OK\r\n", "SET", "new", "1")
	if got := c.do("SET", "more", "1"); !isFull(got) {
		t.Errorf("after a place was freed and taken: got %q", got)
	}
	c.want(":1\r\n", "PEXPIRE", "new", "1")
	wiretest.Await(t, "the key has expired", func() bool { return c.do("GET", "new") == "$-1\r\n" })
	c.want("+OK\r\n", "SET", "new", "1")
}

func TestExpiredKeysThatNobodyMetFreeTheirPlaces(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{MaxKeys: 100})
	admin := s.admin(t)
	admin.must("DEBUG", "SET-ACTIVE-EXPIRE", "0")
	t.Cleanup(func() { adminClient(t, "0").must("DEBUG", "SET-ACTIVE-EXPIRE", "1") })
	c := s.connect(t)
	for i := range 100 {
		c.must("SET", fmt.Sprintf("k%d", i), "v", "PX", "1")
	}
	wiretest.Await(t, "the keys have expired", func() bool { return admin.do("PTTL", "k99") == ":-2\r\n" })
	if n := size(t, admin); n < 50 {
		t.Fatalf("the server has deleted all but %d keys itself", n)
	}
	for i := range 100 {
		c.want("+OK\r\n", "SET", fmt.Sprintf("n%d", i), "v")
	}
	if got := c.do("SET", "more", "v"); !isFull(got) {
		t.Errorf("over the limit: got %q", got)
	}
}

func TestFarFromTheLimitNothingIsAsked(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{MaxKeys: 1_000_000})
	c, admin := s.connect(t), s.admin(t)
	c.must("SET", "a", "1")
	admin.must("CONFIG", "RESETSTAT")
	for i := range 200 {
		c.must("SET", fmt.Sprintf("k%d", i), "v")
	}
	if stats := admin.must("INFO", "commandstats"); strings.Contains(stats, "cmdstat_dbsize") || strings.Contains(stats, "cmdstat_exists") {
		t.Errorf("the server was asked:\n%s", stats)
	}
}

func TestAClientThatLeavesSettlesItsClaims(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{MaxKeys: 3})
	for range 20 {
		c := s.connect(t)
		c.send(appendCommand(nil, "SET", "a", "1"))
		c.send(appendCommand(nil, "BLMOVE", "none", "b", "LEFT", "LEFT", "0"))
		s.awaitBlocked(t)
		c.conn.Close()
	}
	g := &w.protocol.space(s.live.ID).gate
	wiretest.Await(t, "all claims are settled", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.inFlight == 0 && g.parked == 0
	})
	c := s.connect(t)
	c.must("SET", "x", "1")
	c.must("SET", "y", "1")
	if got := c.do("SET", "z", "1"); !isFull(got) {
		t.Errorf("over the limit: got %q", got)
	}
}

// TestATurnAtTheLimitMayBeLongInComing: where many write at the limit, each is
// told that it is reached, however long it waited for the others.
func TestATurnAtTheLimitMayBeLongInComing(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{MaxKeys: 1})
	c := s.connect(t)
	c.must("SET", "a", "x")
	g := &w.protocol.space(s.live.ID).gate
	g.deciding.Lock()
	g.server.conn.Close() // it has to be dialled anew
	c.send(appendCommand(nil, "SET", "b", "x"))
	time.Sleep(askTimeout + 100*time.Millisecond)
	g.deciding.Unlock()
	if got := c.read(); !isFull(got) {
		t.Errorf("after its turn: got %q", got)
	}
	g.deciding.Lock()
	g.failed = time.Now().Add(time.Minute)
	g.deciding.Unlock()
	for _, command := range []string{"SET b x", "EVAL return(1) 0"} {
		if got := c.do(strings.Fields(command)...); !strings.Contains(got, "can't be counted now") {
			t.Errorf("%s, where another could not ask meanwhile: got %q", command, got)
		}
	}
}
