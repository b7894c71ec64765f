package devstack

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestValkeyServesWhereThereIsNoRedis(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("PATH", folder)
	_, err := redisProgram()
	if missing, ok := errors.AsType[*MissingError](err); !ok || missing.Package != "redis-server" {
		t.Errorf("with neither: got %v, want a MissingError of redis-server", err)
	}
	for _, name := range []string{"valkey-server", "redis-server"} { // Redis, once it is there, comes first
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if path, err := redisProgram(); err != nil || filepath.Base(path) != name {
			t.Errorf("got %q %v, want %s", path, err, name)
		}
	}
}
