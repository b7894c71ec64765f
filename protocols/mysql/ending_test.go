package mysql

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// refused is the connection of a login that must be refused with that number.
// before is called in the TLS handshake.
func (w *world) refused(t *testing.T, who identity, number int, before func()) net.Conn {
	t.Helper()
	config := w.cert.Client()
	config.VerifyConnection = func(tls.ConnectionState) error {
		before()
		return nil
	}
	c, err := login(t, wiretest.Dial(t, "tcp", w.addr), who, config)
	if refusedWith(err) != number {
		t.Fatalf("got %v, want %d", err, number)
	}
	return c.conn
}

func TestEveryEndIsAnnouncedInTLS(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{MaxConnections: 1}))
	admin := adminDB(t)
	for name, end := range map[string]func(*testing.T) net.Conn{
		"the client quits": func(t *testing.T) net.Conn {
			c := w.wire(t)
			c.send(mysql.COM_QUIT)
			return c.conn
		},
		"the server's patience is over": func(t *testing.T) net.Conn {
			c := w.wire(t)
			c.query("set wait_timeout = 1")
			return c.conn
		},
		"the server ends it": func(t *testing.T) net.Conn {
			c := w.wire(t)
			mustExec(t, admin, "kill "+connectionID(t, c))
			return c.conn
		},
		"the workspace is deleted": func(t *testing.T) net.Conn {
			c := w.wire(t)
			w.last().Stop(protocols.Deleted)
			return c.conn
		},
		"a wrong password": func(t *testing.T) net.Conn {
			who := w.identity()
			who.password = "wrong"
			return w.refused(t, who, mysql.ER_ACCESS_DENIED_ERROR, func() {})
		},
		"a full workspace": func(t *testing.T) net.Conn {
			w.wire(t)
			return w.refused(t, w.identity(), mysql.ER_CON_COUNT_ERROR, func() {})
		},
	} {
		t.Run(name, func(t *testing.T) { wiretest.AnnouncedEnd(t, end(t)) })
	}
}

func TestTheEndsOfADrainAreAnnouncedInTLS(t *testing.T) {
	w := newWorld(t)
	idle := w.wire(t)
	drained := make(chan error, 1)
	late := w.refused(t, w.identity(), mysql.ER_SERVER_SHUTDOWN, func() {
		go func() { drained <- w.server.Shutdown(t.Context()) }()
		wiretest.AnnouncedEnd(t, idle.conn)
	})
	wiretest.AnnouncedEnd(t, late)
	if err := <-drained; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}
