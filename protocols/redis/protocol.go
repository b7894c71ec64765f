package redis

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sync"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/loginguard"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// Directory knows who may log in and where a login leads.
type Directory interface {
	// LoginByPassword finds the workspace of a user name and its password.
	// user is the workspace's name, or "workspace" or nothing where the
	// password alone tells it. Known is false for anything wrong.
	LoginByPassword(ctx context.Context, t workspace.DatabaseType, user, password string) (workspace.Login, error)
}

// Config is what the protocol needs.
type Config struct {
	TLS       *tls.Config // the server's configuration
	Directory Directory
	Log       *slog.Logger
	// Admin is the administrator's login at a physical server: it selects the
	// workspace's database on each new backend, and answers the proxy's own
	// questions. An empty password means that none is asked for, an empty user
	// the server's default one. Never logged.
	Admin func(address workspace.Address) (user, password string)
}

// Protocol is the Redis protocol of one installation.
type Protocol struct {
	config   Config
	guard    loginguard.Guard
	commands commands
	pool     *pool
	prologue string // of scripts
	// administrators are the connections for the proxy's own questions.
	administrators *administrators

	mu      sync.Mutex
	spaces  map[int64]*space
	unknown map[judgedName]*command
}

// New makes the protocol. Close ends its warm backends.
func New(config Config) *Protocol {
	table := newCommands()
	p := &Protocol{
		config:   config,
		commands: table,
		pool:     window.NewPool[poolKey, *backend](nil),
		prologue: scriptPrologue(table),

		administrators: window.NewPool[serverKey, *administrator](nil),
		spaces:         make(map[int64]*space),
		unknown:        make(map[judgedName]*command),
	}
	return p
}

// Forget closes what is kept warm for a workspace.
func (p *Protocol) Forget(workspaceID int64) {
	p.pool.Forget(workspaceID)
	p.mu.Lock()
	s := p.spaces[workspaceID]
	delete(p.spaces, workspaceID)
	p.mu.Unlock()
	if s != nil {
		s.close()
	}
}

// Close closes all warm backends and the administrators. Sessions must have ended.
func (p *Protocol) Close() {
	p.pool.Close()
	p.administrators.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.spaces {
		s.close()
	}
}

// space is what the sessions of a workspace share.
func (p *Protocol) space(workspaceID int64) *space {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.spaces[workspaceID]
	if s == nil {
		s = &space{}
		p.spaces[workspaceID] = s
	}
	return s
}

// judgedName is a command on a server.
type judgedName struct{ server, name string }

// maxJudged bounds what is remembered of commands that the table lacks.
const maxJudged = 1024

// judged is the row of a command that the table lacks, made from what the
// server says of it.
func (p *Protocol) judged(r *relay, name string) (*command, error) {
	key := judgedName{r.route.Address.Addr, name}
	p.mu.Lock()
	c := p.unknown[key]
	p.mu.Unlock()
	if c != nil {
		return c, nil
	}
	answer, err := r.askAdmin(appendCommand(nil, "COMMAND", "INFO", name))
	if err != nil {
		return nil, err
	}
	rows, ok := answer.([]any)
	if !ok || len(rows) != 1 {
		return nil, errAnswer
	}
	c = judge(name, rows[0])
	if rows[0] == nil {
		return c, nil // the server may be a newer one, or load a module, by and by
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.unknown) >= maxJudged {
		clear(p.unknown)
	}
	p.unknown[key] = c
	return c, nil
}
