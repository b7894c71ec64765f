package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestImportOfJSONThatFailsInPartKeepsTheRest(t *testing.T) {
	id := map[string]any{"name": "id", "type": "SERIAL", "primary_key": true}
	tables := []any{
		map[string]any{"name": "users", "columns": []any{id, map[string]any{"name": "email", "type": "VARCHAR(255)", "nullable": false, "unique": true},
			map[string]any{"name": "age", "type": "INTEGER", "default": 18, "check": "age >= 0"}}, "indexes": []any{map[string]any{"columns": []any{"age"}}}},
		map[string]any{"name": "broken", "columns": []any{id, map[string]any{"name": "a", "type": "no_such_type"}}, "indexes": []any{map[string]any{"columns": []any{"a"}}}},
		map[string]any{"name": "orders", "columns": []any{id, map[string]any{"name": "user_id", "type": "INTEGER", "references": map[string]any{"table": "users", "column": "id", "on_delete": "cascade"}}}},
		map[string]any{"name": `Od"d; DROP TABLE users; --`, "columns": []any{map[string]any{"name": "a`b' \"c", "type": "TEXT", "default": "'it''s; --'"}}},
	}
	for _, database := range []string{"PostgreSQL", "MySQL"} {
		for _, mode := range []string{"tenant", "control"} {
			name := "json-" + strings.ToLower(database) + "-" + mode
			t.Run(name, func(t *testing.T) {
				shared.must(t, http.StatusCreated, "POST", "/workspaces", map[string]any{"name": name, "database": database, "mode": mode})
				t.Cleanup(func() { shared.call(t, "DELETE", "/workspaces/"+name, nil) })
				body := shared.importInto(t, name, map[string]any{"source": "json", "tables": tables})
				holds(t, body, `{"created": ["users", "orders", "Od\"d; DROP TABLE users; --"], "skipped": [],
					"details": {"workspace": "`+name+`", "database_type": "`+database+`", "statements_executed": 4, "statements_skipped": 0, "statements_failed": 2, "statements_total": 6}}`)
				failures := body["errors"].([]any)
				shape(t, failures[0].(map[string]any), `{"object": "broken", "statement": "CREATE TABLE", "error": ""}`)
				if first := fmt.Sprint(failures[0]); !strings.Contains(first, "no_such_type") && !strings.Contains(first, "NO_SUCH_TYPE") {
					t.Errorf("got the failure %s", first)
				}
				schema := shared.must(t, http.StatusOK, "GET", "/workspaces/"+name+"/schema", nil)
				if got := len(schema["tables"].([]any)); got != 3 {
					t.Errorf("%d tables: %v", got, schema)
				}
				if mode == "tenant" {
					mustBeOneImport(t, workspaceOf(name).queue(t), 4)
				}
			})
		}
	}
}

// workspaceOf is a workspace of the shared installation by its id.
func workspaceOf(id string) database { return database{installation: shared, id: id} }

