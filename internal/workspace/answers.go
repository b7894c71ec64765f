package workspace

import "time"

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
