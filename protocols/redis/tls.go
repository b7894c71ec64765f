package redis

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"

	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// recordTypeHandshake is the first byte of a TLS ClientHello record; no command
// begins with it.
const recordTypeHandshake = 0x16

// secure runs the server side of TLS, with which a connection must begin.
func (p *Protocol) secure(ctx context.Context, raw net.Conn) (*tls.Conn, error) {
	var first [1]byte
	if _, err := io.ReadFull(raw, first[:]); err != nil {
		return nil, fmt.Errorf("read startup: %w", err)
	}
	if first[0] != recordTypeHandshake {
		return nil, say(raw, errTLSRequired)
	}
	return protocols.Secure(ctx, window.Prefixed(window.NewSocket(raw), first[:]), p.config.TLS)
}

// say tells the client f, the last it hears, and gives it back as the error.
func say(conn net.Conn, f failure) error {
	// The session ends with f whether or not the client hears it.
	_, _ = conn.Write(append([]byte(f), '\r', '\n'))
	return f
}