// What GET answers is what JSON is imported from, as far as it says it.
func TestSchemaThatWasReadCanBeImported(t *testing.T) {
	for _, name := range []string{"PostgreSQL", "MySQL"} {
		first, second := "read-"+strings.ToLower(name), "written-"+strings.ToLower(name)
		for _, id := range []string{first, second} {
			shared.must(t, http.StatusCreated, "POST", "/workspaces", map[string]any{"name": id, "database": name, "mode": "tenant"})
			t.Cleanup(func() { shared.call(t, "DELETE", "/workspaces/"+id, nil) })
		}
		shared.importTemplate(t, first, "blog")
		read := func(id string) string {
			tables := shared.must(t, http.StatusOK, "GET", "/workspaces/"+id+"/schema", nil)["tables"].([]any)
			for i := range tables {
				delete(tables[i].(map[string]any), "indexes") // the names of two need more than is read
			}
			return fmt.Sprint(tables)
		}
		tables := shared.must(t, http.StatusOK, "GET", "/workspaces/"+first+"/schema", nil)["tables"]
		body := shared.importInto(t, second, map[string]any{"source": "json", "tables": tables})
		if _, _, failed, _ := counts(body); failed > 0 || len(body["created"].([]any)) != 9 {
			t.Errorf("%s: got %v", name, body)
		}
		if got, want := read(second), read(first); got != want {
			t.Errorf("%s: got the tables\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestImportOfCollections(t *testing.T) {
	id := "json-collections"
	shared.mongoWorkspace(t, id, "tenant")
	body := shared.importInto(t, id, map[string]any{"source": "json", "collections": []any{
		map[string]any{"name": "users", "indexes": []any{"_id_", map[string]any{"keys": map[string]any{"email": 1}, "unique": true}}},
		map[string]any{"name": "events", "indexes": []any{map[string]any{"name": "words", "keys": map[string]any{"text": "text"}}}},
	}})
	holds(t, body, `{"created": ["users", "events"], "details": {"workspace": "json-collections", "database_type": "MongoDB",
		"statements_executed": 3, "statements_skipped": 0, "statements_failed": 1, "statements_total": 4}}`)
	failure := body["errors"].([]any)[0].(map[string]any)
	if statement := failure["statement"]; statement != `db.events.createIndex({text: "text"}, {name: "words"})` {
		t.Errorf("got the failed statement %v", statement)
	}
	mustBeOneImport(t, workspaceOf(id).queue(t), 3)
}

func TestImportsThatCanNotBeCarriedOut(t *testing.T) {
	create(t, "import-errors", "tenant")
	shared.redisWorkspace(t, "import-errors-redis", "control")
	for _, test := range []struct{ workspace, body, says string }{
		{"import-errors", `{}`, `missing field "source": choose json, database, template, url`},
		{"import-errors", `{"source": "file"}`, `unknown source "file": choose json, database, template, url`},
		{"import-errors", `{"source": "template", "template": "crm"}`, `unknown template "crm": choose ecommerce, saas, blog, fintech`},
		{"import-errors", `{"source": "json", "tables": []}`, "the schema is empty"},
		{"import-errors", `{"source": "json", "tables": [{"name": "t", "columns": [{"name": "a", "type": "int) ; DROP TABLE x"}]}]}`, `"tables[0].columns[0].type"`},
		{"import-errors", `{"source": "json", "collections": []}`, `takes "tables"`},
		{"import-errors-redis", `{"source": "json", "tables": []}`, `takes "patterns"`},
		{"import-errors", `{"source": "url", "url": "http://example.com/a.json"}`, "must begin with https://"},
		{"import-errors", `{"source": "url", "url": "https://127.0.0.1/a.json"}`, "private, loopback or link-local"},
		{"import-errors", `{"source": "url", "url": "https://[::1]/a.json"}`, "private, loopback or link-local"},
		{"import-errors", `{"source": "url", "url": "https://169.254.169.254/latest"}`, "private, loopback or link-local"},
		{"import-errors", `{"source": "url", "url": "https://10.0.0.1/a.json"}`, "private, loopback or link-local"},
		{"import-errors", `{"source": "url", "url": "https://localhost/a.json"}`, "private, loopback or link-local"},
		{"import-errors", `{"source": "database", "connection": {"type": "oracle", "host": "h", "database": "d"}}`, "choose PostgreSQL, MySQL or MongoDB"},
		{"import-errors", `{"source": "database", "connection": {"type": "mysql", "host": "127.0.0.1", "port": 1, "database": "d"}}`, "127.0.0.1:1"},
	} {
		a := shared.call(t, "POST", "/workspaces/"+test.workspace+"/schema", json.RawMessage(test.body))
		if a.status != http.StatusBadRequest || !strings.Contains(fmt.Sprint(a.body["error"]), test.says) {
			t.Errorf("%s: got %d %v, want %q", test.body, a.status, a.body["error"], test.says)
		}
		mustBeError(t, a, "bad_request")
	}
	if queue := workspaceOf("import-errors").queue(t); len(queue) > 0 {
		t.Errorf("the queue has %v", queue)
	}
}
