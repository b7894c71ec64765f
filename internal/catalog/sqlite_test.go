package catalog_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/catalog"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestSQLite(t *testing.T) {
	suite(t, func(t *testing.T) func() workspace.Catalog {
		path := filepath.Join(t.TempDir(), "cat alog?#%.db") // what a URI would give meaning to
		var last *catalog.Catalog
		t.Cleanup(func() { must(t, last.Close()) })
		return func() workspace.Catalog {
			if last != nil {
				must(t, last.Close())
			}
			last = open(t, path)
			return last
		}
	})
}

func TestSecondOpenIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	first := open(t, path)
	if _, err := catalog.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("second open: got %v, want one that says in use", err)
	}
	must(t, first.Close())
	must(t, open(t, path).Close())
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	must(t, open(t, path).Close())
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.Exec(`UPDATE schema_version SET version = version + 1`)
	must(t, err)
	must(t, db.Close())
	if _, err := catalog.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "newer release") {
		t.Fatalf("open: got %v, want one that names the newer release", err)
	}
}

func TestStoreIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	c := open(t, path)
	defer c.Close()
	must(t, c.Ping(t.Context()))
	for _, name := range []string{path, path + "-wal", path + ".lock"} {
		info, err := os.Stat(name)
		must(t, err)
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %04o, want 0600", filepath.Base(name), mode)
		}
	}
}

func TestPingTellsOfAClosedStore(t *testing.T) {
	c := open(t, filepath.Join(t.TempDir(), "catalog.db"))
	must(t, c.Close())
	if err := c.Ping(t.Context()); err == nil {
		t.Fatal("ping of a closed store: got nil, want an error")
	}
}

func open(t *testing.T, path string) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Open(t.Context(), path)
	must(t, err)
	return c
}
