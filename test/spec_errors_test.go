package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// ask sends a raw request and gives status, header and body.
func ask(t *testing.T, method, path, content string, header map[string]string) (answer, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, shared.AdminURL+path, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: response.StatusCode}
	if err := json.Unmarshal(text, &a.body); err != nil {
		t.Fatalf("%s %s: the answer is no JSON object: %s", method, path, text)
	}
	return a, response.Header
}

func TestSpecErrorsCarryTheEnvelope(t *testing.T) {
	create(t, "spec-errors", "tenant")
	create(t, "spec-errors-control", "control")
	asJSON := map[string]string{"Authorization": "Bearer " + shared.APIKey, "Content-Type": "application/json"}
	with := func(name, value string) map[string]string {
		return map[string]string{"Authorization": asJSON["Authorization"], "Content-Type": asJSON["Content-Type"], name: value}
	}
	const workspace = `{"name": "%s", "database": "%s", "mode": "%s"}`
	for _, c := range []struct {
		what, method, path, content string
		header                      map[string]string
		status                      int
		code, names                 string // names: what the error must say
	}{
		{"no key", "GET", "/workspaces", "", nil, 401, "auth_required", ""},
		{"unknown key", "GET", "/workspaces", "", with("Authorization", "Bearer tenantsdb_sk_"+strings.Repeat("0", 64)), 401, "unauthorized", ""},
		{"not a key", "GET", "/workspaces", "", with("Authorization", "Basic YTpi"), 401, "", ""},
		{"no such route", "GET", "/nothing", "", asJSON, 404, "not_found", ""},
		{"no such workspace", "GET", "/workspaces/never-made", "", asJSON, 404, "not_found", "never-made"},
		{"malformed", "POST", "/workspaces", `{"name": `, asJSON, 400, "bad_request", ""},
		{"not an object", "POST", "/workspaces", `[]`, asJSON, 400, "bad_request", ""},
		{"two objects", "POST", "/workspaces", `{} {}`, asJSON, 400, "bad_request", ""},
		{"unknown field", "POST", "/workspaces", `{"name": "x", "database": "PostgreSQL", "mode": "tenant", "colour": 1}`, asJSON, 400, "bad_request", "colour"},
		{"missing name", "POST", "/workspaces", `{"database": "PostgreSQL", "mode": "tenant"}`, asJSON, 400, "bad_request", "name"},
		{"missing mode", "POST", "/workspaces", `{"name": "x", "database": "PostgreSQL"}`, asJSON, 400, "bad_request", "tenant or control"},
		{"unknown mode", "POST", "/workspaces", fmt.Sprintf(workspace, "x", "PostgreSQL", "both"), asJSON, 400, "bad_request", "tenant or control"},
		{"unknown database", "POST", "/workspaces", fmt.Sprintf(workspace, "x", "Oracle", "tenant"), asJSON, 400, "bad_request", "PostgreSQL"},
		{"wrong type", "POST", "/workspaces", `{"name": 5, "database": "PostgreSQL", "mode": "tenant"}`, asJSON, 400, "bad_request", "name"},
		{"reserved separator", "POST", "/workspaces", fmt.Sprintf(workspace, "a__b", "PostgreSQL", "tenant"), asJSON, 400, "bad_request", "__"},
		{"upper case", "POST", "/workspaces", fmt.Sprintf(workspace, "App", "PostgreSQL", "tenant"), asJSON, 400, "bad_request", "name"},
		{"digit first", "POST", "/workspaces", fmt.Sprintf(workspace, "1app", "PostgreSQL", "tenant"), asJSON, 400, "bad_request", "name"},
		{"quote", "POST", "/workspaces", fmt.Sprintf(workspace, "a';--", "PostgreSQL", "tenant"), asJSON, 400, "bad_request", "name"},
		{"long name", "POST", "/workspaces", fmt.Sprintf(workspace, strings.Repeat("a", 41), "PostgreSQL", "tenant"), asJSON, 400, "bad_request", "name"},
		{"taken name", "POST", "/workspaces", fmt.Sprintf(workspace, "spec-errors", "PostgreSQL", "tenant"), asJSON, 409, "conflict", "spec-errors"},
		{"no query", "POST", "/workspaces/spec-errors/queries", `{}`, asJSON, 400, "bad_request", "query"},
		{"empty query", "POST", "/workspaces/spec-errors/queries", `{"query": " "}`, asJSON, 400, "bad_request", "query"},
		{"not JSON", "POST", "/workspaces", `name=x`, with("Content-Type", "application/x-www-form-urlencoded"), 415, "unsupported_media_type", ""},
		{"large", "POST", "/workspaces", `{"name": "` + strings.Repeat("a", 2<<20) + `"}`, asJSON, 413, "payload_too_large", ""},
		{"queue in control mode", "GET", "/workspaces/spec-errors-control/diff", "", asJSON, 400, "bad_request", "control"},
		{"skip in control mode", "DELETE", "/workspaces/spec-errors-control/diff/1", "", asJSON, 400, "bad_request", "control"},
		{"revert in control mode", "POST", "/workspaces/spec-errors-control/diff/1/revert", "", asJSON, 400, "bad_request", "control"},
	} {
		a, _ := ask(t, c.method, c.path, c.content, c.header)
		if a.status != c.status || c.code != "" && a.body["code"] != c.code {
			t.Errorf("%s: got %d %v, want %d %s: %v", c.what, a.status, a.body["code"], c.status, c.code, a.body)
		}
		mustBeError(t, a, fmt.Sprint(a.body["code"]))
		if !strings.Contains(fmt.Sprint(a.body["error"]), c.names) {
			t.Errorf("%s: the error does not name %s: %v", c.what, c.names, a.body["error"])
		}
	}
	if a, _ := ask(t, "GET", "/workspaces", "", map[string]string{"X-API-Key": shared.APIKey}); a.status != http.StatusOK {
		t.Errorf("X-API-Key: got %d, want 200", a.status)
	}
	for _, path := range []string{"/", "/health", "/ready", "/openapi.json"} {
		if a, _ := ask(t, "GET", path, "", nil); a.status != http.StatusOK {
			t.Errorf("GET %s without a key: got %d, want 200", path, a.status)
		}
	}
}
