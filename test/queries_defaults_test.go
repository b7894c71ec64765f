package test

import (
	"net/http"
	"strings"
	"testing"
)

// TestQueriesReachWhatNewSessionsStartWith: a session that follows takes over a
// connection of before only if it starts there as on a new one.
func TestQueriesReachWhatNewSessionsStartWith(t *testing.T) {
	in := shared
	in.mysqlWorkspace(t, "defaults-mysql", "control")
	connection := in.must(t, http.StatusOK, "GET", "/workspaces/defaults-mysql", nil)["connection"].(map[string]any)
	connection["password"] = in.ProxyPassword
	for _, collation := range []string{"utf8mb4_unicode_ci", "utf8mb4_bin"} {
		in.mustMySQL(t, "1", connection, "SELECT 1") // leaves its connection to the next one
		run(t, "defaults-mysql", "SELECT 1; ALTER DATABASE COLLATE "+collation)
		in.mustMySQL(t, collation, connection, "SELECT @@collation_database")
	}

	d := in.workspace(t, "defaults-postgres", "control")
	for _, set := range []string{"ALTER ROLE CURRENT_USER SET work_mem = '5MB'", "DO $$ BEGIN EXECUTE 'alter user current_user set work_mem = ''6MB'''; END $$"} {
		d.psql(t, "", "-c", "SELECT 1")
		run(t, "defaults-postgres", set)
		want := set[strings.Index(set, "MB")-1 : strings.Index(set, "MB")+2]
		if got := strings.TrimSpace(d.psql(t, "", "-Atc", "SHOW work_mem")); got != want {
			t.Errorf("%s: got %s, want %s", set, got, want)
		}
	}
}
