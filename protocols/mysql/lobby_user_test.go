package mysql

import (
	"strconv"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// changeUserOf is a COM_CHANGE_USER with the collation and the plugin named.
func changeUserOf(who identity, database string, collation uint16) []byte {
	body := append([]byte(who.user+"\x00\x00"+database+"\x00"), byte(collation), byte(collation>>8))
	return append(append(body, who.plugin...), 0)
}

func TestChangeUserInTheLobby(t *testing.T) {
	w := newLobby(t)
	for _, plugin := range []string{mysql.AUTH_NATIVE_PASSWORD, mysql.AUTH_CACHING_SHA2_PASSWORD, mysql.AUTH_CLEAR_PASSWORD, "another_plugin"} {
		t.Run(plugin, func(t *testing.T) {
			c := w.wire(t, withoutDatabase)
			who := w.identity()
			who.plugin = plugin
			c.ask("set @x = 1")
			c.send(mysql.COM_CHANGE_USER, changeUserOf(who, "", 8))
			if err := c.finishLogin(who); err != nil {
				t.Fatalf("without a database: %v", err)
			}
			const state = "select concat_ws(' ', @x is null, @@character_set_client, ifnull(database(), 'nowhere'))"
			if got := c.value(state); got != "1 latin1 nowhere" {
				t.Errorf("in the lobby: got %q", got)
			}
			if _, all := c.ask("show tables"); all[0].number() != mysql.ER_NO_DB_ERROR {
				t.Errorf("got %q, want 1046", all[0].payload)
			}
			c.ask("set @x = 1")
			c.send(mysql.COM_CHANGE_USER, changeUserOf(who, w.route.Database, 8))
			if err := c.finishLogin(who); err != nil {
				t.Fatalf("with a database: %v", err)
			}
			if got := c.value(state); got != "1 latin1 "+w.route.Database {
				t.Errorf("behind the lobby: got %q", got)
			}
			c.send(mysql.COM_CHANGE_USER, changeUserOf(who, w.route.Database, 8))
			if err := c.finishLogin(who); err != nil {
				t.Fatalf("in the session: %v", err)
			}
			c.usable()
		})
	}
}

// A login has one byte for a collation, and both servers have more of them.
func TestChangeUserInTheLobbyTakesEveryCollation(t *testing.T) {
	w := newLobby(t)
	want := one(t, adminDB(t), "select max(collation_name) from information_schema.collations where id > 255 and collation_name like 'utf8mb4%nopad%' or collation_name = 'utf8mb4_0900_bin'")
	number, err := strconv.ParseUint(one(t, adminDB(t), "select id from information_schema.collations where collation_name = ?", want), 10, 16)
	if err != nil || number <= 255 {
		t.Fatalf("collation %q has number %d: %v", want, number, err)
	}
	for _, database := range []string{"", w.route.Database} {
		c := w.wire(t, withoutDatabase)
		who := w.identity()
		c.send(mysql.COM_CHANGE_USER, changeUserOf(who, database, uint16(number)))
		if err := c.finishLogin(who); err != nil {
			t.Fatal(err)
		}
		if got := c.value("select @@collation_connection"); got != want {
			t.Errorf("%q: got %q, want %q", database, got, want)
		}
	}
}

// A server has its own collation for one that it does not know.
func TestChangeUserInTheLobbyTakesACollationThatNoServerHas(t *testing.T) {
	w := newLobby(t, withVersion(serverVersion(t)))
	role := w.identity()
	role.user, role.password = w.route.Role, w.route.Password
	const state = "select concat_ws(' ', @@collation_connection, @@character_set_client, @@character_set_results)"
	direct := w.directWire(t, withoutDatabase)
	direct.send(mysql.COM_CHANGE_USER, changeUserOf(role, "", 0x6d09))
	if err := direct.finishLogin(role); err != nil {
		t.Fatal(err)
	}
	want := direct.value(state)
	for _, database := range []string{"", w.route.Database} {
		c := w.wire(t, withoutDatabase)
		c.send(mysql.COM_CHANGE_USER, changeUserOf(w.identity(), database, 0x6d09))
		if err := c.finishLogin(w.identity()); err != nil {
			t.Fatalf("%q: %v", database, err)
		}
		if got := c.value(state); got != want {
			t.Errorf("%q: got %q, want %q", database, got, want)
		}
	}
}

// MariaDB Connector/Node.js leaves the database's field out where it has none, so
// that MariaDB takes the collation's number for a name, and so do we. MySQL takes
// this number, which is no text, for no name.
func TestChangeUserWithoutTheFieldOfTheDatabase(t *testing.T) {
	w := newLobby(t, withVersion(serverVersion(t)))
	role := w.identity()
	role.user, role.password = w.route.Role, w.route.Password
	body := func(who identity) []byte {
		return []byte(who.user + "\x00\x00" + "\xe0\x00" + mysql.AUTH_NATIVE_PASSWORD + "\x00\xfc\x00\x00") // utf8mb4_unicode_ci
	}
	direct, c := w.directWire(t, withoutDatabase), w.wire(t, withoutDatabase)
	direct.send(mysql.COM_CHANGE_USER, body(role))
	if err := direct.finishLogin(role); (refusedWith(err) != 0) != isMariaDB(serverVersion(t)) {
		t.Fatalf("a server says: %v", err)
	}
	c.send(mysql.COM_CHANGE_USER, body(w.identity()))
	if err := c.finishLogin(w.identity()); refusedWith(err) != mysql.ER_ACCESS_DENIED_ERROR {
		t.Errorf("got %v, want 1045", err)
	}
	c.closed()
}

func TestChangeUserIsNoWayOutOfTheLobby(t *testing.T) {
	w := newLobby(t)
	for name, who := range map[string]identity{
		"wrong password":                 {user: testUser, password: "wrong"},
		"wrong password, and a database": {user: testUser, password: "wrong", database: w.route.Database},
		"the role":                       {user: w.route.Role, password: roleSecret, database: w.route.Database},
		"another database":               {user: testUser, password: testPassword, database: "mysql"},
		"one that is told of only":       {user: testUser, password: testPassword, database: "zoo_workspace"},
		"no password":                    {user: testUser},
	} {
		for _, plugin := range []string{mysql.AUTH_NATIVE_PASSWORD, mysql.AUTH_CACHING_SHA2_PASSWORD} {
			t.Run(name+" "+plugin, func(t *testing.T) {
				c := w.wire(t, withoutDatabase)
				who.plugin = plugin
				c.send(mysql.COM_CHANGE_USER, changeUserOf(who, who.database, 45))
				if err := c.finishLogin(who); refusedWith(err) != mysql.ER_ACCESS_DENIED_ERROR {
					t.Errorf("got %v, want 1045", err)
				}
				c.closed()
			})
		}
	}
	t.Run("cut short", func(t *testing.T) {
		for _, body := range []string{"", "x", testUser + "\x00", testUser + "\x00\xff", testUser + "\x00\x14abc"} {
			c := w.wire(t, withoutDatabase)
			c.send(mysql.COM_CHANGE_USER, []byte(body))
			if p := c.read(); p.number() != mysql.ER_MALFORMED_PACKET {
				t.Errorf("%q: got %q, want 1835", body, p.payload)
			}
			c.closed()
		}
	})
}

func TestChangeUserLeadsToTheOnlyDatabase(t *testing.T) {
	w := newLobby(t)
	c := w.wire(t, withoutDatabase)
	c.send(mysql.COM_PING)
	c.read()
	w.directory.several = false
	c.send(mysql.COM_CHANGE_USER, changeUserBody(testUser, ""))
	if err := c.finishLogin(w.identity()); err != nil {
		t.Fatal(err)
	}
	if got := c.value("select database()"); got != w.route.Database {
		t.Errorf("got %q", got)
	}
}
