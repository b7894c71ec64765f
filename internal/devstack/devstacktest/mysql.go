package devstacktest

import (
	"context"
	"errors"
	"maps"
	"os"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
)

// MySQL starts a server of the test's own, without the waits for the disk that
// only a crash of the machine would call for, and stops it after the test.
func MySQL(t testing.TB, settings map[string]string) *devstack.MySQL {
	t.Helper()
	m, err := startMySQL(Dir(t), settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stopMySQL(m); err != nil {
			t.Error(err)
		}
	})
	return m
}

// SharedMySQL is MySQL for a TestMain, which has no testing.TB: one server for a
// whole package. Call stop before the process exits.
func SharedMySQL(settings map[string]string) (m *devstack.MySQL, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "tenantsdb-test-")
	if err != nil {
		return nil, nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	m, err = startMySQL(dir, settings)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return m, func() error { return errors.Join(stopMySQL(m), os.RemoveAll(dir)) }, nil
}

func startMySQL(dir string, settings map[string]string) (*devstack.MySQL, error) {
	all := map[string]string{"sync-binlog": "0", "innodb-flush-log-at-trx-commit": "0"}
	maps.Copy(all, settings)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return devstack.StartMySQL(ctx, devstack.MySQLConfig{Dir: dir, Settings: all})
}

func stopMySQL(m *devstack.MySQL) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return m.Stop(ctx)
}
