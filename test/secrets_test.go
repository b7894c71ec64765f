package test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestSecretsOfMySQLAreNowhereToBeRead: nor is a literal of a statement in any
// log; and a user's password gets into no queue, since nobody may make users.
func TestSecretsOfMySQLAreNowhereToBeRead(t *testing.T) {
	const literalValue, failing, wrongPassword = "planted-literal-9e2a", "planted-in-an-error-9e2a", "planted-wrong-password-9e2a"
	in := newInstallation(t, "mysql")
	connection := in.mysqlWorkspace(t, "secrets", "tenant")["connection"].(map[string]any)
	in.mustMySQL(t, "", connection, "CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(80)); INSERT INTO people VALUES (1, '"+literalValue+"')")
	for _, statement := range []string{
		"SELEC '" + failing + "'",
		"INSERT INTO people VALUES (1, '" + failing + "')",
		"CREATE USER eve IDENTIFIED BY '" + failing + "'",
		"GRANT SELECT ON people TO eve IDENTIFIED BY '" + failing + "'",
	} {
		if out, err := in.mysqlClient(connection, statement); err == nil {
			t.Errorf("%s: succeeds: %s", statement, out)
		}
		in.must(t, http.StatusBadRequest, "POST", "/workspaces/secrets/queries", map[string]any{"query": statement})
	}
	// Some servers let each user do these, and the next session finds them undone.
	for _, statement := range []string{"SET PASSWORD = PASSWORD('" + failing + "')", "SET PASSWORD = '" + failing + "'", "ALTER USER CURRENT_USER() IDENTIFIED BY '" + failing + "'"} {
		_, _ = in.mysqlClient(connection, statement)
		in.call(t, "POST", "/workspaces/secrets/queries", map[string]any{"query": statement})
	}
	wrong := map[string]any{"port": connection["port"], "user": connection["user"], "password": wrongPassword, "database": connection["database"]}
	if _, err := in.mysqlClient(wrong, "SELECT 1"); err == nil {
		t.Error("a wrong password opened the workspace")
	}
	in.mustMySQL(t, "1", connection, "SELECT COUNT(*) FROM people")
	queue, err := json.Marshal((database{installation: in, id: "secrets"}).queue(t))
	if err != nil {
		t.Fatal(err)
	}
	in.stop()
	written := in.written(t)
	written["the deploy queue"] = string(queue)
	if written[filepath.Join("mysql", "server.log")] == "" {
		t.Error("the server's log is empty or not there")
	}
	holdsNone(t, written, map[string]string{
		"API key": in.APIKey, "proxy password": in.ProxyPassword, "administrator's password": in.administratorsPassword(t, "mysql"),
		"literal": literalValue, "literal of a failed statement": failing, "wrong password": wrongPassword,
	})
	if err := in.start(); err != nil {
		t.Fatal(err)
	}
}

// administratorsPassword is that of one of the installation's servers.
func (in *installation) administratorsPassword(t testing.TB, server string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(in.dir, server, "admin.password"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// TestSecretsOfMongoDBAreNowhereToBeRead: nor is a document in any log.
func TestSecretsOfMongoDBAreNowhereToBeRead(t *testing.T) {
	const value, failing = "planted-value-9e2a", "planted-in-an-error-9e2a"
	in := newInstallation(t, "mongodb")
	db := in.mongo(t, in.mongoWorkspace(t, "secrets", "tenant"))
	people := db.Collection("people")
	if _, err := people.InsertOne(t.Context(), bson.D{{Key: "_id", Value: value}}); err != nil {
		t.Fatal(err)
	}
	if _, err := people.InsertOne(t.Context(), bson.D{{Key: "_id", Value: value}, {Key: "name", Value: failing}}); err == nil {
		t.Error("the same document twice")
	}
	for _, command := range []bson.D{
		{{Key: "createUser", Value: "eve"}, {Key: "pwd", Value: failing}, {Key: "roles", Value: bson.A{}}},
		{{Key: "nonsense", Value: failing}},
	} {
		if err := db.RunCommand(t.Context(), command).Err(); err == nil {
			t.Errorf("%s succeeds", command[0].Key)
		}
	}
	in.must(t, http.StatusBadRequest, "POST", "/workspaces/secrets/queries", map[string]any{"query": `db.people.insertOne({_id: "` + value + `", name: "` + failing + `"})`})
	in.must(t, http.StatusBadRequest, "POST", "/workspaces/secrets/queries", map[string]any{"query": `db.people.find("` + failing})
	queue, err := json.Marshal((database{installation: in, id: "secrets"}).queue(t))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(queue), "people") {
		t.Errorf("the queue has %s", queue)
	}
	in.stop()
	written := in.written(t)
	written["the deploy queue"] = string(queue)
	holdsNone(t, written, map[string]string{
		"API key": in.APIKey, "proxy password": in.ProxyPassword, "value": value, "value of a failed command": failing,
	})
	if err := in.start(); err != nil {
		t.Fatal(err)
	}
}
