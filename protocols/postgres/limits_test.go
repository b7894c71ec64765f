package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
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

// simpleAndExtended runs f for a statement in both query protocols.
func simpleAndExtended(t *testing.T, f func(t *testing.T, encode func(sql string) []byte)) {
	t.Run("simple", func(t *testing.T) { f(t, query) })
	t.Run("extended", func(t *testing.T) {
		f(t, func(sql string) []byte { return join(extended(sql, 0), syncFrame()) })
	})
}

// usable asserts that the session goes on.
func (w *wire) usable() {
	w.t.Helper()
	w.send(query("select 1"))
	if got := types(w.until(1)); got != "TDCZ" {
		w.t.Errorf("the session afterwards: got %s, want TDCZ", got)
	}
}

func TestQueryTimeout(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{QueryTimeoutMS: 1000}))
	for name, sql := range map[string]string{
		"sleep":    "select pg_sleep(60)",
		"rows":     "select pg_sleep(0.001) from generate_series(1, 60000)",
		"copy out": "copy (select pg_sleep(0.001) from generate_series(1, 60000)) to stdout",
	} {
		t.Run(name, func(t *testing.T) {
			simpleAndExtended(t, func(t *testing.T, encode func(string) []byte) {
				wire := rawWire(t, w.connect(t))
				began := time.Now()
				wire.send(encode(sql))
				m := firstError(wire.until(1))
				if m.field('C') != codeQueryCanceled || m.field('S') != "ERROR" {
					t.Fatalf("got %v, want 57014", m)
				}
				tells(t, m.field('M'), w, "1000", "query_timeout_ms")
				if took := time.Since(began); took < time.Second || took > 30*time.Second {
					t.Errorf("took %v, want about 1s", took)
				}
				wire.usable()
			})
		})
	}
}

// Statements that are sent in one Query, or in a pipeline without Syncs, share
// their time, since the server keeps small replies back up to the end.
func TestQueryTimeoutStartsAnewWithEachReply(t *testing.T) {
	// Five naps are longer than the limit; one is far enough from it for a
	// machine that is busy with something else.
	w := newWorld(t, withSettings(workspace.Settings{QueryTimeoutMS: 3000}))
	wire := rawWire(t, w.connect(t))
	const nap, slow = "select pg_sleep(0.7)", "select pg_sleep(60)"
	one := join(extended(nap, 0), syncFrame())
	wire.send(query(nap), query(nap), one, one, one)
	if got := types(wire.until(5)); got != "TDCZTDCZ12DCZ12DCZ12DCZ" {
		t.Errorf("sent ahead: got %s", got)
	}
	wire.send(query(nap + ";" + slow + ";" + nap))
	if all := wire.until(1); types(all) != "TDCTEZ" && types(all) != "TDCEZ" || firstError(all).field('C') != codeQueryCanceled {
		t.Errorf("slow statement among several: got %s %v", types(all), firstError(all))
	}
	// What stands behind the Sync is sent when the slow one has ended: a server
	// signals each cancel request twice, and the second may come late.
	wire.send(one, join(extended(slow, 0), extended(nap, 0), syncFrame()))
	if all := wire.until(2); types(all) != "12DCZ12EZ" || firstError(all).field('C') != codeQueryCanceled {
		t.Errorf("slow statement in a pipeline: got %s %v", types(all), firstError(all))
	}
	wire.send(one)
	if got := types(wire.until(1)); got != "12DCZ" {
		t.Errorf("behind the slow statement: got %s", got)
	}
	wire.usable()
}

// The clock stands while the client is the one who works.
func TestQueryTimeoutDoesNotCountTheClientsTime(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{QueryTimeoutMS: 1500}))
	pause := func() { <-time.After(2 * time.Second) } // nothing must happen meanwhile
	idle, listener, copier, pipeline := rawWire(t, w.connect(t)), rawWire(t, w.connect(t)), rawWire(t, w.connect(t)), rawWire(t, w.connect(t))
	idle.send(query("begin"))
	idle.until(1)
	listener.send(query("listen till"))
	listener.until(1)
	copier.send(query("create temp table t(id int)"))
	copier.until(1)
	copier.send(query("copy t from stdin"))
	copier.untilType('G', 1)
	pipeline.send(extended("select 1", 0)) // and no Sync
	pause()
	for name, wire := range map[string]*wire{"in a transaction": idle, "listening": listener} {
		t.Run(name, func(t *testing.T) { wire.usable() })
	}
	copier.send(copyData("1\n"))
	pause()
	copier.send(copyDone())
	if got := types(copier.until(1)); got != "CZ" {
		t.Errorf("copy in: got %s, want CZ", got)
	}
	pipeline.send(extended("select 2", 0))
	pause()
	pipeline.send(syncFrame())
	if got := types(pipeline.until(1)); got != "12DC12DCZ" {
		t.Errorf("pipeline: got %s, want 12DC12DCZ", got)
	}
}

