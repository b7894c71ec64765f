package redis

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// suspend is what the Service does.
func (s *testSpace) suspend(t testing.TB) {
	t.Helper()
	s.live.SetSuspended(true)
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	s.world.server.CloseWorkspace(ctx, s.live.ID)
}

func TestASuspendedTenantLetsNobodyInAndKeepsItsKeys(t *testing.T) {
	w := newWorld(t)
	s, neighbour := w.tenant(t, workspace.Settings{}), w.tenant(t, workspace.Settings{})
	other := neighbour.connect(t)
	want := fmt.Sprintf("-ERR tenant database '%s' is suspended; resume or restore the tenant through the admin API\r\n", s.live.Name)

	open := map[string]*client{"idle": s.connect(t), "idle in RESP3": s.connect3(t), "in MULTI": s.connect(t), "subscribed": s.connect(t), "waiting": s.connect(t)}
	open["idle"].want("+OK\r\n", "SET", "k", "v")
	open["in MULTI"].must("MULTI")
	open["in MULTI"].want("+QUEUED\r\n", "SET", "k", "lost")
	open["subscribed"].must("SUBSCRIBE", "news")
	open["waiting"].send(appendCommand(nil, "BLPOP", "none", "0"))
	s.awaitBlocked(t)
	s.suspend(t)
	for name, c := range open {
		if got := c.ended(); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}

	for name, login := range map[string][]string{
		"AUTH": {"AUTH", s.live.Name, testPassword}, "HELLO 2": {"HELLO", "2", "AUTH", s.live.Name, testPassword}, "HELLO 3": {"HELLO", "3", "AUTH", s.live.Name, testPassword},
	} {
		c := w.stranger(t)
		c.send(appendCommand(nil, login...))
		if got := c.ended(); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	// Who does not know the password does not hear that there is such a tenant.
	if got := w.stranger(t).do("AUTH", s.live.Name, "wrong"); !strings.HasPrefix(got, "-WRONGPASS") {
		t.Errorf("a wrong password: got %q", got)
	}
	other.want("+PONG\r\n", "PING")

	s.live.SetSuspended(false)
	s.connect(t).want("$1\r\nv\r\n", "GET", "k")
}

func TestATenantIsNamedInItsErrors(t *testing.T) {
	w := newWorld(t)
	s := w.tenant(t, workspace.Settings{MaxKeys: 1})
	c := s.connect(t)
	c.must("SET", "a", "1")
	full := fmt.Sprintf("ERR max_keys limit reached (tenant database '%s' may have 1 keys; delete some or raise max_keys in its blueprint's settings and deploy them)", s.live.Name)
	c.want("-"+full+"\r\n", "SET", "b", "1")
	if got := c.do("EVAL", "return redis.call('SET','b','1')", "0"); !strings.Contains(got, full) {
		t.Errorf("in a script: got %q", got)
	}
	c.want(fmt.Sprintf("$%d\r\n%s\r\n", len(s.live.Name), s.live.Name), "ACL", "WHOAMI")
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	s.live.SetDeleted()
	w.server.CloseWorkspace(ctx, s.live.ID)
	if got, want := c.ended(), fmt.Sprintf("-ERR tenant database '%s' was deleted\r\n", s.live.Name); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A tenant has the settings that a deployment brought it, whatever those of its
// blueprint's workspace are now, and they reach its open sessions.
func TestATenantHasSettingsOfItsOwn(t *testing.T) {
	w := newWorld(t)
	blueprint, acme := w.workspace(t, workspace.Settings{DefaultTTL: 500}), w.tenant(t, workspace.Settings{})
	of, in := blueprint.connect(t), acme.connect(t)
	of.must("SET", "session:1", "x")
	in.must("SET", "session:1", "x")
	of.want(":500\r\n", "TTL", "session:1")
	in.want(":-1\r\n", "TTL", "session:1")

	acme.live.Set(workspace.Settings{DefaultTTL: 500, MaxKeys: 2, Patterns: map[string]workspace.Pattern{"cache:*": {TTL: 60}}})
	in.must("SET", "cache:1", "x")
	in.want(":60\r\n", "TTL", "cache:1")
	in.must("SET", "session:1", "x")
	in.want(":500\r\n", "TTL", "session:1")
	if got := in.do("SET", "third", "x"); !strings.HasPrefix(got, "-ERR max_keys limit reached") {
		t.Errorf("got %q", got)
	}
	of.must("MSET", "a", "1", "b", "1", "c", "1")
}

// TestTenantsHearNothingOfEachOther: tenants and the workspace of their
// blueprint share a server, channels of the same names among them.
func TestTenantsHearNothingOfEachOther(t *testing.T) {
	w := newWorld(t)
	spaces := []*testSpace{w.workspace(t, workspace.Settings{}), w.tenant(t, workspace.Settings{}), w.tenant(t, workspace.Settings{})}
	listeners := make([]*client, len(spaces))
	for i, s := range spaces {
		listeners[i] = s.connect(t)
		listeners[i].must("PSUBSCRIBE", "*")
	}
	for i, s := range spaces {
		c := s.connect(t)
		c.want("$-1\r\n", "GET", "k")
		c.must("SET", "k", fmt.Sprint(i))
		c.want(":1\r\n", "PUBLISH", "news", fmt.Sprintf("of %d", i))
	}
	for i, l := range listeners {
		want := fmt.Sprintf("*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$4\r\nnews\r\n$4\r\nof %d\r\n", i)
		got := l.read()
		for strings.Contains(got, "__key") { // of other tests, where they turned notifications on
			got = l.read()
		}
		if got != want {
			t.Errorf("listener %d: got %q, want %q", i, got, want)
		}
	}
	c := spaces[1].connect(t)
	c.want("-"+errAnotherUser+"\r\n", "AUTH", spaces[2].live.Name, testPassword)
	c.want("$1\r\n1\r\n", "GET", "k")
}
