package mysql

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	driver "github.com/go-sql-driver/mysql"
)

// askParameters prepares a statement, executes it with each of the parameters, and
// gives what was answered, without its number.
func (w *wire) askParameters(text string, long []byte, parameters ...[]byte) string {
	w.t.Helper()
	w.send(mysql.COM_STMT_PREPARE, []byte(text))
	first := w.read()
	if first.isError() {
		return fmt.Sprintf("%d %q", first.sequence, first.payload)
	}
	id := first.payload[1:5]
	said := fmt.Sprintf("%d %q", first.sequence, first.payload[5:])
	for _, n := range []int{int(first.payload[7]), int(first.payload[5])} {
		if n > 0 && w.capabilities&mysql.CLIENT_DEPRECATE_EOF == 0 {
			n++
		}
		for range n {
			said += fmt.Sprintf("%q", w.read())
		}
	}
	for _, p := range parameters {
		if long != nil {
			w.send(mysql.COM_STMT_SEND_LONG_DATA, id, long[:2], long[2:])
			w.send(mysql.COM_STMT_SEND_LONG_DATA, id, long)
		}
		w.send(mysql.COM_STMT_EXECUTE, id, []byte{0}, u32(1), p)
		kinds, all := w.reply()
		said += fmt.Sprintf("%s %q", kinds, all)
	}
	return said
}

// Parameters: which are null, whether types follow, types, values.
var (
	anInt      = []byte("\x00\x01\x08\x00\x07\x00\x00\x00\x00\x00\x00\x00")
	anotherInt = []byte("\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00")
	aNull      = []byte("\x01\x00")
	aText      = []byte("\x00\x01\xfd\x00\x08sql_mode")
	other      = []byte("\x00\x00\x0aautocommit")
	aLong      = []byte("\x00\x01\xfc\x00")
	twoInts    = []byte("\x00\x01\x03\x00\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00")
)

func TestParametersInTheLobby(t *testing.T) {
	w := newLobby(t, withVersion(serverVersion(t)))
	// MySQL keeps a result to the type that it had with the first parameters, and
	// makes texts numbers; the lobby prepares for each execution.
	several, retyped := [][]byte{anInt, anotherInt, aNull, aText, other, anInt, other[:4]}, [][]byte{anotherInt[1:], nil, anInt}
	if !isMariaDB(serverVersion(t)) {
		several, retyped = [][]byte{anInt, anotherInt, anInt, other[:4]}, retyped[:2]
	}
	for _, without := range []uint32{0, mysql.CLIENT_DEPRECATE_EOF, mysql.CLIENT_SESSION_TRACK} {
		add := func(i *identity) {
			i.capabilities = (i.capabilities | mysql.CLIENT_DEPRECATE_EOF | mysql.CLIENT_SESSION_TRACK) &^ without
		}
		direct, c := w.directWire(t, withoutDatabase, add), w.wire(t, withoutDatabase, add)
		for _, ask := range []struct {
			text       string
			long       []byte
			parameters [][]byte
		}{
			{"SELECT ?", nil, several},
			{"SELECT ? AS a, @@autocommit", nil, retyped},
			{"SHOW VARIABLES WHERE Variable_name = ?", nil, [][]byte{aText, other, aNull}},
			{"SHOW VARIABLES LIKE ?", nil, nil},
			{"SHOW DATABASES LIKE ?", nil, nil},
			{"SELECT ? LIMIT ?", nil, [][]byte{twoInts, anInt}},
			{"SELECT ENGINE FROM information_schema.ENGINES WHERE ENGINE = ? OR ENGINE LIKE 'InnoDB'", nil, [][]byte{aText, other}},
			{"SELECT CONCAT(?, '!')", []byte("\x00\x00long"), [][]byte{aLong, aLong, []byte("\x00\x00")}},
		} {
			if want, got := direct.askParameters(ask.text, ask.long, ask.parameters...), c.askParameters(ask.text, ask.long, ask.parameters...); got != want {
				t.Errorf("without %#x: %s:\ngot  %s\nwant %s", without, ask.text, got, want)
			}
		}
	}
}

// What was bound, and what was sent ahead, is the session's, whatever database it
// chooses.
func TestParametersLeaveTheLobby(t *testing.T) {
	w := newLobby(t)
	c := w.wire(t, withoutDatabase)
	value := func(id uint32, parameters []byte) string {
		t.Helper()
		c.send(mysql.COM_STMT_EXECUTE, u32(id), []byte{0}, u32(1), parameters)
		kinds, all := c.reply()
		if kinds != "CDFRZ" {
			return fmt.Sprintf("%s %q", kinds, all[0].payload)
		}
		return string(all[3].payload[3:])
	}
	bound, long, never := c.prepare("select concat(?, '')"), c.prepare("select concat(?, '!')"), c.prepare("select ?")
	if got := value(bound, aText); got != "sql_mode" {
		t.Errorf("in the lobby: got %q", got)
	}
	c.send(mysql.COM_STMT_SEND_LONG_DATA, u32(long), []byte("\x00\x00first"))
	c.query("use " + w.route.Database)
	if p := c.read(); p.isError() {
		t.Fatalf("use: got %q", p.payload)
	}
	for id, said := range map[uint32][]byte{bound: other, long: aLong, never: aText} {
		want := map[uint32]string{bound: "autocommit", long: "first!", never: "sql_mode"}[id]
		if got := value(id, said); got != want {
			t.Errorf("behind the lobby: got %q, want %q", got, want)
		}
	}
}

