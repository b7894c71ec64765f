package catalog

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// What is acknowledged must survive a loss of power, so the pragmas are part of
// the promise and not of the tuning.
func TestWriterKeepsEachCommit(t *testing.T) {
	c, err := Open(t.Context(), filepath.Join(t.TempDir(), "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for pragma, want := range map[string]string{
		"journal_mode": "wal",
		"synchronous":  "2", // FULL
		"foreign_keys": "1",
		"busy_timeout": "10000",
	} {
		var got string
		if err := c.writer.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
	if _, err := c.reader.ExecContext(t.Context(), `DELETE FROM secrets`); err == nil {
		t.Error("a reader may write, want an error")
	}
}

// Tenants that have a change need its reverse like any other change.
func TestReverseOfADeployedEntryIsQueued(t *testing.T) {
	c, err := Open(t.Context(), filepath.Join(t.TempDir(), "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	now := time.Now()
	p := workspace.Project{ID: "tdb_00000001", Name: "default", CreatedAt: now}
	key := workspace.APIKey{ID: "key_1", ProjectID: p.ID, Hash: []byte{1}, Role: "admin", Scope: workspace.Scope{Type: "project"}}
	credential := workspace.Credential{
		ID: "cred_1", ProjectID: p.ID, Sealed: []byte{1},
		SCRAM: workspace.SCRAM{Salt: []byte{1}, StoredKey: []byte{1}, ServerKey: []byte{1}},
	}
	if err := c.AddProject(t.Context(), p, credential, key); err != nil {
		t.Fatal(err)
	}
	id, err := c.AddWorkspace(t.Context(), workspace.Workspace{
		ProjectID: p.ID, Name: "shop", Type: workspace.PostgreSQL, Mode: workspace.Tenant, State: workspace.Ready, RoleSecret: []byte{1},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Append(t.Context(), id, []workspace.Change{{JournalID: 1, Unit: "tx1"}}, now); err != nil {
		t.Fatal(err)
	}
	if _, err := c.writer.ExecContext(t.Context(), `UPDATE entries SET status = 'deployed'`); err != nil {
		t.Fatal(err)
	}
	undo := []workspace.Change{{JournalID: 2, Unit: "tx2", Reverts: 1}}
	for range 2 {
		version, err := c.Append(t.Context(), id, undo, now)
		if err != nil || version != 2 {
			t.Fatalf("append: got version %d and %v, want 2", version, err)
		}
	}
	pending, err := c.Pending(t.Context(), id)
	if err != nil || len(pending) != 1 || pending[0].JournalID != 2 {
		t.Fatalf("pending: got %+v and %v, want the reverse alone", pending, err)
	}
}
