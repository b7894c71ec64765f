package redis

import (
	"net"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// trap is a backend's connection that panics where a bug would.
type trap struct {
	net.Conn
	reads bool // else writes do
}

func (c trap) Read(b []byte) (int, error) {
	if c.reads {
		panic("planted")
	}
	return c.Conn.Read(b)
}

func (c trap) Write(b []byte) (int, error) {
	if !c.reads {
		panic("planted")
	}
	return c.Conn.Write(b)
}

// A bug in either direction of one session is that session's end, not the
// proxy's, and its backend serves nobody else.
func TestAPanicEndsItsOwnSessionOnly(t *testing.T) {
	for name, reads := range map[string]bool{"towards the backend": false, "towards the frontend": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.log.MayPanic = true
			s := w.workspace(t, workspace.Settings{})
			other := s.connect(t)
			other.must("PING") // its relay runs
			w.watched.Prepare(func(r *relay) { r.back.conn = trap{r.back.conn, reads} })
			c := s.connect(t)
			c.send(appendCommand(nil, "GET", "k"))
			if got := c.ended(); got != "" {
				t.Errorf("got %q, want the end", got)
			}
			other.want("$-1\r\n", "GET", "k")
			wiretest.Await(t, "the panic is told as one", func() bool { return strings.Contains(w.log.String(), "session panicked") })
			if got := w.protocol.pool.Idle(); got != 0 {
				t.Errorf("warm backends: got %d, want none", got)
			}
		})
	}
}
