package mysql

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// tells asserts that an error's text says all that a person needs to act.
func tells(t *testing.T, message string, w *world, limit, setting string) {
	t.Helper()
	for _, want := range []string{w.live.Name, limit, setting} {
		if !strings.Contains(message, want) {
			t.Errorf("error %q does not tell %q", message, want)
		}
	}
}

// bothProtocols runs f for a statement as a text and prepared, with and without
// the EOF packets that newer clients do without.
func bothProtocols(t *testing.T, w *world, f func(t *testing.T, c *wire, run func(sql string))) {
	for name, flags := range map[string]uint32{"": 0, " deprecate eof": mysql.CLIENT_DEPRECATE_EOF} {
		t.Run("text"+name, func(t *testing.T) {
			c := w.wire(t, with(flags))
			f(t, c, c.query)
		})
		t.Run("binary"+name, func(t *testing.T) {
			c := w.wire(t, with(flags))
			f(t, c, func(sql string) { c.execute(c.prepare(sql), 0) })
		})
	}
}

// series is a statement of n rows with two columns.
func series(n int) string {
	return fmt.Sprintf("with recursive s(n) as (select 1 union all select n + 1 from s where n < %d) select n, repeat('x', 100) from s", n)
}

func TestQueryTimeout(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{QueryTimeoutMS: 1000}))
	for name, sql := range map[string]string{
		"sleep":     "select sleep(60)",
		"computing": "select benchmark(2000000000, sha2('x', 256))",
		"rows":      "with recursive s(n) as (select 1 union all select n + 1 from s where n < 900) select n, sleep(0.01) from s",
	} {
		t.Run(name, func(t *testing.T) {
			bothProtocols(t, w, func(t *testing.T, c *wire, run func(string)) {
				began := time.Now()
				run(sql)
				kinds, all := c.reply()
				last := all[len(all)-1]
				if last.number() != numberTimeout || !strings.HasPrefix(string(last.payload[3:]), "#HY000") {
					t.Fatalf("got %s %q, want 3024", kinds, last.payload)
				}
				tells(t, last.text(), w, "1000", "query_timeout_ms")
				if took := time.Since(began); took < time.Second || took > 30*time.Second {
					t.Errorf("took %v, want about 1s", took)
				}
				c.usable()
			})
		})
	}
}

func TestQueryTimeoutStartsAnewWithEachResult(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{QueryTimeoutMS: 3000}))
	c := w.wire(t)
	nap := "select sleep(0.8);"
	if kinds, _ := c.ask(strings.Repeat(nap, 5)); kinds != strings.Repeat("CDFRZ", 5) {
		t.Errorf("five naps: got %s", kinds)
	}
	kinds, all := c.ask(nap + "select sleep(60);" + nap)
	if !strings.HasPrefix(kinds, "CDFRZ") || !strings.HasSuffix(kinds, "E") || all[len(all)-1].number() != numberTimeout {
		t.Errorf("slow statement among several: got %s", kinds)
	}
	c.usable()
}

func TestAnIdleSessionOutlivesTheQueryTimeout(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{QueryTimeoutMS: 1000}))
	c := w.wire(t)
	if kinds, _ := c.ask("begin"); kinds != "K" {
		t.Fatalf("begin: got %s", kinds)
	}
	<-time.After(2 * time.Second)
	c.usable()
}

// The server's own KILL QUERY stays what it is.
func TestAStatementThatIsKilledByItsOwnerSaysSo(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{QueryTimeoutMS: 60000}))
	c := w.wire(t)
	c.query(endless)
	awaitRunning(t, w, endless)
	killer := w.wire(t)
	if kinds, all := killer.ask(fmt.Sprintf("KILL QUERY %d", c.id)); kinds != "K" {
		t.Fatalf("kill: got %s %q", kinds, all[0].payload)
	}
	_, all := c.reply()
	if n := all[len(all)-1].number(); n != int(numberInterrupted) {
		t.Errorf("got %d, want 1317", n)
	}
	c.usable()
}

// endless is a statement that runs until it is killed, with an error then, which
// SLEEP and BENCHMARK are not on MySQL.
const endless = "select count(*) from information_schema.collations a, information_schema.collations b, information_schema.collations c, information_schema.collations d, information_schema.collations e"

