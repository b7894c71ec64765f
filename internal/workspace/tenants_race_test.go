package workspace_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Tenants are made, deployed to, suspended and removed while the schema changes;
// what is left at the end has all of it.
func TestTenantsAtOnce(t *testing.T) {
	i, s, p, _ := newTenant(t)
	var wg sync.WaitGroup
	for n := range 4 {
		name := fmt.Sprint("t", n)
		wg.Go(func() {
			for range 3 {
				if _, err := s.CreateTenant(t.Context(), p, tenant(name, "shop")); err != nil {
					t.Errorf("create %s: %v", name, err)
				}
				if _, err := s.SuspendTenant(t.Context(), p, name); err != nil {
					t.Errorf("suspend %s: %v", name, err)
				}
				if err := s.DeleteTenant(t.Context(), p, name, true); err != nil {
					t.Errorf("delete %s: %v", name, err)
				}
			}
		})
		wg.Go(func() {
			_, err := s.CreateTenant(t.Context(), p, tenant("same", "shop"))
			if err != nil && workspace.ErrorCode(err) != workspace.Conflict {
				t.Errorf("create same: %v", err)
			}
		})
		wg.Go(func() {
			i.server.commit("shop_workspace", change(fmt.Sprint("CREATE TABLE c", n)))
			deploy(t, s, p, everyTenant)
			if _, err := s.ListTenants(t.Context(), p); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	d := deploy(t, s, p, everyTenant)
	equal(t, "state", d.State, workspace.DeploymentCompleted)
	equal(t, "tenants", len(d.Results), 2)
	for _, database := range []string{"shop__acme", "shop__same"} {
		equal(t, database, len(i.server.databases[database].schema), 4)
	}
}
