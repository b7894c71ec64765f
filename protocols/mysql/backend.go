package mysql

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// backend is a connection to the physical server, authenticated as a
// workspace's role, at rest between commands while nobody relays on it.
type backend struct {
	conn         net.Conn
	id           uint32 // the server's number of the connection
	capabilities capabilities
	charset      byte
	database     string // the default; empty where there is none
	welcome      []byte // the payload of the OK that ended the login
	born         time.Time

	// kills are the KILLs on their way to this backend. It is not reused
	// before they arrived: one that comes late would hit the next session.
	kills sync.WaitGroup
}

// maxBackendLogin bounds a packet of a server before it let us in.
const maxBackendLogin = 64 << 10

// missingError says that a server does not have what was agreed on with the
// client.
type missingError struct{ capabilities capabilities }

func (e *missingError) Error() string {
	return fmt.Sprintf("server lacks capabilities %#x, extended %#x", e.capabilities.base, e.capabilities.extended)
}

// dial opens a backend for key's capabilities and character set.
func dial(ctx context.Context, key poolKey, route workspace.Route) (*backend, error) {
	born := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, route.Address.Network, route.Address.Addr)
	if err != nil {
		return nil, fmt.Errorf("backend: %w", err)
	}
	conn = window.NewSocket(conn)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(window.Past) })
	l := &backendLogin{raw: conn, key: key, route: route}
	b, err := l.run(ctx)
	if !stop() && err == nil {
		err = ctx.Err() // the deadline in the past may come any moment
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		conn.Close()
		if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("backend handshake: %w", err)
	}
	b.born = born
	return b, nil
}

// refusedPassword says whether a dial failed because the server does not take
// the role's password.
func refusedPassword(err error) bool {
	switch numberOf(err) {
	case mysql.ER_ACCESS_DENIED_ERROR, mysql.ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
		return true
	}
	return false
}

// isFull says whether the server refused a connection for want of a slot.
func isFull(err error) bool {
	switch numberOf(err) {
	case mysql.ER_CON_COUNT_ERROR, mysql.ER_TOO_MANY_USER_CONNECTIONS:
		return true
	}
	return false
}

// dialFailure says what the client may know of a failed dial: the server's own
// words where it is full, nothing of our credentials.
func dialFailure(err error, live *workspace.Live) *failure {
	if e, ok := errors.AsType[*serverError](err); ok && isFull(err) {
		return (*failure)(e)
	}
	return unreachable(live)
}

// maxBackendReply bounds a packet of a reply that we read ourselves.
const maxBackendReply = 64 << 10

// reset makes the backend as new for the next session with the same
// capabilities and character set. An error means that it must be closed.
func (b *backend) reset() error {
	b.kills.Wait()
	return window.Reset(b.conn, b.restore)
}

// restore sends what freshens prepares, in one write, and reads its replies.
func (b *backend) restore() error {
	commands := b.freshen(nil, uint16(b.charset))
	if _, err := b.conn.Write(commands); err != nil {
		return err
	}
	for step := range freshSteps {
		err := b.readOK()
		if err != nil && (step != freshCharset || numberOf(err) == 0) {
			return err
		}
	}
	return nil
}

// The steps of freshen, by the order of their replies. The server may not know
// the client's character set, and then uses its own, as after the login.
const (
	freshSession = iota
	freshCharset
	freshOption
	freshDatabase
	freshSteps
)

// freshen adds the commands that make a session as new. charset is a
// collation's number, as in the handshake.
func (b *backend) freshen(dst []byte, charset uint16) []byte {
	dst = appendPacket(dst, 0, []byte{mysql.COM_RESET_CONNECTION})
	set := fmt.Sprintf("SET character_set_client=%d,character_set_results=%[1]d,collation_connection=%[1]d", charset)
	dst = b.appendQuery(dst, set)
	dst = appendPacket(dst, 0, optionOf(b.capabilities.has(mysql.CLIENT_MULTI_STATEMENTS)))
	if b.database == "" {
		return appendPacket(dst, 0, []byte{mysql.COM_PING}) // it can't have been left
	}
	return appendPacket(dst, 0, append([]byte{mysql.COM_INIT_DB}, b.database...))
}

// appendQuery adds a COM_QUERY of a short text.
func (b *backend) appendQuery(dst []byte, text string) []byte {
	payload := []byte{mysql.COM_QUERY}
	if b.capabilities.has(mysql.CLIENT_QUERY_ATTRIBUTES) {
		payload = append(payload, 0, 1) // none, in one set
	}
	return appendPacket(dst, 0, append(payload, text...))
}

// exec runs a statement without a result set.
func (b *backend) exec(text string) error {
	if _, err := b.conn.Write(b.appendQuery(nil, text)); err != nil {
		return err
	}
	return b.readOK()
}

// setUp runs what a client has said in the lobby.
func (b *backend) setUp(ctx context.Context, st *startup) error {
	asIs := st.multi == b.capabilities.has(mysql.CLIENT_MULTI_STATEMENTS)
	if asIs && len(st.remembered) == 0 {
		return nil
	}
	return b.within(ctx, func(b *backend) error {
		if !asIs {
			if _, err := b.conn.Write(appendPacket(nil, 0, optionOf(st.multi))); err != nil {
				return fmt.Errorf("set up session: %w", err)
			}
			if err := b.readOK(); err != nil {
				return fmt.Errorf("set up session: %w", err)
			}
		}
		for _, s := range st.remembered {
			if err := b.set(s); err != nil {
				return fmt.Errorf("set up session: %w", err)
			}
		}
		return nil
	})
}

// optionOf is the command that says whether several statements may stand in one
// text.
func optionOf(several bool) []byte {
	if several {
		return []byte{mysql.COM_SET_OPTION, 0, 0}
	}
	return []byte{mysql.COM_SET_OPTION, 1, 0}
}

// readOK reads a reply of one packet, OK or ERR.
func (b *backend) readOK() error {
	payload, _, err := readPacket(b.conn, maxBackendReply)
	if err != nil {
		return err
	}
	if len(payload) == 0 {
		return errMalformed
	}
	switch payload[0] {
	case mysql.OK_HEADER, mysql.EOF_HEADER:
		return nil
	case mysql.ERR_HEADER:
		return parseError(payload)
	}
	return fmt.Errorf("unexpected reply of type %d", payload[0])
}

// Conn is the connection, for the pool.
func (b *backend) Conn() net.Conn { return b.conn }

// Born is when the backend was dialled.
func (b *backend) Born() time.Time { return b.born }

// Close ends the backend's session on the server.
func (b *backend) Close() {
	// A goodbye that can't be written changes nothing: the socket closes.
	_ = b.conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = b.conn.Write(appendPacket(nil, 0, []byte{mysql.COM_QUIT}))
	b.conn.Close()
}

// secureTransport says whether what we send can't be read by others.
func secureTransport(conn net.Conn) bool {
	_, encrypted := conn.(*tls.Conn)
	return encrypted || conn.RemoteAddr().Network() == "unix"
}
