package test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// What a MySQL workspace's credentials must not do, whether the proxy stands
// before the server or not.

// mysqlEscapes are statements that lead out of a workspace, or into its journal.
// %s is a neighbour's database.
var mysqlEscapes = []string{
	// Another database.
	"USE mysql",
	"USE `%s`",
	"SELECT * FROM `%s`.secrets",
	"INSERT INTO `%s`.secrets VALUES (1)",
	"CREATE TABLE `%s`.mine (id INT)",
	"CREATE TABLE copied AS SELECT * FROM `%s`.secrets",
	"CREATE TABLE copied LIKE `%s`.secrets",
	"DROP TABLE `%s`.secrets",
	"TRUNCATE TABLE `%s`.secrets",
	"RENAME TABLE `%s`.secrets TO taken",
	"ALTER TABLE mine RENAME `%s`.left_behind",
	"LOCK TABLES `%s`.secrets READ",
	"SHOW TABLES FROM `%s`",
	"SHOW CREATE DATABASE `%s`",
	"SHOW CREATE TABLE `%s`.secrets",
	"DESCRIBE `%s`.secrets",
	"CREATE PROCEDURE `%s`.p() SELECT 1",
	"CALL `%s`.p()",
	"SELECT `%s`.f()",
	"CREATE VIEW theirs AS SELECT * FROM `%s`.secrets",
	"CREATE TRIGGER `%s`.t BEFORE INSERT ON `%s`.secrets FOR EACH ROW SET @x = 1",
	"PREPARE p FROM 'SELECT * FROM `%s`.secrets'",
	"ALTER DATABASE `%s` CHARACTER SET latin1",
	"DROP DATABASE `%s`",
	"CREATE DATABASE another",
	"DROP DATABASE mysql",
	"SELECT * FROM mysql.user",
	"SELECT * FROM mysql.db",
	"SELECT * FROM mysql.general_log",
	"UPDATE mysql.user SET Super_priv = 'Y'",
	// Another account.
	"CREATE USER intruder",
	"DROP USER root@localhost",
	"ALTER USER root@localhost IDENTIFIED BY 'known'",
	"SET PASSWORD FOR root@localhost = 'known'",
	"GRANT ALL ON *.* TO CURRENT_USER()",
	"GRANT FILE ON *.* TO CURRENT_USER()",
	"RENAME USER root@localhost TO toor@localhost",
	"CREATE DEFINER = root@localhost PROCEDURE mighty() SELECT 1",
	"CREATE DEFINER = root@localhost SQL SECURITY DEFINER VIEW mighty AS SELECT 1 AS a",
	"CREATE DEFINER = root@localhost EVENT mighty ON SCHEDULE EVERY 1 DAY DO SELECT 1",
	"CREATE DEFINER = root@localhost FUNCTION mighty() RETURNS INT RETURN 1",
	"SHOW GRANTS FOR root@localhost",
	// The server's files and programs.
	"SELECT 1 INTO OUTFILE 'escaped'",
	"SELECT 1 INTO DUMPFILE '/nowhere/x'",
	"LOAD DATA INFILE '/etc/hostname' INTO TABLE mine",
	"CREATE FUNCTION sys_exec RETURNS INT SONAME 'udf.so'",
	"INSTALL PLUGIN p SONAME 'p.so'",
	// The server itself.
	"SET GLOBAL max_connections = 1",
	"SET GLOBAL general_log = ON",
	"SET SESSION sql_log_bin = 0",
	"SET SESSION binlog_format = 'STATEMENT'",
	"FLUSH PRIVILEGES",
	"FLUSH TABLES WITH READ LOCK",
	"PURGE BINARY LOGS BEFORE NOW()",
	"SHOW BINARY LOGS",
	"SHOW BINLOG EVENTS",
	"CHANGE MASTER TO MASTER_HOST = 'x'",
	"CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'x'",
	"SHUTDOWN",
	"KILL 1",
	// The journal.
	"USE tenantsdb",
	"SHOW TABLES FROM tenantsdb",
	"DROP DATABASE tenantsdb",
	"CREATE TABLE tenantsdb.mine (id INT)",
}

