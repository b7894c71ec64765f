package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The examples of the specification, against the running program. What stands
// in an example must be in the answer with that name and type; more may be.

// shape fails unless body has every key of the example, with a value of the
// same JSON type. An empty array or object says nothing of what is in it.
func shape(t testing.TB, body map[string]any, example string) {
	t.Helper()
	var want map[string]any
	if err := json.Unmarshal([]byte(example), &want); err != nil {
		t.Fatal(err)
	}
	shapeOf(t, "answer", body, want)
}

func shapeOf(t testing.TB, where string, got, want any) {
	t.Helper()
	if fmt.Sprintf("%T", got) != fmt.Sprintf("%T", want) {
		t.Errorf("%s: got %T (%v), want %T", where, got, got, want)
		return
	}
	switch want := want.(type) {
	case map[string]any:
		for key := range want {
			value, there := got.(map[string]any)[key]
			if !there {
				t.Errorf("%s has no %q: %v", where, key, got)
				continue
			}
			shapeOf(t, where+"."+key, value, want[key])
		}
	case []any:
		if len(want) > 0 && len(got.([]any)) == 0 {
			t.Errorf("%s is empty", where)
		}
		for i, element := range got.([]any) {
			if len(want) > 0 {
				shapeOf(t, fmt.Sprintf("%s[%d]", where, i), element, want[0])
			}
		}
	}
}

// create makes a workspace that goes with the test and gives the whole answer.
func create(t *testing.T, name, mode string) map[string]any {
	t.Helper()
	t.Cleanup(func() { shared.call(t, "DELETE", "/workspaces/"+name, nil) })
	return shared.must(t, http.StatusCreated, "POST", "/workspaces", map[string]any{"name": name, "database": "PostgreSQL", "mode": mode})
}

func TestSpecCreateWorkspace(t *testing.T) {
	at := shared.Listeners["postgresql"]
	for _, mode := range []string{"tenant", "control"} {
		name := "spec-create-" + mode
		body := create(t, name, mode)
		shape(t, body, `{"success": true, "http_status": 201, "code": "created", "id": "myapp", "mode": "tenant", "database": "PostgreSQL",
			"connection": {"host": "pg.tenantsdb.com", "port": 5432, "database": "myapp_workspace", "user": "tdb_2abf90d3", "password": "tdb_d2bf66ed7898c448"},
			"connection_string": "postgresql://"}`)
		holds(t, body, fmt.Sprintf(`{"success": true, "http_status": 201, "code": "created", "id": %q, "mode": %q, "database": "PostgreSQL",
			"connection": {"host": %q, "port": %d, "database": "%s_workspace", "user": %q, "username": %q, "password": %q},
			"connection_string": "postgresql://%s:%s@%s:%d/%s_workspace?sslmode=require"}`,
			name, mode, at.Host, at.Port, name, shared.ProjectID, shared.ProjectID, shared.ProxyPassword,
			shared.ProjectID, shared.ProxyPassword, at.Host, at.Port, name))
		if blueprint, there := body["blueprint"]; there != (mode == "tenant") || there && blueprint != name {
			t.Errorf("%s: blueprint is %v", mode, blueprint)
		}
		if !regexp.MustCompile(`^tdb_[0-9a-f]{8}$`).MatchString(shared.ProjectID) || !regexp.MustCompile(`^tdb_[0-9a-f]{16}$`).MatchString(shared.ProxyPassword) {
			t.Errorf("user %s or its password is not formed as it should be", shared.ProjectID)
		}
	}
	for _, name := range []string{"POSTGRESQL", "postgres", "PostgreSQL"} {
		shared.must(t, http.StatusCreated, "POST", "/workspaces", map[string]any{"name": "spec-spelling", "database": name, "mode": "control"})
		shared.must(t, http.StatusOK, "DELETE", "/workspaces/spec-spelling", nil)
	}
}

