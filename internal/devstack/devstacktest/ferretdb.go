package devstacktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
)

// FerretDB starts a server of the test's own and stops it after the test.
func FerretDB(t testing.TB) *devstack.FerretDB {
	t.Helper()
	f, err := startFerretDB(Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stopFerretDB(f); err != nil {
			t.Error(err)
		}
	})
	return f
}

// SharedFerretDB is FerretDB for a TestMain, which has no testing.TB: one server
// for a whole package. Call stop before the process exits.
func SharedFerretDB() (f *devstack.FerretDB, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "tenantsdb-test-")
	if err != nil {
		return nil, nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	f, err = startFerretDB(dir)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return f, func() error { return errors.Join(stopFerretDB(f), os.RemoveAll(dir)) }, nil
}

// FerretDBProgram builds the server's program, in a folder that all packages
// share, and gives its path. One that is up to date is not built again.
func FerretDBProgram() (string, error) {
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(mod)))
	built := filepath.Join(root, ".build", devstack.FerretDBProgram)
	if err := os.MkdirAll(filepath.Dir(built), 0o755); err != nil {
		return "", err
	}
	// Several packages are tested at once: one builds, the others wait.
	lock, err := os.OpenFile(built+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", built, ".")
	build.Dir = filepath.Join(root, "internal", "devstack", "ferretdb")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", devstack.FerretDBProgram, err, out)
	}
	return built, nil
}

func startFerretDB(dir string) (*devstack.FerretDB, error) {
	program, err := FerretDBProgram()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return devstack.StartFerretDB(ctx, devstack.FerretDBConfig{Dir: dir, Program: program})
}

func stopFerretDB(f *devstack.FerretDB) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return f.Stop(ctx)
}
