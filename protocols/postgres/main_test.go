package postgres

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func TestMain(m *testing.M) { os.Exit(wiretest.Main(m, theServer.stop)) }

// theServer is a PostgreSQL server for all tests of the package, started by
// the first that needs it.
var theServer sharedServer

type sharedServer struct {
	once     sync.Once
	dir      string
	postgres *devstack.Postgres
	err      error
}

// maxServerConnections is what 200 clients, warm backends and cancels need.
const maxServerConnections = "300"

func (s *sharedServer) start(t testing.TB) *devstack.Postgres {
	t.Helper()
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "tenantsdb-postgres-test"); s.err != nil {
			return
		}
		s.postgres, s.err = devstack.StartPostgres(context.Background(), devstack.PostgresConfig{
			Dir: s.dir,
			Settings: map[string]string{
				"max_connections":           maxServerConnections,
				"fsync":                     "off",
				"shared_buffers":            "32MB",
				"max_prepared_transactions": "2",
			},
		})
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.postgres
}

func (s *sharedServer) stop() error {
	if s.postgres == nil {
		return nil
	}
	ctx, done := context.WithTimeout(context.Background(), 20*time.Second)
	defer done()
	if err := s.postgres.Stop(ctx); err != nil {
		return err
	}
	return os.RemoveAll(s.dir)
}
