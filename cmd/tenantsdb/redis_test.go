package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
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
	p := launchOne(t, "redis", fmt.Sprintf("{name: cache, type: redis, socket: %q}", server.Socket()), server.Password())
	if strings.Contains(p.stderr.String(), `"postgresql":`) {
		t.Error("there is a listener without a server")
	}
	made := p.create(t, "cache", "redis")
	client := goredis.NewClient(&goredis.Options{
		Addr:     net.JoinHostPort("localhost", fmt.Sprint(p.port)),
		Username: made["user"].(string), Password: made["password"].(string),
		TLSConfig: &tls.Config{InsecureSkipVerify: true}, DisableIdentity: true,
	})
	defer client.Close()
	if err := client.Set(t.Context(), "a", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(p.call(t, "/workspaces/cache/queries", `{"query": "GET a"}`)["rows"]); got != "[[1]]" {
		t.Errorf("a query finds %s", got)
	}
	p.keepsSecrets(t, server.Password(), made["password"].(string))
}

func TestDevSaysInOneLineWhatIsMissing(t *testing.T) {
	dir := devstacktest.Dir(t)
	p := launch(t, []string{"PATH=" + t.TempDir()}, "dev", "--data", dir)
	var r readiness
	p.await(t, "start", func() bool {
		found, err := readJSON(filepath.Join(dir, "ready.json"), &r)
		return err == nil && found
	})
	for _, want := range []string{
		"MySQL is off: program mariadbd is not installed: on Debian, apt-get install mariadb-server\n",
		"MongoDB is off: program tenantsdb-ferretdb is not beside this one: make build makes both\n",
		"Redis is off: program redis-server is not installed: on Debian, apt-get install redis-server\n",
	} {
		if !strings.Contains(p.stdout.String(), want) {
			t.Errorf("got %q, want the line %q", p.stdout.String(), want)
		}
	}
	for _, off := range []string{"mysql", "mongodb", "redis"} {
		if at, on := r.Listeners[off]; on {
			t.Errorf("there is a listener without a server: %v", at)
		}
	}
	if _, on := r.Listeners["postgresql"]; !on {
		t.Error("PostgreSQL is off too")
	}
	for _, client := range []string{"mysql --host", "mongosh", "redis-cli"} {
		if strings.Contains(p.stdout.String(), client) {
			t.Errorf("the banner shows %s", client)
		}
	}
}
