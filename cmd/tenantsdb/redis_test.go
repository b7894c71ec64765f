package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestTheAdministratorsLoginIsFoundByTheServersAddress(t *testing.T) {
	login, err := Config{Servers: []PhysicalConfig{
		{Name: "main", Type: "postgres", Host: "db", User: "postgres", Password: "one"},
		{Name: "near", Type: "redis", Socket: "/run/redis.sock", User: "default", Password: "two"},
		{Name: "far", Type: "Redis", Host: "cache", TLS: "off", Password: "three"},
	}}.redisLogins()
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[workspace.Address]string{
		{Network: "unix", Addr: "/run/redis.sock"}: "default two",
		{Network: "tcp", Addr: "cache:6379"}:       " three",
		{Network: "tcp", Addr: "db:5432"}:          " ",
		{Network: "tcp", Addr: "other:6379"}:       " ",
	} {
		user, password := login(address)
		if got := user + " " + password; got != want {
			t.Errorf("%s: got %q, want %q", address.Addr, got, want)
		}
	}
}

// TestServeBeforeARedisServerOnly: the listeners are those of the servers that
// there are.
func TestServeBeforeARedisServerOnly(t *testing.T) {
	server := devstacktest.Redis(t, nil)
	dir, port, admin := t.TempDir(), free(t), free(t)
	file := filepath.Join(dir, "tenantsdb.yaml")
	text := fmt.Sprintf(`
data_dir: %s/data
admin: {listen: "127.0.0.1:%d"}
redis: {listen: ":%d"}
servers: [{name: cache, type: redis, socket: %q}]
`, dir, admin, port, server.Socket())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, []string{"TENANTSDB_SERVERS_0_PASSWORD=" + server.Password()}, "serve", "--config", file)
	p.await(t, "start", func() bool { return strings.Contains(p.stderr.String(), `"msg":"ready"`) })
	if strings.Contains(p.stderr.String(), `"postgresql":`) {
		t.Error("there is a listener without a server")
	}
	key := regexp.MustCompile(`API key +(\S+)`).FindStringSubmatch(p.stdout.String())
	if key == nil {
		t.Fatalf("no API key in %q", p.stdout.String())
	}
	call := func(path, body string) map[string]any {
		t.Helper()
		request, err := http.NewRequest("POST", fmt.Sprintf("http://127.0.0.1:%d%s", admin, path), bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+key[1])
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var answer map[string]any
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode >= 300 {
			t.Fatalf("POST %s: %d %v %v", path, response.StatusCode, answer, err)
		}
		return answer
	}
	made := call("/workspaces", `{"name": "cache", "database": "redis", "mode": "control"}`)["connection"].(map[string]any)
	if made["host"] != "localhost" || made["port"] != float64(port) {
		t.Errorf("got connection %v, want localhost and %d", made, port)
	}
	client := goredis.NewClient(&goredis.Options{
		Addr:     net.JoinHostPort("localhost", fmt.Sprint(port)),
		Username: made["user"].(string), Password: made["password"].(string),
		TLSConfig: &tls.Config{InsecureSkipVerify: true}, DisableIdentity: true,
	})
	defer client.Close()
	if err := client.Set(t.Context(), "a", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(call("/workspaces/cache/queries", `{"query": "GET a"}`)["rows"]); got != "[[1]]" {
		t.Errorf("a query finds %s", got)
	}
	for _, secret := range []string{server.Password(), key[1], made["password"].(string)} {
		if strings.Contains(p.stderr.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

func TestDevWithoutRedisSaysInOneLineWhatToInstall(t *testing.T) {
	dir := devstacktest.Dir(t)
	p := launch(t, []string{"PATH=" + t.TempDir()}, "dev", "--data", dir)
	var r readiness
	p.await(t, "start", func() bool {
		found, err := readJSON(filepath.Join(dir, "ready.json"), &r)
		return err == nil && found
	})
	if want := "Redis is off: program redis-server is not installed: on Debian, apt-get install redis-server\n"; !strings.Contains(p.stdout.String(), want) {
		t.Errorf("got %q, want the line %q", p.stdout.String(), want)
	}
	if at, on := r.Listeners["redis"]; on {
		t.Errorf("there is a listener without a server: %v", at)
	}
	if _, on := r.Listeners["postgresql"]; !on {
		t.Error("PostgreSQL is off too")
	}
	if strings.Contains(p.stdout.String(), "redis-cli") {
		t.Error("the banner shows Redis")
	}
}
