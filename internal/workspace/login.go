package workspace

import (
	"crypto/tls"
	"maps"
	"sync/atomic"
	"time"
)

// Address is where a physical server listens.
type Address struct {
	Network string      // "unix" or "tcp"
	Addr    string      // socket path or host:port
	TLS     *tls.Config // with the name to verify; nil: no TLS (unix sockets)
}

// Login is what a protocol needs to check one login and to follow it. A login
// that names a database is Service.Login's; of a MySQL client that names none,
// and of a MongoDB client, whose database comes with each command, it is
// Service.LoginUser's; of a Redis client it is Service.LoginByPassword's.
// For a user or database that does not exist, Known is false and the
// credentials are ones that nobody can know, so that both failures look alike.
type Login struct {
	Known    bool
	Password string // the proxy password, for protocols that compare it
	SCRAM    SCRAM  // the same password as a SCRAM-SHA-256 verifier (RFC 5803)
	Route    Route
}

// SCRAM is a stored SCRAM-SHA-256 credential. Its slices are shared by all
// logins and must not be changed.
type SCRAM struct {
	Iterations int
	Salt       []byte
	StoredKey  []byte
	ServerKey  []byte
}

// Route is where a login leads: a database as a role on a physical server.
type Route struct {
	Live     *Live
	Key      *LiveKey // whose login it is; nil: the project's or the tenant's own
	Address  Address
	Database string
	Role     string // empty where the server knows no users
	Password string // of Role on the physical server
}

// Reads says whether the login may only read. Role is a reader then, and where
// the server knows no users the protocol refuses what writes.
func (r Route) Reads() bool { return r.Key != nil && r.Key.Reads }

// SameLogin says whether other leads to the same database with the same rights,
// and for as long: one session may then pass from one login to the other.
func (r Route) SameLogin(other Route) bool { return r.Live == other.Live && r.Key == other.Key }

// LiveKey is the part of an API key's login that its open sessions share.
type LiveKey struct {
	Reads bool // it may not write

	revoked atomic.Bool
}

// Revoked says that the key is no more. A session that was let in just before
// must look once more after it is counted among the open ones. Nil is never
// revoked.
func (k *LiveKey) Revoked() bool { return k != nil && k.revoked.Load() }

// SetRevoked ends the key's login.
func (k *LiveKey) SetRevoked() { k.revoked.Store(true) }

// Live is the part of a workspace, or of a tenant's database, that its open
// sessions share. Limits change while sessions are open, so they are read at each
// use.
type Live struct {
	ID   int64
	Name string
	Type DatabaseType
	Mode Mode

	queryTimeoutMS  atomic.Int64
	maxRowsPerQuery atomic.Int64
	maxConnections  atomic.Int64
	deleted         atomic.Bool
	suspended       atomic.Bool
	keyRules        atomic.Pointer[KeyRules]
	connections     atomic.Int64 // in use now
}

// KeyRules are the settings of a Redis workspace. A change makes a new value,
// so that what is derived from one may be kept by its address.
type KeyRules struct {
	DefaultTTL int64 // seconds; 0 means none
	MaxKeys    int64 // 0 means no limit
	Patterns   map[string]Pattern
}

// NewLive makes the shared state of w.
func NewLive(w Workspace) *Live {
	l := &Live{ID: w.ID, Name: w.Name, Type: w.Type, Mode: w.Mode}
	l.Set(w.Settings)
	return l
}

// Set makes s effective on open sessions.
func (l *Live) Set(s Settings) {
	l.queryTimeoutMS.Store(s.QueryTimeoutMS)
	l.maxRowsPerQuery.Store(s.MaxRowsPerQuery)
	l.maxConnections.Store(s.MaxConnections)
	l.keyRules.Store(&KeyRules{DefaultTTL: s.DefaultTTL, MaxKeys: s.MaxKeys, Patterns: maps.Clone(s.Patterns)})
}

// KeyRules are the rules for keys of a Redis workspace now.
func (l *Live) KeyRules() *KeyRules { return l.keyRules.Load() }

// QueryTimeout is the longest time a statement may run; 0 means no limit.
func (l *Live) QueryTimeout() time.Duration {
	return time.Duration(l.queryTimeoutMS.Load()) * time.Millisecond
}

// MaxRows is the most rows one statement may send; 0 means no limit.
func (l *Live) MaxRows() int64 { return l.maxRowsPerQuery.Load() }

// MaxConnections is the most sessions and queries of the API at once; 0 means no
// limit.
func (l *Live) MaxConnections() int64 { return l.maxConnections.Load() }

// Connections is how many are in use now, of those that MaxConnections limits.
func (l *Live) Connections() int64 { return l.connections.Load() }

// Enter takes one of the workspace's connections, which Leave gives back; false
// where max_connections are in use.
func (l *Live) Enter() bool {
	for {
		n := l.connections.Load()
		if limit := l.MaxConnections(); limit > 0 && n >= limit {
			return false
		}
		if l.connections.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Leave gives back what Enter took.
func (l *Live) Leave() { l.connections.Add(-1) }

// Deleted says that the workspace is being removed. A session that was let in
// just before must look once more after it is counted among the open ones.
func (l *Live) Deleted() bool { return l.deleted.Load() }

// SetDeleted makes l's workspace one that is being removed.
func (l *Live) SetDeleted() { l.deleted.Store(true) }

// Kind is what a client knows l as: a workspace, or a tenant database.
func (l *Live) Kind() string { return l.Mode.kind() }

// Raise tells a client where the setting of that name is to be raised.
func (l *Live) Raise(setting string) string {
	if l.Mode == Deployed {
		return "raise " + setting + " in its blueprint's settings and deploy them"
	}
	return "raise " + setting + " in the workspace's settings"
}

// Suspended says that the tenant whose database it is lets nobody in for now. A
// session that was let in just before must look once more, as for Deleted.
func (l *Live) Suspended() bool { return l.suspended.Load() }

// SetSuspended closes the tenant's database to clients, or opens it again.
func (l *Live) SetSuspended(closed bool) { l.suspended.Store(closed) }
