package admin

import (
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestSchemaShowsTables(t *testing.T) {
	f := newFixture(t)
	now := "now()"
	f.service.schema = func(string) ([]workspace.Table, error) {
		return []workspace.Table{
			{Name: "users", Indexes: []string{"users_pkey"}, Columns: []workspace.Column{
				{Name: "id", Type: "SERIAL", PrimaryKey: true},
				{Name: "name", Type: "TEXT"},
				{Name: "seen", Type: "TIMESTAMPTZ", Nullable: true, Default: &now},
			}},
			{Name: "bare"},
		}, nil
	}
	f.call(t, "GET", "/workspaces/main/schema", "").is(`{"success": true, "http_status": 200, "code": "ok", "tables": [
		{"name": "users", "columns": [
			{"name": "id", "type": "SERIAL", "nullable": false, "primary_key": true},
			{"name": "name", "type": "TEXT", "nullable": false},
			{"name": "seen", "type": "TIMESTAMPTZ", "nullable": true, "default": "now()"}
		], "indexes": ["users_pkey"]},
		{"name": "bare", "columns": [], "indexes": []}
	]}`)
}

func TestSchemaOfNothingIsEmptyNotNull(t *testing.T) {
	f := newFixture(t)
	f.service.schema = func(string) ([]workspace.Table, error) { return nil, nil }
	f.call(t, "GET", "/workspaces/main/schema", "").is(`{"success": true, "http_status": 200, "code": "ok", "tables": []}`)
}
