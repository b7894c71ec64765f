// Package mongodb is a MongoDB server (or a FerretDB one) that holds workspaces:
// one database each and, where the server has users, one user who owns it; and
// tenants' databases, whose clients are users of less rights than the owner.
//
// Schema changes are found by comparing: a journal beside the databases keeps
// how each tracked one was when it was last looked at. What differs is noted
// together with the new state in one insert (see journal.go), so that it is
// noted once, whatever crashes.
package mongodb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// ShellCommand is the argument with which the program calls shell.Serve.
const ShellCommand = "mongodb-shell"

// Config is how to reach one server as its administrator.
type Config struct {
	Name string // for logs and errors: "main"
	// URI is the server or replica set with the administrator's login, as any
	// MongoDB client takes it.
	URI string
	// Shell is the program and arguments that call shell.Serve. Empty: the
	// running program with ShellCommand.
	Shell []string
	Log   *slog.Logger
}

// Engine is one MongoDB server, version 6 or newer, or FerretDB. It is safe for
// concurrent use.
type Engine struct {
	config Config
	login  *options.ClientOptions // of the administrator
	client *mongo.Client
	server atomic.Pointer[workspace.Address] // the primary, as far as it is known
	shells chan struct{}                     // one for each script that runs

	mu        sync.Mutex
	nature    *nature              // guarded by mu; nil until the server told
	databases map[string]*database // guarded by mu
}

const (
	connectTimeout = 10 * time.Second
	closeTimeout   = 5 * time.Second
	maxShells      = 4
)

var (
	_ workspace.Engine    = (*Engine)(nil)
	_ workspace.Announced = (*Engine)(nil)
	_ workspace.Shown     = (*Engine)(nil)
)

// New makes an Engine, which connects when it is used. An error is about the
// URI.
func New(c Config) (*Engine, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if len(c.Shell) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("mongodb %s: find the program: %w", c.Name, err)
		}
		c.Shell = []string{self, ShellCommand}
	}
	e := &Engine{config: c, databases: map[string]*database{}, shells: make(chan struct{}, maxShells)}
	e.login = options.Client().ApplyURI(c.URI).SetAppName("tenantsdb").SetServerSelectionTimeout(connectTimeout).SetConnectTimeout(connectTimeout)
	if err := e.login.Validate(); err != nil {
		return nil, fmt.Errorf("mongodb %s: the uri can't be used: %w", c.Name, redacted(err, c.URI))
	}
	if len(e.login.Hosts) == 0 {
		return nil, fmt.Errorf("mongodb %s: the uri names no host", c.Name)
	}
	e.server.Store(e.address(e.login.Hosts[0]))
	e.login.SetServerMonitor(&event.ServerMonitor{TopologyDescriptionChanged: e.follow})
	client, err := mongo.Connect(e.login)
	if err != nil {
		return nil, fmt.Errorf("mongodb %s: %w", c.Name, redacted(err, c.URI))
	}
	e.client = client
	return e, nil
}

// redacted is err without the URI's login, which a parser may quote.
func redacted(err error, uri string) error {
	if _, rest, ok := strings.Cut(uri, "://"); ok {
		if login, _, ok := strings.Cut(rest, "@"); ok {
			return errors.New(strings.ReplaceAll(err.Error(), login, "…"))
		}
	}
	return err
}

// follow notes where the primary is.
func (e *Engine) follow(changed *event.TopologyDescriptionChangedEvent) {
	for _, s := range changed.NewDescription.Servers {
		switch s.Kind {
		case "RSPrimary", "Standalone", "Mongos", "LoadBalancer":
			e.server.Store(e.address(s.Addr.String()))
			return
		}
	}
}

// address is a host of the URI's.
func (e *Engine) address(host string) *workspace.Address {
	if strings.HasSuffix(host, ".sock") {
		return &workspace.Address{Network: "unix", Addr: host}
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "27017")
	}
	var config *tls.Config
	if e.login.TLSConfig != nil {
		config = e.login.TLSConfig.Clone()
	}
	return &workspace.Address{Network: "tcp", Addr: host, TLS: config}
}

// Close ends the connections.
func (e *Engine) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	// Its only error is that it was closed before.
	_ = e.client.Disconnect(ctx)
}

// Type is workspace.MongoDB.
func (e *Engine) Type() workspace.DatabaseType { return workspace.MongoDB }

// Address is where sessions of the proxy connect: the primary of a replica set,
// as it was last seen.
func (e *Engine) Address() workspace.Address { return *e.server.Load() }

// database is what is kept in memory of one workspace's database.
func (e *Engine) database(name string) *database {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.databases[name]
	if d == nil {
		d = &database{}
		e.databases[name] = d
	}
	return d
}

// database is one workspace's database.
type database struct {
	changing  sync.Mutex // held while a query of ours changes the schema
	announced announcements
}
