package test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

func TestRedisTenantIsADatabaseOfItsOwn(t *testing.T) {
	in := shared
	of := in.redisAddress(t, "rt-own", nil)
	body := in.tenant(t, "rt_own_acme", "rt-own")
	at, d := in.Listeners["redis"], databaseOf(t, body, "rt-own")
	holds(t, body, `{"success": true, "http_status": 201, "code": "created", "tenant_id": "rt_own_acme", "status": "ready"}`)
	holds(t, d, `{"blueprint": "rt-own", "database_type": "Redis", "isolation_level": 1}`)
	password := d["connection"].(map[string]any)["password"].(string)
	holds(t, d["connection"].(map[string]any), fmt.Sprintf(`{"host": %q, "port": %d, "database": "0", "user": "rt-own__rt_own_acme", "username": "rt-own__rt_own_acme"}`, at.Host, at.Port))
	acme := addressOf(t, body, "rt-own")
	if want := fmt.Sprintf("rediss://rt-own__rt_own_acme:%s@%s:%d/0", password, at.Host, at.Port); acme != want || password == in.ProxyPassword {
		t.Errorf("got %s, want %s, whose password is its own", acme, want)
	}
	globex := addressOf(t, in.tenant(t, "rt_own_globex", "rt-own"), "rt-own")

	for i, address := range []string{of, acme, globex} {
		in.mustRedisCLI(t, "", address, "GET", "whose")
		in.mustRedisCLI(t, "OK", address, "SET", "whose", fmt.Sprint(i))
	}
	for i, address := range []string{of, acme, globex} {
		in.mustRedisCLI(t, fmt.Sprint(i), address, "GET", "whose")
		in.mustRedisCLI(t, "1", address, "DBSIZE")
	}
	in.mustRedisCLI(t, "rt-own__rt_own_acme", acme, "ACL", "WHOAMI")

	// Its password leads to it alone, by its name or as "workspace".
	with := func(user, password string) string {
		u, err := url.Parse(acme)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(user, password)
		return u.String()
	}
	in.mustRedisCLI(t, "1", with("workspace", password), "GET", "whose")
	for _, wrong := range []string{
		with("rt-own__rt_own_acme", in.ProxyPassword), with("rt-own__rt_own_globex", password), with("rt-own", password), with("rt_own_acme", password), with("rt-own__rt_own_acme", "wrong"),
	} {
		if out, _ := in.redisCLI(wrong, "GET", "whose"); !strings.Contains(out, "WRONGPASS") {
			t.Errorf("%s: got %q", wrong, out)
		}
	}
}

func TestRedisTenantsHearNothingOfEachOther(t *testing.T) {
	in, ctx := shared, t.Context()
	addresses := []string{in.redisAddress(t, "rt-channels", nil)}
	for _, name := range []string{"rt_channels_acme", "rt_channels_globex"} {
		addresses = append(addresses, addressOf(t, in.tenant(t, name, "rt-channels"), "rt-channels"))
	}
	heard := make([]<-chan *goredis.Message, len(addresses))
	clients := make([]*goredis.Client, len(addresses))
	for i, address := range addresses {
		clients[i] = in.redisClient(t, address)
		subscription := clients[i].PSubscribe(ctx, "*")
		defer subscription.Close()
		if _, err := subscription.Receive(ctx); err != nil {
			t.Fatal(err)
		}
		heard[i] = subscription.Channel()
	}
	for i, c := range clients {
		if n, err := c.Publish(ctx, "news", i).Result(); err != nil || n != 1 {
			t.Errorf("publish of %d: %d have it, %v", i, n, err)
		}
	}
	for i, messages := range heard {
		select {
		case m := <-messages:
			if m.Channel != "news" || m.Payload != fmt.Sprint(i) {
				t.Errorf("%d heard %v", i, m)
			}
		case <-time.After(time.Minute):
			t.Errorf("%d heard nothing", i)
		}
	}
	// What another's would have been is behind the own.
	for i, c := range clients {
		if err := c.Publish(ctx, "end", "").Err(); err != nil {
			t.Fatal(err)
		}
		if m := <-heard[i]; m.Channel != "end" {
			t.Errorf("%d heard %v", i, m)
		}
	}
}

