package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// mongoWorkspace makes a MongoDB workspace that lives as long as the test, and
// gives what create answered.
func (in *installation) mongoWorkspace(t testing.TB, name, mode string) map[string]any {
	t.Helper()
	body := in.must(t, http.StatusCreated, "POST", "/workspaces", map[string]any{"name": name, "database": "MongoDB", "mode": mode})
	t.Cleanup(func() { in.call(t, "DELETE", "/workspaces/"+name, nil) })
	return body
}

// mongo connects with the connection string as it was answered, and the
// authority that it does not name.
func (in *installation) mongo(t testing.TB, body map[string]any) *mongo.Database {
	t.Helper()
	address := body["connection_string"].(string)
	client, err := mongo.Connect(options.Client().ApplyURI(address + "&tlsCAFile=" + url.QueryEscape(in.CAFile)).SetServerSelectionTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Disconnect(context.Background()) })
	return client.Database(body["connection"].(map[string]any)["database"].(string))
}

func TestMongoDBWorkspaceFromCreateToDelete(t *testing.T) {
	in := shared
	body := in.mongoWorkspace(t, "mongo-control", "control")
	at := in.Listeners["mongodb"]
	holds(t, body, fmt.Sprintf(`{"success": true, "http_status": 201, "code": "created", "id": "mongo-control", "mode": "control", "database": "MongoDB", "blueprint": null,
		"connection": {"host": %q, "port": %d, "database": "mongo-control_workspace", "user": %q, "username": %q, "password": %q},
		"connection_string": "mongodb://%s:%s@%s:%d/mongo-control_workspace?authMechanism=PLAIN&directConnection=true&tls=true"}`,
		at.Host, at.Port, in.ProjectID, in.ProjectID, in.ProxyPassword, in.ProjectID, in.ProxyPassword, at.Host, at.Port))
	db := in.mongo(t, body)
	if _, err := db.Collection("greetings").InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}, {Key: "words", Value: "hello wörld"}}); err != nil {
		t.Fatal(err)
	}
	holds(t, run(t, "mongo-control", "db.greetings.find()"), `{"columns": ["_id", "words"], "rows": [[1, "hello wörld"]], "row_count": 1}`)

	details := in.must(t, http.StatusOK, "GET", "/workspaces/mongo-control", nil)
	holds(t, details, `{"id": "mongo-control", "name": "mongo-control", "mode": "control", "database": "mongodb", "schema_error": null,
		"settings": {"query_timeout_ms": 30000, "max_rows_per_query": 10000, "max_connections": 100}, "undeployed_changes": null, "version": null}`)
	if statements := fmt.Sprint(details["schema"]); !strings.Contains(statements, "greetings") {
		t.Errorf("schema is %s", statements)
	}
	if text := fmt.Sprint(details); strings.Contains(text, in.ProxyPassword) || !strings.Contains(text, "••••••••@") {
		t.Errorf("details do not mask the password: %s", text)
	}
	if a := in.call(t, "POST", "/workspaces", map[string]any{"name": "mongo-control", "database": "mongo", "mode": "control"}); a.status != http.StatusConflict {
		t.Errorf("the same name again: got %d, want 409", a.status)
	}
	if a := in.call(t, "GET", "/workspaces/mongo-control/diff", nil); a.status != http.StatusBadRequest {
		t.Errorf("the queue of a control workspace: got %d, want 400", a.status)
	}

	holds(t, in.must(t, http.StatusOK, "DELETE", "/workspaces/mongo-control", nil),
		`{"message": "workspace deleted", "details": {"workspace": "mongo-control", "mode": "control", "versions_deleted": 0, "deletion_type": "full", "physical_db": true}}`)
	// Even where the driver connects anew.
	gone, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if n, err := db.Collection("greetings").CountDocuments(gone, bson.D{}); err == nil {
		t.Errorf("a deleted workspace counts %d documents", n)
	}
	for _, path := range []string{"", "/schema", "/settings"} {
		if a := in.call(t, "GET", "/workspaces/mongo-control"+path, nil); a.status != http.StatusNotFound {
			t.Errorf("%s of a deleted workspace: got %d, want 404", path, a.status)
		}
	}

	// Made anew, it is empty.
	again := in.mongo(t, in.mongoWorkspace(t, "mongo-control", "control"))
	if names, err := again.ListCollectionNames(t.Context(), bson.D{}); err != nil || len(names) != 0 {
		t.Errorf("a new workspace has the collections %v %v", names, err)
	}
}

