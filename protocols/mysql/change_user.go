package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// windowConn reads what the relay has read of its client, and then on.
type windowConn struct {
	net.Conn
	window *window.Window
}

func (c windowConn) Read(p []byte) (int, error) {
	if b := c.window.Bytes(); len(b) > 0 {
		n := copy(p, b)
		c.window.Discard(n)
		return n, nil
	}
	return c.Conn.Read(p)
}

// changeUser lets the client authenticate anew, for the same workspace and with
// the same rights, and makes the backend's session as new. No reply is owed, so
// that the frontend's direction alone talks to the client. command is a
// COM_CHANGE_USER
// (https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_change_user.html).
func (r *relay) changeUser(ctx context.Context, command []byte) error {
	next, err := parseChangeUser(command)
	r.fromFrontend.Discard(headerLen + len(command))
	st := talk{conn: windowConn{r.front, &r.fromFrontend}, sequence: 1, switches: true, plugin: next.plugin}
	if err != nil {
		return malformed()
	}
	login, err := r.login(ctx, next.user, next.database)
	if err != nil {
		_ = st.refuse(unreachable(r.live))
		return fmt.Errorf("change user: %w", err)
	}
	last, err := st.authenticate(login)
	if err != nil || !login.Route.SameLogin(r.route) {
		r.protocol.guard.Failed(ctx, r.front.RemoteAddr())
		_ = st.refuse(accessDenied(next.user))
		return errors.Join(errChangeUser, err)
	}
	if last != nil {
		if err := st.send(last); err != nil {
			return fmt.Errorf("write frontend: %w", err)
		}
	}
	r.mu.Lock()
	r.track.statements.forgetAll()
	r.track.owe(mysql.COM_RESET_CONNECTION)
	r.track.quiet = freshSteps - 1
	r.track.shift = st.sequence - 1
	r.arm()
	r.mu.Unlock()
	return r.writeBackend(r.back.freshen(nil, next.charset))
}

// errChangeUser ends a session whose client failed to authenticate anew, and
// was told so: who it is now is not known.
var errChangeUser = errors.New("change user: refused")

// login looks a login up; without a database it is the session's own.
func (r *relay) login(ctx context.Context, user, database string) (workspace.Login, error) {
	if database == "" {
		database = r.route.Database
	}
	return r.protocol.config.Directory.Login(ctx, workspace.MySQL, user, database)
}

// newUser is who a client says to be from now on, and where.
type newUser struct {
	user, database string
	charset        uint16 // a collation's number
	plugin         string // that its proof is to be made with; empty where it names none
}

// parseChangeUser reads a COM_CHANGE_USER up to its plugin; the client is asked
// for a new proof anyway.
func parseChangeUser(command []byte) (newUser, error) {
	f := fields{b: command}
	f.byte()
	n := newUser{user: f.cstring()}
	f.take(int(f.byte()))
	n.database = f.lastCstring()
	if f.bad {
		return newUser{}, errMalformed
	}
	if n.charset = f.uint16(); f.bad || n.charset == 0 {
		n.charset = greetingCharset
	}
	n.plugin = f.lastCstring()
	return n, nil
}

var _ io.ReadWriter = windowConn{}
