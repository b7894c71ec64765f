package admin

import (
	"encoding/json"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestSchemaShowsTables(t *testing.T) {
	f := newFixture(t)
	now := "now()"
	f.has(workspace.PostgreSQL)
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
	f.has(workspace.PostgreSQL)
	f.service.schema = func(string) ([]workspace.Table, error) { return nil, nil }
	f.call(t, "GET", "/workspaces/main/schema", "").is(`{"success": true, "http_status": 200, "code": "ok", "tables": []}`)
}

func TestSchemaOfRedisShowsKeysAndNoValues(t *testing.T) {
	f := newFixture(t)
	f.has(workspace.Redis)
	f.service.keys = func(string) (workspace.Keys, error) {
		return workspace.Keys{Total: 5, Looked: 4, Groups: []workspace.KeyGroup{
			{Pattern: "session:*", Count: 3, Types: map[string]int64{"string": 2, "hash": 1}, WithTTL: 2},
			{Pattern: "*", Count: 1, Types: map[string]int64{"list": 1}},
		}}, nil
	}
	f.call(t, "GET", "/workspaces/cache/schema", "").is(`{"success": true, "http_status": 200, "code": "ok", "keys": [
		{"pattern": "session:*", "count": 3, "types": {"string": 2, "hash": 1}, "with_ttl": 2},
		{"pattern": "*", "count": 1, "types": {"list": 1}, "with_ttl": 0}
	], "key_count": 5, "looked_at": 4, "complete": false}`)

	f.service.keys = func(string) (workspace.Keys, error) { return workspace.Keys{Complete: true}, nil }
	f.call(t, "GET", "/workspaces/cache/schema", "").is(
		`{"success": true, "http_status": 200, "code": "ok", "keys": [], "key_count": 0, "looked_at": 0, "complete": true}`)
}

func TestSchemaOfMongoDBShowsCollections(t *testing.T) {
	f := newFixture(t)
	f.has(workspace.MongoDB)
	f.service.schema = func(string) ([]workspace.Table, error) {
		return []workspace.Table{
			{Name: "users", Indexes: []string{"_id_", "email_1"}, Validator: json.RawMessage(`{"$jsonSchema": {"required": ["email"]}}`)},
			{Name: "bare"},
		}, nil
	}
	f.call(t, "GET", "/workspaces/main/schema", "").is(`{"success": true, "http_status": 200, "code": "ok", "collections": [
		{"name": "users", "indexes": ["_id_", "email_1"], "validator": {"$jsonSchema": {"required": ["email"]}}},
		{"name": "bare", "indexes": []}
	]}`)
	f.service.schema = func(string) ([]workspace.Table, error) { return nil, nil }
	f.call(t, "GET", "/workspaces/main/schema", "").is(`{"success": true, "http_status": 200, "code": "ok", "collections": []}`)
}

// has makes the workspace one of that type.
func (f *fixture) has(t workspace.DatabaseType) {
	f.service.settings = func(string) (workspace.Workspace, error) { return workspace.Workspace{Type: t}, nil }
}
