package redis

import (
	"bufio"
	"context"
	"errors"
	"net"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// turnPatience is how long the proxy's own question waits for the replies to what
// came before it.
const turnPatience = 2 * time.Second

// administrator is a connection for the proxy's own questions to a physical
// server. None of them changes what the connection is, so that it serves the
// next one as it is.
type administrator struct {
	asker
	born time.Time
}

// Conn is the connection, for the pool.
func (a *administrator) Conn() net.Conn { return a.conn }

// Born is when it was dialled.
func (a *administrator) Born() time.Time { return a.born }

// Close ends the administrator's session on the server.
func (a *administrator) Close() { a.conn.Close() }

// serverKey is a physical server, whose administrators are no workspace's.
type serverKey struct{ network, addr string }

// Workspace is 0, which no workspace has.
func (serverKey) Workspace() int64 { return 0 }

type administrators = window.Pool[serverKey, *administrator]

// askAdmin asks the server of r's workspace one question as its administrator.
// It may be sent twice, where a connection that was kept has gone.
func (r *relay) askAdmin(command []byte) (any, error) {
	return r.protocol.askAdmin(r.route.Address, command)
}

// inTurn sends what came before q, and waits for the replies to it, for what is
// found out beside the client's stream and depends on it. A client that does not
// read them is waited for no longer than turnPatience: it may want to write
// everything first. An error is the session's end.
func (r *relay) inTurn(b []byte, q *request) error {
	if err := r.flush(b, q.start); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owed.n == 0 {
		return nil
	}
	over := false
	patience := time.AfterFunc(turnPatience, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		over = true
		r.life.Wake()
	})
	defer patience.Stop()
	if !r.life.Await(func() bool { return r.owed.n > 0 && !over }) {
		return window.ErrGoodbye
	}
	return nil
}

func (p *Protocol) askAdmin(address workspace.Address, command []byte) (any, error) {
	ctx, done := context.WithTimeout(context.Background(), askTimeout)
	defer done()
	key := serverKey{address.Network, address.Addr}
	for {
		kept := true
		a, err := p.administrators.Take(ctx, key, func(ctx context.Context) (*administrator, error) {
			kept = false
			return p.dialAdministrator(ctx, address)
		})
		if err != nil {
			return nil, err
		}
		answers, err := a.ask(command, 1)
		if err == nil {
			p.administrators.Give(key, a, nil)
			return answers[0], nil
		}
		if _, refused := errors.AsType[serverError](err); refused {
			p.administrators.Give(key, a, nil)
			return nil, err
		}
		a.Close()
		if !kept || ctx.Err() != nil {
			return nil, err
		}
	}
}

// dialAdministrator opens a connection that outlives ctx.
func (p *Protocol) dialAdministrator(ctx context.Context, address workspace.Address) (*administrator, error) {
	conn, release, err := p.dialAdmin(ctx, address)
	if err != nil {
		return nil, err
	}
	release()
	return &administrator{asker{conn, bufio.NewReader(conn)}, time.Now()}, nil
}
