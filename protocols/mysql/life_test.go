package mysql

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func TestDrainingEndsAnIdleSessionAtOnce(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t)
	c.usable()
	w.last().Stop(protocols.Draining)
	if p := c.read(); p.number() != mysql.ER_SERVER_SHUTDOWN || p.sequence != 1 {
		t.Errorf("got %d %q, want 1053", p.sequence, p.payload)
	}
	c.closed()
}

func TestDrainingWaitsForTheStatement(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t)
	c.query("select sleep(0.7), 'done'")
	awaitRunning(t, w, "select sleep(0.7), 'done'")
	w.last().Stop(protocols.Draining)
	if kinds, _ := c.reply(); kinds != "CDDFRZ" {
		t.Errorf("the statement: got %s", kinds)
	}
	if p := c.read(); p.number() != mysql.ER_SERVER_SHUTDOWN {
		t.Errorf("got %q, want 1053", p.payload)
	}
	c.closed()
}

func TestADeletedWorkspaceDoesNotWait(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t)
	c.query("select sleep(60), 'doomed'")
	awaitRunning(t, w, "select sleep(60), 'doomed'")
	w.last().Stop(protocols.Deleted)
	if p := c.read(); p.number() != mysql.ER_BAD_DB_ERROR || !strings.Contains(p.text(), w.live.Name) {
		t.Errorf("got %q, want 1049", p.payload)
	}
	c.closed()
}

// A client that waits for nothing takes an error for that of its next statement,
// and the end alone for what it is.
func TestABackendThatClosesEndsTheSession(t *testing.T) {
	w := newWorld(t)
	admin := adminDB(t)
	idle := w.wire(t)
	mustExec(t, admin, "kill "+connectionID(t, idle))
	if p, err := idle.next(); err != io.EOF {
		t.Errorf("idle: got %q, %v, want the end", p.payload, err)
	}
	busy := w.wire(t)
	id := connectionID(t, busy)
	busy.query("select sleep(60), 'killed'")
	awaitRunning(t, w, "select sleep(60), 'killed'")
	mustExec(t, admin, "kill "+id)
	if p := busy.read(); p.number() != numberLost || p.sequence != 1 {
		t.Errorf("busy: got %d %q, want 1927", p.sequence, p.payload)
	}
	if p, err := busy.next(); err != io.EOF {
		t.Errorf("busy: got %q, %v, want the end", p.payload, err)
	}
}

func TestAnUnreachableBackendIsSaidInTheProtocol(t *testing.T) {
	w := newWorld(t, withBackend("/nonexistent/socket"))
	_, err := w.tryWire(t, w.identity())
	if refusedWith(err) != numberUnreachable || strings.Contains(err.Error(), "nonexistent") {
		t.Errorf("got %v, want 2003 without the address", err)
	}
}

// faults are servers that do what none should.
func TestAFaultyServerEndsItsSessionOnly(t *testing.T) {
	for name, script := range map[string]func(*scripted){
		"closes":                 func(*scripted) {},
		"closes in a header":     func(s *scripted) { _, _ = s.conn.Write([]byte{7, 0}) },
		"closes in a packet":     func(s *scripted) { _, _ = s.conn.Write([]byte{200, 0, 0, 1, 0, 0, 0, 2, 0}) },
		"closes in a result":     func(s *scripted) { s.send(1, []byte{2}); s.send(2, []byte("\x03def")) },
		"empty packet":           func(s *scripted) { s.send(1, nil) },
		"speaks twice":           func(s *scripted) { s.ok(); s.ok() },
		"unasked for":            func(s *scripted) { s.ok(); s.send(0, []byte("\xff\x86\x07#HY000idle too long")) },
		"file request mid reply": func(s *scripted) { s.send(1, []byte("\xfbx")); s.send(2, okPayload) },
	} {
		t.Run(name, func(t *testing.T) {
			peer := newScriptedServer(t, func(s *scripted) {
				if s.command() != nil {
					script(s)
				}
			})
			w := newWorld(t, withBackend(peer.Addr))
			c := w.wire(t)
			c.query("select 1")
			for {
				if _, err := c.next(); err != nil {
					break
				}
			}
			wiretest.Await(t, "the session ended", func() bool { return w.last().gone() })
			w.protocol.pool.Settle()
			w.awaitWarm(t, 0)
		})
	}
}

// What a file's sender still sends when the server has already answered must
// not be taken for commands.
func TestAFileThatTheServerDidNotWaitForEndsTheSession(t *testing.T) {
	heard := make(chan []byte, 1)
	peer := newScriptedServer(t, func(s *scripted) {
		s.command()
		s.send(1, []byte("\xfbgoods"))
		s.send(2, []byte("\xff\x28\x04#42000no"))
		heard <- s.command()
	})
	w := newWorld(t, withBackend(peer.Addr))
	c := w.wire(t)
	c.query("load data local infile 'goods' into table t")
	c.read()
	c.read()
	c.write(3, []byte("drop table t"))
	if p := c.read(); p.number() != mysql.ER_NET_PACKETS_OUT_OF_ORDER {
		t.Errorf("got %q, want 1156", p.payload)
	}
	c.closed()
	if command := <-heard; len(command) > 0 && command[0] != mysql.COM_QUIT {
		t.Errorf("the server heard %q", command)
	}
}

func TestAClientThatVanishesInAStatementLeavesNothing(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{QueryTimeoutMS: 5000}))
	for i := range 5 {
		c := w.wire(t)
		c.query(fmt.Sprintf("select sleep(60), %d", i))
		awaitRunning(t, w, fmt.Sprintf("select sleep(60), %d", i))
		c.conn.Close()
	}
	admin := adminDB(t)
	wiretest.Await(t, "no statement runs", func() bool {
		return one(t, admin, "select count(*) from information_schema.processlist where db = ? and command = 'Query'", w.route.Database) == "0"
	})
}

func TestAThousandBrokenConnectionsLeaveNothing(t *testing.T) {
	w := newWorld(t)
	w.wire(t).usable()
	before := wiretest.OpenFiles(t)
	dialer := net.Dialer{Timeout: patience}
	for i := range 1000 {
		conn, err := dialer.DialContext(context.Background(), "tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		junk := encode(1, append(handshakeHead(usual|mysql.CLIENT_SSL), 0x16, 3, 1, 0xff))[:i%41]
		_, _ = conn.Write(junk) // the other end may be gone
		conn.Close()
	}
	wiretest.Await(t, "the files are closed", func() bool { return wiretest.OpenFiles(t) <= before+2 })
	w.wire(t).usable()
}
