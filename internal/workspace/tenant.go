package workspace

import "time"

// TenantState says whether a tenant's clients are let in.
type TenantState string

// The states of a tenant. What is in Trash keeps its data and its name, until it
// is restored or deleted for good.
const (
	TenantReady     TenantState = "ready"
	TenantSuspended TenantState = "suspended"
	TenantTrash     TenantState = "trash"
)

// TenantRecord is the durable record of one tenant of a project: a name that has one
// physical database for each blueprint it uses.
type TenantRecord struct {
	ID        int64
	ProjectID string
	Name      string // the API's tenant_id
	State     TenantState
	CreatedAt time.Time
}

// TenantDatabase is the durable record of one physical database of a tenant.
type TenantDatabase struct {
	ID             int64 // no workspace has it: sessions and pools know both by it
	TenantID       int64
	BlueprintID    int64 // the workspace whose versions it gets
	State          State
	IsolationLevel int64
	Server         string // name of the physical server that holds it
	Database       string // physical database, also the name that clients see
	Role           string // physical role that its clients' sessions have
	RoleSecret     []byte // the role's password, sealed under the master key
	Owner          string // physical role that owns Database and runs deployments
	OwnerSecret    []byte
	Login          Credential // how clients log in; its ProjectID is the user name
	Settings       Settings   // the blueprint's at the last deployment
	Version        int64      // the newest version that it has whole
	CreatedAt      time.Time
}

// The isolation levels of a tenant's database.
const (
	SharedServer int64 = 1 // beside others
	OwnServer    int64 = 2 // on a server that holds no other tenant
)

// Version is one version of a blueprint.
type Version struct {
	Number     int64
	Entries    []Entry // those that tenants have or will get, in the queue's order
	CreatedAt  time.Time
	DeployedAt *time.Time // when a tenant first was to get it
}

// DeploymentState is where a deployment stands, or its part for one tenant.
type DeploymentState string

// The states of a deployment. Partial is one that some tenants have and that
// failed for others; no part is.
const (
	DeploymentPending    DeploymentState = "pending"
	DeploymentInProgress DeploymentState = "in_progress"
	DeploymentCompleted  DeploymentState = "completed"
	DeploymentFailed     DeploymentState = "failed"
	DeploymentPartial    DeploymentState = "partial"
)

// Deployment brings the databases of some tenants to a version of a blueprint.
type Deployment struct {
	ID          string // "dep_" and hex digits
	ProjectID   string
	BlueprintID int64
	Blueprint   string // its name
	Version     int64
	State       DeploymentState
	Results     []DeploymentResult // by the names of the tenants
	CreatedAt   time.Time
	CompletedAt *time.Time
}

// DeploymentSummary is a deployment as lists show it, without its results.
type DeploymentSummary struct {
	Deployment
	Tenants   int // that it is for
	Completed int // of these
	Failed    int
}

// Summary is d without its results.
func (d Deployment) Summary() DeploymentSummary {
	s := DeploymentSummary{Deployment: d, Tenants: len(d.Results)}
	for _, r := range d.Results {
		switch r.State {
		case DeploymentCompleted:
			s.Completed++
		case DeploymentFailed:
			s.Failed++
		}
	}
	s.Results = nil
	return s
}

// DeploymentPage says which of a project's deployments a list shows.
type DeploymentPage struct {
	ProjectID  string
	Blueprints []string // of these, by name; nil: of all
	Before     string   // the id of the one that they are older than; empty: the newest
	Limit      int
}

// DeploymentResult is a deployment's part for one tenant.
type DeploymentResult struct {
	Tenant     string
	DatabaseID int64
	State      DeploymentState
	Version    int64 // that the tenant's database has
	Error      string
	Took       time.Duration // so far
}

// NoDDL tells a client of a tenant's database that its statement would change
// the schema.
const NoDDL = "DDL not allowed on tenant databases - use workspace mode"

// ddlOnTenant is the reason of NoDDLQuery for programs.
const ddlOnTenant = "ddl_on_tenant"

// NoDDLQuery is NoDDL for a query sent through the API.
func NoDDLQuery() *Error {
	e := Errorf(BadRequest, "DDL not allowed on tenant databases. Deploy schema through blueprints.")
	e.Details = map[string]any{
		"reason":          ddlOnTenant,
		"action_required": "Change the schema in the blueprint's workspace and deploy it",
	}
	return e
}
