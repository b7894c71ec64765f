package workspace

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	sourceDial     = 10 * time.Second
	sourceSilence  = 10 * time.Minute // that a live database may take before it sends rows
	mostFromSource = 64 << 20         // bytes that a live database may send
)

// errSourceTooLarge ends the reading of a database that sends without end.
var errSourceTooLarge = errors.New("the database sends more than a schema")

// ForRows is the login for reading rows, of which there may be any number.
func (l SourceLogin) ForRows() SourceLogin {
	l.data = true
	return l
}

// Dial connects to the server. The connection ends when it has given more than
// any schema is long, so that a server can't fill our memory; one for rows ends
// when the server says nothing for too long.
func (l SourceLogin) Dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{Timeout: sourceDial}
	conn, err := dialer.DialContext(ctx, "tcp", l.Address())
	if err != nil {
		return nil, err
	}
	if l.data {
		return &livelyConn{Conn: conn, silence: sourceSilence}, nil
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

// livelyConn ends a read or a write that waits longer than silence. Deadlines
// that others set are kept where they are earlier.
type livelyConn struct {
	net.Conn
	silence time.Duration

	mu          sync.Mutex
	read, write time.Time // deadlines of others
}

func (c *livelyConn) Read(p []byte) (int, error) {
	if err := c.extend(&c.read, c.Conn.SetReadDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *livelyConn) Write(p []byte) (int, error) {
	if err := c.extend(&c.write, c.Conn.SetWriteDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// extend sets the deadline of what begins now.
func (c *livelyConn) extend(theirs *time.Time, set func(time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ours := time.Now().Add(c.silence)
	if !theirs.IsZero() && theirs.Before(ours) {
		ours = *theirs
	}
	return set(ours)
}

func (c *livelyConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *livelyConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = t
	return c.Conn.SetReadDeadline(t)
}

func (c *livelyConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write = t
	return c.Conn.SetWriteDeadline(t)
}
