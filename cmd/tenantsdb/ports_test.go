package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// taken is a port that somebody else listens on.
func taken(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

// free is a port that nobody listens on.
func free(t *testing.T) int {
	t.Helper()
	l, err := listenLocalAnywhere()
	if err != nil {
		t.Fatal(err)
	}
	defer sockets{admin: l}.close()
	return port(l)
}

func TestATakenPortIsReplacedAndSaid(t *testing.T) {
	busy, idle := taken(t), free(t)
	var said strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&said, format, args...) }
	s, err := openLocalSockets(ports{PostgreSQL: busy, Admin: idle}, []workspace.DatabaseType{workspace.PostgreSQL}, true, say)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if port(s.admin) != idle {
		t.Errorf("a free port was replaced by %d", port(s.admin))
	}
	if got := port(s.clients[workspace.PostgreSQL]); got == busy || !strings.Contains(said.String(), strconv.Itoa(got)) {
		t.Errorf("PostgreSQL is on %d, and it was said that %q", got, said.String())
	}
}

func TestATakenPortThatWasAskedForIsAnErrorAndLeavesNoListener(t *testing.T) {
	busy, idle := taken(t), free(t)
	if _, err := openLocalSockets(ports{PostgreSQL: idle, Admin: busy}, []workspace.DatabaseType{workspace.PostgreSQL}, false, nil); err == nil {
		t.Fatal("the port is taken, and nobody said so")
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(idle)))
	if err != nil {
		t.Fatalf("the other port was not let go: %v", err)
	}
	l.Close()
}

func TestPortBaseIsTheFirstOfABlock(t *testing.T) {
	if got, want := portsFrom(7000), (ports{PostgreSQL: 7000, MySQL: 7001, MongoDB: 7002, Redis: 7003, Admin: 7004}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestATakenPortOfTheConfigurationIsToldByItsKey(t *testing.T) {
	busy, idle := taken(t), free(t)
	c := defaultConfig()
	c.Servers = []PhysicalConfig{{Type: "redis"}}
	for key, at := range map[string]struct{ redis, admin int }{
		"redis.listen: ": {busy, idle},
		"admin.listen: ": {idle, busy},
	} {
		c.Redis.Listen = net.JoinHostPort("127.0.0.1", strconv.Itoa(at.redis))
		c.Admin.Listen = net.JoinHostPort("127.0.0.1", strconv.Itoa(at.admin))
		if _, err := openSockets(c); err == nil || !strings.HasPrefix(err.Error(), key) {
			t.Errorf("got %v, want one that begins with %s", err, key)
		}
	}
}
