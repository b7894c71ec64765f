package protocols

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
)

// securedKey finds what WithSecured put into a context.
type securedKey struct{}

// WithSecured gives Handshake's context whom Secure tells of its connection;
// the proxy calls it.
func WithSecured(ctx context.Context, secured func(*tls.Conn)) context.Context {
	return context.WithValue(ctx, securedKey{}, secured)
}

// Secure runs the server side of the TLS handshake on the connection of
// Handshake's ctx, which conn is or wraps. Whoever called Handshake then knows of
// it, and announces the connection's end in TLS before closing it.
func Secure(ctx context.Context, conn net.Conn, config *tls.Config) (*tls.Conn, error) {
	secured := tls.Server(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("tls handshake: %w", err)
	}
	if tell, ok := ctx.Value(securedKey{}).(func(*tls.Conn)); ok {
		tell(secured)
	}
	return secured, nil
}
