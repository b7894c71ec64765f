package workspace_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestKeysReachTheTenantsOfTheirScope(t *testing.T) {
	_, s, p, _ := newTenant(t)
	_, err := s.CreateTenant(t.Context(), p, tenant("globex", "shop"))
	must(t, err)
	key := func(role, scope string, values ...string) workspace.Principal {
		k, err := s.CreateKey(t.Context(), p, workspace.KeyRequest{Name: "k", Role: role, Scope: workspace.Scope{Type: scope, Values: values}})
		must(t, err)
		q, err := s.Authenticate(t.Context(), k.Secret)
		must(t, err)
		return q
	}
	acme, shop, reader := key("write", "tenant", "acme"), key("write", "workspace", "shop"), key("read", "project")
	all, err := s.ListTenants(t.Context(), acme)
	must(t, err)
	equal(t, "tenants of the scope", len(all), 1)
	_, err = s.GetTenant(t.Context(), acme, "globex")
	refused(t, err, workspace.Forbidden, "globex")
	_, err = s.QueryTenants(t.Context(), acme, workspace.TenantQuery{Blueprint: "shop", Text: "select", Tenant: "acme"})
	must(t, err)
	_, err = s.QueryTenants(t.Context(), acme, workspace.TenantQuery{Blueprint: "shop", Text: "select", All: true})
	refused(t, err, workspace.Forbidden)
	_, err = s.GetTenant(t.Context(), shop, "acme")
	refused(t, err, workspace.Forbidden)
	_, err = s.Deploy(t.Context(), shop, workspace.DeploymentRequest{Blueprint: "shop", All: true})
	must(t, err)
	_, err = s.Deploy(t.Context(), acme, workspace.DeploymentRequest{Blueprint: "shop", All: true})
	refused(t, err, workspace.Forbidden)
	for _, try := range []func() error{
		func() error { _, err := s.CreateTenant(t.Context(), reader, tenant("x", "shop")); return err },
		func() error { _, err := s.SuspendTenant(t.Context(), reader, "acme"); return err },
		func() error { return s.DeleteTenant(t.Context(), reader, "acme", true) },
		func() error {
			_, err := s.Deploy(t.Context(), reader, workspace.DeploymentRequest{Blueprint: "shop", All: true})
			return err
		},
		func() error {
			_, err := s.QueryTenants(t.Context(), reader, workspace.TenantQuery{Blueprint: "shop", Text: "x", Tenant: "acme"})
			return err
		},
	} {
		refused(t, try(), workspace.Forbidden)
	}
	_, err = s.GetTenant(t.Context(), reader, "acme")
	must(t, err)
}

// What a key asks about outside of its scope looks the same whether it exists or
// not.
func TestKeysHearNothingOfWhatIsOutsideOfTheirScope(t *testing.T) {
	_, s, p, _ := newTenant(t)
	for name, mode := range map[string]string{"secret": "tenant", "plain": "control"} {
		_, err := s.Create(t.Context(), p, name, "PostgreSQL", mode)
		must(t, err)
	}
	_, err := s.CreateTenant(t.Context(), p, tenant("globex", "secret"))
	must(t, err)
	key := func(scope, value string) workspace.Principal {
		k, err := s.CreateKey(t.Context(), p, workspace.KeyRequest{Name: "k", Scope: workspace.Scope{Type: scope, Values: []string{value}}})
		must(t, err)
		q, err := s.Authenticate(t.Context(), k.Secret)
		must(t, err)
		return q
	}
	acme, shop := key("tenant", "acme"), key("workspace", "shop")
	query := func(p workspace.Principal, blueprint, name string) error {
		_, err := s.QueryTenants(t.Context(), p, workspace.TenantQuery{Blueprint: blueprint, Text: "select", Tenant: name})
		return err
	}
	must(t, query(acme, "shop", "acme"))
	must(t, query(shop, "shop", "acme"))
	for what, try := range map[string]func(name string) error{
		"a tenant asks of blueprints": func(name string) error { return query(acme, name, "acme") },
		"a tenant is given blueprints": func(name string) error {
			_, err := s.CreateTenant(t.Context(), acme, tenant("acme", name))
			return err
		},
		"a tenant reads blueprints": func(name string) error { _, err := s.Blueprint(t.Context(), acme, name); return err },
		"a tenant asks of tenants":  func(name string) error { return query(acme, "shop", name) },
		"a blueprint asks tenants":  func(name string) error { return query(shop, "shop", name) },
		"a blueprint is deployed": func(name string) error {
			_, err := s.PlanDeployment(t.Context(), shop, workspace.DeploymentRequest{Blueprint: "shop", Tenants: []string{name}})
			return err
		},
		"a blueprint asks of others": func(name string) error { return query(shop, name, "hooli") },
	} {
		var heard []string
		for _, name := range []string{"globex", "secret", "plain", "nobody"} {
			err := try(name)
			heard = append(heard, fmt.Sprint(workspace.ErrorCode(err), " ", strings.ReplaceAll(fmt.Sprint(err), name, "X")))
		}
		slices.Sort(heard)
		if all := slices.Compact(heard); len(all) != 1 {
			t.Errorf("%s: the answers differ: %q", what, all)
		}
	}
}
