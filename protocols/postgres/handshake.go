package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgproto3/v2"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
	"github.com/xdg-go/scram"
)

const (
	mechanism     = "SCRAM-SHA-256"
	mechanismPlus = "SCRAM-SHA-256-PLUS"
	// maxSASL bounds a message of the authentication.
	maxSASL = 4 << 10
)

// session is an authenticated client that does not know it yet: the messages
// that say so wait in greeting until a backend is there.
type session struct {
	protocol *Protocol
	startup  *startup
	route    workspace.Route
	greeting []byte
}

// Handshake reads the startup, upgrades to TLS and authenticates.
func (p *Protocol) Handshake(ctx context.Context, conn net.Conn) (protocols.Session, error) {
	st, err := p.readStartup(ctx, window.NewSocket(conn))
	if err != nil {
		return nil, err
	}
	login, err := p.config.Directory.Login(ctx, workspace.PostgreSQL, st.user, st.database)
	if err != nil {
		return nil, errors.Join(refusePlain(st.conn, fatal(codeCannotConnectNow, "logins are not possible now").
			withHint("Try again; the proxy's log has the cause.")), err)
	}
	final, err := p.authenticate(st, login)
	if err != nil {
		p.guard.Failed(ctx, conn.RemoteAddr())
		return nil, errors.Join(refusePlain(st.conn, fatal(codeInvalidPassword, "password authentication failed for user %q", st.user)), err)
	}
	p.guard.Succeeded(conn.RemoteAddr())
	return &session{protocol: p, startup: st, route: login.Route, greeting: final}, nil
}

// authenticate runs SCRAM-SHA-256 (RFC 5802, RFC 7677;
// https://www.postgresql.org/docs/current/sasl-authentication.html) with
// channel binding tls-server-end-point where the client can. It gives the
// final message, not yet sent.
func (p *Protocol) authenticate(st *startup, login workspace.Login) (final []byte, err error) {
	binding := st.channelBinding()
	mechanisms := []string{mechanism}
	if binding.IsSupported() {
		mechanisms = []string{mechanismPlus, mechanism}
	}
	offer := st.appendNegotiation(nil)
	offer = encode(offer, &pgproto3.AuthenticationSASL{AuthMechanisms: mechanisms})
	if _, err := st.conn.Write(offer); err != nil {
		return nil, fmt.Errorf("offer authentication: %w", err)
	}
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) {
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(login.SCRAM.Salt), Iters: login.SCRAM.Iterations},
			StoredKey:  login.SCRAM.StoredKey,
			ServerKey:  login.SCRAM.ServerKey,
		}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("scram: %w", err)
	}
	conversation := server.NewConversationWithChannelBinding(binding)
	clientFirst, err := readInitialResponse(st.conn, binding.IsSupported())
	if err != nil {
		return nil, err
	}
	serverFirst, err := conversation.Step(clientFirst)
	if err != nil {
		return nil, fmt.Errorf("scram client-first-message: %w", err)
	}
	if _, err := st.conn.Write(encode(nil, &pgproto3.AuthenticationSASLContinue{Data: []byte(serverFirst)})); err != nil {
		return nil, fmt.Errorf("continue authentication: %w", err)
	}
	clientFinal, err := readPassword(st.conn)
	if err != nil {
		return nil, err
	}
	serverFinal, err := conversation.Step(string(clientFinal))
	if err != nil {
		// The library's text holds the channel binding data.
		return nil, errors.New("scram client-final-message: proof does not match")
	}
	if !conversation.Valid() || !login.Known {
		return nil, errors.New("scram: unknown login")
	}
	final = encode(nil, &pgproto3.AuthenticationSASLFinal{Data: []byte(serverFinal)})
	return encode(final, &pgproto3.AuthenticationOk{}), nil
}

// channelBinding is the tls-server-end-point binding of the certificate that
// this connection was served (RFC 5929 section 4).
func (st *startup) channelBinding() scram.ChannelBinding {
	if st.leaf == nil {
		return scram.ChannelBinding{}
	}
	return scram.ChannelBinding{Type: scram.ChannelBindingTLSServerEndpoint, Data: endpointHash(st.leaf)}
}

// readInitialResponse reads SASLInitialResponse and gives the mechanism's
// first message. Channel binding is used with the mechanism that says so, and
// only with it.
func readInitialResponse(conn net.Conn, plus bool) (string, error) {
	body, err := readPassword(conn)
	if err != nil {
		return "", err
	}
	name, ok := cstring(body)
	if !ok || len(body) < len(name)+1+4 {
		return "", errors.New("malformed sasl initial response")
	}
	body = body[len(name)+1:]
	if length := binary.BigEndian.Uint32(body); length != uint32(len(body)-4) {
		return "", errors.New("malformed sasl initial response: wrong length")
	}
	first := string(body[4:])
	bound := strings.HasPrefix(first, "p=")
	switch {
	case string(name) == mechanism && !bound:
	case string(name) == mechanismPlus && plus && bound:
	default:
		return "", errors.New("sasl mechanism does not match the channel binding flag")
	}
	return first, nil
}

// readPassword reads one message of type 'p'.
func readPassword(conn net.Conn) ([]byte, error) {
	var header [headerLen]byte
	if err := readFull(conn, header[:]); err != nil {
		return nil, fmt.Errorf("read authentication: %w", err)
	}
	size, err := frameSize(header[:])
	if err != nil {
		return nil, err
	}
	if header[0] != 'p' || size > maxSASL {
		return nil, fmt.Errorf("expected an authentication message, got type %d of %d bytes", header[0], size)
	}
	body := make([]byte, size-headerLen)
	if err := readFull(conn, body); err != nil {
		return nil, fmt.Errorf("read authentication: %w", err)
	}
	return body, nil
}

// User is the login's user name.
func (s *session) User() string { return s.startup.user }

// Route is where the login leads.
func (s *session) Route() workspace.Route { return s.route }

// Refuse ends the login with the reason.
func (s *session) Refuse(r protocols.Reason) {
	_ = refusePlain(s.startup.conn, reasonFailure(r, s.route.Live))
}

// Connect takes a backend and tells the client that it is ready.
func (s *session) Connect(ctx context.Context) (protocols.Relay, error) {
	p := s.protocol
	key := keyOf(s.route, s.startup.params)
	b, err := s.take(ctx, key)
	if refusedPassword(err) {
		if err = p.config.Restorer.RestoreRole(ctx, s.route.Live.ID); err == nil {
			b, err = s.take(ctx, key)
		}
	}
	if err != nil {
		return nil, errors.Join(refusePlain(s.startup.conn, dialFailure(err, s.route.Live)), err)
	}
	r := &relay{
		protocol: p,
		route:    s.route,
		live:     s.route.Live,
		guard:    guardOf(s.route.Live.Mode, s.route.Reads()),
		front:    s.startup.conn,
		back:     b,
		poolKey:  key,
		log:      p.config.Log,
	}
	r.life.Begin(&r.mu, r.front, b.conn)
	r.track.status = 'I'
	r.track.fixed = r.guard.fixed
	size := shortKey
	if s.startup.minor >= 2 {
		size = longKey
	}
	r.key, r.forget = p.cancels.issue(r, size)
	hello := append(s.greeting, b.parameters...)
	hello = r.key.appendData(hello)
	hello = encode(hello, &pgproto3.ReadyForQuery{TxStatus: 'I'})
	if _, err := s.startup.conn.Write(hello); err != nil {
		r.forget()
		p.give(key, b, 'I')
		return nil, fmt.Errorf("greet frontend: %w", err)
	}
	return r, nil
}
