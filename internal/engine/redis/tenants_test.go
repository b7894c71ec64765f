package redis_test

import (
	"context"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// tenant is the database of a tenant as the Service names it.
func tenant(n int) workspace.Target {
	to := target(n)
	to.Role += "__acme"
	to.Owner, to.OwnerPassword = to.Role+"_owner", "secret-of-the-owner"
	return to
}

func TestATenantHasOneUserAndNoOwner(t *testing.T) {
	e := newEngine(t, server)
	to := tenant(17)
	for range 2 {
		must(t, e.Create(t.Context(), to, false))
	}
	equal(t, "user", exists(t, e, to.Role), true)
	equal(t, "owner", exists(t, e, to.Owner), false)
	conn := member(t, server, to)
	must(t, conn.Set(t.Context(), "a", "1", 0).Err())
	contains(t, "another database", do(t, conn, "SELECT", "18"), "NOPERM")
	contains(t, "another tenant's channel", do(t, conn, "PUBLISH", "18:news", "x"), "NOPERM")
	for range 2 {
		must(t, e.Drop(t.Context(), to))
	}
	equal(t, "user", exists(t, e, to.Role), false)
	equal(t, "keys", exists(t, e, to.Database), false)
}

func TestADeploymentLeavesTheKeysOfATenant(t *testing.T) {
	e := newEngine(t, server)
	to := tenant(17)
	must(t, e.Create(t.Context(), to, false))
	defer func() { must(t, e.Drop(context.Background(), to)) }()
	conn := member(t, server, to)
	must(t, conn.Set(t.Context(), "a", "1", 0).Err())
	for range 2 {
		must(t, e.Deploy(t.Context(), to, workspace.Version{Number: 1}))
	}
	equal(t, "value", conn.Get(t.Context(), "a").Val(), "1")
	equal(t, "keys", conn.DBSize(t.Context()).Val(), 1)
}

func TestQueriesOfATenantAreItsClients(t *testing.T) {
	e, heard := fronted(t, "+OK\r\n")
	to := tenant(17)
	to.Client = workspace.ClientLogin{User: "cache__acme", Password: "tdb_0123456789abcdef"}
	if got := query(t, e, to, "SET a 1"); got != `[["OK"]]` {
		t.Errorf("got %s", got)
	}
	said := <-heard
	contains(t, "login", said, "cache__acme")
	contains(t, "login", said, "tdb_0123456789abcdef")
}

func TestUsersOfTenantsComeBackAfterARestart(t *testing.T) {
	r := devstacktest.Redis(t, nil)
	e := newEngine(t, r)
	of, to := target(17), tenant(18)
	current := func() []workspace.Target { return []workspace.Target{of, to} }
	for _, made := range current() {
		must(t, e.Create(t.Context(), made, false))
	}
	must(t, member(t, r, to).Set(t.Context(), "a", "1", 0).Err())
	must(t, e.Restore(t.Context(), current))
	admin := administrator(t, r, 0)
	restart(t, admin, func() {
		must(t, admin.Do(t.Context(), "ACL", "DELUSER", of.Role, to.Role).Err())
		must(t, admin.Do(t.Context(), "ACL", "SAVE").Err())
	})
	equal(t, "user before", exists(t, e, to.Role), false)
	must(t, e.Restore(t.Context(), current))
	equal(t, "value", member(t, r, to).Get(t.Context(), "a").Val(), "1")
	equal(t, "owner", exists(t, e, to.Owner), false)
	must(t, member(t, r, of).Ping(t.Context()).Err())
}
