package wiretest

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/tenantsdb/tenantsdb/protocols"
)

// Drained is a server's end of a connection after its TLS handshake, whose other
// end reads everything.
func Drained(t testing.TB) *tls.Conn {
	t.Helper()
	cert := NewCertificate(t)
	near, far := net.Pipe()
	shaken := make(chan error, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		shaken <- tls.Client(far, cert.Client()).Handshake()
		_, _ = io.Copy(io.Discard, struct{ io.Reader }{far}) // ends with the pipe
	}()
	t.Cleanup(func() {
		near.Close()
		<-drained
	})
	conn := tls.Server(near, cert.Server())
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	return conn
}

// NoAllocation does exchange, which brings relay in bytes from the client and
// out bytes for it, a thousand times: none may allocate. The race detector makes
// sync.Pool forget at random, so that this means something only without it.
func NoAllocation(t testing.TB, relay protocols.Relay, exchange func(), in, out int) {
	t.Helper()
	const times = 1000
	if n := testing.AllocsPerRun(times, exchange); n != 0 {
		t.Errorf("%v allocations an exchange", n)
	}
	const done = times + 1 // with the one that AllocsPerRun does before it counts
	if gotIn, gotOut := relay.Traffic(); gotIn != done*int64(in) || gotOut != done*int64(out) {
		t.Errorf("traffic: got %d and %d, want %d and %d", gotIn, gotOut, done*in, done*out)
	}
}
