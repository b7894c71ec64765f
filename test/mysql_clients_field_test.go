package test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
)

// TestMySQLServersAsTheyAreFound: settings and accounts that somebody else chose
// change nothing of what a workspace is.
func TestMySQLServersAsTheyAreFound(t *testing.T) {
	for name, settings := range map[string]map[string]string{
		"small names, other quotes, hosts by name": {"lower-case-table-names": "1", "sql-mode": "ANSI_QUOTES,NO_BACKSLASH_ESCAPES", "skip-name-resolve": "OFF"},
		"strict, hosts by number, old letters":     {"sql-mode": "TRADITIONAL,PIPES_AS_CONCAT", "skip-name-resolve": "ON", "character-set-server": "latin1", "autocommit": "OFF"},
	} {
		t.Run(name, func(t *testing.T) {
			settings["skip-networking"], settings["bind-address"], settings["port"] = "OFF", "127.0.0.1", fmt.Sprint(freePort(t))
			server := devstacktest.MySQL(t, settings)
			admin := mysqlLogin{network: "unix", addr: server.Socket(), user: server.User(), password: server.Password()}.connect(t)
			for _, host := range []string{"localhost", "127.0.0.1", "%"} {
				change(t, admin, "CREATE USER ''@'"+host+"'")
				change(t, admin, "CREATE USER boss@'"+host+"' IDENTIFIED BY 'known to us'")
				change(t, admin, "GRANT ALL ON *.* TO boss@'"+host+"' WITH GRANT OPTION")
			}
			in := serveMySQL(t, settings["port"])
			d := in.mysqlDatabase(t, "found", "tenant")
			mustWorkAsAnywhere(t, d)
		})
	}
}

// mustWorkAsAnywhere takes a workspace from its first table to its last.
func mustWorkAsAnywhere(t *testing.T, d mysqlDatabase) {
	t.Helper()
	l := d.login()
	conn := l.connect(t)
	user, err := column(conn, "SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)")
	if err != nil || len(user) != 1 || user[0] == "" {
		t.Fatalf("logged in as %q %v", user, err)
	}
	change(t, conn, "SET autocommit = 1")
	change(t, conn, "CREATE TABLE Goods (id INT PRIMARY KEY, name VARCHAR(20) CHARACTER SET utf8mb4)")
	change(t, conn, "INSERT INTO Goods VALUES (?, ?)", 1, "it's \"ünï\" \\ 😀")
	wantColumn(t, conn, "SELECT name FROM Goods", "it's \"ünï\" \\ 😀")
	change(t, conn, "ALTER TABLE Goods ADD COLUMN price DECIMAL(8,2)")
	_, err = column(conn, "SELECT * FROM mysql.user")
	wantNumber(t, "the server's accounts", err, 1142)
	if got := l.client(t, "SELECT COUNT(*) FROM Goods"); got != "1" {
		t.Errorf("the client counts %q", got)
	}
	queue := d.queue(t)
	if len(queue) != 2 || queue[1].Operation != "ALTER TABLE" || queue[1].Reverse == "" {
		t.Fatalf("the queue has %+v", queue)
	}
	holds(t, d.installation.must(t, 200, "POST", "/workspaces/found/queries", map[string]any{"query": "SELECT COUNT(*) AS n FROM Goods"}), `{"rows": [[1]]}`)
	d.installation.must(t, 200, "POST", fmt.Sprintf("/workspaces/found/diff/%d/revert", queue[1].ID), nil)
	wantColumn(t, conn, "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()", "2")
	d.installation.must(t, 200, "DELETE", "/workspaces/found", nil)
	if _, err := l.tryConnect(t); err == nil {
		t.Error("a deleted workspace lets in")
	}
}

// serveMySQL is `tenantsdb serve` before the server's port, which it reaches
// without TLS.
func serveMySQL(t *testing.T, port string) *installation {
	t.Helper()
	dir := devstacktest.Dir(t)
	in := &installation{dir: dir}
	listen, admin := freePort(t), freePort(t)
	file := filepath.Join(dir, "tenantsdb.yaml")
	config := fmt.Sprintf(`
data_dir: %s/data
admin: {listen: "127.0.0.1:%d"}
mysql: {listen: "127.0.0.1:%d", public_host: 127.0.0.1}
servers: [{name: found, type: mysql, host: 127.0.0.1, port: %s, tls: "off", user: boss, password: known to us}]
`, dir, admin, listen, port)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	in.cmd = exec.Command(program, "serve", "--config", file)
	in.cmd.Stdout, in.cmd.Stderr = &in.log, &in.log
	if err := in.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.ended = make(chan struct{})
	go func() {
		_ = in.cmd.Wait()
		close(in.ended)
	}()
	t.Cleanup(func() {
		in.stop()
		if t.Failed() {
			t.Logf("log of tenantsdb:\n%s", in.log.String())
		}
	})
	eventually(t, "tenantsdb serves", func() bool { return strings.Contains(in.log.String(), `"msg":"ready"`) })
	shown := regexp.MustCompile(`API key +(\S+)\s+proxy user +(\S+)\s+proxy password +(\S+)`).FindStringSubmatch(in.log.String())
	if shown == nil {
		t.Fatalf("no API key in %s", in.log.String())
	}
	in.AdminURL, in.CAFile = fmt.Sprintf("http://127.0.0.1:%d", admin), filepath.Join(dir, "data", "certs", "ca.crt")
	in.APIKey, in.ProjectID, in.ProxyPassword = shown[1], shown[2], shown[3]
	return in
}

// freePort is one that nothing listens on now.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
