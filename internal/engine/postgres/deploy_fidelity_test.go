package postgres

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// A tenant has the schema of its blueprint, but for owners and privileges.
func TestTenantsHaveTheSchemaThatPsqlLoaded(t *testing.T) {
	for _, test := range []struct {
		schema string
		args   []string
	}{
		{"rental", []string{"-v", "single=off"}},
		{"billing", []string{"-v", "single=on", "--single-transaction"}},
		{"migrations", nil},
	} {
		t.Run(test.schema, func(t *testing.T) {
			e := newEngine(t)
			blueprint := newTarget()
			if err := e.Create(t.Context(), blueprint, true); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := e.Drop(context.Background(), blueprint); err != nil {
					t.Error(err)
				}
			})
			load(t, blueprint, filepath.Join("..", "..", "..", "test", "testdata", "schemas", test.schema+".sql"), test.args...)
			changes, err := e.Changes(t.Context(), blueprint)
			if err != nil {
				t.Fatal(err)
			}
			target := newTenant(t, e)
			for _, v := range versionsOf(changes) {
				if err := e.Deploy(t.Context(), target, v); err != nil {
					t.Fatalf("version %d: %v\n%v", v.Number, workspace.Causes(err), v.Entries)
				}
			}
			plain := []string{"--no-owner", "--no-privileges"}
			if got, want := dump(t, target, plain...), dump(t, blueprint, plain...); got != want {
				t.Errorf("the tenant differs from its blueprint; got\n%s\nwant\n%s", got, want)
			}
			mustReadAll(t, target)
		})
	}
}

// load has psql run a script as the role of a workspace.
func load(t *testing.T, target workspace.Target, script string, args ...string) {
	t.Helper()
	cmd := exec.Command("psql", append([]string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", server.SocketDir(), "-p", strconv.Itoa(server.Port()),
		"-U", target.Role, "-d", target.Database, "-f", script}, args...)...)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+target.Password)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("psql %s: %v\n%s", script, err, out)
	}
}

// versionsOf are changes as the catalog makes versions of them.
func versionsOf(changes []workspace.Change) []workspace.Version {
	var versions []workspace.Version
	unit := ""
	for i, c := range changes {
		if len(versions) == 0 || c.Unit != unit {
			versions = append(versions, workspace.Version{Number: int64(len(versions) + 1)})
		}
		unit = c.Unit
		v := &versions[len(versions)-1]
		v.Entries = append(v.Entries, workspace.Entry{ID: int64(i + 1), Version: v.Number, Change: c})
	}
	return versions
}

// mustReadAll checks that clients may use every table and sequence.
func mustReadAll(t *testing.T, target workspace.Target) {
	t.Helper()
	conn := asClient(t, target)
	var lacking *string
	err := conn.QueryRow(t.Context(), `
		SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
		   AND NOT (has_schema_privilege(n.oid, 'USAGE') AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'USAGE')
		            ELSE has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT') END)`).Scan(&lacking)
	if err != nil || lacking != nil {
		t.Errorf("clients lack their rights on %v, %v", *lacking, err)
	}
}
