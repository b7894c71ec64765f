//go:build !race

package postgres

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// relayInMemory has a backend that takes everything and a frontend in TLS
// whose other end reads everything.
func relayInMemory(t *testing.T, mode workspace.Mode) *relay {
	t.Helper()
	live := workspace.NewLive(workspace.Workspace{Name: "shop", Settings: workspace.DefaultSettings()})
	r := &relay{
		protocol: &Protocol{wheel: window.NewWheel()},
		live:     live,
		guard:    guardOf(mode, false),
		front:    wiretest.Drained(t),
		back:     &backend{conn: wiretest.NewSink()},
	}
	r.life.Begin(&r.mu, r.front, r.back.conn)
	r.track.status = 'I'
	return r
}

func TestForwardingDoesNotAllocate(t *testing.T) {
	exchanges := map[string][2][]byte{
		"prepared": {join(bindText("", "s", "17"), execute("", 0), syncFrame()), join(bound, dataRow("0"), complete("SELECT 1"), ready('I'))},
		"simple":   {query("SELECT abalance FROM pgbench_accounts WHERE aid = 17"), join(frame('T', half(0)), dataRow("0"), complete("SELECT 1"), ready('I'))},
	}
	for name, e := range exchanges {
		for _, mode := range []workspace.Mode{workspace.Tenant, workspace.Deployed} {
			t.Run(fmt.Sprintf("%s %s", name, mode), func(t *testing.T) {
				r := relayInMemory(t, mode)
				ctx := context.Background()
				asks, answers := bytes.NewReader(nil), bytes.NewReader(nil)
				exchange := func() {
					asks.Reset(e[0])
					if err := r.fromFrontend.Fill(asks); err != nil {
						t.Fatal(err)
					}
					if err := r.forwardFrontend(); err != nil {
						t.Fatal(err)
					}
					answers.Reset(e[1])
					if err := r.fromBackend.Fill(answers); err != nil {
						t.Fatal(err)
					}
					if err := r.forwardBackend(ctx); err != nil {
						t.Fatal(err)
					}
				}
				wiretest.NoAllocation(t, r, exchange, len(e[0]), len(e[1]))
				if n := r.replies(); n != 0 {
					t.Errorf("owed: got %d, want 0", n)
				}
			})
		}
	}
}
