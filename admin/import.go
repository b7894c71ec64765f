package admin

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const mostSchema = 10 << 20 // bytes of an import's request

// failedStatement is a statement of an import that the server refused.
type failedStatement struct {
	Object    string `json:"object,omitempty"`
	Statement string `json:"statement"`
	Error     string `json:"error"`
}

// importDetails are counts of statements; the first three add up to the last.
type importDetails struct {
	Workspace    string `json:"workspace"`
	DatabaseType string `json:"database_type"`
	Executed     int    `json:"statements_executed"`
	Skipped      int    `json:"statements_skipped"`
	Failed       int    `json:"statements_failed"`
	Total        int    `json:"statements_total"`
}

// importAnswer says what an import did. Errors are of statements; what of the
// schema has no form in the workspace is in Warnings.
type importAnswer struct {
	envelope
	Message  string            `json:"message"`
	Source   string            `json:"source"`
	Created  []string          `json:"created"`
	Skipped  []string          `json:"skipped"`
	Errors   []failedStatement `json:"errors"`
	Warnings []string          `json:"warnings"`
	Details  importDetails     `json:"details"`
}

// importSchema serves POST /workspaces/{id}/schema.
func (a *api) importSchema(x *exchange) error {
	var r workspace.ImportRequest
	var connection json.RawMessage
	err := x.decode(mostSchema,
		field{name: "source", into: &r.Source, choices: strings.Join(workspace.ImportSources(), ", ")},
		field{name: "template", into: &r.Template, optional: true},
		field{name: "tables", into: &r.Tables, optional: true},
		field{name: "collections", into: &r.Collections, optional: true},
		field{name: "patterns", into: &r.Patterns, optional: true},
		field{name: "connection", into: &connection, optional: true},
		field{name: "url", into: &r.URL, optional: true},
	)
	if err != nil {
		return err
	}
	if connection != nil {
		if r.Connection, err = decodeConnection(connection); err != nil {
			return err
		}
	}
	x.note(slog.String("source", clip(r.Source)))
	done, err := a.service.ImportSchema(x.r.Context(), x.principal, x.workspace, r)
	if err != nil {
		return err
	}
	return x.ok(importAnswerOf(done))
}

// decodeConnection reads the object that says where a live database is.
func decodeConnection(object json.RawMessage) (*workspace.SourceLogin, error) {
	if object[0] != '{' {
		return nil, badRequest("field %q must be an object, got an array", "connection")
	}
	l := &workspace.SourceLogin{}
	err := decodeFields(object, []field{
		{name: "type", into: &l.Type, optional: true},
		{name: "host", into: &l.Host, optional: true},
		{name: "port", into: &l.Port, optional: true},
		{name: "database", into: &l.Database, optional: true},
		{name: "user", into: &l.User, optional: true},
		{name: "password", into: &l.Password, optional: true},
		{name: "tls", into: &l.TLS, optional: true},
	})
	if err != nil {
		return nil, badRequest("field %q: %v", "connection", err)
	}
	return l, nil
}

func importAnswerOf(done workspace.Imported) *importAnswer {
	failed := make([]failedStatement, len(done.Failed))
	for i, f := range done.Failed {
		failed[i] = failedStatement{Object: f.Object, Statement: f.Statement, Error: f.Err.Error()}
	}
	return &importAnswer{
		Message:  fmt.Sprintf("Schema imported to workspace '%s'", done.Workspace.Name),
		Source:   done.Source,
		Created:  orEmpty(done.Created),
		Skipped:  orEmpty(done.Skipped),
		Errors:   failed,
		Warnings: orEmpty(done.Warnings),
		Details: importDetails{
			Workspace:    done.Workspace.Name,
			DatabaseType: done.Workspace.Type.DisplayName(),
			Executed:     done.Executed,
			Skipped:      done.Left,
			Failed:       len(done.Failed),
			Total:        done.Executed + done.Left + len(done.Failed),
		},
	}
}
