package workspace_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// tenant asks for a tenant with a database of each blueprint.
func tenant(name string, blueprints ...string) workspace.TenantRequest {
	r := workspace.TenantRequest{Name: name}
	for _, b := range blueprints {
		r.Databases = append(r.Databases, workspace.TenantDatabaseRequest{Blueprint: b})
	}
	return r
}

// newTenant starts a process with the workspace shop and its tenant acme.
func newTenant(t *testing.T) (*installation, *workspace.Service, workspace.Principal, workspace.TenantDetails) {
	t.Helper()
	i, s, p, _ := newWorkspace(t)
	d, err := s.CreateTenant(t.Context(), p, tenant("acme", "shop"))
	must(t, err)
	return i, s, p, d
}

func TestTenantHasItsBlueprintsVersionsAndALoginOfItsOwn(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	i.server.commit("shop_workspace", change("CREATE TABLE a"), change("CREATE TABLE b"))
	i.server.commit("shop_workspace", change("CREATE TABLE c"))
	q, err := s.Pending(t.Context(), p, "shop")
	must(t, err)
	must(t, s.Skip(t.Context(), p, "shop", q.Pending[1].ID))

	d, err := s.CreateTenant(t.Context(), p, tenant("acme", "shop"))
	must(t, err)
	equal(t, "name and state", fmt.Sprint(d.Name, " ", d.State), "acme ready")
	equal(t, "databases", len(d.Databases), 1)
	c := d.Databases[0].Connection
	equal(t, "database", c.Database, "shop__acme")
	equal(t, "version", d.Databases[0].Version, int64(2))
	equal(t, "schema", i.server.databases["shop__acme"].schema, []string{"CREATE TABLE a", "CREATE TABLE c"})
	equal(t, "left in the queue", statements(t, s, p), []string(nil))
	target := i.server.databases["shop__acme"].target
	equal(t, "roles", target.Role+" "+target.Owner, "shop__acme shop__acme_owner")
	if target.OwnerPassword == target.Password || target.OwnerPassword == "" {
		t.Error("owner and role have one password")
	}

	for again := range 2 {
		login, err := s.Login(t.Context(), workspace.PostgreSQL, c.User, "shop__acme")
		must(t, err)
		equal(t, "login is known", login.Known, true)
		equal(t, "password", login.Password, c.Password)
		equal(t, "mode", login.Route.Live.Mode, workspace.Deployed)
		equal(t, "role", login.Route.Role+login.Route.Password, target.Role+target.Password)
		only, err := s.LoginUser(t.Context(), workspace.PostgreSQL, c.User)
		must(t, err)
		equal(t, "only database", only.Route.Database, "shop__acme")
		for user, database := range map[string]string{c.User: "shop_workspace", i.boot.ProjectID: "shop__acme"} {
			login, err := s.Login(t.Context(), workspace.PostgreSQL, user, database)
			must(t, err)
			if login.Known {
				t.Errorf("round %d: the user %s reaches %s", again, user, database)
			}
		}
		s.Close()
		s = i.start()
	}
	shown, err := s.GetTenant(t.Context(), p, "acme")
	must(t, err)
	if strings.Contains(shown.Databases[0].Connection.String, c.Password) {
		t.Error("details show the password")
	}
}

func TestTenantIsAddedTo(t *testing.T) {
	i, s, p, _ := newTenant(t)
	i.engines["second"] = newFakeServer(workspace.MySQL, i.faults)
	s.Close()
	s = i.start()
	_, err := s.Create(t.Context(), p, "billing", "MySQL", "tenant")
	must(t, err)
	d, err := s.CreateTenant(t.Context(), p, tenant("acme", "billing"))
	must(t, err)
	equal(t, "databases", len(d.Databases), 2)
	equal(t, "old password", d.Databases[0].Connection.Password, "••••••••")
	if d.Databases[1].Connection.Password == "••••••••" {
		t.Error("the new database's password is not shown")
	}
	_, err = s.CreateTenant(t.Context(), p, tenant("acme", "billing"))
	refused(t, err, workspace.Conflict, "acme", "billing")
	all, err := s.ListTenants(t.Context(), p)
	must(t, err)
	equal(t, "tenants", len(all), 1)
}

