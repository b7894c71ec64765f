package postgres

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/loginguard"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// Directory knows who may log in and where a login leads.
type Directory interface {
	Login(ctx context.Context, t workspace.DatabaseType, user, database string) (workspace.Login, error)
}

// Recorder moves committed schema changes into the deploy queue.
type Recorder interface {
	Record(ctx context.Context, workspaceID int64) error
}

// Restorer puts back a workspace's physical role whose password the server
// does not take any more.
type Restorer interface {
	RestoreRole(ctx context.Context, workspaceID int64) error
}

// Config is what the protocol needs.
type Config struct {
	// TLS is the server's configuration; its NextProtos names "postgresql",
	// and its GetCertificate tells a connection with a RecordLeaf method which
	// certificate it serves.
	TLS       *tls.Config
	Directory Directory
	Recorder  Recorder
	Restorer  Restorer
	Log       *slog.Logger
	// CancelGrace is how long a statement over its time may ignore cancel
	// requests before its session is ended; 0 means ten seconds.
	CancelGrace time.Duration
}

// Protocol is the PostgreSQL protocol of one installation.
type Protocol struct {
	config  Config
	guard   loginguard.Guard
	cancels cancelKeys
	pool    *pool
	wheel   *window.Wheel
}

// New makes the protocol. Close ends its warm backends.
func New(config Config) *Protocol {
	if config.CancelGrace == 0 {
		config.CancelGrace = defaultCancelGrace
	}
	p := &Protocol{
		config:  config,
		cancels: cancelKeys{relays: make(map[uint32]*relay)},
		pool:    window.NewPool[poolKey, *backend](isFull),
		wheel:   window.NewWheel(),
	}
	return p
}

// Forget closes the warm backends of a workspace.
func (p *Protocol) Forget(workspaceID int64) { p.pool.Forget(workspaceID) }

// Close closes all warm backends. Sessions must have ended.
func (p *Protocol) Close() {
	p.pool.Close()
}
