package workspace_test

import (
	"fmt"
	"slices"
	"testing"
)

// A process that dies at any operation of a create or a hard delete leaves a
// tenant that is whole, or nothing.
func TestTenantIsWholeOrNotThereAfterACrash(t *testing.T) {
	for _, what := range []string{"create", "delete"} {
		for _, late := range []bool{false, true} {
			n := 1
			for crashTenant(t, what, n, late) {
				n++
			}
			if n < 5 {
				t.Errorf("%s: only %d operations", what, n)
			}
		}
	}
}

func crashTenant(t *testing.T, what string, n int, late bool) (died bool) {
	t.Run(fmt.Sprintf("%s/%d/%v", what, n, late), func(t *testing.T) {
		i, s, p, _ := newWorkspace(t)
		_, err := s.Create(t.Context(), p, "other", "PostgreSQL", "tenant")
		must(t, err)
		i.server.commit("shop_workspace", change("CREATE TABLE a"))
		must(t, record(t, s, p))
		work := func() error {
			_, err := s.CreateTenant(t.Context(), p, tenant("acme", "shop", "other"))
			return err
		}
		if what == "delete" {
			must(t, work())
			work = func() error { return s.DeleteTenant(t.Context(), p, "acme", true) }
		}
		i.faults.dieAt(n, late)
		err = work()
		died = i.faults.died()
		if died && err == nil {
			t.Error("the work was acknowledged by a dead process")
		}
		i.faults.dieAt(0, false)

		s = i.start()
		all, err := s.ListTenants(t.Context(), p)
		must(t, err)
		databases := i.server.names()
		for _, name := range []string{"shop__acme", "other__acme"} {
			if kept := slices.Contains(databases, name); kept != (len(all) == 1) {
				t.Fatalf("after the restart: %d tenants, databases %v", len(all), databases)
			}
		}
		if len(all) == 0 {
			if what == "create" {
				equal(t, "the queue", statements(t, s, p), []string{"CREATE TABLE a"})
			}
			_, err := s.CreateTenant(t.Context(), p, tenant("acme", "shop", "other"))
			must(t, err)
			all, err = s.ListTenants(t.Context(), p)
			must(t, err)
		}
		equal(t, "state and databases", fmt.Sprint(all[0].State, len(all[0].Databases)), "ready2")
		equal(t, "schema", i.server.databases["shop__acme"].schema, []string{"CREATE TABLE a"})
	})
	return died
}