func TestTenantRequestsAreChecked(t *testing.T) {
	_, s, p, _ := newWorkspace(t)
	_, err := s.Create(t.Context(), p, "plain", "PostgreSQL", "control")
	must(t, err)
	_, err = s.Create(t.Context(), p, strings.Repeat("w", 40), "PostgreSQL", "tenant")
	must(t, err)
	for name, c := range map[string]struct {
		r     workspace.TenantRequest
		code  workspace.Code
		parts []string
	}{
		"no name":           {tenant("", "shop"), workspace.BadRequest, []string{"tenant_id"}},
		"separator":         {tenant("a__b", "shop"), workspace.BadRequest, []string{"__"}},
		"capital":           {tenant("Acme", "shop"), workspace.BadRequest, []string{"a-z"}},
		"dash":              {tenant("a-b", "shop"), workspace.BadRequest, []string{"a-z"}},
		"too long":          {tenant(strings.Repeat("t", 41), "shop"), workspace.BadRequest, []string{"40"}},
		"too long together": {tenant(strings.Repeat("t", 30), strings.Repeat("w", 40)), workspace.BadRequest, []string{"60"}},
		"no database":       {tenant("acme"), workspace.BadRequest, []string{"databases"}},
		"twice":             {tenant("acme", "shop", "shop"), workspace.BadRequest, []string{"twice"}},
		"control":           {tenant("acme", "plain"), workspace.BadRequest, []string{"control mode"}},
		"unknown blueprint": {tenant("acme", "none"), workspace.NotFound, []string{"Blueprint not found: none"}},
		"level": {workspace.TenantRequest{Name: "acme", Databases: []workspace.TenantDatabaseRequest{{Blueprint: "shop", IsolationLevel: 3}}},
			workspace.BadRequest, []string{"isolation_level 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.CreateTenant(t.Context(), p, c.r)
			refused(t, err, c.code, c.parts...)
			_, err = s.GetTenant(t.Context(), p, "acme")
			refused(t, err, workspace.NotFound, "Tenant not found: acme")
		})
	}
}

// record brings the queue up to date.
func record(t *testing.T, s *workspace.Service, p workspace.Principal) error {
	t.Helper()
	_, err := s.Pending(t.Context(), p, "shop")
	return err
}

func TestFailedTenantLeavesNothing(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	_, err := s.Create(t.Context(), p, "other", "PostgreSQL", "tenant")
	must(t, err)
	i.server.commit("other_workspace", change("CREATE TABLE a"))
	i.faults.set("deploy", workspace.Errorf(workspace.BadRequest, "refused"))
	_, err = s.CreateTenant(t.Context(), p, tenant("acme", "shop", "other"))
	refused(t, err, workspace.BadRequest, "refused")
	equal(t, "databases", i.server.names(), []string{"other_workspace", "shop_workspace"})
	q, err := s.Pending(t.Context(), p, "other")
	must(t, err)
	equal(t, "pending", len(q.Pending), 1)
	i.faults.set("deploy", nil)
	_, err = s.CreateTenant(t.Context(), p, tenant("acme", "shop", "other"))
	must(t, err)
}

