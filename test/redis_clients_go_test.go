package test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

func TestGoRedisPoolAndPipelines(t *testing.T) {
	ctx := t.Context()
	client := shared.redisClient(t, shared.redisAddress(t, "go-pool", nil))
	hello, err := client.Do(ctx, "HELLO").Result()
	if err != nil || hello.(map[any]any)["proto"] != int64(3) {
		t.Fatalf("HELLO: got %v %v, want protocol 3", hello, err)
	}
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			for range 50 {
				if err := client.Incr(ctx, "sum").Err(); err != nil {
					t.Errorf("writer %d: %v", i, err)
					return
				}
			}
		})
	}
	all.Wait()
	if got := client.Get(ctx, "sum").Val(); got != "1600" {
		t.Errorf("32 writers of 50: got %s", got)
	}

	answers, err := client.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for i := range 500 {
			p.Set(ctx, fmt.Sprint("k:", i), i, 0)
		}
		p.LPush(ctx, "k:0", "x")
		p.MGet(ctx, "k:0", "none", "k:499")
		return nil
	})
	if err == nil || !strings.HasPrefix(err.Error(), "WRONGTYPE") || len(answers) != 502 {
		t.Fatalf("got %d answers, %v", len(answers), err)
	}
	if got, want := answers[501].(*goredis.SliceCmd).Val(), []any{"0", nil, "499"}; !reflect.DeepEqual(got, want) {
		t.Errorf("behind an error: got %v, want %v", got, want)
	}

	large := strings.Repeat("x", 32<<20)
	if err := client.Set(ctx, "large", large, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if client.Get(ctx, "large").Val() != large {
		t.Error("a large value comes back changed")
	}

	found := 0
	keys := client.Scan(ctx, 0, "k:*", 100).Iterator()
	for keys.Next(ctx) {
		found++
	}
	if keys.Err() != nil || found != 500 {
		t.Errorf("scan: got %d keys, %v", found, keys.Err())
	}
}

func TestGoRedisTransactions(t *testing.T) {
	ctx := t.Context()
	client := shared.redisClient(t, shared.redisAddress(t, "go-tx", map[string]any{"default_ttl": 600}))
	client.Set(ctx, "n", 1, 0)
	disturbed := false
	for {
		err := client.Watch(ctx, func(tx *goredis.Tx) error {
			n, err := tx.Get(ctx, "n").Int()
			if err != nil {
				return err
			}
			if !disturbed {
				disturbed = true
				client.Set(ctx, "n", 10, 0)
			}
			answers, err := tx.TxPipelined(ctx, func(p goredis.Pipeliner) error {
				p.Set(ctx, "n", n+1, 0)
				p.RPush(ctx, "log", n)
				return nil
			})
			if err == nil && len(answers) != 2 {
				t.Errorf("got %d answers, want 2", len(answers))
			}
			return err
		}, "n")
		if errors.Is(err, goredis.TxFailedErr) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if got := client.Get(ctx, "n").Val(); got != "11" {
		t.Errorf("n: got %s, want 11", got)
	}
	if got := client.LRange(ctx, "log", 0, -1).Val(); !reflect.DeepEqual(got, []string{"10"}) {
		t.Errorf("the transaction that failed left its mark: %v", got)
	}
}

func TestGoRedisChannelsAndStreams(t *testing.T) {
	ctx := t.Context()
	client := shared.redisClient(t, shared.redisAddress(t, "go-news", nil))
	listener := client.Subscribe(ctx, "news")
	defer listener.Close()
	if err := listener.PSubscribe(ctx, "w*r"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := listener.Receive(ctx); err != nil {
			t.Fatal(err)
		}
	}
	client.Publish(ctx, "warm", "unheard")
	client.Publish(ctx, "weather", "rain")
	client.Publish(ctx, "news", "all")
	for _, want := range []goredis.Message{{Channel: "weather", Pattern: "w*r", Payload: "rain"}, {Channel: "news", Payload: "all"}} {
		got, err := listener.ReceiveMessage(ctx)
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("heard %v (%v), want %v", got, err, want)
		}
	}

	if err := client.XGroupCreateMkStream(ctx, "events", "workers", "0").Err(); err != nil {
		t.Fatal(err)
	}
	const n = 200
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := make(map[string]int)
	for i := range 4 {
		wg.Go(func() {
			for {
				streams, err := client.XReadGroup(ctx, &goredis.XReadGroupArgs{Group: "workers", Consumer: fmt.Sprint("c", i), Streams: []string{"events", ">"}, Count: 10, Block: time.Second}).Result()
				if errors.Is(err, goredis.Nil) {
					return // nothing came for a second
				}
				if err != nil {
					t.Error(err)
					return
				}
				for _, m := range streams[0].Messages {
					client.XAck(ctx, "events", "workers", m.ID)
					mu.Lock()
					seen[m.Values["n"].(string)]++
					mu.Unlock()
				}
			}
		})
	}
	for i := range n {
		if err := client.XAdd(ctx, &goredis.XAddArgs{Stream: "events", Values: []any{"n", i}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	for i := range n {
		if seen[fmt.Sprint(i)] != 1 {
			t.Errorf("entry %d was read %d times", i, seen[fmt.Sprint(i)])
		}
	}
	if pending := client.XPending(ctx, "events", "workers").Val(); pending.Count != 0 {
		t.Errorf("pending: %d", pending.Count)
	}
}
