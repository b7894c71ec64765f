package test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestDeleteEndsOpenSessions tells each client that the database is gone,
// whatever it was doing.
func TestDeleteEndsOpenSessions(t *testing.T) {
	d := shared.workspace(t, "deleted", "tenant")
	l := d.login(t)
	idle, busy, inTransaction := l.wire(t), l.connect(t), l.connect(t)
	if _, err := inTransaction.Exec(t.Context(), "BEGIN; CREATE TABLE t (id int)"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := busy.Exec(context.Background(), "SELECT pg_sleep(70)")
		ended <- err
	}()
	l.awaitRunning(t, "SELECT pg_sleep(70)")
	began := time.Now()
	shared.must(t, 200, "DELETE", "/workspaces/deleted", nil)
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("deleting took %v", took)
	}
	wantCode(t, "a running statement", <-ended, "57P04")
	if err := idle.conn.SetReadDeadline(time.Now().Add(clientTimeout)); err != nil {
		t.Fatal(err)
	}
	reply, err := idle.front.Receive()
	if err != nil {
		t.Fatalf("an idle session: %v", err)
	}
	contains(t, "an idle session", line(reply), "Severity:FATAL", "Code:57P04", `workspace "deleted" was deleted`)
	if _, err := idle.front.Receive(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the idle session goes on: %v", err)
	}
	_, err = inTransaction.Exec(t.Context(), "SELECT 1")
	if err == nil {
		t.Error("the session in a transaction goes on")
	}
	_, err = pgconn.Connect(t.Context(), l.dsn())
	wantCode(t, "a new session", err, "28P01")

	t.Run("a new workspace of that name has nothing of the old", func(t *testing.T) {
		l := shared.workspace(t, "deleted", "tenant").login(t)
		if got := l.psql(t, "SELECT count(*) FROM pg_class WHERE relname = 't'"); got != "0" {
			t.Errorf("got %q", got)
		}
	})
}

// TestDrain ends the program while statements run: each may finish, none may
// begin.
func TestDrain(t *testing.T) {
	in := newInstallation(t, "postgresql")
	l := in.workspace(t, "drained", "tenant").login(t)
	idle := l.wire(t)
	slow, inTransaction := l.connect(t), l.connect(t)
	if _, err := inTransaction.Exec(t.Context(), "BEGIN; CREATE TABLE lost (id int)"); err != nil {
		t.Fatal(err)
	}
	type result struct {
		text string
		err  error
	}
	finished := make(chan result, 1)
	go func() {
		var r result
		r.err = slow.QueryRow(context.Background(), "SELECT 'finished' FROM pg_sleep(2)").Scan(&r.text)
		finished <- r
	}()
	l.awaitRunning(t, "SELECT 'finished' FROM pg_sleep(2)")
	if err := in.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := idle.conn.SetReadDeadline(time.Now().Add(clientTimeout)); err != nil {
		t.Fatal(err)
	}
	reply, err := idle.front.Receive()
	if err != nil {
		t.Fatalf("an idle session: %v", err)
	}
	contains(t, "an idle session", line(reply), "Severity:FATAL", "Code:57P01")
	_, err = pgconn.Connect(t.Context(), l.dsn())
	if err == nil || errors.As(err, new(*pgconn.PgError)) && !strings.Contains(err.Error(), "57P0") {
		t.Errorf("a new session while draining: got %v, want a refusal", err)
	}
	if r := <-finished; r.err != nil || r.text != "finished" {
		t.Errorf("the statement at hand: got %q, %v", r.text, r.err)
	}
	_, err = slow.Exec(t.Context(), "SELECT 1")
	if err == nil {
		t.Error("a drained session goes on")
	} else if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code != "57P01" {
		t.Errorf("a drained session: got %v, want 57P01", pgErr)
	}
	in.gone()
	if code := in.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the program ended with %d", code)
	}

	t.Run("and the next start has everything", func(t *testing.T) {
		in.startAgain(t)
		if got := l.psql(t, "SELECT to_regclass('lost') IS NULL"); got != "t" {
			t.Errorf("the open transaction was committed")
		}
	})
}

// startAgain starts the program on the same folder; its clients need no other
// login afterwards.
func (in *installation) startAgain(t testing.TB) {
	t.Helper()
	before := in.ready
	if err := in.start(); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(in.ready) != fmt.Sprint(before) {
		t.Fatal("ready.json differs after a second start")
	}
}

// TestRestart finds everything again, after an end in order and after none.
func TestRestart(t *testing.T) {
	in := newInstallation(t, "postgresql")
	d := in.workspace(t, "restarted", "tenant")
	in.workspace(t, "beside", "control")
	l := d.login(t)
	l.psql(t, "CREATE TABLE first (id int)", "CREATE TABLE second (id int)", "INSERT INTO first VALUES (1)")
	d.set(t, map[string]any{"max_rows_per_query": 77})
	queued := fmt.Sprint(d.queue(t))
	list := fmt.Sprint(in.must(t, 200, "GET", "/workspaces", nil)["workspaces"])
	pool := l.pool(t, 4)
	for _, end := range []struct {
		name string
		end  func()
	}{{"SIGTERM", in.stop}, {"SIGKILL", in.kill}, {"SIGTERM again", in.stop}} {
		t.Run(end.name, func(t *testing.T) {
			if err := pool.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
			end.end()
			in.startAgain(t)
			eventually(t, "the pool reconnects", func() bool { return pool.Ping(t.Context()) == nil })
			if got := l.psql(t, "SELECT id FROM first"); got != "1" {
				t.Errorf("the data: got %q", got)
			}
			if got := fmt.Sprint(d.queue(t)); got != queued {
				t.Errorf("the queue: got %s, want %s", got, queued)
			}
			if got := fmt.Sprint(in.must(t, 200, "GET", "/workspaces", nil)["workspaces"]); got != list {
				t.Errorf("the workspaces: got %s, want %s", got, list)
			}
			contains(t, "settings", fmt.Sprint(in.must(t, 200, "GET", "/workspaces/restarted/settings", nil)), "77")
		})
	}
}

