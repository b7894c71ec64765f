package admin

import (
	"net/http"
	"reflect"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// acme is a tenant with one database.
func acme(state workspace.TenantState, password string) workspace.TenantDetails {
	return workspace.TenantDetails{
		TenantRecord: workspace.TenantRecord{Name: "acme", State: state, CreatedAt: tenantWorkspace().CreatedAt},
		Databases: []workspace.TenantDatabaseDetails{{
			Blueprint: "fintech", Type: workspace.PostgreSQL, IsolationLevel: 1, Version: 3,
			Connection: workspace.Connection{
				Host: "pg.tenantsdb.com", Port: 5432, Database: "fintech__acme", User: "tdb_0a1b2c3d", Password: password,
				String: "postgresql://tdb_0a1b2c3d:" + password + "@pg.tenantsdb.com:5432/fintech__acme?sslmode=require&x=<>",
			},
		}},
	}
}

// acmeJSON is acme as the API shows it, without the braces.
func acmeJSON(state, password string) string {
	const address = "@pg.tenantsdb.com:5432/fintech__acme?sslmode=require&x=<>"
	text := `"postgresql://tdb_0a1b2c3d:` + password + address + `"`
	return `"tenant_id": "acme", "status": "` + state + `", "created_at": "2025-01-15T10:30:00Z", "databases": [
		{"blueprint": "fintech", "database_type": "PostgreSQL", "isolation_level": 1, "version": 3, "connection": {"host": "pg.tenantsdb.com", "port": 5432,
		"database": "fintech__acme", "user": "tdb_0a1b2c3d", "username": "tdb_0a1b2c3d", "password": "` + password + `", "connection_string": ` + text + `},
		"connection_string": ` + text + `}]`
}

func TestTenantIsCreated(t *testing.T) {
	f := newFixture(t)
	f.service.createTenant = func(r workspace.TenantRequest) (workspace.TenantDetails, error) {
		want := workspace.TenantRequest{Name: "acme", Databases: []workspace.TenantDatabaseRequest{{Blueprint: "fintech"}, {Blueprint: "cache", IsolationLevel: 2}}}
		if !reflect.DeepEqual(r, want) {
			t.Errorf("got %+v, want %+v", r, want)
		}
		return acme(workspace.TenantReady, "tdb_d2bf66ed7898c448"), nil
	}
	got := f.call(t, "POST", "/tenants", `{"tenant_id": "acme", "databases": [{"blueprint": "fintech"}, {"isolation_level": 2, "blueprint": "cache"}]}`)
	got.is(`{"success": true, "http_status": 201, "code": "created", ` + acmeJSON("ready", "tdb_d2bf66ed7898c448") + `}`)
	if got, want := got.Header().Get("Location"), "/tenants/acme"; got != want {
		t.Errorf("got Location %q, want %q", got, want)
	}
	if log := f.audit.String(); !contains(log, `"tenant":"acme"`) || !contains(log, `"blueprints":["fintech","cache"]`) || contains(log, "tdb_d2bf") {
		t.Errorf("got audit record %s", log)
	}
}

func TestTenantRequestIsRefusedByItsField(t *testing.T) {
	f := newFixture(t)
	for body, want := range map[string]string{
		`{}`:                                `missing field "tenant_id"`,
		`{"tenant_id": "acme"}`:             `missing field "databases"`,
		`{"tenant_id": 7, "databases": []}`: `field "tenant_id" must be a string, got a number`,
		`{"tenant_id": "acme", "databases": {"blueprint": "a"}}`:                             `field "databases" must be an array of objects, got an object`,
		`{"tenant_id": "acme", "databases": ["a"]}`:                                          `field "databases" must be an array of objects, got a string in it`,
		`{"tenant_id": "acme", "databases": [{"blueprint": 7}]}`:                             `field "databases[0].blueprint" must be a string, got a number`,
		`{"tenant_id": "acme", "databases": [{"blueprint": "a"}, {}]}`:                       `missing field "databases[1].blueprint"`,
		`{"tenant_id": "acme", "databases": [{"blueprint": "a", "level": 1}]}`:               `unknown field "databases[0].level"; the fields are blueprint, isolation_level`,
		`{"tenant_id": "acme", "databases": [{"blueprint": "a", "blueprint": "b"}]}`:         `duplicate field "databases[0].blueprint"`,
		`{"tenant_id": "acme", "databases": [{"blueprint": "a", "isolation_level": "1"}]}`:   `field "databases[0].isolation_level" must be a whole number, got a string`,
		`{"tenant_id": "acme", "databases": [{"blueprint": "a", "isolation_level": 0}]}`:     `field "databases[0].isolation_level" must be a whole number of at least 1, got 0`,
		`{"tenant_id": "acme", "databases": [{"blueprint": "a", "isolation_level": 1.5}]}`:   `field "databases[0].isolation_level" must be a whole number of at least 1, got 1.5`,
		`{"tenant_id": "acme", "databases": [{"blueprint": "a", "isolation_level": 1e300}]}`: `field "databases[0].isolation_level" must be a whole number of at least 1, got 1e300`,
		`{"tenant_id": "acme", "databases": [{"blueprint": "a"}], "hard": true}`:             `unknown field "hard"; the fields are tenant_id, databases`,
	} {
		f.call(t, "POST", "/tenants", body).want(http.StatusBadRequest, "bad_request").says(want)
	}
}

func TestTenantsAreListed(t *testing.T) {
	f := newFixture(t)
	f.service.listTenants = func() ([]workspace.TenantDetails, error) {
		return []workspace.TenantDetails{acme(workspace.TenantTrash, "••••••••")}, nil
	}
	f.call(t, "GET", "/tenants", "").is(`{"success": true, "http_status": 200, "code": "ok", "tenants": [{` + acmeJSON("trash", "••••••••") + `}], "count": 1}`)
	f.service.listTenants = func() ([]workspace.TenantDetails, error) { return nil, nil }
	f.call(t, "GET", "/tenants", "").is(`{"success": true, "http_status": 200, "code": "ok", "tenants": [], "count": 0}`)
}

func TestTenantIsRead(t *testing.T) {
	f := newFixture(t)
	f.service.getTenant = func(name string) (workspace.TenantDetails, error) {
		if name != "acme" {
			return workspace.TenantDetails{}, workspace.Errorf(workspace.NotFound, "Tenant not found: %s", name)
		}
		return acme(workspace.TenantSuspended, "••••••••"), nil
	}
	f.call(t, "GET", "/tenants/acme", "").is(`{"success": true, "http_status": 200, "code": "ok", ` + acmeJSON("suspended", "••••••••") + `}`)
	f.call(t, "GET", "/tenants/globex", "").want(http.StatusNotFound, "not_found").says("Tenant not found: globex")
}

func TestTenantIsSuspendedResumedAndRestored(t *testing.T) {
	for change, want := range map[string]struct {
		state workspace.TenantState
		says  string
	}{
		"suspend": {workspace.TenantSuspended, "Tenant 'acme' suspended"},
		"resume":  {workspace.TenantReady, "Tenant 'acme' resumed"},
		"restore": {workspace.TenantReady, "Tenant 'acme' restored"},
	} {
		f := newFixture(t)
		f.service.changeTenant = func(asked, name string) (workspace.TenantDetails, error) {
			if asked != change || name != "acme" {
				t.Errorf("%s: got %s of %s", change, asked, name)
			}
			return acme(want.state, "••••••••"), nil
		}
		f.call(t, "POST", "/tenants/acme/"+change, "").is(`{"success": true, "http_status": 200, "code": "ok", "message": "` + want.says + `", ` +
			acmeJSON(string(want.state), "••••••••") + `}`)
		if log := f.audit.String(); !contains(log, `"action":"`+change+` tenant"`) || !contains(log, `"tenant":"acme"`) {
			t.Errorf("%s: got audit record %s", change, log)
		}
	}
}

func TestTenantIsDeletedSoftlyOrForGood(t *testing.T) {
	for query, hard := range map[string]bool{"": false, "?hard=false": false, "?hard=true": true} {
		f := newFixture(t)
		f.service.deleteTenant = func(name string, got bool) error {
			if name != "acme" || got != hard {
				t.Errorf("%s: got %q %v", query, name, got)
			}
			return nil
		}
		want := `"message": "Tenant 'acme' moved to trash", "tenant_id": "acme", "status": "trash"}`
		if hard {
			want = `"message": "Tenant 'acme' deleted", "tenant_id": "acme", "status": "deleted"}`
		}
		f.call(t, "DELETE", "/tenants/acme"+query, "").is(`{"success": true, "http_status": 200, "code": "ok", ` + want)
		if log := f.audit.String(); contains(log, `"hard":true`) != hard || !contains(log, `"tenant":"acme"`) {
			t.Errorf("%s: got audit record %s", query, log)
		}
	}
}

func TestDoubtfulParameterDoesNothing(t *testing.T) {
	f := newFixture(t) // of no method of the service
	for _, value := range []string{"hard", "hard=", "hard=1", "hard=TRUE", "hard=yes", "hard=true&hard=false", "hard=true;x", "hard=%zz"} {
		f.call(t, "DELETE", "/tenants/acme?"+value, "").want(http.StatusBadRequest, "bad_request")
	}
	f.call(t, "POST", "/deployments?dry_run=yes", `{"blueprint_name": "fintech", "deploy_all": true}`).
		want(http.StatusBadRequest, "bad_request").says(`parameter "dry_run" must be true or false`)
}

func TestTenantInTrashSaysWhatToDo(t *testing.T) {
	f := newFixture(t)
	f.service.createTenant = func(workspace.TenantRequest) (workspace.TenantDetails, error) {
		return workspace.TenantDetails{}, workspace.Errorf(workspace.Conflict, "Tenant 'acme' is in trash. Use POST /tenants/acme/restore or DELETE /tenants/acme?hard=true")
	}
	f.call(t, "POST", "/tenants", `{"tenant_id": "acme", "databases": [{"blueprint": "fintech"}]}`).want(http.StatusConflict, "conflict").
		says("Tenant 'acme' is in trash. Use POST /tenants/acme/restore or DELETE /tenants/acme?hard=true")
}

func TestRefusedKeyIsAuditedWithTheTenant(t *testing.T) {
	f := newFixture(t)
	f.service.authenticate = func(string) (workspace.Principal, error) {
		return workspace.Principal{KeyID: "key_1", Role: "read"}, nil
	}
	f.call(t, "POST", "/tenants/acme/suspend", "").want(http.StatusForbidden, "forbidden").says("to suspend tenant it needs the role write")
	if log := f.audit.String(); !contains(log, `"tenant":"acme"`) || !contains(log, `"outcome":"forbidden"`) {
		t.Errorf("got audit record %s", log)
	}
}
