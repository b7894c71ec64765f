package postgres

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"

	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// alpnProtocol is PostgreSQL's ALPN name, mandatory for direct TLS
// (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL).
const alpnProtocol = "postgresql"

// recordTypeHandshake is the first byte of a TLS ClientHello record.
const recordTypeHandshake = 0x16

// leafConn remembers which certificate the TLS handshake served on it, for
// channel binding that stays exact across certificate reloads.
type leafConn struct {
	net.Conn
	leaf *x509.Certificate
}

// RecordLeaf is called by the certificate source during the handshake.
func (c *leafConn) RecordLeaf(leaf *x509.Certificate) { c.leaf = leaf }

// upgrade runs the server side of the TLS handshake. Nothing was read from raw
// beyond what the client had to send before it, so plaintext that a client (or
// someone between) put behind its SSLRequest meets the TLS parser and ends the
// connection (CVE-2021-23214).
func upgrade(ctx context.Context, raw net.Conn, config *tls.Config) (*tls.Conn, *x509.Certificate, error) {
	lc := &leafConn{Conn: raw}
	conn, err := protocols.Secure(ctx, lc, config)
	if err != nil {
		return nil, nil, err
	}
	return conn, lc.leaf, nil
}

// upgradeDirect is upgrade for a client that began with a ClientHello, the
// first bytes of which are in read.
func upgradeDirect(ctx context.Context, raw net.Conn, read []byte, config *tls.Config) (*tls.Conn, *x509.Certificate, error) {
	conn, leaf, err := upgrade(ctx, window.Prefixed(raw, read), config)
	if err != nil {
		return nil, nil, err
	}
	if conn.ConnectionState().NegotiatedProtocol != alpnProtocol {
		return nil, nil, fmt.Errorf("direct tls: client did not offer ALPN protocol %q", alpnProtocol)
	}
	return conn, leaf, nil
}

// readFull reads exactly len(p) bytes and never one more.
func readFull(conn io.Reader, p []byte) error {
	_, err := io.ReadFull(conn, p)
	return err
}

// endpointHash is the hash of a certificate that tls-server-end-point binds
// to: the one of its signature, SHA-256 where that is weaker or has none of
// its own (RFC 5929 section 4.1).
func endpointHash(leaf *x509.Certificate) []byte {
	switch leaf.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		sum := sha512.Sum384(leaf.Raw)
		return sum[:]
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		sum := sha512.Sum512(leaf.Raw)
		return sum[:]
	}
	sum := sha256.Sum256(leaf.Raw)
	return sum[:]
}