func TestTenantsLife(t *testing.T) {
	i, s, p, d := newTenant(t)
	user := d.Databases[0].Connection.User
	var closed int
	s.SetSessions(fakeSessions{onClose: func(int64) { closed++ }})
	live := func() (known, suspended bool) {
		login, err := s.Login(t.Context(), workspace.PostgreSQL, user, "shop__acme")
		must(t, err)
		return login.Known, login.Known && login.Route.Live.Suspended()
	}
	state := func(d workspace.TenantDetails, err error) workspace.TenantState {
		t.Helper()
		must(t, err)
		return d.State
	}

	equal(t, "suspended", state(s.SuspendTenant(t.Context(), p, "acme")), workspace.TenantSuspended)
	equal(t, "suspended again", state(s.SuspendTenant(t.Context(), p, "acme")), workspace.TenantSuspended)
	if known, suspended := live(); !known || !suspended || closed == 0 {
		t.Errorf("suspended: known %v, suspended %v, sessions closed %d times", known, suspended, closed)
	}
	_, err := s.CreateTenant(t.Context(), p, tenant("acme", "shop"))
	refused(t, err, workspace.Conflict, "/tenants/acme/resume")
	_, err = s.RestoreTenant(t.Context(), p, "acme")
	refused(t, err, workspace.Conflict, "not in trash")
	s.Close()
	s = i.start()
	if known, suspended := live(); !known || !suspended {
		t.Errorf("suspended, after a restart: known %v, suspended %v", known, suspended)
	}
	equal(t, "resumed", state(s.ResumeTenant(t.Context(), p, "acme")), workspace.TenantReady)
	if known, suspended := live(); !known || suspended {
		t.Errorf("resumed: known %v, suspended %v", known, suspended)
	}

	must(t, s.DeleteTenant(t.Context(), p, "acme", false))
	if known, _ := live(); known {
		t.Error("a tenant in the trash is let in")
	}
	login, err := s.LoginUser(t.Context(), workspace.PostgreSQL, user)
	must(t, err)
	equal(t, "the user of a tenant in the trash is known", login.Known, false)
	const use = "Tenant 'acme' is in trash. Use POST /tenants/acme/restore or DELETE /tenants/acme?hard=true"
	_, err = s.CreateTenant(t.Context(), p, tenant("acme", "shop"))
	equal(t, "message", refused(t, err, workspace.Conflict).Message, use)
	for _, change := range []func() error{
		func() error { return s.DeleteTenant(t.Context(), p, "acme", false) },
		func() error { _, err := s.SuspendTenant(t.Context(), p, "acme"); return err },
		func() error { _, err := s.ResumeTenant(t.Context(), p, "acme"); return err },
	} {
		refused(t, change(), workspace.Conflict, use)
	}
	equal(t, "databases", i.server.names(), []string{"shop__acme", "shop_workspace"})
	equal(t, "restored", state(s.RestoreTenant(t.Context(), p, "acme")), workspace.TenantReady)
	if known, suspended := live(); !known || suspended {
		t.Errorf("restored: known %v, suspended %v", known, suspended)
	}

	must(t, s.DeleteTenant(t.Context(), p, "acme", true))
	equal(t, "databases", i.server.names(), []string{"shop_workspace"})
	refused(t, s.DeleteTenant(t.Context(), p, "acme", true), workspace.NotFound, "Tenant not found: acme")
	if known, _ := live(); known {
		t.Error("a deleted tenant is let in")
	}
}

// What a hard delete can't remove is gone for clients, and can be asked for again.
func TestHardDeleteThatFailsIsAskedForAgain(t *testing.T) {
	i, s, p, _ := newTenant(t)
	_, err := s.Create(t.Context(), p, "other", "PostgreSQL", "tenant")
	must(t, err)
	_, err = s.CreateTenant(t.Context(), p, tenant("acme", "other"))
	must(t, err)
	i.faults.set("drop", workspace.Errorf(workspace.Unavailable, "the server is gone"))
	for range 2 {
		refused(t, s.DeleteTenant(t.Context(), p, "acme", true), workspace.Unavailable, "the server is gone")
		_, err = s.GetTenant(t.Context(), p, "acme")
		refused(t, err, workspace.NotFound)
		_, err = s.RestoreTenant(t.Context(), p, "acme")
		refused(t, err, workspace.NotFound)
		_, err = s.CreateTenant(t.Context(), p, tenant("acme", "shop"))
		refused(t, err, workspace.Conflict, "being deleted")
	}
	i.faults.set("drop", nil)
	must(t, s.DeleteTenant(t.Context(), p, "acme", true))
	equal(t, "databases", i.server.names(), []string{"other_workspace", "shop_workspace"})
	_, err = s.CreateTenant(t.Context(), p, tenant("acme", "shop"))
	must(t, err)
}

