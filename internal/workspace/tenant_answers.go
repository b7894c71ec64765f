package workspace

// TenantRequest asks for a tenant, or for more databases of one that is there.
type TenantRequest struct {
	Name      string
	Databases []TenantDatabaseRequest
}

// TenantDatabaseRequest asks for one database. IsolationLevel 0 is SharedServer.
type TenantDatabaseRequest struct {
	Blueprint      string
	IsolationLevel int64
}

// TenantDetails is a tenant with its databases, as the API shows it.
type TenantDetails struct {
	TenantRecord
	Databases []TenantDatabaseDetails // in the order in which they were made
}

// TenantDatabaseDetails is one database of a tenant. Its connection shows the
// password only in the answer to the request that made it.
type TenantDatabaseDetails struct {
	Blueprint      string
	Type           DatabaseType
	IsolationLevel int64
	Version        int64
	Connection     Connection
}

// Blueprint is what tenants get of a tenant-mode workspace.
type Blueprint struct {
	Workspace
	Tenants int64    // with a database of it, those in trash too
	Schema  []string // the statements that a new tenant gets, in their order
}

// TenantQuery is a query for one tenant, or for all that have a database of the
// blueprint and are not suspended.
type TenantQuery struct {
	Blueprint string
	Text      string
	Tenant    string // empty where AllTenants
	All       bool
}

// TenantResult is what a TenantQuery gave for one tenant.
type TenantResult struct {
	Tenant string
	Result Result
	Err    error // of this tenant alone
}

// DeploymentRequest asks for a version of a blueprint on the databases of some
// tenants. Version 0 is the current one.
type DeploymentRequest struct {
	Blueprint string
	Version   int64
	All       bool
	Tenants   []string // empty where All
}

// DeploymentPlan is what a deployment would do.
type DeploymentPlan struct {
	Blueprint string
	Version   int64
	Tenants   []TenantPlan // by name
}

// TenantPlan is what a deployment would do for one tenant.
type TenantPlan struct {
	Tenant     string
	From       int64    // the version that it has
	To         int64    // the one that it would have; From where it is ahead
	Statements []string // that would run, in their order; shared, not to be changed
}