func TestMongoDBLoginIsOfTheProjectAndTheCommandsDatabase(t *testing.T) {
	in := shared
	body := in.mongoWorkspace(t, "mongo-login", "control")
	in.mongoWorkspace(t, "mongo-other", "control")
	ping := func(change func(*options.ClientOptions), database string) error {
		o := options.Client().ApplyURI(body["connection_string"].(string) + "&tlsCAFile=" + url.QueryEscape(in.CAFile)).SetServerSelectionTimeout(20 * time.Second)
		change(o)
		client, err := mongo.Connect(o)
		if err != nil {
			return err
		}
		defer client.Disconnect(context.WithoutCancel(t.Context()))
		_, err = client.Database(database).Collection("c").CountDocuments(t.Context(), bson.D{})
		return err
	}
	if err := ping(func(*options.ClientOptions) {}, "mongo-login_workspace"); err != nil {
		t.Errorf("the connection string: %v", err)
	}
	for mechanism, source := range map[string]string{"PLAIN": "$external", "SCRAM-SHA-256": "admin"} {
		as := func(user, password string) func(*options.ClientOptions) {
			return func(o *options.ClientOptions) {
				o.SetAuth(options.Credential{AuthMechanism: mechanism, AuthSource: source, Username: user, Password: password})
			}
		}
		if err := ping(as(in.ProjectID, in.ProxyPassword), "mongo-other_workspace"); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
		if err := ping(as(in.ProjectID, "tdb_0000000000000000"), "mongo-login_workspace"); err == nil {
			t.Errorf("%s: a wrong password is let in", mechanism)
		}
		if err := ping(as("tdb_00000000", in.ProxyPassword), "mongo-login_workspace"); err == nil {
			t.Errorf("%s: an unknown user is let in", mechanism)
		}
		for _, database := range []string{"tenantsdb", "config", "local", "no_such_workspace"} {
			if err := ping(as(in.ProjectID, in.ProxyPassword), database); err == nil {
				t.Errorf("%s: the database %s is open", mechanism, database)
			}
		}
	}
}

func TestMongoDBQueries(t *testing.T) {
	in := shared
	in.mongoWorkspace(t, "mongo-queries", "tenant")
	holds(t, run(t, "mongo-queries", `db.users.insertOne({_id: 1, name: "Alice", age: 30})`), `{"rows_affected": 1}`)
	holds(t, run(t, "mongo-queries", `db.users.insertMany([{_id: 2, name: "Bob", age: 20}, {_id: 3, name: "Cäsar"}])`), `{"rows_affected": 2}`)
	body := run(t, "mongo-queries", `db.users.find({age: {$gt: 5}}).sort({age: 1}).limit(3)`)
	shape(t, body, `{"columns": ["_id", "name", "age"], "rows": [[]], "row_count": 1, "execution_time": "8ms"}`)
	holds(t, body, `{"columns": ["_id", "name", "age"], "rows": [[2, "Bob", 20], [1, "Alice", 30]], "row_count": 2}`)
	holds(t, run(t, "mongo-queries", `{"find": "users", "filter": {"_id": 3}}`), `{"columns": ["_id", "name"], "rows": [[3, "Cäsar"]], "row_count": 1}`)
	holds(t, run(t, "mongo-queries", `db.users.countDocuments({}); db.users.distinct("name", {_id: {$lt: 3}})`), `{"row_count": 2}`)
	holds(t, run(t, "mongo-queries", `db.users.aggregate([{$group: {_id: null, most: {$sum: "$age"}}}])`), `{"columns": ["_id", "most"], "rows": [[null, 50]]}`)
	holds(t, run(t, "mongo-queries", `db.users.find({_id: 99})`), `{"rows": [], "row_count": 0}`)
	for query, says := range map[string]string{
		`db.users.insertOne({_id: 1})`:                           "uplicate",
		`db.users.find({$nonsense: 1})`:                          "nonsense",
		`db.users.find(`:                                         "",
		`db.getSiblingDB("admin").users.find()`:                  "",
		`{"find": "users", "$db": "admin"}`:                      "",
		`db.users.aggregate([{$out: {db: "admin", coll: "x"}}])`: "",
		`while (true) {}`:                                        "",
		`require("fs")`:                                          "",
		`db.adminCommand({shutdown: 1})`:                         "",
	} {
		if strings.HasPrefix(query, "while") {
			in.must(t, http.StatusOK, "PATCH", "/workspaces/mongo-queries/settings", map[string]any{"query_timeout_ms": 1000})
			says = "query_timeout_ms"
		}
		a := in.call(t, "POST", "/workspaces/mongo-queries/queries", map[string]any{"query": query})
		if strings.HasPrefix(query, "while") {
			in.must(t, http.StatusOK, "PATCH", "/workspaces/mongo-queries/settings", map[string]any{"query_timeout_ms": 30000})
		}
		if text := fmt.Sprint(a.body["error"]); a.status != http.StatusBadRequest || !strings.Contains(text, says) {
			t.Errorf("%s: got %d %s, want 400 with %q", query, a.status, text, says)
		}
	}
	if a := in.call(t, "POST", "/workspaces/mongo-queries/queries", map[string]any{"query": `db.users.insertOne({_id: 1})`}); fmt.Sprint(a.body["codeName"]) != "DuplicateKey" {
		t.Errorf("got codeName %v, want DuplicateKey: %v", a.body["codeName"], a.body)
	}
	run(t, "mongo-queries", `db.createCollection("explicit")`)
	if queue := (database{installation: in, id: "mongo-queries"}).queue(t); len(queue) != 2 || queue[0].Object != "users" || queue[0].Source != "api" || queue[1].Source != "api" {
		t.Errorf("the queue has %+v, want users and explicit, by the API", queue)
	}
}