func TestSpecListWorkspaces(t *testing.T) {
	create(t, "spec-list-tenant", "tenant")
	create(t, "spec-list-control", "control")
	body := shared.must(t, http.StatusOK, "GET", "/workspaces", nil)
	shape(t, body, `{"workspaces": [{"id": "ws_abc123", "name": "main", "mode": "tenant", "database": "postgresql", "created_at": "2025-01-15T10:30:00Z"}], "count": 2}`)
	list := body["workspaces"].([]any)
	if body["count"] != float64(len(list)) {
		t.Errorf("count is %v for %d workspaces", body["count"], len(list))
	}
	for _, mode := range []string{"tenant", "control"} {
		i := slices.IndexFunc(list, func(w any) bool { return w.(map[string]any)["name"] == "spec-list-"+mode })
		if i < 0 {
			t.Fatalf("spec-list-%s is not in the list", mode)
		}
		w := list[i].(map[string]any)
		holds(t, w, fmt.Sprintf(`{"id": "spec-list-%s", "mode": %q, "database": "postgresql"}`, mode, mode))
		if version, there := w["version"]; there != (mode == "tenant") || there && version != float64(0) {
			t.Errorf("%s: version is %v", mode, version)
		}
		mustBeUTC(t, w["created_at"])
	}
}

func mustBeUTC(t testing.TB, value any) {
	t.Helper()
	at, err := time.Parse(time.RFC3339, fmt.Sprint(value))
	if err != nil || !strings.HasSuffix(fmt.Sprint(value), "Z") || time.Since(at) > time.Hour || time.Until(at) > time.Minute {
		t.Errorf("got %v, want a time of this hour in UTC: %v", value, err)
	}
}

func TestSpecWorkspaceDetails(t *testing.T) {
	created := create(t, "spec-details", "tenant")
	run(t, "spec-details", "CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT NOT NULL)")
	run(t, "spec-details", "CREATE INDEX users_name ON users (name)")
	body := shared.must(t, http.StatusOK, "GET", "/workspaces/spec-details", nil)
	shape(t, body, `{"id": "ws_abc123", "name": "main", "mode": "tenant", "database": "postgresql", "schema": ["CREATE TABLE"], "schema_error": null, "undeployed_changes": 2,
		"connection": {"host": "proxy.tenantsdb.com", "port": 5432, "database": "ws_abc123", "username": "ws_abc123", "password": "••••••••"},
		"connection_string": "postgresql://", "settings": {"query_timeout_ms": 30000, "max_rows_per_query": 1000, "max_connections": 10}, "version": 3}`)
	holds(t, body, `{"success": true, "http_status": 200, "code": "ok", "id": "spec-details", "name": "spec-details", "database": "postgresql", "schema_error": null,
		"undeployed_changes": 2, "version": 2, "settings": {"query_timeout_ms": 30000, "max_rows_per_query": 10000, "max_connections": 100}}`)
	masked := strings.ReplaceAll(created["connection_string"].(string), shared.ProxyPassword, "••••••••")
	if body["connection_string"] != masked {
		t.Errorf("connection_string: got %v, want %s", body["connection_string"], masked)
	}
	connection := maps.Clone(created["connection"].(map[string]any))
	connection["password"] = "••••••••"
	if !maps.Equal(body["connection"].(map[string]any), connection) {
		t.Errorf("connection: got %v, want %v", body["connection"], connection)
	}
	statements := body["schema"].([]any)
	if first := fmt.Sprint(statements[0]); !strings.HasPrefix(first, "CREATE TABLE users") || !strings.Contains(strings.ToUpper(first), "SERIAL") {
		t.Errorf("schema begins with %s", first)
	}

	create(t, "spec-details-control", "control")
	control := shared.must(t, http.StatusOK, "GET", "/workspaces/spec-details-control", nil)
	holds(t, control, `{"mode": "control", "schema": [], "schema_error": null}`)
	for _, key := range []string{"undeployed_changes", "version", "blueprint"} {
		if value, there := control[key]; there {
			t.Errorf("control mode has %s: %v", key, value)
		}
	}
}

