package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// TestGoRedis uses what applications use: a pool, pipelines, transactions,
// scripts, streams and pub/sub, in both versions of the protocol.
func TestGoRedis(t *testing.T) {
	w := newWorld(t)
	for _, version := range []int{2, 3} {
		t.Run(fmt.Sprintf("RESP%d", version), func(t *testing.T) {
			s := w.workspace(t, workspace.Settings{DefaultTTL: 1000, MaxKeys: 500})
			ctx := t.Context()
			db := goredis.NewClient(&goredis.Options{Addr: w.addr, Username: s.live.Name, Password: testPassword, Protocol: version,
				ClientName: "shop", TLSConfig: w.cert.Client(), PoolSize: 8})
			defer func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}()
			if _, err := db.Pipelined(ctx, func(p goredis.Pipeliner) error {
				for i := range 100 {
					p.Set(ctx, fmt.Sprintf("k%d", i), i, 0)
					p.HSet(ctx, "h", fmt.Sprintf("f%d", i), i)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if got := db.TTL(ctx, "h").Val(); got != 1000*time.Second {
				t.Errorf("ttl: got %v", got)
			}
			increments := func(tx *goredis.Tx) error {
				n, err := tx.Get(ctx, "k1").Int()
				if err != nil {
					return err
				}
				_, err = tx.TxPipelined(ctx, func(p goredis.Pipeliner) error {
					p.Set(ctx, "k1", n+1, 0)
					p.SAdd(ctx, "s", n)
					return nil
				})
				return err
			}
			if err := db.Watch(ctx, increments, "k1"); err != nil {
				t.Fatal(err)
			}
			script := goredis.NewScript(`redis.call('INCRBY', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])`)
			if got, err := script.Run(ctx, db, []string{"k1"}, 5).Text(); got != "7" || err != nil {
				t.Errorf("script: got %q, %v", got, err)
			}
			db.XAdd(ctx, &goredis.XAddArgs{Stream: "x", Values: []string{"a", "1"}})
			if err := db.XGroupCreate(ctx, "x", "g", "0").Err(); err != nil {
				t.Error(err)
			}
			read, err := db.XReadGroup(ctx, &goredis.XReadGroupArgs{Group: "g", Consumer: "c", Streams: []string{"x", ">"}}).Result()
			if err != nil || len(read) != 1 || len(read[0].Messages) != 1 {
				t.Errorf("stream: got %v, %v", read, err)
			}
			listen := db.PSubscribe(ctx, "new*")
			defer listen.Close()
			if _, err := listen.Receive(ctx); err != nil {
				t.Fatal(err)
			}
			if n := db.Publish(ctx, "news", "hello").Val(); n != 1 {
				t.Errorf("publish: %d got it", n)
			}
			m, err := listen.ReceiveMessage(ctx)
			if err != nil || m.Channel != "news" || m.Pattern != "new*" || m.Payload != "hello" {
				t.Errorf("message: got %v, %v", m, err)
			}
			keys := 0
			for each := db.Scan(ctx, 0, "k*", 10).Iterator(); each.Next(ctx); {
				keys++
			}
			if keys != 100 {
				t.Errorf("scan: %d keys", keys)
			}
			if _, err := db.BLPop(ctx, 10*time.Millisecond, "none").Result(); !errors.Is(err, goredis.Nil) {
				t.Errorf("blpop: got %v", err)
			}
		})
	}
}

func TestRedisCLI(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	_, port, err := net.SplitHostPort(w.addr)
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("rediss://workspace:%s@localhost:%s/0", testPassword, port)
	ca := w.cert.File(t)
	run := func(input string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "redis-cli", append([]string{"-u", url, "--cacert", ca, "--no-auth-warning"}, args...)...)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("redis-cli %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if got := run("SET a 1\nLPUSH l x y\nGET a\nHELLO 3\nHGETALL none\n"); !strings.HasPrefix(got, "OK\n2\n1\n") {
		t.Errorf("commands: got %q", got)
	}
	if got := run("", "-3", "GET", "a"); got != "1\n" {
		t.Errorf("RESP3: got %q", got)
	}
	var mass strings.Builder
	for i := range 1000 {
		mass.Write(appendCommand(nil, "SET", fmt.Sprintf("mass:%d", i), "v"))
	}
	if got := run(mass.String(), "--pipe"); !strings.Contains(got, "errors: 0, replies: 1000") {
		t.Errorf("--pipe: got %q", got)
	}
	if got := strings.Count(run("", "--scan", "--pattern", "mass:*"), "mass:"); got != 1000 {
		t.Errorf("--scan: %d keys", got)
	}
	if got := run("", "--bigkeys"); !strings.Contains(got, "1002 keys") && !strings.Contains(got, "Sampled 1002") {
		t.Errorf("--bigkeys: got %q", got)
	}
	if got := size(t, s.admin(t)); got != 1002 {
		t.Errorf("%d keys", got)
	}
}

// TestGoRedisTracksByRedirection: in RESP2 one connection asks, and another one
// hears of what has changed.
func TestGoRedisTracksByRedirection(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	ctx := t.Context()
	ids := make(chan int64, 1)
	options := goredis.Options{Addr: w.addr, Username: s.live.Name, Password: testPassword, Protocol: 2, TLSConfig: w.cert.Client()}
	db := goredis.NewClient(&options)
	hears := options
	hears.OnConnect = func(ctx context.Context, conn *goredis.Conn) error {
		id, err := conn.ClientID(ctx).Result()
		ids <- id
		return err
	}
	listener := goredis.NewClient(&hears)
	messages := listener.Subscribe(ctx, invalidationChannel)
	if _, err := messages.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	conn := db.Conn()
	if err := conn.Do(ctx, "CLIENT", "TRACKING", "ON", "REDIRECT", <-ids).Err(); err != nil {
		t.Fatal(err)
	}
	if err := conn.Get(ctx, "k").Err(); !errors.Is(err, goredis.Nil) {
		t.Errorf("get: %v", err)
	}
	if err := db.Set(ctx, "k", 1, 0).Err(); err != nil {
		t.Error(err)
	}
	m, err := messages.ReceiveMessage(ctx)
	if err != nil || m.Channel != invalidationChannel || !slices.Equal(m.PayloadSlice, []string{"k"}) {
		t.Errorf("got %v, %v", m, err)
	}
	for _, closes := range []func() error{conn.Close, messages.Close, db.Close, listener.Close} {
		if err := closes(); err != nil {
			t.Error(err)
		}
	}
}
