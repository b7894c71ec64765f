package test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMongoDBNode runs the programs of clients/mongodb, each of which is a test
// suite of a Node driver.
func TestMongoDBNode(t *testing.T) {
	mustHaveNodeModules(t)
	for _, mode := range []string{"tenant", "control"} {
		for _, file := range scripts(t, "clients/mongodb/*.test.js") {
			t.Run(mode+"/"+filepath.Base(file), func(t *testing.T) {
				body := shared.mongoWorkspace(t, "mongo-node-"+mode, mode)
				ctx, done := context.WithTimeout(t.Context(), clientTimeout)
				defer done()
				cmd := exec.CommandContext(ctx, "node", "--test", filepath.Join("mongodb", filepath.Base(file)))
				cmd.Dir = "clients"
				cmd.Env = append(os.Environ(), "URL="+body["connection_string"].(string), "CA="+shared.CAFile)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

// mustHaveNodeModules ends a test that can't run without the Node drivers.
func mustHaveNodeModules(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("clients/node_modules"); err != nil {
		t.Fatalf("the Node drivers are not installed (make test does it, or npm ci in test/clients): %v", err)
	}
}
