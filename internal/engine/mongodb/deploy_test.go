package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// newTenant makes a tenant's database that goes with the test.
func newTenant(t *testing.T, e *Engine) workspace.Target {
	t.Helper()
	target := newTarget()
	target.Owner, target.OwnerPassword = target.Role+"_owner", "planted-owner-secret"
	if err := e.Create(t.Context(), target, false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Drop(context.Background(), target); err != nil {
			t.Error(err)
		}
	})
	return target
}

// versionOf is a version of the statements, whose ids go on from its number.
func versionOf(number int64, statements ...string) workspace.Version {
	v := workspace.Version{Number: number}
	for i, s := range statements {
		v.Entries = append(v.Entries, workspace.Entry{ID: number*100 + int64(i), Version: number, Change: workspace.Change{Statement: s}})
	}
	return v
}

// queued are changes as versions of a queue, one for each unit. Statements that
// people read stand beside those that are kept.
func queued(e *Engine, changes []workspace.Change) (all []workspace.Version) {
	unit := ""
	for i, c := range changes {
		if c.Unit != unit {
			unit = c.Unit
			all = append(all, workspace.Version{Number: int64(len(all) + 1)})
		}
		kept := c.Statement
		c.Statement = e.Show(kept)
		v := &all[len(all)-1]
		v.Entries = append(v.Entries, workspace.Entry{ID: int64(i + 1), Version: v.Number, Kept: kept, Change: c})
	}
	return all
}

func deploy(t *testing.T, e *Engine, target workspace.Target, versions ...workspace.Version) {
	t.Helper()
	for _, v := range versions {
		if err := e.Deploy(t.Context(), target, v); err != nil {
			t.Fatalf("version %d: %v, because %v", v.Number, err, errors.Unwrap(err))
		}
	}
}

// wantSame wants the tenants' schema to be the workspace's.
func wantSame(t *testing.T, e *Engine, source workspace.Target, tenants ...workspace.Target) {
	t.Helper()
	for _, tenant := range tenants {
		if want, got := schemaOf(t, e, source), schemaOf(t, e, tenant); got != want {
			t.Errorf("tenant\n%s\nworkspace\n%s", got, want)
		}
	}
}

// TestATenantGetsTheWorkspacesSchema deploys what clients made of a workspace, in
// one go and step by step.
func TestATenantGetsTheWorkspacesSchema(t *testing.T) {
	ferret := func(t *testing.T) (*Engine, *mongo.Client) { return newEngine(t), newClient(t) }
	for _, test := range []struct {
		name   string
		server func(*testing.T) (*Engine, *mongo.Client)
		run    []string
	}{
		{"FerretDB", ferret, []string{
			`{"create": "users"}`,
			`{"create": "log", "capped": true, "size": 5000, "max": 10}`,
			`{"createIndexes": "users", "indexes": [{"key": {"email": 1}, "name": "email_1", "unique": true}, {"key": {"a": 1, "b": -1}, "name": "ab"}]}`,
			`{"insert": "made.by.a.write", "documents": [{"x": 1}]}`,
			`{"createIndexes": "made_by_its_index", "indexes": [{"key": {"x.y": -1}, "name": "x.y_-1"}]}`,
			`{"dropIndexes": "users", "index": "ab"}`,
			`{"createIndexes": "users", "indexes": [{"key": {"a": -1}, "name": "ab"}]}`,
			`{"create": "old"}`,
			`{"createIndexes": "old", "indexes": [{"key": {"k": 1}, "name": "k_1"}]}`,
			`{"renameCollection": "DB.old", "to": "DB.new"}`,
			`{"create": "old"}`,
			`{"drop": "old"}`,
			`{"create": "old", "capped": true, "size": 4096}`,
			`{"dropIndexes": "new", "index": "*"}`,
		}},
		{"MongoDB", modelEngine, []string{
			`{"create": "users", "validator": {"$jsonSchema": {"required": ["email"]}}, "validationLevel": "moderate"}`,
			`{"createIndexes": "users", "indexes": [{"key": {"at": 1}, "name": "at_1", "expireAfterSeconds": 5, "partialFilterExpression": {"x": {"$gt": 1}}}]}`,
			`{"collMod": "users", "validator": {"age": {"$gte": 1}}}`,
			`{"collMod": "users", "index": {"name": "at_1", "hidden": true}}`,
			`{"create": "seen", "viewOn": "users", "pipeline": [{"$match": {"a": 1}}]}`,
			`{"collMod": "seen", "viewOn": "users", "pipeline": []}`,
			`{"create": "heat", "timeseries": {"timeField": "at"}, "expireAfterSeconds": 60}`,
			`{"create": "named", "collation": {"locale": "de"}}`,
			`{"aggregate": "users", "pipeline": [{"$out": "report"}], "cursor": {}}`,
			`{"create": "other"}`,
			`{"renameCollection": "DB.other", "to": "DB.report", "dropTarget": true}`,
			`{"create": "gone", "viewOn": "users", "pipeline": []}`,
			`{"drop": "gone"}`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, c := test.server(t)
			source := newWorkspace(t, e, true)
			follower := newTenant(t, e)
			var changes []workspace.Change
			for _, command := range test.run {
				if err := relayed(t, e, c, source, command); err != nil {
					t.Fatalf("%s: %v", command, err)
				}
				changes = append(changes, taken(t, e, source)...)
				deploy(t, e, follower, queued(e, changes)...)
				wantSame(t, e, source, follower)
			}
			late := newTenant(t, e)
			deploy(t, e, late, queued(e, changes)...)
			wantSame(t, e, source, late)
			if len(changes) < len(test.run) {
				t.Errorf("%d changes of %d commands", len(changes), len(test.run))
			}
			// What is there is not run again.
			before, err := e.schema(t.Context(), late.Database)
			if err != nil {
				t.Fatal(err)
			}
			deploy(t, e, late, queued(e, changes)...)
			if after, err := e.schema(t.Context(), late.Database); err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("deployed again\n%v\n%v %v", before, after, err)
			}
		})
	}
}

