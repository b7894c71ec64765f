package test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRedisTimesToLiveReachOpenSessions changes the settings under one
// connection.
func TestRedisTimesToLiveReachOpenSessions(t *testing.T) {
	ctx := t.Context()
	client := shared.redisClient(t, shared.redisAddress(t, "live", nil))
	conn := client.Conn()
	defer conn.Close()
	want := func(key string, seconds int) {
		t.Helper()
		got := int(conn.TTL(ctx, key).Val() / time.Second)
		if seconds < 0 {
			got = int(conn.TTL(ctx, key).Val()) // -1 and -2 are no durations
		}
		if got > seconds || got < seconds-5 && seconds > 0 || seconds < 0 && got != seconds {
			t.Errorf("%s: %d s to live, want %d", key, got, seconds)
		}
	}
	conn.Set(ctx, "before", "x", 0)
	want("before", -1)

	shared.redisSet(t, "live", map[string]any{"default_ttl": 3600, "patterns": map[string]any{
		"cache:*": map[string]any{"ttl": 300}, "cache:user:*": map[string]any{"ttl": 60}, "keep:*": map[string]any{"ttl": 0},
	}})
	conn.Set(ctx, "plain", "x", 0)
	want("plain", 3600)
	conn.HSet(ctx, "cache:1", "f", "v")
	want("cache:1", 300)
	conn.LPush(ctx, "cache:user:1", "v")
	want("cache:user:1", 60)
	conn.SAdd(ctx, "keep:1", "v")
	want("keep:1", -1)
	conn.Set(ctx, "own", "x", 10*time.Second)
	want("own", 10)
	conn.Append(ctx, "before", "y")
	want("before", -1)
	conn.Expire(ctx, "plain", 20*time.Second)
	conn.Append(ctx, "plain", "y")
	want("plain", 20)
	conn.Persist(ctx, "plain")
	conn.Append(ctx, "plain", "z")
	want("plain", -1)
	if got := conn.Get(ctx, "plain").Val(); got != "xyz" {
		t.Errorf("plain: got %q", got)
	}

	shared.redisSet(t, "live", map[string]any{"default_ttl": 0, "patterns": map[string]any{}})
	conn.Set(ctx, "after", "x", 0)
	want("after", -1)

	shared.redisSet(t, "live", map[string]any{"max_keys": 1})
	contains(t, "a key too many", fmt.Sprint(conn.Set(ctx, "more", "x", 0).Err()), "max_keys limit reached", "live")
	shared.redisSet(t, "live", map[string]any{"max_keys": 0})
	if err := conn.Set(ctx, "more", "x", 0).Err(); err != nil {
		t.Errorf("without a limit: %v", err)
	}
}

// TestRedisKeysNeverExceedTheirLimit has 32 writers compete for 100 places,
// while a witness counts.
func TestRedisKeysNeverExceedTheirLimit(t *testing.T) {
	const limit, writers, tries = 100, 32, 20
	ctx := t.Context()
	address := shared.redisAddress(t, "full", map[string]any{"max_keys": limit})
	client := shared.redisClient(t, address)
	stop := make(chan struct{})
	var witness sync.WaitGroup
	witness.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if n := client.DBSize(ctx).Val(); n > limit {
				t.Errorf("%d keys, want at most %d", n, limit)
				return
			}
		}
	})
	var written, refused atomic.Int64
	var all sync.WaitGroup
	for w := range writers {
		conn := shared.redisClient(t, address)
		all.Go(func() {
			for i := range tries {
				key := fmt.Sprintf("w%d:%d", w, i)
				var err error
				switch i % 3 {
				case 0:
					err = conn.Set(ctx, key, "x", 0).Err()
				case 1:
					err = conn.HSet(ctx, key, "f", "v").Err()
				default:
					err = conn.Eval(ctx, "return redis.call('INCR', KEYS[1])", []string{key}).Err()
				}
				switch {
				case err == nil:
					written.Add(1)
				case strings.Contains(err.Error(), "max_keys limit reached"):
					refused.Add(1)
				default:
					t.Errorf("%s: %v", key, err)
				}
			}
		})
	}
	all.Wait()
	close(stop)
	witness.Wait()
	if written.Load() != limit || refused.Load() != writers*tries-limit {
		t.Errorf("%d written and %d refused, want %d and %d", written.Load(), refused.Load(), limit, writers*tries-limit)
	}
	if n := client.DBSize(ctx).Val(); n != limit {
		t.Errorf("%d keys, want %d", n, limit)
	}

	keys := client.Keys(ctx, "*").Val()
	if err := client.Del(ctx, keys[:3]...).Err(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := client.Set(ctx, fmt.Sprint("freed:", i), "x", 0).Err(); err != nil {
			t.Errorf("a place that was freed: %v", err)
		}
	}
	if err := client.Set(ctx, "freed:3", "x", 0).Err(); err == nil {
		t.Error("a fourth key in three freed places")
	}
	if err := client.Set(ctx, "freed:0", "y", time.Millisecond*20).Err(); err != nil {
		t.Errorf("an update at the limit: %v", err)
	}
	eventually(t, "an expired key frees its place", func() bool { return client.Set(ctx, "instead", "x", 0).Err() == nil })
}