func TestQueryTimeoutOfAStatementThatSwallowsCancels(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{QueryTimeoutMS: 200}), withCancelGrace(1500*time.Millisecond))
	wire := rawWire(t, w.connect(t))
	wire.send(query(`do $$begin loop begin perform pg_sleep(0.05); exception when query_canceled then null; end; end loop; end$$`))
	began := time.Now()
	all := wire.rest()
	m := firstError(all)
	if types(all) != "E" || m.field('C') != codeQueryCanceled || m.field('S') != "FATAL" {
		t.Fatalf("got %v, want FATAL 57014", all)
	}
	tells(t, m.field('M'), w, "200", "query_timeout_ms")
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
	admin := adminConn(t, "postgres")
	wiretest.Await(t, "the server process is gone", func() bool {
		return one(t, admin, "select count(*) from pg_stat_activity where datname = '"+w.route.Database+"' and state = 'active'") == "0"
	})
}

// An aborted pipeline waits for its Sync, which may take the client a while.
func TestATimeoutIsObeyedBeforeTheSync(t *testing.T) {
	const grace = 2 * time.Second
	w := newWorld(t, withSettings(workspace.Settings{QueryTimeoutMS: 1000}), withCancelGrace(grace))
	wire := rawWire(t, w.connect(t))
	wire.send(join(extended("select pg_sleep(60)", 0), flushFrame()))
	wire.untilType('E', 1)
	<-time.After(grace + grace/2)
	wire.send(syncFrame())
	if got := types(wire.until(1)); got != "Z" {
		t.Errorf("got %s, want Z", got)
	}
	wire.usable()
}

func TestRowLimit(t *testing.T) {
	const limit = 50
	w := newWorld(t, withSettings(workspace.Settings{MaxRowsPerQuery: limit}))
	mustExec(t, w.connect(t), "create table goods(id int); insert into goods select generate_series(1, 200)")
	for name, form := range map[string]string{
		"select":          "select * from generate_series(1, %d)",
		"huge rows":       "select repeat('x', 20000) from generate_series(1, %d)",
		"returning":       "update goods set id = id where id <= %d returning id",
		"copy out":        "copy (select * from generate_series(1, %d)) to stdout",
		"binary copy out": "copy (select * from generate_series(1, %d)) to stdout (format binary)",
	} {
		t.Run(name, func(t *testing.T) {
			simpleAndExtended(t, func(t *testing.T, encode func(string) []byte) {
				wire := rawWire(t, w.connect(t))
				wire.send(encode(fmt.Sprintf(form, limit)))
				at := wire.until(1)
				if m := firstError(at); m.typ != 0 {
					t.Fatalf("at the limit: %v", m)
				}
				for _, over := range []int{limit + 1, 3 * limit} {
					wire.send(encode(fmt.Sprintf(form, over)))
					all := wire.until(1)
					m := firstError(all)
					if m.field('C') != codeProgramLimit || m.field('S') != "ERROR" {
						t.Fatalf("%d rows: got %s %v, want 54000", over, types(all), m)
					}
					tells(t, m.field('M'), w, "50", "max_rows_per_query")
					if rows := strings.Count(types(all), "D") + strings.Count(types(all), "d"); rows != limit {
						t.Errorf("%d rows: %d arrived, want %d", over, rows, limit)
					}
					if got := types(all); !strings.HasSuffix(got, "EZ") || strings.Count(got, "E") != 1 {
						t.Errorf("%d rows: got %s, want the error and ready", over, got)
					}
					wire.usable()
				}
			})
		})
	}
}

func TestRowLimitOfAnEndlessResultStopsTheServer(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{MaxRowsPerQuery: 10}))
	simpleAndExtended(t, func(t *testing.T, encode func(string) []byte) {
		wire := rawWire(t, w.connect(t))
		wire.send(encode("select generate_series(1, 2000000000)"))
		if m := firstError(wire.until(1)); m.field('C') != codeProgramLimit {
			t.Fatalf("got %v, want 54000", m)
		}
		wire.usable()
	})
}

