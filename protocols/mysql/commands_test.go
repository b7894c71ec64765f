package mysql

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	driver "github.com/go-sql-driver/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestCommandsOfTheServersOwnersAreRefused(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t)
	for _, command := range []byte{mysql.COM_SLEEP, mysql.COM_CREATE_DB, mysql.COM_DROP_DB, mysql.COM_REFRESH, mysql.COM_SHUTDOWN, mysql.COM_CONNECT, mysql.COM_DEBUG,
		mysql.COM_TIME, mysql.COM_DELAYED_INSERT, mysql.COM_BINLOG_DUMP, mysql.COM_TABLE_DUMP, mysql.COM_CONNECT_OUT, mysql.COM_REGISTER_SLAVE,
		mysql.COM_DAEMON, mysql.COM_BINLOG_DUMP_GTID, mysql.COM_CLONE, mysql.COM_SUBSCRIBE_GROUP_REPLICATION_STREAM, 0x40, 0xfe, 0xff} {
		for _, body := range []string{"", "\x04\x00\x00\x00\x00\x00\x01\x00\x00\x00"} {
			c.send(command, []byte(body))
			p := c.read()
			if p.number() != mysql.ER_SPECIFIC_ACCESS_DENIED_ERROR || p.sequence != 1 {
				t.Errorf("command %d: got %d %q, want 1227", command, p.sequence, p.payload)
			}
		}
	}
	c.usable()
}

func TestTheDatabaseStays(t *testing.T) {
	for _, mode := range []workspace.Mode{workspace.Tenant, workspace.Control} {
		w := newWorld(t, withMode(mode))
		c := w.wire(t)
		for _, text := range []string{
			"drop database " + w.route.Database, "select 1; drop schema if exists " + w.route.Database, "create or replace database " + w.route.Database,
			"prepare s from 'drop database " + w.route.Database + "'", "execute immediate 'drop database " + w.route.Database + "'",
			"create procedure p() drop database " + w.route.Database, "create event e on schedule every 1 second do drop schema " + w.route.Database,
			"set @s = 'drop database " + w.route.Database + "'; prepare s from @s; execute s",
		} {
			for _, command := range []byte{mysql.COM_QUERY, mysql.COM_STMT_PREPARE} {
				c.send(command, []byte(text))
				if p := c.read(); p.number() != mysql.ER_SPECIFIC_ACCESS_DENIED_ERROR || p.sequence != 1 {
					t.Errorf("%s, command %d, %q: got %d %q, want 1227", mode, command, text, p.sequence, p.payload)
				}
			}
		}
		c.usable()
	}
}

func TestARefusedCommandMayBeHuge(t *testing.T) {
	c := newWorld(t).wire(t)
	c.send(mysql.COM_TABLE_DUMP, make([]byte, 2*maxPayload))
	if p := c.read(); p.number() != mysql.ER_SPECIFIC_ACCESS_DENIED_ERROR {
		t.Errorf("got %q, want 1227", p.payload)
	}
	c.usable()
}

func TestOnlyTheOwnDatabaseIsReached(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	mustExec(t, other.open(t), "create table secrets (id int)")
	c := w.wire(t)
	for name, refused := range map[string]bool{
		w.route.Database: false, strings.ToUpper("information_schema"): false,
		other.route.Database: true, "mysql": true, "": true, strings.Repeat("x", 300): true,
	} {
		c.send(mysql.COM_INIT_DB, []byte(name))
		if p := c.read(); p.isError() != refused || refused && p.number() != mysql.ER_DBACCESS_DENIED_ERROR {
			t.Errorf("%q: got %q, refused %v", name, p.payload, refused)
		}
	}
	for _, statement := range []string{
		"use " + other.route.Database, "use mysql", "select * from " + other.route.Database + ".secrets", "select * from mysql.user",
		"set global max_connections = 1", "create user x", "shutdown", "show master status", "change master to master_host = 'x'",
		"select * from information_schema.schemata where schema_name = '" + other.route.Database + "' and 1 = (select 1 from mysql.db)",
	} {
		if kinds, all := c.ask(statement); !strings.HasSuffix(kinds, "E") {
			t.Errorf("%s: got %s %q, want an error", statement, kinds, all[0].payload)
		}
	}
	c.usable()
}

func TestStatisticsIsAString(t *testing.T) {
	c := newWorld(t).wire(t)
	c.send(mysql.COM_STATISTICS)
	if p := c.read(); !strings.Contains(string(p.payload), "Uptime") {
		t.Errorf("got %q", p.payload)
	}
	c.usable()
}

func TestLargePacketsComeThroughBothWays(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t)
	for _, n := range []int{maxPayload - 100, maxPayload - 9, maxPayload - 8, maxPayload - 7, maxPayload, 2*maxPayload - 9, 40 << 20} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			value := strings.Repeat("x", n)
			kinds, all := c.ask("select '" + value + "'")
			if kinds != "CDFRZ" {
				t.Fatalf("got %s %.100q", kinds, all[len(all)-1].payload)
			}
			if got := all[3].payload; !bytes.HasSuffix(got, []byte(value)) || len(got) > n+9 {
				t.Errorf("%d bytes came back as %d", n, len(got))
			}
			c.usable()
		})
	}
}

