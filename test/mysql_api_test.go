package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mysqlWorkspace makes a MySQL workspace that lives as long as the test, and
// gives what create answered.
func (in *installation) mysqlWorkspace(t testing.TB, name, mode string) map[string]any {
	t.Helper()
	body := in.must(t, http.StatusCreated, "POST", "/workspaces", map[string]any{"name": name, "database": "MySQL", "mode": mode})
	t.Cleanup(func() { in.call(t, "DELETE", "/workspaces/"+name, nil) })
	return body
}

// mysqlClient runs statements with MariaDB's client, as the connection of an
// answer says, and gives its output without the names of columns.
func (in *installation) mysqlClient(connection any, statements string, args ...string) (string, error) {
	c := connection.(map[string]any)
	cmd := exec.Command("mariadb", append([]string{
		"--no-defaults", "--batch", "--skip-column-names", "--default-character-set=utf8mb4",
		// Not localhost: the client would take the socket of another server.
		"--host=127.0.0.1", fmt.Sprintf("--port=%v", c["port"]), "--user=" + c["user"].(string), "--password=" + c["password"].(string),
		"--ssl-ca=" + in.CAFile, "--ssl-verify-server-cert", "--database=" + c["database"].(string)}, args...)...)
	cmd.Stdin = strings.NewReader(statements)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (in *installation) mustMySQL(t testing.TB, want string, connection any, statements string) {
	t.Helper()
	if got, err := in.mysqlClient(connection, statements); err != nil || got != want {
		t.Errorf("%s: got %q %v, want %q", statements, got, err, want)
	}
}

func TestMySQLWorkspaceFromCreateToDelete(t *testing.T) {
	in := shared
	body := in.mysqlWorkspace(t, "mysql-control", "control")
	at := in.Listeners["mysql"]
	holds(t, body, fmt.Sprintf(`{"success": true, "http_status": 201, "code": "created", "id": "mysql-control", "mode": "control", "database": "MySQL", "blueprint": null,
		"connection": {"host": %q, "port": %d, "database": "mysql-control_workspace", "user": %q, "username": %q, "password": %q},
		"connection_string": "mysql://%s:%s@%s:%d/mysql-control_workspace"}`,
		at.Host, at.Port, in.ProjectID, in.ProjectID, in.ProxyPassword, in.ProjectID, in.ProxyPassword, at.Host, at.Port))
	connection := body["connection"]
	in.mustMySQL(t, "", connection, "CREATE TABLE greetings (id INT AUTO_INCREMENT PRIMARY KEY, words VARCHAR(40) NOT NULL); INSERT INTO greetings (words) VALUES ('hello wörld')")
	holds(t, run(t, "mysql-control", "SELECT id, words FROM greetings"), `{"columns": ["id", "words"], "rows": [[1, "hello wörld"]], "row_count": 1}`)
	in.mustMySQL(t, "mysql-control_workspace", connection, "SELECT DATABASE()")

	details := in.must(t, http.StatusOK, "GET", "/workspaces/mysql-control", nil)
	holds(t, details, `{"id": "mysql-control", "name": "mysql-control", "mode": "control", "database": "mysql", "schema_error": null,
		"settings": {"query_timeout_ms": 30000, "max_rows_per_query": 10000, "max_connections": 100}, "undeployed_changes": null, "version": null}`)
	statements := details["schema"].([]any)
	if len(statements) != 1 || !strings.HasPrefix(fmt.Sprint(statements[0]), "CREATE TABLE `greetings`") || strings.Contains(fmt.Sprint(statements[0]), "AUTO_INCREMENT=") {
		t.Errorf("schema is %v", statements)
	}
	if text := fmt.Sprint(details); strings.Contains(text, in.ProxyPassword) || !strings.Contains(text, "••••••••@") {
		t.Errorf("details do not mask the password: %s", text)
	}
	if a := in.call(t, "POST", "/workspaces", map[string]any{"name": "mysql-control", "database": "mysql", "mode": "control"}); a.status != http.StatusConflict {
		t.Errorf("the same name again: got %d, want 409", a.status)
	}
	if a := in.call(t, "GET", "/workspaces/mysql-control/diff", nil); a.status != http.StatusBadRequest {
		t.Errorf("the queue of a control workspace: got %d, want 400", a.status)
	}

	holds(t, in.must(t, http.StatusOK, "DELETE", "/workspaces/mysql-control", nil),
		`{"message": "workspace deleted", "details": {"workspace": "mysql-control", "mode": "control", "versions_deleted": 0, "deletion_type": "full", "physical_db": true}}`)
	if out, err := in.mysqlClient(connection, "SELECT 1"); err == nil {
		t.Errorf("a deleted workspace answers %q", out)
	}
	for _, path := range []string{"", "/schema", "/settings"} {
		if a := in.call(t, "GET", "/workspaces/mysql-control"+path, nil); a.status != http.StatusNotFound {
			t.Errorf("%s of a deleted workspace: got %d, want 404", path, a.status)
		}
	}

	// Made anew, it is empty.
	in.mysqlWorkspace(t, "mysql-control", "control")
	in.mustMySQL(t, "0", connection, "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()")
}

// TestMySQLNamesOfEveryLength: a user name of MySQL ends where those of
// workspaces do not.
func TestMySQLNamesOfEveryLength(t *testing.T) {
	in := shared
	long := "a234567890123456789012345678901234567_-"
	for _, name := range []string{"m", long + "a", long + "b"} {
		body := in.mysqlWorkspace(t, name, "tenant")
		connection := body["connection"]
		holds(t, body, fmt.Sprintf(`{"id": %q}`, name))
		in.mustMySQL(t, name+"_workspace", connection, "CREATE TABLE t (id INT); SELECT DATABASE()")
		if queue := (database{installation: in, id: name}).queue(t); len(queue) != 1 {
			t.Errorf("%s: the queue has %v", name, queue)
		}
		out, err := in.mysqlClient(connection, "SHOW DATABASES")
		// MySQL shows this one to everybody, and its tables to nobody.
		seen := slices.DeleteFunc(strings.Fields(out), func(name string) bool { return name == "performance_schema" })
		slices.Sort(seen)
		want := []string{"information_schema", name + "_workspace"}
		slices.Sort(want)
		if err != nil || !slices.Equal(seen, want) {
			t.Errorf("%s: sees the databases %q %v, want %q", name, seen, err, want)
		}
	}
}

// TestMySQLLoginWithoutADatabase: a client may name its database later, where
// it is clear which workspace it wants.
func TestMySQLLoginWithoutADatabase(t *testing.T) {
	in := shared
	project := in.must(t, http.StatusCreated, "POST", "/projects", map[string]any{"name": "mysql-second"})
	t.Cleanup(func() { in.call(t, "DELETE", "/projects/"+project["project_id"].(string), nil) })
	second := &installation{ready: in.ready}
	second.APIKey = project["api_key"].(string)
	body := second.must(t, http.StatusCreated, "POST", "/workspaces", map[string]any{"name": "only", "database": "MySQL", "mode": "control"})
	connection := body["connection"].(map[string]any)
	in.mustMySQL(t, "only_workspace", connection, "SELECT DATABASE()")
	for _, wrong := range []string{"mysql", "information_schema", "other_workspace"} {
		c := map[string]any{"port": connection["port"], "user": connection["user"], "password": connection["password"], "database": wrong}
		if out, err := in.mysqlClient(c, "SELECT 1"); err == nil {
			t.Errorf("database %s lets in: %s", wrong, out)
		}
	}
	for _, c := range []map[string]any{
		{"user": connection["user"], "password": "tdb_0000000000000000"},
		{"user": "root", "password": connection["password"]},
		{"user": connection["user"], "password": in.ProxyPassword},
	} {
		c["port"], c["database"] = connection["port"], connection["database"]
		if out, err := in.mysqlClient(c, "SELECT 1"); err == nil || !strings.Contains(out, "1045") {
			t.Errorf("a wrong login: got %q %v, want error 1045", out, err)
		}
	}
	c := map[string]any{"port": connection["port"], "user": connection["user"], "password": connection["password"], "database": ""}
	in.mustMySQL(t, "only_workspace", c, "USE only_workspace; SELECT DATABASE()")
}

func TestMySQLQueries(t *testing.T) {
	in := shared
	in.mysqlWorkspace(t, "mysql-queries", "tenant")
	holds(t, run(t, "mysql-queries", "CREATE TABLE users (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50), email VARCHAR(50))"),
		`{"columns": [], "rows": [], "row_count": 0, "rows_affected": 0}`)
	holds(t, run(t, "mysql-queries", "INSERT INTO users (name, email) VALUES ('Alice', 'alice@example.com')"), `{"rows_affected": 1}`)
	body := run(t, "mysql-queries", "SELECT id, name, email FROM users")
	shape(t, body, `{"columns": ["id", "name", "email"], "rows": [[]], "row_count": 1, "execution_time": "8ms"}`)
	holds(t, body, `{"columns": ["id", "name", "email"], "rows": [[1, "Alice", "alice@example.com"]], "row_count": 1}`)
	holds(t, run(t, "mysql-queries", "SELECT 1 AS a; INSERT INTO users (name) VALUES ('x'); SELECT 'last' AS b"), `{"columns": ["b"], "rows": [["last"]], "row_count": 1}`)

	for sql, want := range map[string]string{
		"1":                                    `1`,
		"CAST(9007199254740992 AS SIGNED)":     `9007199254740992`,
		"9007199254740993":                     `"9007199254740993"`,
		"18446744073709551615":                 `"18446744073709551615"`,
		"CAST(1.10 AS DECIMAL(10,2))":          `"1.10"`,
		"0.5e0":                                `0.5`,
		"NULL":                                 `null`,
		`'a"b'`:                                `"a\"b"`,
		"x'00ff'":                              `"\\x00ff"`,
		"CAST('2025-01-15' AS DATE)":           `"2025-01-15"`,
		"CAST('2025-01-15 10:30' AS DATETIME)": `"2025-01-15T10:30:00Z"`,
		"FROM_UNIXTIME(0) = FROM_UNIXTIME(0)":  `1`,
		"CONCAT('naïve', ' ', '日本', ' ', '😀')": `"naïve 日本 😀"`,
	} {
		rows, err := json.Marshal(run(t, "mysql-queries", "SELECT "+sql)["rows"])
		if err != nil {
			t.Fatal(err)
		}
		if string(rows) != "[["+want+"]]" {
			t.Errorf("%s: got %s, want [[%s]]", sql, rows, want)
		}
	}
	for sql, want := range map[string]string{
		"SELECT * FROM missing":              `{"sqlstate": "42S02", "errno": 1146}`,
		"SELEC 1":                            `{"sqlstate": "42000", "errno": 1064}`,
		"CREATE TABLE a (id INT, id INT)":    `{"sqlstate": "42S21", "errno": 1060}`,
		"INSERT INTO users (id) VALUES (1)":  `{"sqlstate": "23000", "errno": 1062}`,
		"SELECT * FROM mysql.user":           `{"sqlstate": "42000", "errno": 1142}`,
		"CREATE DATABASE elsewhere":          `{"sqlstate": "42000", "errno": 1044}`,
		"USE mysql":                          `{"sqlstate": "42000", "errno": 1044}`,
		"SELECT LOAD_FILE('/etc/passwd') x1": ``,
	} {
		a := in.call(t, "POST", "/workspaces/mysql-queries/queries", map[string]any{"query": sql})
		if want == "" {
			holds(t, a.body, `{"rows": [[null]]}`)
			continue
		}
		if a.status != http.StatusBadRequest {
			t.Errorf("%s: got status %d, want 400: %v", sql, a.status, a.body)
		}
		holds(t, a.body, want)
		mustBeError(t, a, "bad_request")
	}
	queue := (database{installation: in, id: "mysql-queries"}).queue(t)
	if len(queue) != 1 || queue[0].Source != "api" || queue[0].DDL != "CREATE TABLE users (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50), email VARCHAR(50))" {
		t.Errorf("the queue has %+v", queue)
	}
}

func TestMySQLSettingsHoldForQueriesToo(t *testing.T) {
	in := shared
	in.mysqlWorkspace(t, "mysql-settings", "tenant")
	path := "/workspaces/mysql-settings/settings"
	holds(t, in.must(t, http.StatusOK, "GET", path, nil), `{"database_type": "MySQL",
		"settings": {"query_timeout_ms": 30000, "max_rows_per_query": 10000, "max_connections": 100},
		"available_fields": ["query_timeout_ms", "max_rows_per_query", "max_connections"]}`)
	holds(t, in.must(t, http.StatusOK, "PATCH", path, map[string]any{"max_rows_per_query": 5, "query_timeout_ms": 500}),
		`{"settings": {"query_timeout_ms": 500, "max_rows_per_query": 5, "max_connections": 100}, "message": "Settings saved. Deploy to apply to tenants.", "pending_deploy": true}`)
	const five = "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5"
	holds(t, run(t, "mysql-settings", five), `{"row_count": 5}`)
	for _, c := range []struct {
		sql            string
		errno          float64
		limit, setting string
	}{
		{five + " UNION ALL SELECT 6", 1104, "5", "max_rows_per_query"},
		{"SELECT SLEEP(60)", 3024, "500", "query_timeout_ms"},
	} {
		a := in.call(t, "POST", "/workspaces/mysql-settings/queries", map[string]any{"query": c.sql})
		if a.status != http.StatusBadRequest || a.body["errno"] != c.errno {
			t.Errorf("%s: got status %d, want 400 and %v: %v", c.sql, a.status, c.errno, a.body)
		}
		if text := fmt.Sprint(a.body["error"]); !strings.Contains(text, c.limit) || !strings.Contains(text, c.setting) {
			t.Errorf("%s: the error names not the limit and its setting: %s", c.sql, text)
		}
	}
	for name, value := range map[string]any{"default_ttl": 1, "max_connections": -1, "query_timeout_ms": "many"} {
		a := in.call(t, "POST", path, map[string]any{name: value})
		if text := fmt.Sprint(a.body["error"]); a.status != http.StatusBadRequest || !strings.Contains(text, name) {
			t.Errorf("%s %v: got %d %s", name, value, a.status, text)
		}
	}
}

func TestMySQLSchema(t *testing.T) {
	in := shared
	in.mysqlWorkspace(t, "mysql-schema", "tenant")
	holds(t, in.must(t, http.StatusOK, "GET", "/workspaces/mysql-schema/schema", nil), `{"tables": []}`)
	run(t, "mysql-schema", `CREATE TABLE users (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name VARCHAR(255) NOT NULL);
		CREATE TABLE orders (code VARCHAR(20), line INT, total DECIMAL(10,2) DEFAULT 0.00, state ENUM('new','paid') NOT NULL DEFAULT 'new',
			user_id INT UNSIGNED, PRIMARY KEY (code, line), KEY orders_total (total), CONSTRAINT of_user FOREIGN KEY (user_id) REFERENCES users (id));`)
	tables := map[string]map[string]any{}
	for _, table := range in.must(t, http.StatusOK, "GET", "/workspaces/mysql-schema/schema", nil)["tables"].([]any) {
		table := table.(map[string]any)
		tables[table["name"].(string)] = table
	}
	if len(tables) != 2 {
		t.Fatalf("got tables %v, want users and orders", tables)
	}
	withoutWidths(tables)
	holds(t, tables["users"], `{"indexes": ["PRIMARY"], "columns": [
		{"name": "id", "type": "int unsigned auto_increment", "nullable": false, "primary_key": true},
		{"name": "name", "type": "varchar(255)", "nullable": false}]}`)
	holds(t, tables["orders"], `{"columns": [
		{"name": "code", "type": "varchar(20)", "nullable": false, "primary_key": true},
		{"name": "line", "type": "int", "nullable": false, "primary_key": true},
		{"name": "total", "type": "decimal(10,2)", "nullable": true, "default": "0.00"},
		{"name": "state", "type": "enum('new','paid')", "nullable": false, "default": "'new'"},
		{"name": "user_id", "type": "int unsigned", "nullable": true}]}`)
	for _, index := range []string{"PRIMARY", "orders_total", "of_user"} {
		if !strings.Contains(fmt.Sprint(tables["orders"]["indexes"]), index) {
			t.Errorf("orders has the indexes %v, and not %s", tables["orders"]["indexes"], index)
		}
	}
}

// withoutWidths takes the display widths from the types of columns: MariaDB has
// them of itself.
func withoutWidths(tables map[string]map[string]any) {
	width := regexp.MustCompile(`int\(\d+\)`)
	for _, table := range tables {
		for _, column := range table["columns"].([]any) {
			c := column.(map[string]any)
			c["type"] = width.ReplaceAllString(c["type"].(string), "int")
		}
	}
}

func TestMySQLDeployQueue(t *testing.T) {
	in := shared
	body := in.mysqlWorkspace(t, "mysql-diff", "tenant")
	holds(t, body, `{"mode": "tenant", "blueprint": "mysql-diff"}`)
	holds(t, in.must(t, http.StatusOK, "GET", "/workspaces/mysql-diff/diff", nil),
		`{"workspace": "mysql-diff", "blueprint": "mysql-diff", "version": 0, "count": 0, "pending": []}`)
	in.mustMySQL(t, "", body["connection"], `
		CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(40));
		START TRANSACTION; INSERT INTO users VALUES (1, 'a'); ROLLBACK;
		CREATE INDEX users_name ON users (name);
		CREATE TEMPORARY TABLE mine (id INT);
		SET SESSION sql_mode = 'ANSI_QUOTES';
		CREATE TABLE "odd ""one" (id INT);
		DROP TABLE mine;
		CREATE TABLE IF NOT EXISTS users (id INT);
		TRUNCATE TABLE users;`)
	queue := in.must(t, http.StatusOK, "GET", "/workspaces/mysql-diff/diff", nil)
	holds(t, queue, `{"version": 3, "count": 3}`)
	pending := queue["pending"].([]any)
	for i, want := range []string{
		"{\"version\": 1, \"ddl\": \"CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(40))\", \"operation\": \"CREATE TABLE\", \"object_type\": \"table\", \"object\": \"users\", \"reversible\": true, \"reverse\": \"DROP TABLE IF EXISTS `users`;\"}",
		"{\"version\": 2, \"ddl\": \"CREATE INDEX users_name ON users (name)\", \"operation\": \"CREATE INDEX\", \"object_type\": \"index\", \"reversible\": true, \"reverse\": \"DROP INDEX `users_name` ON `users`;\"}",
		`{"version": 3, "ddl": "CREATE TABLE \"odd \"\"one\" (id INT)", "operation": "CREATE TABLE", "object_type": "table"}`,
	} {
		if i >= len(pending) {
			break
		}
		e := pending[i].(map[string]any)
		holds(t, e, want)
		holds(t, e, `{"database": "mysql", "source": "proxy", "status": "pending"}`)
		mustBeUTC(t, e["created_at"])
	}
	if len(pending) == 3 {
		session := pending[2].(map[string]any)["session"]
		if !strings.Contains(fmt.Sprint(session), "ANSI_QUOTES") {
			t.Errorf("the entry's session says nothing of the quotes: %v", session)
		}
	}
	holds(t, in.must(t, http.StatusOK, "GET", "/workspaces/mysql-diff", nil), `{"version": 3, "undeployed_changes": 3}`)

	skipped := pending[1].(map[string]any)["id"]
	path := fmt.Sprintf("/workspaces/mysql-diff/diff/%v", skipped)
	holds(t, in.must(t, http.StatusOK, "DELETE", path, nil), fmt.Sprintf(`{"message": "DDL %v removed from deploy queue"}`, skipped))
	if a := in.call(t, "DELETE", path, nil); a.status != http.StatusNotFound {
		t.Errorf("skip again: got %d, want 404", a.status)
	}
	holds(t, in.must(t, http.StatusOK, "GET", "/workspaces/mysql-diff/diff", nil), `{"version": 3, "count": 2}`)
}

func TestMySQLRevert(t *testing.T) {
	in := shared
	in.mysqlWorkspace(t, "mysql-revert", "tenant")
	run(t, "mysql-revert", "CREATE TABLE base (id INT PRIMARY KEY, name VARCHAR(20))")
	d := database{installation: in, id: "mysql-revert"}
	source := in.must(t, http.StatusOK, "GET", "/workspaces/mysql-revert", nil)
	for _, ddl := range []string{
		"CREATE TABLE users (id INT)",
		"CREATE INDEX base_name ON base (name)",
		"ALTER TABLE base ADD COLUMN age INT",
		"ALTER TABLE base ADD COLUMN a INT, ADD COLUMN b TEXT",
		"CREATE VIEW names AS SELECT name FROM base",
		"CREATE PROCEDURE nothing() BEGIN SELECT 1; SELECT 2; END",
		"CREATE TRIGGER stamped BEFORE INSERT ON base FOR EACH ROW SET NEW.name = 'x'",
	} {
		run(t, "mysql-revert", ddl)
		queue := d.queue(t)
		last := queue[len(queue)-1]
		if len(queue) != 2 || last.DDL != ddl || last.Reverse == "" {
			t.Fatalf("%s: the queue has %+v", ddl, queue)
		}
		holds(t, in.must(t, http.StatusOK, "POST", fmt.Sprintf("/workspaces/mysql-revert/diff/%d/revert", last.ID), nil),
			fmt.Sprintf(`{"message": %q}`, "Reverted: "+last.Reverse))
		if after := d.queue(t); len(after) != 1 {
			t.Errorf("%s: after the revert the queue has %v", ddl, after)
		}
		if after := in.must(t, http.StatusOK, "GET", "/workspaces/mysql-revert", nil); fmt.Sprint(after["schema"]) != fmt.Sprint(source["schema"]) {
			t.Errorf("%s: after the revert the schema is %v, it was %v", ddl, after["schema"], source["schema"])
		}
	}
	run(t, "mysql-revert", "CREATE VIEW above AS SELECT id FROM base")
	base := d.queue(t)[0]
	a := in.call(t, "POST", fmt.Sprintf("/workspaces/mysql-revert/diff/%d/revert", base.ID), nil)
	if a.status != http.StatusConflict || !strings.Contains(fmt.Sprint(a.body["error"]), "above") {
		t.Errorf("revert of what a view stands on: got %d %v, want 409 that names it", a.status, a.body)
	}
	run(t, "mysql-revert", "DROP VIEW above")
	queue := d.queue(t)
	a = in.call(t, "POST", fmt.Sprintf("/workspaces/mysql-revert/diff/%d/revert", queue[len(queue)-1].ID), nil)
	if a.status != http.StatusConflict || fmt.Sprint(a.body["reason"]) != "not_reversible" {
		t.Errorf("revert of a drop: got %d %v, want 409", a.status, a.body)
	}
}