func TestMongoDBSettingsHoldForQueriesToo(t *testing.T) {
	in := shared
	in.mongoWorkspace(t, "mongo-settings", "tenant")
	path := "/workspaces/mongo-settings/settings"
	holds(t, in.must(t, http.StatusOK, "GET", path, nil), `{"database_type": "MongoDB",
		"settings": {"query_timeout_ms": 30000, "max_rows_per_query": 10000, "max_connections": 100},
		"available_fields": ["query_timeout_ms", "max_rows_per_query", "max_connections"]}`)
	holds(t, in.must(t, http.StatusOK, "PATCH", path, map[string]any{"max_rows_per_query": 5}),
		`{"settings": {"query_timeout_ms": 30000, "max_rows_per_query": 5, "max_connections": 100}, "message": "Settings saved. Deploy to apply to tenants.", "pending_deploy": true}`)
	run(t, "mongo-settings", `db.c.insertMany([{_id: 1}, {_id: 2}, {_id: 3}, {_id: 4}, {_id: 5}])`)
	holds(t, run(t, "mongo-settings", "db.c.find()"), `{"row_count": 5}`)
	run(t, "mongo-settings", `db.c.insertOne({_id: 6})`)
	a := in.call(t, "POST", "/workspaces/mongo-settings/queries", map[string]any{"query": "db.c.find()"})
	if text := fmt.Sprint(a.body["error"]); a.status != http.StatusBadRequest || !strings.Contains(text, "max_rows_per_query") || !strings.Contains(text, "5") {
		t.Errorf("over the row limit: got %d %v", a.status, a.body)
	}
	if a := in.call(t, "POST", path, map[string]any{"default_ttl": 1}); a.status != http.StatusBadRequest {
		t.Errorf("a setting of Redis: got %d, want 400", a.status)
	}
}

