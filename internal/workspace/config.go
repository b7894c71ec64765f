package workspace

import (
	"log/slog"
	"time"
)

// Config is what a Service needs. Catalog, Engines and Keyring are required.
type Config struct {
	Catalog Catalog
	Engines map[string]Engine // physical servers by name ("main")
	Keyring *Keyring
	Public  map[DatabaseType]Public // where clients reach each type's listener

	// KeepBootstrap is given the first project's secrets at the first start,
	// before the catalog has them: only their hashes are kept there, so this
	// is the one chance to show them. When it fails, or the process dies, the
	// next start makes new ones and calls it again. Nil: nobody is told.
	KeepBootstrap func(Bootstrap) error

	// Sources read live databases and Documents fetches schemas, for imports.
	Sources   map[DatabaseType]SchemaSource
	Documents Downloader

	Log *slog.Logger // nil: nothing is logged
	// Audit is told of every schema change that enters a queue: what it did to
	// which object, not its text, which may hold what is nobody else's.
	Audit *slog.Logger     // nil: nothing is kept
	Now   func() time.Time // nil: the system's clock

	// RecordEvery is how often all queues are brought up to date and unfinished
	// work is taken up again. 0: 30 s.
	RecordEvery time.Duration

	// RestoreEvery is how often servers that forget roles are asked whether
	// they have been started again. 0: 1 s.
	RestoreEvery time.Duration
}

// Public is where clients reach a listener, as connection strings show it.
type Public struct {
	Host string
	Port int
}

// Bootstrap is the first project with its secrets.
type Bootstrap struct {
	ProjectID     string
	APIKey        string // "tenantsdb_sk_" and 64 hex digits
	ProxyPassword string // "tdb_" and 16 hex digits
}
