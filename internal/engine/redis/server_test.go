package redis_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/internal/engine/redis"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// server is the one that tests share which leave it as it was.
var server *devstack.Redis

func TestMain(m *testing.M) {
	r, stop, err := devstacktest.SharedRedis(nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server = r
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func newEngine(t *testing.T, r *devstack.Redis) *redis.Engine {
	t.Helper()
	e := redis.New(redis.Config{
		Name:     "main",
		Address:  workspace.Address{Network: "unix", Addr: r.Socket()},
		User:     r.User(),
		Password: r.Password(),
	})
	t.Cleanup(e.Close)
	return e
}

func target(n int) workspace.Target {
	return workspace.Target{Database: strconv.Itoa(n), Role: fmt.Sprintf("shop%d_workspace", n), Password: fmt.Sprintf("secret-of-%d", n)}
}

// created makes a workspace that lives as long as the test.
func created(t *testing.T, e *redis.Engine, n int) workspace.Target {
	t.Helper()
	to := target(n)
	must(t, e.Create(t.Context(), to, true))
	t.Cleanup(func() {
		if err := e.Drop(context.Background(), to); err != nil {
			t.Error(err)
		}
	})
	return to
}

// administrator is a connection in database n.
func administrator(t *testing.T, r *devstack.Redis, n int) *goredis.Client {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{
		Network: "unix", Addr: r.Socket(), Username: r.User(), Password: r.Password(), DB: n, DisableIdentity: true, MaxRetries: -1,
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// member is one connection as the proxy makes them: the workspace's user, in its
// database.
func member(t *testing.T, r *devstack.Redis, to workspace.Target) *goredis.Conn {
	t.Helper()
	n, err := strconv.Atoi(to.Database)
	must(t, err)
	c := goredis.NewClient(&goredis.Options{
		Network: "unix", Addr: r.Socket(), Username: r.User(), Password: r.Password(), DB: n, Protocol: 2,
		DisableIdentity: true, MaxRetries: -1, PoolSize: 1,
		OnConnect: func(ctx context.Context, conn *goredis.Conn) error {
			return conn.AuthACL(ctx, to.Role, to.Password).Err()
		},
	})
	t.Cleanup(func() { c.Close() })
	conn := c.Conn()
	t.Cleanup(func() { conn.Close() })
	return conn
}

// do runs a command line and gives its reply, or its error, as text.
func do(t *testing.T, conn interface {
	Do(ctx context.Context, args ...any) *goredis.Cmd
}, words ...string) string {
	t.Helper()
	args := make([]any, len(words))
	for i, word := range words {
		args[i] = word
	}
	reply, err := conn.Do(t.Context(), args...).Result()
	switch {
	case errors.Is(err, goredis.Nil):
		return "(nil)"
	case err != nil:
		return err.Error()
	}
	return fmt.Sprint(reply)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func contains(t *testing.T, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%s: got %q, want one with %q", what, got, want)
	}
}
