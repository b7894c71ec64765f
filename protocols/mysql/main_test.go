package mysql

import (
	"os"
	"sync"
	"testing"

	driver "github.com/go-sql-driver/mysql"
	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func TestMain(m *testing.M) { os.Exit(wiretest.Main(m, theServer.stop)) }

// serverVariable names a server that is there already, in the place of one that
// the tests start: user:password@unix(/path/of/socket).
const serverVariable = "TENANTSDB_TEST_MYSQL"

// theServer is a MySQL or MariaDB server for all tests of the package, started
// by the first that needs it.
var theServer sharedServer

// sharedServer is a server by its administrator's login.
type sharedServer struct {
	once  sync.Once
	admin *driver.Config
	end   func() error
	err   error
}

func (s *sharedServer) start(t testing.TB) *driver.Config {
	t.Helper()
	s.once.Do(func() {
		if dsn := os.Getenv(serverVariable); dsn != "" {
			s.admin, s.err = driver.ParseDSN(dsn + "/")
			return
		}
		var server *devstack.MySQL
		server, s.end, s.err = devstacktest.SharedMySQL(map[string]string{"max-connections": "400"})
		if s.err == nil {
			s.admin = driver.NewConfig()
			s.admin.Net, s.admin.Addr = "unix", server.Socket()
			s.admin.User, s.admin.Passwd = server.User(), server.Password()
		}
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.admin
}

func (s *sharedServer) stop() error {
	if s.end == nil {
		return nil
	}
	return s.end()
}
