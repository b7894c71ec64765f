package wiretest

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"testing"
)

// noted is a client's connection of which it is known whether its end was read.
type noted struct {
	net.Conn
	ended bool
}

// NoteEnd is raw for a client's TLS, whose AnnouncedEnd is asked for.
func NoteEnd(raw net.Conn) net.Conn { return &noted{Conn: raw} }

func (n *noted) Read(b []byte) (int, error) {
	read, err := n.Conn.Read(b)
	n.ended = n.ended || err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
	return read, err
}

// AnnouncedEnd reads conn, a client's connection in TLS over one of NoteEnd, to
// its end, and fails where that came without a close_notify: crypto/tls gives
// io.EOF either way, and reads the end of what is under it only where there was
// none.
func AnnouncedEnd(t testing.TB, conn net.Conn) {
	t.Helper()
	secured, ok := conn.(*tls.Conn)
	if !ok {
		t.Fatalf("got a %T, want a connection in TLS", conn)
	}
	if _, err := io.Copy(io.Discard, secured); err != nil || secured.NetConn().(*noted).ended {
		t.Errorf("the end: got %v, want it announced", err)
	}
}
