package mongodb

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// TestMain ends the server that the tests share and checks that no session
// left a goroutine behind.
func TestMain(m *testing.M) {
	code := m.Run()
	if theServer.stop != nil {
		if err := theServer.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// theServer is a FerretDB server for all tests of the package, started by the
// first that needs it.
var theServer sharedServer

type sharedServer struct {
	once    sync.Once
	address workspace.Address
	stop    func() error
	err     error
}

// at is where the server listens, which is started where it isn't running yet.
func (s *sharedServer) at(t testing.TB) workspace.Address {
	t.Helper()
	s.once.Do(func() {
		f, stop, err := devstacktest.SharedFerretDB()
		if err != nil {
			s.err = err
			return
		}
		s.stop, s.address = stop, workspace.Address{Network: "unix", Addr: f.Socket()}
	})
	if s.err != nil {
		t.Fatalf("start FerretDB: %v", s.err)
	}
	return s.address
}
