package workspace_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestKeyFileIsMadeOncePrivateAndRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "master.key")
	_, err := workspace.LoadKeyring("", path)
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	equal(t, "mode", info.Mode().Perm(), os.FileMode(0o600))
	first, err := os.ReadFile(path)
	must(t, err)
	_, err = workspace.LoadKeyring("", path)
	must(t, err)
	second, err := os.ReadFile(path)
	must(t, err)
	equal(t, "key at the second start", string(second), string(first))
	files, err := os.ReadDir(dir)
	must(t, err)
	equal(t, "files", len(files), 1)

	must(t, os.Chmod(path, 0o640))
	if _, err := workspace.LoadKeyring("", path); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Errorf("a key that others may read: got %v, want an error that says 0600", err)
	}
}

func TestWrongKeysAreRefusedWithoutBeingShown(t *testing.T) {
	good := strings.Repeat("ab", 32)
	for _, value := range []string{" ", ",", "zz" + good[2:], good[2:], good + "ab", good + ",short"} {
		_, err := workspace.LoadKeyring(value, "")
		if err == nil {
			t.Errorf("a wrong value of %d characters was taken", len(value))
			continue
		}
		if strings.Contains(err.Error(), "abab") || strings.Contains(err.Error(), "short") {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}

func TestMasterKeyCanBeRotated(t *testing.T) {
	older, newer, another := strings.Repeat("01", 32), strings.Repeat("23", 32), strings.Repeat("45", 32)
	i := install(t)
	ring := func(value string) *workspace.Keyring {
		k, err := workspace.LoadKeyring(value, "")
		must(t, err)
		return k
	}
	i.keyring = ring(older)
	s := i.start()
	_, err := s.Create(t.Context(), i.admin(s), "shop", "PostgreSQL", "tenant")
	must(t, err)

	i.keyring = ring(newer + "," + older)
	s = i.start()
	_, err = s.Create(t.Context(), i.admin(s), "blog", "PostgreSQL", "tenant")
	must(t, err)
	for _, name := range []string{"shop_workspace", "blog_workspace"} {
		l, err := i.start().Login(t.Context(), workspace.PostgreSQL, i.boot.ProjectID, name)
		must(t, err)
		equal(t, name, l.Route.Password, i.server.databases[name].target.Password)
	}

	i.keyring = ring(another)
	_, err = workspace.NewService(t.Context(), i.config())
	if err == nil || !strings.Contains(err.Error(), "not among the keys") {
		t.Errorf("start with another master key: got %v, want an error that says so", err)
	}
}

// What is sealed for one row must not open in the place of another's: who can
// write the catalog could else make one workspace connect as another.
func TestSecretsAreBoundToTheirRows(t *testing.T) {
	i, _, _, _ := newWorkspace(t)
	w, err := i.catalog.Workspaces(t.Context())
	must(t, err)
	moved := w[0]
	moved.Name, moved.Database, moved.Role = "thief", "thief_workspace", "thief_workspace"
	_, err = i.catalog.AddWorkspace(t.Context(), moved)
	must(t, err)
	if _, err = workspace.NewService(t.Context(), i.config()); err == nil || !strings.Contains(err.Error(), "another row") {
		t.Errorf("start with a moved secret: got %v, want an error that says so", err)
	}
}

// No secret is in the catalog's files as it is.
func TestCatalogFilesHoldNoSecret(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	k, err := s.CreateKey(t.Context(), p, workspace.KeyRequest{Name: "ci"})
	must(t, err)
	secrets := []string{i.boot.APIKey, i.boot.ProxyPassword, k.Secret, i.server.databases["shop_workspace"].target.Password}
	files, err := filepath.Glob(i.path + "*")
	must(t, err)
	seen := false
	for _, name := range files {
		content, err := os.ReadFile(name)
		must(t, err)
		seen = seen || strings.Contains(string(content), "shop_workspace")
		for n, secret := range secrets {
			if strings.Contains(string(content), secret) {
				t.Errorf("%s holds secret %d", filepath.Base(name), n)
			}
		}
	}
	equal(t, "files hold the records", seen, true)
}
