package workspace_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

var everyTenant = workspace.DeploymentRequest{Blueprint: "shop", All: true}

// deployed waits for a deployment that was asked for to end.
func deployed(t *testing.T, s *workspace.Service, p workspace.Principal, d workspace.Deployment, err error) workspace.Deployment {
	t.Helper()
	must(t, err)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		now, err := s.GetDeployment(t.Context(), p, d.ID)
		must(t, err)
		if now.CompletedAt != nil {
			return now
		}
	}
	t.Fatalf("deployment %s does not end", d.ID)
	return d
}

func deploy(t *testing.T, s *workspace.Service, p workspace.Principal, r workspace.DeploymentRequest) workspace.Deployment {
	t.Helper()
	d, err := s.Deploy(t.Context(), p, r)
	return deployed(t, s, p, d, err)
}

// version is that of the tenant's database of shop.
func version(t *testing.T, s *workspace.Service, p workspace.Principal, name string) int64 {
	t.Helper()
	d, err := s.GetTenant(t.Context(), p, name)
	must(t, err)
	return d.Databases[0].Version
}

func TestDeploymentBringsVersionsAndSettings(t *testing.T) {
	i, s, p, d := newTenant(t)
	i.server.commit("shop_workspace", change("CREATE TABLE a"))
	i.server.commit("shop_workspace", change("CREATE TABLE b"))
	_, err := s.UpdateSettings(t.Context(), p, "shop", map[string]any{"max_rows_per_query": json.Number("7")})
	must(t, err)
	login, err := s.Login(t.Context(), workspace.PostgreSQL, d.Databases[0].Connection.User, "shop__acme")
	must(t, err)
	live := login.Route.Live
	equal(t, "rows before", live.MaxRows(), int64(10000))

	request := everyTenant
	request.Version = 1
	first := deploy(t, s, p, request)
	equal(t, "state", first.State, workspace.DeploymentCompleted)
	equal(t, "version", version(t, s, p, "acme"), int64(1))
	equal(t, "rows after", live.MaxRows(), int64(7))
	equal(t, "left in the queue", statements(t, s, p), []string{"CREATE TABLE b"})

	plan, err := s.PlanDeployment(t.Context(), p, everyTenant)
	must(t, err)
	equal(t, "plan", plan, workspace.DeploymentPlan{Blueprint: "shop", Version: 2, Tenants: []workspace.TenantPlan{
		{Tenant: "acme", From: 1, To: 2, Statements: []string{"CREATE TABLE b"}},
	}})
	second := deploy(t, s, p, workspace.DeploymentRequest{Blueprint: "shop", Tenants: []string{"acme"}})
	equal(t, "version deployed", second.Version, int64(2))
	equal(t, "result", second.Results[0].Version, int64(2))
	equal(t, "schema", i.server.databases["shop__acme"].schema, []string{"CREATE TABLE a", "CREATE TABLE b"})
	deploy(t, s, p, request) // to where it has been
	equal(t, "version", version(t, s, p, "acme"), int64(2))

	versions, err := s.BlueprintVersions(t.Context(), p, "shop")
	must(t, err)
	equal(t, "versions", len(versions), 2)
	equal(t, "newest", versions[0].Number, int64(2))
	for _, v := range versions {
		if v.DeployedAt == nil {
			t.Errorf("version %d is not said to be deployed", v.Number)
		}
	}
	b, err := s.Blueprint(t.Context(), p, "shop")
	must(t, err)
	equal(t, "tenants", b.Tenants, int64(1))
	equal(t, "blueprint's schema", b.Schema, []string{"CREATE TABLE a", "CREATE TABLE b"})
	var listed []string
	before := ""
	for more := true; more; before = listed[len(listed)-1] {
		var page []workspace.DeploymentSummary
		page, more, err = s.ListDeployments(t.Context(), p, before, 2)
		must(t, err)
		for _, one := range page {
			listed = append(listed, one.ID)
		}
	}
	equal(t, "deployments", len(listed), 3)
	equal(t, "the oldest", listed[2], first.ID)
	equal(t, "the one before", listed[1], second.ID)
	_, _, err = s.ListDeployments(t.Context(), p, "dep_0", 2)
	refused(t, err, workspace.BadRequest, "before", "dep_0")
	_, err = s.Revert(t.Context(), p, "shop", versions[0].Entries[0].ID)
	refused(t, err, workspace.NotFound, "Cannot revert DDLs already deployed to tenants. Create a new migration instead.")
}

