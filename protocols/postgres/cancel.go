package postgres

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgproto3/v2"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	cancelRequestCode = 80877102
	// shortKey is protocol 3.0's cancel key, longKey ours for 3.2, which
	// allows up to 256 bytes.
	shortKey = 4
	longKey  = 32
	// cancelTimeout bounds one cancel request, which the server answers by
	// closing the connection.
	cancelTimeout = 5 * time.Second
)

// cancelKey is the pair that we issue to the frontend; a secret.
type cancelKey struct {
	pid    uint32
	secret []byte
}

// appendData encodes the key as BackendKeyData.
func (k cancelKey) appendData(dst []byte) []byte {
	dst = append(dst, 'K')
	dst = binary.BigEndian.AppendUint32(dst, uint32(8+len(k.secret)))
	dst = binary.BigEndian.AppendUint32(dst, k.pid)
	return append(dst, k.secret...)
}

// cancelKeys finds the relay that a cancel request is for.
type cancelKeys struct {
	mu     sync.Mutex
	relays map[uint32]*relay
}

// issue makes a key for r: with the process id of its server process, by which
// clients know their own notifications and name their session to others
// (pg_cancel_backend), and a random secret. A process id that a session on
// another server has is replaced by a random one. release forgets the key.
func (c *cancelKeys) issue(r *relay, size int) (key cancelKey, release func()) {
	key.pid = r.back.pid
	key.secret = make([]byte, size)
	rand.Read(key.secret)
	var pid [4]byte
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.relays[key.pid] != nil || key.pid == 0 {
		rand.Read(pid[:])
		// Process ids are positive 32-bit integers to clients.
		key.pid = binary.BigEndian.Uint32(pid[:]) >> 1
	}
	c.relays[key.pid] = r
	return key, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.relays, key.pid)
	}
}

// cancel forwards a frontend's cancel request to the backend of its session.
// As in PostgreSQL the client learns nothing of the outcome.
func (c *cancelKeys) cancel(ctx context.Context, pid uint32, secret []byte) {
	c.mu.Lock()
	r := c.relays[pid]
	c.mu.Unlock()
	if r == nil || subtle.ConstantTimeCompare(secret, r.key.secret) != 1 {
		return
	}
	r.cancelBackend(ctx)
}

// sendCancel asks the server to cancel b's statement and waits until it took
// the request, that is, until it closed the connection: from then on the
// signal is with the backend's process.
func sendCancel(ctx context.Context, b *backend) error {
	ctx, done := context.WithTimeout(ctx, cancelTimeout)
	defer done()
	conn, err := dialServer(ctx, b.address)
	if err != nil {
		return fmt.Errorf("cancel request: %w", err)
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return fmt.Errorf("cancel request: set deadline: %w", err)
		}
	}
	request := binary.BigEndian.AppendUint32(nil, uint32(12+len(b.secret)))
	request = binary.BigEndian.AppendUint32(request, cancelRequestCode)
	request = binary.BigEndian.AppendUint32(request, b.pid)
	request = append(request, b.secret...)
	if _, err := conn.Write(request); err != nil {
		return fmt.Errorf("cancel request: %w", err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		return fmt.Errorf("cancel request: await close: %w", err)
	}
	return nil
}

// dialServer connects to the physical server, with TLS where the address asks
// for it, as far as a startup packet may be sent.
func dialServer(ctx context.Context, address workspace.Address) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, address.Network, address.Addr)
	if err != nil || address.TLS == nil {
		return conn, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			conn.Close()
			return nil, err
		}
	}
	if _, err := conn.Write(encode(nil, &pgproto3.SSLRequest{})); err != nil {
		conn.Close()
		return nil, err
	}
	var answer [1]byte
	if err := readFull(conn, answer[:]); err != nil {
		conn.Close()
		return nil, fmt.Errorf("await answer to tls request: %w", err)
	}
	if answer[0] != 'S' {
		conn.Close()
		return nil, errors.New("server does not speak tls")
	}
	return tls.Client(conn, address.TLS), nil
}
