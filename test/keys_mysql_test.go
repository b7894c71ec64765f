package test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// as is the login with the key's.
func (l mysqlLogin) as(k proxyLogin) mysqlLogin {
	l.user, l.password = k.user, k.password
	return l
}

// mysqlSays runs one statement and gives the number of its error, 0 where it has
// none.
func mysqlSays(t testing.TB, conn *sql.Conn, statement string) uint16 {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), clientTimeout)
	defer done()
	_, err := conn.ExecContext(ctx, statement)
	if failed, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return failed.Number
	}
	if err != nil {
		t.Errorf("%s: %v", statement, err)
	}
	return 0
}

const readersMySQL = `CREATE TABLE users (id int PRIMARY KEY AUTO_INCREMENT, name varchar(20));
	CREATE VIEW named AS SELECT name FROM users;
	CREATE FUNCTION one() RETURNS int DETERMINISTIC RETURN 1;
	INSERT INTO users (name) VALUES ('ann');`

// mustOnlyRead runs what a reader may, and what it may not, each with the exact
// refusal.
func mustOnlyRead(t *testing.T, l mysqlLogin) {
	t.Helper()
	conn := l.connect(t)
	for _, c := range []struct {
		statement string
		number    uint16
	}{
		{"SELECT * FROM users", 0},
		{"SELECT * FROM named", 0},
		{"SHOW TABLES", 0},
		{"SHOW CREATE VIEW named", 0},
		{"SHOW COLUMNS FROM users", 0},
		{"INSERT INTO users (name) VALUES ('x')", 1142},
		{"UPDATE users SET name = 'x'", 1142},
		{"DELETE FROM users", 1142},
		{"REPLACE INTO users VALUES (1, 'x')", 1142},
		{"TRUNCATE TABLE users", 1142},
		{"CREATE TABLE mine (i int)", 1142},
		{"CREATE TEMPORARY TABLE mine (i int)", 1044},
		{"ALTER TABLE users ADD x int", 1142},
		{"DROP TABLE users", 1142},
		{"DROP TABLE IF EXISTS nothing", 1142},
		{"CREATE INDEX i ON users (name)", 1142},
		{"CREATE VIEW mine AS SELECT 1", 1142},
		{"LOCK TABLES users WRITE", 1044},
		{"SELECT one()", 1370},
		{"SELECT name INTO OUTFILE '/tmp/users' FROM users", 1227},
		{"SELECT COUNT(*) FROM mysql.user", 1142},
	} {
		got := mysqlSays(t, conn, c.statement)
		if got != c.number {
			t.Errorf("%s: got %d, want %d", c.statement, got, c.number)
		}
	}
	wantColumn(t, conn, "SELECT CONCAT(COUNT(*), MIN(name)) FROM users", "1ann")
}

func TestMySQLReadKeyReadsAndWritesNothing(t *testing.T) {
	in := shared
	d := in.mysqlDatabase(t, "my-keys-read", "tenant")
	d.login().client(t, readersMySQL)
	queued := len(d.queue(t))
	k := in.key(t, "read", "workspace", "my-keys-read")
	mustOnlyRead(t, d.login().as(k))
	d.login().client(t, "CREATE TABLE later (i int); INSERT INTO later VALUES (7)")
	wantColumn(t, d.login().as(k).connect(t), "SELECT i FROM later", "7")
	d.login().client(t, "DROP TABLE later")
	if got := len(d.queue(t)); got != queued+2 {
		t.Errorf("the queue had %d changes and has %d, want the two of the workspace's own", queued, got)
	}
	acme := in.mysqlTenant(t, "my_keys_acme", "my-keys-read")
	acme.login().client(t, "INSERT INTO users (name) VALUES ('ann')")
	mustOnlyRead(t, acme.login().as(k))
	if got := len(d.queue(t)); got != 0 {
		t.Errorf("the queue has %d changes behind the tenant's", got)
	}

	// Past the proxy too; and what a role does to itself is mended.
	l := in.mysqlAdmin(t)
	admin := l.connect(t)
	hosts, err := column(admin, "SELECT Host FROM mysql.user WHERE User = 'my-keys-read_workspace_reader'")
	if err != nil || len(hosts) == 0 {
		t.Fatalf("the reader has no account: %v", err)
	}
	for _, host := range hosts {
		change(t, admin, fmt.Sprintf("ALTER USER 'my-keys-read_workspace_reader'@'%s' IDENTIFIED BY 'known to the test'", host))
	}
	l.user, l.password, l.database = "my-keys-read_workspace_reader", "known to the test", d.name
	mustOnlyRead(t, l)
	for range 4 { // more than are kept warm
		wantColumn(t, d.login().as(k).connect(t), "SELECT COUNT(*) FROM users", "1")
	}
	in.revoke(t, k)
	if left, err := column(admin, "SELECT User FROM mysql.user WHERE User LIKE 'my-keys-read%reader'"); err != nil || len(left) != 0 {
		t.Errorf("readers are left: %v, %v", left, err)
	}
}

