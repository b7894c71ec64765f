package wiretest

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/protocols"
)

// Server is the part of the proxy's server that a listener needs.
type Server interface {
	Serve(l net.Listener, name string, protocol protocols.Protocol) error
	Shutdown(ctx context.Context) error
}

// Protocol is a wire protocol with what it keeps warm, which Close ends.
type Protocol interface {
	protocols.Protocol
	Close()
}

// Listen has server serve protocol, by its name in logs, on a port of 127.0.0.1
// and gives the address. When the test is over, sessions that are still there
// have a second to end, and the protocol is closed after them.
func Listen(t testing.TB, server Server, name string, protocol Protocol) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l, name, protocol) }()
	t.Cleanup(func() {
		ctx, done := context.WithTimeout(context.Background(), time.Second)
		defer done()
		if err := server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		protocol.Close()
	})
	return l.Addr().String()
}

// Dial connects to a proxy, or to a server itself, and gives the test a minute
// for what it does on the connection.
func Dial(t testing.TB, network, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}
