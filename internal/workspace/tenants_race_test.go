package workspace_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

// A create that waited for another one, or for a hard delete, takes nothing over
// from the tenant that is gone.
func TestTenantThatIsGoneIsMadeAnew(t *testing.T) {
	create := func(s *workspace.Service, p workspace.Principal) error {
		_, err := s.CreateTenant(context.Background(), p, tenant("acme", "shop"))
		return err
	}
	for name, first := range map[string]func(*installation, *workspace.Service, workspace.Principal) error{
		"after a create that failed": func(i *installation, s *workspace.Service, p workspace.Principal) error {
			i.faults.set("create", workspace.Errorf(workspace.BadRequest, "refused"))
			err := create(s, p)
			if err == nil {
				return errors.New("the create was not refused")
			}
			return nil
		},
		"after a hard delete": func(_ *installation, s *workspace.Service, p workspace.Principal) error {
			return s.DeleteTenant(context.Background(), p, "acme", true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			i, s, p, _ := newWorkspace(t)
			if strings.Contains(name, "delete") {
				must(t, create(s, p))
			}
			second := make(chan error, 1)
			i.faults.on("drop", func() { // the first is at its end, and still holds the tenant
				i.faults.on("drop", nil)
				i.faults.set("create", nil)
				go func() { second <- create(s, p) }()
				untilWaiting(t, "workspace.(*Service).lockTenant")
			})
			must(t, first(i, s, p))
			must(t, <-second)
		})
	}
}

// untilWaiting returns when a goroutine waits for a mutex in that function.
func untilWaiting(t *testing.T, function string) {
	t.Helper()
	untilStack(t, "somebody waits in "+function, func(stacks []string) bool {
		return slices.ContainsFunc(stacks, func(one string) bool {
			return strings.Contains(one, function) && strings.Contains(one, "sync.(*Mutex).Lock")
		})
	})
}

// untilStack returns when is says of the stacks of all goroutines that it is so,
// for what there is no other sign of.
func untilStack(t *testing.T, what string, is func(stacks []string) bool) {
	t.Helper()
	text := make([]byte, 4<<20)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if is(strings.Split(string(text[:runtime.Stack(text, true)]), "\n\n")) {
			return
		}
	}
	t.Errorf("it never was so: %s", what)
}

// A tenant has the versions that came while its other databases were made.
func TestTenantIsAtTheCurrentVersionWhenItIsReady(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	_, err := s.Create(t.Context(), p, "other", "PostgreSQL", "tenant")
	must(t, err)
	i.server.commit("other_workspace", change("CREATE TABLE z"))
	i.faults.on("deploy", func() { // of the other database: that of shop is at its version
		i.faults.on("deploy", nil)
		i.server.commit("shop_workspace", change("CREATE TABLE a"))
		deploy(t, s, p, everyTenant)
	})
	d, err := s.CreateTenant(t.Context(), p, tenant("acme", "shop", "other"))
	must(t, err)
	equal(t, "version", d.Databases[0].Version, int64(1))
	equal(t, "schema", i.server.databases["shop__acme"].schema, []string{"CREATE TABLE a"})
}
