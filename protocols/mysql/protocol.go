package mysql

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sync"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/loginguard"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// Directory knows who may log in and where a login leads.
type Directory interface {
	// LoginUser is for a client that names no database: its Route leads to the
	// only workspace of the user's project, or nowhere where there are more.
	LoginUser(ctx context.Context, t workspace.DatabaseType, user string) (workspace.Login, error)
	Login(ctx context.Context, t workspace.DatabaseType, user, database string) (workspace.Login, error)
	// Routes are where a user whose password was checked may go on.
	Routes(ctx context.Context, t workspace.DatabaseType, user string) ([]workspace.Route, error)
}

// Recorder moves committed schema changes into the deploy queue.
type Recorder interface {
	// Announce tells of a statement that may change the schema, before it is
	// sent on the server's connection of that number.
	Announce(workspaceID int64, connection uint32, statement string)
	Record(ctx context.Context, workspaceID int64) error
}

// Restorer puts back a workspace's physical role whose password the server
// does not take any more.
type Restorer interface {
	RestoreRole(ctx context.Context, workspaceID int64) error
}

// Config is what the protocol needs.
type Config struct {
	TLS       *tls.Config
	Directory Directory
	Recorder  Recorder
	Restorer  Restorer
	Log       *slog.Logger
	// ServerVersion is the version of the servers behind, as they tell it
	// themselves ("8.4.3", "5.5.5-10.11.6-MariaDB"); drivers behave by it.
	// Empty while it is not known; nil means never. It is called for each
	// greeting.
	ServerVersion func() string
	// KillGrace is how long a statement over its time may ignore KILL QUERY
	// before its session is ended; 0 means ten seconds.
	KillGrace time.Duration
}

// Protocol is the MySQL protocol of one installation.
type Protocol struct {
	config   Config
	guard    loginguard.Guard
	sessions sessions
	pool     *pool
	wheel    *window.Wheel
	errands  chan struct{} // one for each that is under way
	patience time.Duration // how long an errand may take

	mu      sync.Mutex
	lacking capabilities // what some server behind turned out not to have
}

// New makes the protocol. Close ends its warm backends.
func New(config Config) *Protocol {
	if config.KillGrace == 0 {
		config.KillGrace = defaultKillGrace
	}
	p := &Protocol{
		config:   config,
		sessions: newSessions(),
		pool:     window.NewPool[poolKey, *backend](isFull),
		wheel:    window.NewWheel(),
		errands:  make(chan struct{}, maxErrands),
		patience: errandTimeout,
	}
	return p
}

// Forget closes the warm backends of a workspace.
func (p *Protocol) Forget(workspaceID int64) { p.pool.Forget(workspaceID) }

// Close closes all warm backends. Sessions must have ended.
func (p *Protocol) Close() {
	p.pool.Close()
}

// serverVersion is what greetings say, and what they may promise with it.
func (p *Protocol) serverVersion() (string, capabilities) {
	version := ""
	if p.config.ServerVersion != nil {
		version = p.config.ServerVersion()
	}
	p.mu.Lock()
	offered := offer(version).without(p.lacking)
	p.mu.Unlock()
	if version == "" {
		version = defaultServerVersion
	}
	return version, offered
}

// lacks keeps greetings from promising what a server was found not to have.
func (p *Protocol) lacks(c capabilities) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lacking.base |= c.base
	p.lacking.extended |= c.extended
}
