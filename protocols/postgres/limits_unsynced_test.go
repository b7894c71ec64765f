package postgres

import (
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// swallows is a statement that succeeds when it is cancelled.
const swallows = `do $$begin perform pg_sleep(60); exception when query_canceled then null; end$$`

// A statement that ended by itself just when a limit ended it is not cancelled
// any more, and its session stays, however long the client keeps back its Sync.
func TestAStatementThatEndedByItselfIsNotCancelledOn(t *testing.T) {
	const grace = 1500 * time.Millisecond
	pause := func() { <-time.After(2 * grace) } // nothing must happen meanwhile
	for name, test := range map[string]struct {
		settings        workspace.Settings
		statement, want string
	}{
		"time": {workspace.Settings{QueryTimeoutMS: 1000}, swallows, "12C"},
		"rows": {workspace.Settings{MaxRowsPerQuery: 2}, "select generate_series(1, 3)", "12DDE"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withSettings(test.settings), withCancelGrace(grace))
			wire := rawWire(t, w.connect(t))
			wire.send(extended(test.statement, 0), flushFrame())
			all := wire.untilType(test.want[len(test.want)-1], 1)
			if got := types(all); got != test.want {
				t.Fatalf("got %s, want %s", got, test.want)
			}
			pause()
			wire.send(syncFrame())
			if got := types(wire.until(1)); got != "Z" {
				t.Fatalf("at the Sync: got %s, want Z", got)
			}
			wire.usable()
		})
	}
}
