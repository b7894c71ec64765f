package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestAFolderThatOthersUseStaysOpenToThem(t *testing.T) {
	closed := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		closed = 0o711
	}
	for name, test := range map[string]struct {
		holds string
		want  fs.FileMode
	}{
		"nothing yet":       {"", closed},
		"an installation":   {catalogFile, closed},
		"somebody's things": {"theirs.txt", 0o755},
	} {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if test.holds != "" {
			if err := os.WriteFile(filepath.Join(dir, test.holds), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := makeDataDir(dir); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != test.want {
			t.Errorf("with %s it is %v (%v), want %v", name, info.Mode().Perm(), err, test.want)
		}
	}
}