func TestSpecDeleteWorkspace(t *testing.T) {
	for mode, versions := range map[string]int{"tenant": 3, "control": 0} {
		name := "spec-delete-" + mode
		create(t, name, mode)
		for n := range 3 {
			run(t, name, fmt.Sprintf("CREATE TABLE t%d (id int)", n))
		}
		body := shared.must(t, http.StatusOK, "DELETE", "/workspaces/"+name, nil)
		holds(t, body, fmt.Sprintf(`{"success": true, "http_status": 200, "code": "ok", "message": "workspace deleted",
			"details": {"workspace": %q, "mode": %q, "versions_deleted": %d, "deletion_type": "full", "physical_db": true}}`, name, mode, versions))
		for _, path := range []string{"", "/schema", "/settings", "/diff"} {
			if a := shared.call(t, "GET", "/workspaces/"+name+path, nil); a.status != http.StatusNotFound {
				t.Errorf("GET %s of a deleted workspace: got %d, want 404", path, a.status)
			}
		}
		if a := shared.call(t, "DELETE", "/workspaces/"+name, nil); a.status != http.StatusNotFound {
			t.Errorf("delete again: got %d, want 404", a.status)
		}
	}
	// The name is free again, and the database new.
	create(t, "spec-delete-tenant", "tenant")
	if queue := (database{installation: shared, id: "spec-delete-tenant"}).queue(t); len(queue) != 0 {
		t.Errorf("the new workspace's queue has %v", queue)
	}
	holds(t, run(t, "spec-delete-tenant", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), `{"rows": [[0]]}`)
}

// run sends a query through the API, which must succeed.
func run(t testing.TB, workspace, query string) map[string]any {
	t.Helper()
	return shared.must(t, http.StatusOK, "POST", "/workspaces/"+workspace+"/queries", map[string]any{"query": query})
}

func TestSpecSchema(t *testing.T) {
	create(t, "spec-schema", "tenant")
	holds(t, shared.must(t, http.StatusOK, "GET", "/workspaces/spec-schema/schema", nil), `{"success": true, "http_status": 200, "code": "ok", "tables": []}`)
	run(t, "spec-schema", `CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT NOT NULL);
		CREATE TABLE orders (code VARCHAR(255), at TIMESTAMPTZ DEFAULT now() NOT NULL, total NUMERIC(10,2) DEFAULT 0, tags TEXT[], PRIMARY KEY (code, at));
		CREATE INDEX orders_total ON orders (total);`)
	body := shared.must(t, http.StatusOK, "GET", "/workspaces/spec-schema/schema", nil)
	tables := map[string]map[string]any{}
	for _, table := range body["tables"].([]any) {
		table := table.(map[string]any)
		tables[table["name"].(string)] = table
	}
	if len(tables) != 2 {
		t.Fatalf("got tables %v, want users and orders", tables)
	}
	shape(t, tables["users"], `{"name": "users", "columns": [{"name": "id", "type": "SERIAL", "nullable": false}], "indexes": ["users_pkey"]}`)
	holds(t, tables["users"], `{"indexes": ["users_pkey"]}`)
	for i, want := range []string{`{"name": "id", "type": "SERIAL", "nullable": false, "primary_key": true}`, `{"name": "name", "type": "TEXT", "nullable": false}`} {
		holds(t, tables["users"]["columns"].([]any)[i].(map[string]any), want)
	}
	holds(t, tables["orders"], `{"indexes": ["orders_pkey", "orders_total"]}`)
	for i, want := range []string{
		`{"name": "code", "type": "VARCHAR(255)", "nullable": false, "primary_key": true}`,
		`{"name": "at", "type": "TIMESTAMPTZ", "nullable": false, "default": "now()", "primary_key": true}`,
		`{"name": "total", "type": "NUMERIC(10,2)", "nullable": true, "default": "0"}`,
		`{"name": "tags", "type": "TEXT[]", "nullable": true}`,
	} {
		holds(t, tables["orders"]["columns"].([]any)[i].(map[string]any), want)
	}
}