func TestRowLimitOfAPortalFetchedInPieces(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{MaxRowsPerQuery: 10}))
	wire := rawWire(t, w.connect(t))
	begin := join(parse("s", "select * from generate_series(1, 100)"), bind("p", "s"))
	fetch := execute("p", 4)

	wire.send(query("begin"), begin, fetch, syncFrame(), fetch, syncFrame())
	if got := types(wire.until(3)); got != "CZ12DDDDsZDDDDsZ" {
		t.Fatalf("two pieces: got %s", got)
	}
	wire.send(fetch, syncFrame())
	if all := wire.until(1); types(all) != "DDEZ" || firstError(all).field('C') != codeProgramLimit {
		t.Errorf("third piece: got %s, want DDEZ", types(all))
	}
	wire.send(query("rollback"))
	wire.until(1)

	// Portals that are executed in one batch, and two portals in turn.
	wire.send(query("begin"), bind("p", "s"), bind("q", "s"), fetch, execute("q", 4), fetch, execute("q", 4), syncFrame())
	if got := types(wire.until(2)); got != "CZ22DDDDsDDDDsDDDDsDDDDsZ" {
		t.Errorf("two portals: got %s", got)
	}
	wire.send(query("rollback"))
	wire.until(1)

	// Both are bound anew before either is executed: what the portals of these
	// names had before does not count.
	anew := join(frame('C', []byte{'P'}, str("p")), frame('C', []byte{'P'}, str("q")), bind("p", "s"), bind("q", "s"))
	wire.send(query("begin"), bind("p", "s"), bind("q", "s"), execute("p", 8), execute("q", 8), syncFrame(), anew, execute("p", 8), execute("q", 8), syncFrame())
	if got := types(wire.until(3)); strings.Count(got, "E") != 0 || strings.Count(got, "D") != 32 {
		t.Errorf("both bound anew: got %s", got)
	}
	wire.send(query("rollback"))
	wire.until(1)

	// The unnamed portal, bound anew for each piece, is a statement each time.
	again := join(bind("", "s"), execute("", 8))
	wire.send(query("begin"), again, again, again, syncFrame(), again, syncFrame())
	if got := types(wire.until(3)); strings.Count(got, "E") != 0 || strings.Count(got, "D") != 32 {
		t.Errorf("bound anew: got %s", got)
	}
	wire.send(query("rollback"))
	wire.until(1)
	wire.usable()
}

func TestLimitsChangeWhileConnected(t *testing.T) {
	w := newWorld(t)
	wire := rawWire(t, w.connect(t))
	ten := query("select * from generate_series(1, 10)")
	wire.send(ten)
	if m := firstError(wire.until(1)); m.typ != 0 {
		t.Fatalf("without limits: %v", m)
	}
	w.live.Set(workspace.Settings{MaxRowsPerQuery: 9, QueryTimeoutMS: 1000})
	wire.send(ten)
	if m := firstError(wire.until(1)); m.field('C') != codeProgramLimit {
		t.Errorf("row limit set: got %v, want 54000", m)
	}
	wire.send(query("select pg_sleep(60)"))
	if m := firstError(wire.until(1)); m.field('C') != codeQueryCanceled {
		t.Errorf("timeout set: got %v, want 57014", m)
	}
	w.live.Set(workspace.Settings{})
	wire.send(ten, query("select pg_sleep(1.5)"))
	if m := firstError(wire.until(2)); m.typ != 0 {
		t.Errorf("limits lifted: %v", m)
	}
}

func TestATimeoutLiftedWhileAStatementRunsDoesNotEndIt(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{QueryTimeoutMS: 3000}))
	c := w.connect(t)
	ended := background(c, "select pg_sleep(4)")
	awaitRunning(t, w, "select pg_sleep(4)")
	w.live.Set(workspace.Settings{})
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestMaxConnectionsLetsExactlyTheLimitIn(t *testing.T) {
	const limit, clients = 100, 200
	w := newWorld(t, withSettings(workspace.Settings{MaxConnections: limit}), withHandshakeTimeout(time.Minute))
	config := w.config(t)
	for round := range 2 {
		var mu sync.Mutex
		var in []*pgconn.PgConn
		refused := 0
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				ctx, done := context.WithTimeout(context.Background(), 2*patience)
				defer done()
				c, err := pgconn.ConnectConfig(ctx, config.Copy())
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					in = append(in, c)
				case sqlstate(err) == codeTooManyConnections:
					refused++
					if refused == 1 {
						tells(t, err.Error(), w, "100", "max_connections")
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
			if err := c.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
		wiretest.Await(t, "the slots are back", func() bool {
			w.protocol.cancels.mu.Lock()
			defer w.protocol.cancels.mu.Unlock()
			return len(w.protocol.cancels.relays) == 0
		})
	}
}

// A client that sends and never reads must not hold what it had when it goes.
func TestAClientThatFloodsAndLeavesIsGone(t *testing.T) {
	w := newWorld(t)
	wire := rawWire(t, w.connect(t))
	flood := query("select repeat('x', 100000) from generate_series(1, 100)")
	stuck := make(chan struct{})
	go func() {
		defer close(stuck)
		for {
			if err := wire.conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
				return
			}
			if _, err := wire.conn.Write(flood); err != nil {
				return
			}
		}
	}()
	<-stuck
	r := w.last()
	wire.conn.Close()
	wiretest.Await(t, "the session ended", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.ended
	})
}
