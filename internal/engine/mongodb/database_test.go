package mongodb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestCreateAndDropMayBeCalledAgain(t *testing.T) {
	e := newEngine(t)
	target := newTarget()
	for range 2 {
		if err := e.Create(t.Context(), target, true); err != nil {
			t.Fatal(err)
		}
	}
	query(t, e, target, `db.c.insertOne({_id: 1})`)
	if found, err := e.Exists(t.Context(), strings.ToUpper(target.Database)); err != nil || !found {
		t.Errorf("exists: %t, %v; names that differ in case are one to the server", found, err)
	}
	for range 2 {
		if err := e.Drop(t.Context(), target); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := e.Exists(t.Context(), target.Database); err != nil || found {
		t.Errorf("exists after drop: %t, %v", found, err)
	}
}

func TestAnEmptyWorkspaceExists(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, false)
	if found, err := e.Exists(t.Context(), target.Database); err != nil || !found {
		t.Errorf("exists: %t, %v", found, err)
	}
}

func TestTheServersOwnDatabasesAreLeftAlone(t *testing.T) {
	e := newEngine(t)
	for _, name := range []string{"admin", "local", "config", "Admin", journalDatabase, ""} {
		target := workspace.Target{Database: name, Role: name}
		if err := e.Create(t.Context(), target, true); err == nil {
			t.Errorf("%q was created", name)
		}
		if err := e.Drop(t.Context(), target); err == nil {
			t.Errorf("%q was dropped", name)
		}
		if found, err := e.Exists(t.Context(), name); err != nil || !found {
			t.Errorf("%q is free: %v", name, err)
		}
	}
}

// TestACreateThatIsRepeatedKeepsWhatHappenedSince is about a node that did not
// hear that its first call worked.
func TestACreateThatIsRepeatedKeepsWhatHappenedSince(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, true)
	query(t, e, target, `db.createCollection("a")`)
	if err := e.Create(t.Context(), target, true); err != nil {
		t.Fatal(err)
	}
	wantTold(t, target, taken(t, e, target), `{"create":"a"}`)
}

