package postgres

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// background runs sql and gives its error when it ended.
func background(conn *pgconn.PgConn, sql string) <-chan error {
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), sql).ReadAll()
		ended <- err
	}()
	return ended
}

// awaitRunning waits until the server runs a statement like that.
func awaitRunning(t *testing.T, w *world, like string) {
	t.Helper()
	admin := adminConn(t, "postgres")
	sql := fmt.Sprintf("select count(*) from pg_stat_activity where datname = '%s' and state = 'active' and query like '%s'", w.route.Database, like)
	wiretest.Await(t, "the server runs "+like, func() bool { return one(t, admin, sql) != "0" })
}

// cancelRequest sends one over conn and waits for the answer, the close.
func cancelRequest(t *testing.T, conn net.Conn, pid uint32, key []byte) {
	t.Helper()
	if _, err := conn.Write(join(word(12+len(key)), word(cancelRequestCode), word(int(pid)), key)); err != nil {
		t.Fatal(err)
	}
	if said := answers(t, conn); len(said) != 0 {
		t.Errorf("a cancel request was answered with %q", said)
	}
}

func TestCancelStopsTheStatementAndNothingElse(t *testing.T) {
	w := newWorld(t)
	for _, version := range []string{"3.0", "3.2"} {
		for _, how := range []string{"plaintext", "tls"} {
			t.Run(version+" "+how, func(t *testing.T) {
				config := w.config(t)
				config.MinProtocolVersion, config.MaxProtocolVersion = version, version
				c, other := dialConfig(t, config), w.connect(t)
				if size := map[string]int{"3.0": shortKey, "3.2": longKey}[version]; len(c.SecretKey()) != size {
					t.Fatalf("key: got %d bytes, want %d", len(c.SecretKey()), size)
				}
				ended, others := background(c, "select pg_sleep(60)"), background(other, "select pg_sleep(0.7)")
				awaitRunning(t, w, "select pg_sleep(60)")
				awaitRunning(t, w, "select pg_sleep(0.7)")
				var conn net.Conn = w.dialRaw(t)
				if how == "tls" {
					conn = w.dialTLS(t)
				}
				cancelRequest(t, conn, c.PID(), c.SecretKey())
				if err := <-ended; sqlstate(err) != codeQueryCanceled {
					t.Errorf("got %v, want 57014", err)
				}
				if err := <-others; err != nil {
					t.Errorf("another session's statement: %v", err)
				}
				if got := one(t, c, "select 1"); got != "1" {
					t.Errorf("afterwards: got %q, want 1", got)
				}
			})
		}
	}
}

func TestCancelWithoutTheKeyIsIgnored(t *testing.T) {
	w := newWorld(t)
	c, other := w.connect(t), w.connect(t)
	ended := background(c, "select pg_sleep(0.5)")
	awaitRunning(t, w, "select pg_sleep(0.5)")
	wrong := append([]byte(nil), c.SecretKey()...)
	wrong[0] ^= 1
	for name, try := range map[string]struct {
		pid uint32
		key []byte
	}{
		"wrong key":           {c.PID(), wrong},
		"other session's key": {c.PID(), other.SecretKey()},
		"unknown session":     {c.PID() ^ 1, c.SecretKey()},
		"longer key":          {c.PID(), append(append([]byte(nil), c.SecretKey()...), 0)},
		"the server's own":    {w.last().back.pid, w.last().back.secret},
	} {
		t.Run(name, func(t *testing.T) { cancelRequest(t, w.dialRaw(t), try.pid, try.key) })
	}
	for name, request := range map[string][]byte{
		"no key":      join(word(12), word(cancelRequestCode), word(int(c.PID()))),
		"short key":   join(word(14), word(cancelRequestCode), word(int(c.PID())), c.SecretKey()[:2]),
		"endless key": join(word(16+maxCancelKey), word(cancelRequestCode), word(int(c.PID())), make([]byte, maxCancelKey+4)),
	} {
		t.Run(name, func(t *testing.T) {
			conn := w.dialRaw(t)
			if _, err := conn.Write(request); err != nil {
				t.Fatal(err)
			}
			answers(t, conn)
		})
	}
	if err := <-ended; err != nil {
		t.Errorf("got %v, want the statement to end by itself", err)
	}
}

