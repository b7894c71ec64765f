package workspace

import (
	"context"
	"time"
)

// Principal is who an API key speaks for.
type Principal struct {
	KeyID     string
	ProjectID string
	Role      string // admin, write or read
	Scope     Scope
}

// Details is one workspace as the API shows it.
type Details struct {
	Workspace
	Connection  Connection
	Definitions []string // statements that rebuild the schema; nil where SchemaError is set
	SchemaError string
	Undeployed  int64 // pending entries; tenant mode only
}

// Connection is how a native client reaches a workspace.
type Connection struct {
	Host     string
	Port     int
	Database string
	User     string
	Password string // eight bullets where it is not to be shown
	String   string // the connection string, password masked alike
}

// Deleted says what Delete removed.
type Deleted struct {
	Name            string
	Mode            Mode
	VersionsDeleted int64
}

// Queue is a workspace's deploy queue.
type Queue struct {
	Workspace string
	Version   int64
	Pending   []Entry
}

// Check is the health of one thing that the installation needs.
type Check struct {
	Name string // "catalog", "postgresql/main"
	Err  error
	Took time.Duration
}

// Service is the only writer of state.
type Service struct{}

// NewService reads the catalog, prepares the engines, finishes or undoes what a
// crash left half-done and starts to bring all queues up to date. An engine
// that can't be reached does not stop it: its work is taken up when it is back.
func NewService(ctx context.Context, c Config) (*Service, error) { panic("stub") }

// Close ends the work in the background and waits for it. It leaves Catalog and
// Engines to their owner.
func (s *Service) Close() { panic("stub") }

// SetSessions tells the Service of the proxy that serves its logins; it is
// called once, before the first Delete.
func (s *Service) SetSessions(x Sessions) { panic("stub") }

// Authenticate finds the principal of an API key: AuthRequired where key is
// empty, Unauthorized where it is unknown or revoked.
func (s *Service) Authenticate(ctx context.Context, key string) (Principal, error) { panic("stub") }

// List is the project's workspaces, oldest first.
func (s *Service) List(ctx context.Context, p Principal) ([]Workspace, error) { panic("stub") }

// Create makes a workspace or leaves nothing behind. database and mode are as
// the client wrote them; the connection shows the password.
func (s *Service) Create(ctx context.Context, p Principal, name, database, mode string) (Details, error) {
	panic("stub")
}

// Get is one workspace; an unreadable schema is in SchemaError, not an error.
func (s *Service) Get(ctx context.Context, p Principal, id string) (Details, error) { panic("stub") }

// Delete ends the workspace's sessions and removes it.
func (s *Service) Delete(ctx context.Context, p Principal, id string) (Deleted, error) {
	panic("stub")
}

// Query runs text with the workspace's limits and records its DDL.
func (s *Service) Query(ctx context.Context, p Principal, id, text string) (Result, error) {
	panic("stub")
}

// Schema is the workspace's tables now.
func (s *Service) Schema(ctx context.Context, p Principal, id string) ([]Table, error) {
	panic("stub")
}

// Pending is the deploy queue, oldest first; BadRequest in control mode.
func (s *Service) Pending(ctx context.Context, p Principal, id string) (Queue, error) {
	panic("stub")
}

// Skip removes an entry from the queue; the database keeps the change.
func (s *Service) Skip(ctx context.Context, p Principal, id string, ddlID int64) error {
	panic("stub")
}

// Revert runs an entry's reverse statement, which it returns, and removes the
// entry.
func (s *Service) Revert(ctx context.Context, p Principal, id string, ddlID int64) (string, error) {
	panic("stub")
}

// Settings is the workspace with its settings.
func (s *Service) Settings(ctx context.Context, p Principal, id string) (Workspace, error) {
	panic("stub")
}

// UpdateSettings changes the fields given, by their API names, on the open
// sessions too. Values are decoded JSON (json.Number, map[string]any); a wrong
// one is a BadRequest naming the field and the available ones.
func (s *Service) UpdateSettings(ctx context.Context, p Principal, id string, fields map[string]any) (Workspace, error) {
	panic("stub")
}

// AvailableSettings are the API names of a type's settings, in their order.
func AvailableSettings(t DatabaseType) []string { panic("stub") }

// Ready checks the catalog and each engine.
func (s *Service) Ready(ctx context.Context) []Check { panic("stub") }

// Login finds what a protocol needs to check a login; never an error for an
// unknown user or database (see Login.Known).
func (s *Service) Login(ctx context.Context, t DatabaseType, user, database string) (Login, error) {
	panic("stub")
}

// Record moves the workspace's committed schema changes into its deploy queue,
// durably and each once, in commit order. The relay calls it before it passes
// on the acknowledgement of a transaction that changed the schema.
func (s *Service) Record(ctx context.Context, workspaceID int64) error { panic("stub") }
