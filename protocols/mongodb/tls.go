package mongodb

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"

	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// recordTypeHandshake and recordMajor are the first bytes of a TLS ClientHello
// record. The third is its minor version, never 0: as the length of a message
// these bytes would be 66,326 or more, which no first message has.
const (
	recordTypeHandshake = 0x16
	recordMajor         = 3
)

// secure runs the server side of TLS, with which a connection must begin.
func (p *Protocol) secure(ctx context.Context, raw net.Conn) (*tls.Conn, error) {
	first := make([]byte, 3)
	if _, err := io.ReadFull(raw, first); err != nil {
		return nil, fmt.Errorf("read startup: %w", err)
	}
	if first[0] != recordTypeHandshake || first[1] != recordMajor || first[2] == 0 {
		return nil, p.refusePlaintext(raw, first)
	}
	return protocols.Secure(ctx, window.Prefixed(window.NewSocket(raw), first), p.config.TLS)
}

// refusePlaintext answers a client's first message that TLS is required, where
// it is a message.
func (p *Protocol) refusePlaintext(raw net.Conn, first []byte) error {
	f := tlsRequired()
	head := make([]byte, headerSize)
	copy(head, first)
	if _, err := io.ReadFull(raw, head[len(first):]); err != nil {
		return fmt.Errorf("read startup: %w", err)
	}
	h, err := readHeader(head, maxStartup)
	if err != nil {
		return f
	}
	if _, err := io.CopyN(io.Discard, raw, int64(h.length-headerSize)); err != nil {
		return fmt.Errorf("read startup: %w", err)
	}
	var reply []byte
	switch h.opcode {
	case opMsg:
		reply = appendMessage(nil, p.nextRequest(), h.requestID, 0, f.document())
	case opQuery:
		reply = appendReply(nil, p.nextRequest(), h.requestID, f.document())
	}
	// The connection ends with f whether or not the client hears it.
	_, _ = raw.Write(reply)
	return f
}
