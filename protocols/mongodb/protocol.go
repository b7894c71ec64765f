package mongodb

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/loginguard"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// Directory knows who may log in and where a login leads.
type Directory interface {
	// LoginUser finds the credentials of a user, whose login names no database
	// yet. Its Route leads somewhere only where there is no choice.
	LoginUser(ctx context.Context, t workspace.DatabaseType, user string) (workspace.Login, error)
	// Login finds the workspace of a user that has a database. Known is false
	// where there is none.
	Login(ctx context.Context, t workspace.DatabaseType, user, database string) (workspace.Login, error)
	// Databases are those that an authenticated user may name.
	Databases(t workspace.DatabaseType, user string) []string
}

// Recorder moves committed schema changes into the deploy queue.
type Recorder interface {
	// Record returns when the workspace's changes are durable in the queue.
	Record(ctx context.Context, workspaceID int64) error
	// Announce tells of a command, in canonical Extended JSON, that may change
	// the schema, before it is sent for the client with that connectionId.
	Announce(workspaceID int64, session uint32, statement string)
}

// Config is what the protocol needs.
type Config struct {
	TLS       *tls.Config // the server's configuration
	Directory Directory
	Recorder  Recorder
	Log       *slog.Logger
	// Servers are the physical servers of all workspaces. Hello, which comes
	// before any login, shows what each of them can do.
	Servers func() []workspace.Address
	// PublicHost is the host and port at which clients reach the listener. It
	// is the one member of the replica set that drivers get to see, where the
	// servers are members of replica sets.
	PublicHost func() string
	// KillGrace is how long a server may take beyond a command's time limit
	// before the proxy ends the command itself; 0 means a second.
	KillGrace time.Duration
}

const defaultKillGrace = time.Second

// Protocol is the MongoDB protocol of one installation.
type Protocol struct {
	config   Config
	guard    loginguard.Guard
	commands commands
	codecs   *codecs
	topology *topology
	pool     *pool
	wheel    *window.Wheel
	requests atomic.Int32  // the proxy's own request ids
	numbers  atomic.Int32  // of connections
	doubts   chan struct{} // holds an element while the servers are to be asked anew
	closing  chan struct{}
	closed   chan struct{}

	mu     sync.Mutex
	spaces map[int64]*space
}

// New makes the protocol. Close ends its warm backends.
func New(config Config) *Protocol {
	if config.KillGrace == 0 {
		config.KillGrace = defaultKillGrace
	}
	p := &Protocol{
		config:   config,
		commands: newCommands(),
		codecs:   newCodecs(),
		topology: newTopology(),
		pool:     window.NewPool[poolKey, *backend](nil),
		wheel:    window.NewWheel(),
		doubts:   make(chan struct{}, 1),
		closing:  make(chan struct{}),
		closed:   make(chan struct{}),
		spaces:   make(map[int64]*space),
	}
	var random [4]byte
	rand.Read(random[:])
	p.requests.Store(int32(binary.LittleEndian.Uint32(random[:]) >> 2))
	go p.lookAfter()
	return p
}

// Forget closes what is kept warm for a workspace.
func (p *Protocol) Forget(workspaceID int64) {
	p.pool.Forget(workspaceID)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.spaces, workspaceID)
}

// Close closes all warm backends. Sessions must have ended.
func (p *Protocol) Close() {
	close(p.closing)
	<-p.closed
	p.pool.Close()
}

// space is what the sessions of a workspace share.
func (p *Protocol) space(workspaceID int64) *space {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.spaces[workspaceID]
	if s == nil {
		s = newSpace()
		p.spaces[workspaceID] = s
	}
	return s
}

// nextRequest is a request id of the proxy's own.
func (p *Protocol) nextRequest() int32 { return p.requests.Add(1) & 0x7FFFFFFF }

// lookInterval is how often forgotten cursors and the servers are looked
// after.
const lookInterval = 15 * time.Second

func (p *Protocol) lookAfter() {
	defer close(p.closed)
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	ctx, done := context.WithCancel(context.Background())
	defer done()
	var again <-chan time.Time
	for {
		select {
		case now := <-ticker.C:
			p.retireCursors(now)
		case <-p.doubts:
		case <-again:
		case <-p.closing:
			return
		}
		p.refreshWhileOpen(ctx, done)
		again = p.again()
	}
}

// refreshWhileOpen asks the servers anew, and gives up when the protocol is
// closed.
func (p *Protocol) refreshWhileOpen(ctx context.Context, giveUp func()) {
	refreshed := make(chan struct{})
	go func() {
		defer close(refreshed)
		if _, err := p.refresh(ctx); err != nil {
			p.config.Log.Warn("database servers not seen", "protocol", "mongodb", "error", err)
		}
	}()
	select {
	case <-refreshed:
	case <-p.closing:
		giveUp()
		<-refreshed
	}
}

func (p *Protocol) retireCursors(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.spaces {
		s.retireCursors(now)
	}
}