func TestDeploymentRequestsAreChecked(t *testing.T) {
	i, s, p, _ := newTenant(t)
	i.server.commit("shop_workspace", change("CREATE TABLE a"))
	_, err := s.Create(t.Context(), p, "other", "PostgreSQL", "tenant")
	must(t, err)
	_, err = s.CreateTenant(t.Context(), p, tenant("globex", "other"))
	must(t, err)
	for name, c := range map[string]struct {
		r     workspace.DeploymentRequest
		code  workspace.Code
		parts []string
	}{
		"unknown blueprint": {workspace.DeploymentRequest{Blueprint: "none", All: true}, workspace.NotFound, []string{"Blueprint not found: none"}},
		"version to come":   {workspace.DeploymentRequest{Blueprint: "shop", Version: 2, All: true}, workspace.BadRequest, []string{"no version 2", "current version is 1"}},
		"negative":          {workspace.DeploymentRequest{Blueprint: "shop", Version: -1, All: true}, workspace.BadRequest, []string{"-1"}},
		"nobody":            {workspace.DeploymentRequest{Blueprint: "shop"}, workspace.BadRequest, []string{"deploy_all"}},
		"both":              {workspace.DeploymentRequest{Blueprint: "shop", All: true, Tenants: []string{"acme"}}, workspace.BadRequest, []string{"deploy_all"}},
		"unknown tenant":    {workspace.DeploymentRequest{Blueprint: "shop", Tenants: []string{"acme", "x"}}, workspace.NotFound, []string{"Tenant not found: x"}},
		"of another":        {workspace.DeploymentRequest{Blueprint: "shop", Tenants: []string{"globex"}}, workspace.BadRequest, []string{"globex", "shop"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Deploy(t.Context(), p, c.r)
			refused(t, err, c.code, c.parts...)
			_, err = s.PlanDeployment(t.Context(), p, c.r)
			refused(t, err, c.code, c.parts...)
		})
	}
	must(t, s.DeleteTenant(t.Context(), p, "acme", false))
	_, err = s.Deploy(t.Context(), p, workspace.DeploymentRequest{Blueprint: "shop", Tenants: []string{"acme"}})
	refused(t, err, workspace.Conflict, "is in trash")
	equal(t, "nobody to deploy to", deploy(t, s, p, everyTenant).State, workspace.DeploymentCompleted)
	_, err = s.GetDeployment(t.Context(), p, "dep_0")
	refused(t, err, workspace.NotFound, "dep_0")
}

// failsFor makes deployments to some databases fail.
type failsFor struct {
	*fakeServer
	databases []string
	err       error
}

func (f *failsFor) Deploy(ctx context.Context, t workspace.Target, v workspace.Version) error {
	if slices.Contains(f.databases, t.Database) {
		return f.err
	}
	return f.fakeServer.Deploy(ctx, t, v)
}