func TestClientsKnowTheirServerProcess(t *testing.T) {
	w := newWorld(t)
	for range 3 { // the later ones on a warm backend
		c := w.connect(t)
		if got := one(t, c, "select pg_backend_pid()"); got != fmt.Sprint(c.PID()) {
			t.Errorf("told %d, the process is %s", c.PID(), got)
		}
		ctx, done := context.WithTimeout(context.Background(), patience)
		if err := c.Close(ctx); err != nil {
			t.Error(err)
		}
		done()
	}
}

// Two servers may have processes of one id.
func TestCancelKeysOfOneProcessIDAreApart(t *testing.T) {
	c := cancelKeys{relays: map[uint32]*relay{}}
	one, other := &relay{back: &backend{pid: 7}}, &relay{back: &backend{pid: 7}}
	first, forget := c.issue(one, shortKey)
	second, _ := c.issue(other, shortKey)
	if first.pid != 7 || second.pid == 7 || c.relays[first.pid] != one || c.relays[second.pid] != other {
		t.Errorf("got %d and %d", first.pid, second.pid)
	}
	forget()
	if third, _ := c.issue(one, shortKey); third.pid != 7 {
		t.Errorf("a forgotten id is not given again: got %d", third.pid)
	}
}

func TestCancelWhileIdleHitsNothing(t *testing.T) {
	w := newWorld(t)
	c := w.connect(t)
	for range 20 {
		cancelRequest(t, w.dialRaw(t), c.PID(), c.SecretKey())
		if got := one(t, c, "select 1"); got != "1" {
			t.Fatalf("got %q, want 1", got)
		}
	}
}

// A cancel request that races with its session's end must not hit the next
// session's statement on the same backend.
func TestALateCancelDoesNotHitTheNextSession(t *testing.T) {
	w := newWorld(t)
	var reused int
	pids := map[string]bool{}
	for range 60 {
		first := w.connect(t)
		pid := one(t, first, "select pg_backend_pid()")
		if pids[pid] {
			reused++
		}
		pids[pid] = true
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			conn, err := net.Dial("tcp", w.addr)
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = conn.Write(join(word(12+len(first.SecretKey())), word(cancelRequestCode), word(int(first.PID())), first.SecretKey()))
		}()
		ctx, done := context.WithTimeout(context.Background(), patience)
		if err := first.Close(ctx); err != nil {
			t.Fatal(err)
		}
		done()
		next := w.connect(t)
		for range 5 {
			if _, err := exec(t, next, "select pg_sleep(0.002)"); err != nil {
				t.Fatalf("the next session's statement: %v", err)
			}
		}
		<-sent
		if err := next.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if reused == 0 {
		t.Error("no backend was reused, so that nothing was tested")
	}
}

func TestKeysEndWithTheirSessions(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		if err := w.connect(t).Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	wiretest.Await(t, "no key is left", func() bool {
		w.protocol.cancels.mu.Lock()
		defer w.protocol.cancels.mu.Unlock()
		return len(w.protocol.cancels.relays) == 0
	})
}

func TestADriversOwnCancelArrives(t *testing.T) {
	w := newWorld(t)
	c := w.connect(t)
	ended := background(c, "select pg_sleep(60)")
	awaitRunning(t, w, "select pg_sleep(60)")
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	if err := c.CancelRequest(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if sqlstate(err) != codeQueryCanceled {
			t.Errorf("got %v, want 57014", err)
		}
	case <-time.After(patience):
		t.Error("not canceled")
	}
}
