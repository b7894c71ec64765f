package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
)

// single is a running `tenantsdb serve` before one server, and no other.
type single struct {
	*program
	port  int // of its protocol
	admin int
	key   string // API key
}

// launchOne serves the section's protocol before the server, as the
// configuration's list has it.
func launchOne(t *testing.T, section, server, password string) *single {
	t.Helper()
	s := &single{port: free(t), admin: free(t)}
	dir := t.TempDir()
	file := filepath.Join(dir, "tenantsdb.yaml")
	text := fmt.Sprintf(`
data_dir: %s/data
admin: {listen: "127.0.0.1:%d"}
%s: {listen: ":%d"}
servers: [%s]
`, dir, s.admin, section, s.port, server)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.program = launch(t, []string{"TENANTSDB_SERVERS_0_PASSWORD=" + password}, "serve", "--config", file)
	s.await(t, "start", func() bool { return strings.Contains(s.stderr.String(), `"msg":"ready"`) })
	key := regexp.MustCompile(`API key +(\S+)`).FindStringSubmatch(s.stdout.String())
	if key == nil {
		t.Fatalf("no API key in %q", s.stdout.String())
	}
	s.key = key[1]
	return s
}

// call posts to the admin API, which must succeed.
func (s *single) call(t *testing.T, path, body string) map[string]any {
	t.Helper()
	request, err := http.NewRequest("POST", fmt.Sprintf("http://127.0.0.1:%d%s", s.admin, path), bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.key)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode >= 300 {
		t.Fatalf("POST %s: %d %v %v", path, response.StatusCode, answer, err)
	}
	return answer
}

// create makes a workspace and gives its connection.
func (s *single) create(t *testing.T, name, database string) map[string]any {
	t.Helper()
	made := s.call(t, "/workspaces", fmt.Sprintf(`{"name": %q, "database": %q, "mode": "control"}`, name, database))
	connection := made["connection"].(map[string]any)
	if connection["host"] != "localhost" || connection["port"] != float64(s.port) {
		t.Errorf("got connection %v, want localhost and %d", connection, s.port)
	}
	return connection
}

func (s *single) keepsSecrets(t *testing.T, secrets ...string) {
	t.Helper()
	for _, secret := range append(secrets, s.key) {
		if secret != "" && strings.Contains(s.stderr.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

func TestServeBeforeAMySQLServerOnly(t *testing.T) {
	server := devstacktest.MySQL(t, nil)
	s := launchOne(t, "mysql", fmt.Sprintf("{name: shops, type: mysql, socket: %q, user: %s}", server.Socket(), server.User()), server.Password())
	made := s.create(t, "shop", "mysql")
	c := mysqldriver.NewConfig()
	c.Net, c.Addr, c.DBName = "tcp", fmt.Sprintf("localhost:%d", s.port), made["database"].(string)
	c.User, c.Passwd = made["user"].(string), made["password"].(string)
	c.TLS = &tls.Config{InsecureSkipVerify: true}
	connector, err := mysqldriver.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	for _, statement := range []string{"CREATE TABLE a (id INT)", "INSERT INTO a VALUES (7)"} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(s.call(t, "/workspaces/shop/queries", `{"query": "SELECT id FROM a"}`)["rows"]); got != "[[7]]" {
		t.Errorf("a query finds %s", got)
	}
	// The client is greeted as by the server behind.
	var version string
	if err := db.QueryRowContext(t.Context(), "SELECT VERSION()").Scan(&version); err != nil || version == "" {
		t.Errorf("version: %q %v", version, err)
	}
	s.keepsSecrets(t, server.Password(), made["password"].(string))
}

func TestServeBeforeAMongoDBServerByItsURI(t *testing.T) {
	server := devstacktest.FerretDB(t)
	uri := PhysicalConfig{Socket: server.Socket()}.mongoURI()
	s := launchOne(t, "mongodb", fmt.Sprintf("{name: documents, type: mongodb, uri: %q}", uri), "")
	made := s.create(t, "docs", "mongodb")
	client, err := mongo.Connect(options.Client().SetHosts([]string{fmt.Sprintf("localhost:%d", s.port)}).SetDirect(true).
		SetTLSConfig(&tls.Config{InsecureSkipVerify: true}).SetServerSelectionTimeout(time.Minute).
		SetAuth(options.Credential{AuthMechanism: "PLAIN", AuthSource: "$external", Username: made["user"].(string), Password: made["password"].(string)}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(context.WithoutCancel(t.Context()))
	if _, err := client.Database(made["database"].(string)).Collection("a").InsertOne(t.Context(), bson.D{{Key: "_id", Value: 7}}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.call(t, "/workspaces/docs/queries", `{"query": "db.a.find()"}`)["rows"]); got != "[[7]]" {
		t.Errorf("a query finds %s", got)
	}
	s.keepsSecrets(t, made["password"].(string))
}