// TestARefusedEntryLeavesWhatCameBeforeIt has a tenant whose documents a unique
// index does not take, which FerretDB calls an InternalError.
func TestARefusedEntryLeavesWhatCameBeforeIt(t *testing.T) {
	e := newEngine(t)
	tenant := newTenant(t, e)
	deploy(t, e, tenant, versionOf(1, `{"create": "users"}`))
	query(t, e, tenant, `db.users.insertMany([{k: 1}, {k: 1}])`)
	unique := `{"createIndexes": "users", "indexes": [{"key": {"k": 1}, "name": "k_1", "unique": true}]}`
	refusedAt := func(v workspace.Version, id int64, partly bool) {
		t.Helper()
		err := e.Deploy(t.Context(), tenant, v)
		wantRefusal(t, "deploy", err, "InternalError", fmt.Sprintf("DDL %d was refused", id))
		if refused, ok := errors.AsType[*workspace.Error](err); ok && refused.Details["ddl_id"] != id {
			t.Errorf("got the details %v", refused.Details)
		}
		if errors.Is(err, workspace.ErrPartly) != partly {
			t.Errorf("that a part took effect is told: %t, want %t", !partly, partly)
		}
	}
	refusedAt(versionOf(2, unique, `{"create": "later"}`), 200, false)
	v := versionOf(2, `{"create": "first"}`, unique, `{"drop": "first"}`)
	for range 2 {
		refusedAt(v, 201, true)
		if got := schemaOf(t, e, tenant); !strings.Contains(got, "first") || strings.Contains(got, "k_1") {
			t.Errorf("the schema is %s", got)
		}
	}
	query(t, e, tenant, `db.users.deleteOne({})`)
	deploy(t, e, tenant, v, versionOf(3, `{"create": "third"}`))
	got := schemaOf(t, e, tenant)
	if strings.Contains(got, "first") || !strings.Contains(got, "k_1") || !strings.Contains(got, "third") {
		t.Errorf("the schema is %s", got)
	}
}

// TestCollectionsThatTenantsMadeByWritingAreTakenAsTheyAre has clients that are
// ahead of a deployment.
func TestCollectionsThatTenantsMadeByWritingAreTakenAsTheyAre(t *testing.T) {
	e := newEngine(t)
	tenant := newTenant(t, e)
	query(t, e, tenant, `db.early.insertOne({_id: 1}); db.other.insertOne({_id: 1})`)
	deploy(t, e, tenant, versionOf(1, `{"create": "early"}`, `{"createIndexes": "early", "indexes": [{"key": {"k": 1}, "name": "k_1"}]}`))
	if result := query(t, e, tenant, `db.early.find()`); result.RowCount != 1 {
		t.Errorf("the tenant's documents are gone: %+v", result)
	}
	err := e.Deploy(t.Context(), tenant, versionOf(2, `{"create": "other", "capped": true, "size": 4096}`))
	wantRefusal(t, "deploy", err, "NamespaceExists", "already exists")
}

