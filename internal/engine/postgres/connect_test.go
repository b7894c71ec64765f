package postgres

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestTheLogNamesTheServerThatCantBeReached(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	socket := filepath.Join(t.TempDir(), ".s.PGSQL.5499")
	for _, address := range []workspace.Address{
		{Network: "tcp", Addr: closed.Addr().String()},
		{Network: "tcp", Addr: net.JoinHostPort("name.invalid", "5433")},
		{Network: "unix", Addr: socket},
	} {
		e := New(Config{Name: "main", Address: address, User: "postgres"})
		defer e.Close()
		err := e.Ping(t.Context())
		if workspace.ErrorCode(err) != workspace.Unavailable || strings.Contains(err.Error(), address.Addr) {
			t.Errorf("%s: got %v, want that the server can't be reached, and not where it is", address.Addr, err)
			continue
		}
		if told := workspace.Causes(err); !strings.Contains(told, address.Addr+" (") || strings.Contains(told, "localhost") {
			t.Errorf("%s: the log has %s", address.Addr, told)
		}
	}
}
