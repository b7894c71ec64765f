package workspace_test

import (
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestDatabasesAreThoseOfTheUserAndType(t *testing.T) {
	i := install(t)
	i.engines["mongodb"] = newFakeServer(workspace.MongoDB, i.faults)
	s := i.start()
	for name, database := range map[string]string{"second": "MongoDB", "first": "MongoDB", "other": "PostgreSQL"} {
		_, err := s.Create(t.Context(), i.admin(s), name, database, "control")
		must(t, err)
	}
	equal(t, "databases", strings.Join(s.Databases(workspace.MongoDB, i.boot.ProjectID), " "), "first_workspace second_workspace")
	equal(t, "databases of a stranger", len(s.Databases(workspace.MongoDB, "tdb_ffffffff")), 0)
	_, err := s.Delete(t.Context(), i.admin(s), "first")
	must(t, err)
	equal(t, "databases that are left", strings.Join(s.Databases(workspace.MongoDB, i.boot.ProjectID), " "), "second_workspace")
}
