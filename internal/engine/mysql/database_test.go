package mysql

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestCreateAndDropMayBeRepeated(t *testing.T) {
	e := newEngine(t)
	target := newTarget()
	for range 2 {
		must(t, e.Create(t.Context(), target, true))
	}
	s := newSession(t, e, target)
	s.run("CREATE TABLE t (a int)")
	if got := s.value("SELECT @@character_set_database"); got != "utf8mb4" {
		t.Errorf("character set is %s, want utf8mb4", got)
	}
	must(t, e.Create(t.Context(), target, true))
	wantStatements(t, changes(t, e, target), "CREATE TABLE t (a int)")
	for _, name := range []string{target.Database, target.Role} {
		if is, err := e.Exists(t.Context(), name); err != nil || !is {
			t.Errorf("%s exists: got %v %v, want true", name, is, err)
		}
	}
	for range 2 {
		must(t, e.Drop(t.Context(), target))
	}
	for _, name := range []string{target.Database, target.Role} {
		if is, err := e.Exists(t.Context(), name); err != nil || is {
			t.Errorf("%s exists: got %v %v, want false", name, is, err)
		}
	}
	if err := s.exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("the session outlived its workspace")
	}
}

func TestNewWorkspaceOfAnOldNameHasNoneOfItsChanges(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	newSession(t, e, target).run("CREATE TABLE old (a int)")
	must(t, e.Drop(t.Context(), target))
	must(t, e.Create(t.Context(), target, true))
	newSession(t, e, target).run("CREATE TABLE IF NOT EXISTS old (b int)")
	wantStatements(t, changes(t, e, target), "CREATE TABLE IF NOT EXISTS old (b int)")
}

func TestCreatePutsBackWhatARoleLost(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	s := newSession(t, e, target)
	s.run("SET PASSWORD = " + changedPassword(e))
	s.close()
	if _, err := e.Query(t.Context(), target, "SELECT 1", workspace.Limits{}); err != nil {
		t.Errorf("query after the role changed its password: %v", err)
	}
	newSession(t, e, target).run("CREATE TABLE t (a int)")
}

func changedPassword(e *Engine) string {
	if e.known().mariaDB {
		return "PASSWORD('other')"
	}
	return "'other'"
}

func TestAnonymousUsersNeverWinTheLogin(t *testing.T) {
	e := newEngine(t)
	admin := administrator(t, e)
	for _, host := range []string{"localhost", "%"} {
		admin.run("CREATE USER IF NOT EXISTS ''@'" + host + "'")
	}
	defer admin.run("DROP USER ''@'localhost', ''@'%'")
	target := newWorkspace(t, e)
	s := newSession(t, e, target)
	if got := s.value("SELECT CURRENT_USER()"); got != target.Role+"@localhost" {
		t.Errorf("logged in as %s, want %s@localhost", got, target.Role)
	}
}

// An address is more exact to MySQL than the name that it stands for.
func TestAnonymousUsersOfAnAddressNeverWinTheLogin(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := listener.Addr().String()
	must(t, listener.Close())
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	m := devstacktest.MySQL(t, map[string]string{"skip-networking": "OFF", "bind-address": "127.0.0.1", "port": port, "skip-name-resolve": "OFF"})
	administrator(t, prepared(t, configOf(m.Socket(), m.User(), m.Password()))).run("CREATE USER ''@'127.0.0.1'", "CREATE USER ''@'127.0.0.%'",
		"CREATE USER boss@'%' IDENTIFIED BY 'planted-secret'", "CREATE USER boss@localhost IDENTIFIED BY 'planted-secret'", "CREATE USER boss@'127.0.0.1' IDENTIFIED BY 'planted-secret'",
		"GRANT ALL ON *.* TO boss@'%' WITH GRANT OPTION", "GRANT ALL ON *.* TO boss@localhost WITH GRANT OPTION", "GRANT ALL ON *.* TO boss@'127.0.0.1' WITH GRANT OPTION")
	c := configOf("", "boss", "planted-secret")
	c.Address = workspace.Address{Network: "tcp", Addr: address}
	e := prepared(t, c)
	target := newWorkspace(t, e)
	s := newSession(t, e, target)
	if got, _, _ := strings.Cut(s.value("SELECT CURRENT_USER()"), "@"); got != target.Role {
		t.Errorf("logged in as %q, want %q", got, target.Role)
	}
}

