package test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A live database is one of ours here, reached as any server is: by its proxy.
func TestImportFromLiveDatabasesOfEachTypeIntoEach(t *testing.T) {
	types := []string{"postgresql", "mysql", "mongodb"}
	for _, from := range types {
		source := "live-" + from
		shared.must(t, http.StatusCreated, "POST", "/workspaces", map[string]any{"name": source, "database": from, "mode": "control"})
		t.Cleanup(func() { shared.call(t, "DELETE", "/workspaces/"+source, nil) })
		shared.importTemplate(t, source, "saas")
		at := shared.Listeners[from]
		request := map[string]any{"source": "database", "connection": map[string]any{
			"type": from, "host": at.Host, "port": at.Port, "database": source + "_workspace", "user": shared.ProjectID, "password": shared.ProxyPassword,
		}}
		for _, to := range types {
			t.Run(from+" to "+to, func(t *testing.T) {
				id := "from-" + from + "-" + to
				shared.must(t, http.StatusCreated, "POST", "/workspaces", map[string]any{"name": id, "database": to, "mode": "tenant"})
				t.Cleanup(func() { shared.call(t, "DELETE", "/workspaces/"+id, nil) })
				body := shared.importInto(t, id, request)
				executed, _, failed, _ := counts(body)
				if failed > 0 || len(body["created"].([]any)) != 10 {
					t.Errorf("got %v", body)
				}
				mustBeOneImport(t, workspaceOf(id).queue(t), executed)
				if again, skipped, failed, _ := counts(shared.importInto(t, id, request)); again+failed > 0 || skipped != executed {
					t.Errorf("again: %d executed, %d skipped, %d failed", again, skipped, failed)
				}
				details := func(id string) string {
					return fmt.Sprint(shared.must(t, http.StatusOK, "GET", "/workspaces/"+id, nil)["schema"])
				}
				if got, want := details(id), details(source); from == to && got != want {
					t.Errorf("got the schema\n%s\nwant\n%s", got, want)
				}
			})
		}
	}
}

func TestPasswordOfALiveDatabaseIsNowhereToBeRead(t *testing.T) {
	in := newInstallation(t, "postgresql")
	in.workspace(t, "secret-source", "tenant")
	const wrong = "planted-source-password-51d2"
	at := in.Listeners["postgresql"]
	a := in.call(t, "POST", "/workspaces/secret-source/schema", map[string]any{"source": "database", "connection": map[string]any{
		"type": "PostgreSQL", "host": at.Host, "port": at.Port, "database": "secret-source_workspace", "user": in.ProjectID, "password": wrong,
	}})
	if text := fmt.Sprint(a.body); a.status != http.StatusBadRequest || !strings.Contains(text, "password authentication failed") || strings.Contains(text, wrong) {
		t.Errorf("got %d %v", a.status, a.body)
	}
	for _, route := range []string{"import-data/analyze", "import-data", "import-full"} {
		a = in.call(t, "POST", "/workspaces/secret-source/"+route, map[string]any{"connection": map[string]any{
			"type": "PostgreSQL", "host": at.Host, "port": at.Port, "database": "secret-source_workspace", "user": in.ProjectID, "password": wrong,
		}})
		if text := fmt.Sprint(a.body); a.status != http.StatusBadRequest || !strings.Contains(text, "password authentication failed") || strings.Contains(text, wrong) {
			t.Errorf("%s: got %d %v", route, a.status, a.body)
		}
	}
	url := "https://planted-url-51d2.invalid/schema.json?key=planted-key-51d2"
	a = in.call(t, "POST", "/workspaces/secret-source/schema", map[string]any{"source": "url", "url": url})
	if text := fmt.Sprint(a.body); a.status != http.StatusBadRequest || strings.Contains(text, "51d2") {
		t.Errorf("got %d %v", a.status, a.body)
	}
	in.stop()
	written := in.written(t)
	holdsNone(t, written, map[string]string{"password": wrong, "url": "planted-url-51d2", "key": "planted-key-51d2"})
	if err := in.start(); err != nil {
		t.Fatal(err)
	}
}

func TestImportFromAURLThatTheOperatorAllows(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"/schema.json": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"tables": [{"name": "fetched", "columns": [{"name": "id", "type": "SERIAL", "primary_key": true}]}]}`)
		},
		"/moved": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/schema.json", http.StatusFound) },
		"/plain": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1/", http.StatusFound)
		},
		"/wrong":  func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"tables": [{"name": "t"}]}`) },
		"/page":   func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `<html>`) },
		"/large":  func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat(" ", 11<<20)) },
		"/absent": http.NotFound,
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answers[r.URL.Path](w, r) }))
	t.Cleanup(server.Close)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	// The program has these from its environment.
	t.Setenv("SSL_CERT_FILE", roots)
	t.Setenv("TENANTSDB_IMPORTS_PRIVATE_URLS", "true")
	in := newInstallation(t, "postgresql")
	in.workspace(t, "fetching", "tenant")
	for _, path := range []string{"/schema.json", "/moved"} {
		body := in.importInto(t, "fetching", map[string]any{"source": "url", "url": server.URL + path})
		if got := fmt.Sprint(body["created"], body["skipped"]); got != "[fetched] []" && got != "[] [fetched]" {
			t.Errorf("%s: got %v", path, body)
		}
	}
	for path, says := range map[string]string{
		"/plain": "redirects to what is not an https:// URL", "/wrong": `field "tables[0].columns" is missing`, "/page": "malformed JSON",
		"/large": "larger than 10 MB", "/absent": "status 404",
	} {
		a := in.call(t, "POST", "/workspaces/fetching/schema", map[string]any{"source": "url", "url": server.URL + path})
		if a.status != http.StatusBadRequest || !strings.Contains(fmt.Sprint(a.body["error"]), says) {
			t.Errorf("%s: got %d %v, want %q", path, a.status, a.body, says)
		}
	}
}
