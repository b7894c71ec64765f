package mysql

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

const (
	// maxStartup bounds a packet before the login.
	maxStartup = 10000
	// sslRequestLen is a HandshakeResponse41 up to the user's name.
	sslRequestLen = 32
	scrambleLen   = 20
	// greetingCharset is utf8mb4_general_ci, which MySQL and MariaDB have.
	greetingCharset = 45
	// nul ends a string.
	nul = 0
	// nameOfConnectorC is how MariaDB Connector/C names itself, by which its mysql program,
	// HeidiSQL and others connect.
	nameOfConnectorC = "\x0c_client_name\x0alibmariadb"
)

// startup is what a client said before it authenticated.
type startup struct {
	talk
	conn         *tls.Conn
	id           uint32 // the connection's number in the greeting
	offered      capabilities
	capabilities capabilities // agreed on
	charset      byte
	user         string
	database     string
	multi        bool      // statements may stand in one text
	remembered   []setting // statements of the lobby for the backend
	prepared     []preparedText
	waiting      []byte // the command, a packet, by which the client left the lobby
}

// session is an authenticated client that does not know it yet: what says so
// waits in last until a backend is there.
type session struct {
	protocol *Protocol
	startup  *startup
	route    workspace.Route
	last     []byte // payload that goes before the OK; nil where none does
}

// Handshake greets, upgrades to TLS and authenticates.
func (p *Protocol) Handshake(ctx context.Context, conn net.Conn) (protocols.Session, error) {
	st, err := p.readStartup(ctx, window.NewSocket(conn))
	if err != nil {
		return nil, err
	}
	login, err := p.login(ctx, st)
	if err != nil {
		return nil, errors.Join(st.refuse(noLogins()), err)
	}
	last, err := st.authenticate(login)
	if err != nil {
		p.guard.Failed(ctx, conn.RemoteAddr())
		return nil, errors.Join(st.refuse(accessDenied(st.user)), err)
	}
	p.guard.Succeeded(conn.RemoteAddr())
	s := &session{protocol: p, startup: st, route: login.Route, last: last}
	if s.route.Live != nil {
		return s, nil
	}
	l := lobby{startup: st, protocol: p, status: mysql.SERVER_STATUS_AUTOCOMMIT}
	s.route, err = l.admit(ctx, s.last)
	if err != nil {
		return nil, err
	}
	s.last = nil // was sent
	return s, nil
}

// login looks the login up; a client may leave the database out.
func (p *Protocol) login(ctx context.Context, st *startup) (workspace.Login, error) {
	if st.database == "" {
		return p.config.Directory.LoginUser(ctx, workspace.MySQL, st.user)
	}
	return p.config.Directory.Login(ctx, workspace.MySQL, st.user, st.database)
}

// readStartup greets and reads what the client answers, in TLS.
func (p *Protocol) readStartup(ctx context.Context, raw net.Conn) (*startup, error) {
	version, offered := p.serverVersion()
	st := &startup{talk: talk{conn: raw}, id: p.sessions.next(), offered: offered}
	st.scramble = newScramble()
	st.plugin = mysql.AUTH_CACHING_SHA2_PASSWORD
	if isMariaDB(version) {
		st.plugin = mysql.AUTH_NATIVE_PASSWORD
	}
	if err := st.send(st.greeting(version)); err != nil {
		return nil, fmt.Errorf("greet: %w", err)
	}
	request, err := st.receive(maxStartup)
	if err != nil {
		return nil, fmt.Errorf("read tls request: %w", err)
	}
	if len(request) < 4 || binary.LittleEndian.Uint32(request)&mysql.CLIENT_PROTOCOL_41 == 0 {
		return nil, st.refuse(failf(mysql.ER_HANDSHAKE_ERROR, stateConnection, "Bad handshake"))
	}
	if len(request) != sslRequestLen || binary.LittleEndian.Uint32(request)&mysql.CLIENT_SSL == 0 {
		return nil, st.refuse(failf(numberTLSRequired, stateGeneral, "Connections using insecure transport are prohibited: TLS is required; connect with --ssl-mode=REQUIRED or --ssl"))
	}
	// Nothing was read from raw beyond the request, so plaintext that a client (or
	// someone between) put behind it meets the TLS parser and ends the connection
	// (CVE-2021-3935 is the same mistake in another proxy).
	st.conn, err = protocols.Secure(ctx, raw, p.config.TLS)
	if err != nil {
		return nil, err
	}
	st.talk.conn = st.conn
	response, err := st.receive(maxStartup)
	if err != nil {
		return nil, fmt.Errorf("read handshake response: %w", err)
	}
	compresses, err := st.parse(response)
	if err != nil {
		return nil, errors.Join(st.refuse(failf(mysql.ER_HANDSHAKE_ERROR, stateConnection, "Bad handshake")), err)
	}
	if compresses {
		// PHP's mysqlnd does though no greeting offers it, and would wait for
		// compressed packets for ever.
		return nil, st.refuse(failf(mysql.ER_HANDSHAKE_ERROR, stateConnection, "Bad handshake: compression is not available; connect without it (MYSQLI_CLIENT_COMPRESS, PDO::MYSQL_ATTR_COMPRESS)"))
	}
	return st, nil
}

