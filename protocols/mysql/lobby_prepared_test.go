package mysql

import (
	"fmt"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	driver "github.com/go-sql-driver/mysql"
)

// askPrepared prepares a statement, executes it twice and closes it, and gives
// what was answered, without its number.
func (w *wire) askPrepared(text string, flags byte) string {
	w.t.Helper()
	w.send(mysql.COM_STMT_PREPARE, []byte(text))
	first := w.read()
	if first.isError() {
		return fmt.Sprintf("%d %q", first.sequence, first.payload)
	}
	id := first.payload[1:5]
	said := fmt.Sprintf("%d %q", first.sequence, first.payload[5:])
	columns := int(first.payload[5])
	if columns > 0 && w.capabilities&mysql.CLIENT_DEPRECATE_EOF == 0 {
		columns++
	}
	for range columns {
		said += fmt.Sprintf("%q", w.read())
	}
	for range 2 {
		w.send(mysql.COM_STMT_EXECUTE, id, []byte{flags}, u32(1))
		kinds, all := w.reply()
		said += fmt.Sprintf("%s %q", kinds, all)
	}
	w.send(mysql.COM_STMT_RESET, id)
	said += fmt.Sprintf("%q", w.read())
	w.send(mysql.COM_STMT_CLOSE, id)
	return said
}

func TestStatementsArePreparedInTheLobby(t *testing.T) {
	w := newLobby(t, withVersion(serverVersion(t)))
	for _, without := range []uint32{0, mysql.CLIENT_DEPRECATE_EOF, mysql.CLIENT_SESSION_TRACK} {
		add := func(i *identity) {
			i.capabilities = (i.capabilities | mysql.CLIENT_DEPRECATE_EOF | mysql.CLIENT_SESSION_TRACK) &^ without
		}
		direct, c := w.directWire(t, withoutDatabase, add), w.wire(t, withoutDatabase, add)
		for _, text := range []string{
			"SELECT 1", "select @@version, NULL, 'it''s', 1.5 as n", "SELECT DATABASE()", "SET @a = 5, autocommit = 0", "SELECT @a + @@autocommit",
			"SET NAMES latin1", "SELECT @@character_set_client, @@character_set_results", "SELECT @@nothing", "SHOW CHARACTER SET LIKE 'utf8mb4'", "COMMIT",
			"SHOW ENGINES", "SET nothing = 1", "START TRANSACTION",
		} {
			if want, got := direct.askPrepared(text, 0), c.askPrepared(text, 0); got != want {
				t.Errorf("without %#x: %s: got %s, want %s", without, text, got, want)
			}
		}
		if got := c.askPrepared("SELECT 1", 1); got != c.askPrepared("SELECT 1", 0) {
			t.Errorf("a cursor: got %s", got)
		}
	}
}

func TestWhatNeedsADatabaseIsNotPreparedInTheLobby(t *testing.T) {
	w := newLobby(t)
	mustExec(t, adminDB(t), "create table "+w.route.Database+".kept (id int)")
	c := w.wire(t, withoutDatabase)
	for _, text := range []string{"select * from kept", "select 1; select 2", "select ? from kept", "set global a = ?", "drop table kept", "", "set password = 'other'", "call p()", "show tables"} {
		c.send(mysql.COM_STMT_PREPARE, []byte(text))
		if p := c.read(); p.number() != mysql.ER_NO_DB_ERROR {
			t.Errorf("%s: got %q, want 1046", text, p.payload)
		}
		c.send(mysql.COM_STMT_EXECUTE, u32(lastPrepared), []byte{0}, u32(1))
		if p := c.read(); p.number() != mysql.ER_UNKNOWN_STMT_HANDLER {
			t.Errorf("%s: executed: got %q, want 1243", text, p.payload)
		}
	}
	id := c.prepare("select 1")
	for command, number := range map[byte]int{mysql.COM_STMT_EXECUTE: mysql.ER_UNKNOWN_STMT_HANDLER, mysql.COM_STMT_RESET: mysql.ER_UNKNOWN_STMT_HANDLER, mysql.COM_STMT_FETCH: mysql.ER_UNKNOWN_STMT_HANDLER} {
		for _, unknown := range []uint32{0, 1, id + 1} {
			c.send(command, u32(unknown), []byte{0}, u32(1))
			if p := c.read(); p.number() != number {
				t.Errorf("command %d of %d: got %q, want %d", command, unknown, p.payload, number)
			}
		}
	}
	if c.send(mysql.COM_STMT_FETCH, u32(id), u32(1)); c.read().number() != mysql.ER_STMT_HAS_NO_OPEN_CURSOR {
		t.Error("fetched without a cursor")
	}
	for range maxLobbyPrepared - 1 {
		c.prepare("select 1")
	}
	if c.send(mysql.COM_STMT_PREPARE, []byte("select 1")); c.read().number() != mysql.ER_MAX_PREPARED_STMT_COUNT_REACHED {
		t.Error("prepared more than there is room for")
	}
	c.send(mysql.COM_STMT_CLOSE, u32(id))
	c.prepare("select 1")
	c.send(mysql.COM_RESET_CONNECTION)
	c.read()
	c.execute(lastPrepared, 0)
	if p := c.read(); p.number() != mysql.ER_UNKNOWN_STMT_HANDLER {
		t.Errorf("after a reset: got %q, want 1243", p.payload)
	}
	c.send(mysql.COM_STMT_EXECUTE, []byte{1})
	if p := c.read(); p.number() != mysql.ER_MALFORMED_PACKET {
		t.Errorf("cut short: got %q, want 1835", p.payload)
	}
	c.closed()
}