// awaitRunning waits until the server runs the statement.
func awaitRunning(t *testing.T, w *world, statement string) {
	t.Helper()
	admin := adminDB(t)
	wiretest.Await(t, "the server runs "+statement, func() bool {
		return one(t, admin, "select count(*) from information_schema.processlist where db = ? and info = ?", w.route.Database, statement) != "0"
	})
}

func TestAStatementThatIgnoresItsEndLosesItsSession(t *testing.T) {
	peer := newScriptedServer(t, func(s *scripted) {
		for {
			if command := s.command(); command == nil {
				return
			} else if strings.HasPrefix(string(command[1:]), "KILL") {
				s.ok()
			}
		}
	})
	w := newWorld(t, withBackend(peer.Addr), withSettings(workspace.Settings{QueryTimeoutMS: 100}), withKillGrace(300*time.Millisecond))
	c := w.wire(t)
	c.query("select sleep(60)")
	p := c.read()
	if p.number() != numberTimeout {
		t.Errorf("got %q, want 3024", p.payload)
	}
	c.closed()
}

// A server may close the connection before it answers the KILL that asks for it.
func TestAStatementThatIsEndedWithItsConnectionSaysWhy(t *testing.T) {
	var first atomic.Pointer[scripted]
	peer := newScriptedServer(t, func(s *scripted) {
		for {
			command := string(s.command())
			switch {
			case command == "":
				return
			case strings.Contains(command, "KILL QUERY"):
				s.ok()
			case strings.Contains(command, "KILL CONNECTION"):
				first.Load().conn.Close()
				<-time.After(200 * time.Millisecond)
				s.ok()
			case strings.Contains(command, "sleep"):
				first.Store(s)
			}
		}
	})
	w := newWorld(t, withBackend(peer.Addr), withSettings(workspace.Settings{QueryTimeoutMS: 100}), withKillGrace(300*time.Millisecond))
	c := w.wire(t)
	c.query("select sleep(60)")
	if p := c.read(); p.number() != numberTimeout {
		t.Errorf("got %q, want 3024", p.payload)
	}
	c.closed()
}

func TestRowLimit(t *testing.T) {
	const limit = 50
	w := newWorld(t, withSettings(workspace.Settings{MaxRowsPerQuery: limit}))
	bothProtocols(t, w, func(t *testing.T, c *wire, run func(string)) {
		run(series(limit))
		if kinds, _ := c.reply(); !strings.HasSuffix(kinds, "RZ") || strings.Count(kinds, "R") != limit {
			t.Fatalf("at the limit: got %s", kinds)
		}
		for _, over := range []int{limit + 1, limit + 2, 900} {
			run(series(over))
			kinds, all := c.reply()
			last := all[len(all)-1]
			if last.number() != numberTooManyRows || !strings.HasPrefix(string(last.payload[3:]), "#42000") {
				t.Fatalf("%d rows: got %s %q, want 1104", over, kinds, last.payload)
			}
			tells(t, last.text(), w, "50", "max_rows_per_query")
			if rows := strings.Count(kinds, "R"); rows != limit {
				t.Errorf("%d rows: %d arrived, want %d", over, rows, limit)
			}
			if got, want := last.sequence, byte(len(all)); got != want {
				t.Errorf("%d rows: sequence %d, want %d", over, got, want)
			}
			c.usable()
		}
	})
}

func TestRowLimitOfAHugeResultStopsTheServer(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{MaxRowsPerQuery: 10}))
	huge := "select a.n, repeat('x', 500) from seq a, seq b" // streams, and is 400 MB
	mustExec(t, w.open(t), "create table seq (n int)")
	mustExec(t, w.open(t), "insert into seq with recursive s(n) as (select 1 union all select n + 1 from s where n < 900) select n from s")
	bothProtocols(t, w, func(t *testing.T, c *wire, run func(string)) {
		run(huge)
		if _, all := c.reply(); all[len(all)-1].number() != numberTooManyRows {
			t.Fatalf("got %q, want 1104", all[len(all)-1].payload)
		}
		c.usable()
	})
}

