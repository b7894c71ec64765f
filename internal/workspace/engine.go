package workspace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// ErrFull says that an Engine whose queries are sessions of the proxy was not let
// in, since the workspace's max_connections are in use.
var ErrFull = errors.New("max_connections are in use")

// ErrPartly is in the chain of Deploy's error where a part of the version took
// effect and stays, so that the tenant can't be said not to have it.
var ErrPartly = errors.New("a part of the version took effect")

// ErrRival is in the chain of Deploy's error where the server is still at the
// last request of a process that died, or another node is at the database.
// Nothing is wrong: asked again, Deploy goes on from what there is then.
var ErrRival = errors.New("somebody else is deploying to the database")

// Partly is err with ErrPartly in its chain.
func Partly(err error) error {
	if errors.Is(err, ErrPartly) {
		return err
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return errors.Join(ErrPartly, err)
	}
	told := *e
	return told.Because(errors.Join(ErrPartly, e.cause))
}

// Target is the database of a workspace or a tenant on a physical server.
type Target struct {
	Database string
	Role     string
	Password string // of Role

	// Owner owns the database of a tenant, and its Role may use what is in it
	// and change none of its schema. Of a workspace they are empty, and its Role
	// is the owner.
	Owner         string
	OwnerPassword string

	// Reader may only read the database: what is in it, and what will be. Empty:
	// there is none.
	Reader         string
	ReaderPassword string

	// Client is how the workspace's own clients log in at the proxy, for
	// engines that run queries through it.
	Client ClientLogin
}

// ClientLogin is a login at the proxy.
type ClientLogin struct {
	User     string
	Password string
}

// Limits bound one query sent through the API. 0 means no limit.
type Limits struct {
	Kind      string // what Workspace is, as Live.Kind says; empty: a workspace
	Workspace string // whose limits they are, for the error that names them
	TimeoutMS int64
	MaxRows   int64
}

// TimedOut tells a client that its query ran longer than TimeoutMS.
func (l Limits) TimedOut() string {
	return fmt.Sprintf("query was cancelled: %s %q allows a query to run for %d ms (query_timeout_ms)", cmp.Or(l.Kind, "workspace"), l.Workspace, l.TimeoutMS)
}

// TooManyRows tells a client that its query gives more than MaxRows.
func (l Limits) TooManyRows() string {
	return fmt.Sprintf("%s %q allows a query to give %d rows (max_rows_per_query)", cmp.Or(l.Kind, "workspace"), l.Workspace, l.MaxRows)
}

