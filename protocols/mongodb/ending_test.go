package mongodb

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func TestEveryEndIsAnnouncedInTLS(t *testing.T) {
	w := newWorld(t)
	hasty := newWorld(t, func(s *setup) { s.handshakeTimeout = 2 * time.Second })
	s := w.workspace(t, workspace.Control, workspace.Settings{MaxConnections: 1})
	nowhere := w.workspaceAt(t, workspace.Address{Network: "unix", Addr: "/nowhere/at/all"}, workspace.Control, workspace.Settings{})
	ping := bson.D{{Key: "ping", Value: 1}}
	for name, end := range map[string]func(*testing.T) net.Conn{
		"the client leaves": func(t *testing.T) net.Conn {
			c := s.connect(t)
			if err := c.conn.(*tls.Conn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			return c.conn
		},
		"what is no message": func(t *testing.T) net.Conn {
			c := s.connect(t)
			c.send(make([]byte, headerSize))
			return c.conn
		},
		"the proxy's patience is over": func(t *testing.T) net.Conn { return hasty.stranger(t).conn },
		"the workspace is deleted": func(t *testing.T) net.Conn {
			c := s.connect(t)
			w.server.CloseWorkspace(t.Context(), s.live.ID)
			return c.conn
		},
		"wrong passwords": func(t *testing.T) net.Conn {
			c := w.stranger(t)
			for range maxFailures {
				c.refused(18, "", plainStart(testUser, "wrong"))
			}
			return c.conn
		},
		"a full workspace": func(t *testing.T) net.Conn {
			s.connect(t)
			c := w.user(t)
			c.refused(202, s.live.Name, s.cmd(ping))
			return c.conn
		},
		"the server can't be reached": func(t *testing.T) net.Conn {
			c := w.user(t)
			c.refused(codeHostUnreachable, nowhere.live.Name, nowhere.cmd(ping))
			return c.conn
		},
	} {
		t.Run(name, func(t *testing.T) { wiretest.AnnouncedEnd(t, end(t)) })
	}
}

func TestTheEndsOfADrainAreAnnouncedInTLS(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Control, workspace.Settings{})
	idle, late := s.connect(t), w.stranger(t)
	drained := make(chan error, 1)
	go func() { drained <- w.server.Shutdown(t.Context()) }()
	wiretest.AnnouncedEnd(t, idle.conn)
	late.try(appendMessage(nil, 1, 0, 0, encode(t, plainStart(testUser, testPassword))))
	wiretest.AnnouncedEnd(t, late.conn)
	if err := <-drained; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}
