package workspace_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// keyed makes a key of that role and scope.
func keyed(t *testing.T, s *workspace.Service, p workspace.Principal, role, scopeType string, values ...string) workspace.CreatedKey {
	t.Helper()
	k, err := s.CreateKey(t.Context(), p, workspace.KeyRequest{
		Name: role + " " + scopeType, Role: role, Scope: workspace.Scope{Type: scopeType, Values: values},
	})
	must(t, err)
	form(t, "proxy user", k.ProxyUser(), "tdb_", 8)
	form(t, "proxy password", k.ProxyPassword, "tdb_", 16)
	return k
}

// reached is the databases among names that the user gets into, with a mark for
// those where it may only read.
func reached(t *testing.T, s *workspace.Service, user string, names ...string) string {
	t.Helper()
	var all []string
	for _, name := range names {
		l, err := s.Login(t.Context(), workspace.PostgreSQL, user, name)
		must(t, err)
		if !l.Known {
			if l.Route.Live != nil || l.Route.Password != "" {
				t.Errorf("the refused login to %s holds secrets", name)
			}
			continue
		}
		if reads := strings.HasSuffix(l.Route.Role, "_reader"); reads != l.Route.Reads() {
			t.Errorf("%s: the role is %s, and that it only reads is %v", name, l.Route.Role, l.Route.Reads())
		}
		if l.Route.Reads() {
			name += "(r)"
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

func TestAKeysLoginReachesItsScope(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	for _, name := range []string{"blog", "late"} {
		_, err := s.Create(t.Context(), p, name, "PostgreSQL", "tenant")
		must(t, err)
	}
	_, err := s.Delete(t.Context(), p, "late")
	must(t, err)
	for _, r := range []workspace.TenantRequest{tenant("acme", "shop", "blog"), tenant("zeta", "shop")} {
		_, err := s.CreateTenant(t.Context(), p, r)
		must(t, err)
	}
	created, err := s.CreateProject(t.Context(), p, "other")
	must(t, err)
	other, err := s.Authenticate(t.Context(), created.APIKey)
	must(t, err)
	theirs, err := s.Create(t.Context(), other, "shop", "PostgreSQL", "tenant")
	must(t, err)

	const project = "shop_workspace blog_workspace"
	cases := []struct {
		role, scope string
		values      []string
		now, later  string // later: what it also reaches of what is made afterwards
	}{
		{"write", "project", nil, project, "late_workspace"},
		{"admin", "project", nil, project, "late_workspace"},
		{"read", "project", nil, "shop_workspace(r) blog_workspace(r)", "late_workspace(r)"},
		{"write", "workspace", []string{"shop"}, "shop_workspace shop__acme shop__zeta", "shop__late"},
		{"admin", "workspace", []string{"shop"}, "shop_workspace shop__acme shop__zeta", "shop__late"},
		{"read", "workspace", []string{"blog"}, "blog_workspace(r) blog__acme(r)", ""},
		{"read", "workspace", []string{"blog", "late"}, "blog_workspace(r) blog__acme(r)", "late_workspace(r)"},
		{"write", "workspace", []string{"acme"}, "", ""},
		{"write", "tenant", []string{"acme"}, "shop__acme blog__acme", ""},
		{"read", "tenant", []string{"acme", "late"}, "shop__acme(r) blog__acme(r)", "shop__late(r)"},
		{"read", "tenant", []string{"shop"}, "", ""},
	}
	keys := make([]workspace.CreatedKey, len(cases))
	all := []string{"shop_workspace", "blog_workspace", "shop__acme", "blog__acme", "shop__zeta", "late_workspace", "shop__late", theirs.Connection.Database}
	for n, c := range cases {
		keys[n] = keyed(t, s, p, c.role, c.scope, c.values...)
		what := fmt.Sprint(c.role, " ", c.scope, " ", c.values)
		equal(t, what, reached(t, s, keys[n].ProxyUser(), all...), c.now)
	}
	_, err = s.Create(t.Context(), p, "late", "PostgreSQL", "control")
	must(t, err)
	_, err = s.CreateTenant(t.Context(), p, tenant("late", "shop"))
	must(t, err)
	for range 2 { // also after a restart
		for n, c := range cases {
			what := fmt.Sprint(c.role, " ", c.scope, " ", c.values, " later")
			equal(t, what, reached(t, s, keys[n].ProxyUser(), all...), strings.Trim(c.now+" "+c.later, " "))
			l, err := s.LoginUser(t.Context(), workspace.PostgreSQL, keys[n].ProxyUser())
			must(t, err)
			equal(t, what+": SCRAM takes its password", converse(t, l.SCRAM, keys[n].ProxyPassword), true)
			routes, err := s.Routes(t.Context(), workspace.PostgreSQL, keys[n].ProxyUser())
			must(t, err)
			equal(t, what+": routes", len(routes), len(strings.Fields(c.now+" "+c.later)))
		}
		s.Close()
		s = i.start()
	}
}

// Where a tenant's clients are not let in, those of keys are not either.
func TestAKeysLoginHeedsTheStateOfATenant(t *testing.T) {
	_, s, p, _ := newTenant(t)
	k := keyed(t, s, p, "read", "tenant", "acme")
	_, err := s.SuspendTenant(t.Context(), p, "acme")
	must(t, err)
	l, err := s.Login(t.Context(), workspace.PostgreSQL, k.ProxyUser(), "shop__acme")
	must(t, err)
	equal(t, "suspended", l.Known && l.Route.Live.Suspended(), true)
	must(t, s.DeleteTenant(t.Context(), p, "acme", false))
	equal(t, "in the trash", reached(t, s, k.ProxyUser(), "shop__acme"), "")
	_, err = s.RestoreTenant(t.Context(), p, "acme")
	must(t, err)
	equal(t, "restored", reached(t, s, k.ProxyUser(), "shop__acme"), "shop__acme(r)")
}

// A login by its password alone is whose the password is, with a name of theirs.
func TestAKeysPasswordDecidesWhoItIs(t *testing.T) {
	i := install(t)
	i.engines = map[string]workspace.Engine{"redis": newFakeServer(workspace.Redis, i.faults)}
	s := i.start()
	p := i.admin(s)
	for _, name := range []string{"cache", "queue"} {
		_, err := s.Create(t.Context(), p, name, "Redis", "tenant")
		must(t, err)
	}
	_, err := s.CreateTenant(t.Context(), p, tenant("acme", "cache"))
	must(t, err)
	of := keyed(t, s, p, "write", "workspace", "cache")
	reader := keyed(t, s, p, "read", "tenant", "acme")
	for _, c := range []struct {
		name, password string
		leads          string
	}{
		{"cache", of.ProxyPassword, "cache_workspace cache_workspace"},
		{"cache__acme", of.ProxyPassword, "cache__acme cache__acme"},
		{"queue", of.ProxyPassword, ""},
		{"workspace", of.ProxyPassword, ""}, // it reaches two
		{"cache__acme", reader.ProxyPassword, "cache__acme cache__acme_reader"},
		{"workspace", reader.ProxyPassword, "cache__acme cache__acme_reader"},
		{"", reader.ProxyPassword, "cache__acme cache__acme_reader"},
		{"cache", reader.ProxyPassword, ""},
		{"cache", i.boot.ProxyPassword, "cache_workspace cache_workspace"},
		{"cache__acme", i.boot.ProxyPassword, ""},
		{"cache", "tdb_0123456789abcdef", ""},
	} {
		l, err := s.LoginByPassword(t.Context(), workspace.Redis, c.name, c.password)
		must(t, err)
		leads := ""
		if l.Known {
			leads = l.Route.Database + " " + l.Route.Role
		}
		equal(t, c.name+" with "+c.password, leads, c.leads)
	}
}

// A reader is there as long as a key needs it, and before the key is.
func TestReadersComeAndGoWithTheirKeys(t *testing.T) {
	i, s, p, _ := newTenant(t)
	closed := 0
	s.SetSessions(fakeSessions{onClose: func(int64) {}, onCloseKey: func(key *workspace.LiveKey) {
		closed++
		equal(t, "revoked", key.Revoked(), true)
	}})
	equal(t, "without a key", i.server.readers(), nil)
	i.faults.set("set reader", workspace.Errorf(workspace.Unavailable, "the server is down"))
	_, err := s.CreateKey(t.Context(), p, workspace.KeyRequest{Name: "r", Role: "read"})
	refused(t, err, workspace.Unavailable)
	i.faults.set("set reader", nil)
	all, err := s.ListKeys(t.Context(), p)
	must(t, err)
	equal(t, "keys after the failure", len(all), 1)

	whole := keyed(t, s, p, "read", "project")
	equal(t, "of the whole project", i.server.readers(), []string{"shop_workspace"})
	one := keyed(t, s, p, "read", "workspace", "shop")
	equal(t, "and of a blueprint", i.server.readers(), []string{"shop__acme", "shop_workspace"})
	_, err = s.CreateTenant(t.Context(), p, tenant("zeta", "shop"))
	must(t, err)
	equal(t, "made later", i.server.readers(), []string{"shop__acme", "shop__zeta", "shop_workspace"})
	must(t, s.DeleteTenant(t.Context(), p, "zeta", true))

	must(t, s.RevokeKey(t.Context(), p, one.ID))
	equal(t, "one is revoked", i.server.readers(), []string{"shop_workspace"})
	equal(t, "its login", reached(t, s, one.ProxyUser(), "shop_workspace"), "")
	i.faults.set("drop reader", workspace.Errorf(workspace.Unavailable, "the server is down"))
	must(t, s.RevokeKey(t.Context(), p, whole.ID))
	equal(t, "its login", reached(t, s, whole.ProxyUser(), "shop_workspace"), "")
	equal(t, "sessions closed", closed, 2)
	i.faults.set("drop reader", nil)
	s.Close()
	s = i.start()
	equal(t, "removed at the next start", i.server.readers(), nil)
	records, err := i.catalog.Readers(t.Context())
	must(t, err)
	equal(t, "records", len(records), 0)
	_, err = s.Delete(t.Context(), p, "shop")
	refused(t, err, workspace.Conflict)
}

// The process dies at every step of making a read key and of revoking it. A key
// that is there has its readers, and no reader is left that none needs.
func TestKeysHaveTheirReadersAfterACrashAtEachStep(t *testing.T) {
	for _, late := range []bool{false, true} {
		for step := 1; ; step++ {
			i, s, p, _ := newTenant(t)
			i.faults.dieAt(step, late)
			k, err := s.CreateKey(t.Context(), p, workspace.KeyRequest{Name: "r", Role: "read", Scope: workspace.Scope{Type: "workspace", Values: []string{"shop"}}})
			if err == nil {
				_ = s.RevokeKey(t.Context(), p, k.ID)
			}
			done := !i.faults.died()
			i.faults.dieAt(0, false)
			s.Close()
			s = i.start()
			all, err := s.ListKeys(t.Context(), p)
			must(t, err)
			n := slices.IndexFunc(all, func(k workspace.APIKey) bool { return k.Name == "r" })
			var want []string
			if n >= 0 {
				want = []string{"shop__acme", "shop_workspace"}
				equal(t, fmt.Sprint("reached after step ", step), reached(t, s, all[n].ProxyUser(), "shop_workspace", "shop__acme"), "shop_workspace(r) shop__acme(r)")
			}
			equal(t, fmt.Sprint("readers after step ", step, ", late ", late), i.server.readers(), want)
			if done {
				break
			}
		}
	}
}

// Of two keys and a database made at once, the database has what both need.
func TestADatabaseMadeBesideAReadKeyHasItsReader(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	made := make(chan error, 1)
	i.faults.on("create", func() {
		i.faults.on("create", nil)
		keyed(t, s, p, "read", "project") // while blog is Creating
	})
	go func() {
		_, err := s.Create(context.Background(), p, "blog", "PostgreSQL", "tenant")
		made <- err
	}()
	must(t, <-made)
	equal(t, "readers", i.server.readers(), []string{"blog_workspace", "shop_workspace"})
}

// A project's keys go with it.
func TestADeletedProjectsLoginsAreNobodys(t *testing.T) {
	_, s, p, _ := newWorkspace(t)
	created, err := s.CreateProject(t.Context(), p, "other")
	must(t, err)
	other, err := s.Authenticate(t.Context(), created.APIKey)
	must(t, err)
	k := keyed(t, s, other, "read", "project")
	must(t, s.DeleteProject(t.Context(), p, created.ID))
	for _, find := range []func() (workspace.Login, error){
		func() (workspace.Login, error) {
			return s.LoginUser(t.Context(), workspace.PostgreSQL, k.ProxyUser())
		},
		func() (workspace.Login, error) {
			return s.LoginByPassword(t.Context(), workspace.PostgreSQL, "", k.ProxyPassword)
		},
	} {
		l, err := find()
		must(t, err)
		equal(t, "known", l.Known, false)
	}
}

// The passwords of keys and readers are sealed under the master key, as others.
func TestKeysAndReadersOpenUnderAnOlderMasterKey(t *testing.T) {
	older, newer := strings.Repeat("a", 64), hex.EncodeToString(slices.Repeat([]byte{7}, 32))
	ring := func(value string) *workspace.Keyring {
		k, err := workspace.LoadKeyring(value, "")
		must(t, err)
		return k
	}
	i := install(t)
	i.keyring = ring(older)
	s := i.start()
	p := i.admin(s)
	_, err := s.Create(t.Context(), p, "shop", "PostgreSQL", "tenant")
	must(t, err)
	k := keyed(t, s, p, "read", "project")
	before, err := s.Login(t.Context(), workspace.PostgreSQL, k.ProxyUser(), "shop_workspace")
	must(t, err)
	s.Close()
	i.keyring = ring(newer + "," + older)
	s = i.start()
	after, err := s.Login(t.Context(), workspace.PostgreSQL, k.ProxyUser(), "shop_workspace")
	must(t, err)
	equal(t, "known", after.Known, true)
	equal(t, "passwords", after.Password+after.Route.Password, before.Password+before.Route.Password)
	s.Close()
	i.keyring = ring(newer)
	if _, err := workspace.NewService(t.Context(), i.config()); err == nil {
		t.Error("it starts without the key that seals them")
	}
}
