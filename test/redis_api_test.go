package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// redisWorkspace makes a Redis workspace that lives as long as the test, and
// gives what create answered.
func (in *installation) redisWorkspace(t testing.TB, name, mode string) map[string]any {
	t.Helper()
	body := in.must(t, http.StatusCreated, "POST", "/workspaces", map[string]any{"name": name, "database": "Redis", "mode": mode})
	t.Cleanup(func() { in.call(t, "DELETE", "/workspaces/"+name, nil) })
	return body
}

// redisCLI runs redis-cli with the connection string as it was answered.
func (in *installation) redisCLI(address string, args ...string) (string, error) {
	cmd := exec.Command("redis-cli", append([]string{"--no-auth-warning", "-u", address, "--cacert", in.CAFile}, args...)...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (in *installation) mustRedisCLI(t testing.TB, want, address string, args ...string) {
	t.Helper()
	got, err := in.redisCLI(address, args...)
	if err != nil || got != want {
		t.Errorf("redis-cli %s: got %q %v, want %q", strings.Join(args, " "), got, err, want)
	}
}

// redisRows runs a query through the API and gives its rows as JSON.
func (in *installation) redisRows(t testing.TB, workspace, query string) string {
	t.Helper()
	body := in.must(t, http.StatusOK, "POST", "/workspaces/"+workspace+"/queries", map[string]any{"query": query})
	rows, err := json.Marshal(body["rows"])
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(body["columns"], body["row_count"]), fmt.Sprint([]any{"result"}, len(body["rows"].([]any))); got != want {
		t.Errorf("%s: got columns and row_count %s, want %s", query, got, want)
	}
	if _, ok := body["execution_time"].(string); !ok {
		t.Errorf("%s: no execution_time in %v", query, body)
	}
	return string(rows)
}

// holds fails unless the answer has these values, compared as JSON.
func holds(t testing.TB, body map[string]any, want string) {
	t.Helper()
	var values map[string]any
	if err := json.Unmarshal([]byte(want), &values); err != nil {
		t.Fatal(err)
	}
	for key, value := range values {
		got, _ := json.Marshal(body[key])
		wanted, _ := json.Marshal(value)
		if !bytes.Equal(got, wanted) {
			t.Errorf("%s: got %s, want %s", key, got, wanted)
		}
	}
}

func TestRedisWorkspaceFromCreateToDelete(t *testing.T) {
	in := shared
	body := in.redisWorkspace(t, "redis-control", "control")
	at := in.Listeners["redis"]
	holds(t, body, fmt.Sprintf(`{"id": "redis-control", "mode": "control", "database": "Redis", "blueprint": null,
		"connection": {"host": %q, "port": %d, "database": "0", "user": "redis-control", "username": "redis-control", "password": %q},
		"connection_string": "rediss://redis-control:%s@%s:%d/0"}`, at.Host, at.Port, in.ProxyPassword, in.ProxyPassword, at.Host, at.Port))
	address := body["connection_string"].(string)

	in.mustRedisCLI(t, "OK", address, "SET", "greeting", "hello world")
	if got, want := in.redisRows(t, "redis-control", "GET greeting"), `[["hello world"]]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}

	details := in.must(t, http.StatusOK, "GET", "/workspaces/redis-control", nil)
	holds(t, details, `{"id": "redis-control", "name": "redis-control", "mode": "control", "database": "redis", "schema": [], "schema_error": null,
		"settings": {"default_ttl": 0, "max_keys": 0, "patterns": {}}, "undeployed_changes": null, "version": null}`)
	if text := fmt.Sprint(details); strings.Contains(text, in.ProxyPassword) || !strings.Contains(text, "••••••••@") {
		t.Errorf("details do not mask the password: %s", text)
	}
	list := in.must(t, http.StatusOK, "GET", "/workspaces", nil)["workspaces"].([]any)
	found := false
	for _, item := range list {
		w := item.(map[string]any)
		if w["id"] == "redis-control" {
			found = true
			holds(t, w, `{"name": "redis-control", "mode": "control", "database": "redis", "version": null}`)
		}
	}
	if !found {
		t.Errorf("the list does not have it: %v", list)
	}
	if a := in.call(t, "POST", "/workspaces", map[string]any{"name": "redis-control", "database": "redis", "mode": "control"}); a.status != http.StatusConflict {
		t.Errorf("the same name again: got %d, want 409", a.status)
	}
	if a := in.call(t, "GET", "/workspaces/redis-control/diff", nil); a.status != http.StatusBadRequest {
		t.Errorf("the queue of a control workspace: got %d, want 400", a.status)
	}

	holds(t, in.must(t, http.StatusOK, "DELETE", "/workspaces/redis-control", nil),
		`{"message": "workspace deleted", "details": {"workspace": "redis-control", "mode": "control", "versions_deleted": 0, "deletion_type": "full", "physical_db": true}}`)
	if out, err := in.redisCLI(address, "GET", "greeting"); err == nil && strings.Contains(out, "hello") {
		t.Errorf("a deleted workspace answers %q", out)
	}
	for _, path := range []string{"", "/schema", "/settings"} {
		if a := in.call(t, "GET", "/workspaces/redis-control"+path, nil); a.status != http.StatusNotFound {
			t.Errorf("%s of a deleted workspace: got %d, want 404", path, a.status)
		}
	}

	// Made anew, it is empty.
	in.redisWorkspace(t, "redis-control", "control")
	in.mustRedisCLI(t, "0", address, "DBSIZE")
}

func TestRedisWorkspaceInTenantMode(t *testing.T) {
	in := shared
	holds(t, in.redisWorkspace(t, "redis-tenant", "tenant"), `{"mode": "tenant", "blueprint": "redis-tenant"}`)
	in.redisRows(t, "redis-tenant", "SET a 1")
	holds(t, in.must(t, http.StatusOK, "GET", "/workspaces/redis-tenant", nil), `{"version": 0, "undeployed_changes": 0}`)
	holds(t, in.must(t, http.StatusOK, "GET", "/workspaces/redis-tenant/diff", nil),
		`{"workspace": "redis-tenant", "blueprint": "redis-tenant", "version": 0, "count": 0, "pending": []}`)
	for _, try := range [][2]string{{"DELETE", "/diff/1"}, {"POST", "/diff/1/revert"}} {
		if a := in.call(t, try[0], "/workspaces/redis-tenant"+try[1], nil); a.status != http.StatusNotFound {
			t.Errorf("%s %s: got %d, want 404", try[0], try[1], a.status)
		}
	}
}

func TestRedisSettingsHoldForQueriesToo(t *testing.T) {
	in := shared
	in.redisWorkspace(t, "redis-settings", "tenant")
	path := "/workspaces/redis-settings/settings"
	holds(t, in.must(t, http.StatusOK, "GET", path, nil),
		`{"database_type": "Redis", "settings": {"default_ttl": 0, "max_keys": 0, "patterns": {}}, "available_fields": ["default_ttl", "max_keys", "patterns"]}`)
	holds(t, in.must(t, http.StatusOK, "POST", path, map[string]any{"default_ttl": 3600, "patterns": map[string]any{"cache:*": map[string]any{"ttl": 300}}}),
		`{"settings": {"default_ttl": 3600, "max_keys": 0, "patterns": {"cache:*": {"ttl": 300}}}, "message": "Settings saved. Deploy to apply to tenants.", "pending_deploy": true, "database_type": "Redis"}`)
	holds(t, in.must(t, http.StatusOK, "PATCH", path, map[string]any{"max_keys": 2}),
		`{"settings": {"default_ttl": 3600, "max_keys": 2, "patterns": {"cache:*": {"ttl": 300}}}}`)

	in.redisRows(t, "redis-settings", "SET cache:1 x\nSET other x")
	for query, want := range map[string]string{"TTL cache:1": "[[300]]", "TTL other": "[[3600]]"} {
		if got := in.redisRows(t, "redis-settings", query); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
	a := in.call(t, "POST", "/workspaces/redis-settings/queries", map[string]any{"query": "SET third x"})
	if text := fmt.Sprint(a.body["error"]); a.status != http.StatusBadRequest || !strings.Contains(text, "max_keys limit reached") {
		t.Errorf("a key too many: got %d %s", a.status, text)
	}

	for name, value := range map[string]any{
		"max_connections": 1, "default_ttl": -1, "max_keys": "many", "patterns": []string{"a"},
	} {
		a := in.call(t, "POST", path, map[string]any{name: value})
		if text := fmt.Sprint(a.body["error"]); a.status != http.StatusBadRequest || !strings.Contains(text, name) || !strings.Contains(text, "default_ttl, max_keys, patterns") {
			t.Errorf("%s %v: got %d %s", name, value, a.status, text)
		}
	}
}

func TestRedisQueries(t *testing.T) {
	in := shared
	in.redisWorkspace(t, "redis-queries", "control")
	for _, step := range []struct{ query, want string }{
		{`SET user:1 "Alice \"A\" \x41"`, `[["OK"]]`},
		{`get user:1`, `[["Alice \"A\" A"]]`},
		{`GET none`, `[[null]]`},
		{"RPUSH l a b\nLRANGE l 0 -1", `[["a"],["b"]]`},
		{"ZADD z 1.5 m\nZRANGE z 0 -1 WITHSCORES", `[["m"],["1.5"]]`},
		{"MULTI\nINCR n\nINCR n\nEXEC", `[[1],[2]]`},
		{`EVAL "return {1, {'two'}}" 0`, `[[1],[["two"]]]`},
		{`EVAL "return redis.call('PUBLISH', '1:news', 'x')" 0`, `[[0]]`}, // on a channel of its own, whatever its name
		{`DBSIZE`, `[[4]]`},
	} {
		if got := in.redisRows(t, "redis-queries", step.query); got != step.want {
			t.Errorf("%s: got %s, want %s", step.query, got, step.want)
		}
	}
	const refusedInScript = " script: " // in the words of Redis and of Valkey
	for query, says := range map[string]string{
		"INCR user:1":       "ERR value is not an integer",
		"LPUSH user:1 x":    "WRONGTYPE",
		"nonsense":          "ERR unknown command",
		"SELECT 1":          "",
		"CONFIG GET *":      "",
		"ACL LIST":          "",
		"SWAPDB 1 2":        "",
		"SHUTDOWN":          "",
		"MIGRATE h 1 k 1 1": "",
		"AUTH default x":    "",
		"RESET":             "",
		"MONITOR":           "",
		"SUBSCRIBE news":    "needs a connection that stays",
		`GET "user`:         "unbalanced quotes",
		"EVAL \"return redis.call('SELECT', 1)\" 0":               refusedInScript,
		"EVAL \"return redis.call('PUBSUB', 'CHANNELS')\" 0":      refusedInScript,
		"EVAL \"return redis.call('COPY', 'l', 'l', 'DB', 1)\" 0": refusedInScript,
		"EVAL \"return redis.call('INFO')\" 0":                    refusedInScript,
	} {
		a := in.call(t, "POST", "/workspaces/redis-queries/query", map[string]any{"query": query})
		text := fmt.Sprint(a.body["error"])
		if a.status != http.StatusBadRequest || !strings.Contains(text, says) {
			t.Errorf("%s: got %d %s, want 400 with %q", query, a.status, text, says)
		}
	}
}

func TestRedisSchemaShowsKeysByPattern(t *testing.T) {
	in := shared
	in.redisWorkspace(t, "redis-schema", "control")
	in.redisWorkspace(t, "redis-neighbour", "control")
	in.redisRows(t, "redis-neighbour", "SET user:theirs secret-value")
	in.redisRows(t, "redis-schema", "SET user:1 secret-value\nSET user:2 secret-value EX 100\nHSET user:3 f secret-value\nSET plain secret-value")
	body := in.must(t, http.StatusOK, "GET", "/workspaces/redis-schema/schema", nil)
	holds(t, body, `{"key_count": 4, "looked_at": 4, "complete": true, "keys": [
		{"pattern": "user:*", "count": 3, "types": {"string": 2, "hash": 1}, "with_ttl": 1},
		{"pattern": "*", "count": 1, "types": {"string": 1}, "with_ttl": 0}]}`)
	if strings.Contains(fmt.Sprint(body), "secret-value") {
		t.Error("the schema shows values")
	}
}

func TestRedisLoginIsOfTheWorkspaceAndItsProjectsPassword(t *testing.T) {
	in := shared
	address := in.redisWorkspace(t, "redis-login", "control")["connection_string"].(string)
	in.mustRedisCLI(t, "OK", address, "SET", "whose", "first")

	project := in.must(t, http.StatusCreated, "POST", "/projects", map[string]any{"name": "redis-second"})
	t.Cleanup(func() { in.call(t, "DELETE", "/projects/"+project["project_id"].(string), nil) })
	second := &installation{ready: in.ready}
	second.APIKey = project["api_key"].(string)
	theirs := second.must(t, http.StatusCreated, "POST", "/workspaces", map[string]any{"name": "redis-login", "database": "Redis", "mode": "control"})["connection_string"].(string)
	in.mustRedisCLI(t, "", theirs, "GET", "whose")
	in.mustRedisCLI(t, "first", address, "GET", "whose")

	// The second project has this one Redis workspace only.
	with := func(user, password string) string {
		u, err := url.Parse(theirs)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(user, password)
		return u.String()
	}
	password := project["proxy_password"].(string)
	in.mustRedisCLI(t, "PONG", with("workspace", password), "PING")
	in.mustRedisCLI(t, "PONG", with("", password), "PING")
	for _, wrong := range []string{with("redis-login", "tdb_0000000000000000"), with("redis-login_workspace", password), with("none", password)} {
		if out, _ := in.redisCLI(wrong, "PING"); strings.Contains(out, "PONG") {
			t.Errorf("%s is let in", wrong)
		}
	}
}

// TestRedisQueriesBeyondMaxConnections: a session of a client and a query come
// out of one number, which is what a new workspace has.
func TestRedisQueriesBeyondMaxConnections(t *testing.T) {
	in := shared
	const limit = 100
	options := in.redisOptions(t, in.redisAddress(t, "redis-full", nil))
	options.PoolSize = limit
	client := goredis.NewClient(options)
	defer client.Close()
	sessions := make([]*goredis.Conn, limit)
	for n := range sessions {
		sessions[n] = client.Conn()
		defer sessions[n].Close()
		if err := sessions[n].Ping(t.Context()).Err(); err != nil {
			t.Fatalf("session %d: %v", n+1, err)
		}
	}
	query := map[string]any{"query": "PING"}
	a := in.call(t, "POST", "/workspaces/redis-full/queries", query)
	if a.status != http.StatusTooManyRequests {
		t.Fatalf("beyond the limit: got %d %v", a.status, a.body)
	}
	holds(t, a.body, `{"code": "rate_limited", "reason": "max_connections",
		"error": "workspace \"redis-full\" has reached its max_connections limit of 100"}`)
	if err := sessions[0].Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil { // what it keeps in its pool goes with it
		t.Fatal(err)
	}
	deadline := time.After(time.Minute)
	for in.call(t, "POST", "/workspaces/redis-full/queries", query).status != http.StatusOK {
		select {
		case <-deadline:
			t.Fatal("no place is free after a session has ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
}
