package admin

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestImportAnswersAsTheSpecificationShows(t *testing.T) {
	f := newFixture(t)
	var asked workspace.ImportRequest
	f.service.importSchema = func(id string, r workspace.ImportRequest) (workspace.Imported, error) {
		asked = r
		return workspace.Imported{
			Workspace: workspace.Workspace{Name: id, Type: workspace.PostgreSQL},
			Source:    r.Source, Created: []string{"users", "accounts", "transactions"}, Executed: 3,
		}, nil
	}
	f.call(t, "POST", "/workspaces/myapp/schema", `{"source": "template", "template": "fintech"}`).is(`{
		"success": true, "http_status": 200, "code": "ok",
		"message": "Schema imported to workspace 'myapp'",
		"source": "template",
		"created": ["users", "accounts", "transactions"], "skipped": [], "errors": [], "warnings": [],
		"details": {"workspace": "myapp", "database_type": "PostgreSQL",
			"statements_executed": 3, "statements_skipped": 0, "statements_failed": 0, "statements_total": 3}
	}`)
	if want := (workspace.ImportRequest{Source: "template", Template: "fintech"}); !reflect.DeepEqual(asked, want) {
		t.Errorf("got the request %+v, want %+v", asked, want)
	}
}

func TestImportTellsWhatFailedAndCountsAll(t *testing.T) {
	f := newFixture(t)
	f.service.importSchema = func(id string, r workspace.ImportRequest) (workspace.Imported, error) {
		return workspace.Imported{
			Workspace: workspace.Workspace{Name: id, Type: workspace.MySQL}, Source: r.Source,
			Created: []string{"a"}, Skipped: []string{"b"}, Warnings: []string{"c is text"},
			Failed:   []workspace.FailedStep{{Object: "index i on a", Statement: "CREATE INDEX i", Err: errors.New("no such column")}},
			Executed: 4, Left: 2,
		}, nil
	}
	f.call(t, "POST", "/workspaces/myapp/schema", `{"source": "json", "tables": [{"name": "a", "columns": [{"name": "i", "type": "int"}]}]}`).is(`{
		"success": true, "http_status": 200, "code": "ok", "message": "Schema imported to workspace 'myapp'", "source": "json",
		"created": ["a"], "skipped": ["b"], "warnings": ["c is text"],
		"errors": [{"object": "index i on a", "statement": "CREATE INDEX i", "error": "no such column"}],
		"details": {"workspace": "myapp", "database_type": "MySQL",
			"statements_executed": 4, "statements_skipped": 2, "statements_failed": 1, "statements_total": 7}
	}`)
}

func TestImportHandsOnTheConnectionAndTheJSONAsSent(t *testing.T) {
	f := newFixture(t)
	var asked workspace.ImportRequest
	f.service.importSchema = func(_ string, r workspace.ImportRequest) (workspace.Imported, error) {
		asked = r
		return workspace.Imported{}, workspace.Errorf(workspace.BadRequest, "seen")
	}
	f.call(t, "POST", "/workspaces/main/schema", `{"source": "database", "connection": {
		"type": "postgresql", "host": "db.example.com", "port": 5432, "database": "mydb", "user": "admin", "password": "planted", "tls": "verify"}}`).
		want(http.StatusBadRequest, "bad_request")
	want := &workspace.SourceLogin{Type: "postgresql", Host: "db.example.com", Port: 5432, Database: "mydb", User: "admin", Password: "planted", TLS: "verify"}
	if !reflect.DeepEqual(asked.Connection, want) {
		t.Errorf("got the connection %+v, want %+v", asked.Connection, want)
	}
	f.call(t, "POST", "/workspaces/main/schema", `{"source": "json", "collections": [{"name": "c", "validator": {"b": 1, "a": 2}}]}`).
		want(http.StatusBadRequest, "bad_request")
	if got := string(asked.Collections); got != `[{"name": "c", "validator": {"b": 1, "a": 2}}]` {
		t.Errorf("got the collections %s", got)
	}
	for name, text := range map[string]string{"log": f.log.String(), "audit log": f.audit.String()} {
		if strings.Contains(text, "planted") {
			t.Errorf("the %s has the password\n%s", name, text)
		}
	}
}

func TestImportWithAWrongFieldIsABadRequestThatNamesIt(t *testing.T) {
	f := newFixture(t)
	f.service.importSchema = func(string, workspace.ImportRequest) (workspace.Imported, error) {
		t.Error("reached the service")
		return workspace.Imported{}, nil
	}
	for body, says := range map[string]string{
		`{}`:                                                               `missing field "source": choose json, database, template, url`,
		`{"source": 1}`:                                                    `field "source" must be a string, got a number`,
		`{"source": "json", "tables": "t"}`:                                `field "tables" must be an object or an array, got a string`,
		`{"source": "json", "tables": null}`:                               `field "tables" must be an object or an array, got null`,
		`{"source": "json", "schema": []}`:                                 `unknown field "schema"`,
		`{"source": "database", "connection": []}`:                         `field "connection" must be an object, got an array`,
		`{"source": "database", "connection": {"port": "x"}}`:              `field "connection": field "port" must be a whole number, got a string`,
		`{"source": "database", "connection": {"port": 1.5}}`:              `field "port" must be a whole number`,
		`{"source": "database", "connection": {"hots": "x"}}`:              `field "connection": unknown field "hots"; the fields are type, host, port`,
		`{"source": "database", "connection": {"host": "a", "host": "b"}}`: `duplicate field "host"`,
	} {
		f.call(t, "POST", "/workspaces/main/schema", body).want(http.StatusBadRequest, "bad_request").says(says)
	}
}