// TestDatabaseServerRestarts kills a server process under the proxy, which
// makes PostgreSQL end all sessions and recover: whoever connects then must not
// get a dead connection.
func TestDatabaseServerRestarts(t *testing.T) {
	in := newInstallation(t, "postgresql")
	l := in.workspace(t, "recovered", "tenant").login(t)
	l.psql(t, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)")
	admin := in.superuser(t)
	witness := admin.connect(t)
	victim := l.connect(t)
	var warm []*pgx.Conn
	for range 5 {
		warm = append(warm, l.connect(t))
	}
	for _, conn := range warm {
		if err := conn.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var pid int
	if err := victim.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_, err := victim.Exec(t.Context(), "SELECT 1")
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); err == nil || ok && !strings.HasPrefix(pgErr.Code, "57P0") && !strings.HasPrefix(pgErr.Code, "08") {
		t.Errorf("the session of the killed process: got %v", err)
	}
	eventually(t, "the server ended its sessions", func() bool { return witness.Ping(t.Context()) != nil })
	eventually(t, "the server has recovered", func() bool {
		conn, err := pgx.Connect(t.Context(), admin.dsn())
		if err != nil {
			return false
		}
		return conn.Close(t.Context()) == nil
	})
	for range 8 {
		if got := l.psql(t, "SELECT count(*) FROM t"); got != "1" {
			t.Errorf("after the recovery: got %q", got)
		}
	}
}

// TestNextClientGetsACleanSession leaves all that a session can keep, and looks
// for it from the next client on the same server process.
func TestNextClientGetsACleanSession(t *testing.T) {
	l := shared.workspace(t, "clean", "tenant").login(t)
	leave := []string{
		"SET search_path = pg_catalog", "SET my.own = 'secret'", "SET statement_timeout = 12345", "SET TIME ZONE 'Asia/Tokyo'",
		"CREATE TEMP TABLE secrets AS SELECT 'x' AS v", "PREPARE mine AS SELECT 1", "LISTEN news", "SELECT pg_advisory_lock(99)",
		"DECLARE held CURSOR WITH HOLD FOR SELECT 1", "SET default_transaction_read_only = on", "SET client_encoding = 'LATIN1'",
		"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
	}
	look := `SELECT concat_ws(' ', current_setting('search_path'), nullif(current_setting('my.own', true), ''), current_setting('statement_timeout'),
		current_setting('TimeZone'), to_regclass('secrets'), (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_listening_channels()),
		(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), (SELECT count(*) FROM pg_cursors WHERE name = 'held'),
		current_setting('default_transaction_read_only'), current_setting('client_encoding'), current_setting('default_transaction_isolation'))`
	open := func(statements ...string) (conn *pgconn.PgConn, pid int, seen string) {
		conn, err := pgconn.Connect(t.Context(), l.dsn())
		if err != nil {
			t.Fatal(err)
		}
		run := func(sql string) string {
			results, err := conn.Exec(t.Context(), sql).ReadAll()
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			if last := results[len(results)-1]; len(last.Rows) > 0 {
				return string(last.Rows[0][0])
			}
			return ""
		}
		seen = run(look)
		if _, err := fmt.Sscan(run("SELECT pg_backend_pid()"), &pid); err != nil {
			t.Fatal(err)
		}
		for _, s := range statements {
			run(s)
		}
		return conn, pid, seen
	}
	leaveWell := func(conn *pgconn.PgConn) {
		if err := conn.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	first, _, clean := open()
	leaveWell(first)
	for _, way := range []struct {
		name     string
		endBadly bool
		last     []string
	}{
		{"goodbye", false, nil},
		{"without goodbye", true, nil},
		{"in a transaction", false, []string{"BEGIN", "SELECT 1"}},
		{"in a failed transaction", true, []string{"BEGIN", "SAVEPOINT s"}},
	} {
		t.Run(way.name, func(t *testing.T) {
			statements := append(append([]string{}, leave...), way.last...)
			conn, left, _ := open(statements...)
			if way.endBadly {
				conn.Conn().Close()
			} else {
				leaveWell(conn)
			}
			// Clients that got another process stay, so that this one's turn comes.
			var others []*pgconn.PgConn
			eventually(t, "the server process has another client", func() bool {
				conn, pid, seen := open()
				others = append(others, conn)
				if seen != clean {
					t.Fatalf("the next client saw %q, want %q", seen, clean)
				}
				return pid == left
			})
			for _, conn := range others {
				leaveWell(conn)
			}
		})
	}
}