func TestOneTenantsFailureStopsNoOther(t *testing.T) {
	i := install(t)
	server := &failsFor{fakeServer: i.server, err: workspace.Errorf(workspace.BadRequest, "column is there already")}
	i.engines["main"] = server
	s := i.start()
	p := i.admin(s)
	_, err := s.Create(t.Context(), p, "shop", "PostgreSQL", "tenant")
	must(t, err)
	for n := range 6 {
		_, err := s.CreateTenant(t.Context(), p, tenant(fmt.Sprint("t", n), "shop"))
		must(t, err)
	}
	i.server.commit("shop_workspace", change("CREATE TABLE a"))
	server.databases = []string{"shop__t3"}
	d := deploy(t, s, p, everyTenant)
	equal(t, "state", d.State, workspace.DeploymentPartial)
	for _, r := range d.Results {
		if failed := r.Tenant == "t3"; failed != (r.State == workspace.DeploymentFailed) || failed != strings.Contains(r.Error, "column is there already") {
			t.Errorf("tenant %s: %s %q", r.Tenant, r.State, r.Error)
		}
	}
	server.databases = nil
	equal(t, "again", deploy(t, s, p, everyTenant).State, workspace.DeploymentCompleted)
	for n := range 6 {
		equal(t, "schema", i.server.databases[fmt.Sprint("shop__t", n)].schema, []string{"CREATE TABLE a"})
	}
}

func TestVersionThatNoTenantHasCanBeReverted(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		pending int
	}{
		"refused whole": {workspace.Errorf(workspace.BadRequest, "refused"), 1},
		"partly done":   {workspace.Errorf(workspace.BadRequest, "refused: %w", workspace.ErrPartly), 0},
		"unreachable":   {workspace.Errorf(workspace.Unavailable, "the server is gone"), 0},
		"unknown":       {errors.New("secret of the server"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			i, s, p, _ := newTenant(t)
			i.server.commit("shop_workspace", change("CREATE TABLE a"))
			i.faults.set("deploy", c.err)
			d := deploy(t, s, p, everyTenant)
			equal(t, "state", d.State, workspace.DeploymentFailed)
			if strings.Contains(d.Results[0].Error, "secret") {
				t.Errorf("told: %s", d.Results[0].Error)
			}
			q, err := s.Pending(t.Context(), p, "shop")
			must(t, err)
			equal(t, "pending", len(q.Pending), c.pending)
			i.faults.set("deploy", nil)
			equal(t, "again", deploy(t, s, p, everyTenant).State, workspace.DeploymentCompleted)
			equal(t, "schema", i.server.databases["shop__acme"].schema, []string{"CREATE TABLE a"})
		})
	}
}

// A deployment whose process dies at any operation is ended by the next one, and
// each tenant has each version once.
func TestDeploymentGoesOnAfterACrash(t *testing.T) {
	for _, late := range []bool{false, true} {
		n := 1
		for crashDeployment(t, n, late) {
			n++
		}
		if n < 10 {
			t.Errorf("only %d operations", n)
		}
	}
}

func crashDeployment(t *testing.T, n int, late bool) (died bool) {
	t.Run(fmt.Sprintf("%d/%v", n, late), func(t *testing.T) {
		i, s, p, _ := newTenant(t)
		_, err := s.CreateTenant(t.Context(), p, tenant("globex", "shop"))
		must(t, err)
		i.server.commit("shop_workspace", change("CREATE TABLE a"))
		i.server.commit("shop_workspace", change("CREATE TABLE b"))
		must(t, record(t, s, p))
		i.faults.dieAt(n, late)
		d, err := s.Deploy(t.Context(), p, everyTenant)
		acknowledged := err == nil
		for acknowledged && !i.faults.died() {
			now, err := s.GetDeployment(t.Context(), p, d.ID)
			must(t, err)
			if now.CompletedAt != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		s.Close()
		died = i.faults.died()
		i.faults.dieAt(0, false)

		s = i.start()
		if acknowledged {
			equal(t, "state", deployed(t, s, p, d, nil).State, workspace.DeploymentCompleted)
		}
		equal(t, "again", deploy(t, s, p, everyTenant).State, workspace.DeploymentCompleted)
		for _, name := range []string{"shop__acme", "shop__globex"} {
			equal(t, name, i.server.databases[name].schema, []string{"CREATE TABLE a", "CREATE TABLE b"})
		}
	})
	return died
}
