package redis

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// backend is a connection to the physical server, in the workspace's database
// and authenticated as its role, in RESP2 while nobody relays on it.
type backend struct {
	conn net.Conn
	born time.Time
	id   int64 // the server's for it, which CLIENT ID tells
	// informed says that a client told its library (CLIENT SETINFO).
	informed bool
	// last are commands that the session left to be sent, and how many.
	last  []byte
	lasts int32
}

// serverError is an error that the server answered, without its "-".
type serverError string

func (e serverError) Error() string { return "server: " + string(e) }

// dial opens a backend for route. The role may not SELECT, so that the
// server's administrator does, before the connection becomes the role's.
func (p *Protocol) dial(ctx context.Context, route workspace.Route) (*backend, error) {
	conn, release, err := p.dialAdmin(ctx, route.Address)
	if err != nil {
		return nil, err
	}
	defer release()
	setup := appendCommand(nil, "SELECT", route.Database)
	setup = appendCommand(setup, "AUTH", route.Role, route.Password)
	setup = appendCommand(setup, "CLIENT", "ID")
	answer, err := exchange(conn, setup, 3)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("backend handshake: %w", err)
	}
	id, ok := answer.(int64)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("backend handshake: client id: %w", errAnswer)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		conn.Close()
		return nil, fmt.Errorf("backend handshake: clear deadline: %w", err)
	}
	return &backend{conn: conn, born: time.Now(), id: id}, nil
}

// dialAdmin connects to the physical server as its administrator. Until release
// is called, the end of ctx ends what waits on conn.
func (p *Protocol) dialAdmin(ctx context.Context, address workspace.Address) (conn net.Conn, release func(), err error) {
	conn, err = new(net.Dialer).DialContext(ctx, address.Network, address.Addr)
	if err != nil {
		return nil, nil, fmt.Errorf("backend: %w", err)
	}
	conn = window.NewSocket(conn)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(window.Past) })
	release = func() { stop() }
	if address.TLS != nil {
		conn = tls.Client(conn, address.TLS)
	}
	user, password := "", ""
	if p.config.Admin != nil {
		user, password = p.config.Admin(address)
	}
	login := []string{"AUTH", user, password}
	switch {
	case password == "":
		return conn, release, nil
	case user == "":
		login = []string{"AUTH", password}
	}
	if _, err := exchange(conn, appendCommand(nil, login...), 1); err != nil {
		release()
		conn.Close()
		return nil, nil, fmt.Errorf("backend handshake as administrator: %w", err)
	}
	return conn, release, nil
}

// exchange sends n commands and reads their answers. It gives the last one, and
// the first error.
func exchange(conn net.Conn, commands []byte, n int) (answer any, err error) {
	if _, err := conn.Write(commands); err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(conn, 1<<10)
	var failed error
	for range n {
		answer, err = readAnswer(in)
		if err != nil {
			if _, refused := errors.AsType[serverError](err); !refused {
				return nil, err
			}
			if failed == nil {
				failed = err
			}
		}
	}
	return answer, failed
}

// reset makes the backend as new for the next session: in RESP2, without a
// name, watching nothing. What a reset does not undo ended the backend before.
// An error means that it must be closed.
func (b *backend) reset(multi bool) error {
	return window.Reset(b.conn, func() error { return b.restore(multi) })
}

// restore sends what undoes the session, in one write, and reads its replies.
func (b *backend) restore(multi bool) error {
	commands, n := []byte(nil), 3
	if multi {
		commands, n = append(commands, discardCommand...), 4
	}
	commands, n = append(commands, b.last...), n+int(b.lasts)
	b.last, b.lasts = nil, 0
	commands = appendCommand(commands, "UNWATCH")
	commands = appendCommand(commands, "CLIENT", "SETNAME", "")
	commands = appendCommand(commands, "HELLO", "2")
	if _, err := exchange(b.conn, commands, n); err != nil {
		return err
	}
	if err := b.forgetLibrary(); err != nil {
		return fmt.Errorf("forget library: %w", err)
	}
	return nil
}

// forgetLibrary takes back what a client told of its library. Redis knows of
// that from 7.2 on.
func (b *backend) forgetLibrary() error {
	if !b.informed {
		return nil
	}
	b.informed = false
	commands := appendCommand(nil, "CLIENT", "SETINFO", "LIB-NAME", "")
	commands = appendCommand(commands, "CLIENT", "SETINFO", "LIB-VER", "")
	_, err := exchange(b.conn, commands, 2)
	if _, refused := errors.AsType[serverError](err); refused {
		return nil
	}
	return err
}

// Conn is the connection, for the pool.
func (b *backend) Conn() net.Conn { return b.conn }

// Born is when the backend was dialled.
func (b *backend) Born() time.Time { return b.born }

// Close ends the backend's session on the server.
func (b *backend) Close() { b.conn.Close() }
