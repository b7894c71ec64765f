package test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// redisAddress makes a Redis workspace with these settings (nil: none) that
// lives as long as the test, and gives its connection string.
func (in *installation) redisAddress(t testing.TB, name string, settings map[string]any) string {
	t.Helper()
	address := in.redisWorkspace(t, name, "tenant")["connection_string"].(string)
	if settings != nil {
		in.redisSet(t, name, settings)
	}
	return address
}

// redisSet changes the workspace's settings.
func (in *installation) redisSet(t testing.TB, name string, settings map[string]any) {
	t.Helper()
	in.must(t, http.StatusOK, "PATCH", "/workspaces/"+name+"/settings", settings)
}

// redisOptions are go-redis's for a connection string; the certificate is
// verified.
func (in *installation) redisOptions(t testing.TB, address string) *goredis.Options {
	t.Helper()
	options, err := goredis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(in.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	options.TLSConfig.RootCAs = x509.NewCertPool()
	if !options.TLSConfig.RootCAs.AppendCertsFromPEM(text) {
		t.Fatalf("no certificate in %s", in.CAFile)
	}
	// Redis 7 has no such notifications; connections that find out together
	// race with each other in go-redis.
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return options
}

// redisClient opens a go-redis pool, with a connection for each of 32 workers
// and their witnesses, that the test closes.
func (in *installation) redisClient(t testing.TB, address string) *goredis.Client {
	t.Helper()
	options := in.redisOptions(t, address)
	options.PoolSize = 40
	client := goredis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	return client
}

// redisCommand is redis-cli with more arguments, for more than one command.
func (in *installation) redisCommand(t testing.TB, address string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), clientTimeout)
	t.Cleanup(done)
	return exec.CommandContext(ctx, "redis-cli", append([]string{"--no-auth-warning", "-u", address, "--cacert", in.CAFile}, args...)...)
}

// TestRedisNode runs the programs of clients/redis, each of which is a test
// suite of a Node driver, on a workspace with settings off and on one where
// every key gets a time to live, also those that BullMQ's scripts do not name.
func TestRedisNode(t *testing.T) {
	if _, err := os.Stat("clients/node_modules"); err != nil {
		t.Fatalf("the Node drivers are not installed (make test does it, or npm ci in test/clients): %v", err)
	}
	for _, kind := range []struct {
		name     string
		settings map[string]any
	}{
		{"plain", nil},
		{"ttl", map[string]any{"default_ttl": 3600, "max_keys": 20_000, "patterns": map[string]any{"cache:*": map[string]any{"ttl": 60}}}},
	} {
		for _, file := range scripts(t, "clients/redis/*.test.js") {
			t.Run(kind.name+"/"+filepath.Base(file), func(t *testing.T) {
				address := shared.redisAddress(t, "node-"+kind.name, kind.settings)
				ctx, done := context.WithTimeout(t.Context(), clientTimeout)
				defer done()
				cmd := exec.CommandContext(ctx, "node", "--test", filepath.Join("redis", filepath.Base(file)))
				cmd.Dir = "clients"
				cmd.Env = append(os.Environ(), "URL="+address, "CA="+shared.CAFile)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
				if kind.settings == nil || filepath.Base(file) != "bullmq.test.js" {
					return
				}
				client := shared.redisClient(t, address)
				keys := client.Keys(ctx, "*").Val()
				if len(keys) < 200 {
					t.Errorf("%d keys of 200 jobs", len(keys))
				}
				for _, key := range keys {
					if ttl := client.TTL(ctx, key).Val(); ttl == -1 {
						t.Errorf("%s has no time to live", key)
					}
				}
			})
		}
	}
}