// mysqlRefusals are the server's numbers for what one may not, or can't see: a
// statement that one of the servers does not have is an error of its syntax.
var mysqlRefusals = map[uint16]bool{
	1044: true, // access denied to the database
	1045: true, // access denied: a file
	1046: true, // no database: MySQL's word for a procedure of a schema out of sight
	1049: true, // unknown database: MySQL hides that there is one
	1064: true, // syntax
	1094: true, // unknown thread
	1095: true, // not the owner of the thread
	1142: true, // command denied for the table
	1143: true, // the same for a column
	1227: true, // needs a privilege
	1193: true, // unknown variable
	1238: true, // read only
	1290: true, // secure-file-priv
	1370: true, // routine denied
	1396: true, // operation on a user failed
	1410: true, // not allowed to grant
	1698: true,
	3619: true,
}

// mustStay holds a session to its own database, and tells of every escape.
func mustStay(t *testing.T, l mysqlLogin, neighbour string) {
	t.Helper()
	conn := l.connect(t)
	change(t, conn, "CREATE TABLE IF NOT EXISTS mine (id INT)")
	before, err := column(conn, "SELECT CONCAT_WS(' ', USER(), CURRENT_USER(), DATABASE())")
	if err != nil {
		t.Fatal(err)
	}
	for _, escape := range mysqlEscapes {
		statement := strings.ReplaceAll(escape, "%s", neighbour)
		err := execMySQL(conn, statement)
		told, ok := errors.AsType[*mysql.MySQLError](err)
		if !ok || !mysqlRefusals[told.Number] {
			t.Errorf("%s: got %v, want it refused", statement, err)
		}
	}
	after, err := column(conn, "SELECT CONCAT_WS(' ', USER(), CURRENT_USER(), DATABASE())")
	if err != nil || after[0] != before[0] {
		t.Errorf("the session is %q %v now, it was %q", after, err, before)
	}
	for _, hidden := range []string{
		"SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ('information_schema', 'performance_schema', DATABASE())",
		"SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', DATABASE())",
		"SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', DATABASE())",
		// MySQL shows everybody which routines its own schema sys has.
		"SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN ('sys', DATABASE())",
		"SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA <> DATABASE()",
		"SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA <> DATABASE()",
		"SELECT CONCAT(USER, ' ', INFO) FROM information_schema.PROCESSLIST WHERE USER <> SUBSTRING_INDEX(USER(), '@', 1)",
		"SELECT GRANTEE FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE <> 'USAGE'",
		"SELECT LOAD_FILE('/etc/hostname') IS NOT NULL FROM DUAL WHERE LOAD_FILE('/etc/hostname') IS NOT NULL",
	} {
		if seen, err := column(conn, hidden); len(seen) > 0 || err != nil {
			t.Errorf("%s: sees %q %v", hidden, seen, err)
		}
	}
}

// twoMySQL makes a workspace and a neighbour that has something to hide.
func twoMySQL(t *testing.T, name string) (mine, theirs mysqlDatabase) {
	t.Helper()
	mine, theirs = shared.mysqlDatabase(t, name+"-mine", "tenant"), shared.mysqlDatabase(t, name+"-theirs", "tenant")
	theirs.login().client(t, `CREATE TABLE secrets (id INT); INSERT INTO secrets VALUES (42);
		CREATE PROCEDURE p() SELECT * FROM secrets; CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 42;
		CREATE VIEW seen AS SELECT * FROM secrets; CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DISABLE DO DELETE FROM secrets`)
	return mine, theirs
}

func TestNoStatementLeadsOutOfAMySQLWorkspace(t *testing.T) {
	mine, theirs := twoMySQL(t, "my-escapes")
	mustStay(t, mine.login(), theirs.name)
	if queue := mine.queue(t); len(queue) != 1 || queue[0].Object != "mine" {
		t.Errorf("the queue has %v, want the table that was made", queue)
	}
	// An account may change its own password, which locks nobody out.
	conn := mine.login().connect(t)
	for _, sql := range []string{"SET PASSWORD = 'known'", "ALTER USER CURRENT_USER() IDENTIFIED BY 'known'"} {
		_ = execMySQL(conn, sql)
		wantColumn(t, mine.login().connect(t), "SELECT DATABASE()", mine.name)
	}
	wantColumn(t, theirs.login().connect(t), "SELECT id FROM secrets", "42")
}

