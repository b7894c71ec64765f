package workspace_test

import (
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// TestLongNamesHaveShortMySQLUsers: MySQL's user names end where its database
// names do not.
func TestLongNamesHaveShortMySQLUsers(t *testing.T) {
	i := install(t)
	server := newFakeServer(workspace.MySQL, i.faults)
	i.engines["mysql"] = server
	s := i.start()
	p := i.admin(s)
	create := func(name, database string) workspace.Details {
		t.Helper()
		d, err := s.Create(t.Context(), p, name, database, "control")
		must(t, err)
		return d
	}
	short := create("shop-of-22-characters-", "MySQL") // with _workspace 32
	equal(t, "a role that fits", short.Role, "shop-of-22-characters-_workspace")

	long := strings.Repeat("a", 39)
	roles := map[string]bool{}
	for _, name := range []string{long + "1", long + "2"} {
		d := create(name, "MySQL")
		equal(t, "database", d.Database, name+"_workspace")
		if len(d.Role) > 32 || !strings.HasPrefix(d.Role, "aaaa") {
			t.Errorf("got role %q, want the name's beginning and no more than 32 characters", d.Role)
		}
		if roles[d.Role] {
			t.Errorf("role %s is given twice", d.Role)
		}
		roles[d.Role] = true
		equal(t, "role on the server", server.databases[d.Database].target.Role, d.Role)
	}
	equal(t, "a role of PostgreSQL", create(long+"3", "PostgreSQL").Role, long+"3_workspace")
}
