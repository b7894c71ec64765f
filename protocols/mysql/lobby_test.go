package mysql

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	driver "github.com/go-sql-driver/mysql"
)

func withoutDatabase(i *identity) { i.capabilities &^= mysql.CLIENT_CONNECT_WITH_DB }

func TestALoginWithoutADatabaseLeadsToTheOnlyOne(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t, withoutDatabase)
	if _, all := c.ask("select database()"); string(all[3].payload[1:]) != w.route.Database {
		t.Errorf("got %q", all[3].payload)
	}
}

func TestALoginWithoutADatabaseChoosesOneLater(t *testing.T) {
	const login = 3 * time.Second // on a busy machine too
	w := newWorld(t, withHandshakeTimeout(login))
	w.directory.several = true
	plugins := []string{mysql.AUTH_NATIVE_PASSWORD, mysql.AUTH_CACHING_SHA2_PASSWORD}
	ways := map[string]func(*wire){
		"init db":    func(c *wire) { c.send(mysql.COM_INIT_DB, []byte(w.route.Database)) },
		"use":        func(c *wire) { c.query("use " + w.route.Database) },
		"use quoted": func(c *wire) { c.query(" USE  `" + w.route.Database + "` ;") },
	}
	type way struct{ name, plugin string }
	in := map[way]*wire{}
	for name := range ways {
		for _, plugin := range plugins {
			in[way{name, plugin}] = w.wire(t, withoutDatabase, func(i *identity) { i.plugin = plugin })
		}
	}
	<-time.After(login) // longer than any of them may take
	for name, choose := range ways {
		for _, plugin := range plugins {
			t.Run(name+" "+plugin, func(t *testing.T) {
				c := in[way{name, plugin}]
				c.send(mysql.COM_PING)
				if p := c.read(); p.isError() || p.sequence != 1 {
					t.Errorf("ping: got %d %q", p.sequence, p.payload)
				}
				for _, statement := range []string{"select * from t", "use", "use mysql", "create table t (id int)"} {
					if kinds, _ := c.ask(statement); kinds != "E" {
						t.Errorf("%s: got %s, want an error", statement, kinds)
					}
				}
				choose(c)
				if p := c.read(); p.isError() || p.sequence != 1 {
					t.Fatalf("got %d %q, want OK", p.sequence, p.payload)
				}
				if _, all := c.ask("select database()"); string(all[3].payload[1:]) != w.route.Database {
					t.Errorf("got %q", all[3].payload)
				}
			})
		}
	}
}

// mysqldump sets up its session and reads the server's catalog before it names
// its database.
func TestAStatementThatNamesADatabaseLeavesTheLobby(t *testing.T) {
	w := newWorld(t)
	w.directory.several = true
	c := w.wire(t, withoutDatabase)
	for _, statement := range []string{"/*!40100 SET @@SQL_MODE='ANSI_QUOTES' */", "set @remembered = 41 + 1", "START TRANSACTION", "UNLOCK TABLES"} {
		if kinds, _ := c.ask(statement); kinds != "K" {
			t.Errorf("%s: got %s, want OK", statement, kinds)
		}
	}
	for _, statement := range []string{"set @a = 1; drop table t", "select 'nothing' from other.t"} {
		if kinds, _ := c.ask(statement); kinds != "E" {
			t.Errorf("%s: got %s, want an error", statement, kinds)
		}
	}
	_, all := c.ask("select table_schema from information_schema.tables where table_schema in ('" + w.route.Database + "') union select 'read'")
	if len(all) < 4 || string(all[3].payload[1:]) != "read" {
		t.Fatalf("got %v", all)
	}
	if _, all = c.ask(`select concat(@remembered, @@sql_mode) as "quoted"`); len(all) < 4 || string(all[3].payload[1:]) != "42ANSI_QUOTES" {
		t.Errorf("what was set before is lost: got %v", all)
	}
	c.usable()
}