// What a prepared statement with parameters sets is the session's, before and behind
// the choice of a database, by the values of its last execution.
func TestPreparedSettingsWithParameters(t *testing.T) {
	w := newLobby(t)
	c := w.wire(t, withoutDatabase)
	settings := []struct {
		text       string
		parameters []byte
		read, want string
	}{
		{"set @mine = ?", aText, "select @mine", "sql_mode"},
		{"set @@session.lock_wait_timeout = ?", anInt, "select @@lock_wait_timeout", "7"},
		{"set @mine = ?", other, "select @mine", "autocommit"},
		{"set @long = ?", aLong, "select @long", "long"},
	}
	ids := map[string]uint32{}
	for _, s := range settings {
		id, prepared := ids[s.text]
		if !prepared {
			id = c.prepare(s.text)
			ids[s.text] = id
		}
		if s.want == "long" {
			c.send(mysql.COM_STMT_SEND_LONG_DATA, u32(id), []byte("\x00\x00long"))
		}
		c.send(mysql.COM_STMT_EXECUTE, u32(id), []byte{0}, u32(1), s.parameters)
		if kinds, all := c.reply(); kinds != "K" {
			t.Fatalf("%s: got %s %q", s.text, kinds, all)
		}
		if got := c.value(s.read); got != s.want {
			t.Errorf("%s: got %q, want %q", s.read, got, s.want)
		}
	}
	c.query("use " + w.route.Database)
	if p := c.read(); p.isError() {
		t.Fatalf("use: got %q", p.payload)
	}
	for _, s := range settings[1:] {
		if got := c.value(s.read); got != s.want {
			t.Errorf("behind the lobby: %s: got %q, want %q", s.read, got, s.want)
		}
	}
	c.send(mysql.COM_STMT_EXECUTE, u32(ids["set @mine = ?"]), []byte{0}, u32(1), aText)
	if kinds, all := c.reply(); kinds != "K" {
		t.Fatalf("behind the lobby: got %s %q", kinds, all)
	}
	if got := c.value("select @mine"); got != "sql_mode" {
		t.Errorf("behind the lobby: got %q", got)
	}
}

func TestWhatIsSentAheadInTheLobbyIsBounded(t *testing.T) {
	c := newLobby(t).wire(t, withoutDatabase)
	id := c.prepare("select length(?)")
	for range maxLong/8000 + 1 {
		c.send(mysql.COM_STMT_SEND_LONG_DATA, u32(id), []byte{0, 0}, bytes.Repeat([]byte{'x'}, 8000))
	}
	c.send(mysql.COM_STMT_SEND_LONG_DATA, []byte("cut")) // has no reply
	c.send(mysql.COM_STMT_SEND_LONG_DATA, u32(7), []byte{0, 0, 'x'})
	for _, want := range []string{"E", "CDFRZ"} {
		c.send(mysql.COM_STMT_EXECUTE, u32(id), []byte{0}, u32(1), aText)
		if kinds, all := c.reply(); kinds != want {
			t.Errorf("got %s %q, want %s", kinds, all[0].payload, want)
		}
	}
	c.send(mysql.COM_STMT_EXECUTE, u32(id), []byte{0})
	if p := c.read(); p.number() != mysql.ER_MALFORMED_PACKET {
		t.Errorf("cut short: got %q, want 1835", p.payload)
	}
	c.closed()
}

func TestParametersOfADriverInTheLobby(t *testing.T) {
	w := newLobby(t, withVersion(serverVersion(t)))
	db := w.open(t, func(c *driver.Config) { c.DBName = "" })
	for statement, argument := range map[string]any{
		"SELECT CONCAT('a', ?)":               "é",
		"SHOW DATABASES WHERE `Database` = ?": w.route.Database,
		"SELECT s.SCHEMA_NAME FROM information_schema.SCHEMATA s WHERE s.SCHEMA_NAME = ?": w.route.Database,
	} {
		if got, want := one(t, db, statement, argument), argument.(string); !strings.HasSuffix(got, want) {
			t.Errorf("%s: got %q, want %q", statement, got, want)
		}
	}
}

// Clients of MySQL count their parameters and name them, for query attributes.
func TestTypesAreBoundWithTheirNames(t *testing.T) {
	p := preparedText{parameters: 1}
	p.bind([]byte("\x02\x00\x01\x01\x00\x00\x01\x00\x04name\x05\x06"), true)
	if got, want := string(p.bind([]byte("\x02\x00\x00\x07\x08"), true)), "\x02\x00\x01\x01\x00\x00\x01\x00\x04name\x07\x08"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, other := range []string{"\x01\x00\x00\x07", "\x02\x00", "\xff", "\x02\x00\x01\x01\x00\xff"} {
		if got := string(p.bind([]byte(other), true)); got != other {
			t.Errorf("got %q of %q", got, other)
		}
	}
	if got := string(p.bind([]byte("\x00\x00\x07"), false)); got != "\x00\x00\x07" {
		t.Errorf("without a count: got %q", got)
	}
}

// FuzzBind holds that parameters that come with their types are left alone, and
// that those without have what was said before.
func FuzzBind(f *testing.F) {
	for _, seed := range [][]byte{anInt, anotherInt, aNull, aText, aLong, twoInts, {0xfe}, nil} {
		f.Add(seed, uint16(1), false)
		f.Add(append([]byte{1}, seed...), uint16(1), true)
	}
	f.Fuzz(func(t *testing.T, parameters []byte, count uint16, named bool) {
		p := preparedText{parameters: int(count)}
		if got := p.bind(parameters, named); !bytes.Equal(got, parameters) {
			t.Fatalf("got %q of %q before anything was bound", got, parameters)
		}
		if got := p.bind(parameters, named); !bytes.Equal(got, parameters) {
			t.Errorf("got %q of %q", got, parameters)
		}
	})
}
