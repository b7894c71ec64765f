package devstack_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
)

// redisCLI runs one command as the administrator, or without a login where
// password is empty.
func redisCLI(t *testing.T, r *devstack.Redis, password string, args ...string) string {
	t.Helper()
	out, err := redisCommand(t.Context(), r, password, args...)
	if err != nil {
		t.Fatalf("redis-cli %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func redisCommand(ctx context.Context, r *devstack.Redis, password string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "redis-cli", append([]string{"-s", r.Socket()}, args...)...)
	cmd.Env = append(os.Environ(), "REDISCLI_AUTH="+password)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func startRedis(t *testing.T, dir string) *devstack.Redis {
	t.Helper()
	r, err := devstack.StartRedis(t.Context(), devstack.RedisConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func stopRedis(t *testing.T, r *devstack.Redis) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func TestRedisLetsInNobodyWithoutItsPassword(t *testing.T) {
	r := devstacktest.Redis(t, nil)
	if got := redisCLI(t, r, "", "PING"); !strings.Contains(got, "NOAUTH") {
		t.Errorf("without a password: got %q, want NOAUTH", got)
	}
	if got := redisCLI(t, r, r.Password(), "CONFIG", "GET", "databases"); !strings.Contains(got, "4096") {
		t.Errorf("got %q, want 4096 databases", got)
	}
	if got := redisCLI(t, r, r.Password(), "CONFIG", "GET", "port"); got != "port\n0" {
		t.Errorf("got %q, want no TCP port", got)
	}
	if info, err := os.Stat(r.Socket()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("socket: got %v %v, want mode 0700", info, err)
	}
}

func TestRedisKeepsItsPasswordFromOthers(t *testing.T) {
	dir := devstacktest.Dir(t)
	r := startRedis(t, dir)
	defer stopRedis(t, r)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if strings.Contains(string(text), r.Password()) && info.Mode().Perm() != 0o600 {
			t.Errorf("%s holds the password with mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lines, err := exec.Command("ps", "ax", "-o", "args").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(lines), r.Password()) {
		t.Error("the password is among the arguments of a process")
	}
}

func TestRedisFindsItsKeysAndUsersAfterAKill(t *testing.T) {
	dir := devstacktest.Dir(t)
	r := startRedis(t, dir)
	defer func() { stopRedis(t, r) }()
	first := r.Password()
	redisCLI(t, r, first, "-n", "4095", "SET", "kept", "yes")
	redisCLI(t, r, first, "ACL", "SETUSER", "somebody", "on", ">secret", "+ping")
	redisCLI(t, r, first, "ACL", "SAVE")
	run := redisCLI(t, r, first, "INFO", "server")
	_, after, _ := strings.Cut(run, "process_id:")
	pid, _, _ := strings.Cut(after, "\r")
	if out, err := exec.Command("kill", "-9", pid).CombinedOutput(); err != nil {
		t.Fatalf("kill %q: %v %s", pid, err, out)
	}
	eventually(t, func() bool {
		got, err := redisCommand(t.Context(), r, first, "-n", "4095", "GET", "kept")
		return err == nil && got == "yes"
	})
	if got := redisCLI(t, r, "", "--user", "somebody", "--pass", "secret", "--no-auth-warning", "PING"); got != "PONG" {
		t.Errorf("a saved user: got %q", got)
	}

	stopRedis(t, r)
	r = startRedis(t, dir)
	if r.Password() != first {
		t.Error("the password changed with the next start")
	}
	if got := redisCLI(t, r, first, "-n", "4095", "GET", "kept"); got != "yes" {
		t.Errorf("after a clean stop: got %q", got)
	}
}

func TestRedisFolderIsHeldByOne(t *testing.T) {
	dir := devstacktest.Dir(t)
	r := startRedis(t, dir)
	defer stopRedis(t, r)
	if _, err := devstack.StartRedis(t.Context(), devstack.RedisConfig{Dir: dir}); !errors.Is(err, devstack.ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
}

func TestMissingRedisNamesItsPackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	dir := filepath.Join(t.TempDir(), "redis")
	_, err := devstack.StartRedis(t.Context(), devstack.RedisConfig{Dir: dir})
	missing, ok := errors.AsType[*devstack.MissingError](err)
	if !ok || missing.Package != "redis-server" {
		t.Fatalf("got %v, want a MissingError with the package redis-server", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("a folder was made for a server that can't start")
	}
}

// eventually waits for what a server in the background brings about.
func eventually(t *testing.T, what func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for !what() {
		select {
		case <-deadline:
			t.Fatal("it did not come about in 30 s")
		case <-poll.C:
		}
	}
}
