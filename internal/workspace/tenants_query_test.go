package workspace_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestQueriesOfTenants(t *testing.T) {
	i, s, p, _ := newTenant(t)
	for _, name := range []string{"globex", "idle", "gone"} {
		_, err := s.CreateTenant(t.Context(), p, tenant(name, "shop"))
		must(t, err)
	}
	_, err := s.SuspendTenant(t.Context(), p, "idle")
	must(t, err)
	must(t, s.DeleteTenant(t.Context(), p, "gone", false))
	all := workspace.TenantQuery{Blueprint: "shop", Text: "select", All: true}
	results, err := s.QueryTenants(t.Context(), p, all)
	must(t, err)
	var names []string
	for _, r := range results {
		names = append(names, r.Tenant)
		must(t, r.Err)
	}
	equal(t, "tenants", names, []string{"acme", "globex"})
	for name, part := range map[string]string{"idle": "/tenants/idle/resume", "gone": "is in trash"} {
		_, err := s.QueryTenants(t.Context(), p, workspace.TenantQuery{Blueprint: "shop", Text: "select", Tenant: name})
		refused(t, err, workspace.Conflict, part)
	}
	broken := errors.New("broken")
	i.faults.set("query", broken)
	results, err = s.QueryTenants(t.Context(), p, all)
	must(t, err)
	for _, r := range results {
		if !errors.Is(r.Err, broken) {
			t.Errorf("tenant %s: got error %v", r.Tenant, r.Err)
		}
	}
	i.faults.set("query", workspace.NoDDLQuery())
	_, err = s.QueryTenants(t.Context(), p, all)
	refused(t, err, workspace.BadRequest, "DDL not allowed on tenant databases. Deploy schema through blueprints.")
	_, err = s.QueryTenants(t.Context(), p, workspace.TenantQuery{Blueprint: "shop", Text: "select"})
	refused(t, err, workspace.BadRequest, "all_tenants")
}

// Of many tenants' rows no answer is made that the memory can't hold.
func TestQueryOfAllTenantsIsBounded(t *testing.T) {
	i, s, p, _ := newTenant(t)
	for n := range 12 {
		_, err := s.CreateTenant(t.Context(), p, tenant(fmt.Sprint("t", n), "shop"))
		must(t, err)
	}
	for what, give := range map[string]func(){
		"rows":  func() { i.server.rows, i.server.bytes = 40_000, 0 },
		"bytes": func() { i.server.rows, i.server.bytes = 1, 50<<20 },
	} {
		give()
		results, err := s.QueryTenants(t.Context(), p, workspace.TenantQuery{Blueprint: "shop", Text: "select", All: true})
		must(t, err)
		asked, refusals := 0, 0
		for _, r := range results {
			if r.Err == nil {
				asked++
				continue
			}
			refusals++
			refused(t, r.Err, workspace.BadRequest, "100000 rows or 128 MiB")
		}
		if asked < 3 || asked > 3+4 || refusals != len(results)-asked { // three fill it, four are asked at once
			t.Errorf("%s: of %d tenants %d were asked and %d refused", what, len(results), asked, refusals)
		}
	}
}
