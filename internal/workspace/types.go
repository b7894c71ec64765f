package workspace

import (
	"encoding/json"
	"strings"
	"time"
)

// DatabaseType is a kind of database, in the lower-case spelling of lists and
// details ("postgresql").
type DatabaseType string

// The database types of the specification.
const (
	PostgreSQL DatabaseType = "postgresql"
	MySQL      DatabaseType = "mysql"
	MongoDB    DatabaseType = "mongodb"
	Redis      DatabaseType = "redis"
)

// ParseDatabaseType accepts any letter case of the display names, and the short
// forms "postgres" and "mongo".
func ParseDatabaseType(s string) (DatabaseType, bool) {
	switch strings.ToLower(s) {
	case "postgresql", "postgres":
		return PostgreSQL, true
	case "mysql":
		return MySQL, true
	case "mongodb", "mongo":
		return MongoDB, true
	case "redis":
		return Redis, true
	}
	return "", false
}

// DisplayName is the spelling of create, import and settings answers.
func (t DatabaseType) DisplayName() string {
	switch t {
	case PostgreSQL:
		return "PostgreSQL"
	case MySQL:
		return "MySQL"
	case MongoDB:
		return "MongoDB"
	case Redis:
		return "Redis"
	}
	return string(t)
}

// Mode says whether schema changes are captured for tenants.
type Mode string

// Tenant workspaces have a blueprint and a deploy queue; control workspaces
// are plain managed databases. Deployed is the mode of a tenant's database,
// whose schema nothing but deployments may change.
const (
	Tenant   Mode = "tenant"
	Control  Mode = "control"
	Deployed Mode = "deployed"
)

// kind is what a client knows such a database as.
func (m Mode) kind() string {
	if m == Deployed {
		return "tenant database"
	}
	return "workspace"
}

// Settings are the limits of one workspace. 0 means no limit.
type Settings struct {
	QueryTimeoutMS  int64
	MaxRowsPerQuery int64
	MaxConnections  int64

	// Redis only.
	DefaultTTL int64
	MaxKeys    int64
	Patterns   map[string]Pattern
}

// Pattern is a Redis key pattern's rule. TTL is in seconds.
type Pattern struct {
	TTL int64 `json:"ttl"`
}

// DefaultSettings are those of a new workspace.
func DefaultSettings() Settings {
	return Settings{QueryTimeoutMS: 30000, MaxRowsPerQuery: 10000, MaxConnections: 100}
}

// State is where a workspace stands between its catalog record and its
// physical database. A workspace found Creating or Deleting at start is undone.
type State string

// The states of a workspace.
const (
	Creating State = "creating"
	Ready    State = "ready"
	Deleting State = "deleting"
)

// Workspace is the durable record of one workspace.
type Workspace struct {
	ID         int64 // internal; the API's id is Name
	ProjectID  string
	Name       string
	Type       DatabaseType
	Mode       Mode
	State      State
	Server     string // name of the physical server that holds it
	Database   string // physical database, also the name that clients see
	Role       string // physical role that owns Database
	RoleSecret []byte // the role's password, sealed under the master key
	Settings   Settings
	Version    int64 // blueprint versions so far; tenant mode only
	CreatedAt  time.Time
}

// Project owns workspaces. Its ID ("tdb_" and 8 hex digits) is also the user
// name of its proxy login.
type Project struct {
	ID        string
	Name      string
	CreatedAt time.Time
}

// Change is one committed schema change as an Engine found it.
type Change struct {
	JournalID  int64             // the engine's own id of it; the catalog keeps each once
	Unit       string            // changes of one transaction share it; one unit is one version
	Statement  string            // as the client sent it
	Operation  string            // "CREATE TABLE"
	ObjectType string            // "table"
	Object     string            // as shown: "users", "billing.invoices"
	Identity   string            // canonical and qualified: "public.users"; what References name
	Reversible bool              // Reverse is exact
	Reverse    string            // "DROP TABLE IF EXISTS users;"
	WhyNot     string            // why there is no safe reverse
	References []string          // identities that the statement needs
	Session    map[string]string // settings that change its meaning, where not the database's defaults
	Source     string            // proxy, api or import
	Warnings   []string
	At         time.Time
	Reverts    int64 // not 0: this change undid that queue entry, which leaves the queue
}

// Entry is one change in the deploy queue.
type Entry struct {
	ID      int64 // unique in the installation, never reused
	Version int64
	Status  string // pending or deployed
	// Kept is the statement as it is kept, where Statement was made for people
	// to read; see Shown.
	Kept string
	Change
}

// Result is what a query sent through the API gives.
type Result struct {
	Columns      []string
	Rows         [][]any // values that encode as the contract's JSON types
	RowCount     int64
	RowsAffected *int64 // nil where the statement returns rows
	Bytes        int64  // that Rows hold in memory, about
	Elapsed      time.Duration
}

// Table is one table or collection of a Schema.
type Table struct {
	Name    string
	Columns []Column
	Indexes []string

	// Validator is a collection's, as relaxed Extended JSON; nil where it has
	// none.
	Validator json.RawMessage
}

// Column is one column, its type as the user would write it (SERIAL, TEXT).
type Column struct {
	Name       string
	Type       string
	Nullable   bool
	Default    *string
	PrimaryKey bool
}
