package devstacktest

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
)

// Redis starts a server of the test's own and stops it after the test.
func Redis(t testing.TB, settings map[string]string) *devstack.Redis {
	t.Helper()
	r, err := startRedis(Dir(t), settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stopRedis(r); err != nil {
			t.Error(err)
		}
	})
	return r
}

// SharedRedis is Redis for a TestMain, which has no testing.TB: one server for a
// whole package. Call stop before the process exits.
func SharedRedis(settings map[string]string) (r *devstack.Redis, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "tenantsdb-test-")
	if err != nil {
		return nil, nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	r, err = startRedis(dir, settings)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return r, func() error { return errors.Join(stopRedis(r), os.RemoveAll(dir)) }, nil
}

func startRedis(dir string, settings map[string]string) (*devstack.Redis, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return devstack.StartRedis(ctx, devstack.RedisConfig{Dir: dir, Settings: settings})
}

func stopRedis(r *devstack.Redis) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return r.Stop(ctx)
}
