package redis

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func TestEveryEndIsAnnouncedInTLS(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{MaxConnections: 1})
	login := appendCommand(nil, "AUTH", s.live.Name, testPassword)
	for name, end := range map[string]func(*testing.T) net.Conn{
		"the client quits": func(t *testing.T) net.Conn {
			c := s.connect(t)
			c.send(appendCommand(nil, "QUIT"))
			return c.conn
		},
		"the client just leaves": func(t *testing.T) net.Conn {
			c := s.connect(t)
			if err := c.conn.(*tls.Conn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			return c.conn
		},
		"the server ends it": func(t *testing.T) net.Conn {
			c := s.connect(t)
			id := strings.Trim(c.must("CLIENT", "ID"), ":\r\n")
			s.admin(t).must("CLIENT", "KILL", "ID", id)
			return c.conn
		},
		"the server's patience is over": func(t *testing.T) net.Conn {
			c := s.connect(t)
			c.must("PING")
			admin := s.admin(t)
			admin.must("CONFIG", "SET", "timeout", "1")
			t.Cleanup(func() { s.admin(t).must("CONFIG", "SET", "timeout", "0") })
			return c.conn
		},
		"the workspace is deleted": func(t *testing.T) net.Conn {
			c := s.connect(t)
			c.must("PING")
			w.watched.Last().Stop(protocols.Deleted)
			return c.conn
		},
		"a wrong password": func(t *testing.T) net.Conn {
			c := w.stranger(t)
			for range maxFailures {
				c.want(errWrongPass+"\r\n", "AUTH", s.live.Name, "wrong")
			}
			return c.conn
		},
		"a stranger quits": func(t *testing.T) net.Conn {
			c := w.stranger(t)
			c.want("+OK\r\n", "QUIT")
			return c.conn
		},
		"a full workspace": func(t *testing.T) net.Conn {
			s.connect(t)
			c := w.stranger(t)
			c.send(login)
			if got := c.read(); got != "-ERR max number of clients reached\r\n" {
				t.Errorf("got %q", got)
			}
			return c.conn
		},
	} {
		t.Run(name, func(t *testing.T) { wiretest.AnnouncedEnd(t, end(t)) })
	}
}

func TestTheEndsOfADrainAreAnnouncedInTLS(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{})
	idle, late := s.connect(t), w.stranger(t)
	idle.must("PING")
	drained := make(chan error, 1)
	go func() { drained <- w.server.Shutdown(t.Context()) }()
	wiretest.AnnouncedEnd(t, idle.conn)
	late.want("-ERR the proxy is shutting down\r\n", "AUTH", s.live.Name, testPassword)
	wiretest.AnnouncedEnd(t, late.conn)
	if err := <-drained; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}
