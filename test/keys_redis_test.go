package test

import (
	"net/http"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
)

func TestRedisReadKeyReadsAndWritesNothing(t *testing.T) {
	in, ctx := shared, t.Context()
	of := in.redisAddress(t, "keys-cache", map[string]any{"default_ttl": 3600, "max_keys": 2})
	acme := addressOf(t, in.tenant(t, "keys_cache_acme", "keys-cache"), "keys-cache")
	k := in.key(t, "read", "workspace", "keys-cache")
	for _, address := range []string{of, acme} {
		writer, reader := in.redisClient(t, address), in.redisClient(t, k.as(t, address))
		if err := writer.Set(ctx, "a", "1", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if err := writer.RPush(ctx, "list", "x").Err(); err != nil {
			t.Fatal(err)
		}
		for _, c := range []string{
			"GET a", "MGET a b", "TTL a", "LRANGE list 0 -1", "STRLEN a", "EXISTS a", "SCAN 0", "KEYS *", "DBSIZE", "TYPE a", "SORT_RO list ALPHA",
			"OBJECT ENCODING a", "INFO keyspace", "EVAL_RO return(redis.call('get',KEYS[1])) 1 a", "EVAL return(redis.call('get',KEYS[1])) 1 a", "PING",
		} {
			if err := reader.Do(ctx, words(c)...).Err(); err != nil {
				t.Errorf("%s: %v", c, err)
			}
		}
		for _, c := range []string{
			"SET a 2", "SET b 2 EX 5", "SETEX b 5 x", "MSET a 2 b 3", "DEL a", "UNLINK a", "EXPIRE a 1", "PERSIST a", "RENAME a b", "COPY a b", "APPEND a x", "INCR a",
			"GETDEL a", "GETEX a EX 5", "GETSET a 2", "LPOP list", "BLPOP list 1", "RPUSH list y", "LMOVE list list LEFT RIGHT", "SADD s x", "HSET h a 1", "ZADD z 1 a",
			"XADD s * a 1", "PFADD p a", "SETBIT a 1 1", "BITFIELD a SET u8 0 1", "RESTORE b 0 x", "FLUSHDB", "FLUSHALL",
			"SORT list ALPHA", "SORT list ALPHA STORE b", "GEORADIUS g 0 0 1 m STORE b", "PUBLISH c x", "SPUBLISH c x",
		} {
			if err := reader.Do(ctx, words(c)...).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM this user has no permissions to run the '"+strings.ToLower(strings.Fields(c)[0])) &&
				!(c == "FLUSHALL" && strings.HasPrefix(err.Error(), "NOPERM")) {
				t.Errorf("%s: got %v", c, err)
			}
		}
		// What writes from within a script, a transaction or under another name.
		for _, c := range []string{
			"EVAL return(redis.call('set',KEYS[1],'2')) 1 a", "EVAL return(redis.call('del','a')) 0", "EVAL return(redis.pcall('flushdb')) 0",
			"EVAL return(redis.call('publish','c','x')) 0", "SCRIPT LOAD return(1)", "SCRIPT FLUSH", "XGROUP CREATE s g 0 MKSTREAM", "CLIENT NO-EVICT on",
			"FCALL f 0", "CONFIG SET maxmemory 1", "SELECT 1",
		} {
			if err := reader.Do(ctx, words(c)...).Err(); err == nil {
				t.Errorf("%s: it is done", c)
			}
		}
		if _, err := reader.TxPipelined(ctx, func(p goredis.Pipeliner) error {
			p.Get(ctx, "a")
			p.Set(ctx, "a", "2", 0)
			return nil
		}); err == nil {
			t.Error("a transaction that writes is done")
		}
		if got := writer.MGet(ctx, "a", "b").Val(); len(got) != 2 || got[0] != "1" || got[1] != nil {
			t.Errorf("the database holds %v", got)
		}
		if n := writer.DBSize(ctx).Val(); n != 2 {
			t.Errorf("the database holds %d keys", n)
		}
		// Its session takes no writer's login, nor a writer's its.
		password := in.ProxyPassword
		if address == acme {
			password = in.key(t, "write", "tenant", "keys_cache_acme").password
		}
		user := in.redisOptions(t, address).Username
		for from, to := range map[*goredis.Client]string{reader: password, writer: k.password} {
			conn := from.Conn()
			if err := conn.AuthACL(ctx, user, to).Err(); err == nil || !strings.HasPrefix(err.Error(), "WRONGPASS") {
				t.Errorf("AUTH as another login: got %v", err)
			}
			conn.Close()
		}
	}
}

// words are a command's.
func words(command string) []any {
	var all []any
	for word := range strings.FieldsSeq(command) {
		all = append(all, word)
	}
	return all
}

func TestRedisKeysReachTheirScopeAndEnd(t *testing.T) {
	in, ctx := shared, t.Context()
	of, other := in.redisAddress(t, "keys-queue", nil), in.redisAddress(t, "keys-other", nil)
	acme := addressOf(t, in.tenant(t, "keys_queue_acme", "keys-queue"), "keys-queue")
	ofQueue, ofAcme := in.key(t, "write", "workspace", "keys-queue"), in.key(t, "write", "tenant", "keys_queue_acme", "keys_queue_late")
	reads := in.key(t, "read", "tenant", "keys_queue_acme", "keys_queue_late")
	late := addressOf(t, in.tenant(t, "keys_queue_late", "keys-queue"), "keys-queue")
	for _, c := range []struct {
		k       proxyLogin
		address string
		want    string
	}{
		{ofQueue, of, "OK"}, {ofQueue, acme, "OK"}, {ofQueue, late, "OK"}, {ofQueue, other, "WRONGPASS"},
		{ofAcme, acme, "OK"}, {ofAcme, late, "OK"}, {ofAcme, of, "WRONGPASS"},
		{reads, acme, "NOPERM"}, {reads, late, "NOPERM"}, {reads, of, "WRONGPASS"},
	} {
		if out, _ := in.redisCLI(c.k.as(t, c.address), "SET", "a", "1"); !strings.Contains(out, c.want) {
			t.Errorf("%s with a %s: got %q, want %s", c.address, c.k.user, out, c.want)
		}
	}
	// Warm connections are their role's.
	for range 20 {
		if out, _ := in.redisCLI(reads.as(t, acme), "SET", "a", "2"); !strings.Contains(out, "NOPERM") {
			t.Fatalf("a reader behind a writer: got %q", out)
		}
		in.mustRedisCLI(t, "OK", acme, "SET", "a", "1")
	}
	conn := in.redisClient(t, reads.as(t, acme)).Conn()
	defer conn.Close()
	if err := conn.Get(ctx, "a").Err(); err != nil {
		t.Fatal(err)
	}
	in.must(t, http.StatusOK, "POST", "/tenants/keys_queue_late/suspend", nil)
	if out, _ := in.redisCLI(reads.as(t, late), "GET", "a"); !strings.Contains(out, "suspended") {
		t.Errorf("a suspended tenant's database: got %q", out)
	}
	in.revoke(t, reads)
	if err := conn.Get(ctx, "a").Err(); err == nil || err.Error() != "ERR the API key of this login was revoked" {
		t.Errorf("an open session of a revoked key: got %v", err)
	}
	if out, _ := in.redisCLI(reads.as(t, acme), "GET", "a"); !strings.Contains(out, "WRONGPASS") {
		t.Errorf("its login: got %q", out)
	}
}
