package test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// killServer kills a database server by the file with its process number.
func (in *installation) killServer(t testing.TB, pidFile string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(in.dir, pidFile))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
}

// restart stops the program and starts it anew.
func (in *installation) restart(t testing.TB) {
	t.Helper()
	in.stop()
	if err := in.start(); err != nil {
		t.Fatal(err)
	}
}

// mustQueueKeptAndMore wants the two changes of the tests below.
func mustQueueKeptAndMore(t testing.TB, in *installation) {
	t.Helper()
	queue := (database{installation: in, id: "lasting"}).queue(t)
	if len(queue) != 2 || queue[0].Object != "kept" || queue[1].Object != "more" {
		t.Errorf("the queue has %+v", queue)
	}
}

// A server that is killed comes back with what was in it: the tables and the
// users, and the queue goes on.
func TestMySQLWorkspaceOutlivesItsServer(t *testing.T) {
	in := newInstallation(t, "mysql")
	connection := in.mysqlWorkspace(t, "lasting", "tenant")["connection"]
	in.mustMySQL(t, "", connection, "CREATE TABLE kept (id INT); INSERT INTO kept VALUES (7)")
	in.killServer(t, "mysql/data/mysql.pid")
	eventually(t, "the workspace is back", func() bool {
		got, err := in.mysqlClient(connection, "SELECT id FROM kept")
		return err == nil && got == "7"
	})
	in.mustMySQL(t, "", connection, "CREATE TABLE more (id INT)")
	in.restart(t)
	in.mustMySQL(t, "7", connection, "SELECT id FROM kept")
	mustQueueKeptAndMore(t, in)
}

func TestMongoDBWorkspaceOutlivesItsServer(t *testing.T) {
	in := newInstallation(t, "mongodb")
	body := in.mongoWorkspace(t, "lasting", "tenant")
	kept := in.mongo(t, body).Collection("kept")
	if _, err := kept.InsertOne(t.Context(), bson.D{{Key: "_id", Value: 7}}); err != nil {
		t.Fatal(err)
	}
	in.killServer(t, "mongodb/data/ferretdb.pid")
	eventually(t, "the workspace is back", func() bool {
		n, err := kept.CountDocuments(t.Context(), bson.D{})
		return err == nil && n == 1
	})
	if _, err := kept.Database().Collection("more").InsertOne(t.Context(), bson.D{}); err != nil {
		t.Fatal(err)
	}
	in.restart(t)
	if n, err := in.mongo(t, body).Collection("kept").CountDocuments(t.Context(), bson.D{}); err != nil || n != 1 {
		t.Errorf("after a restart: got %d %v, want 1 document", n, err)
	}
	mustQueueKeptAndMore(t, in)
}

func TestRedisWorkspaceOutlivesItsServer(t *testing.T) {
	in := newInstallation(t, "redis")
	address := in.redisWorkspace(t, "lasting", "control")["connection_string"].(string)
	in.mustRedisCLI(t, "OK", address, "SET", "a", "1")
	in.killServer(t, "redis/data/redis.pid")
	eventually(t, "the workspace is back", func() bool {
		got, err := in.redisCLI(address, "GET", "a")
		return err == nil && got == "1"
	})
	in.restart(t)
	in.mustRedisCLI(t, "1", address, "GET", "a")
}
