package mysql

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	driver "github.com/go-sql-driver/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// newLobby is a world whose project has several workspaces.
func newLobby(t *testing.T, options ...option) *world {
	t.Helper()
	w := newWorld(t, options...)
	w.directory.several = true
	w.directory.others = []workspace.Route{{Live: w.live, Address: w.route.Address, Database: "zoo_workspace"}}
	return w
}

// value is the only value of a result of one row and one column.
func (w *wire) value(statement string) string {
	w.t.Helper()
	kinds, all := w.ask(statement)
	if kinds != "CDFRZ" && kinds != "CDRZ" {
		w.t.Fatalf("%s: got %s, want one value: %q", statement, kinds, all[len(all)-1].payload)
	}
	row := all[strings.Index(kinds, "R")].payload
	if row[0] == 0xfb {
		return "NULL"
	}
	return string(row[1:])
}

func TestTheLobbyAnswersAsAServerWithoutADatabase(t *testing.T) {
	w := newLobby(t, withVersion(serverVersion(t)))
	for _, without := range []uint32{0, mysql.CLIENT_DEPRECATE_EOF, mysql.CLIENT_SESSION_TRACK} {
		add := func(i *identity) {
			i.capabilities = (i.capabilities | mysql.CLIENT_DEPRECATE_EOF | mysql.CLIENT_SESSION_TRACK) &^ without
		}
		direct, c := w.directWire(t, withoutDatabase, add), w.wire(t, withoutDatabase, add)
		for _, statement := range []string{
			"SELECT @@version_comment LIMIT 1", "select 1", "SELECT DATABASE()", "SELECT @@max_allowed_packet, @@time_zone, VERSION()",
			"/* client */ SELECT @@session.auto_increment_increment AS a, @@character_set_client", "SHOW VARIABLES LIKE 'lower\\_case%'",
			"SHOW SESSION VARIABLES WHERE Variable_name IN ('sql_mode', 'autocommit')", "SHOW CHARACTER SET LIKE 'utf8mb4'", "SHOW COLLATION LIKE 'latin1%'",
			"SHOW WARNINGS", "SHOW ENGINES", "SET NAMES latin1", "SELECT @@character_set_client, @@character_set_results, @@collation_connection",
			"SET autocommit=0, @mine = 7", "SELECT @@autocommit + @mine", "SET NAMES nonsense", "SET no_such_variable = 1", "SELECT @@no_such_variable",
			"START TRANSACTION", "COMMIT", "SELECT 1 AS x, NULL, 'it''s'", "SELECT * FROM information_schema.ENGINES",
			"select collation_name, id from information_schema.collations where character_set_name = 'latin1' order by id desc limit 3",
		} {
			wantKinds, want := direct.ask(statement)
			gotKinds, got := c.ask(statement)
			if gotKinds != wantKinds || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Errorf("without %#x: %s: got %s %q, want %s %q", without, statement, gotKinds, got, wantKinds, want)
			}
		}
	}
}

func TestWhatNeedsADatabaseIsRefusedInTheLobby(t *testing.T) {
	w := newLobby(t)
	admin := adminDB(t)
	mustExec(t, admin, "create table "+w.route.Database+".kept (id int)")
	mustExec(t, admin, "create function "+w.route.Database+".f() returns int deterministic return 1")
	mustExec(t, admin, "grant execute, select on "+w.route.Database+".* to "+w.route.Role+"@localhost")
	c := w.wire(t, withoutDatabase)
	for _, statement := range []string{
		"show tables", "create table t (id int)", "select * from kept", "select f()", "select sleep(0)", "set password = 'other'", "set @a = f()",
		"set global max_connections = 5", "select 1; select 2 from kept", "use mysql; select 1", "select 1; set password = 'other'", "call p()", "show grants for root", "show processlist", "select * from information_schema.tables", "/*!1", "insert into kept values (1)",
	} {
		c.query(statement)
		if p := c.read(); p.number() != mysql.ER_NO_DB_ERROR {
			t.Errorf("%s: got %d %q, want 1046", statement, p.number(), p.payload)
		}
	}
	c.send(mysql.COM_STATISTICS)
	if p := c.read(); !strings.HasPrefix(string(p.payload), "Uptime: ") {
		t.Errorf("statistics: got %q", p.payload)
	}
}

