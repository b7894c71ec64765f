package mysql

import (
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// A server that was taken over asks for files that nobody loads.
func TestAFileThatNobodyLoadsIsNotAskedFor(t *testing.T) {
	const load = "load data local infile 'goods' into table t"
	for name, c := range map[string]struct {
		without uint32
		ask     func(*wire)
	}{
		"a client without files": {mysql.CLIENT_LOCAL_FILES, func(c *wire) { c.query(load) }},
		"a query":                {0, func(c *wire) { c.query("select 'local' from t") }},
		"a setting":              {0, func(c *wire) { c.query("SET NAMES utf8mb4") }},
		"several":                {0, func(c *wire) { c.query("select 1; select 'l'") }},
		"an execution":           {0, func(c *wire) { c.send(mysql.COM_STMT_EXECUTE, []byte{1, 0, 0, 0, 0, 1, 0, 0, 0}) }},
		"a server's line":        {0, func(c *wire) { c.send(mysql.COM_PROCESS_INFO) }},
	} {
		t.Run(name, func(t *testing.T) {
			type heard struct {
				payload  []byte
				sequence byte
			}
			answers := make(chan heard, 2)
			peer := newScriptedServer(t, func(s *scripted) {
				for range 2 {
					s.command()
					s.send(1, []byte("\xfb/etc/passwd"))
					payload, sequence, err := readPacket(s.conn, 1<<20)
					if err != nil {
						return
					}
					answers <- heard{payload, sequence}
					s.send(3, []byte{0, 0, 0, 0x0a, 0, 0, 0}) // and more
					s.send(4, []byte("\xfb/etc/shadow"))
					if payload, sequence, err = readPacket(s.conn, 1<<20); err != nil {
						return
					}
					answers <- heard{payload, sequence}
					s.send(6, okPayload)
				}
				s.command()
				s.ok()
			})
			w := newWorld(t, withBackend(peer.Addr))
			client := w.wire(t, func(i *identity) { i.capabilities &^= c.without })
			for range 2 {
				c.ask(client)
				if p := client.read(); p.number() != mysql.ER_NOT_ALLOWED_COMMAND || p.sequence != 1 {
					t.Fatalf("got %d %q, want 1148", p.sequence, p.payload)
				}
				for i := range byte(2) {
					if got := <-answers; len(got.payload) != 0 || got.sequence != 2+3*i {
						t.Errorf("the server got %d %q, want an empty packet", got.sequence, got.payload)
					}
				}
			}
			client.send(mysql.COM_PING)
			if p := client.read(); p.isError() || p.sequence != 1 {
				t.Errorf("ping: got %d %q", p.sequence, p.payload)
			}
		})
	}
}

// A request within a text that was not seen whole may be for what follows.
func TestStatementsThatLoadAFile(t *testing.T) {
	for text, want := range map[string]bool{
		"load data local infile 'x' into table t": true, " \n(LOAD XML LOCAL INFILE 'x'": true, "/*!40000 load data local inFile 'x' */": true,
		"-- now\nload data local infile 'x'": true, "select 1; load data local infile 'x'": true, ";load data local infile 'x'": true,
		"execute immediate concat('load data ', @rest)": true, "EXECUTE s": true, "call p()": true, "set statement a = 1 for load data local infile 'x'": true,
		"select 'load data local infile'": false, "select 1; select 2": false, "lock tables t read": false, "": false, "load": false, "load data local infil": false,
	} {
		if got := mayLoad([]byte(text), true); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
		if !mayLoad([]byte(text), false) {
			t.Errorf("%q and more: may load nothing", text)
		}
	}
}

// Without an answer the server would wait for the file, and no KILL ends that.
func TestAFileIsNotAskedForOnceTheTextFailed(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{MaxRowsPerQuery: 1}))
	c := w.wire(t)
	c.ask("create table lined (line varchar(100))")
	kinds, all := c.ask("select 1 union select 2; load data local infile 'goods.txt' into table lined")
	if last := all[len(all)-1]; last.number() != mysql.ER_TOO_BIG_SELECT {
		t.Errorf("got %s %q, want the row limit", kinds, last.payload)
	}
	c.usable()
}

// MariaDB runs such statements prepared.
func TestAPreparedStatementLoadsAFile(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t)
	c.ask("create table lined (line varchar(100))")
	if !isMariaDB(serverVersion(t)) {
		c.send(mysql.COM_STMT_PREPARE, []byte("load data local infile 'goods' into table lined"))
		if p := c.read(); p.number() != mysql.ER_UNSUPPORTED_PS {
			t.Errorf("got %q, want 1295", p.payload)
		}
		return
	}
	load := func(what string, ask func()) {
		t.Helper()
		ask()
		p := c.read()
		if string(p.payload) != "\xfbgoods" {
			t.Fatalf("%s: got %q, want a request for the file", what, p.payload)
		}
		c.write(p.sequence+1, []byte("a line\n"))
		c.write(p.sequence+2, nil)
		if kinds, all := c.reply(); kinds != "K" {
			t.Fatalf("%s: got %s %q", what, kinds, all[0].payload)
		}
	}
	load("a text", func() { c.query("execute immediate concat('load data local in', \"file 'goods' into table lined\")") })
	c.send(mysql.COM_STMT_PREPARE, []byte("load data local infile 'goods' into table lined"))
	id := c.read().payload[1:5]
	for range 2 {
		load("an execution", func() { c.send(mysql.COM_STMT_EXECUTE, id, []byte{0, 1, 0, 0, 0}) })
	}
	if got := c.value("select count(*) from lined"); got != "3" {
		t.Errorf("%s lines, want 3", got)
	}
}
