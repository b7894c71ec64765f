package postgres

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// leave closes c and waits until its backend is warm again.
func (w *world) leave(t *testing.T, c *pgconn.PgConn) {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	if err := c.Close(ctx); err != nil {
		t.Fatal(err)
	}
	wiretest.Await(t, "the backend is warm", func() bool { return w.protocol.pool.Idle() == 1 })
}

const backendPID = "select pg_backend_pid()"

func TestNoStateLeaksToTheNextSession(t *testing.T) {
	w := newWorld(t)
	mustExec(t, w.direct(t), "create table goods(id int); create sequence ids")
	for name, c := range map[string]struct{ leave, look, want string }{
		"settings":              {"set search_path = pg_catalog; set work_mem = '1MB'; set time zone 'Asia/Tokyo'", "select current_setting('search_path') || current_setting('work_mem') || (current_setting('timezone') = 'Asia/Tokyo')", `"$user", public4MBfalse`},
		"settings of its own":   {"set my.secret = 'planted'", "select coalesce(nullif(current_setting('my.secret', true), ''), 'none')", "none"},
		"temporary tables":      {"create temp table goods(secret int)", "select count(*) from pg_class where relname = 'goods'", "1"},
		"prepared statements":   {"prepare p as select 1", "select count(*) from pg_prepared_statements", "0"},
		"cursors":               {"declare c cursor with hold for select 1", "select count(*) from pg_cursors", "0"},
		"listens":               {"listen till", "select count(*) from pg_listening_channels()", "0"},
		"advisory locks":        {"select pg_advisory_lock(7)", "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()", "0"},
		"an open transaction":   {"begin; insert into goods values (1)", "select count(*) from goods", "0"},
		"a failed transaction":  {"begin; insert into goods values (1); select 1/0", "select count(*) from goods", "0"},
		"locks":                 {"begin; lock table goods", "select count(*) from pg_locks where relation = 'goods'::regclass", "0"},
		"a sequence's memory":   {"select nextval('ids')", "do $$begin perform currval('ids'); raise 'remembered'; exception when object_not_in_prerequisite_state then null; end$$; select 'none'", "none"},
		"read-only":             {"set session characteristics as transaction read only", "show transaction_read_only", "off"},
		"the role":              {"set role none; set session authorization default", "select current_user = session_user", "t"},
		"the application name":  {"set application_name = 'planted'", "show application_name", ""},
		"the client's encoding": {"set client_encoding = 'LATIN1'", "show client_encoding", "UTF8"},
	} {
		t.Run(name, func(t *testing.T) {
			first := w.connect(t)
			pid := one(t, first, backendPID)
			_, _ = exec(t, first, c.leave) // a failed transaction fails
			w.leave(t, first)
			next := w.connect(t)
			if got := one(t, next, c.look); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if got := one(t, next, backendPID); got != pid {
				t.Errorf("backend: got %s, want %s again", got, pid)
			}
			if got := next.ParameterStatus("client_encoding"); got != "UTF8" {
				t.Errorf("reported client_encoding: got %s, want UTF8", got)
			}
			w.leave(t, next)
		})
	}
}

func TestExtendedStateDoesNotLeak(t *testing.T) {
	w := newWorld(t)
	mustExec(t, w.direct(t), "create table goods(id int)")
	wire := rawWire(t, w.connect(t))
	wire.send(parse("s", "select 1"), bind("p", "s"), syncFrame())
	wire.until(1)
	wire.send(terminateFrame())
	wiretest.Await(t, "the backend is warm", func() bool { return w.protocol.pool.Idle() == 1 })
	next := rawWire(t, w.connect(t))
	next.send(parse("s", "select 2"), bind("p", "s"), execute("p", 0), syncFrame())
	if got := types(next.until(1)); got != "12DCZ" {
		t.Errorf("names of the session before: got %s, want 12DCZ", got)
	}
}

// awaitOnlyDirect waits until the test's direct connection is the only one to the
// workspace's database: the session's server process is gone.
func awaitOnlyDirect(t *testing.T, w *world) {
	t.Helper()
	admin := adminConn(t, "postgres")
	wiretest.Await(t, "the server process is gone", func() bool {
		return one(t, admin, "select count(*) from pg_stat_activity where datname = '"+w.route.Database+"'") == "1"
	})
}

// What a client did not sync was not committed, and must not be by the reset.
func TestAnUnsyncedPipelineIsNotCommitted(t *testing.T) {
	w := newWorld(t)
	d := w.direct(t)
	mustExec(t, d, "create table goods(id int)")
	wire := rawWire(t, w.connect(t))
	wire.send(extended("insert into goods values (1)", 0), flushFrame())
	wire.untilType('C', 1)
	wire.conn.Close()
	awaitOnlyDirect(t, w)
	if got := one(t, d, "select count(*) from goods"); got != "0" {
		t.Errorf("rows: got %s, want 0", got)
	}
}

// A client that leaves in the middle of its pipeline, as libpq does, which sends
// all of it at once: a server has nothing more to answer then.
func TestAGoodbyeRightBehindAnUnsyncedPipelineEndsTheSession(t *testing.T) {
	w := newWorld(t)
	d := w.direct(t)
	mustExec(t, d, "create table goods(id int)")
	wire := rawWire(t, w.connect(t))
	wire.send(extended("insert into goods values (1)", 0), terminateFrame())
	awaitOnlyDirect(t, w)
	if got := one(t, d, "select count(*) from goods"); got != "0" {
		t.Errorf("rows: got %s, want 0", got)
	}
}

