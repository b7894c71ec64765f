package workspace

import (
	"context"
	"errors"
	"net"
	"time"
)

const (
	sourceDial     = 10 * time.Second
	mostFromSource = 64 << 20 // bytes that a live database may send
)

// errSourceTooLarge ends the reading of a database that sends without end.
var errSourceTooLarge = errors.New("the database sends more than a schema")

// Dial connects to the server. The connection ends when it has given more than
// any schema is long, so that a server can't fill our memory.
func (l SourceLogin) Dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{Timeout: sourceDial}
	conn, err := dialer.DialContext(ctx, "tcp", l.Address())
	if err != nil {
		return nil, err
	}
	return &boundedConn{Conn: conn, left: mostFromSource}, nil
}

// boundedConn gives a number of bytes and then an error.
type boundedConn struct {
	net.Conn
	left int
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errSourceTooLarge
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
