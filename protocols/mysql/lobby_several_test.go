package mysql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
)

func TestSeveralStatementsOfOneTextInTheLobby(t *testing.T) {
	w := newLobby(t, withVersion(serverVersion(t)))
	for _, without := range []uint32{0, mysql.CLIENT_DEPRECATE_EOF, mysql.CLIENT_SESSION_TRACK} {
		add := func(i *identity) {
			i.capabilities = (i.capabilities | mysql.CLIENT_DEPRECATE_EOF | mysql.CLIENT_SESSION_TRACK) &^ without
		}
		direct, c := w.directWire(t, withoutDatabase, add), w.wire(t, withoutDatabase, add)
		for _, text := range []string{
			"SELECT 1; SELECT 2 AS b, NULL", "SET NAMES latin1; SELECT @@character_set_client;", "SET @a = 1; SET @a = @a + 1; SELECT @a",
			"SELECT @a", "SELECT 1; SELECT @@nothing; SELECT 3", "SET @a = 7; SET nothing = 1; SET @a = 8", "SELECT @a",
			"SHOW COLLATION LIKE 'latin1_b%'; SHOW CHARACTER SET LIKE 'utf8mb4'; COMMIT", "SELECT ';'; SELECT 2 -- ; ; '", "/*!40101 SET NAMES utf8mb4 */; SELECT @@character_set_results",
			"SHOW ENGINES; SELECT 1; SET autocommit=0", "SELECT @@autocommit",
		} {
			wantKinds, want := direct.ask(text)
			gotKinds, got := c.ask(text)
			if gotKinds != wantKinds || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Errorf("without %#x: %s: got %s %q, want %s %q", without, text, gotKinds, got, wantKinds, want)
			}
		}
	}
}

func TestSeveralStatementsAreOneWhereTheClientDidNotAgree(t *testing.T) {
	w := newLobby(t)
	c := w.wire(t, withoutDatabase, func(i *identity) { i.capabilities &^= mysql.CLIENT_MULTI_STATEMENTS })
	if _, all := c.ask("select 1; select 2"); all[0].number() != mysql.ER_PARSE_ERROR {
		t.Errorf("got %q, want 1064", all[0].payload)
	}
	if got := c.value("select 3;"); got != "3" {
		t.Errorf("got %q", got)
	}
}

func TestTheOptionOfSeveralStatementsInTheLobby(t *testing.T) {
	w := newLobby(t, withVersion(serverVersion(t)))
	role := w.identity()
	role.user, role.password = w.route.Role, w.route.Password
	for _, without := range []uint32{0, mysql.CLIENT_DEPRECATE_EOF, mysql.CLIENT_MULTI_STATEMENTS} {
		add := func(i *identity) { i.capabilities = (i.capabilities | mysql.CLIENT_DEPRECATE_EOF) &^ without }
		direct, c := w.directWire(t, withoutDatabase, add), w.wire(t, withoutDatabase, add)
		same := func(command byte, body []byte) {
			t.Helper()
			answer := func(c *wire) (kinds string, all []packet) {
				c.send(command, body)
				if command == mysql.COM_QUERY {
					return c.reply()
				}
				return "", []packet{c.read()}
			}
			wantKinds, want := answer(direct)
			if gotKinds, got := answer(c); gotKinds != wantKinds || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Errorf("without %#x: command %d %q: got %s %q, want %s %q", without, command, body, gotKinds, got, wantKinds, want)
			}
		}
		const several = "SELECT 1; SET @a = 2; SELECT @a"
		for _, option := range []byte{1, 1, 0, 0, 9, 1} {
			same(mysql.COM_SET_OPTION, []byte{option, 0})
			same(mysql.COM_QUERY, []byte(several))
			same(mysql.COM_QUERY, []byte("SELECT @a;"))
		}
		same(mysql.COM_RESET_CONNECTION, nil)
		same(mysql.COM_QUERY, []byte(several))
		for c, who := range map[*wire]identity{direct: role, c: w.identity()} {
			c.send(mysql.COM_CHANGE_USER, changeUserOf(who, "", 45))
			if err := c.finishLogin(who); err != nil {
				t.Fatal(err)
			}
		}
		same(mysql.COM_QUERY, []byte(several))
		same(mysql.COM_QUERY, []byte("SET autocommit = 0"))
		same(mysql.COM_SET_OPTION, []byte{0, 0})
	}
}

