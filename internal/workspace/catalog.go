package workspace

import (
	"context"
	"errors"
	"time"
)

// The answers of a Catalog that are not failures of the store.
var (
	ErrExists   = errors.New("exists already")
	ErrNotFound = errors.New("not found")
	ErrInUse    = errors.New("in use")
)

// Catalog is the durable metadata. Each method is one transaction: when it
// returns nil, its effect survives a crash; when it returns an error, it had
// none. Methods that name one row return ErrNotFound where there is no such
// row, and those that add one return ErrExists where its name is taken.
type Catalog interface {
	Ping(ctx context.Context) error

	// Secret is the installation's secret of that name; the first call keeps
	// fresh and every call returns what is kept.
	Secret(ctx context.Context, name string, fresh []byte) ([]byte, error)

	// AddProject keeps a project with its first credential and key.
	AddProject(ctx context.Context, p Project, c Credential, k APIKey) error
	Projects(ctx context.Context) ([]Project, error) // oldest first
	// RemoveProject removes a project with its credentials and keys; ErrInUse
	// where it has workspaces.
	RemoveProject(ctx context.Context, id string) error
	Credentials(ctx context.Context) ([]Credential, error)

	AddKey(ctx context.Context, k APIKey) error
	Keys(ctx context.Context) ([]APIKey, error) // oldest first, revoked ones too
	// RevokeKey keeps the time of the first revocation, and of the key's login
	// nothing.
	RevokeKey(ctx context.Context, id string, at time.Time) error

	// AddReader keeps the reader of a database, which has one; it goes with the
	// record of the database.
	AddReader(ctx context.Context, r ReaderRecord) error
	Readers(ctx context.Context) ([]ReaderRecord, error)
	// RemoveReader is no error where there is none.
	RemoveReader(ctx context.Context, databaseID int64) error

	// AddWorkspace gives the record its ID, which is never used again.
	AddWorkspace(ctx context.Context, w Workspace) (id int64, err error)
	Workspaces(ctx context.Context) ([]Workspace, error) // oldest first
	SetState(ctx context.Context, id int64, s State) error
	SetSettings(ctx context.Context, id int64, s Settings) error
	// RemoveWorkspace removes the record with its entries and versions.
	RemoveWorkspace(ctx context.Context, id int64) error

	// Append adds changes to the deploy queue in their order and returns the
	// workspace's version after that. Each JournalID is kept once, for as long
	// as the workspace lives, whatever became of its entry, so that a journal
	// may be read again. Each new Unit is one version; changes without a Unit
	// are one each. A change that Reverts a pending entry takes it out of the
	// queue instead of entering it; if that entry has been deployed meanwhile,
	// the change is queued like any other, since tenants need it.
	Append(ctx context.Context, id int64, changes []Change, at time.Time) (version int64, err error)
	// Pending is the deploy queue, oldest first.
	Pending(ctx context.Context, id int64) ([]Entry, error)
	PendingCount(ctx context.Context, id int64) (int64, error)
	// Entry is one pending or deployed entry.
	Entry(ctx context.Context, id, entryID int64) (Entry, error)
	// Skip takes a pending entry out of the queue.
	Skip(ctx context.Context, id, entryID int64) error

	TenantCatalog
	DeploymentCatalog
	DataImportCatalog
}

// TenantCatalog is the part of a Catalog that is about tenants.
type TenantCatalog interface {
	// AddTenantDatabase keeps d, and t too where its ID is 0, and gives them
	// their IDs. ErrExists where the tenant's name or its database of that
	// blueprint is there.
	AddTenantDatabase(ctx context.Context, t TenantRecord, d TenantDatabase) (tenantID, id int64, err error)
	Tenants(ctx context.Context) ([]TenantRecord, error)           // oldest first
	TenantDatabases(ctx context.Context) ([]TenantDatabase, error) // oldest first
	SetTenantState(ctx context.Context, id int64, s TenantState) error
	// SetTenantDatabasesReady says that databases of one tenant which were made
	// together are Ready, and that it has the versions which they have.
	SetTenantDatabasesReady(ctx context.Context, ids []int64, at time.Time) error
	// SetTenantDeleting says that a tenant goes for good: it is in the trash, and
	// all of its databases are Deleting.
	SetTenantDeleting(ctx context.Context, id int64) error
	SetTenantDatabaseSettings(ctx context.Context, id int64, s Settings) error
	// RemoveTenantDatabase removes the record, and the tenant's with its last.
	// Versions that no tenant ever had are pending again.
	RemoveTenantDatabase(ctx context.Context, id int64) error
}

// DeploymentCatalog is the part of a Catalog that is about versions and their
// deployment.
type DeploymentCatalog interface {
	// Versions are a workspace's, oldest first, skipped and reverted entries
	// left out.
	Versions(ctx context.Context, id int64) ([]Version, error)
	// BeginVersion says that a tenant's database is about to get a version of
	// its blueprint: from here on its entries count as deployed. What it
	// returns is what the database is to get. ErrNotFound where there is no
	// such version.
	BeginVersion(ctx context.Context, databaseID, version int64) (Version, error)
	// FinishVersion says that the database has the version whole.
	FinishVersion(ctx context.Context, databaseID, version int64, at time.Time) error
	// AbandonVersion says that nothing of the version that the database was to
	// get took effect. Versions that no tenant ever had, nor is getting, are
	// pending again.
	AbandonVersion(ctx context.Context, databaseID int64) error

	// AddDeployment is ErrNotFound where the blueprint is not there.
	AddDeployment(ctx context.Context, d Deployment) error
	Deployments(ctx context.Context, page DeploymentPage) ([]DeploymentSummary, error) // newest first
	Deployment(ctx context.Context, id string) (Deployment, error)
	// UnfinishedDeployments are those of all projects that have not ended, in
	// the order in which they were asked for.
	UnfinishedDeployments(ctx context.Context) ([]Deployment, error)
	// SetDeploymentResult keeps r in the place of the tenant's.
	SetDeploymentResult(ctx context.Context, id string, r DeploymentResult) error
	// SetDeploymentState says where the deployment stands; completed is when it
	// ended, nil before.
	SetDeploymentState(ctx context.Context, id string, s DeploymentState, completed *time.Time) error
}

// Credential is a proxy password of a project, in the two forms that the
// protocols need. All credentials of a project share the salt and iterations of
// their SCRAM form, since a server names these before it knows the password.
type Credential struct {
	ID        string
	ProjectID string
	Sealed    []byte // the password, sealed under the master key
	SCRAM     SCRAM
	CreatedAt time.Time
}

// APIKey is a key of the admin API, without its secret.
type APIKey struct {
	ID        string
	ProjectID string
	Name      string
	Prefix    string // the first characters of the secret, to recognise it by
	Hash      []byte // SHA-256 of the secret, which is random enough for that
	Role      string // admin, write or read
	Scope     Scope
	CreatedAt time.Time
	RevokedAt *time.Time
	// Login is how clients log in at the proxy as the key; its ProjectID is the
	// user name. It is zero where that is the project's, and where the key has
	// none, being older than these logins.
	Login Credential
}

// ReaderRecord is the physical role that may only read the database of a
// workspace or a tenant.
type ReaderRecord struct {
	DatabaseID int64
	Role       string
	RoleSecret []byte // the role's password, sealed under the master key
}

// Scope is what part of its project a key reaches.
type Scope struct {
	Type   string   // project, workspace or tenant
	Values []string // names of workspaces or tenants
}
