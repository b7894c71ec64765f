package redis

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// templates are commands of every kind with a reply that depends on the data
// alone: k, i, f, m, s and n stand for a key, an id, a field, a member, a score
// and a number.
const templates = `
SET k m|SET k m NX|SET k m XX GET|SET k m EX 1000|SET k m KEEPTTL|SET k m EX|SET k m PX 0|SET k|SETNX k m|SETEX k 100 m|PSETEX k 100000 m
GET k|GETSET k m|GETDEL k|GETEX k EX 500|GETEX k PERSIST|GETRANGE k 0 n|SETRANGE k n m|STRLEN k|APPEND k m|SUBSTR k 0 n
INCR k|DECR k|INCRBY k 9007199254740993|DECRBY k n|INCRBYFLOAT k s|MSET k m k m|MSET k m k|MSETNX k m k m|MGET k k k|LCS k k|LCS k k LEN
SETBIT k n 1|GETBIT k n|BITCOUNT k|BITPOS k 1|BITOP AND k k k|BITOP NOT k k|BITFIELD k INCRBY u8 n 1 GET u4 0|BITFIELD_RO k GET u4 0
HSET k f m f m|HSET k f|HSETNX k f m|HGET k f|HMSET k f m|HMGET k f f|HGETALL k|HDEL k f|HLEN k|HEXISTS k f|HINCRBY k f n|HINCRBYFLOAT k f s|HKEYS k|HVALS k|HSTRLEN k f|HRANDFIELD k 0
LPUSH k m m|RPUSH k m|LPUSHX k m|RPUSHX k m|LPOP k|RPOP k 2|LPOP k -1|LRANGE k 0 -1|LLEN k|LINDEX k n|LINSERT k BEFORE m m|LSET k 0 m|LREM k 0 m|LTRIM k 0 n|LPOS k m|LMOVE k k LEFT RIGHT|RPOPLPUSH k k|LMPOP 2 k k LEFT
BLPOP k 0.01|BRPOP k k 0.01|BLMOVE k k LEFT LEFT 0.01|BRPOPLPUSH k k 0.01|BLMPOP 0.01 1 k LEFT|BZPOPMIN k 0.01|BZMPOP 0.01 1 k MAX
SADD k m m|SREM k m|SISMEMBER k m|SMISMEMBER k m m|SCARD k|SMOVE k k m|SINTERCARD 2 k k|SINTERSTORE k k k|SUNIONSTORE k k k|SDIFFSTORE k k k|SORT k ALPHA|SORT k ALPHA STORE k|SORT k BY nosort GET # STORE k|SORT_RO k ALPHA LIMIT 0 n
ZADD k s m s m|ZADD k NX s m|ZADD k INCR s m|ZADD k XX CH s m|ZINCRBY k s m|ZSCORE k m|ZMSCORE k m m|ZCARD k|ZCOUNT k -inf +inf|ZRANGE k 0 -1 WITHSCORES|ZRANGE k 0 n REV|ZRANGEBYSCORE k 0 10|ZRANGEBYLEX k - +|ZRANK k m|ZREVRANK k m|ZREM k m|ZPOPMIN k|ZPOPMAX k 2|ZREMRANGEBYRANK k 0 n|ZMPOP 1 k MIN|ZUNIONSTORE k 2 k k|ZINTERSTORE k 2 k k WEIGHTS 1 2|ZDIFFSTORE k 2 k k|ZRANGESTORE k k 0 -1|ZUNION 2 k k WITHSCORES|ZINTER 2 k k|ZDIFF 2 k k|ZLEXCOUNT k - +|ZINTERCARD 2 k k
PFADD k m m|PFCOUNT k k|PFMERGE k k k|GEOADD k 13.361389 38.115556 m|GEOADD k 15.087269 37.502669 m|GEODIST k m m|GEOHASH k m|GEOPOS k m|GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHDIST|GEOSEARCHSTORE k k FROMLONLAT 15 37 BYRADIUS 200 km|GEORADIUS k 15 37 200 km STORE k|GEORADIUSBYMEMBER k m 100 km
XADD k i f m|XADD k NOMKSTREAM i f m|XADD k MAXLEN 3 i f m|XLEN k|XRANGE k - +|XREVRANGE k + - COUNT 2|XDEL k i|XTRIM k MAXLEN 2|XREAD COUNT 2 STREAMS k 0|XREAD BLOCK 5 STREAMS k $|XGROUP CREATE k g 0|XGROUP CREATE k g 0 MKSTREAM|XGROUP CREATECONSUMER k g c|XGROUP DESTROY k g|XREADGROUP GROUP g c COUNT 1 STREAMS k >|XACK k g i|XPENDING k g|XINFO GROUPS k|XSETID k 9-9|XGROUP SETID k g 0
DEL k k|UNLINK k|EXISTS k k|TYPE k|EXPIRE k 1000|EXPIRE k 1000 NX|EXPIREAT k 99999999999|PEXPIRE k 99999999|TTL k|EXPIRETIME k|PERSIST k|RENAME k k|RENAMENX k k|COPY k k|COPY k k REPLACE|TOUCH k k|DUMP k|DBSIZE|FLUSHDB|FLUSHALL ASYNC|FLUSHALL WRONG
MULTI|MULTI|EXEC|EXEC|DISCARD|WATCH k|UNWATCH|PING|PING m|ECHO m|SELECT 0|SELECT|WAIT 0 0|TIME x|NOSUCHCOMMAND m|OBJECT NOSUCH k|GET|CLIENT GETNAME|CLIENT SETNAME m|CLIENT REPLY ON|CLIENT TRACKINGINFO
EVAL return(redis.call('GET',KEYS[1])) 1 k|EVAL return{1,'a',{2,false}} 0|EVAL redis.call('SET',KEYS[1],ARGV[1]) 1 k m|EVAL return(redis.call('NOSUCH')) 0|EVAL_RO return(redis.call('TYPE',KEYS[1])) 1 k|EVAL return(1) -1|EVAL return(1) 5 k|EVALSHA 0000000000000000000000000000000000000000 0|SCRIPT EXISTS 0000000000000000000000000000000000000000
PUBLISH m m|SPUBLISH m m|PUBLISH m|LOLWUT VERSION 1 1 1|COMMAND COUNT|MEMORY USAGE nokey|RESTORE k 0 garbage`

