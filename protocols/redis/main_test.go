package redis

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func TestMain(m *testing.M) { os.Exit(wiretest.Main(m, theServer.stop)) }

// theServer is a Redis server for all tests of the package, started by the
// first that needs it.
var theServer sharedServer

const adminPassword = "admin_planted_secret"

type sharedServer struct {
	once    sync.Once
	dir     string
	process *exec.Cmd
	err     error
}

// socket is the server's, which is started where it isn't running yet.
func (s *sharedServer) socket(t testing.TB) string {
	t.Helper()
	s.once.Do(func() { s.err = s.start() })
	if s.err != nil {
		t.Fatalf("start redis-server (Debian package redis-server): %v", s.err)
	}
	path := filepath.Join(s.dir, "s")
	wiretest.Await(t, "the server listens", func() bool {
		conn, err := net.Dial("unix", path)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
	return path
}

func (s *sharedServer) start() error {
	dir, err := os.MkdirTemp("", "tenantsdb-redis-test")
	if err != nil {
		return err
	}
	s.dir = dir
	s.process = exec.Command("redis-server", "--port", "0", "--unixsocket", filepath.Join(dir, "s"), "--dir", dir,
		"--databases", "4096", "--save", "", "--appendonly", "no", "--requirepass", adminPassword,
		"--notify-keyspace-events", "KEA", "--enable-debug-command", "yes", "--loglevel", "warning")
	return s.process.Start()
}

func (s *sharedServer) stop() error {
	if s.process == nil || s.process.Process == nil {
		return nil
	}
	if err := s.process.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.process.Wait() }()
	select {
	case <-ended:
	case <-time.After(patience):
		return fmt.Errorf("redis-server did not end in %v", patience)
	}
	return os.RemoveAll(s.dir)
}
