package mysql

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// exchange is a command and how its reply is read.
type exchange struct {
	command byte
	body    []byte
	read    func(*wire) []packet
}

func results(c *wire) []packet { _, all := c.reply(); return all }
func single(c *wire) []packet  { return []packet{c.read()} }
func silent(*wire) []packet    { return nil }
func untilEOF(c *wire) []packet {
	_, all, _ := c.rows()
	return all
}

func preparation(c *wire) []packet {
	first := c.read()
	if first.isError() {
		return []packet{first}
	}
	all := []packet{first}
	f := fields{b: first.payload[5:]}
	columns, params := f.uint16(), f.uint16()
	for _, n := range []uint16{params, columns} {
		if n > 0 && c.capabilities&mysql.CLIENT_DEPRECATE_EOF == 0 {
			n++
		}
		for range n {
			all = append(all, c.read())
		}
	}
	return all
}

func text(s string) exchange { return exchange{mysql.COM_QUERY, []byte(s), results} }

// paritySession is every command that a workspace has, in an order in which
// each means something. Prepared statements have the numbers 1, 2, …, which
// play puts in the place of the server's.
func paritySession() []exchange {
	number := u32
	return []exchange{
		text("create table goods (id int primary key auto_increment, name varchar(40), price decimal(8,2), at datetime(3), doc blob)"),
		text("insert into goods (name, price, at) values ('nut', 1.5, '2024-02-29 12:00:00.123'), ('bolt', null, null)"),
		text("select * from goods"),
		text("select * from goods where id > 5"),
		text("update goods set name = 'nut' where id = 1"),
		text("select 1; select name from goods; update goods set price = 2; select 'end'"),
		text("select 1; select nothing from nowhere; select 2"),
		text("selec"),
		text(""),
		text("do 1"),
		text("create procedure two(in n int) begin select n; select name from goods order by id limit n; end"),
		text("call two(1)"),
		text("call two(0)"),
		text("set @x = 1"),
		text("set character_set_client = latin1"),
		text("begin"),
		text("insert into goods (name) values ('x')"),
		text("rollback"),
		text("select repeat('x', 250), repeat('y', 251), repeat('z', 70000)"),
		text("show warnings"),
		text("insert into goods (id) values (1)"),
		{mysql.COM_PING, nil, single},
		{mysql.COM_INIT_DB, nil, single},
		text("select database()"),
		{mysql.COM_STMT_PREPARE, []byte("select id, name, price, at from goods"), preparation},
		{mysql.COM_STMT_EXECUTE, bytes.Join([][]byte{number(1), {0}, number(1)}, nil), results},
		{mysql.COM_STMT_EXECUTE, bytes.Join([][]byte{number(1), {1}, number(1)}, nil), results},
		{mysql.COM_STMT_FETCH, bytes.Join([][]byte{number(1), number(1)}, nil), untilEOF},
		{mysql.COM_STMT_FETCH, bytes.Join([][]byte{number(1), number(100)}, nil), untilEOF},
		{mysql.COM_STMT_RESET, number(1), single},
		{mysql.COM_STMT_FETCH, bytes.Join([][]byte{number(1), number(1)}, nil), untilEOF},
		{mysql.COM_STMT_PREPARE, []byte("insert into goods (name, doc) values (?, ?)"), preparation},
		{mysql.COM_STMT_SEND_LONG_DATA, bytes.Join([][]byte{number(2), {1, 0}, []byte("a part, ")}, nil), silent},
		{mysql.COM_STMT_SEND_LONG_DATA, bytes.Join([][]byte{number(2), {1, 0}, []byte("another")}, nil), silent},
		{mysql.COM_STMT_EXECUTE, bytes.Join([][]byte{number(2), {0}, number(1), {0, 1, 253, 0, 252, 0, 3}, []byte("cog")}, nil), results},
		text("select name, doc from goods where name = 'cog'"),
		{mysql.COM_STMT_PREPARE, []byte("call two(?)"), preparation},
		{mysql.COM_STMT_EXECUTE, bytes.Join([][]byte{number(3), {0}, number(1), {0, 1, 3, 0}, number(2)}, nil), results},
		{mysql.COM_STMT_PREPARE, []byte("no sql"), preparation},
		{mysql.COM_STMT_EXECUTE, bytes.Join([][]byte{number(99), {0}, number(1)}, nil), results},
		{mysql.COM_STMT_CLOSE, number(2), silent},
		{mysql.COM_STMT_EXECUTE, bytes.Join([][]byte{number(2), {0}, number(1)}, nil), results},
		{mysql.COM_SET_OPTION, []byte{1, 0}, single},
		text("select 1; select 2"),
		{mysql.COM_SET_OPTION, []byte{0, 0}, single},
		{mysql.COM_SET_OPTION, []byte{9, 0}, single},
		{mysql.COM_FIELD_LIST, []byte("goods\x00"), untilEOF},
		{mysql.COM_FIELD_LIST, []byte("nothing\x00"), untilEOF},
		text("select @x"),
		{mysql.COM_RESET_CONNECTION, nil, single},
		text("select @x"),
		{mysql.COM_STMT_EXECUTE, bytes.Join([][]byte{number(1), {0}, number(1)}, nil), results},
		text("drop table goods"),
		text("drop procedure two"),
	}
}

