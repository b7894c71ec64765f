// Package protocols is the contract between the proxy and the wire protocols.
//
// The order of a connection is enforced by types: Handshake gives the Session
// that can Connect, and Connect gives the Relay that can Run. A Session can
// also Refuse, in its client's own words, because from the handshake on there
// is a client that understands them.
package protocols

import (
	"context"
	"errors"
	"net"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// ErrServed is what Handshake returns for a connection that asked for
// something other than a session (a cancel request) and got it.
var ErrServed = errors.New("connection served without a session")

// Protocol is one wire protocol.
type Protocol interface {
	// Handshake reads the startup, upgrades to TLS by Secure and authenticates.
	// conn carries the deadline over all of it. On an error the client has
	// already been told what it may know; the caller closes conn.
	Handshake(ctx context.Context, conn net.Conn) (Session, error)
	// Forget drops what is kept warm for a workspace: it was deleted, or new
	// connections to its server start differently now.
	Forget(workspaceID int64)
}

// Session is an authenticated client.
type Session interface {
	// User is the login's user name, for the log.
	User() string
	// Route is where the login leads; decided by the login, never again by
	// the client.
	Route() workspace.Route
	// Connect takes a backend and tells the client that it is ready. On an
	// error the client has been told.
	Connect(ctx context.Context) (Relay, error)
	// Refuse ends the login with the reason, in the client's protocol.
	Refuse(r Reason)
}

// Relay is a client and its backend.
type Relay interface {
	// Run relays until either side ends or Stop took effect; the first error
	// wins. It leaves the frontend to be closed by the caller and disposes of
	// the backend itself.
	Run(ctx context.Context) error
	// Stop makes Run end, telling the client why. Draining waits for the
	// statement at hand, the others do not, and overrule it. Safe from any goroutine, also
	// before and after Run.
	Stop(r Reason)
	// Traffic is the bytes relayed so far, from and to the client.
	Traffic() (in, out int64)
}

// Reason is why the proxy ends or refuses a session.
type Reason int

// The reasons. Each protocol has one table from these to its own errors.
const (
	Full      Reason = iota + 1 // max_connections of the workspace is reached
	Draining                    // the proxy is shutting down
	Deleted                     // the workspace was deleted; statements are not waited for
	Cut                         // the proxy is shutting down and its patience is over
	Suspended                   // the tenant is suspended; statements are not waited for
	Revoked                     // the API key of the login was revoked; statements are not waited for
)

func (r Reason) String() string {
	switch r {
	case Full:
		return "full"
	case Draining:
		return "draining"
	case Deleted:
		return "deleted"
	case Cut:
		return "cut"
	case Suspended:
		return "suspended"
	case Revoked:
		return "revoked"
	}
	return "unknown"
}