func TestTheLobbyListsTheProjectsDatabases(t *testing.T) {
	w := newLobby(t, withVersion(serverVersion(t)))
	db := w.open(t, func(c *driver.Config) { c.DBName = "" })
	all := []string{catalogDatabase, w.route.Database, "zoo_workspace"}
	for statement, want := range map[string][]string{
		"SHOW DATABASES":                                  all,
		"show schemas;":                                   all,
		"SHOW DATABASES LIKE 'ZOO\\_%'":                   {"zoo_workspace"},
		"SHOW DATABASES LIKE 'nothing`s'":                 nil,
		"SHOW DATABASES WHERE `Database` NOT LIKE 'zoo%'": {catalogDatabase, w.route.Database},
		"SELECT SCHEMA_NAME AS `Database` FROM information_schema.SCHEMATA ORDER BY 1":                         all,
		"select schema_name `Database` from `information_schema`.schemata where schema_name = 'zoo_workspace'": {"zoo_workspace"},
		"SHOW DATABASES WHERE `Database` IN ('mysql', 'a\"b')":                                                 nil,
	} {
		rows, err := db.QueryContext(t.Context(), statement)
		if err != nil {
			t.Errorf("%s: %v", statement, err)
			continue
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Fatal(err)
			}
			got = append(got, name)
		}
		if !slices.Equal(got, want) || len(columns) != 1 || !strings.HasPrefix(columns[0], "Database") {
			t.Errorf("%s: got %q in columns %q, want %q", statement, got, columns, want)
		}
		rows.Close()
	}
}

// What one client sets is with it wherever it goes, and nobody else has it.
func TestTheLobbyKeepsWhatIsSetToItsClient(t *testing.T) {
	w := newLobby(t)
	one, two := w.wire(t, withoutDatabase), w.wire(t, withoutDatabase)
	for _, statement := range []string{"set @secret = 42", "set sql_mode = 'ANSI_QUOTES', autocommit = 0", "set names latin1", "start transaction"} {
		if kinds, all := one.ask(statement); kinds != "K" {
			t.Fatalf("%s: got %q", statement, all)
		}
	}
	const state = "select concat_ws(' ', @secret, @@sql_mode, @@autocommit + 0, @@character_set_client)"
	const want = "42 ANSI_QUOTES 0 latin1"
	fresh := two.value(state)
	if strings.Contains(fresh, "42") || strings.Contains(fresh, "latin1") {
		t.Errorf("another client has %q", fresh)
	}
	if got := one.value(state); got != want {
		t.Errorf("in the lobby: got %q, want %q", got, want)
	}
	one.query("use " + w.route.Database)
	if p := one.read(); p.isError() {
		t.Fatalf("use: got %q", p.payload)
	}
	if got := one.value(state); got != want {
		t.Errorf("behind the lobby: got %q, want %q", got, want)
	}
	if got := one.value("select database()"); got != w.route.Database {
		t.Errorf("got database %q", got)
	}
	if got := two.value(state); got != fresh {
		t.Errorf("another client has %q now, had %q", got, fresh)
	}
	two.send(mysql.COM_RESET_CONNECTION)
	two.read()
	if got := two.value("select database()"); got != "NULL" {
		t.Errorf("another client is in %q", got)
	}
	w.directory.several = false // a session without the lobby, on what may be the same backend
	three := w.wire(t)
	if got := three.value("select concat(database(), ifnull(@secret, ''))"); got != w.route.Database {
		t.Errorf("a session has %q", got)
	}
}

// Clients of pools set the same again and again.
func TestTheLobbyHasRoomForWhatIsSetAgain(t *testing.T) {
	w := newLobby(t)
	c := w.wire(t, withoutDatabase)
	for i := range 2 * maxRemembered {
		if kinds, all := c.ask(fmt.Sprintf("set autocommit = %d", i%2)); kinds != "K" {
			t.Fatalf("time %d: got %q", i, all)
		}
	}
	if got := c.value("select @@autocommit"); got != "1" {
		t.Errorf("got %q", got)
	}
	for i := range maxRemembered {
		c.ask(fmt.Sprintf("set @a%d = %d", i, i))
	}
	if _, all := c.ask("set @b = 1"); all[0].number() != mysql.ER_NO_DB_ERROR {
		t.Errorf("got %q, want 1046", all[0].payload)
	}
}

func TestTheConnectionsNumberInTheLobbyIsTheGreetings(t *testing.T) {
	w := newLobby(t)
	c := w.wire(t, withoutDatabase)
	if got := c.value("SELECT CONNECTION_ID();"); got != fmt.Sprint(c.id) {
		t.Errorf("got %s, want %d", got, c.id)
	}
}

func TestALobbyWhoseServerIsGoneSaysSo(t *testing.T) {
	w := newLobby(t, withBackend("/nowhere/mysql.sock"))
	c := w.wire(t, withoutDatabase)
	for range 2 {
		if _, all := c.ask("select @@version"); all[0].number() != numberUnreachable {
			t.Errorf("got %q, want 2003", all[0].payload)
		}
	}
	if strings.Contains(w.log.String(), roleSecret) {
		t.Error("the log has a secret")
	}
}