// Connectors keep what they prepared, whatever database they choose.
func TestWhatWasPreparedInTheLobbyStaysPrepared(t *testing.T) {
	w := newLobby(t)
	c := w.wire(t, withoutDatabase)
	c.ask("set @a = 40")
	closed, first, second := c.prepare("select 1"), c.prepare("select 'first', @a"), c.prepare("select 'second', database()")
	c.send(mysql.COM_STMT_CLOSE, u32(closed))
	c.query("use " + w.route.Database)
	if p := c.read(); p.isError() {
		t.Fatalf("use: got %q", p.payload)
	}
	third := c.prepare("select 'third'")
	for id, want := range map[uint32]string{first: "\x00\x00\x05first", second: "\x00\x00\x06second", third: "\x00\x00\x05third"} {
		c.execute(id, 0)
		if kinds, all := c.reply(); kinds[len(kinds)-1] != 'Z' || len(all[len(all)-2].payload) < len(want) || string(all[len(all)-2].payload[:len(want)]) != want {
			t.Errorf("%d: got %s %q, want %q", id, kinds, all[len(all)-1].payload, want)
		}
	}
	c.send(mysql.COM_STMT_RESET, u32(first))
	if p := c.read(); p.isError() {
		t.Errorf("reset: got %q", p.payload)
	}
	c.execute(second, 1)
	c.reply()
	if kinds, _ := c.fetch(second, 5); kinds != "RZ" {
		t.Errorf("fetch: got %s", kinds)
	}
	c.send(mysql.COM_STMT_CLOSE, u32(first))
	for _, id := range []uint32{closed, first} {
		c.execute(id, 0)
		if p := c.read(); p.number() != mysql.ER_UNKNOWN_STMT_HANDLER {
			t.Errorf("a closed statement: got %q, want 1243", p.payload)
		}
	}
	c.send(mysql.COM_RESET_CONNECTION)
	c.read()
	c.execute(second, 0)
	if p := c.read(); p.number() != mysql.ER_UNKNOWN_STMT_HANDLER {
		t.Errorf("after a reset: got %q, want 1243", p.payload)
	}
	c.usable()
}

func TestAPreparedStatementThatNamesADatabaseLeavesTheLobby(t *testing.T) {
	w := newLobby(t)
	mustExec(t, adminDB(t), "create table "+w.route.Database+".kept (id int)")
	c := w.wire(t, withoutDatabase)
	before := c.prepare("select 7")
	id := c.prepare("select count(*) from " + w.route.Database + ".kept")
	for _, id := range []uint32{before, id} {
		c.execute(id, 0)
		if kinds, all := c.reply(); kinds != "CDFRZ" {
			t.Errorf("got %s %q", kinds, all[len(all)-1].payload)
		}
	}
}

func TestPreparedStatementsOfADriverInTheLobby(t *testing.T) {
	w := newLobby(t, withVersion(serverVersion(t)))
	db := w.open(t, func(c *driver.Config) { c.DBName = "" })
	stmt, err := db.PrepareContext(t.Context(), "SELECT @@version")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if i == 2 {
			mustExec(t, db, "use "+w.route.Database)
		}
		var got string
		if err := stmt.QueryRowContext(t.Context()).Scan(&got); err != nil || got != serverVersion(t) {
			t.Errorf("execution %d: got %q, %v", i, got, err)
		}
	}
	if err := stmt.Close(); err != nil {
		t.Error(err)
	}
}

// A client that knows of results without definitions is told that they come.
func TestResultsOfPreparedStatementsInTheLobbyAreDefined(t *testing.T) {
	version := serverVersion(t)
	if !isMariaDB(version) {
		version = "8.0.36"
	}
	w := newLobby(t, withVersion(version))
	c := w.wire(t, withoutDatabase, func(i *identity) {
		if isMariaDB(version) {
			i.capabilities &^= mysql.CLIENT_LONG_PASSWORD
			i.extended = extendedCapabilities
		} else {
			i.capabilities |= mysql.CLIENT_OPTIONAL_RESULTSET_METADATA
		}
	})
	id := c.prepare("select 'defined'")
	for range 2 {
		c.execute(id, 0)
		first := c.read()
		if len(first.payload) != 2 || first.payload[0] != 1 || first.payload[1] != 1 {
			t.Fatalf("got %q, want one column, and that it is defined", first.payload)
		}
		c.read() // the definition
		c.read() // its end
		if row := c.read(); string(row.payload) != "\x00\x00\x07defined" {
			t.Errorf("got %q", row.payload)
		}
		c.read()
	}
	c.ask("set @a = 1")
	c.execute(c.prepare("set @a = @a + 1"), 0)
	if p := c.read(); p.isError() {
		t.Errorf("got %q", p.payload)
	}
}

// The number of a statement may come in pieces.
func TestAMovedStatementIsFoundInPieces(t *testing.T) {
	w := newLobby(t)
	c := w.wire(t, withoutDatabase)
	id := c.prepare("select 'moved'")
	c.query("use " + w.route.Database)
	if p := c.read(); p.isError() {
		t.Fatalf("use: got %q", p.payload)
	}
	execute := append(append([]byte{mysql.COM_STMT_EXECUTE}, u32(id)...), 0, 1, 0, 0, 0)
	for _, b := range encode(0, execute) {
		if _, err := c.conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if kinds, all := c.reply(); kinds != "CDFRZ" || string(all[3].payload) != "\x00\x00\x05moved" {
		t.Errorf("got %s %q", kinds, all[len(all)-1].payload)
	}
}
