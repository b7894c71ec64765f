package postgres

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

func (p *pool) idleCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
}

func TestAdminConnectionIsKept(t *testing.T) {
	e := newEngine(t)
	pids := map[uint32]bool{}
	for range 3 {
		conn, release, err := e.admin(t.Context(), "postgres")
		if err != nil {
			t.Fatal(err)
		}
		pids[conn.PgConn().PID()] = true
		release()
		release()
	}
	if len(pids) != 1 || e.admins.idleCount() != 1 {
		t.Errorf("got %d connections, %d idle", len(pids), e.admins.idleCount())
	}
}

func TestAdminConnectionInATransactionIsNotKept(t *testing.T) {
	e := newEngine(t)
	conn, release, err := e.admin(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	release()
	if n := e.admins.idleCount(); n != 0 || !conn.IsClosed() {
		t.Errorf("got %d idle, closed %v", n, conn.IsClosed())
	}
}

func TestAdminConnectionThatBrokeIsReplaced(t *testing.T) {
	e := newEngine(t)
	conn, release, err := e.admin(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	pid := conn.PgConn().PID()
	release()
	killer := newEngine(t)
	if err := execAdmin(t, killer, fmt.Sprintf("SELECT pg_terminate_backend(%d, 5000)", pid)); err != nil {
		t.Fatal(err)
	}
	if err := e.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAdminConnectionsInUseAtOnce(t *testing.T) {
	e := newEngine(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			conn, release, err := e.admin(t.Context(), "postgres")
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			if _, err := conn.Exec(t.Context(), "SELECT 1"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := e.admins.idleCount(); n != 1 {
		t.Errorf("got %d idle connections, want 1", n)
	}
}

func TestIdleAdminConnectionsAreBounded(t *testing.T) {
	e := newEngine(t)
	for i := range maxIdle + 2 {
		conn, err := e.connectAdmin(t.Context(), "postgres")
		if err != nil {
			t.Fatal(err)
		}
		e.admins.put(fmt.Sprintf("database %d", i), conn)
	}
	if n := e.admins.idleCount(); n != maxIdle {
		t.Errorf("got %d idle connections, want %d", n, maxIdle)
	}
	e.Close()
	if n := e.admins.idleCount(); n != 0 {
		t.Errorf("got %d idle connections after close", n)
	}
}

func TestIdleAdminConnectionExpires(t *testing.T) {
	e := newEngine(t)
	conn, release, err := e.admin(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	release()
	e.admins.mu.Lock()
	ic := e.admins.idle["postgres"]
	ic.timer.Reset(0)
	e.admins.mu.Unlock()
	await(t, "the idle connection to expire", func() bool { return e.admins.idleCount() == 0 })
	select {
	case <-conn.PgConn().CleanupDone():
	case <-time.After(time.Minute):
		t.Error("the expired connection was not closed")
	}
}
