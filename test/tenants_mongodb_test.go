package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// withCA is a connection string with the authority that it does not name.
func (in *installation) withCA(address string) string {
	return address + "&tlsCAFile=" + url.QueryEscape(in.CAFile)
}

// mongoTenant is a client of a tenant's database.
func (in *installation) mongoTenant(t testing.TB, tenant map[string]any, blueprint string) *mongo.Database {
	t.Helper()
	return mongoClient(t, in.withCA(addressOf(t, tenant, blueprint)))
}

// mustRun runs a command document.
func mustRun(t testing.TB, db *mongo.Database, command string) {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(command), false, &d); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	on := db
	if d[0].Key == "renameCollection" {
		on = db.Client().Database("admin")
		for i, e := range d {
			if name, ok := e.Value.(string); ok {
				d[i].Value = db.Name() + "." + name
			}
		}
	}
	if err := on.RunCommand(mongoContext(t), d).Err(); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
}

// mongoListing is what the database lists of its collections and indexes, without
// their identities.
func mongoListing(t testing.TB, db *mongo.Database) string {
	t.Helper()
	specs, err := db.ListCollectionSpecifications(mongoContext(t), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(specs, func(a, b mongo.CollectionSpecification) int { return strings.Compare(a.Name, b.Name) })
	var all []string
	for _, s := range specs {
		indexes, err := db.Collection(s.Name).Indexes().List(mongoContext(t))
		if err != nil {
			t.Fatal(err)
		}
		var list []bson.M
		if err := indexes.All(mongoContext(t), &list); err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(list, func(a, b bson.M) int { return strings.Compare(fmt.Sprint(a["name"]), fmt.Sprint(b["name"])) })
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s %s %s", s.Name, s.Type, s.Options, text))
	}
	return strings.Join(all, "\n")
}

func TestMongoDBTenantIsADatabaseOfItsOwn(t *testing.T) {
	in := shared
	of := in.mongo(t, in.mongoWorkspace(t, "mgt-own", "tenant"))
	mustRun(t, of, `{"create": "users"}`)
	body := in.tenant(t, "mgt_own_acme", "mgt-own")
	at, d := in.Listeners["mongodb"], databaseOf(t, body, "mgt-own")
	holds(t, body, `{"success": true, "http_status": 201, "code": "created", "tenant_id": "mgt_own_acme", "status": "ready"}`)
	connection := d["connection"].(map[string]any)
	user, password := connection["user"].(string), connection["password"].(string)
	holds(t, d, `{"blueprint": "mgt-own", "database_type": "MongoDB", "isolation_level": 1}`)
	holds(t, connection, fmt.Sprintf(`{"host": %q, "port": %d, "database": "mgt-own__mgt_own_acme", "username": %q}`, at.Host, at.Port, user))
	if want := fmt.Sprintf("mongodb://%s:%s@%s:%d/mgt-own__mgt_own_acme?authMechanism=PLAIN&directConnection=true&tls=true", user, password, at.Host, at.Port); addressOf(t, body, "mgt-own") != want {
		t.Errorf("got %s, want %s", addressOf(t, body, "mgt-own"), want)
	}
	if user == in.ProjectID || password == in.ProxyPassword {
		t.Error("its login is the project's")
	}
	globex := in.mongoTenant(t, in.tenant(t, "mgt_own_globex", "mgt-own"), "mgt-own")
	acme := in.mongoTenant(t, body, "mgt-own")
	for i, db := range []*mongo.Database{of, acme, globex} {
		if _, err := db.Collection("users").InsertOne(mongoContext(t), bson.D{{Key: "_id", Value: i}}); err != nil {
			t.Fatal(err)
		}
	}
	for i, db := range []*mongo.Database{of, acme, globex} {
		var got []struct {
			ID int `bson:"_id"`
		}
		cursor, err := db.Collection("users").Find(mongoContext(t), bson.D{})
		if err == nil {
			err = cursor.All(mongoContext(t), &got)
		}
		if err != nil || len(got) != 1 || got[0].ID != i {
			t.Errorf("%d holds %v, %v", i, got, err)
		}
	}

	// Its login leads to it alone, by each mechanism.
	with := func(user, password, path, query string) error {
		address := in.withCA(fmt.Sprintf("mongodb://%s:%s@%s:%d/%s?tls=true%s", user, password, at.Host, at.Port, path, query))
		client, err := mongo.Connect(options.Client().ApplyURI(address).SetServerSelectionTimeout(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Disconnect(context.Background())
		return client.Database(strings.TrimSuffix(path, "?")).Collection("users").FindOne(mongoContext(t), bson.D{}).Err()
	}
	for _, query := range []string{"&authMechanism=PLAIN&directConnection=true", "&authMechanism=PLAIN", "", "&directConnection=true", "&authSource=admin", "&authMechanism=SCRAM-SHA-256"} {
		if err := with(user, password, "mgt-own__mgt_own_acme", query); err != nil {
			t.Errorf("%q: %v", query, err)
		}
		if query != "" && query != "&authMechanism=PLAIN" {
			continue // the answer to each wrong login waits
		}
		for name, err := range map[string]error{
			"another tenant's database":        with(user, password, "mgt-own__mgt_own_globex", query),
			"the blueprint's workspace":        with(user, password, "mgt-own_workspace", query),
			"the project's login":              with(in.ProjectID, in.ProxyPassword, "mgt-own__mgt_own_acme", query),
			"the project's password":           with(user, in.ProxyPassword, "mgt-own__mgt_own_acme", query),
			"a wrong password":                 with(user, "wrong", "mgt-own__mgt_own_acme", query),
			"the tenant's name for its user's": with("mgt_own_acme", password, "mgt-own__mgt_own_acme", query),
		} {
			if err == nil {
				t.Errorf("%q: %s is let in", query, name)
			}
		}
	}
	err := acme.Client().Database("mgt-own__mgt_own_globex").Collection("users").FindOne(mongoContext(t), bson.D{}).Err()
	if failed := refusalOf(err); failed == nil || !strings.Contains(failed.Error(), "Unauthorized") {
		t.Errorf("another tenant's $db: got %v", err)
	}
}

// TestMongoDBTenantsClients has the clients of the field on a tenant's database.
func TestMongoDBTenantsClients(t *testing.T) {
	mustHaveNodeModules(t)
	in := shared
	of := in.mongo(t, in.mongoWorkspace(t, "mgt-clients", "tenant"))
	mustRun(t, of, `{"createIndexes": "users", "indexes": [{"key": {"email": 1}, "name": "email_1", "unique": true}]}`)
	body := in.tenant(t, "mgt_clients_acme", "mgt-clients")
	address := addressOf(t, body, "mgt-clients")
	t.Run("mongosh", func(t *testing.T) {
		for _, step := range []struct {
			stdin string
			want  []string
		}{
			{"db.users.insertOne({_id: 'shell', email: 'a'}).acknowledged\ndb.users.insertOne({email: 'a'})\ndb.users.find()\n", []string{"true", "E11000", "_id: 'shell'"}},
			{"db.implicit.insertOne({}).acknowledged\nshow collections\n", []string{"true", "implicit", "users"}},
			{"db.users.createIndex({x: 1})\n", []string{noDDL}},
			{"db.users.dropIndex('email_1')\n", []string{noDDL}},
			{"db.createCollection('made')\n", []string{noDDL}},
			{"db.createView('made', 'users', [])\n", []string{noDDL}},
			{"db.users.drop()\n", []string{noDDL}},
			{"db.users.renameCollection('made')\n", []string{noDDL}},
			{"db.users.convertToCapped(4096)\n", []string{noDDL}},
			{"db.runCommand({collMod: 'users', validator: {}})\n", []string{noDDL}},
			{"db.dropDatabase()\ndb.users.countDocuments()\n", []string{noDDL, "1"}},
			{"use mgt-clients_workspace\ndb.users.find()\n", []string{"not authorized"}},
		} {
			contains(t, step.stdin, in.mongoshFed(t, address, step.stdin), step.want...)
		}
	})
	t.Run("Go", func(t *testing.T) {
		db := in.mongoTenant(t, body, "mgt-clients")
		content := bytes.Repeat([]byte("content "), 1<<16)
		bucket := db.GridFSBucket(options.GridFSBucket().SetName("go"))
		if _, err := bucket.UploadFromStream(mongoContext(t), "a file", bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := bucket.DownloadToStreamByName(mongoContext(t), "a file", &got); err != nil || !bytes.Equal(got.Bytes(), content) {
			t.Errorf("got %d bytes, %v", got.Len(), err)
		}
		if err := db.CreateCollection(mongoContext(t), "made"); refusalOf(err) == nil || !strings.Contains(err.Error(), noDDL) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("Node", func(t *testing.T) {
		ctx, done := context.WithTimeout(t.Context(), clientTimeout)
		defer done()
		cmd := exec.CommandContext(ctx, "node", "--test", "tenants/mongodb.test.js")
		cmd.Dir = "clients"
		cmd.Env = append(os.Environ(), "URL="+address, "CA="+in.CAFile)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("API", func(t *testing.T) {
		ask := func(query string) answer {
			return in.call(t, "POST", "/admin/query", map[string]any{"blueprint": "mgt-clients", "tenant_id": "mgt_clients_acme", "query": query})
		}
		holds(t, ask(`db.users.find({_id: 'shell'})`).body, `{"columns": ["_id", "email"], "rows": [["shell", "a"]], "row_count": 1}`)
		for _, query := range []string{`db.users.drop()`, `{"create": "made"}`, `db.users.insertOne({_id: 'half'}); db.users.createIndex({x: 1})`} {
			a := ask(query)
			holds(t, a.body, `{"http_status": 400, "code": "bad_request", "error": "DDL not allowed on tenant databases. Deploy schema through blueprints."}`)
		}
		holds(t, ask(`db.users.find({_id: 'half'})`).body, `{"row_count": 0}`)
	})
	if names, err := of.ListCollectionNames(mongoContext(t), bson.D{}); err != nil || !slices.Equal(names, []string{"users"}) {
		t.Errorf("the workspace has %v, %v", names, err)
	}
}

// TestMongoDBTenantsAreWhatTheirBlueprintIs changes a workspace in steps, each of
// which is deployed, and compares the listings of the servers.
func TestMongoDBTenantsAreWhatTheirBlueprintIs(t *testing.T) {
	in := shared
	of := in.mongo(t, in.mongoWorkspace(t, "mgt-same", "tenant"))
	first := in.mongoTenant(t, in.tenant(t, "mgt_same_first", "mgt-same"), "mgt-same")
	for _, step := range [][]string{
		{`{"create": "users"}`, `{"createIndexes": "users", "indexes": [{"key": {"email": 1}, "name": "email_1", "unique": true}, {"key": {"a": 1, "b": -1}, "name": "ab"}]}`},
		{`{"create": "log", "capped": true, "size": 5000, "max": 10}`, `{"insert": "implicit", "documents": [{"x": 1}]}`},
		{`{"renameCollection": "implicit", "to": "known"}`, `{"createIndexes": "known", "indexes": [{"key": {"x.y": -1}, "name": "deep"}]}`},
		{`{"dropIndexes": "users", "index": "ab"}`, `{"createIndexes": "users", "indexes": [{"key": {"b": -1}, "name": "ab"}]}`},
		{`{"drop": "log"}`, `{"create": "log", "capped": true, "size": 8192}`, `{"createIndexes": "fs.chunks", "indexes": [{"key": {"files_id": 1, "n": 1}, "name": "files_id_1_n_1", "unique": true}]}`},
		{`{"dropIndexes": "known", "index": "*"}`},
	} {
		for _, command := range step {
			mustRun(t, of, command)
		}
		in.deployAll(t, "mgt-same")
		if got, want := mongoListing(t, first), mongoListing(t, of); got != want {
			t.Fatalf("after %v the tenant has\n%s\nand the workspace\n%s", step, got, want)
		}
	}
	late := in.mongoTenant(t, in.tenant(t, "mgt_same_late", "mgt-same"), "mgt-same")
	if got, want := mongoListing(t, late), mongoListing(t, of); got != want {
		t.Errorf("a new tenant has\n%s\nand the workspace\n%s", got, want)
	}
	// What is skipped reaches nobody.
	want := mongoListing(t, of)
	mustRun(t, of, `{"create": "skipped"}`)
	pending := (database{installation: in, id: "mgt-same"}).queue(t)
	in.must(t, http.StatusOK, "DELETE", fmt.Sprintf("/workspaces/mgt-same/diff/%d", pending[len(pending)-1].ID), nil)
	in.deployAll(t, "mgt-same")
	if got := mongoListing(t, first); got != want {
		t.Errorf("a skipped change reached the tenant:\n%s", got)
	}
}

// TestMongoDBDeploymentThatATenantRefusesGoesOnWhenItIsMended has documents that
// a unique index does not take.
func TestMongoDBDeploymentThatATenantRefusesGoesOnWhenItIsMended(t *testing.T) {
	in := shared
	of := in.mongo(t, in.mongoWorkspace(t, "mgt-mended", "tenant"))
	mustRun(t, of, `{"create": "users"}`)
	bad := in.mongoTenant(t, in.tenant(t, "mgt_mended_bad", "mgt-mended"), "mgt-mended")
	good := in.mongoTenant(t, in.tenant(t, "mgt_mended_good", "mgt-mended"), "mgt-mended")
	if _, err := bad.Collection("users").InsertMany(mongoContext(t), []any{bson.D{{Key: "k", Value: 1}}, bson.D{{Key: "k", Value: 1}}}); err != nil {
		t.Fatal(err)
	}
	mustRun(t, of, `{"createIndexes": "users", "indexes": [{"key": {"k": 1}, "name": "k_1", "unique": true}]}`)
	mustRun(t, of, `{"create": "later"}`)
	d := in.deploy(t, map[string]any{"blueprint_name": "mgt-mended", "deploy_all": true})
	holds(t, d, `{"status": "partial", "tenants_total": 2, "tenants_completed": 1, "tenants_failed": 1}`)
	if text := fmt.Sprint(d["results"]); !strings.Contains(text, "was refused") || !strings.Contains(text, "UNIQUE") {
		t.Errorf("got %s", text)
	}
	if _, err := bad.Collection("users").DeleteOne(mongoContext(t), bson.D{}); err != nil {
		t.Fatal(err)
	}
	in.deployAll(t, "mgt-mended")
	for _, db := range []*mongo.Database{bad, good} {
		if got, want := mongoListing(t, db), mongoListing(t, of); got != want {
			t.Errorf("%s has\n%s\nand the workspace\n%s", db.Name(), got, want)
		}
	}
}

func TestMongoDBTenantIsSuspendedResumedTrashedAndRestored(t *testing.T) {
	in := shared
	of := in.mongo(t, in.mongoWorkspace(t, "mgt-life", "tenant"))
	mustRun(t, of, `{"create": "users"}`)
	body := in.tenant(t, "mgt_life_acme", "mgt-life")
	acme, address := in.mongoTenant(t, body, "mgt-life"), in.withCA(addressOf(t, body, "mgt-life"))
	other := in.mongoTenant(t, in.tenant(t, "mgt_life_globex", "mgt-life"), "mgt-life")
	if _, err := acme.Collection("users").InsertOne(mongoContext(t), bson.D{{Key: "_id", Value: 1}}); err != nil {
		t.Fatal(err)
	}
	find := func(db *mongo.Database) error { return db.Collection("users").FindOne(mongoContext(t), bson.D{}).Err() }
	must := func(when string) {
		t.Helper()
		if err := find(acme); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	// A session that ends while it rests is missed by its next command, which the
	// driver repeats on a new one.
	closed := func(change, method, path, refusal string) {
		t.Helper()
		must("before " + change)
		in.must(t, http.StatusOK, method, path, nil)
		if err := find(acme); err == nil || !mongo.IsNetworkError(err) && !strings.Contains(err.Error(), refusal) {
			t.Errorf("%s: an open session hears %v", change, err)
		}
		if err := find(mongoClient(t, address)); err == nil || !strings.Contains(err.Error(), refusal) {
			t.Errorf("%s: a new one hears %v", change, err)
		}
		if err := find(other); err != nil && err != mongo.ErrNoDocuments {
			t.Errorf("%s: another tenant hears %v", change, err)
		}
	}
	closed("suspend", "POST", "/tenants/mgt_life_acme/suspend", "is suspended")
	in.must(t, http.StatusOK, "POST", "/tenants/mgt_life_acme/resume", nil)
	must("after resume")
	closed("trash", "DELETE", "/tenants/mgt_life_acme", "Authentication failed")
	in.must(t, http.StatusOK, "POST", "/tenants/mgt_life_acme/restore", nil)
	must("after restore")
	closed("delete", "DELETE", "/tenants/mgt_life_acme?hard=true", "Authentication failed")
	again := in.mongoTenant(t, in.tenant(t, "mgt_life_acme", "mgt-life"), "mgt-life")
	if err := find(again); err != mongo.ErrNoDocuments {
		t.Errorf("the new tenant of that name holds %v", err)
	}
	if got, want := mongoListing(t, again), mongoListing(t, of); got != want {
		t.Errorf("it has\n%s\nand the workspace\n%s", got, want)
	}
}

// TestKilledAmidDeploymentsMongoDBTenantsAreWhatTheirBlueprintIs kills the program
// with its server while it deploys what can be run only once.
func TestKilledAmidDeploymentsMongoDBTenantsAreWhatTheirBlueprintIs(t *testing.T) {
	rounds := 5
	if testing.Short() {
		rounds = 2
	}
	in := newInstallation(t, "mongodb")
	body := in.mongoWorkspace(t, "killed", "tenant")
	var tenants []map[string]any
	for i := range 4 {
		tenants = append(tenants, in.tenant(t, fmt.Sprintf("t%d", i), "killed"))
	}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	for round := range rounds {
		of := in.mongo(t, body)
		name := func(s string) string { return fmt.Sprintf("%s%d", s, round) }
		for _, command := range []string{
			`{"create": "` + name("a") + `"}`, `{"renameCollection": "` + name("a") + `", "to": "` + name("b") + `"}`,
			`{"createIndexes": "` + name("b") + `", "indexes": [{"key": {"k": 1}, "name": "k_1", "unique": true}]}`,
			`{"create": "` + name("gone") + `"}`, `{"drop": "` + name("gone") + `"}`,
			`{"dropIndexes": "` + name("b") + `", "index": "k_1"}`, `{"create": "` + name("gone") + `", "capped": true, "size": 4096}`,
		} {
			mustRun(t, of, command)
		}
		version := in.must(t, http.StatusOK, "GET", "/blueprints/killed", nil)["current_version"]
		id := in.must(t, http.StatusCreated, "POST", "/deployments", map[string]any{"blueprint_name": "killed", "deploy_all": true})["id"]
		wait := time.Duration(random.IntN(800)) * time.Millisecond
		<-time.After(wait)
		in.kill()
		if err := in.start(); err != nil {
			t.Fatal(err)
		}
		var d map[string]any
		poll := time.NewTicker(50 * time.Millisecond)
		for deadline := time.Now().Add(mongoPatience); d["completed_at"] == nil; <-poll.C {
			d = in.must(t, http.StatusOK, "GET", fmt.Sprintf("/deployments/%s", id), nil)
			if time.Now().After(deadline) {
				t.Fatalf("the deployment did not go on: %v", d)
			}
		}
		poll.Stop()
		holds(t, d, `{"status": "completed", "tenants_total": 4, "tenants_completed": 4, "tenants_failed": 0}`)
		for _, r := range d["results"].([]any) {
			if got := r.(map[string]any)["version"]; got != version {
				t.Errorf("round %d: %v, want version %v", round, r, version)
			}
		}
		of = in.mongo(t, body)
		for _, tenant := range tenants {
			if got, want := mongoListing(t, in.mongoTenant(t, tenant, "killed")), mongoListing(t, of); got != want {
				t.Errorf("round %d, killed after %v: %s has\n%s\nand the workspace\n%s", round, wait, tenant["tenant_id"], got, want)
			}
		}
	}
}
