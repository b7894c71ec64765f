package mongodb

import (
	"os"
	"sync"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func TestMain(m *testing.M) { os.Exit(wiretest.Main(m, theServer.stop)) }

// theServer is a FerretDB server for all tests of the package, started by the
// first that needs it.
var theServer sharedServer

type sharedServer struct {
	once    sync.Once
	address workspace.Address
	end     func() error
	err     error
}

// at is where the server listens, which is started where it isn't running yet.
func (s *sharedServer) at(t testing.TB) workspace.Address {
	t.Helper()
	s.once.Do(func() {
		f, end, err := devstacktest.SharedFerretDB()
		if err != nil {
			s.err = err
			return
		}
		s.end, s.address = end, workspace.Address{Network: "unix", Addr: f.Socket()}
	})
	if s.err != nil {
		t.Fatalf("start FerretDB: %v", s.err)
	}
	return s.address
}

func (s *sharedServer) stop() error {
	if s.end == nil {
		return nil
	}
	return s.end()
}
