package workspace_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/xdg-go/scram"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestLoginKnowsUserDatabaseAndType(t *testing.T) {
	i, s, p, id := newWorkspace(t)
	user := i.boot.ProjectID
	for _, c := range []struct {
		dbType         workspace.DatabaseType
		user, database string
		known          bool
	}{
		{workspace.PostgreSQL, user, "shop_workspace", true},
		{workspace.PostgreSQL, user, "shop", false},
		{workspace.PostgreSQL, user, "", false},
		{workspace.MySQL, user, "shop_workspace", false},
		{workspace.PostgreSQL, "tdb_ffffffff", "shop_workspace", false},
		{workspace.PostgreSQL, "", "", false},
	} {
		l, err := s.Login(t.Context(), c.dbType, c.user, c.database)
		must(t, err)
		equal(t, string(c.dbType)+" "+c.user+" "+c.database, l.Known, c.known)
		if !l.Known && (l.Route.Live != nil || l.Route.Password != "" || l.Password == i.boot.ProxyPassword) {
			t.Errorf("a refused login holds secrets")
		}
	}
	l, err := s.Login(t.Context(), workspace.PostgreSQL, user, "shop_workspace")
	must(t, err)
	equal(t, "live", l.Route.Live.ID, id)
	equal(t, "address", l.Route.Address, i.server.Address())
	equal(t, "physical password", l.Route.Password, i.server.databases["shop_workspace"].target.Password)
	equal(t, "length of the physical password", len(l.Route.Password), 64)

	created, err := s.CreateProject(t.Context(), p, "other")
	must(t, err)
	l, err = s.Login(t.Context(), workspace.PostgreSQL, created.ID, "shop_workspace")
	must(t, err)
	equal(t, "another project's database", l.Known, false)
}

// Connecting must be quick, and go on while the metadata store does not.
func TestLoginReadsMemoryOnly(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	must(t, i.catalog.Close())
	l, err := s.Login(t.Context(), workspace.PostgreSQL, i.boot.ProjectID, "shop_workspace")
	must(t, err)
	equal(t, "known", l.Known, true)
	_, err = s.Get(t.Context(), p, "shop")
	refused(t, err, workspace.Unavailable) // the store is really closed
	allocs := testing.AllocsPerRun(100, func() {
		_, err = s.Login(t.Context(), workspace.PostgreSQL, i.boot.ProjectID, "shop_workspace")
	})
	equal(t, "allocations", allocs, 0)
}

func TestSCRAMVerifierTakesThePassword(t *testing.T) {
	i, s, _, _ := newWorkspace(t)
	for range 2 { // also after a restart
		l, err := s.Login(t.Context(), workspace.PostgreSQL, i.boot.ProjectID, "shop_workspace")
		must(t, err)
		equal(t, "plain password", l.Password, i.boot.ProxyPassword)
		equal(t, "right password", converse(t, l.SCRAM, i.boot.ProxyPassword), true)
		equal(t, "wrong password", converse(t, l.SCRAM, i.boot.ProxyPassword+"x"), false)
		s = i.start()
	}
}

// converse runs SCRAM-SHA-256 between independent implementations.
func converse(t *testing.T, v workspace.SCRAM, password string) bool {
	t.Helper()
	client, err := scram.SHA256.NewClient("user", password, "")
	must(t, err)
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) {
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(v.Salt), Iters: v.Iterations},
			StoredKey:  v.StoredKey, ServerKey: v.ServerKey,
		}, nil
	})
	must(t, err)
	c, sv := client.NewConversation(), server.NewConversation()
	var message string
	for !sv.Done() {
		if message, err = c.Step(message); err != nil {
			return false
		}
		if message, err = sv.Step(message); err != nil {
			return false
		}
	}
	_, err = c.Step(message)
	return err == nil && sv.Valid() && c.Valid()
}

