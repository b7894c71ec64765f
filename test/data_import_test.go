package test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sourceOf is a workspace of ours as a live database, reached as any server is:
// by its proxy, which limits nothing.
func (in *installation) sourceOf(t testing.TB, kind, id string) map[string]any {
	t.Helper()
	in.must(t, http.StatusOK, "PATCH", "/workspaces/"+id+"/settings", map[string]any{"query_timeout_ms": 0, "max_rows_per_query": 0})
	at := in.Listeners[kind]
	return map[string]any{
		"type": kind, "host": at.Host, "port": at.Port, "database": id + "_workspace", "user": in.ProjectID, "password": in.ProxyPassword,
	}
}

// beginImport begins an import and gives its id.
func (in *installation) beginImport(t testing.TB, id, route string, request map[string]any) string {
	t.Helper()
	body := in.must(t, http.StatusAccepted, "POST", "/workspaces/"+id+"/"+route, request)
	if body["status"] != "pending" {
		t.Fatalf("got %v", body)
	}
	return body["import_id"].(string)
}

// importStatus is an import as it stands.
func (in *installation) importStatus(t testing.TB, id, importID string) map[string]any {
	t.Helper()
	return in.must(t, http.StatusOK, "GET", "/workspaces/"+id+"/import-data/status?import_id="+importID, nil)
}

// importUntil waits until an import is as it should be.
func (in *installation) importUntil(t testing.TB, id, importID string, is func(map[string]any) bool) map[string]any {
	t.Helper()
	deadline := time.After(3 * time.Minute)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		body := in.importStatus(t, id, importID)
		if is(body) {
			return body
		}
		select {
		case <-deadline:
			t.Fatalf("import is still %v", body)
		case <-poll.C:
		}
	}
}

// importEnded waits for an import's end.
func (in *installation) importEnded(t testing.TB, id, importID string) map[string]any {
	t.Helper()
	return in.importUntil(t, id, importID, func(body map[string]any) bool { return body["completed_at"] != nil })
}

// importData imports and wants it to be whole.
func (in *installation) importData(t testing.TB, id, route string, request map[string]any) map[string]any {
	t.Helper()
	body := in.importEnded(t, id, in.beginImport(t, id, route, request))
	if body["status"] != "completed" {
		t.Fatalf("import of %s: got %v", id, body)
	}
	for _, table := range body["tables"].([]any) {
		if row := table.(map[string]any); row["status"] != "completed" || row["rows_exact"] == true && row["rows_imported"] != row["rows_total"] {
			t.Errorf("table of a whole import: got %v", row)
		}
	}
	return body
}

// failedImport imports and wants it to fail with these words.
func (in *installation) failedImport(t testing.TB, id string, request map[string]any, says ...string) map[string]any {
	t.Helper()
	body := in.importEnded(t, id, in.beginImport(t, id, "import-data", request))
	for _, part := range says {
		if body["status"] != "failed" || !strings.Contains(fmt.Sprint(body["error"]), part) {
			t.Errorf("got %v, want it to fail with %q", body, part)
		}
	}
	return body
}

// refusedImport wants an import to be refused before anything is copied, and the
// analysis to say the same.
func (in *installation) refusedImport(t testing.TB, id string, request map[string]any, says ...string) {
	t.Helper()
	refused := in.must(t, http.StatusBadRequest, "POST", "/workspaces/"+id+"/import-data", request)
	analysis := in.call(t, "POST", "/workspaces/"+id+"/import-data/analyze", request)
	for _, part := range says {
		if !strings.Contains(fmt.Sprint(refused["error"], refused["problems"]), part) {
			t.Errorf("import: got %v, want %q", refused, part)
		}
		if !strings.Contains(fmt.Sprint(analysis.body["error"], analysis.body["problems"]), part) || analysis.body["importable"] == true {
			t.Errorf("analysis: got %v, want %q", analysis.body, part)
		}
	}
}
