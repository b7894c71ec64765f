// Package redis is a physical Redis (or Valkey) server that holds workspaces:
// one logical database and one ACL user each.
//
// Redis has no rights per database: a connection that is in database 17 stays
// there because its user may not SELECT. So a connection of a workspace is made
// in three steps, by this package and by the proxy alike: log in as the
// administrator, SELECT the workspace's database, and log in again as the
// workspace's user, whose rules (see rules.go) leave it no way to another
// database, neither by a command nor from a script. Who logs in as that user
// without the other two steps is in database 0, which holds no workspace.
package redis

import (
	"context"
	"log/slog"
	"net"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Config is how to reach one server as its administrator.
type Config struct {
	Name     string // for logs and errors: "main"
	Address  workspace.Address
	User     string // the administrator; empty: "default"
	Password string // of User
	// Databases is how many logical databases the server has, for servers that
	// don't tell it (CONFIG GET). 0: they are asked.
	Databases int
	// Front, if set, is what Query runs through: a connection to the proxy's
	// own Redis listener, whose rules for keys then hold for queries too. Nil:
	// queries go to the server itself, where there are no such rules.
	Front func(ctx context.Context) (net.Conn, error)
	Log   *slog.Logger
}

// Engine is one Redis server, version 7 or newer. It is safe for concurrent
// use.
type Engine struct {
	config Config
	admin  *goredis.Client // in database 0

	// roles is held while users are made, removed or restored, so that a
	// restore can't bring back one that is being removed.
	roles sync.Mutex
	// scoped says that the server limits users to databases (Valkey from 9.1
	// on), which makes a second wall; guarded by roles.
	scoped bool
	rules  []string // of every workspace's user on this run of the server; guarded by roles
	// unwriting are the rules that make a reader of such a user; guarded by roles.
	unwriting []string
	run       string // id of the server's run that has all users; guarded by roles
}

// New makes an Engine that has not connected yet.
func New(c Config) *Engine {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.User == "" {
		c.User = defaultUser
	}
	return &Engine{config: c, admin: goredis.NewClient(c.options())}
}

// Close ends the idle connections.
func (e *Engine) Close() {
	// Its only error is that it was closed before.
	_ = e.admin.Close()
}

// Type is workspace.Redis.
func (e *Engine) Type() workspace.DatabaseType { return workspace.Redis }

// Address is where sessions of the proxy connect.
func (e *Engine) Address() workspace.Address { return e.config.Address }
