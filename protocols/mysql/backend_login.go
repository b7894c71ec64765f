package mysql

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"net"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// backendLogin is our own login at a server.
type backendLogin struct {
	raw   net.Conn
	conn  net.Conn // raw, or TLS on it
	key   poolKey
	route workspace.Route

	id           uint32
	capabilities capabilities // of the server
	plugin       string
	scramble     []byte
	sequence     byte
}

func (l *backendLogin) run(ctx context.Context) (*backend, error) {
	l.conn = l.raw
	greeting, err := l.read()
	if err != nil {
		return nil, fmt.Errorf("read greeting: %w", err)
	}
	if err := l.parseGreeting(greeting); err != nil {
		return nil, err
	}
	if err := l.secure(ctx); err != nil {
		return nil, err
	}
	if err := l.write(l.response()); err != nil {
		return nil, fmt.Errorf("send handshake response: %w", err)
	}
	welcome, err := l.converse()
	if err != nil {
		return nil, err
	}
	return &backend{
		conn:         l.conn,
		id:           l.id,
		capabilities: l.key.capabilities,
		charset:      l.key.charset,
		database:     l.route.Database,
		welcome:      welcome,
	}, nil
}

// read reads one packet; an ERR is its error.
func (l *backendLogin) read() ([]byte, error) {
	payload, sequence, err := readPacket(l.conn, maxBackendLogin)
	if err != nil {
		return nil, err
	}
	if len(payload) == 0 {
		return nil, errMalformed
	}
	if payload[0] == mysql.ERR_HEADER {
		return nil, parseError(payload)
	}
	l.sequence = sequence + 1
	return payload, nil
}

func (l *backendLogin) write(payload []byte) error {
	packet := appendPacket(nil, l.sequence, payload)
	l.sequence++
	_, err := l.conn.Write(packet)
	return err
}

// parseGreeting reads a HandshakeV10 packet.
func (l *backendLogin) parseGreeting(payload []byte) error {
	f := fields{b: payload}
	if version := f.byte(); version != mysql.ClassicProtocolVersion {
		return fmt.Errorf("server speaks protocol %d", version)
	}
	f.cstring() // server version
	l.id = f.uint32()
	l.scramble = append(l.scramble, f.take(8)...)
	f.take(1)
	base := uint32(f.uint16())
	f.take(1 + 2) // character set, status
	base |= uint32(f.uint16()) << 16
	scrambled := int(f.byte())
	f.take(6)
	extended := f.uint32()
	l.capabilities = capabilities{base: base}
	if !l.capabilities.has(mysql.CLIENT_LONG_PASSWORD) {
		l.capabilities.extended = extended
	}
	l.scramble = append(l.scramble, f.take(max(13, scrambled-8)-1)...)
	f.take(1)
	l.plugin = f.lastCstring()
	if f.bad || !l.capabilities.has(mysql.CLIENT_PROTOCOL_41) || !l.capabilities.has(mysql.CLIENT_PLUGIN_AUTH) {
		return fmt.Errorf("greeting: %w", errMalformed)
	}
	needed := capabilities{l.key.capabilities.base & framingCapabilities, l.key.capabilities.extended}
	if missing := needed.without(l.capabilities); missing != (capabilities{}) {
		return &missingError{missing}
	}
	return nil
}

// asked is what we tell the server of ourselves.
func (l *backendLogin) asked() uint32 {
	asked := l.key.capabilities.base&l.capabilities.base | loginCapabilities
	if l.route.Database == "" {
		asked &^= mysql.CLIENT_CONNECT_WITH_DB
	}
	if l.route.Address.TLS != nil {
		asked |= mysql.CLIENT_SSL
	}
	return asked
}

// head is the part of the response that is also the SSLRequest.
func (l *backendLogin) head() []byte {
	b := binary.LittleEndian.AppendUint32(nil, l.asked())
	b = binary.LittleEndian.AppendUint32(b, maxPayload+1)
	b = append(b, l.key.charset)
	b = append(b, make([]byte, 19)...)
	return binary.LittleEndian.AppendUint32(b, l.key.capabilities.extended)
}