// TestRedisWorkspacesShareNothing has two clients use the same names.
func TestRedisWorkspacesShareNothing(t *testing.T) {
	ctx := t.Context()
	one := shared.redisClient(t, shared.redisAddress(t, "apart-one", nil))
	two := shared.redisClient(t, shared.redisAddress(t, "apart-two", nil))
	if err := one.Set(ctx, "same", "of one", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := two.Get(ctx, "same").Err(); !errors.Is(err, goredis.Nil) {
		t.Errorf("the neighbour's key: got %v, want nil", err)
	}
	if n := two.DBSize(ctx).Val(); n != 0 {
		t.Errorf("the neighbour's keys are counted: %d", n)
	}
	listener := two.PSubscribe(ctx, "*")
	defer listener.Close()
	if _, err := listener.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := one.Publish(ctx, "news", "of one").Result(); err != nil || n != 0 {
		t.Errorf("published to %d listeners of the neighbour (%v)", n, err)
	}
	if err := two.Publish(ctx, "news", "of two").Err(); err != nil {
		t.Fatal(err)
	}
	message, err := listener.ReceiveMessage(ctx)
	if err != nil || message.Payload != "of two" {
		t.Errorf("heard %v (%v), want only the own", message, err)
	}
	if err := two.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	if got := one.Get(ctx, "same").Val(); got != "of one" {
		t.Errorf("after the neighbour's FLUSHALL: got %q", got)
	}
}

// TestRedisDeleteEndsOpenSessions ends each, whatever it is doing.
func TestRedisDeleteEndsOpenSessions(t *testing.T) {
	client := shared.redisClient(t, shared.redisAddress(t, "deleted-cache", nil))
	ctx := t.Context()
	idle := client.Conn()
	defer idle.Close()
	if err := idle.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	listener := client.Subscribe(ctx, "news")
	defer listener.Close()
	if _, err := listener.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2)
	blocked := client.Conn()
	defer blocked.Close()
	if err := blocked.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	go func() {
		ended <- blocked.BLPop(context.Background(), time.Minute, "queue").Err()
	}()
	go func() {
		_, err := listener.ReceiveTimeout(context.Background(), time.Minute)
		ended <- err
	}()
	shared.must(t, http.StatusOK, "DELETE", "/workspaces/deleted-cache", nil)
	patience := time.After(20 * time.Second)
	for range 2 {
		select {
		case err := <-ended:
			if err == nil || errors.Is(err, goredis.Nil) {
				t.Errorf("a session of a deleted workspace got an answer: %v", err)
			}
		case <-patience:
			t.Fatal("a session outlives its workspace by 20 s")
		}
	}
	if err := idle.Ping(ctx).Err(); err == nil {
		t.Error("an idle session goes on")
	}
	if err := client.Ping(ctx).Err(); err == nil {
		t.Error("a new session is let in")
	}
}

// redisRefusal is what redis-cli says when it logs in as args tell.
func (in *installation) redisRefusal(args ...string) string {
	at := in.Listeners["redis"]
	base := []string{"--no-auth-warning", "-h", at.Host, "-p", fmt.Sprint(at.Port)}
	out, _ := exec.Command("redis-cli", append(base, args...)...).CombinedOutput()
	return string(out)
}

func TestRedisRefusesWhoIsNotToEnter(t *testing.T) {
	shared.redisWorkspace(t, "guarded", "control")
	contains(t, "a wrong password", shared.redisRefusal("--tls", "--cacert", shared.CAFile, "--user", "guarded", "--pass", "tdb_0000000000000000", "PING"),
		"WRONGPASS")
	contains(t, "no password", shared.redisRefusal("--tls", "--cacert", shared.CAFile, "PING"), "NOAUTH")
	contains(t, "no TLS", shared.redisRefusal("--user", "guarded", "--pass", shared.ProxyPassword, "PING"), "TLS is required")

	options := shared.redisOptions(t, fmt.Sprintf("rediss://guarded:wrong@%s:%d/0", shared.Listeners["redis"].Host, shared.Listeners["redis"].Port))
	options.MaxRetries = -1
	client := goredis.NewClient(options)
	defer client.Close()
	err := client.Ping(t.Context()).Err()
	contains(t, "go-redis with a wrong password", fmt.Sprint(err), "WRONGPASS")
}