// fill is a random command of a template.
func fill(random *rand.Rand, template string) []string {
	words := strings.Fields(template)
	for i, word := range words[1:] {
		switch word {
		case "k":
			words[i+1] = fmt.Sprintf("key:%d", random.IntN(6))
		case "i":
			words[i+1] = fmt.Sprintf("%d-%d", random.IntN(6), random.IntN(3))
		case "f":
			words[i+1] = fmt.Sprintf("field%d", random.IntN(4))
		case "m":
			words[i+1] = []string{"a", "b", "1", "2.5", "", "x\r\ny", strings.Repeat("long", 30), "\x00\xff"}[random.IntN(8)]
		case "s":
			words[i+1] = []string{"1", "2.5", "-3", "1e2", "inf", "0.1"}[random.IntN(6)]
		case "n":
			words[i+1] = fmt.Sprint(random.IntN(9))
		}
	}
	return words
}

// allTemplates are the templates one by one.
func allTemplates() []string {
	var all []string
	for line := range strings.SplitSeq(strings.TrimSpace(templates), "\n") {
		all = append(all, strings.Split(line, "|")...)
	}
	return all
}

// newRandom is a random source whose seed the test prints.
func newRandom(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// TestRepliesAreThoseOfADirectConnection runs random commands on an empty
// database through the proxy and on another directly: the replies are the same
// bytes.
func TestRepliesAreThoseOfADirectConnection(t *testing.T) {
	w := newWorld(t)
	for _, protocol := range []string{"2", "3"} {
		for _, depth := range []int{1, 50} {
			t.Run(fmt.Sprintf("RESP%s, %d at a time", protocol, depth), func(t *testing.T) {
				random := newRandom(t)
				through, direct := w.workspace(t, workspace.Settings{}), w.workspace(t, workspace.Settings{})
				a, b := through.connect(t), direct.admin(t)
				a.must("HELLO", protocol)
				b.must("HELLO", protocol)
				compare(t, random, a, b, direct.route.Database, 3000, depth)
			})
		}
	}
}

// compare runs n random commands on both, depth of them at a time;
// database is b's.
func compare(t *testing.T, random *rand.Rand, a, b *client, database string, n, depth int) {
	t.Helper()
	all := allTemplates()
	queues := false // between MULTI and what ends it
	for done := 0; done < n; done += depth {
		var sent [][]string
		var through, direct []byte
		for range depth {
			command := fill(random, all[random.IntN(len(all))])
			switch {
			case command[0] == "MULTI", command[0] == "EXEC", command[0] == "DISCARD":
				queues = command[0] == "MULTI"
			case command[0] == "DUMP" && queues:
				command[0] = "TYPE" // sameValue wants a reply of its own
			}
			sent = append(sent, command)
			through = appendCommand(through, command...)
			switch {
			case command[0] == "FLUSHALL": // directly it would empty both databases
				command = append([]string{"FLUSHDB"}, command[1:]...)
			case command[0] == "SELECT" && len(command) == 2:
				command = []string{"SELECT", database}
			}
			direct = appendCommand(direct, command...)
		}
		a.send(through)
		b.send(direct)
		for _, command := range sent {
			got, want := a.read(), b.read()
			if got != want && !(command[0] == "DUMP" && sameValue(t, got, want)) {
				t.Fatalf("%q: got %.300q, want %.300q", command, got, want)
			}
		}
	}
}

// sameValue says whether two replies to DUMP are of the same value. A key that
// COPY made is encoded as RESTORE does it, which may be more compact than its
// source: a set of numbers that once had a word among them, say.
func sameValue(t *testing.T, got, want string) bool {
	t.Helper()
	if got[0] != '$' || want[0] != '$' || got == "$-1\r\n" || want == "$-1\r\n" {
		return false
	}
	scratch := adminClient(t, "0")
	anew := func(reply string) string {
		_, payload, _ := strings.Cut(reply, "\r\n")
		scratch.must("RESTORE", "scratch", "0", strings.TrimSuffix(payload, "\r\n"), "REPLACE")
		defer scratch.must("DEL", "scratch")
		return scratch.must("DUMP", "scratch")
	}
	return anew(got) == anew(want)
}

// TestACopyIsOfTheSameValue: what COPY makes is what its source is, also where it
// is encoded in another way.
func TestACopyIsOfTheSameValue(t *testing.T) {
	w := newWorld(t)
	a, b := w.workspace(t, workspace.Settings{}).connect(t), w.workspace(t, workspace.Settings{}).admin(t)
	word := strings.Repeat("word", 30)
	for _, c := range []*client{a, b} {
		c.must("ZADD", "z", "1", "a", "2", word)
		c.must("ZREM", "z", word)
		c.must("SADD", "s", "1", "2", word)
		c.must("SREM", "s", word)
		for _, key := range []string{"z", "s"} {
			c.want(":1\r\n", "COPY", key, key+":copy")
		}
	}
	for _, key := range []string{"z:copy", "s:copy"} {
		if got, want := a.must("DUMP", key), b.must("DUMP", key); !sameValue(t, got, want) {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
}
