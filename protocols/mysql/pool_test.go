package mysql

import (
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// connectionID is the server's number of the client's backend.
func connectionID(t *testing.T, c *wire) string {
	t.Helper()
	_, all := c.ask("select connection_id()")
	return string(all[len(all)-2].payload[1:])
}

// awaitWarm waits until n backends are at rest.
func (w *world) awaitWarm(t *testing.T, n int) {
	t.Helper()
	wiretest.Await(t, "the backend is warm", func() bool {
		return w.protocol.pool.Idle() == n
	})
}

// leave ends a client's session and waits for its backend.
func (w *world) leave(t *testing.T, c *wire) {
	t.Helper()
	c.send(mysql.COM_QUIT)
	w.awaitWarm(t, 1)
}

func TestAWarmBackendIsAsNew(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t)
	c.ask("create table goods (id int)")
	id := connectionID(t, c)
	look := "select concat_ws(' ', @x is null, @@sql_mode, @@character_set_client, @@character_set_results, @@collation_connection, @@autocommit, database(), is_free_lock('l'), last_insert_id())"
	_, fresh := c.ask(look)
	for _, statement := range []string{"set @x = 1", "set names latin1", "set sql_mode = ''", "set autocommit = 0", "use information_schema", "do get_lock('l', 0)",
		"select last_insert_id(7)", "create temporary table " + w.route.Database + ".temporary (id int)", "lock tables " + w.route.Database + ".goods write", "insert into " + w.route.Database + ".goods values (1)"} {
		if kinds, all := c.ask(statement); kinds[len(kinds)-1] == 'E' {
			t.Fatalf("%s: got %q", statement, all[0].payload)
		}
	}
	c.send(mysql.COM_SET_OPTION, []byte{1, 0})
	c.read()
	prepared := c.prepare("select 1")
	w.leave(t, c)

	c = w.wire(t)
	if got := connectionID(t, c); got != id {
		t.Fatalf("connection %s, want the warm one %s", got, id)
	}
	if _, all := c.ask(look); string(all[3].payload) != string(fresh[3].payload) {
		t.Errorf("got %q, want %q", all[3].payload, fresh[3].payload)
	}
	if kinds, _ := c.ask("select count(*) from goods; select 2"); kinds != "CDFRZCDFRZ" {
		t.Errorf("multi-statements: got %s", kinds)
	}
	if kinds, _ := c.ask("select * from temporary"); kinds != "E" {
		t.Errorf("temporary table: got %s", kinds)
	}
	c.execute(prepared, 0)
	if kinds, _ := c.reply(); kinds != "E" {
		t.Errorf("prepared statement: got %s", kinds)
	}
	if _, all := c.ask("select count(*) from goods"); string(all[3].payload) != "\x010" {
		t.Errorf("open transaction: %q rows", all[3].payload)
	}
}

// MariaDB's connections keep the collation of the database that they are in, and
// COM_RESET_CONNECTION and COM_INIT_DB leave it to them.
func TestAWarmBackendKnowsTheDatabasesCollation(t *testing.T) {
	ways := []func(*wire){func(c *wire) { c.ask("alter database collate utf8mb4_unicode_ci") }}
	if isMariaDB(serverVersion(t)) { // MySQL prepares no such statement
		ways = append(ways, func(c *wire) { c.execute(c.prepare("alter schema collate utf8mb4_unicode_ci"), 0); c.reply() })
	}
	for _, alter := range ways {
		w := newWorld(t)
		a, b, c := w.wire(t), w.wire(t), w.wire(t)
		w.leave(t, a)
		alter(b)
		for _, c := range []*wire{b, c} {
			c.send(mysql.COM_QUIT)
			c.closed()
		}
		w.protocol.pool.Settle()
		for range 3 {
			if got := w.wire(t).value("select @@collation_database"); got != "utf8mb4_unicode_ci" {
				t.Errorf("got %s", got)
			}
		}
	}
}

func TestWarmBackendsAreOfOneKind(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t)
	id := connectionID(t, c)
	w.leave(t, c)
	for name, change := range map[string]func(*identity){
		"found rows": with(mysql.CLIENT_FOUND_ROWS),
		"charset":    func(i *identity) { i.charset = 8 },
		"no multi":   func(i *identity) { i.capabilities &^= mysql.CLIENT_MULTI_STATEMENTS },
	} {
		t.Run(name, func(t *testing.T) {
			if got := connectionID(t, w.wire(t, change)); got == id {
				t.Error("the warm backend of another kind was taken")
			}
		})
	}
	c = w.wire(t, func(i *identity) { i.charset = 8 })
	if _, all := c.ask("select @@character_set_client"); string(all[3].payload) != "\x06latin1" {
		t.Errorf("got %q, want latin1", all[3].payload)
	}
}

// A character set that the server does not know leaves its own, warm or not.
func TestAnUnknownCharacterSetIsTheServers(t *testing.T) {
	w := newWorld(t)
	unknown := func(i *identity) { i.charset = 255 }
	c := w.wire(t, unknown)
	id := connectionID(t, c)
	_, first := c.ask("select @@character_set_client")
	w.leave(t, c)
	c = w.wire(t, unknown)
	if got := connectionID(t, c); got != id {
		t.Errorf("connection %s, want the warm one %s", got, id)
	}
	if _, all := c.ask("select @@character_set_client"); string(all[3].payload) != string(first[3].payload) {
		t.Errorf("got %q, want %q", all[3].payload, first[3].payload)
	}
}

func TestABackendThatDiedWhileWarmIsNotTaken(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t)
	id := connectionID(t, c)
	w.leave(t, c)
	admin := adminDB(t)
	mustExec(t, admin, "kill "+id)
	wiretest.Await(t, "the connection is gone", func() bool {
		return one(t, admin, "select count(*) from information_schema.processlist where id = ?", id) == "0"
	})
	c = w.wire(t)
	c.usable()
	if got := connectionID(t, c); got == id {
		t.Error("the dead one was taken")
	}
}

func TestForgottenWorkspacesKeepNoBackend(t *testing.T) {
	w := newWorld(t)
	c, other := w.wire(t), w.wire(t)
	w.leave(t, c)
	w.protocol.Forget(w.live.ID)
	w.awaitWarm(t, 0)
	other.send(mysql.COM_QUIT)
	wiretest.Await(t, "the other session ended", func() bool { return w.protocol.sessions.find(other.id) == nil })
	w.protocol.pool.Settle()
	w.awaitWarm(t, 0)
}

func TestABackendInTheMiddleOfAReplyIsNotKept(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t)
	c.query(series(900) + " union all select 1, sleep(0.2)")
	c.read()
	c.conn.Close()
	wiretest.Await(t, "the session ended", func() bool { return w.protocol.sessions.find(c.id) == nil })
	w.protocol.pool.Settle()
	w.wire(t).usable()
}

// The role's password may have been changed behind our back.
func TestARoleWhosePasswordIsWrongIsRestored(t *testing.T) {
	w := newWorld(t)
	admin := adminDB(t)
	mustExec(t, admin, "alter user "+w.route.Role+"@localhost identified by 'another'")
	w.restorer.Before(func() error {
		mustExec(t, admin, "alter user "+w.route.Role+"@localhost identified by '"+w.route.Password+"'")
		return nil
	})
	w.wire(t).usable()
	if n := w.restorer.Records(); n != 1 {
		t.Errorf("restored %d times, want once", n)
	}
}
