// Package postgres is a physical PostgreSQL server that holds workspaces: one
// database and one least-privilege role each.
//
// Two kinds of connection are made. The admin's, cached per database, makes and
// removes databases and reads the journal; it never runs a client's text and
// trusts no name, setting or function of a workspace. The role's run what a
// client sent, so that the server itself holds it inside its database.
package postgres

import (
	"log/slog"
	"sync"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Config is how to reach one server as its superuser.
type Config struct {
	Name     string // for logs and errors: "main"
	Address  workspace.Address
	User     string // a superuser
	Password string // of User; empty where the server asks for none
	Database string // where the admin's own connections go: "postgres"
	Log      *slog.Logger
}

// Engine is one PostgreSQL server, version 13 or newer. It is safe for
// concurrent use.
type Engine struct {
	config Config
	admins *pool
	plain  *pool // admin's connections with the server's own settings

	journaled sync.Map // by name, the databases whose journal this engine saw to be up to date
}

var (
	_ workspace.Engine    = (*Engine)(nil)
	_ workspace.Outdating = (*Engine)(nil)
)

// New makes an Engine that has not connected yet.
func New(c Config) *Engine {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Database == "" {
		c.Database = "postgres"
	}
	e := &Engine{config: c}
	e.admins = newPool(e.connectAdmin)
	e.plain = newPool(e.connectPlain)
	return e
}

// Close ends the idle connections. Those in use end when they are released.
func (e *Engine) Close() {
	e.admins.close()
	e.plain.close()
}

// Type is workspace.PostgreSQL.
func (e *Engine) Type() workspace.DatabaseType { return workspace.PostgreSQL }

// Address is where sessions of the proxy connect.
func (e *Engine) Address() workspace.Address { return e.config.Address }