func TestRowsAreCountedForEachStatement(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{MaxRowsPerQuery: 10}))
	mustExec(t, w.open(t), "create procedure two() begin "+series(9)+"; "+series(8)+"; end")
	c := w.wire(t)
	for _, text := range []string{series(9) + ";" + series(9) + ";" + series(10), "call two()"} {
		if kinds, _ := c.ask(text); strings.Contains(kinds, "E") {
			t.Errorf("%s: got %s", text, kinds)
		}
	}
	kinds, all := c.ask(series(9) + ";" + series(11) + ";" + series(3))
	if all[len(all)-1].number() != numberTooManyRows || strings.Count(kinds, "R") != 19 {
		t.Errorf("second result over the limit: got %s", kinds)
	}
	c.usable()
}

func TestRowLimitOfACursorFetchedInPieces(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{MaxRowsPerQuery: 10}))
	for name, flags := range map[string]uint32{"": 0, "deprecate eof": mysql.CLIENT_DEPRECATE_EOF} {
		t.Run(name, func(t *testing.T) {
			c := w.wire(t, with(flags))
			id, other := c.prepare(series(100)), c.prepare(series(6))
			open := func(id uint32) {
				t.Helper()
				c.execute(id, 1)
				if kinds, _ := c.reply(); strings.ContainsAny(kinds, "RE") {
					t.Fatalf("open: got %s", kinds)
				}
			}
			open(id)
			open(other)
			for range 2 {
				if kinds, _ := c.fetch(id, 4); kinds != "RRRRZ" {
					t.Fatalf("fetch: got %s", kinds)
				}
			}
			if kinds, _ := c.fetch(other, 100); kinds != "RRRRRRZ" {
				t.Errorf("another cursor: got %s", kinds)
			}
			if kinds, all := c.fetch(id, 4); kinds != "RRE" || all[2].number() != numberTooManyRows {
				t.Errorf("third piece: got %s", kinds)
			}
			open(id)
			if kinds, _ := c.fetch(id, 10); kinds != "RRRRRRRRRRZ" {
				t.Errorf("opened anew: got %s", kinds)
			}
			c.usable()
		})
	}
}

func TestLimitsChangeWhileConnected(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t)
	if kinds, _ := c.ask(series(10)); strings.Contains(kinds, "E") {
		t.Fatalf("without limits: got %s", kinds)
	}
	w.live.Set(workspace.Settings{MaxRowsPerQuery: 9, QueryTimeoutMS: 1000})
	if _, all := c.ask(series(10)); all[len(all)-1].number() != numberTooManyRows {
		t.Error("row limit set: it does not hold")
	}
	if _, all := c.ask("select sleep(60)"); all[len(all)-1].number() != numberTimeout {
		t.Error("timeout set: it does not hold")
	}
	w.live.Set(workspace.Settings{})
	if kinds, _ := c.ask(series(10) + "; select sleep(1.5)"); strings.Contains(kinds, "E") {
		t.Errorf("limits lifted: got %s", kinds)
	}
}

func TestMaxConnectionsLetsExactlyTheLimitIn(t *testing.T) {
	const limit, clients = 50, 100
	w := newWorld(t, withSettings(workspace.Settings{MaxConnections: limit}), withHandshakeTimeout(time.Minute))
	for round := range 2 {
		var mu sync.Mutex
		var in []*wire
		refused := 0
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				c, err := w.tryWire(t, w.identity())
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					in = append(in, c)
				case refusedWith(err) == mysql.ER_CON_COUNT_ERROR:
					refused++
					if refused == 1 {
						tells(t, err.Error(), w, "50", "max_connections")
					}
				default:
					t.Errorf("login: %v", err)
				}
			})
		}
		all.Wait()
		if len(in) != limit || refused != clients-limit {
			t.Fatalf("round %d: got %d in and %d refused, want %d and %d", round, len(in), refused, limit, clients-limit)
		}
		for _, c := range in {
			c.conn.Close()
		}
		wiretest.Await(t, "the slots are back", func() bool {
			w.protocol.sessions.mu.Lock()
			defer w.protocol.sessions.mu.Unlock()
			return len(w.protocol.sessions.relays) == 0
		})
	}
}