// MySQL's mysqldump asks for them before it names its database. Every library must
// be able to read the answer.
func TestTheLobbyHasNoTransactionNumbers(t *testing.T) {
	w := newWorld(t, withVersion(serverVersion(t)))
	w.directory.several = true
	const question = "SHOW VARIABLES LIKE 'gtid_mode'"
	for _, without := range []uint32{0, mysql.CLIENT_DEPRECATE_EOF, mysql.CLIENT_OPTIONAL_RESULTSET_METADATA} {
		c := w.wire(t, withoutDatabase, func(i *identity) { i.capabilities &^= without })
		if kinds, _ := c.ask(question + ";"); kinds != "CDDZ" && kinds != "CDDFZ" {
			t.Errorf("without %#x: got %s, want two columns and no rows", without, kinds)
		}
		if kinds, _ := c.ask(question + "; drop table t"); kinds != "E" {
			t.Errorf("got %s, want an error", kinds)
		}
		c.query("use " + w.route.Database)
		c.read()
		c.usable()
	}
	t.Run("go-sql-driver", func(t *testing.T) {
		db := w.open(t, func(c *driver.Config) { c.DBName = "" })
		rows, err := db.QueryContext(t.Context(), question)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil || !slices.Equal(columns, []string{"Variable_name", "Value"}) || rows.Next() {
			t.Errorf("got columns %q %v, want two and no rows", columns, err)
		}
		if err := errors.Join(rows.Close(), db.PingContext(t.Context())); err != nil {
			t.Error(err)
		}
	})
	t.Run("mysql", func(t *testing.T) {
		out, err := w.client(t, "mysql", "--column-type-info", "--execute="+question+"; use "+w.route.Database+"; select 'alive'").CombinedOutput()
		if err != nil || string(out) != "Variable_name\tValue\nalive\nalive\n" {
			t.Errorf("got %q, %v", out, err)
		}
	})
}

func TestWhatTheServerRefusesOfTheLobbyIsToldAtOnce(t *testing.T) {
	w := newLobby(t)
	c := w.wire(t, withoutDatabase)
	if _, all := c.ask("set no_such_variable = 1"); all[0].number() != mysql.ER_UNKNOWN_SYSTEM_VARIABLE {
		t.Errorf("got %q, want the server's error", all[0].payload)
	}
	c.query("use " + w.route.Database)
	if p := c.read(); p.isError() {
		t.Errorf("got %q, want OK", p.payload)
	}
	c.usable()
}

func TestWhatAnotherServerRefusesOfTheLobbyIsToldLater(t *testing.T) {
	unknown := failf(mysql.ER_UNKNOWN_SYSTEM_VARIABLE, stateGeneral, "Unknown system variable")
	var connections atomic.Int64
	peer := newScriptedServer(t, func(s *scripted) {
		first := connections.Add(1) == 1
		for s.command() != nil {
			if first {
				s.ok()
				continue
			}
			s.send(1, unknown.append(nil, 0)[headerLen:])
		}
	})
	w := newLobby(t, withBackend(peer.Addr))
	c := w.wire(t, withoutDatabase)
	if kinds, all := c.ask("set some_variable = 1"); kinds != "K" {
		t.Fatalf("got %q, want OK", all[0].payload)
	}
	c.query("use " + w.route.Database)
	if p := c.read(); p.number() != mysql.ER_UNKNOWN_SYSTEM_VARIABLE {
		t.Errorf("got %q, want the server's error", p.payload)
	}
	c.closed()
}

func TestTheLobbyIsForThoseWhoKnowThePassword(t *testing.T) {
	w := newWorld(t)
	w.directory.several = true
	who := w.identity()
	who.password = "wrong"
	withoutDatabase(&who)
	if _, err := w.tryWire(t, who); refusedWith(err) != mysql.ER_ACCESS_DENIED_ERROR {
		t.Errorf("got %v, want 1045", err)
	}
}

func TestTheLobbyIsClosedByAShutdown(t *testing.T) {
	w := newWorld(t)
	w.directory.several = true
	c := w.wire(t, withoutDatabase)
	quits := w.wire(t, withoutDatabase)
	quits.send(mysql.COM_QUIT)
	quits.closed()
	go func() {
		ctx, done := context.WithTimeout(context.Background(), patience)
		defer done()
		_ = w.server.Shutdown(ctx) // again by the world's own end
	}()
	if p := c.read(); p.number() != mysql.ER_SERVER_SHUTDOWN {
		t.Errorf("got %q, want 1053", p.payload)
	}
	c.closed()
}

func TestUseIsUnderstood(t *testing.T) {
	for text, want := range map[string]string{
		"use shop": "shop", "USE shop;": "shop", " use  `a``b` ": "a`b", "use": "", "use ": "", "user shop": "", "use `shop": "",
		"use a; drop table b": "", "select 1": "", "use a b": "",
	} {
		if got, ok := parseUse([]byte(text)); got != want && ok || ok != (want != "") {
			t.Errorf("%q: got %q %v, want %q", text, got, ok, want)
		}
	}
}
