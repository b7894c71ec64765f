package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	maxIdle  = 32
	idleTime = time.Minute
)

// pool keeps at most one idle connection per database, at most maxIdle in all,
// none longer than idleTime. Connections in use are not counted: the callers
// are bounded.
type pool struct {
	connect func(ctx context.Context, database string) (*pgx.Conn, error)

	mu     sync.Mutex
	idle   map[string]*idleConn
	closed bool
}

// idleConn is in exactly one of three hands: the pool's, its timer's or a
// taker's; who removes it from pool.idle has it.
type idleConn struct {
	conn  *pgx.Conn
	timer *time.Timer
}

func newPool(connect func(context.Context, string) (*pgx.Conn, error)) *pool {
	return &pool{connect: connect, idle: map[string]*idleConn{}}
}

// take is a live connection and the function that gives it back.
func (p *pool) take(ctx context.Context, database string) (*pgx.Conn, func(), error) {
	conn := p.remove(database)
	if conn != nil && conn.Ping(ctx) != nil {
		disconnect(ctx, conn)
		conn = nil
	}
	if conn == nil {
		var err error
		if conn, err = p.connect(ctx, database); err != nil {
			return nil, nil, err
		}
	}
	var once sync.Once
	return conn, func() { once.Do(func() { p.put(database, conn) }) }, nil
}

// put keeps conn, or closes it where it can't be used again or there is no room.
func (p *pool) put(database string, conn *pgx.Conn) {
	if !p.keep(database, conn) {
		disconnect(context.Background(), conn)
	}
}

func (p *pool) keep(database string, conn *pgx.Conn) bool {
	pg := conn.PgConn()
	if pg.IsClosed() || pg.IsBusy() || pg.TxStatus() != 'I' {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.idle[database] != nil || len(p.idle) >= maxIdle {
		return false
	}
	ic := &idleConn{conn: conn}
	ic.timer = time.AfterFunc(idleTime, func() { p.expire(database, ic) })
	p.idle[database] = ic
	return true
}

// remove takes the database's idle connection out; nil where there is none.
func (p *pool) remove(database string) *pgx.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	ic := p.idle[database]
	if ic == nil {
		return nil
	}
	ic.timer.Stop()
	delete(p.idle, database)
	return ic.conn
}

func (p *pool) expire(database string, ic *idleConn) {
	p.mu.Lock()
	mine := p.idle[database] == ic
	if mine {
		delete(p.idle, database)
	}
	p.mu.Unlock()
	if mine {
		disconnect(context.Background(), ic.conn)
	}
}

// discard closes the database's idle connection, if any.
func (p *pool) discard(ctx context.Context, database string) {
	if conn := p.remove(database); conn != nil {
		disconnect(ctx, conn)
	}
}

// close ends all idle connections and keeps none from now on.
func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = map[string]*idleConn{}, true
	p.mu.Unlock()
	for _, ic := range idle {
		ic.timer.Stop()
		disconnect(context.Background(), ic.conn)
	}
}
