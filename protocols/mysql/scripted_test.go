package mysql

import (
	"net"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// scripted is a server's end of a connection on which a test says what happens.
type scripted struct {
	conn net.Conn
}

// newScriptedServer lets every login in and then follows script.
func newScriptedServer(t testing.TB, script func(*scripted)) *wiretest.Peer {
	return wiretest.NewPeer(t, func(conn net.Conn) {
		s := &scripted{conn}
		st := &startup{offered: offer(""), id: 7}
		st.scramble, st.plugin = newScramble(), mysql.AUTH_NATIVE_PASSWORD
		s.send(0, st.greeting("8.0.36"))
		if s.command() == nil {
			return
		}
		s.send(2, okPayload)
		script(s)
	})
}

// okPayload is a plain OK in autocommit mode.
var okPayload = []byte{0, 0, 0, 2, 0, 0, 0}

func (s *scripted) send(sequence byte, payload []byte) {
	// A client that is gone is the end of the script at its next read.
	_, _ = s.conn.Write(appendPacket(nil, sequence, payload))
}

func (s *scripted) ok() { s.send(1, okPayload) }

// command is the next packet's payload; nil at the end.
func (s *scripted) command() []byte {
	payload, _, err := readPacket(s.conn, 1<<20)
	if err != nil {
		return nil
	}
	return payload
}