func TestRedisTenantGetsSettingsWithADeployment(t *testing.T) {
	in, ctx := shared, t.Context()
	in.redisAddress(t, "rt-settings", map[string]any{"default_ttl": 3600})
	acme := in.redisClient(t, addressOf(t, in.tenant(t, "rt_settings_acme", "rt-settings"), "rt-settings"))
	conn := acme.Conn()
	defer conn.Close()
	lives := func(key string, want time.Duration) {
		t.Helper()
		if err := conn.Set(ctx, key, "x", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if got := conn.TTL(ctx, key).Val(); got > want || got < want-5*time.Second {
			t.Errorf("%s lives %v, want %v", key, got, want)
		}
	}
	lives("born:with", time.Hour) // those of its blueprint when it was made

	in.redisSet(t, "rt-settings", map[string]any{"default_ttl": 600, "max_keys": 3, "patterns": map[string]any{"cache:*": map[string]any{"ttl": 60}}})
	lives("cache:1", time.Hour)
	plan := in.must(t, http.StatusOK, "POST", "/deployments?dry_run=true", map[string]any{"blueprint_name": "rt-settings", "deploy_all": true})
	holds(t, plan, `{"dry_run": true, "version": 0, "tenants_total": 1, "plan": [{"tenant_id": "rt_settings_acme", "from_version": 0, "to_version": 0, "ddl": []}]}`)
	lives("cache:1", time.Hour)

	d := in.deploy(t, map[string]any{"blueprint_name": "rt-settings", "tenants": []string{"rt_settings_acme"}})
	holds(t, d, `{"blueprint_name": "rt-settings", "version": 0, "status": "completed", "tenants_total": 1, "tenants_completed": 1, "tenants_failed": 0}`)
	lives("cache:1", time.Minute)
	lives("plain", 10*time.Minute)
	if err := conn.Set(ctx, "fourth", "x", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "ERR max_keys limit reached (tenant database 'rt-settings__rt_settings_acme' may have 3 keys;") {
		t.Errorf("a key too many: got %v", err)
	}

	// Queries through the API are the tenant's client too.
	ask := func(query string) answer {
		return in.call(t, "POST", "/admin/query", map[string]any{"blueprint": "rt-settings", "tenant_id": "rt_settings_acme", "query": query})
	}
	if a := ask("SET fourth x"); a.status != http.StatusBadRequest || !strings.Contains(fmt.Sprint(a.body["error"]), "max_keys limit reached") {
		t.Errorf("a key too many by a query: got %d %v", a.status, a.body)
	}
	holds(t, ask("DBSIZE").body, `{"columns": ["result"], "rows": [[3]], "row_count": 1}`)
	all := in.must(t, http.StatusOK, "POST", "/admin/query", map[string]any{"blueprint": "rt-settings", "all_tenants": true, "query": "EXISTS cache:1"})
	holds(t, all, `{"total_tenants": 1, "results": [{"tenant_id": "rt_settings_acme", "columns": ["result"], "rows": [[1]], "row_count": 1}]}`)
}

func TestRedisTenantIsSuspendedResumedTrashedAndRestored(t *testing.T) {
	in := shared
	in.redisAddress(t, "rt-life", nil)
	acme := addressOf(t, in.tenant(t, "rt_life_acme", "rt-life"), "rt-life")
	other := addressOf(t, in.tenant(t, "rt_life_globex", "rt-life"), "rt-life")
	const suspended = "ERR tenant database 'rt-life__rt_life_acme' is suspended"
	in.mustRedisCLI(t, "OK", acme, "SET", "kept", "1")
	closed := func(change, method, path, state, refusal string) {
		t.Helper()
		options := in.redisOptions(t, acme)
		options.MaxRetries = -1
		client := goredis.NewClient(options)
		defer client.Close()
		waiting := client.Conn()
		defer waiting.Close()
		if err := waiting.Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- waiting.BLPop(context.Background(), 0, "none").Err() }()
		holds(t, in.must(t, http.StatusOK, method, path, nil), `{"tenant_id": "rt_life_acme", "status": "`+state+`"}`)
		if err := <-ended; err == nil || !strings.HasPrefix(err.Error(), suspended) {
			t.Errorf("%s: an open session hears %v", change, err)
		}
		if out, _ := in.redisCLI(acme, "GET", "kept"); !strings.Contains(out, refusal) {
			t.Errorf("%s: a login hears %q", change, out)
		}
		in.mustRedisCLI(t, "PONG", other, "PING")
		holds(t, in.must(t, http.StatusOK, "GET", "/tenants/rt_life_acme", nil), `{"status": "`+state+`"}`)
	}
	closed("suspend", "POST", "/tenants/rt_life_acme/suspend", "suspended", suspended)
	in.must(t, http.StatusOK, "POST", "/tenants/rt_life_acme/resume", nil)
	in.mustRedisCLI(t, "1", acme, "GET", "kept")
	closed("delete", "DELETE", "/tenants/rt_life_acme", "trash", "WRONGPASS")
	in.must(t, http.StatusOK, "POST", "/tenants/rt_life_acme/restore", nil)
	in.mustRedisCLI(t, "1", acme, "GET", "kept")

	in.must(t, http.StatusOK, "DELETE", "/tenants/rt_life_acme?hard=true", nil)
	if out, _ := in.redisCLI(acme, "GET", "kept"); !strings.Contains(out, "WRONGPASS") {
		t.Errorf("a tenant deleted for good: a login hears %q", out)
	}
	again := addressOf(t, in.tenant(t, "rt_life_acme", "rt-life"), "rt-life")
	if again == acme {
		t.Error("the new tenant has the password of the old one")
	}
	in.mustRedisCLI(t, "0", again, "DBSIZE")
}

// Redis forgets its users when it is started again.
func TestRedisTenantOutlivesItsServer(t *testing.T) {
	in := newInstallation(t, "redis")
	in.redisAddress(t, "lasting", nil)
	acme := addressOf(t, in.tenant(t, "acme", "lasting"), "lasting")
	closed := addressOf(t, in.tenant(t, "globex", "lasting"), "lasting")
	in.mustRedisCLI(t, "OK", acme, "SET", "a", "1")
	in.mustRedisCLI(t, "OK", closed, "SET", "a", "2")
	in.must(t, http.StatusOK, "DELETE", "/tenants/globex", nil)
	in.killServer(t, "redis/data/redis.pid")
	eventually(t, "the tenant is back", func() bool {
		got, err := in.redisCLI(acme, "GET", "a")
		return err == nil && got == "1"
	})
	in.restart(t)
	in.mustRedisCLI(t, "1", acme, "GET", "a")
	if out, _ := in.redisCLI(closed, "GET", "a"); !strings.Contains(out, "WRONGPASS") {
		t.Errorf("a tenant in the trash: a login hears %q", out)
	}
	in.must(t, http.StatusOK, "POST", "/tenants/globex/restore", nil)
	in.mustRedisCLI(t, "2", closed, "GET", "a")
}
