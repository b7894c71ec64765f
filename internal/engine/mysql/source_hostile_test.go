package mysql

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// shortener stands before the server, whose packet of one number it cuts to a
// length; all others pass.
type shortener struct {
	listener net.Listener
	packet   int
	length   int
	cut      bool // it was that long
	work     sync.WaitGroup
}

func newShortener(t *testing.T, packet, length int) *shortener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &shortener{listener: l, packet: packet, length: length}
	s.work.Go(s.serve)
	return s
}

func (s *shortener) serve() {
	front, err := s.listener.Accept()
	if err != nil {
		return
	}
	defer front.Close()
	back, err := net.Dial("unix", server.socket)
	if err != nil {
		return
	}
	defer back.Close()
	s.work.Go(func() {
		io.Copy(back, front)
		back.Close()
	})
	header := make([]byte, 4)
	for n := 0; ; n++ {
		if _, err := io.ReadFull(back, header); err != nil {
			return
		}
		body := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
		if _, err := io.ReadFull(back, body); err != nil {
			return
		}
		if n == s.packet && len(body) > s.length {
			s.cut, body = true, body[:s.length]
			header[0], header[1], header[2] = byte(s.length), byte(s.length>>8), 0
		}
		if _, err := front.Write(append(header[:4:4], body...)); err != nil || s.cut {
			return
		}
	}
}

// Whoever is named as a live database may send anything: a packet that is cut at
// any place is an error, and no end of the program.
func TestSourceThatSendsLessThanAPacket(t *testing.T) {
	e := newEngine(t)
	from := newWorkspace(t, e)
	login := loginTo(t, from)
	login.TLS = "off"
	for packet := range 16 {
		for length, cut := 0, true; cut && length < 120; length++ {
			s := newShortener(t, packet, length)
			login.Port = int64(s.listener.Addr().(*net.TCPAddr).Port)
			_, err := Source{}.Statements(t.Context(), login)
			s.listener.Close()
			s.work.Wait()
			cut = s.cut
			if cut && workspace.ErrorCode(err) != workspace.BadRequest {
				t.Errorf("packet %d of %d bytes: got %v", packet, length, err)
			}
			if err != nil && strings.Contains(err.Error(), from.Password) {
				t.Errorf("packet %d of %d bytes: the error has the password: %v", packet, length, err)
			}
		}
	}
}
