package workspace_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestOwnServerHoldsOneTenant(t *testing.T) {
	i, s, p, _ := newTenant(t)
	own := workspace.TenantRequest{Name: "globex", Databases: []workspace.TenantDatabaseRequest{{Blueprint: "shop", IsolationLevel: workspace.OwnServer}}}
	_, err := s.CreateTenant(t.Context(), p, own)
	refused(t, err, workspace.BadRequest, "isolation_level 2", "PostgreSQL")
	second := newFakeServer(workspace.PostgreSQL, i.faults)
	i.engines["second"] = second
	s.Close()
	s = i.start()
	d, err := s.CreateTenant(t.Context(), p, own)
	must(t, err)
	equal(t, "level", d.Databases[0].IsolationLevel, workspace.OwnServer)
	for n := range 5 {
		_, err := s.CreateTenant(t.Context(), p, tenant(fmt.Sprint("t", n), "shop"))
		must(t, err)
	}
	equal(t, "on the own server", second.names(), []string{"shop__globex"})

	// It is the tenant's, of whatever blueprint.
	_, err = s.Create(t.Context(), p, "other", "PostgreSQL", "tenant")
	must(t, err)
	own.Databases[0].Blueprint = "other"
	_, err = s.CreateTenant(t.Context(), p, own)
	must(t, err)
	if !slices.Contains(second.names(), "other__globex") {
		t.Errorf("on the own server: %v", second.names())
	}
	own.Name = "acme"
	_, err = s.CreateTenant(t.Context(), p, own)
	refused(t, err, workspace.BadRequest, "isolation_level 2")
}

// Of two tenants that ask for the only free server at once one gets it.
func TestOwnServerIsGivenOnce(t *testing.T) {
	i, s, p, _ := newTenant(t)
	second := newFakeServer(workspace.PostgreSQL, i.faults)
	i.engines["second"] = second
	s.Close()
	s = i.start()
	_, err := s.Create(t.Context(), p, "other", "PostgreSQL", "tenant")
	must(t, err)
	var made, refusals atomic.Int64
	var together sync.WaitGroup
	ask := func(name, blueprint string) {
		_, err := s.CreateTenant(context.Background(), p, workspace.TenantRequest{
			Name: name, Databases: []workspace.TenantDatabaseRequest{{Blueprint: blueprint, IsolationLevel: workspace.OwnServer}},
		})
		switch {
		case err == nil:
			made.Add(1)
		case workspace.ErrorCode(err) == workspace.BadRequest:
			refusals.Add(1)
		default:
			t.Error(err)
		}
	}
	i.faults.on("exists", func() { // the first has chosen its server, and is in no record yet
		i.faults.on("exists", nil)
		together.Go(func() { ask("initech", "other") })
		untilWaiting(t, "workspace.(*Service).placeForTenant")
	})
	ask("globex", "shop")
	together.Wait()
	equal(t, "made", made.Load(), 1)
	equal(t, "refused", refusals.Load(), 1)
}
