package workspace

import (
	"context"
	"time"
)

// DataImporter is an Engine that takes the rows of live databases of its type.
type DataImporter interface {
	Engine
	// OpenData begins to read a live database as it is at one moment, and changes
	// nothing in it. An error is one of SourceLogin.Refused.
	OpenData(ctx context.Context, l SourceLogin) (DataSource, error)
	// DataTables are the tables of a database of ours, as a copy meets them.
	DataTables(ctx context.Context, t Target) ([]DataTable, error)
	// CopyData copies tables, one after the other, as the role that owns the
	// database: all of their rows or, if it fails, none. from is what OpenData of
	// an engine of the same type gave. What the rows were refused for is an
	// *Error BadRequest in the server's words.
	CopyData(ctx context.Context, t Target, from DataSource, c DataCopy, w DataWatch) error
	// DataLanded says whether the copy that told of that mark has its rows in the
	// database. It may be asked at any time after CopyData or its process ended.
	DataLanded(ctx context.Context, t Target, mark string) (bool, error)
}

// DataSource is a live database as it is at one moment. It is used by one
// goroutine at a time.
type DataSource interface {
	Tables(ctx context.Context) ([]DataTable, error)
	// Tenants counts the rows of tables by the value that a column has.
	Tenants(ctx context.Context, tables []string, column string, most int) (TenantRows, error)
	Close(ctx context.Context)
}

// DataTable is a table.
type DataTable struct {
	Name    string // as shown
	Key     string // as statements have it; unlike Name it is unique
	Columns []DataColumn
	Unfit   string // of ours: why it can take no rows; empty: it can

	// Of a source: rows, which are an estimate where they are not Exact, and
	// bytes on its disk.
	Rows  int64
	Exact bool
	Bytes int64

	Parents []DataParent // of ours: what its rows must find there
}

// DataColumn is a column.
type DataColumn struct {
	Name      string
	Generated bool // by the server, which takes no value
	Required  bool // a row must bring a value
}

// DataParent is a table that a foreign key points to.
type DataParent struct {
	Table      string // its Key
	Constraint string
	Deferrable bool
}

// TenantRows counts a source's rows by tenant.
type TenantRows struct {
	Tenants []TenantCount // by Value
	Total   int64         // tenants there are, of which Tenants may hold the first only
	Without int64         // rows that name none
}

// TenantCount is the rows of one tenant.
type TenantCount struct {
	Value string // what the routing field has
	Rows  int64
}

// DataCopy is what CopyData copies.
type DataCopy struct {
	Tables   []TableCopy // in an order in which foreign keys are met
	Deferred bool        // some are met at the end only
}

// TableCopy is the rows of one table.
type TableCopy struct {
	Table   string   // its Key
	Columns []string // those to copy
	Where   string   // a column that must have Value; empty: all rows are copied
	Value   string
}

// DataWatch is told how a copy goes on, of one thing at a time.
type DataWatch struct {
	Table func(n int)      // the copy of that index begins; -1: all are done, and are looked at together
	Rows  func(rows int64) // of that copy so far
	// Committing is called before anything can stay in the database, with the
	// mark that DataLanded knows it by. An error ends the copy.
	Committing func(mark string) error
}

// ImportState is where a data import stands, or its part for one database.
type ImportState string

// The states of a data import.
const (
	ImportPending    ImportState = "pending"
	ImportInProgress ImportState = "in_progress"
	ImportCompleted  ImportState = "completed"
	ImportFailed     ImportState = "failed"
)

// DataImport copies the rows of a live database.
type DataImport struct {
	ID          string // "imp_" and hex digits
	ProjectID   string
	WorkspaceID int64
	State       ImportState
	Error       string
	Tables      []ImportTable
	Parts       []ImportPart // one for each database, done one after the other
	CreatedAt   time.Time
	CompletedAt *time.Time
}

// ImportTable is one table of a data import.
type ImportTable struct {
	Name  string `json:"name"`
	Rows  int64  `json:"rows"` // of the source
	Exact bool   `json:"exact"`
}

// ImportPart is a data import's part for one database.
type ImportPart struct {
	Tenant     string // empty: the workspace's own database
	DatabaseID int64  // also of a workspace
	State      ImportState
	Rows       []int64 // by table; they stay only where State is ImportCompleted
	At         int     // the table that is being copied, or that failed; -1: none
	Mark       string  // for DataLanded; empty: nothing of it can have stayed
	Error      string
}

// DataImportCatalog is the part of a Catalog that is about data imports.
type DataImportCatalog interface {
	AddDataImport(ctx context.Context, d DataImport) error
	// SetDataImportPart keeps p in the place of the n-th part.
	SetDataImportPart(ctx context.Context, id string, n int, p ImportPart) error
	// SetDataImportState says where the import stands; completed is when it
	// ended, nil before.
	SetDataImportState(ctx context.Context, id string, s ImportState, told string, completed *time.Time) error
	DataImport(ctx context.Context, id string) (DataImport, error)
	// UnfinishedDataImports are those of all projects that have not ended.
	UnfinishedDataImports(ctx context.Context) ([]DataImport, error)
}

// DataRequest asks for a live database's rows.
type DataRequest struct {
	Connection    *SourceLogin
	Tables        []string // nil: all
	RoutingField  string   // the column that names the tenant; empty: no rows are routed
	Shared        []string // tables that every tenant gets whole
	Tenants       []string // nil: all that the rows name
	CreateTenants bool     // make those that are not there
	DropRouting   bool     // leave RoutingField out where the tenant's table has none
}

// DataAnalysis is what a data import would meet.
type DataAnalysis struct {
	Type       DatabaseType
	Source     SourceLogin // without its password
	Tables     []AnalyzedTable
	Candidates []string // columns that more than one table has and that may name a tenant
	Tenants    []AnalyzedTenant
	Total      int64 // tenants there are, of which Tenants may hold the first only
	Problems   []string
}

// AnalyzedTable is a table of the source beside the workspace's.
type AnalyzedTable struct {
	DataTable
	There   bool     // the workspace has it
	Missing []string // columns that the workspace's lacks
	Routed  bool     // its rows go to the tenants that they name
}

// AnalyzedTenant is a tenant that rows name.
type AnalyzedTenant struct {
	TenantCount
	Exists bool // with a database of the blueprint
}

// BegunImport is a data import that was begun.
type BegunImport struct {
	Import  DataImport
	Created []TenantDetails // tenants made for it, which show their passwords
	Schema  *Imported       // of ImportAll
}
