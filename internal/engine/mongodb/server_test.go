package mongodb

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/internal/engine/mongodb/shell"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// server is the FerretDB that the tests of this package share.
var server struct {
	*devstack.FerretDB
	serial atomic.Int64
}

func TestMain(m *testing.M) {
	// Scripts run in a process of this program, as they do in the real one.
	if len(os.Args) > 1 && os.Args[1] == ShellCommand {
		if err := shell.Serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	f, stop, err := devstacktest.SharedFerretDB()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start FerretDB:", err)
		return 1
	}
	server.FerretDB = f
	code := m.Run()
	if err := errors.Join(stop(), goleak.Find()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// uriOf is how drivers reach a server.
func uriOf(f *devstack.FerretDB) string {
	return "mongodb://" + url.PathEscape(f.Socket()) + "/?directConnection=true"
}

// newEngine is an Engine for the shared server, prepared.
func newEngine(t *testing.T) *Engine {
	t.Helper()
	return engineAt(t, uriOf(server.FerretDB))
}

func engineAt(t *testing.T, uri string) *Engine {
	t.Helper()
	e, err := New(Config{Name: "main", URI: uri})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	if err := e.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

// newTarget is a name that no other test uses.
func newTarget() workspace.Target {
	n := server.serial.Add(1)
	name := fmt.Sprintf("w%d_workspace", n)
	return workspace.Target{Database: name, Role: name, Password: fmt.Sprintf("planted-secret-%d", n)}
}

// newWorkspace makes a workspace that goes with the test.
func newWorkspace(t *testing.T, e *Engine, tracked bool) workspace.Target {
	t.Helper()
	target := newTarget()
	if err := e.Create(t.Context(), target, tracked); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Drop(context.Background(), target); err != nil {
			t.Error(err)
		}
	})
	return target
}

// newClient is a client past the engine.
func newClient(t *testing.T) *mongo.Client {
	t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(uriOf(server.FerretDB)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { disconnect(context.Background(), c) })
	return c
}

// extJSON is a command document.
func extJSON(t *testing.T, text string) bson.D {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

// query runs text, which must work.
func query(t *testing.T, e *Engine, target workspace.Target, text string) workspace.Result {
	t.Helper()
	result, err := e.Query(t.Context(), target, text, workspace.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return result
}