// Engine is one physical server. Each method may be called again after a crash
// half-way: creating what exists and dropping what does not are not errors.
// A failure that the client's statement caused is an *Error with the server's
// own code in Details; a server that can't be reached is an *Error Unavailable.
type Engine interface {
	Type() DatabaseType
	// Address is where sessions of the proxy connect.
	Address() Address
	// Prepare makes the server safe to hold workspaces; called once at start.
	Prepare(ctx context.Context) error
	Ping(ctx context.Context) error
	// Create makes the role and its database, and the owner and the reader where
	// there is one; of those that exist it puts back what they may. tracked
	// installs what Changes needs; only tenant-mode workspaces are tracked.
	Create(ctx context.Context, t Target, tracked bool) error
	// Drop ends the database's sessions and removes database, role, owner and
	// reader.
	Drop(ctx context.Context, t Target) error
	// SetReader makes the reader of a database that is there, or puts back what
	// it may; Create does so too where t has one. It is no change of the schema:
	// neither Definitions nor Changes show it.
	SetReader(ctx context.Context, t Target) error
	// DropReader ends the reader's sessions and removes it.
	DropReader(ctx context.Context, t Target) error
	// Exists says whether a database or role of that name is on the server.
	Exists(ctx context.Context, name string) (bool, error)

	// Query runs text as the target's role; several statements give the last
	// result. Where a statement of it would change the schema of a tenant's
	// database, none of it is run and the error is NoDDLQuery.
	Query(ctx context.Context, t Target, text string, limits Limits) (Result, error)
	Tables(ctx context.Context, t Target) ([]Table, error)
	// Definitions are statements that rebuild the schema, runnable in order.
	Definitions(ctx context.Context, t Target) ([]string, error)

	// Changes lists the committed schema changes that were not yet forgotten,
	// in commit order, changes of one unit together.
	Changes(ctx context.Context, t Target) ([]Change, error)
	// Forget removes changes that the catalog has durably.
	Forget(ctx context.Context, t Target, journalIDs []int64) error
	// Revert runs e.Reverse as the workspace's role, all or nothing, and leaves
	// in the journal, in the same transaction, a Change whose Reverts is e.ID.
	Revert(ctx context.Context, t Target, e Entry) error

	// Deploy gives a tenant's database one version: it runs each entry's
	// statement with its session settings, in their order, as t.Owner, and gives
	// t.Role its rights on what they made. Where the server's DDL is
	// transactional it is all or nothing. The server itself remembers, exactly,
	// which versions and which statements of an unfinished one it has, so that
	// a version that is there is not run again and one that was cut short goes
	// on where it ended, whenever the process died. A statement that the server
	// refuses is an *Error with the server's own code in Details and the
	// entry's id as "ddl_id"; ErrPartly is in its chain where statements before
	// it stay. It may answer ErrRival in place of waiting for one.
	Deploy(ctx context.Context, t Target, v Version) error
}

// Numbered is an Engine whose databases can't be named: they are the numbers
// from 1 to Databases-1, and number 0 is nobody's. A Target's Database is such a
// number in decimal digits.
type Numbered interface {
	Databases(ctx context.Context) (int, error)
}

// Restorer is an Engine whose server forgets roles when it is started again.
type Restorer interface {
	// Restore makes the roles again if the server has been started since the
	// last call; where it has not, it costs next to nothing. current is the
	// workspaces that should have their roles; it is asked while none can be
	// dropped, so that a role that is being removed does not come back.
	Restore(ctx context.Context, current func() []Target) error
}

// KeySpace is an Engine of keys and values.
type KeySpace interface {
	// Keys looks at a bounded number of keys, never at values.
	Keys(ctx context.Context, t Target) (Keys, error)
}

// Roleless is an Engine whose server may know no users.
type Roleless interface {
	// HasRoles says whether sessions log in as the workspace's role. Where they
	// do not, nothing but the proxy keeps workspaces apart.
	HasRoles() bool
}

// Announced is an Engine whose server does not keep a statement in the client's
// words.
type Announced interface {
	// Announce tells of a statement that may change the schema, before it is
	// sent; session is the server's number of its connection. It is kept in
	// memory, bounded, until the journal shows what became of it. Where it is
	// lost the change is recorded in the server's words.
	Announce(t Target, session uint32, statement string)
}

// Shown is an Engine that keeps statements in a form in which nobody types them.
type Shown interface {
	// Show is a recorded statement, or its reverse, in the form in which people
	// read and type it. To run it does the same.
	Show(statement string) string
}

// Outdating is an Engine whose server gives new connections what a statement has
// set for them, and leaves it out of those that are there, also when they are
// reset.
type Outdating interface {
	// Outdates says whether text may set such a thing. To say so of one that does
	// not costs the next sessions a connection each.
	Outdates(text string) bool
}

// Sessions are the open sessions of the proxy.
type Sessions interface {
	// CloseWorkspace ends every session of that workspace or tenant's database,
	// telling each client in its protocol that it is gone or suspended, and
	// waits until they ended.
	CloseWorkspace(ctx context.Context, workspaceID int64)
	// CloseKey ends every session of that key's login, as CloseWorkspace does.
	CloseKey(ctx context.Context, key *LiveKey)
	// Renew has the workspace's next sessions make connections of their own,
	// instead of taking over those of sessions that ended.
	Renew(workspaceID int64)
}