// Each capability that changes the bytes, alone and with the others: what
// comes through the proxy is what the server says.
func TestEveryCommandComesThroughAsItIs(t *testing.T) {
	version := serverVersion(t)
	w := newWorld(t, withVersion(version))
	deprecate, session, found := uint32(mysql.CLIENT_DEPRECATE_EOF), uint32(mysql.CLIENT_SESSION_TRACK), uint32(mysql.CLIENT_FOUND_ROWS)
	sets := []capabilities{{}, {deprecate, 0}, {session, 0}, {deprecate | session, 0}, {found | mysql.CLIENT_INTERACTIVE | mysql.CLIENT_IGNORE_SPACE, 0}}
	if isMariaDB(version) {
		sets = append(sets, capabilities{0, mariadbProgress | mariadbBulkOperations}, capabilities{0, mariadbExtendedMetadata},
			capabilities{deprecate | session, mariadbExtendedMetadata | mariadbProgress})
	} else {
		sets = append(sets, capabilities{mysql.CLIENT_QUERY_ATTRIBUTES, 0}, capabilities{deprecate | mysql.CLIENT_OPTIONAL_RESULTSET_METADATA, 0},
			capabilities{deprecate | session | mysql.CLIENT_QUERY_ATTRIBUTES | mysql.CLIENT_OPTIONAL_RESULTSET_METADATA, 0})
	}
	for _, set := range sets {
		t.Run(fmt.Sprintf("%#x+%#x", set.base, set.extended), func(t *testing.T) {
			change := func(i *identity) {
				if isMariaDB(version) {
					i.capabilities &^= mysql.CLIENT_LONG_PASSWORD
				}
				i.capabilities |= set.base
				i.extended = set.extended
			}
			through, direct := w.wire(t, change), w.directWire(t, change)
			if !bytes.Equal(through.welcome.payload, direct.welcome.payload) {
				t.Errorf("welcome: got %q, want %q", through.welcome.payload, direct.welcome.payload)
			}
			want := play(direct, w.route.Database)
			got := play(through, w.route.Database)
			for i, e := range paritySession() {
				if len(got[i]) != len(want[i]) {
					t.Errorf("%d %q: got %d packets, want %d", e.command, e.body, len(got[i]), len(want[i]))
					continue
				}
				for j := range got[i] {
					if got[i][j].sequence != want[i][j].sequence || !bytes.Equal(got[i][j].payload, want[i][j].payload) {
						t.Errorf("%d %q, packet %d: got %d %q, want %d %q", e.command, e.body, j, got[i][j].sequence, got[i][j].payload, want[i][j].sequence, want[i][j].payload)
					}
				}
			}
		})
	}
}

// statementNumber is where an error names a prepared statement.
var statementNumber = regexp.MustCompile(`\(\d+\)`)

// play runs the session. Numbers of prepared statements, which no server begins
// anew with each session, are told from 1, and not at all in errors.
func play(c *wire, database string) [][]packet {
	var all [][]packet
	var ids []uint32
	for _, e := range paritySession() {
		c.send(e.command, e.on(c, database, ids))
		reply := e.read(c)
		for i, p := range reply {
			if p.isError() {
				reply[i].payload = statementNumber.ReplaceAll(p.payload, []byte("(n)"))
			}
		}
		if e.command == mysql.COM_STMT_PREPARE && !reply[0].isError() {
			id := reply[0].payload[1:5]
			ids = append(ids, binary.LittleEndian.Uint32(id))
			binary.LittleEndian.PutUint32(id, uint32(len(ids)))
		}
		all = append(all, reply)
	}
	return all
}

// on is the command's body for a database, and prepared statements' numbers.
func (e exchange) on(c *wire, database string, ids []uint32) []byte {
	switch e.command {
	case mysql.COM_QUERY:
		return c.text(string(e.body))
	case mysql.COM_INIT_DB:
		return []byte(database)
	case mysql.COM_STMT_EXECUTE, mysql.COM_STMT_SEND_LONG_DATA, mysql.COM_STMT_CLOSE, mysql.COM_STMT_RESET, mysql.COM_STMT_FETCH:
		n := binary.LittleEndian.Uint32(e.body)
		if int(n) <= len(ids) {
			n = ids[n-1]
		}
		return append(u32(n), e.body[4:]...)
	}
	return e.body
}

// A client that sends ahead gets the same as one that waits. MariaDB's clients
// execute what they prepared last before they know its number.
func TestASessionSentAheadComesThroughAsItIs(t *testing.T) {
	w := newWorld(t)
	ahead := []exchange{{mysql.COM_STMT_PREPARE, []byte("select id, name from goods"), preparation}}
	if isMariaDB(serverVersion(t)) {
		ahead = append(ahead, exchange{mysql.COM_STMT_EXECUTE, bytes.Join([][]byte{u32(lastPrepared), {0}, u32(1)}, nil), results})
	}
	var session []exchange
	for i, e := range paritySession() {
		if e.command == mysql.COM_QUERY || e.command == mysql.COM_PING || e.command == mysql.COM_FIELD_LIST || e.command == mysql.COM_SET_OPTION {
			session = append(session, e)
		}
		if i == 1 { // there are goods from here on
			session = append(session, ahead...)
		}
	}
	direct, c := w.directWire(t), w.wire(t)
	var commands []byte
	var want [][]packet
	for _, e := range session {
		direct.send(e.command, e.body)
		want = append(want, e.read(direct))
		commands = append(commands, encode(0, append([]byte{e.command}, e.body...))...)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := c.conn.Write(commands)
		sent <- err
	}()
	for i, e := range session {
		got := e.read(c)
		if e.command == mysql.COM_STMT_PREPARE {
			got[0], want[i][0] = packet{}, packet{} // their numbers differ
		}
		if fmt.Sprint(got) != fmt.Sprint(want[i]) {
			t.Errorf("%d %q: got %q, want %q", e.command, e.body, got, want[i])
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}
