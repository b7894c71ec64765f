package test

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"
)

// redisFed runs redis-cli with stdin and gives its output.
func (in *installation) redisFed(t testing.TB, address, stdin string, args ...string) string {
	t.Helper()
	cmd := in.redisCommand(t, address, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %s: %v\n%.2000s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestRedisCLI(t *testing.T) {
	address := shared.redisAddress(t, "cli", nil)
	for _, step := range []struct{ name, stdin, want string }{
		{"commands from its input", "SET greeting \"hello world\"\nGET greeting\nRPUSH l a b\nLRANGE l 0 -1\nGET none\n", "OK\nhello world\n2\na\nb\n"},
		{"a transaction", "MULTI\nINCR n\nINCR n\nEXEC\n", "OK\nQUEUED\nQUEUED\n1\n2"},
		{"a transaction given up", "MULTI\nINCR n\nDISCARD\nGET n\n", "OK\nQUEUED\nOK\n2"},
		{"the only database", "SELECT 0\nGET n\n", "OK\n2"},
		{"a script", "EVAL \"return {KEYS[1], ARGV[1]}\" 1 k v\n", "k\nv"},
	} {
		t.Run(step.name, func(t *testing.T) {
			if got := shared.redisFed(t, address, step.stdin); got != strings.TrimSpace(step.want) {
				t.Errorf("got %q, want %q", got, step.want)
			}
		})
	}
	t.Run("RESP3", func(t *testing.T) {
		shared.mustRedisCLI(t, `{"f":"v"}`, address, "--json", "-3", "EVAL", "redis.setresp(3) redis.call('HSET', KEYS[1], 'f', 'v') return redis.call('HGETALL', KEYS[1])", "1", "map")
		shared.mustRedisCLI(t, "1) (double) 1.5", address, "--no-raw", "-3", "EVAL", "redis.setresp(3) return {{double=1.5}}", "0")
	})
	t.Run("errors", func(t *testing.T) {
		out, _ := shared.redisCLI(address, "-e", "LPUSH", "greeting", "x")
		contains(t, "a wrong type", out, "WRONGTYPE")
		out, _ = shared.redisCLI(address, "-n", "1", "PING")
		contains(t, "another database", out, "DB index is out of range")
	})
}

// TestRedisCLIMassInsert feeds 10,000 keys through --pipe and finds them again.
func TestRedisCLIMassInsert(t *testing.T) {
	address := shared.redisAddress(t, "mass", nil)
	const n = 10_000
	var commands strings.Builder
	for i := range n {
		key := fmt.Sprintf("mass:%05d", i)
		fmt.Fprintf(&commands, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$5\r\n%05d\r\n", len(key), key, i)
	}
	contains(t, "--pipe", shared.redisFed(t, address, commands.String(), "--pipe"), fmt.Sprintf("errors: 0, replies: %d", n))
	shared.mustRedisCLI(t, fmt.Sprint(n), address, "DBSIZE")
	shared.mustRedisCLI(t, "09999", address, "GET", "mass:09999")

	shared.mustRedisCLI(t, "5", address, "RPUSH", "list", "1", "2", "3", "4", "5")
	if got := strings.Fields(shared.redisFed(t, address, "", "--scan", "--pattern", "mass:000*")); len(got) != 100 {
		t.Errorf("--scan --pattern: got %d keys, want 100", len(got))
	}
	contains(t, "--bigkeys", shared.redisFed(t, address, "", "--bigkeys"),
		fmt.Sprintf("Sampled %d keys in the keyspace", n+1), `list found '"list"' has 5 items`, fmt.Sprintf("%d strings with 50000 bytes", n))
}

// TestRedisCLISubscribes has one redis-cli hear another.
func TestRedisCLISubscribes(t *testing.T) {
	address := shared.redisAddress(t, "cli-news", nil)
	cmd := shared.redisCommand(t, address, "SUBSCRIBE", "news", "sport")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	lines := bufio.NewReader(stdout)
	wantLines := func(want ...string) {
		t.Helper()
		for _, w := range want {
			got, err := lines.ReadString('\n')
			if err != nil && err != io.EOF || strings.TrimSpace(got) != w {
				t.Fatalf("heard %q (%v), want %q", got, err, w)
			}
		}
	}
	wantLines("subscribe", "news", "1", "subscribe", "sport", "2")
	shared.mustRedisCLI(t, "1", address, "PUBLISH", "sport", "goal")
	shared.mustRedisCLI(t, "0", address, "PUBLISH", "weather", "rain")
	wantLines("message", "sport", "goal")
}

// TestRedisCLIWakesABlockedOne has one redis-cli wait for another's push.
func TestRedisCLIWakesABlockedOne(t *testing.T) {
	address := shared.redisAddress(t, "cli-queue", nil)
	popped := make(chan string, 1)
	go func() {
		out, err := shared.redisCLI(address, "BLPOP", "queue", "60")
		popped <- fmt.Sprint(out, err)
	}()
	shared.mustRedisCLI(t, "1", address, "RPUSH", "queue", "job")
	if got, want := <-popped, fmt.Sprint("queue\njob", nil); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
