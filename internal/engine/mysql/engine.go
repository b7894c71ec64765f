// Package mysql is a physical MySQL or MariaDB server that holds workspaces: one
// database and one least-privilege user each. A tenant's database has a second
// one, which owns it and runs deployments.
//
// Two kinds of connection are made. The administrator's makes and removes
// databases and users, and reads the binary log; it never runs a client's text.
// The role's run what a client sent, so that the server itself holds it inside
// its database.
//
// What a tracked workspace's schema changes were is read from the server's
// binary log, where every one of them is exactly once, in the order of their
// commits, and as durable as the change itself: the same words that replicas
// replay. They are moved into a journal in the schema tenantsdb, in one
// transaction with the position up to which the log has been read.
package mysql

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Config is how to reach one server as its administrator.
type Config struct {
	Name     string // for logs and errors: "main"
	Address  workspace.Address
	User     string // an administrator: all privileges, with GRANT OPTION
	Password string // of User
	Log      *slog.Logger
}

// Engine is one server: MariaDB 10.6 or newer, or MySQL 8.0 or newer. It is safe
// for concurrent use.
type Engine struct {
	config    Config
	dial      func(ctx context.Context) (net.Conn, error)
	announced *announcements

	// reading is held by whoever moves the binary log into the journal.
	reading chan struct{}
	reader  reader

	mu     sync.Mutex
	idle   []*conn
	facts  *facts // of the server; nil until the first connection
	closed bool
}

var (
	_ workspace.Engine    = (*Engine)(nil)
	_ workspace.Announced = (*Engine)(nil)
	_ workspace.Outdating = (*Engine)(nil)
)

// New makes an Engine that has not connected yet.
func New(c Config) *Engine {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	dialer := &net.Dialer{KeepAlive: time.Minute}
	dial := func(ctx context.Context) (net.Conn, error) {
		return dialer.DialContext(ctx, c.Address.Network, c.Address.Addr)
	}
	e := &Engine{config: c, dial: dial, announced: newAnnouncements(), reading: make(chan struct{}, 1)}
	e.reader = reader{engine: e, log: c.Log.With("server", c.Name)}
	return e
}

// Close ends the idle connections. Those in use end when they are released.
func (e *Engine) Close() {
	e.mu.Lock()
	idle := e.idle
	e.idle, e.closed = nil, true
	e.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
	e.reading <- struct{}{}
	defer func() { <-e.reading }()
	e.reader.disconnect()
}

// Type is workspace.MySQL.
func (e *Engine) Type() workspace.DatabaseType { return workspace.MySQL }

// Address is where sessions of the proxy connect.
func (e *Engine) Address() workspace.Address { return e.config.Address }

// Announce keeps a statement until the binary log shows what became of it.
func (e *Engine) Announce(t workspace.Target, session uint32, statement string) {
	e.announced.add(t.Database, session, statement, sourceProxy)
}

// read has the reader to itself until release.
func (e *Engine) read(ctx context.Context) (r *reader, release func(), err error) {
	select {
	case e.reading <- struct{}{}:
		return &e.reader, func() { <-e.reading }, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}