// A stranger sees salt and iterations before any proof. They must not tell who
// exists: stable, of the same form, and the project's for any of its databases.
func TestRefusedLoginsLookLikeKnownOnes(t *testing.T) {
	i, s, _, _ := newWorkspace(t)
	login := func(s *workspace.Service, user, database string) workspace.Login {
		l, err := s.Login(t.Context(), workspace.PostgreSQL, user, database)
		must(t, err)
		return l
	}
	known := login(s, i.boot.ProjectID, "shop_workspace")
	noDatabase := login(s, i.boot.ProjectID, "nothing")
	equal(t, "salt of an unknown database", noDatabase.SCRAM.Salt, known.SCRAM.Salt)
	if bytes.Equal(noDatabase.SCRAM.StoredKey, known.SCRAM.StoredKey) {
		t.Error("an unknown database takes the project's password")
	}
	noUser := login(s, "tdb_ffffffff", "shop_workspace")
	equal(t, "iterations", noUser.SCRAM.Iterations, known.SCRAM.Iterations)
	equal(t, "salt length", len(noUser.SCRAM.Salt), len(known.SCRAM.Salt))
	equal(t, "password length", len(noUser.Password), len(known.Password))
	equal(t, "same user again", login(i.start(), "tdb_ffffffff", "x").SCRAM, noUser.SCRAM)
	if bytes.Equal(login(s, "tdb_fffffffe", "x").SCRAM.Salt, noUser.SCRAM.Salt) {
		t.Error("two unknown users have one salt")
	}
}

// TestLoginWithoutADatabaseLeadsToTheOnlyWorkspaceOfItsType: a client of MySQL
// may name none, and one of MongoDB never does.
func TestLoginWithoutADatabaseLeadsToTheOnlyWorkspaceOfItsType(t *testing.T) {
	i := install(t)
	i.engines["mysql"] = newFakeServer(workspace.MySQL, i.faults)
	s := i.start()
	p, user := i.admin(s), i.boot.ProjectID
	leadsTo := func(what, user string, known bool, name string) {
		t.Helper()
		l, err := s.LoginUser(t.Context(), workspace.MySQL, user)
		must(t, err)
		got := ""
		if l.Route.Live != nil {
			got = l.Route.Live.Name
		}
		equal(t, what+": known", l.Known, known)
		equal(t, what+": leads to", got, name)
		equal(t, what+": has the password", l.Password == i.boot.ProxyPassword, known)
		equal(t, what+": has a salt", len(l.SCRAM.Salt), 16)
	}
	create := func(name, database string) {
		t.Helper()
		_, err := s.Create(t.Context(), p, name, database, "control")
		must(t, err)
	}
	leadsTo("no workspace", user, true, "")
	leadsTo("unknown user", "tdb_ffffffff", false, "")
	leadsTo("no user", "", false, "")
	create("other", "PostgreSQL")
	leadsTo("one of another type", user, true, "")
	create("shop", "MySQL")
	leadsTo("one", user, true, "shop")
	create("second", "MySQL")
	leadsTo("two", user, true, "")
	_, err := s.Delete(t.Context(), p, "shop")
	must(t, err)
	leadsTo("one is left", user, true, "second")
}

func TestRoutesAreTheProjectsWorkspacesOfAType(t *testing.T) {
	i := install(t)
	i.engines["mysql"] = newFakeServer(workspace.MySQL, i.faults)
	s := i.start()
	p, user := i.admin(s), i.boot.ProjectID
	for name, database := range map[string]string{"shop": "MySQL", "other": "PostgreSQL", "blog": "MySQL", "gone": "MySQL"} {
		_, err := s.Create(t.Context(), p, name, database, "control")
		must(t, err)
	}
	_, err := s.Delete(t.Context(), p, "gone")
	must(t, err)
	created, err := s.CreateProject(t.Context(), p, "neighbour")
	must(t, err)
	for of, want := range map[string]string{user: "[blog_workspace shop_workspace]", created.ID: "[]", "tdb_ffffffff": "[]", "": "[]"} {
		routes, err := s.Routes(t.Context(), workspace.MySQL, of)
		must(t, err)
		databases := []string{}
		for _, r := range routes {
			databases = append(databases, r.Database)
			login, err := s.Login(t.Context(), workspace.MySQL, of, r.Database)
			must(t, err)
			equal(t, "route of "+r.Database, r, login.Route)
		}
		equal(t, "routes of "+of, fmt.Sprint(databases), want)
	}
}

// roleless is a server that knows no users.
type roleless struct{ *fakeServer }

func (roleless) HasRoles() bool { return false }

func TestLoginToAServerWithoutUsersHasNoRole(t *testing.T) {
	i := install(t)
	i.engines["mongodb"] = roleless{newFakeServer(workspace.MongoDB, i.faults)}
	s := i.start()
	_, err := s.Create(t.Context(), i.admin(s), "docs", "MongoDB", "control")
	must(t, err)
	l, err := s.Login(t.Context(), workspace.MongoDB, i.boot.ProjectID, "docs_workspace")
	must(t, err)
	equal(t, "known", l.Known, true)
	equal(t, "database", l.Route.Database, "docs_workspace")
	equal(t, "role and its password", l.Route.Role+l.Route.Password, "")
}