// The option is the session's, whatever database it chooses, and nobody else's.
func TestTheOptionOfSeveralStatementsLeavesTheLobby(t *testing.T) {
	w := newLobby(t)
	for _, agreed := range []bool{false, true} {
		c := w.wire(t, withoutDatabase, func(i *identity) {
			if !agreed {
				i.capabilities &^= mysql.CLIENT_MULTI_STATEMENTS
			}
		})
		c.send(mysql.COM_SET_OPTION, optionOf(!agreed)[1:])
		if p := c.read(); p.isError() {
			t.Fatalf("set option: got %q", p.payload)
		}
		c.query("use " + w.route.Database)
		if p := c.read(); p.isError() {
			t.Fatalf("use: got %q", p.payload)
		}
		want := "E"
		if !agreed {
			want = "CDFRZCDFRZ"
		}
		if kinds, _ := c.ask("select database(); select 2"); kinds != want {
			t.Errorf("agreed %v: got %s, want %s", agreed, kinds, want)
		}
		c.usable()
	}
	c := w.wire(t, withoutDatabase)
	if kinds, _ := c.ask("select 1; select 2"); kinds != "CDFRZCDFRZ" {
		t.Errorf("another client: got %s", kinds)
	}
	c.send(mysql.COM_SET_OPTION, []byte{1})
	if p := c.read(); p.number() != mysql.ER_MALFORMED_PACKET {
		t.Errorf("cut short: got %q, want 1835", p.payload)
	}
	c.closed()
}

// What is set by one text counts as what is set by many.
func TestSeveralStatementsHaveTheRoomOfTheLobby(t *testing.T) {
	w := newLobby(t)
	c := w.wire(t, withoutDatabase)
	sets := make([]string, maxRemembered+1)
	for i := range sets {
		sets[i] = fmt.Sprintf("set @a%d = %d", i, i)
	}
	for _, text := range []string{strings.Join(sets, ";"), strings.Repeat("select 1;", maxQuestions+1)} {
		if _, all := c.ask(text); all[0].number() != mysql.ER_NO_DB_ERROR {
			t.Errorf("%.30s: got %q, want 1046", text, all[0].payload)
		}
	}
	if kinds, _ := c.ask(strings.Join(sets[:maxRemembered], ";")); kinds != strings.Repeat("K", maxRemembered) {
		t.Errorf("got %s", kinds)
	}
	c.query("use " + w.route.Database)
	if p := c.read(); p.isError() {
		t.Fatalf("use: got %q", p.payload)
	}
	if got := c.value(fmt.Sprintf("select @a0 + @a%d", maxRemembered-1)); got != fmt.Sprint(maxRemembered-1) {
		t.Errorf("got %q", got)
	}
}

// The role's grants are told; no other's, and no other workspace's.
func TestGrantsInTheLobby(t *testing.T) {
	w, other := newLobby(t), newWorld(t)
	direct, c := w.directWire(t, withoutDatabase), w.wire(t, withoutDatabase)
	for _, statement := range []string{"SHOW GRANTS", "show grants for current_user;", "SHOW GRANTS FOR CURRENT_USER()"} {
		_, want := direct.ask(statement)
		_, got := c.ask(statement)
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) || !strings.Contains(fmt.Sprintf("%q", got), w.route.Role) {
			t.Errorf("%s: got %q, want %q", statement, got, want)
		}
		if strings.Contains(fmt.Sprintf("%q", got), other.route.Database) {
			t.Errorf("%s tells of another workspace: %q", statement, got)
		}
	}
}