func TestMySQLKeysReachTheirScopeAndEnd(t *testing.T) {
	in := shared
	d, other := in.mysqlDatabase(t, "my-keys", "tenant"), in.mysqlDatabase(t, "my-keys-other", "tenant")
	d.login().client(t, readersMySQL)
	acme := in.mysqlTenant(t, "my_keys_a", "my-keys")
	of, ofAcme := in.key(t, "write", "workspace", "my-keys"), in.key(t, "write", "tenant", "my_keys_a", "my_keys_late")
	reads := in.key(t, "read", "tenant", "my_keys_a", "my_keys_late")
	late := in.mysqlTenant(t, "my_keys_late", "my-keys")
	for _, c := range []struct {
		k    proxyLogin
		d    mysqlDatabase
		want uint16
	}{
		{of, d, 0}, {of, acme, 0}, {of, late, 0}, {of, other, 1044},
		{ofAcme, acme, 0}, {ofAcme, late, 0}, {ofAcme, d, 1044},
		{reads, acme, 1142}, {reads, late, 1142}, {reads, d, 1044},
	} {
		conn, err := c.d.login().as(c.k).tryConnect(t)
		if err != nil {
			failed, _ := errors.AsType[*mysql.MySQLError](err)
			if failed == nil || c.want != 1044 || failed.Number != 1045 && failed.Number != 1044 {
				t.Errorf("%s to %s: got %v", c.k.user, c.d.name, err)
			}
			continue
		}
		if got := mysqlSays(t, conn, "INSERT INTO users (name) VALUES ('x')"); got != c.want {
			t.Errorf("%s writes to %s: got %d, want %d", c.k.user, c.d.name, got, c.want)
		}
	}
	// Without a database it sees what it reaches, and goes on there.
	free := acme.login().as(reads)
	free.database = ""
	lobby := free.connect(t)
	wantColumn(t, lobby, "SHOW DATABASES", "information_schema", acme.name, late.name)
	change(t, lobby, "USE `"+late.name+"`")
	wantColumn(t, lobby, "SELECT CURRENT_USER() LIKE '%reader@%'", "1")

	// Warm connections are their role's.
	for range 10 {
		for l, want := range map[mysqlLogin]string{acme.login().as(reads): "1", acme.login().as(ofAcme): "0", acme.login(): "0"} {
			conn := l.connect(t)
			wantColumn(t, conn, "SELECT CURRENT_USER() LIKE '%reader@%'", want)
			conn.Close()
		}
	}

	idle, busy := acme.login().as(reads).connect(t), acme.login().as(reads).connect(t)
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		close(started)
		_, err := column(busy, "SELECT SLEEP(50)")
		ended <- err
	}()
	<-started
	in.revoke(t, reads)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "the API key of this login was revoked") && !errors.Is(err, mysql.ErrInvalidConn) && !strings.Contains(err.Error(), "bad connection") {
		t.Errorf("the statement at hand ended with %v", err)
	}
	if err := idle.PingContext(context.Background()); err == nil {
		t.Error("an idle session goes on")
	}
	if _, err := acme.login().as(reads).tryConnect(t); err == nil {
		t.Error("its login is taken")
	}
}