// newScramble is random and without NUL and '$', which end it in some clients.
func newScramble() []byte {
	scramble := make([]byte, scrambleLen)
	rand.Read(scramble)
	for i, c := range scramble {
		if c &= 0x7f; c == 0 || c == '$' {
			c++
		}
		scramble[i] = c & 0x7f
	}
	return scramble
}

// greeting is the HandshakeV10 packet.
func (st *startup) greeting(version string) []byte {
	base := st.offered.base | loginCapabilities | mysql.CLIENT_SSL | mysql.CLIENT_CONNECT_ATTRS | mysql.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
	b := append([]byte{mysql.ClassicProtocolVersion}, version...)
	b = append(b, nul)
	b = binary.LittleEndian.AppendUint32(b, st.id)
	b = append(append(b, st.scramble[:8]...), nul)
	b = binary.LittleEndian.AppendUint16(b, uint16(base))
	b = append(b, greetingCharset)
	b = binary.LittleEndian.AppendUint16(b, mysql.SERVER_STATUS_AUTOCOMMIT)
	b = binary.LittleEndian.AppendUint16(b, uint16(base>>16))
	b = append(b, scrambleLen+1)
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, st.offered.extended)
	b = append(append(b, st.scramble[8:]...), nul)
	return append(append(b, st.plugin...), nul)
}

// parse reads a HandshakeResponse41. compresses says that what the client sends from
// its login on is compressed.
func (st *startup) parse(response []byte) (compresses bool, err error) {
	f := fields{b: response}
	asked := capabilities{base: f.uint32()}
	f.uint32() // the longest packet that the client takes
	st.charset = f.byte()
	f.take(19)
	extended := f.uint32()
	if !asked.has(mysql.CLIENT_LONG_PASSWORD) {
		asked.extended = extended
	}
	if f.bad || !asked.has(mysql.CLIENT_PROTOCOL_41) {
		return false, errMalformed
	}
	st.capabilities = asked.and(st.offered)
	st.multi = st.capabilities.has(mysql.CLIENT_MULTI_STATEMENTS)
	st.user = f.cstring()
	switch {
	case asked.has(mysql.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA):
		st.proof = f.lenencBytes()
	case asked.has(mysql.CLIENT_SECURE_CONNECTION):
		st.proof = f.take(int(f.byte()))
	default:
		st.proof = []byte(f.cstring())
	}
	if asked.has(mysql.CLIENT_CONNECT_WITH_DB) {
		st.database = f.lastCstring()
	}
	st.plugin, st.switches = mysql.AUTH_NATIVE_PASSWORD, false
	if asked.has(mysql.CLIENT_PLUGIN_AUTH) {
		st.plugin, st.switches = f.lastCstring(), true
	}
	st.connectorC = bytes.Contains(f.b, []byte(nameOfConnectorC)) // among the attributes of the connection
	if f.bad {
		return false, errMalformed
	}
	return asked.has(mysql.CLIENT_COMPRESS), nil
}

// User is the login's user name.
func (s *session) User() string { return s.startup.user }

// Route is where the login leads.
func (s *session) Route() workspace.Route { return s.route }

// Refuse ends the login with the reason.
func (s *session) Refuse(r protocols.Reason) {
	_ = s.startup.refuse(reasonFailure(r, s.route.Live))
}

// Connect takes a backend and tells the client that it is ready.
func (s *session) Connect(ctx context.Context) (protocols.Relay, error) {
	p, st := s.protocol, s.startup
	key := poolKey{s.route.Live.ID, s.route.Role, st.capabilities, st.charset, false}
	b, err := p.open(ctx, key, s.route)
	if err != nil {
		return nil, errors.Join(st.refuse(dialFailure(err, s.route.Live)), err)
	}
	moved, err := b.takeOver(ctx, st)
	if err != nil {
		b.Close()
		f := unreachable(s.route.Live)
		if e, ok := errors.AsType[*serverError](err); ok {
			f = (*failure)(e)
		}
		return nil, errors.Join(st.refuse(f), err)
	}
	r := newRelay(p, s.route, st, b, key)
	r.track.statements.moved = moved
	if st.waiting != nil {
		r.rest = st.waiting // its reply is the first that the client hears
		return r, nil
	}
	var hello []byte
	if s.last != nil {
		hello = appendPacket(hello, st.sequence, s.last)
		st.sequence++
	}
	hello = appendPacket(hello, st.sequence, b.welcome)
	if _, err := st.conn.Write(hello); err != nil {
		p.sessions.forget(r.id)
		p.give(key, b)
		return nil, fmt.Errorf("greet frontend: %w", err)
	}
	return r, nil
}