func TestTablesAreTheCollections(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, false)
	if tables, err := e.Tables(t.Context(), target); err != nil || len(tables) != 0 {
		t.Errorf("an empty database has %+v, %v", tables, err)
	}
	query(t, e, target, `db.users.createIndex({email: 1}, {unique: true}); db.users.createIndex({a: 1, b: -1}); db.log.insertOne({})`)
	tables, err := e.Tables(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(tables)
	if err != nil {
		t.Fatal(err)
	}
	var got []struct {
		Name    string
		Indexes []string
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Name != "log" || strings.Join(got[0].Indexes, " ") != "_id_" ||
		got[1].Name != "users" || strings.Join(got[1].Indexes, " ") != "_id_ a_1_b_-1 email_1" {
		t.Errorf("got %+v", got)
	}
}

func TestDefinitionsRebuildTheSchema(t *testing.T) {
	e := newEngine(t)
	target, fresh := newWorkspace(t, e, false), newWorkspace(t, e, false)
	query(t, e, target, `
		db.users.createIndex({email: 1}, {unique: true, name: "by email"}); db.users.createIndex({a: 1, b: -1});
		db.createCollection("log", {capped: true, size: 8192, max: 100}); db.createCollection("odd 'name");
		db.getCollection("a.b.c").insertOne({})`)
	definitions, err := e.Definitions(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range definitions {
		query(t, e, fresh, d)
	}
	if want, got := schemaOf(t, e, target), schemaOf(t, e, fresh); got != want {
		t.Errorf("rebuilt\n%s\nwant\n%s\nby\n%s", got, want, strings.Join(definitions, "\n"))
	}
	if !strings.Contains(strings.Join(definitions, "\n"), `db.users.createIndex({a: 1, b: -1})`) {
		t.Errorf("definitions: %s", strings.Join(definitions, "\n"))
	}
}

func TestAServerThatIsDownIsUnavailable(t *testing.T) {
	e, err := New(Config{Name: "main", URI: "mongodb://planted-user:planted-secret@127.0.0.1:1/?directConnection=true&serverSelectionTimeoutMS=300"})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	for name, call := range map[string]func() error{
		"ping":    func() error { return e.Ping(ctx) },
		"prepare": func() error { return e.Prepare(ctx) },
		"create":  func() error { return e.Create(ctx, newTarget(), true) },
		"changes": func() error { _, err := e.Changes(ctx, newTarget()); return err },
		"query":   func() error { _, err := e.Query(ctx, newTarget(), "1", noLimits); return err },
	} {
		if err := call(); workspace.ErrorCode(err) != workspace.Unavailable || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: got %v, want that the server can't be reached", name, err)
		}
	}
}

func TestAURIIsCheckedAtOnceAndItsLoginKeptToOurselves(t *testing.T) {
	for _, uri := range []string{"", "postgres://x", "mongodb://planted-user:planted:secret@@h/", "mongodb://planted-user:planted-secret@h:99999/", "mongodb://planted-user:planted-secret@h/?authMechanism=X"} {
		e, err := New(Config{Name: "main", URI: uri})
		if err == nil {
			e.Close()
			t.Errorf("%q was taken", uri)
			continue
		}
		if strings.Contains(err.Error(), "planted") {
			t.Errorf("%v tells the login", err)
		}
	}
}

func TestTheAddressIsWhereTheServerIs(t *testing.T) {
	e := newEngine(t)
	if got := e.Address(); got.Network != "unix" || got.Addr != server.Socket() {
		t.Errorf("got %+v", got)
	}
	for uri, want := range map[string]string{"mongodb://db.example.com/": "db.example.com:27017", "mongodb://db:4/?tls=true": "db:4", "mongodb://[::1]:5/": "[::1]:5"} {
		e, err := New(Config{Name: "main", URI: uri})
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Address(); got.Network != "tcp" || got.Addr != want || (got.TLS != nil) != strings.Contains(uri, "tls") {
			t.Errorf("%s: got %+v", uri, got)
		}
		e.Close()
	}
}

func TestAServerWithoutUsersIsSaidInTheLogOnce(t *testing.T) {
	var log bytes.Buffer
	e, err := New(Config{Name: "main", URI: uriOf(server.FerretDB), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	if err := e.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	newWorkspace(t, e, true)
	if n := strings.Count(log.String(), "no users"); n != 1 {
		t.Errorf("it is said %d times: %s", n, log.String())
	}
}

// TestChangesOutliveTheServer stops a server of its own with changes that were
// noted and others that were not.
func TestChangesOutliveTheServer(t *testing.T) {
	program, err := devstacktest.FerretDBProgram()
	if err != nil {
		t.Fatal(err)
	}
	config := devstack.FerretDBConfig{Dir: devstacktest.Dir(t), Program: program}
	start := func() *devstack.FerretDB {
		t.Helper()
		f, err := devstack.StartFerretDB(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	stop := func(f *devstack.FerretDB) {
		t.Helper()
		if err := f.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
	f := start()
	e := engineAt(t, uriOf(f))
	target := newTarget()
	if err := e.Create(t.Context(), target, true); err != nil {
		t.Fatal(err)
	}
	query(t, e, target, `db.createCollection("noted")`)
	if err := e.client.Database(target.Database).RunCommand(t.Context(), bson.D{{Key: "create", Value: "not noted"}}).Err(); err != nil {
		t.Fatal(err)
	}
	stop(f)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := e.Changes(ctx, target); err == nil || errors.Is(err, errNotTracked) {
		t.Errorf("changes of a stopped server: %v", err)
	}
	f = start()
	defer stop(f)
	again := engineAt(t, uriOf(f))
	wantTold(t, target, taken(t, again, target), `{"create":"noted"}`, `{"create":"not noted"}`)
}
