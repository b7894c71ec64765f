package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// farewellTimeout bounds the announcement of the end to a client that does not
// read.
const farewellTimeout = time.Second

// frontend is a client's connection on its way to its end.
type frontend struct {
	conn    net.Conn
	secured *tls.Conn // conn in TLS; nil before that
}

// secure notes that the client speaks TLS from here on.
func (f *frontend) secure(conn *tls.Conn) { f.secured = conn }

// close closes the connection, when nobody reads or writes it any more.
func (f *frontend) close() {
	f.announceEnd()
	f.conn.Close()
}

// announceEnd sends TLS's close_notify. An end without it may be anybody's doing:
// to OpenSSL it is an error of its own, after which clients do not connect anew.
func (f *frontend) announceEnd() {
	if f.secured == nil || f.broken() {
		return
	}
	late := time.AfterFunc(farewellTimeout, func() { f.conn.Close() })
	defer late.Stop()
	// The client may be gone, which is why the connection ends.
	_ = f.secured.CloseWrite()
}

// past is a deadline that makes a read say what is known already.
var past = time.Unix(1, 0)

// broken says whether the connection failed: behind a record that was not
// written whole an announcement can't be read, and a client that was lost amid
// one of its own waits for none. TLS keeps such errors and gives them again.
func (f *frontend) broken() bool {
	if _, err := f.secured.Write(nil); err != nil {
		return true
	}
	if err := f.secured.SetReadDeadline(past); err != nil {
		return true
	}
	var one [1]byte
	_, err := f.secured.Read(one[:])
	return err != nil && err != io.EOF && !errors.Is(err, os.ErrDeadlineExceeded)
}
