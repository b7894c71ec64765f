// Package devstacktest gives tests the real servers of devstack.
package devstacktest

import (
	"context"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
)

// patience is how long a server may take to start or to stop.
const patience = 2 * time.Minute

// Dir is a folder, removed after the test, that the account of a server can
// enter, which t.TempDir is not when the tests run as root.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tenantsdb-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Postgres starts a server of the test's own, without the waits for the disk
// that only a crash of the machine would call for, and stops it after the test.
func Postgres(t testing.TB, settings map[string]string) *devstack.Postgres {
	t.Helper()
	dir := Dir(t)
	p, err := start(dir, settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stopServer(p); err != nil {
			t.Error(err)
		}
	})
	return p
}

func start(dir string, settings map[string]string) (*devstack.Postgres, error) {
	all := map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
	maps.Copy(all, settings)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return devstack.StartPostgres(ctx, devstack.PostgresConfig{Dir: dir, Settings: all})
}

func stopServer(p *devstack.Postgres) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return p.Stop(ctx)
}