func TestALargeParameterComesInParts(t *testing.T) {
	w := newWorld(t)
	c := w.open(t, func(c *driver.Config) { c.MaxAllowedPacket = 8 << 20 })
	mustExec(t, c, "create table big (doc longblob)")
	doc := bytes.Repeat([]byte("0123456789abcdef"), 20<<16)
	mustExec(t, c, "insert into big values (?)", doc)
	var got []byte
	if err := c.QueryRowContext(context.Background(), "select doc from big").Scan(&got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, doc) {
		t.Errorf("%d bytes came back as %d", len(doc), len(got))
	}
}

func TestAFileOfTheClientIsLoaded(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t)
	if kinds, _ := c.ask("create table lined (line varchar(100))"); kinds != "K" {
		t.Fatal(kinds)
	}
	load := "load data local infile 'goods.txt' into table lined"
	for name, parts := range map[string][]string{
		"a line":    {"one\n"},
		"no line":   {},
		"parts":     {"o", "ne\ntw", "o\nthree\n"},
		"large":     {strings.Repeat(strings.Repeat("one of many ", 8)+"\n", 160_000)},
		"two loads": {"one\n", "two\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
				t.Fatal(err)
			}
			c.ask("delete from lined")
			kinds, all := c.ask(load)
			if kinds != "L" || string(all[0].payload) != "\xfbgoods.txt" {
				t.Fatalf("got %s %q, want a request for the file", kinds, all[0].payload)
			}
			sequence := all[0].sequence
			for _, part := range parts {
				sequence++
				c.write(sequence, []byte(part))
				sequence += byte(len(part) / maxPayload)
			}
			c.write(sequence+1, nil)
			if kinds, all := c.reply(); kinds != "K" {
				t.Fatalf("got %s %q", kinds, all[0].payload)
			}
			_, all = c.ask("select count(*) from lined")
			if got, want := string(all[3].payload[1:]), fmt.Sprint(strings.Count(strings.Join(parts, ""), "\n")); got != want {
				t.Errorf("%s lines, want %s", got, want)
			}
		})
	}
	if err := c.conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	t.Run("one that looks like commands", func(t *testing.T) {
		c.ask("delete from lined")
		_, all := c.ask(load)
		c.write(all[0].sequence+1, encode(0, []byte("\x03drop table lined")))
		c.write(all[0].sequence+2, nil)
		c.reply()
		c.usable()
		if kinds, _ := c.ask("select count(*) from lined"); kinds != "CDFRZ" {
			t.Errorf("got %s, want a count", kinds)
		}
	})
	t.Run("into nothing", func(t *testing.T) {
		if kinds, _ := c.ask("load data local infile 'x' into table nothing"); kinds != "E" {
			t.Errorf("got %s, want an error", kinds)
		}
		c.usable()
	})
}

func TestResetConnectionBeginsAnew(t *testing.T) {
	c := newWorld(t).wire(t)
	c.ask("set @x = 1")
	c.send(mysql.COM_RESET_CONNECTION)
	if p := c.read(); p.isError() {
		t.Fatalf("got %q", p.payload)
	}
	if _, all := c.ask("select @x is null"); string(all[3].payload) != "\x011" {
		t.Errorf("got %q, want 1", all[3].payload)
	}
}

// changeUserBody is a COM_CHANGE_USER of an old client, without a proof.
func changeUserBody(user, database string) []byte {
	return append([]byte(user+"\x00\x00"+database+"\x00"), 45, 0)
}

func TestChangeUserAuthenticatesAnew(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t)
	c.ask("set @x = 1")
	c.ask("set names latin1")
	c.send(mysql.COM_CHANGE_USER, changeUserBody(testUser, w.route.Database))
	if err := c.finishLogin(w.identity()); err != nil {
		t.Fatal(err)
	}
	if c.welcome.sequence != 3 {
		t.Errorf("sequence: got %d, want 3", c.welcome.sequence)
	}
	_, all := c.ask("select concat_ws(' ', @x is null, @@character_set_client, @@collation_connection, database())")
	if got, want := string(all[3].payload[1:]), "1 utf8mb4 utf8mb4_general_ci "+w.route.Database; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c.send(mysql.COM_CHANGE_USER, changeUserBody(testUser, ""))
	if err := c.finishLogin(w.identity()); err != nil {
		t.Errorf("without a database: %v", err)
	}
	c.usable()
}

func TestChangeUserIsNoWayOut(t *testing.T) {
	w := newWorld(t)
	for name, who := range map[string]identity{
		"wrong password":   {user: testUser, password: "wrong", database: w.route.Database},
		"another user":     {user: w.route.Role, password: roleSecret, database: w.route.Database},
		"another database": {user: testUser, password: testPassword, database: "mysql"},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.wire(t)
			c.send(mysql.COM_CHANGE_USER, changeUserBody(who.user, who.database))
			if err := c.finishLogin(who); refusedWith(err) != mysql.ER_ACCESS_DENIED_ERROR {
				t.Errorf("got %v, want 1045", err)
			}
			c.closed()
		})
	}
	t.Run("cut short", func(t *testing.T) {
		for _, body := range []string{"", "x", testUser + "\x00", testUser + "\x00\xff", testUser + "\x00\x14abc"} {
			c := w.wire(t)
			c.send(mysql.COM_CHANGE_USER, []byte(body))
			for {
				p, err := c.next()
				if err != nil {
					break
				}
				if p.payload[0] == 0 {
					t.Fatalf("%q: let in", body)
				}
				if p.payload[0] == 0xfe {
					c.write(p.sequence+1, []byte("no proof"))
				}
			}
		}
	})
}