func TestMongoDBSchemaShowsCollections(t *testing.T) {
	in := shared
	db := in.mongo(t, in.mongoWorkspace(t, "mongo-schema", "tenant"))
	holds(t, in.must(t, http.StatusOK, "GET", "/workspaces/mongo-schema/schema", nil), `{"collections": []}`)
	if err := db.CreateCollection(t.Context(), "plain"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Collection("users").Indexes().CreateOne(t.Context(), mongo.IndexModel{
		Keys: bson.D{{Key: "email", Value: 1}}, Options: options.Index().SetUnique(true)}); err != nil {
		t.Fatal(err)
	}
	holds(t, in.must(t, http.StatusOK, "GET", "/workspaces/mongo-schema/schema", nil),
		`{"collections": [{"name": "plain", "indexes": ["_id_"]}, {"name": "users", "indexes": ["_id_", "email_1"]}]}`)
}

func TestMongoDBDeployQueue(t *testing.T) {
	in := shared
	body := in.mongoWorkspace(t, "mongo-diff", "tenant")
	holds(t, body, `{"mode": "tenant", "blueprint": "mongo-diff"}`)
	holds(t, in.must(t, http.StatusOK, "GET", "/workspaces/mongo-diff/diff", nil),
		`{"workspace": "mongo-diff", "blueprint": "mongo-diff", "version": 0, "count": 0, "pending": []}`)
	db := in.mongo(t, body)
	steps := []func(context.Context) error{
		func(ctx context.Context) error { return db.CreateCollection(ctx, "orders") },
		func(ctx context.Context) error {
			_, err := db.Collection("orders").Indexes().CreateOne(ctx, mongo.IndexModel{Keys: bson.D{{Key: "state", Value: 1}, {Key: "at", Value: -1}}})
			return err
		},
		func(ctx context.Context) error {
			_, err := db.Collection("users").InsertOne(ctx, bson.D{{Key: "name", Value: "Alice"}})
			return err
		},
		func(ctx context.Context) error {
			_, err := db.Collection("users").InsertOne(ctx, bson.D{{Key: "name", Value: "Bob"}})
			return err
		},
		func(ctx context.Context) error { return db.Collection("users").Drop(ctx) },
	}
	// Each is in the queue when its client hears that it is done.
	for i, want := range []int{1, 2, 3, 3, 4} {
		if err := steps[i](t.Context()); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		holds(t, in.must(t, http.StatusOK, "GET", "/workspaces/mongo-diff", nil), fmt.Sprintf(`{"undeployed_changes": %d, "version": %d}`, want, want))
	}
	queue := in.must(t, http.StatusOK, "GET", "/workspaces/mongo-diff/diff", nil)
	holds(t, queue, `{"version": 4, "count": 4}`)
	pending := queue["pending"].([]any)
	for i, want := range []struct{ object, command, ddl string }{
		{"orders", "create", `db.createCollection("orders")`},
		{"orders", "createIndexes", "db.orders.createIndex({state: 1, at: -1})"},
		{"users", "create", `db.createCollection("users")`},
		{"users", "drop", "db.users.drop()"},
	} {
		e := pending[i].(map[string]any)
		holds(t, e, fmt.Sprintf(`{"database": "mongodb", "source": "proxy", "status": "pending", "version": %d, "reversible": %t, "session": {}}`, i+1, want.command != "drop"))
		mustBeUTC(t, e["created_at"])
		var command bson.D
		if err := bson.UnmarshalExtJSON([]byte(e["command"].(string)), true, &command); err != nil {
			t.Errorf("the statement %v is no command document: %v", e["command"], err)
			continue
		}
		if command[0].Key != want.command || command[0].Value != want.object {
			t.Errorf("got the command %v, want %s of %s", command, want.command, want.object)
		}
		if e["ddl"] != want.ddl {
			t.Errorf("it is shown as %v, want %s", e["ddl"], want.ddl)
		}
		if text := fmt.Sprint(e["object"]); !strings.HasPrefix(text, want.object) {
			t.Errorf("%s: the object is %s", want.command, text)
		}
	}
	skipped := pending[1].(map[string]any)["id"]
	path := fmt.Sprintf("/workspaces/mongo-diff/diff/%v", skipped)
	holds(t, in.must(t, http.StatusOK, "DELETE", path, nil), fmt.Sprintf(`{"message": "DDL %v removed from deploy queue"}`, skipped))
	if a := in.call(t, "DELETE", path, nil); a.status != http.StatusNotFound {
		t.Errorf("skip again: got %d, want 404", a.status)
	}
}

func TestMongoDBRevert(t *testing.T) {
	in := shared
	in.mongoWorkspace(t, "mongo-revert", "tenant")
	run(t, "mongo-revert", `db.createCollection("base")`)
	d := database{installation: in, id: "mongo-revert"}
	source := in.must(t, http.StatusOK, "GET", "/workspaces/mongo-revert", nil)
	for query, reverse := range map[string]string{
		`db.createCollection("users")`:                   `db.users.drop()`,
		`db.base.createIndex({name: 1}, {unique: true})`: `db.base.dropIndex("name_1")`,
		`db.implicit.insertOne({a: 1})`:                  `db.implicit.drop()`,
	} {
		run(t, "mongo-revert", query)
		queue := d.queue(t)
		last := queue[len(queue)-1]
		if len(queue) != 2 || last.Reverse != reverse || !json.Valid([]byte(last.Command)) {
			t.Fatalf("%s: the queue has %+v", query, queue)
		}
		holds(t, in.must(t, http.StatusOK, "POST", fmt.Sprintf("/workspaces/mongo-revert/diff/%d/revert", last.ID), nil),
			fmt.Sprintf(`{"message": %q}`, "Reverted: "+last.Reverse))
		if after := d.queue(t); len(after) != 1 {
			t.Errorf("%s: after the revert the queue has %v", query, after)
		}
		if after := in.must(t, http.StatusOK, "GET", "/workspaces/mongo-revert", nil); fmt.Sprint(after["schema"]) != fmt.Sprint(source["schema"]) {
			t.Errorf("%s: after the revert the schema is %v, it was %v", query, after["schema"], source["schema"])
		}
	}
	run(t, "mongo-revert", `db.base.createIndex({age: 1})`)
	base := d.queue(t)[0]
	a := in.call(t, "POST", fmt.Sprintf("/workspaces/mongo-revert/diff/%d/revert", base.ID), nil)
	if a.status != http.StatusConflict {
		t.Errorf("revert of what an index stands on: got %d %v, want 409", a.status, a.body)
	}
	run(t, "mongo-revert", `db.base.drop()`)
	queue := d.queue(t)
	a = in.call(t, "POST", fmt.Sprintf("/workspaces/mongo-revert/diff/%d/revert", queue[len(queue)-1].ID), nil)
	if a.status != http.StatusConflict || fmt.Sprint(a.body["reason"]) != "not_reversible" {
		t.Errorf("revert of a drop: got %d %v, want 409", a.status, a.body)
	}
}
