package mysql

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// client is a program of the server's own, through the proxy.
func (w *world) client(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	host, port, err := net.SplitHostPort(w.addr)
	if err != nil {
		t.Fatal(err)
	}
	all := append([]string{"--no-defaults", "--host=" + host, "--port=" + port, "--protocol=tcp", "--user=" + testUser, "--ssl-ca=" + w.cert.File(t)}, args...)
	ctx, done := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(done)
	c := exec.CommandContext(ctx, program, all...)
	c.Env = append(os.Environ(), "MYSQL_PWD="+testPassword)
	return c
}

func TestTheCommandLineClientAndDump(t *testing.T) {
	w := newWorld(t, withVersion(serverVersion(t)))
	load := w.client(t, "mysql", w.route.Database)
	load.Stdin = strings.NewReader("create table goods (id int primary key, name varchar(40));\ninsert into goods values (1, 'nut'), (2, 'bolt');\n" +
		"delimiter //\ncreate procedure p() begin select 1; select 2; end//\ndelimiter ;\ncall p();\nselect name from goods order by id;\n")
	if out, err := load.CombinedOutput(); err != nil || string(out) != "1\n1\n2\n2\nname\nnut\nbolt\n" {
		t.Fatalf("mysql: got %q, %v", out, err)
	}
	args, plaintext := []string{"--routines", "--single-transaction", w.route.Database}, "--ssl=off"
	if !isMariaDB(serverVersion(t)) {
		// What these leave out only an administrator may read.
		args, plaintext = append(args, "--set-gtid-purged=OFF", "--no-tablespaces"), "--ssl-mode=DISABLED"
	}
	dump, err := w.client(t, "mysqldump", args...).Output()
	if err != nil || !bytes.Contains(dump, []byte("INSERT INTO `goods` VALUES")) || !bytes.Contains(dump, []byte("PROCEDURE `p`")) {
		t.Fatalf("mysqldump: got %s, %v", dump, err)
	}
	if out, err := w.client(t, "mysql", "--database="+w.route.Database, "--execute=drop table goods; select sleep(0)").CombinedOutput(); err != nil {
		t.Errorf("mysql: got %s, %v", out, err)
	}
	restore := w.client(t, "mysql", w.route.Database)
	restore.Stdin = bytes.NewReader(dump)
	if out, err := restore.CombinedOutput(); err != nil {
		t.Errorf("restore: got %s, %v", out, err)
	}
	if out, err := w.client(t, "mysql", plaintext, w.route.Database, "--execute=select 1").CombinedOutput(); err == nil || !strings.Contains(string(out), "3159") {
		t.Errorf("plaintext: got %s, want 3159", out)
	}
}

// MariaDB's programs take the number 2003 from no server.
func TestTheCommandLineClientHearsOfAnUnreachableServer(t *testing.T) {
	w := newWorld(t, withVersion(serverVersion(t)), withBackend("/nonexistent/socket"))
	for _, database := range []string{w.route.Database, ""} {
		out, err := w.client(t, "mysql", "--execute=select @@version", database).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "08S01") || !strings.Contains(string(out), "Can't connect to the database of workspace") {
			t.Errorf("%q: got %s, %v", database, out, err)
		}
	}
}

// Ctrl-C opens a second connection that kills by the number of the greeting.
func TestTheCommandLineClientCancels(t *testing.T) { mustCancel(t, newWorld(t)) }

// mustCancel has Ctrl-C end an endless statement of the mysql program.
func mustCancel(t *testing.T, w *world) {
	t.Helper()
	c := w.client(t, "mysql", w.route.Database, "--execute="+endless)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	awaitRunning(t, w, endless)
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the client does not end")
	}
	admin := adminDB(t)
	wiretest.Await(t, "no statement runs", func() bool {
		return one(t, admin, "select count(*) from information_schema.processlist where db = ? and command = 'Query'", w.route.Database) == "0"
	})
}