// A backend whose reply is not to be held, or asks for a file, is not used again.
func TestErrandsAreBounded(t *testing.T) {
	for name, reply := range map[string][]byte{
		"a file":   append([]byte{0xfb}, "/etc/passwd"...),
		"too much": append([]byte{0}, make([]byte, maxErrandReply)...),
		"nothing":  {},
	} {
		t.Run(name, func(t *testing.T) {
			peer := newScriptedServer(t, func(s *scripted) {
				s.command()
				s.send(1, reply)
				if got := s.command(); got != nil && got[0] != mysql.COM_QUIT {
					t.Errorf("the backend is used again: %q", got)
				}
			})
			w := newLobby(t, withBackend(peer.Addr))
			c := w.wire(t, withoutDatabase)
			if _, all := c.ask("select @@version"); all[0].number() != numberUnreachable {
				t.Errorf("got %q, want 2003", all[0].payload)
			}
			c.send(mysql.COM_PING)
			if p := c.read(); p.isError() {
				t.Errorf("ping: got %q", p.payload)
			}
		})
	}
}

// The server would go on with it for hours after we hung up.
func TestAnErrandThatTakesTooLongEndsOnTheServer(t *testing.T) {
	w := newLobby(t)
	c := w.wire(t, withoutDatabase)
	grow := "SET @a = CONCAT(@a, @a, @a, @a, @a, @a, @a, @a, @a, @a)"
	for _, statement := range []string{"SET @a = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'", grow, grow + " ", grow + "  ", grow + "   ", grow + "    "} {
		if kinds, _ := c.ask(statement); kinds != "K" {
			t.Fatalf("%s: got %s, want OK", statement, kinds)
		}
	}
	w.protocol.patience = time.Second
	_, all := c.ask("SELECT COUNT(*) FROM information_schema.COLLATIONS AS c JOIN information_schema.COLLATIONS AS d" +
		" WHERE INSTR(@a, CONCAT('a', c.COLLATION_NAME, d.COLLATION_NAME))")
	if all[0].number() != numberTimeout {
		t.Errorf("got %q, want 3024", all[0].payload)
	}
	admin := adminDB(t)
	wiretest.Await(t, "the statement is gone", func() bool {
		return one(t, admin, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = '"+w.route.Role+"' AND INFO LIKE 'SELECT COUNT%'") == "0"
	})
	w.protocol.patience = errandTimeout
	if got := c.value("SELECT 1"); got != "1" {
		t.Errorf("afterwards: got %s", got)
	}
}

func TestAKillFromTheLobby(t *testing.T) {
	w := newLobby(t)
	victim := w.wire(t)
	c := w.wire(t, withoutDatabase)
	victim.query(endless)
	awaitRunning(t, w, endless)
	if _, all := c.ask("KILL QUERY 5"); all[0].number() != mysql.ER_NO_SUCH_THREAD {
		t.Errorf("a stranger's: got %q, want 1094", all[0].payload)
	}
	if kinds, all := c.ask(fmt.Sprintf("KILL QUERY %d", victim.id)); kinds != "K" {
		t.Fatalf("got %q", all[0].payload)
	}
	victim.reply()
	victim.usable()
	c.send(mysql.COM_PROCESS_KILL, []byte{byte(victim.id), byte(victim.id >> 8), byte(victim.id >> 16), byte(victim.id >> 24)})
	if p := c.read(); p.isError() {
		t.Fatalf("got %q", p.payload)
	}
	wiretest.Await(t, "the session has ended", func() bool { return w.protocol.sessions.find(victim.id) == nil })
}

func TestTheCommandLineClientWithoutADatabase(t *testing.T) {
	w := newLobby(t, withVersion(serverVersion(t)))
	c := w.client(t, "mysql", "--batch", "--skip-column-names")
	c.Stdin = strings.NewReader("select @@version_comment; show databases; set names utf8mb4;\nuse " + w.route.Database + ";\nselect database(), @@character_set_client;\n")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	comment := one(t, adminDB(t), "select @@version_comment")
	for _, want := range []string{comment + "\n", catalogDatabase + "\n" + w.route.Database + "\nzoo_workspace\n", w.route.Database + "\tutf8mb4\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("got %s, want %q in it", out, want)
		}
	}
}

// It kills by another connection, which names no database.
func TestTheCommandLineClientCancelsInAProjectOfSeveralDatabases(t *testing.T) {
	mustCancel(t, newLobby(t))
}
