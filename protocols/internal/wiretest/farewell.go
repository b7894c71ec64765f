package wiretest

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"testing"
)

// dialled is a client's connection that notes its end.
type dialled struct {
	net.Conn
	ended bool
}

func (d *dialled) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	d.ended = d.ended || err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
	return n, err
}

// CloseWrite says to the other end that nothing more comes.
func (d *dialled) CloseWrite() error { return d.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// AnnouncedEnd reads conn, a client's connection in TLS over one of Dial, to its
// end, and fails where that came without a close_notify: crypto/tls gives io.EOF
// either way, and reads the connection's end only where there was none.
func AnnouncedEnd(t testing.TB, conn net.Conn) {
	t.Helper()
	secured, ok := conn.(*tls.Conn)
	if !ok {
		t.Fatalf("got a %T, want a connection in TLS", conn)
	}
	if _, err := io.Copy(io.Discard, secured); err != nil || secured.NetConn().(*dialled).ended {
		t.Errorf("the end: got %v, want it announced", err)
	}
}
