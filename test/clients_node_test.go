package test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestNode runs the programs of clients/, each of which is a test suite of a
// Node driver.
func TestNode(t *testing.T) {
	if _, err := os.Stat("clients/node_modules"); err != nil {
		t.Fatalf("the Node drivers are not installed (make test does it, or npm ci in test/clients): %v", err)
	}
	d := shared.workspace(t, "node", "tenant")
	l := d.login(t)
	for _, file := range scripts(t, "clients/*.test.js") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			l.psql(t, "SET client_min_messages = error", "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
			cmd := l.command(t, "node", "--test", filepath.Base(file))
			cmd.Dir = "clients"
			cmd.Env = append(cmd.Env, "URL="+d.url, "CA="+l.caFile)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
