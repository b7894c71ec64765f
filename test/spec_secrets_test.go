package test

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// No secret, and no literal of a statement, is in anything that the program
// writes for people to read: its log, its audit log, its server's log, its
// metrics and its deploy queue.
func TestSecretsAreNowhereToBeRead(t *testing.T) {
	const literalValue, failing, bound = "planted-literal-7c1d", "planted-in-an-error-7c1d", "planted-parameter-7c1d"
	in := newInstallation(t, "postgresql")
	d := in.workspace(t, "secrets", "tenant")
	conn := d.connect(t)
	mustExec(t, conn, "CREATE TABLE people (id int, name text); INSERT INTO people VALUES (1, '"+literalValue+"')")
	if exec1(conn, "SELECT '"+failing+"'::int") == nil || exec1(conn, "SELEC '"+failing+"'") == nil {
		t.Error("a statement that must fail did not")
	}
	if _, err := conn.ExecParams(t.Context(), "INSERT INTO people VALUES (2, $1)", [][]byte{[]byte(bound)}, nil, nil, nil).Close(); err != nil {
		t.Error(err)
	}
	if _, err := conn.ExecParams(t.Context(), "SELECT $1::text::int", [][]byte{[]byte(bound)}, nil, nil, nil).Close(); err == nil {
		t.Error("a parameter that must fail did not")
	}
	in.must(t, http.StatusOK, "POST", "/workspaces/secrets/queries", map[string]any{"query": "INSERT INTO people VALUES (3, '" + literalValue + "')"})
	in.must(t, http.StatusBadRequest, "POST", "/workspaces/secrets/queries", map[string]any{"query": "SELECT '" + failing + "'::date"})
	const wrongPassword = "planted-wrong-password-7c1d"
	if d.logIn(t, in.ProjectID, wrongPassword, d.name) == nil {
		t.Error("a wrong password opened the workspace")
	}
	other := in.project(t, "another")
	key := in.must(t, http.StatusCreated, "POST", "/apikeys", map[string]any{"name": "reader", "role": "read"})
	if text, _ := json.Marshal(in.must(t, http.StatusOK, "GET", "/apikeys", nil)); strings.Contains(string(text), in.APIKey) || strings.Contains(string(text), key["api_key"].(string)) {
		t.Errorf("the list of keys shows a secret: %s", text)
	}
	superuser := in.superuser(t).password
	queue, err := json.Marshal(d.queue(t))
	if err != nil {
		t.Fatal(err)
	}
	in.stop()

	written := in.written(t)
	written["the deploy queue"] = string(queue)
	for _, name := range []string{"audit.log", filepath.Join("postgresql", "server.log")} {
		if written[name] == "" {
			t.Errorf("%s is empty or not there", name)
		}
	}
	secrets := map[string]string{
		"API key": in.APIKey, "proxy password": in.ProxyPassword, "another project's API key": other.APIKey,
		"another project's proxy password": other.ProxyPassword, "a made API key": key["api_key"].(string),
		"superuser's password": superuser, "literal": literalValue, "literal of a failed statement": failing,
		"bound parameter": bound, "wrong password": wrongPassword,
	}
	if password, ok := key["proxy_password"].(string); ok {
		secrets["a made key's proxy password"] = password
	}
	holdsNone(t, written, secrets)
	// What was deferred for the workspace needs the program once more.
	if err := in.start(); err != nil {
		t.Fatal(err)
	}
}

// written is what the program and its servers wrote to logs, each by its path in
// the data folder.
func (in *installation) written(t testing.TB) map[string]string {
	t.Helper()
	written := map[string]string{"the program's log": withoutBanner(in.log.String())}
	err := filepath.WalkDir(in.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(entry.Name(), ".log") {
			return err
		}
		name, err := filepath.Rel(in.dir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		written[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return written
}

// holdsNone fails where one of the secrets is in one of the texts.
func holdsNone(t testing.TB, written, secrets map[string]string) {
	t.Helper()
	for what, secret := range secrets {
		for where, text := range written {
			if secret == "" || strings.Contains(text, secret) {
				t.Errorf("%s (%q) is in %s", what, secret, where)
			}
		}
	}
}

// withoutBanner is the log alone: what is printed for the developer at the
// start has the first project's secrets on purpose.
func withoutBanner(output string) string {
	var log strings.Builder
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "time=") {
			log.WriteString(line)
		}
	}
	return log.String()
}