func TestBackendsAreReusedOnlyForTheSameStartupParameters(t *testing.T) {
	w := newWorld(t)
	first := w.connect(t, "application_name", "a", "options", "-c geqo=off")
	pid := one(t, first, backendPID)
	w.leave(t, first)
	other := w.connect(t, "application_name", "b")
	if got := one(t, other, "show geqo"); got != "on" {
		t.Errorf("geqo of another session: got %s, want on", got)
	}
	if got := one(t, other, backendPID); got == pid {
		t.Error("a backend with other startup parameters was reused")
	}
	same := w.connect(t, "options", "-c geqo=off", "application_name", "a")
	if got := one(t, same, backendPID); got != pid {
		t.Errorf("backend: got %s, want %s again", got, pid)
	}
	if got := one(t, same, "show geqo"); got != "off" {
		t.Errorf("geqo after the reset: got %s, want off", got)
	}
}

func TestNewDefaultsOfARoleReachTheNextSession(t *testing.T) {
	w := newWorld(t)
	alter := func(value string) string {
		return fmt.Sprintf("alter role %s set work_mem = '%s'", w.route.Role, value)
	}
	w.leave(t, w.connect(t)) // one is warm
	first, open := w.connect(t), w.connect(t)
	mustExec(t, first, alter("7MB"))
	if got := one(t, w.connect(t), "show work_mem"); got != "7MB" {
		t.Errorf("while the session is open: got %s, want 7MB", got)
	}
	if err := open.Close(context.Background()); err != nil { // dialed before the change
		t.Fatal(err)
	}
	for range 3 {
		c := w.connect(t)
		if got := one(t, c, "show work_mem"); got != "7MB" {
			t.Errorf("after older sessions came back: got %s, want 7MB", got)
		}
		if err := c.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	mustExec(t, first, "begin; "+alter("9MB")+"; commit")
	if got := one(t, w.connect(t), "show work_mem"); got != "9MB" {
		t.Errorf("set in a transaction: got %s, want 9MB", got)
	}
}

func TestADeadBackendIsNotHandedOut(t *testing.T) {
	w := newWorld(t)
	c := w.connect(t)
	pid := one(t, c, backendPID)
	w.leave(t, c)
	admin := adminConn(t, "postgres")
	mustExec(t, admin, "select pg_terminate_backend("+pid+", 5000)")
	wiretest.Await(t, "the server process is gone", func() bool {
		return one(t, admin, "select count(*) from pg_stat_activity where pid = "+pid) == "0"
	})
	if got := one(t, w.connect(t), "select 1"); got != "1" {
		t.Errorf("got %q, want 1", got)
	}
}

func TestABackendThatIsTerminatedSaysSoToItsClient(t *testing.T) {
	w := newWorld(t)
	wire := rawWire(t, w.connect(t))
	wire.send(query(backendPID))
	pid := string(wire.until(1)[1].body[6:])
	mustExec(t, adminConn(t, "postgres"), "select pg_terminate_backend("+pid+")")
	if all := wire.rest(); types(all) != "E" || all[0].field('C') != codeAdminShutdown || all[0].field('S') != "FATAL" {
		t.Errorf("got %v, want the server's own FATAL 57P01", all)
	}
}

func TestForgottenWorkspacesKeepNoBackend(t *testing.T) {
	w := newWorld(t)
	w.leave(t, w.connect(t))
	inUse := w.connect(t)
	w.protocol.Forget(w.live.ID)
	if got := w.protocol.pool.Idle(); got != 0 {
		t.Errorf("warm backends: got %d, want 0", got)
	}
	if err := inUse.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	admin := adminConn(t, "postgres")
	wiretest.Await(t, "no connection is left", func() bool {
		return one(t, admin, "select count(*) from pg_stat_activity where datname = '"+w.route.Database+"'") == "0"
	})
}

func TestWarmBackendsAreBoundedAndRetired(t *testing.T) {
	w := newWorld(t)
	var open []*pgconn.PgConn
	for range window.MaxIdlePerKey + 8 {
		open = append(open, w.connect(t))
	}
	for _, c := range open {
		if err := c.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	wiretest.Await(t, "all sessions ended", func() bool {
		w.protocol.cancels.mu.Lock()
		defer w.protocol.cancels.mu.Unlock()
		return len(w.protocol.cancels.relays) == 0
	})
	admin := adminConn(t, "postgres")
	wiretest.Await(t, "all backends are warm or gone", func() bool {
		left := one(t, admin, "select count(*) from pg_stat_activity where datname = '"+w.route.Database+"'")
		return w.protocol.pool.Idle() > 0 && left == strconv.Itoa(w.protocol.pool.Idle())
	})
	if got := w.protocol.pool.Idle(); got > window.MaxIdlePerKey {
		t.Errorf("warm backends: got %d, want at most %d", got, window.MaxIdlePerKey)
	}
	w.protocol.pool.Retire(time.Now().Add(window.MaxIdleTime / 2))
	if got := w.protocol.pool.Idle(); got == 0 {
		t.Error("warm backends were retired too early")
	}
	w.protocol.pool.Retire(time.Now().Add(window.MaxIdleTime + time.Second))
	if got := w.protocol.pool.Idle(); got != 0 {
		t.Errorf("warm backends after their time: got %d, want 0", got)
	}
}
