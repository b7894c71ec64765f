package catalog

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// A store of the first release is brought up to date with what it holds.
func TestStoreWithoutTenantsIsBroughtUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	foundation, err := migrations.ReadFile("migrations/0001_foundation.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT; INSERT INTO schema_version VALUES (1)`,
		string(foundation),
		`INSERT INTO projects VALUES ('tdb_00000001', 'default', 1)`,
		`INSERT INTO workspaces VALUES (7, 'tdb_00000001', 'shop', 'postgresql', 'tenant', 'ready', 'main', 'shop_workspace', 'shop_workspace', x'01', '{}', 1, 1)`,
		`INSERT INTO versions VALUES (7, 1, 'tx1', 1)`,
		`INSERT INTO entries VALUES (3, 7, 1, 1, 'pending', 'CREATE TABLE a ()', '', '', '', '', 0, '', '', '[]', '{}', 'proxy', '[]', 1)`,
	} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	for range 2 { // and again, when it is up to date
		c, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		versions, err := c.Versions(t.Context(), 7)
		if err != nil || len(versions) != 1 || len(versions[0].Entries) != 1 || versions[0].DeployedAt != nil {
			t.Errorf("versions: got %+v and %v, want the one with its entry", versions, err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d := workspace.TenantDatabase{
		BlueprintID: 7, State: workspace.Ready, RoleSecret: []byte{1}, OwnerSecret: []byte{1},
		Login: workspace.Credential{Sealed: []byte{1}, SCRAM: workspace.SCRAM{Salt: []byte{1}, StoredKey: []byte{1}, ServerKey: []byte{1}}},
	}
	tenant := workspace.TenantRecord{ProjectID: "tdb_00000001", Name: "acme", State: workspace.TenantReady, CreatedAt: time.Now()}
	if _, _, err := c.AddTenantDatabase(t.Context(), tenant, d); err != nil {
		t.Errorf("add a tenant: %v", err)
	}
}
