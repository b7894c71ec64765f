package postgres

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// noted has the ends of c's connections noted.
func noted(t *testing.T, c *pgconn.Config) *pgconn.Config {
	c.DialFunc = func(_ context.Context, network, addr string) (net.Conn, error) {
		return wiretest.NoteEnd(wiretest.Dial(t, network, addr)), nil
	}
	return c
}

// kept is a connection that its client can't close.
type kept struct{ net.Conn }

func (kept) Close() error { return nil }

// refused is the connection of a login that must be refused with that SQLSTATE.
// before is called when the connection is in TLS.
func refused(t *testing.T, c *pgconn.Config, code string, before func()) net.Conn {
	t.Helper()
	var secured net.Conn
	noted(t, c).AfterNetConnect = func(_ context.Context, _ *pgconn.Config, conn net.Conn) (net.Conn, error) {
		t.Cleanup(func() { conn.Close() })
		secured = conn
		before()
		return kept{conn}, nil
	}
	if got := refusal(t, c).Code; got != code {
		t.Errorf("got SQLSTATE %s, want %s", got, code)
	}
	return secured
}

func TestEveryEndIsAnnouncedInTLS(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{MaxConnections: 1}))
	session := func(t *testing.T) *wire { return rawWire(t, dialConfig(t, noted(t, w.config(t)))) }
	for name, end := range map[string]func(*testing.T) net.Conn{
		"the client quits": func(t *testing.T) net.Conn {
			c := session(t)
			c.send(frame('X'))
			return c.conn
		},
		"the server's patience is over": func(t *testing.T) net.Conn {
			c := session(t)
			c.send(query("set idle_session_timeout = 1"))
			return c.conn
		},
		"the server ends it": func(t *testing.T) net.Conn {
			c := session(t)
			mustExec(t, adminConn(t, "postgres"), fmt.Sprintf("select pg_terminate_backend(%d)", w.last().back.pid))
			return c.conn
		},
		"the workspace is deleted": func(t *testing.T) net.Conn {
			c := session(t)
			w.last().Stop(protocols.Deleted)
			return c.conn
		},
		"a wrong password": func(t *testing.T) net.Conn {
			c := w.config(t)
			c.Password = "wrong"
			return refused(t, c, codeInvalidPassword, func() {})
		},
		"a full workspace": func(t *testing.T) net.Conn {
			session(t)
			return refused(t, w.config(t), codeTooManyConnections, func() {})
		},
		"a cancel request": func(t *testing.T) net.Conn {
			conn := w.dialTLS(t)
			if _, err := conn.Write(join(word(16), word(cancelRequestCode), word(1), word(1))); err != nil {
				t.Fatal(err)
			}
			return conn
		},
	} {
		t.Run(name, func(t *testing.T) { wiretest.AnnouncedEnd(t, end(t)) })
	}
}

func TestTheEndsOfADrainAreAnnouncedInTLS(t *testing.T) {
	w := newWorld(t)
	idle := rawWire(t, dialConfig(t, noted(t, w.config(t))))
	drained := make(chan error, 1)
	late := refused(t, w.config(t), codeAdminShutdown, func() {
		go func() { drained <- w.server.Shutdown(t.Context()) }()
		wiretest.AnnouncedEnd(t, idle.conn)
	})
	wiretest.AnnouncedEnd(t, late)
	if err := <-drained; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}