// With the proxy out of the way, the role still reaches no database but its own.
func TestNoStatementLeadsOutOfTheMySQLRoleItself(t *testing.T) {
	mine, theirs := twoMySQL(t, "my_role")
	l := mine.pastTheProxy(t)
	mustStay(t, l, theirs.name)
	for _, database := range []string{theirs.name, "mysql", "tenantsdb", "sys"} {
		other := l
		other.database = database
		if conn, err := other.tryConnect(t); err == nil {
			conn.Close()
			t.Errorf("the role may log in to %s", database)
		}
	}
	// A pattern in a name must not stand for a neighbour's: `_` is one sign of any.
	alike := shared.mysqlDatabase(t, "myxrole-mine", "control")
	if err := execMySQL(l.connect(t), "SHOW TABLES FROM `"+alike.name+"`"); err == nil {
		t.Errorf("the role sees into %s", alike.name)
	}
}

// pastTheProxy is the workspace's own role at the server's socket, with a
// password that the test knows; the proxy puts its own back when it needs it.
func (d mysqlDatabase) pastTheProxy(t testing.TB) mysqlLogin {
	t.Helper()
	const known = "known to the test"
	role := d.role(t)
	l := d.installation.mysqlAdmin(t)
	admin := l.connect(t)
	hosts, err := column(admin, "SELECT Host FROM mysql.user WHERE User = '"+role+"'")
	if err != nil || len(hosts) == 0 {
		t.Fatalf("the role %s has no account: %v", role, err)
	}
	for _, host := range hosts {
		change(t, admin, fmt.Sprintf("ALTER USER '%s'@'%s' IDENTIFIED BY '%s'", role, host, known))
	}
	l.user, l.password, l.database = role, known, d.name
	return l
}

// A login leads to its own database; all others, whether they exist or not,
// look alike.
func TestMySQLCredentialsReachNoOtherDatabase(t *testing.T) {
	mine := shared.mysqlDatabase(t, "my-creds", "tenant")
	other := shared.project(t, "my-neighbours")
	theirs := other.mysqlDatabase(t, "my-creds-theirs", "control")
	l := mine.login()
	told := map[string]string{}
	for _, c := range []struct{ what, user, password, database string }{
		{"the server's own", l.user, l.password, "mysql"},
		{"the journal", l.user, l.password, "tenantsdb"},
		{"another project's workspace", l.user, l.password, theirs.name},
		{"another project's password", l.user, other.ProxyPassword, mine.name},
		{"another project's user", other.ProjectID, other.ProxyPassword, mine.name},
		{"the administrator", "root", l.password, mine.name},
		{"the physical role", mine.role(t), l.password, mine.name},
		{"no such database", l.user, l.password, "never_made_workspace"},
		{"the database in capitals", l.user, l.password, strings.ToUpper(mine.name)},
		{"no such user", "tdb_00000000", l.password, mine.name},
		{"no user", "", l.password, mine.name},
		{"wrong password", l.user, "tdb_0000000000000000", mine.name},
		{"no password", l.user, "", mine.name},
		{"the API key", l.user, shared.APIKey, mine.name},
	} {
		bad := l
		bad.user, bad.password, bad.database = c.user, c.password, c.database
		_, err := bad.tryConnect(t)
		message := wantNumber(t, c.what, err, 1045)
		told[strings.ReplaceAll(message, "'"+c.user+"'", "''")] = c.what
	}
	if len(told) != 1 {
		t.Errorf("refusals can be told apart: %v", told)
	}
	wantColumn(t, l.connect(t), "SELECT DATABASE()", mine.name)
	wantColumn(t, theirs.login().connect(t), "SELECT DATABASE()", theirs.name)
}

// What one session of a workspace may do to another's.
func TestMySQLSessionsEndOnlyThoseOfTheirWorkspace(t *testing.T) {
	mine, theirs := shared.mysqlDatabase(t, "my-kill-mine", "control"), shared.mysqlDatabase(t, "my-kill-theirs", "control")
	victim, attacker := theirs.login().connect(t), mine.login().connect(t)
	admin := shared.mysqlAdmin(t).connect(t)
	shown, err := column(victim, "SELECT CONNECTION_ID()")
	if err != nil {
		t.Fatal(err)
	}
	ids, err := column(admin, "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '"+theirs.name+"'")
	if err != nil || len(ids) == 0 {
		t.Fatalf("no session of the neighbour: %v", err)
	}
	for _, id := range append(ids, shown...) {
		for _, kill := range []string{"KILL " + id, "KILL QUERY " + id, "KILL CONNECTION " + id, "/* x */ kill hard " + id} {
			if err := execMySQL(attacker, kill); err == nil {
				t.Errorf("%s of a neighbour's session succeeded", kill)
			}
		}
	}
	wantColumn(t, victim, "SELECT 'alive'", "alive")
}