// TestWhatIsNoSchemaChangeIsNotDeployed holds against a queue that was tampered
// with.
func TestWhatIsNoSchemaChangeIsNotDeployed(t *testing.T) {
	e := newEngine(t)
	tenant := newTenant(t, e)
	query(t, e, tenant, `db.users.insertOne({_id: 1})`)
	for _, statement := range []string{`{"delete": "users", "deletes": [{"q": {}, "limit": 0}]}`, `db.users.drop()`, `{}`} {
		if err := e.Deploy(t.Context(), tenant, versionOf(1, statement)); err == nil {
			t.Errorf("%s was deployed", statement)
		}
	}
	if result := query(t, e, tenant, `db.users.find()`); result.RowCount != 1 {
		t.Errorf("got %+v", result)
	}
	deploy(t, e, tenant, workspace.Version{Number: 1})
}

// TestTwoNodesDeployOneVersion has both begin at once; one may find the other at
// work.
func TestTwoNodesDeployOneVersion(t *testing.T) {
	nodes := []*Engine{newEngine(t), newEngine(t)}
	tenant := newTenant(t, nodes[0])
	var statements []string
	for i := range 10 {
		statements = append(statements, fmt.Sprintf(`{"create": "c%d"}`, i))
	}
	statements = append(statements, `{"drop": "c0"}`, fmt.Sprintf(`{"renameCollection": "%s.c1", "to": "%[1]s.c0"}`, "any"))
	v := versionOf(1, statements...)
	var both sync.WaitGroup
	for _, e := range nodes {
		both.Go(func() {
			if err := e.Deploy(t.Context(), tenant, v); err != nil && !errors.Is(err, workspace.ErrRival) {
				t.Errorf("got %v", err)
			}
		})
	}
	both.Wait()
	deploy(t, nodes[1], tenant, v)
	var names []string
	schema, err := nodes[0].schema(t.Context(), tenant.Database)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range schema {
		names = append(names, c.Name)
	}
	if want := []string{"c0", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

// TestADroppedTenantLeavesNoVersionBehind makes a tenant of a name that another
// had.
func TestADroppedTenantLeavesNoVersionBehind(t *testing.T) {
	e := newEngine(t)
	tenant := newTenant(t, e)
	v := versionOf(1, `{"create": "users"}`)
	deploy(t, e, tenant, v)
	if err := e.Drop(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	if err := e.Deploy(t.Context(), tenant, v); !errors.Is(err, errNoJournal) {
		t.Errorf("deployed to a database that is gone: %v", err)
	}
	if err := e.Create(t.Context(), tenant, false); err != nil {
		t.Fatal(err)
	}
	deploy(t, e, tenant, v)
	if got := schemaOf(t, e, tenant); !strings.Contains(got, "users") {
		t.Errorf("got %s", got)
	}
	// Making it again, as after a crash, keeps what it has.
	if err := e.Create(t.Context(), tenant, false); err != nil {
		t.Fatal(err)
	}
	if s, _, err := e.load(t.Context(), tenant.Database); err != nil || s.Deployed.Version != 1 {
		t.Errorf("got %+v %v", s.Deployed, err)
	}
}

// TestQueriesDoNotChangeATenantsSchema sends what the API takes.
func TestQueriesDoNotChangeATenantsSchema(t *testing.T) {
	e := newEngine(t)
	tenant := newTenant(t, e)
	deploy(t, e, tenant, versionOf(1, `{"create": "users"}`))
	before := schemaOf(t, e, tenant)
	for _, text := range []string{
		`{"create": "a"}`, `{create: "a"}`, `db.createCollection("a")`, `db.users.createIndex({x: 1})`, `db.users.drop()`,
		`db.dropDatabase()`, `{"dropIndexes": "users", "index": "*"}`, `{"collMod": "users", "validator": {}}`,
		`db.users.renameCollection("b")`, `db.runCommand({create: "a"})`, `db.createView("v", "users", [])`,
		`db.users.insertOne({_id: 1}); db.users.drop()`, `try { db.users["dr" + "op"](); db["create" + "Collection"]("a") } catch (e) { }; 1`,
		`{"createSearchIndexes": "users", "indexes": []}`,
	} {
		_, err := e.Query(t.Context(), tenant, text, noLimits)
		refused, ok := errors.AsType[*workspace.Error](err)
		if !ok || refused.Message != workspace.NoDDLQuery().Message || refused.Code != workspace.BadRequest {
			t.Errorf("%s: got %v", text, err)
		}
	}
	if after := schemaOf(t, e, tenant); after != before {
		t.Errorf("the schema is %s", after)
	}
	if result := query(t, e, tenant, `db.users.find()`); result.RowCount != 0 {
		t.Errorf("a part of a refused script was run: %+v", result)
	}
	query(t, e, tenant, `db.fs.files.createIndex({filename: 1, uploadDate: 1}); db.fs.chunks.createIndex({files_id: 1, n: 1}, {unique: true})`)
	query(t, e, tenant, `{"createIndexes": "fs.files", "indexes": [{"key": {"filename": 1, "uploadDate": 1}, "name": "filename_1_uploadDate_1"}]}`)
	query(t, e, tenant, `db.implicit.insertOne({x: 1})`)
}

// TestATenantsClientsMayWriteAndNothingMore is about a server that has users.
func TestATenantsClientsMayWriteAndNothingMore(t *testing.T) {
	s, e := modelServer(t)
	tenant := workspace.Target{Database: "shop__acme", Role: "shop__acme", Password: "planted-secret", Owner: "shop__acme_owner", OwnerPassword: "planted-owner"}
	for range 2 { // as after a crash
		if err := e.Create(t.Context(), tenant, false); err != nil {
			t.Fatal(err)
		}
	}
	s.sent()
	deploy(t, e, tenant, versionOf(1, `{"create": "users"}`, `{"createIndexes": "users", "indexes": [{"key": {"x": 1}, "name": "x_1"}]}`,
		`{"renameCollection": "any.users", "to": "any.people"}`, `{"collMod": "people", "validator": {"a": 1}}`))
	owner := tenant.Database + "." + tenant.Owner
	ran := 0
	for _, c := range s.sent() {
		switch c.name {
		case "create", "createIndexes", "renameCollection", "collMod":
			if ran++; c.user != owner {
				t.Errorf("%s runs as %q", c.name, c.user)
			}
		}
	}
	if ran != 4 {
		t.Errorf("%d commands ran", ran)
	}
	query(t, e, tenant, `db.people.insertOne({a: 1}); db.implicit.updateOne({}, {$set: {a: 1}}, {upsert: true})`)
	for _, c := range s.sent() {
		if (c.name == "insert" || c.name == "update") && c.user != tenant.Database+"."+tenant.Role {
			t.Errorf("%s runs as %q", c.name, c.user)
		}
	}
	client, release, err := e.asRole(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for _, text := range []string{`{"drop": "people"}`, `{"dropIndexes": "people", "index": "x_1"}`, `{"collMod": "people", "validator": {}}`,
		`{"renameCollection": "shop__acme.people", "to": "shop__acme.users"}`, `{"convertToCapped": "people", "size": 1}`, `{"dropDatabase": 1}`} {
		command := extJSON(t, text)
		if err := databaseFor(client, tenant.Database, command).RunCommand(t.Context(), command).Err(); code(err) != codeUnauthorized {
			t.Errorf("%s as a tenant's client: %v", text, err)
		}
	}
	s.setPassword(owner, "another")
	deploy(t, e, tenant, versionOf(2, `{"create": "more"}`))
	if s.password(owner) != tenant.OwnerPassword {
		t.Error("the owner's password was not put back")
	}
	if exists, err := e.Exists(t.Context(), tenant.Database); !exists || err != nil {
		t.Errorf("exists: %t %v", exists, err)
	}
	if err := e.Drop(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.users) != 1 || len(s.granted) != 0 {
		t.Errorf("left are the users %v and the roles %v", s.users, s.granted)
	}
}

// TestTheRoleOfATenantsClientsIsWhatTheDocumentationSays is about the command
// that makes it.
func TestTheRoleOfATenantsClientsIsWhatTheDocumentationSays(t *testing.T) {
	s, e := modelServer(t)
	tenant := workspace.Target{Database: "shop__acme", Role: "client", Password: "planted-secret", Owner: "owner", OwnerPassword: "planted-owner"}
	if err := e.Create(t.Context(), tenant, false); err != nil {
		t.Fatal(err)
	}
	roles := map[string]string{}
	for _, c := range s.sent() {
		if c.name == "createUser" {
			roles[c.command[0].Value.(string)] = roleIn(c.command)
		}
		if c.name != "createRole" {
			continue
		}
		want := `{"createRole":"client","privileges":[{"resource":{"db":"shop__acme","collection":""},"actions":["insert","update","remove","createIndex"]}],"roles":[{"role":"read","db":"shop__acme"}]`
		if text, err := bson.MarshalExtJSON(c.command, false, false); err != nil || c.database != tenant.Database || !strings.HasPrefix(string(text), want) {
			t.Errorf("got %s on %s, %v", text, c.database, err)
		}
	}
	if len(roles) != 2 || roles["owner"] != "dbOwner" || roles["client"] != "client" {
		t.Errorf("got the users %v", roles)
	}
}
