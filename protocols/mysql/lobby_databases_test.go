package mysql

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// namesAndRows asks, and gives the columns of the result, with their types, and its
// rows, without the table that they are from. MySQL gives the columns of its
// catalog in capitals, with types of text that no other table has there.
func namesAndRows(mariadb bool, w *wire, text string) string {
	said, all := w.ask(text)
	kinds := said
	for i, kind := range kinds {
		switch kind {
		case 'D':
			f := fields{b: all[i].payload}
			for range 4 { // catalog, database, table, the table's own name
				f.lenencBytes()
			}
			name := f.lenencBytes()
			f.lenencBytes() // the column's own name
			if !mariadb {
				said += fmt.Sprintf(" %s", bytes.ToUpper(name))
				break
			}
			said += fmt.Sprintf(" %s %q", name, f.take(1+2+4+1))
		case 'R', 'E':
			said += fmt.Sprintf(" %q", all[i].payload)
		}
	}
	return said
}

// A server shows a role that has rights on several databases what the lobby shows
// of them.
func TestTheLobbyHasTheServersRowsOfItsDatabases(t *testing.T) {
	w, other, stranger := newLobby(t, withVersion(serverVersion(t))), newWorld(t), newWorld(t)
	mariadb := isMariaDB(serverVersion(t))
	admin := adminDB(t)
	mustExec(t, admin, "alter database "+other.route.Database+" character set latin1 collate latin1_german2_ci")
	if mariadb {
		mustExec(t, admin, "alter database "+other.route.Database+` comment 'it''s \\ "ünï"'`)
	}
	w.directory.others = []workspace.Route{other.route}
	mustExec(t, admin, "grant all on "+w.route.Database+".* to "+other.route.Role+"@localhost")
	both := *w
	both.route.Role, both.route.Password = other.route.Role, other.route.Password
	for _, without := range []uint32{0, mysql.CLIENT_DEPRECATE_EOF} {
		add := func(i *identity) { i.capabilities = (i.capabilities | mysql.CLIENT_DEPRECATE_EOF) &^ without }
		direct, c := both.directWire(t, withoutDatabase, add), w.wire(t, withoutDatabase, add)
		for _, statement := range []string{
			"SELECT * FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ('performance_schema', 'test') ORDER BY SCHEMA_NAME",
			"select schema_name, default_collation_name from `information_schema`.schemata as s where s.`schema_name` like 'shop%' order by 1 desc",
			"SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES', NAMES latin1",
			"SELECT s.* FROM INFORMATION_SCHEMA.SCHEMATA s WHERE `DEFAULT_CHARACTER_SET_NAME` = 'latin1' LIMIT 5",
			"SELECT SCHEMA_NAME TABLE_CAT, COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '" + other.route.Database + "' ORDER BY TABLE_CAT",
			"SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '" + stranger.route.Database + "'",
			"SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'INFORMATION_SCHEMA'",
			"SELECT COUNT(*) FROM (SELECT DISTINCT SUBSTRING_INDEX(SCHEMA_NAME, '_', 1) DB_first_level FROM INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME LIKE '%shop%') t",
			"SELECT `SCHEMA_NAME` FROM `INFORMATION_SCHEMA`.`SCHEMATA`, (SELECT DB_first_level FROM (SELECT DISTINCT SUBSTRING_INDEX(SCHEMA_NAME, '_', 1) DB_first_level FROM INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME LIKE '%shop%') t ORDER BY DB_first_level ASC LIMIT 0, 100) t2 WHERE TRUE AND 1 = LOCATE(CONCAT(DB_first_level, '_'), CONCAT(SCHEMA_NAME, '_')) ORDER BY SCHEMA_NAME ASC",
			"SELECT *, CAST(BIN_NAME AS CHAR CHARACTER SET utf8) AS SCHEMA_NAME FROM (SELECT BINARY s.SCHEMA_NAME AS BIN_NAME, s.DEFAULT_COLLATION_NAME FROM `information_schema`.SCHEMATA s GROUP BY BINARY s.SCHEMA_NAME, s.DEFAULT_COLLATION_NAME ORDER BY BINARY `SCHEMA_NAME` ASC LIMIT 100) a WHERE BIN_NAME LIKE '%shop%'",
			"SELECT s.SCHEMA_NAME, c.MAXLEN FROM information_schema.SCHEMATA s JOIN information_schema.CHARACTER_SETS c ON c.CHARACTER_SET_NAME = s.DEFAULT_CHARACTER_SET_NAME WHERE SCHEMA_NAME LIKE '%shop%' ORDER BY 1",
			"SELECT 'TABLE' TABLE_TYPE UNION SELECT 'VIEW'", "SELECT VARIABLE_VALUE FROM information_schema.PLUGINS",
			"SELECT * FROM", "SELECT ID FROM information_schema.SCHEMATA", "SELECT 1; SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'nowhere'; SELECT 2",
			"SET sql_mode = DEFAULT, NAMES utf8mb4",
		} {
			want := namesAndRows(mariadb, direct, statement)
			if got := namesAndRows(mariadb, c, statement); got != want {
				t.Errorf("without %#x: %s: got %s, want %s", without, statement, got, want)
			}
		}
		if got := c.askPrepared("SELECT COUNT(*) FROM information_schema.SCHEMATA", 0); !strings.Contains(got, "\\x03\\x00\\x00\\x00\\x00\\x00\\x00\\x00") {
			t.Errorf("prepared: got %s, want 3", got)
		}
	}
}

// The list is whole where some servers are gone, and it names nobody else's.
func TestTheLobbyListsDatabasesOfServersThatAreGone(t *testing.T) {
	w, stranger := newLobby(t), newWorld(t)
	gone := workspace.Address{Network: "unix", Addr: "/nowhere/mysql.sock"}
	w.directory.others = []workspace.Route{{Live: w.live, Address: gone, Database: "a_workspace"}, {Live: w.live, Address: gone, Database: "zoo_workspace"}}
	c := w.wire(t, withoutDatabase)
	_, all := c.ask("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY 1")
	if got := fmt.Sprintf("%q", all[3:]); strings.Contains(got, stranger.route.Database) || !strings.Contains(got, w.route.Database) || !strings.Contains(got, "a_workspace") || !strings.Contains(got, "zoo_workspace") {
		t.Errorf("got %s", got)
	}
	charset := one(t, adminDB(t), "select concat(@@character_set_server, ' ', @@collation_server)")
	if got := c.value("select concat(default_character_set_name, ' ', default_collation_name) from information_schema.schemata where schema_name = 'a_workspace'"); got != charset {
		t.Errorf("got %q, want %q", got, charset)
	}
	for _, statement := range []string{"select * from information_schema.schemata, " + stranger.route.Database + ".t", "select * from schemata", "select * from information_schema.schemata join information_schema.tables"} {
		if _, all := c.ask(statement); all[0].number() != mysql.ER_NO_DB_ERROR {
			t.Errorf("%s: got %q, want 1046", statement, all[0].payload)
		}
	}
}
