package postgres

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/tenantsdb/tenantsdb/protocols"
)

const (
	sslRequestCode    = 80877103
	gssEncRequestCode = 80877104
	protocolMajor     = 3
	// newestMinor is the newest protocol 3 minor that we speak; it differs
	// from 3.0 only in the cancel key's length, which is ours to choose.
	newestMinor = 2
	// maxStartup bounds a startup packet, as PostgreSQL does.
	maxStartup = 10000
	// maxCancelKey is the longest cancel key of protocol 3.2.
	maxCancelKey = 256
)

// startup is what a client asked for before it authenticated.
type startup struct {
	conn     *tls.Conn
	leaf     *x509.Certificate // served in the TLS handshake
	user     string
	database string
	params   map[string]string // session defaults, to be passed to the backend
	minor    uint16            // negotiated
	asked    uint16
	unknown  []string // protocol options that we do not know
}

// readStartup follows the client through any order of GSSENCRequest,
// SSLRequest or direct TLS, CancelRequest and StartupMessage, each at most
// once.
func (p *Protocol) readStartup(ctx context.Context, raw net.Conn) (*startup, error) {
	var conn net.Conn = raw
	st := &startup{}
	askedGSS := false
	for {
		var head [8]byte
		if err := readFull(conn, head[:]); err != nil {
			return nil, fmt.Errorf("read startup: %w", err)
		}
		if head[0] == recordTypeHandshake && conn == raw && !askedGSS {
			secured, leaf, err := upgradeDirect(ctx, raw, head[:], p.config.TLS)
			if err != nil {
				return nil, err
			}
			conn, st.conn, st.leaf = secured, secured, leaf
			continue
		}
		length, code := binary.BigEndian.Uint32(head[:4]), binary.BigEndian.Uint32(head[4:])
		if length < 8 || length > maxStartup {
			return nil, refusePlain(conn, fatal(codeProtocolViolation, "invalid length of startup packet"))
		}
		body := make([]byte, length-8)
		if err := readFull(conn, body); err != nil {
			return nil, fmt.Errorf("read startup: %w", err)
		}
		switch {
		case code == sslRequestCode && st.conn == nil:
			if _, err := raw.Write([]byte{'S'}); err != nil {
				return nil, fmt.Errorf("answer tls request: %w", err)
			}
			secured, leaf, err := upgrade(ctx, raw, p.config.TLS)
			if err != nil {
				return nil, err // in plaintext nothing can be said after 'S'
			}
			conn, st.conn, st.leaf = secured, secured, leaf
		case code == gssEncRequestCode && !askedGSS && st.conn == nil:
			askedGSS = true
			if _, err := raw.Write([]byte{'N'}); err != nil {
				return nil, fmt.Errorf("answer gss request: %w", err)
			}
		case code == cancelRequestCode:
			if len(body) < 4+shortKey || len(body) > 4+maxCancelKey {
				return nil, errors.New("cancel request of a wrong length")
			}
			p.cancels.cancel(ctx, binary.BigEndian.Uint32(body), body[4:])
			return nil, protocols.ErrServed
		case code>>16 == protocolMajor:
			if st.conn == nil {
				return nil, refusePlain(conn, fatal(codeInvalidAuthorization, "TLS is required").
					withHint("Connect with sslmode=require or stricter."))
			}
			return st, st.parse(uint16(code), body)
		default:
			return nil, refusePlain(conn, fatal(codeProtocolViolation, "unsupported frontend protocol %d.%d: server supports 3.0 to 3.%d", code>>16, code&0xffff, newestMinor))
		}
	}
}

// refusePlain tells the client f on whatever connection there is and gives it
// back as the error.
func refusePlain(conn net.Conn, f *failure) error {
	// The session ends with f whether or not the client hears it.
	_, _ = conn.Write(f.append(nil))
	return f
}

// parse reads a StartupMessage's parameters. Only the names of what is wrong
// are told: values can hold secrets.
func (st *startup) parse(minor uint16, body []byte) error {
	st.asked, st.minor = minor, min(minor, newestMinor)
	st.params = make(map[string]string)
	if len(body) == 0 || body[len(body)-1] != 0 {
		return refusePlain(st.conn, fatal(codeProtocolViolation, "invalid startup packet layout: expected terminator as last byte"))
	}
	fields := bytes.Split(body[:len(body)-1], []byte{0})
	// Each string ends with a NUL, so that the last field is empty.
	fields = fields[:len(fields)-1]
	if len(fields)%2 != 0 {
		return refusePlain(st.conn, fatal(codeProtocolViolation, "invalid startup packet layout: a parameter has no value"))
	}
	for pair := range slices.Chunk(fields, 2) {
		if err := st.set(string(pair[0]), string(pair[1])); err != nil {
			return refusePlain(st.conn, err)
		}
	}
	if st.user == "" {
		return refusePlain(st.conn, fatal(codeInvalidAuthorization, "no PostgreSQL user name specified in startup packet"))
	}
	if st.database == "" {
		st.database = st.user
	}
	return nil
}

func (st *startup) set(name, value string) *failure {
	switch {
	case name == "user":
		st.user = value
	case name == "database":
		st.database = value
	case name == "replication":
		if !slices.Contains([]string{"false", "off", "no", "0", "f", "n"}, strings.ToLower(value)) {
			return fatal(codeFeatureNotSupported, "replication connections are not supported")
		}
	case strings.HasPrefix(name, "_pq_."):
		st.unknown = append(st.unknown, name)
	case !isParameterName(name):
		return fatal(codeProtocolViolation, "invalid startup parameter name")
	default:
		st.params[name] = value
	}
	return nil
}

// isParameterName says whether name can be a configuration parameter's.
func isParameterName(name string) bool {
	for i, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case i > 0 && (c >= '0' && c <= '9' || c == '.' || c == '$'):
		default:
			return false
		}
	}
	return name != ""
}

// appendNegotiation tells a client that asked for more than we speak what we
// do (NegotiateProtocolVersion).
func (st *startup) appendNegotiation(dst []byte) []byte {
	if st.asked <= newestMinor && len(st.unknown) == 0 {
		return dst
	}
	start := len(dst)
	dst = append(dst, 'v', 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, protocolMajor<<16|uint32(st.minor))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(st.unknown)))
	for _, name := range st.unknown {
		dst = append(append(dst, name...), 0)
	}
	binary.BigEndian.PutUint32(dst[start+1:], uint32(len(dst)-start-1))
	return dst
}
