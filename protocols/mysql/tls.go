package mysql

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
)

// upgrade runs the server side of the TLS handshake. Nothing was read from raw
// beyond the SSLRequest, so plaintext that a client (or someone between) put
// behind it meets the TLS parser and ends the connection (CVE-2021-3935 is the
// same mistake in another proxy).
func upgrade(ctx context.Context, raw net.Conn, config *tls.Config) (*tls.Conn, error) {
	conn := tls.Server(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("tls handshake: %w", err)
	}
	return conn, nil
}