// A tenant is not given up while a server of it is missing in the configuration.
func TestHardDeleteWantsAllServers(t *testing.T) {
	i, s, p, _ := newTenant(t)
	second := newFakeServer(workspace.MySQL, i.faults)
	i.engines["second"] = second
	s.Close()
	s = i.start()
	_, err := s.Create(t.Context(), p, "billing", "MySQL", "tenant")
	must(t, err)
	_, err = s.CreateTenant(t.Context(), p, tenant("acme", "billing"))
	must(t, err)
	s.Close()
	delete(i.engines, "second")
	s = i.start()
	refused(t, s.DeleteTenant(t.Context(), p, "acme", true), workspace.Unavailable, `MySQL server "second"`, "tenant database billing__acme is not configured")
	s.Close()
	i.engines["second"] = second
	s = i.start()
	d, err := s.GetTenant(t.Context(), p, "acme")
	must(t, err)
	equal(t, "state and databases", fmt.Sprint(d.State, len(d.Databases)), "ready2")
}

func TestWorkspaceWithTenantsStays(t *testing.T) {
	_, s, p, _ := newTenant(t)
	_, err := s.CreateTenant(t.Context(), p, tenant("globex", "shop"))
	must(t, err)
	must(t, s.DeleteTenant(t.Context(), p, "globex", false))
	_, err = s.Delete(t.Context(), p, "shop")
	e := refused(t, err, workspace.Conflict)
	equal(t, "message", e.Details["message"], any("cannot delete workspace with deployed tenants"))
	equal(t, "reason", e.Details["reason"], any("tenants_deployed"))
	equal(t, "deployed to", e.Details["deployed_to"], any([]string{"acme", "globex"}))
	for _, name := range []string{"acme", "globex"} {
		must(t, s.DeleteTenant(t.Context(), p, name, true))
	}
	_, err = s.Delete(t.Context(), p, "shop")
	must(t, err)
}

func TestProjectTakesItsTenantsWithIt(t *testing.T) {
	i, s, p, _ := newTenant(t)
	other, err := s.CreateProject(t.Context(), p, "other")
	must(t, err)
	q, err := s.Authenticate(t.Context(), other.APIKey)
	must(t, err)
	_, err = s.Create(t.Context(), q, "shop", "PostgreSQL", "tenant")
	must(t, err)
	d, err := s.CreateTenant(t.Context(), q, tenant("acme", "shop"))
	must(t, err)
	equal(t, "database", d.Databases[0].Connection.Database, "shop__acme_2")
	must(t, s.DeleteProject(t.Context(), p, other.ID))
	equal(t, "databases", i.server.names(), []string{"shop__acme", "shop_workspace"})
}

// A tenant that is made while its project is being deleted keeps its blueprint
// until it goes itself.
func TestProjectIsDeletedWhileATenantIsMade(t *testing.T) {
	i, s, p, _ := newTenant(t)
	other, err := s.CreateProject(t.Context(), p, "other")
	must(t, err)
	q, err := s.Authenticate(t.Context(), other.APIKey)
	must(t, err)
	for _, name := range []string{"first", "second"} {
		_, err = s.Create(t.Context(), q, name, "PostgreSQL", "tenant")
		must(t, err)
	}
	i.faults.on("drop", func() {
		i.faults.on("drop", nil)
		_, err := s.CreateTenant(t.Context(), q, tenant("late", "second"))
		must(t, err)
	})
	refused(t, s.DeleteProject(t.Context(), p, other.ID), workspace.Conflict, "tenants")
	equal(t, "databases", i.server.names(), []string{"second__late", "second_workspace", "shop__acme", "shop_workspace"})
	must(t, s.DeleteProject(t.Context(), p, other.ID))
	equal(t, "databases", i.server.names(), []string{"shop__acme", "shop_workspace"})
}
