package mysql

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"go.uber.org/goleak"
)

// TestMain ends the server that the tests share and checks that no session
// left a goroutine behind.
func TestMain(m *testing.M) {
	code := m.Run()
	if err := theServer.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// theServer is a MySQL or MariaDB server for all tests of the package, started
// by the first that needs it.
var theServer sharedServer

type sharedServer struct {
	once  sync.Once
	mysql *devstack.MySQL
	end   func() error
	err   error
}

func (s *sharedServer) start(t testing.TB) *devstack.MySQL {
	t.Helper()
	s.once.Do(func() {
		s.mysql, s.end, s.err = devstacktest.SharedMySQL(map[string]string{"max-connections": "400"})
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.mysql
}

func (s *sharedServer) stop() error {
	if s.end == nil {
		return nil
	}
	return s.end()
}