// secure upgrades to TLS where the address asks for it.
func (l *backendLogin) secure(ctx context.Context) error {
	config := l.route.Address.TLS
	if config == nil {
		return nil
	}
	if !l.capabilities.has(mysql.CLIENT_SSL) {
		return errors.New("server does not speak tls")
	}
	if err := l.write(l.head()); err != nil {
		return fmt.Errorf("request tls: %w", err)
	}
	conn := tls.Client(l.raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	l.conn = conn
	return nil
}

func (l *backendLogin) response() []byte {
	proof, err := l.prove()
	if err != nil {
		// The server's default is a plugin that we don't know; it names the
		// role's own next.
		l.plugin, proof = mysql.AUTH_NATIVE_PASSWORD, nil
	}
	b := append(l.head(), l.route.Role...)
	b = append(b, nul, byte(len(proof)))
	b = append(b, proof...)
	if l.route.Database != "" {
		b = append(append(b, l.route.Database...), nul)
	}
	return append(append(b, l.plugin...), nul)
}

// prove makes the first proof of the plugin at hand.
func (l *backendLogin) prove() ([]byte, error) {
	password := []byte(l.route.Password)
	switch l.plugin {
	case mysql.AUTH_NATIVE_PASSWORD:
		return mysql.CalcNativePassword(l.scramble[:min(scrambleLen, len(l.scramble))], password), nil
	case mysql.AUTH_CACHING_SHA2_PASSWORD:
		return mysql.CalcCachingSha2Password(l.scramble[:min(scrambleLen, len(l.scramble))], password), nil
	case mysql.AUTH_MARIADB_ED25519:
		return mysql.CalcEd25519Password(l.scramble, l.route.Password)
	}
	return nil, fmt.Errorf("server asks for authentication by %q", l.plugin)
}

// maxRounds bounds the conversation of a login.
const maxRounds = 8

// converse follows the server until it lets us in, and gives its OK.
func (l *backendLogin) converse() ([]byte, error) {
	for range maxRounds {
		payload, err := l.read()
		if err != nil {
			return nil, err
		}
		switch payload[0] {
		case mysql.OK_HEADER:
			return payload, nil
		case mysql.EOF_HEADER:
			err = l.changePlugin(payload[1:])
		case authMoreData:
			err = l.more(payload[1:])
		default:
			err = errMalformed
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, errors.New("server does not come to an end")
}

func (l *backendLogin) changePlugin(request []byte) error {
	f := fields{b: request}
	l.plugin = f.cstring()
	if f.bad {
		return errMalformed
	}
	l.scramble = f.b
	if n := len(l.scramble); n > 0 && l.scramble[n-1] == nul {
		l.scramble = l.scramble[:n-1]
	}
	proof, err := l.prove()
	if err != nil {
		return err
	}
	return l.write(proof)
}

// more continues caching_sha2_password
// (https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html).
func (l *backendLogin) more(data []byte) error {
	const askForKey = 2
	switch {
	case l.plugin != mysql.AUTH_CACHING_SHA2_PASSWORD || len(data) == 0:
		return errMalformed
	case data[0] == mysql.CACHE_SHA2_FAST_AUTH:
		return nil // the OK follows
	case data[0] != mysql.CACHE_SHA2_FULL_AUTH:
		return l.encryptPassword(data)
	case secureTransport(l.conn):
		return l.write(append([]byte(l.route.Password), nul))
	}
	return l.write([]byte{askForKey})
}

// encryptPassword sends the password encrypted with the server's public key.
func (l *backendLogin) encryptPassword(key []byte) error {
	block, _ := pem.Decode(key)
	if block == nil {
		return errors.New("server's public key is no pem")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("server's public key: %w", err)
	}
	public, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return errors.New("server's public key is not rsa's")
	}
	sealed, err := mysql.EncryptPassword(l.route.Password, l.scramble, public)
	if err != nil {
		return fmt.Errorf("encrypt password: %w", err)
	}
	return l.write(sealed)
}
