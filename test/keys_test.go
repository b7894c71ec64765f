package test

import (
	"net/http"
	"net/url"
	"testing"
)

// proxyLogin is how native clients log in as an API key.
type proxyLogin struct {
	id             string // of the key
	user, password string
}

// key makes an API key of that role and scope, gone with the test, and gives its
// login.
func (in *installation) key(t testing.TB, role, scope string, values ...string) proxyLogin {
	t.Helper()
	asked := map[string]any{"name": role + " " + scope, "role": role, "scope_type": scope}
	if len(values) > 0 {
		asked["scope_values"] = values
	}
	body := in.must(t, http.StatusCreated, "POST", "/apikeys", asked)
	k := proxyLogin{id: body["id"].(string), user: body["proxy_user"].(string), password: body["proxy_password"].(string)}
	t.Cleanup(func() { in.call(t, "DELETE", "/apikeys/"+k.id, nil) })
	return k
}

func (in *installation) revoke(t testing.TB, k proxyLogin) {
	t.Helper()
	in.must(t, http.StatusOK, "DELETE", "/apikeys/"+k.id, nil)
}

// as is the connection string of a database with the key's login. That of a Redis
// database keeps its user, which names the database.
func (k proxyLogin) as(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	user := k.user
	if u.Scheme == "rediss" {
		user = u.User.Username()
	}
	u.User = url.UserPassword(user, k.password)
	return u.String()
}

func TestAKeysLoginIsShownOnceAndItsUserAlways(t *testing.T) {
	in := shared
	whole := in.key(t, "write", "project")
	if whole.user != in.ProjectID || whole.password != in.ProxyPassword {
		t.Errorf("a key that may write in the whole project has the login %s, want the project's", whole.user)
	}
	part := in.key(t, "read", "workspace", "shop")
	if part.user == in.ProjectID || part.password == in.ProxyPassword {
		t.Error("a key of a workspace has the project's login")
	}
	users := map[string]any{}
	for _, k := range in.must(t, http.StatusOK, "GET", "/apikeys", nil)["api_keys"].([]any) {
		k := k.(map[string]any)
		users[k["id"].(string)] = k["proxy_user"]
		if _, shown := k["proxy_password"]; shown {
			t.Errorf("the list shows a password: %v", k)
		}
	}
	if users[whole.id] != in.ProjectID || users[part.id] != part.user {
		t.Errorf("the list has the users %v", users)
	}
}
