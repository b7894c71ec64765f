package test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMySQLNode runs the programs of clients/mysql, each of which is a test
// suite of a Node driver.
func TestMySQLNode(t *testing.T) {
	if _, err := os.Stat("clients/node_modules"); err != nil {
		t.Fatalf("the Node drivers are not installed (make test does it, or npm ci in test/clients): %v", err)
	}
	shared.mysqlDatabase(t, "my-node-other", "control") // a login without a database chooses
	for _, mode := range []string{"tenant", "control"} {
		for _, file := range scripts(t, "clients/mysql/*.test.js") {
			t.Run(mode+"/"+filepath.Base(file), func(t *testing.T) {
				d := shared.mysqlDatabase(t, "my-node-"+mode, mode)
				ctx, done := context.WithTimeout(t.Context(), clientTimeout)
				defer done()
				cmd := exec.CommandContext(ctx, "node", "--test", filepath.Join("mysql", filepath.Base(file)))
				cmd.Dir = "clients"
				cmd.Env = append(os.Environ(), "URL="+d.url, "CA="+shared.CAFile)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}
