package test

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

// TestSecretsOfRedisAreNowhereToBeRead: nor is a value in any log, of the
// program or of the server, nor a password that somebody tried.
func TestSecretsOfRedisAreNowhereToBeRead(t *testing.T) {
	const value, failing, wrongPassword = "planted-value-3b6f", "planted-in-an-error-3b6f", "planted-wrong-password-3b6f"
	in := newInstallation(t, "redis")
	address := in.redisAddress(t, "secrets", nil)
	in.mustRedisCLI(t, "OK", address, "SET", "person", value)
	for _, command := range [][]string{
		{"AUTH", "secrets", wrongPassword},
		{"AUTH", wrongPassword},
		{"HELLO", "3", "AUTH", "secrets", wrongPassword},
		{"ACL", "SETUSER", "eve", "on", ">" + failing},
		{"CONFIG", "SET", "requirepass", failing},
		{"LPUSH", "person", failing},
		{"EVAL", "return redis.call('lpush', KEYS[1], ARGV[1])", "1", "person", failing},
		{"NONSENSE", failing},
		{"MIGRATE", "127.0.0.1", "1", "person", "0", "1", "AUTH", failing},
	} {
		in.redisCLI(address, command...) // whatever it answers
	}
	for _, query := range []string{`SET person ` + value, `LPUSH person ` + failing, `NONSENSE ` + failing, `SET "` + failing} {
		in.call(t, "POST", "/workspaces/secrets/queries", map[string]any{"query": query})
	}
	contains(t, "a wrong password", in.redisRefusal("--tls", "--cacert", in.CAFile, "--user", "secrets", "--pass", wrongPassword, "PING"), "WRONGPASS")
	queue, err := json.Marshal((database{installation: in, id: "secrets"}).queue(t))
	if err != nil {
		t.Fatal(err)
	}
	administrator := in.administratorsPassword(t, "redis")
	in.stop()
	written := in.written(t)
	written["the deploy queue"] = string(queue)
	if written[filepath.Join("redis", "server.log")] == "" {
		t.Error("the server's log is empty or not there")
	}
	holdsNone(t, written, map[string]string{
		"API key": in.APIKey, "proxy password": in.ProxyPassword, "administrator's password": administrator,
		"value": value, "value of a failed command": failing, "wrong password": wrongPassword,
	})
	if err := in.start(); err != nil {
		t.Fatal(err)
	}
}
