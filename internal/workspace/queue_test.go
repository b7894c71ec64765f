package workspace_test

import (
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestPendingAndSkip(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	i.server.commit("shop_workspace", change("CREATE TABLE a"), change("CREATE TABLE b"))
	q, err := s.Pending(t.Context(), p, "shop")
	must(t, err)
	equal(t, "workspace", q.Workspace, "shop")
	equal(t, "version", q.Version, int64(1))
	equal(t, "pending", len(q.Pending), 2)

	must(t, s.Skip(t.Context(), p, "shop", q.Pending[0].ID))
	equal(t, "left", statements(t, s, p), []string{"CREATE TABLE b"})
	equal(t, "schema", i.server.databases["shop_workspace"].schema, []string{"CREATE TABLE a", "CREATE TABLE b"})
	refused(t, s.Skip(t.Context(), p, "shop", q.Pending[0].ID), workspace.NotFound)
	refused(t, s.Skip(t.Context(), p, "shop", 999), workspace.NotFound, "999")
	_, err = s.Revert(t.Context(), p, "shop", q.Pending[0].ID)
	refused(t, err, workspace.NotFound)
}

func TestRevertRunsTheReverseAndEmptiesTheQueue(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	i.server.commit("shop_workspace", change("CREATE TABLE users"))
	q, err := s.Pending(t.Context(), p, "shop")
	must(t, err)
	reverse, err := s.Revert(t.Context(), p, "shop", q.Pending[0].ID)
	must(t, err)
	equal(t, "reverse", reverse, "DROP TABLE IF EXISTS users;")
	equal(t, "schema", i.server.databases["shop_workspace"].schema, []string{"CREATE TABLE users", "DROP TABLE IF EXISTS users;"})
	q, err = s.Pending(t.Context(), p, "shop")
	must(t, err)
	equal(t, "pending", len(q.Pending), 0)
	equal(t, "version", q.Version, int64(1)) // a version number, once given, stays given
}

func TestRevertRefusesWhatItCanNotUndoExactly(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	drop := workspace.Change{Statement: "DROP TABLE x", Operation: "DROP TABLE", Object: "x", WhyNot: "its rows are gone"}
	i.server.commit("shop_workspace", drop)
	q, err := s.Pending(t.Context(), p, "shop")
	must(t, err)
	_, err = s.Revert(t.Context(), p, "shop", q.Pending[0].ID)
	e := refused(t, err, workspace.Conflict, "DROP TABLE x", "its rows are gone")
	equal(t, "reason", e.Details["reason"], any("not_reversible"))
	equal(t, "left", statements(t, s, p), []string{"DROP TABLE x"})
}

func TestRevertNamesWhatDependsOnTheObject(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	users, orders, other := change("CREATE TABLE users"), change("CREATE TABLE orders"), change("CREATE TABLE users2")
	orders.References = []string{"public.users"}
	column := workspace.Change{Statement: "ALTER TABLE users ADD COLUMN a int", Operation: "ALTER TABLE", Object: "users", Identity: "public.users.a"}
	i.server.commit("shop_workspace", other, users, orders, column, change("CREATE TABLE users3"))
	q, err := s.Pending(t.Context(), p, "shop")
	must(t, err)
	id := func(n int) int64 { return q.Pending[n].ID }

	_, err = s.Revert(t.Context(), p, "shop", id(1))
	e := refused(t, err, workspace.Conflict, "CREATE TABLE orders", "ALTER TABLE users")
	equal(t, "dependents", e.Details["dependents"], any([]int64{id(2), id(3)}))
	equal(t, "schema", len(i.server.databases["shop_workspace"].schema), 5)

	must(t, s.Skip(t.Context(), p, "shop", id(3)))
	_, err = s.Revert(t.Context(), p, "shop", id(2))
	must(t, err)
	_, err = s.Revert(t.Context(), p, "shop", id(1))
	must(t, err)
}

func TestRevertThatTheServerRefusesKeepsTheEntry(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	i.server.commit("shop_workspace", change("CREATE TABLE users"))
	q, err := s.Pending(t.Context(), p, "shop")
	must(t, err)
	i.faults.set("revert", workspace.Errorf(workspace.BadRequest, "a view depends on it"))
	_, err = s.Revert(t.Context(), p, "shop", q.Pending[0].ID)
	refused(t, err, workspace.BadRequest, "a view depends on it")
	equal(t, "left", len(statements(t, s, p)), 1)
}

func TestDeployedEntryIsNotReverted(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	i.server.commit("shop_workspace", change("CREATE TABLE users"))
	q, err := s.Pending(t.Context(), p, "shop")
	must(t, err)
	_, err = s.CreateTenant(t.Context(), p, tenant("acme", "shop"))
	must(t, err)
	_, err = s.Revert(t.Context(), p, "shop", q.Pending[0].ID)
	e := refused(t, err, workspace.NotFound)
	equal(t, "message", e.Message, "Cannot revert DDLs already deployed to tenants. Create a new migration instead.")
	refused(t, s.Skip(t.Context(), p, "shop", q.Pending[0].ID), workspace.NotFound)
}

func TestGetAnswersWhenTheServerIsDown(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	i.server.commit("shop_workspace", change("CREATE TABLE a"))
	d, err := s.Get(t.Context(), p, "shop")
	must(t, err)
	equal(t, "definitions", d.Definitions, []string{"CREATE TABLE a"})
	equal(t, "undeployed", d.Undeployed, int64(1))
	equal(t, "version", d.Version, int64(1))
	equal(t, "schema error", d.SchemaError, "")

	i.faults.set("definitions", workspace.Errorf(workspace.Unavailable, "the server can't be reached"))
	d, err = s.Get(t.Context(), p, "shop")
	must(t, err)
	equal(t, "schema error", d.SchemaError, "the server can't be reached")
	equal(t, "definitions", d.Definitions, nil)
}