func TestRoleReachesNothingButItsDatabase(t *testing.T) {
	e := newEngine(t)
	mine, theirs := newWorkspace(t, e), newWorkspace(t, e)
	newSession(t, e, theirs).run("CREATE TABLE secrets (a int)", "CREATE PROCEDURE p() SELECT 1")
	admin := administrator(t, e)
	// In a grant "_" would stand for any character.
	alike := strings.Replace(mine.Database, "_", "x", 1)
	admin.run("CREATE DATABASE "+quote(alike), "CREATE TABLE "+quote(alike)+".t (a int)")
	defer admin.run("DROP DATABASE " + quote(alike))
	other := quote(theirs.Database)
	s := newSession(t, e, mine)
	refused := []uint16{1044, 1045, 1142, 1143, 1227, 1370, 1410, 1419, 1109, 1146, 1290, 1305, 1221, 1064, 1193, 3619, 1396, 1697, 1698, 1049, 4166}
	for _, sql := range []string{
		"SELECT * FROM " + other + ".secrets", "INSERT INTO " + other + ".secrets VALUES (1)", "DROP TABLE " + other + ".secrets",
		"CREATE TABLE " + other + ".mine (a int)", "CREATE TABLE stolen LIKE " + other + ".secrets", "CREATE VIEW v AS SELECT * FROM " + other + ".secrets",
		"RENAME TABLE " + other + ".secrets TO stolen", "CALL " + other + ".p()", "USE " + other, "SHOW TABLES FROM " + other,
		"SHOW CREATE TABLE " + other + ".secrets", "ALTER DATABASE " + other + " CHARACTER SET latin1", "DROP DATABASE " + other,
		"SELECT * FROM " + quote(alike) + ".t", "USE " + quote(alike),
		"SELECT * FROM mysql.user", "SELECT * FROM tenantsdb.journal", "DELETE FROM tenantsdb.journal", "USE mysql", "USE tenantsdb",
		"CREATE DATABASE w_mine", "CREATE USER intruder", "DROP USER " + literal(theirs.Role), "RENAME USER " + literal(theirs.Role) + " TO x",
		"GRANT ALL ON *.* TO CURRENT_USER()", "GRANT SELECT ON " + quote(mine.Database) + ".* TO " + literal(theirs.Role),
		"SET PASSWORD FOR " + literal(theirs.Role) + "@'%' = " + changedPassword(e),
		"SET GLOBAL max_connections = 1", "SET SESSION sql_log_bin = 0", "SET SESSION binlog_format = 'STATEMENT'", "SET SESSION pseudo_thread_id = 1",
		"SELECT LOAD_FILE('/etc/passwd') FROM nowhere", "SELECT 1 INTO OUTFILE '/tmp/tenantsdb-intruder'", "LOAD DATA INFILE '/etc/passwd' INTO TABLE t",
		"FLUSH LOGS", "RESET MASTER", "SHOW BINLOG EVENTS", "PURGE BINARY LOGS TO 'x'", "SHUTDOWN", "INSTALL PLUGIN x SONAME 'x.so'",
		"CREATE FUNCTION sys_exec RETURNS int SONAME 'x.so'", "CREATE DEFINER = 'root'@'localhost' PROCEDURE up() SELECT 1",
		"CREATE DEFINER = " + literal(theirs.Role) + "@'%' VIEW up AS SELECT 1", "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'x')",
		"KILL 1", "BINLOG 'x'", "CHANGE MASTER TO MASTER_HOST = 'x'", "CREATE TABLESPACE x ADD DATAFILE 'x.ibd'", "SET GLOBAL general_log = 1",
	} {
		if got := s.fail(sql); !slices.Contains(refused, got) && got != 1094 && got != 1095 {
			t.Errorf("%s: refused with error %d", sql, got)
		}
	}
	rows, err := s.rows(t.Context(), "SHOW DATABASES")
	must(t, err)
	for _, row := range rows {
		if name := string(row[0]); name != mine.Database && name != "information_schema" && name != "performance_schema" {
			t.Errorf("sees database %s", name)
		}
	}
	if n := s.value("SELECT count(*) FROM information_schema.PROCESSLIST WHERE USER <> " + literal(mine.Role)); n != "0" {
		t.Errorf("sees %s sessions of others", n)
	}
}

func TestRoleMayDoAllInItsDatabase(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	s := newSession(t, e, target)
	s.run(everyKind...)
	s.run("INSERT INTO parent (code) VALUES ('x')", "LOCK TABLES parent WRITE", "UNLOCK TABLES", "CALL fill(3)", "DROP TABLE child, parent")
}

func TestTestDatabasesAreClosedToWorkspaces(t *testing.T) {
	e := newEngine(t)
	admin := administrator(t, e)
	admin.run("INSERT INTO mysql.db (Host, Db, User, Select_priv, Insert_priv, Create_priv) VALUES ('%', 'test\\\\_%', '', 'Y', 'Y', 'Y')", "FLUSH PRIVILEGES")
	must(t, e.Prepare(t.Context()))
	s := newSession(t, e, newWorkspace(t, e))
	if got := s.fail("CREATE TABLE test_shared.t (a int)"); got != 1044 && got != 1142 {
		t.Errorf("error %d", got)
	}
}

func TestServersNamesAreNoWorkspaces(t *testing.T) {
	e := newEngine(t)
	for _, name := range []string{"mysql", "tenantsdb", ""} {
		if err := e.Create(t.Context(), workspace.Target{Database: name, Role: "w_role", Password: "x"}, false); err == nil {
			t.Errorf("workspace %q was made", name)
		}
	}
	if err := e.Create(t.Context(), workspace.Target{Database: "w_x", Role: server.user, Password: "x"}, false); err == nil {
		t.Error("the administrator was made a role")
	}
	must(t, e.command(t.Context(), "DROP DATABASE IF EXISTS w_x"))
}
