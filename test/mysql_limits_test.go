package test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// series is a query of n rows.
func series(n int) string {
	return fmt.Sprintf("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT a.i FROM n a JOIN n b WHERE (b.i - 1) * 1000 + a.i <= %d", n)
}

func TestMySQLQueryTimeout(t *testing.T) {
	d := shared.mysqlDatabase(t, "my-limit-timeout", "tenant")
	d.set(t, map[string]any{"query_timeout_ms": 300})
	l := d.login()
	admin := shared.mysqlAdmin(t).connect(t)
	for _, way := range driverProtocols {
		t.Run(way.name, func(t *testing.T) {
			conn := l.connect(t, way.change)
			for what, statement := range map[string]string{
				"sleep":  "SELECT SLEEP(66 + ?)",
				"select": "SELECT SUM(a.n * b.n * c.n * ?) FROM (" + digits(1000) + ") a JOIN (" + digits(1000) + ") b JOIN (" + digits(1000) + ") c",
			} {
				began := time.Now()
				_, err := column(conn, statement, 0)
				contains(t, what, wantNumber(t, what, err, 3024), `"my-limit-timeout"`, "300 ms", "query_timeout_ms")
				if took := time.Since(began); took < 300*time.Millisecond || took > 40*time.Second {
					t.Errorf("%s ended after %v", what, took)
				}
				wantColumn(t, conn, "SELECT 42", "42")
			}
		})
	}
	eventually(t, "the server stopped too", func() bool {
		found, err := column(admin, "SELECT INFO FROM information_schema.PROCESSLIST WHERE DB = '"+d.name+"' AND COMMAND <> 'Sleep'")
		return err == nil && len(found) == 0
	})
	t.Run("in the client program", func(t *testing.T) {
		s := l.try(t, "SELECT SLEEP(66);\nSELECT 'went on';\n", "mariadb", "--batch", "--force", l.database)
		contains(t, "error", s.stderr, "ERROR 3024 (HY000)")
		contains(t, "afterwards", s.stdout, "went on")
	})
}

// digits is a query of n rows without a table.
func digits(n int) string {
	return fmt.Sprintf("WITH RECURSIVE d (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM d WHERE n < %d) SELECT n FROM d", n)
}

func TestMySQLRowLimit(t *testing.T) {
	d := shared.mysqlDatabase(t, "my-limit-rows", "tenant")
	d.set(t, map[string]any{"max_rows_per_query": 1000})
	l := d.login()
	for _, way := range driverProtocols {
		t.Run(way.name, func(t *testing.T) {
			conn := l.connect(t, way.change)
			for _, n := range []int{999, 1000} {
				if got, err := column(conn, series(n)+" AND 1 = ?", 1); len(got) != n || err != nil {
					t.Errorf("%d rows: got %d, %v", n, len(got), err)
				}
			}
			for _, n := range []int{1001, 100_000} {
				got, err := column(conn, series(n)+" AND 1 = ?", 1)
				contains(t, "message", wantNumber(t, fmt.Sprint(n), err, 1104), `"my-limit-rows"`, "1000", "max_rows_per_query")
				if len(got) != 1000 {
					t.Errorf("%d rows: got %d of them before the error, want 1000", n, len(got))
				}
				wantColumn(t, conn, "SELECT 42", "42")
			}
		})
	}
	t.Run("each statement of a text has its own", func(t *testing.T) {
		conn := l.connect(t, multiStatements)
		if err := execMySQL(conn, series(900)+"; "+series(900)); err != nil {
			t.Error(err)
		}
		// More than the buffers on the way hold, so that the server is still at it.
		err := execMySQL(conn, "CREATE TABLE before_it (id INT); "+series(1_000_000)+"; CREATE TABLE after_it (id INT)")
		wantNumber(t, "a text with too many rows", err, 1104)
		wantColumn(t, conn, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()", "before_it")
	})
	t.Run("rows written do not count", func(t *testing.T) {
		conn := l.connect(t)
		change(t, conn, "CREATE TABLE written (i INT)")
		if n, err := change(t, conn, "INSERT INTO written "+series(5000)).RowsAffected(); n != 5000 || err != nil {
			t.Errorf("got %d %v", n, err)
		}
		wantColumn(t, conn, "SELECT COUNT(*) FROM written", "5000")
	})
	t.Run("in the client program", func(t *testing.T) {
		s := l.try(t, series(1001)+";\nSELECT 'went on';\n", "mariadb", "--batch", "--quick", "--force", l.database)
		contains(t, "error", s.stderr, "ERROR 1104 (42000)", "max_rows_per_query")
		contains(t, "afterwards", s.stdout, "went on")
	})
	if queue := d.queue(t); len(queue) != 2 {
		t.Errorf("the queue has %v, want before_it and written", queue)
	}
}

// TestMySQLConnectionLimit lets 200 clients race for 100 connections.
func TestMySQLConnectionLimit(t *testing.T) {
	d := shared.mysqlDatabase(t, "my-limit-connections", "control")
	l := d.login()
	var (
		mu      sync.Mutex
		open    []*sql.Conn
		refused []error
		clients sync.WaitGroup
	)
	pools := make([]*sql.DB, 200)
	for i := range pools {
		pools[i] = l.pool(t)
	}
	gate := make(chan struct{})
	for _, pool := range pools {
		clients.Go(func() {
			<-gate
			ctx, done := context.WithTimeout(context.Background(), clientTimeout)
			defer done()
			conn, err := pool.Conn(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				refused = append(refused, err)
				return
			}
			open = append(open, conn)
		})
	}
	close(gate)
	clients.Wait()
	defer func() {
		for _, conn := range open {
			conn.Close()
		}
	}()
	if len(open) != 100 {
		t.Fatalf("%d clients are connected, want 100", len(open))
	}
	for _, err := range refused {
		contains(t, "refused client", wantNumber(t, "refused client", err, 1040), `"my-limit-connections"`, "100", "max_connections")
	}
	for i, conn := range open {
		wantColumn(t, conn, fmt.Sprintf("SELECT %d", i), fmt.Sprint(i))
	}
	oneMore := func(limit string) {
		t.Helper()
		_, err := l.tryConnect(t)
		contains(t, "one more", wantNumber(t, "one more", err, 1040), limit)
	}

	t.Run("another workspace is not concerned", func(t *testing.T) {
		wantColumn(t, shared.mysqlDatabase(t, "my-limit-neighbour", "control").login().connect(t), "SELECT 1", "1")
	})
	t.Run("in the client program", func(t *testing.T) {
		contains(t, "mariadb", l.try(t, "", "mariadb", "-e", "SELECT 1", l.database).stderr, "ERROR 1040 (08004)", "max_connections")
	})
	whole := t // its connections outlive the part that opens them
	t.Run("one that leaves makes room for one", func(t *testing.T) {
		// A pool closes a connection that is said to be bad.
		if err := open[0].Raw(func(any) error { return driver.ErrBadConn }); !errors.Is(err, driver.ErrBadConn) {
			t.Errorf("got %v", err)
		}
		open = open[1:]
		eventually(t, "there is room again", func() bool {
			conn, err := l.tryConnect(whole)
			if err == nil {
				open = append(open, conn)
			}
			return err == nil
		})
		oneMore("100")
	})
	t.Run("a raised limit counts at once", func(t *testing.T) {
		d.set(t, map[string]any{"max_connections": 102})
		for range 2 {
			open = append(open, l.connect(whole))
		}
		oneMore("102")
	})
	t.Run("a lowered one ends nobody", func(t *testing.T) {
		d.set(t, map[string]any{"max_connections": 1})
		wantColumn(t, open[50], "SELECT 1", "1")
		oneMore("1")
	})
	t.Run("0 is no limit", func(t *testing.T) {
		d.set(t, map[string]any{"max_connections": 0})
		open = append(open, l.connect(whole))
	})
}

// TestMySQLLimitsChangeWhileConnected changes each limit under an open session.
func TestMySQLLimitsChangeWhileConnected(t *testing.T) {
	d := shared.mysqlDatabase(t, "my-limit-changes", "control")
	path := "/workspaces/my-limit-changes/settings"
	for _, way := range driverProtocols {
		t.Run(way.name, func(t *testing.T) {
			conn := d.login().connect(t, way.change)
			d.installation.must(t, http.StatusOK, "POST", path, map[string]any{"max_rows_per_query": 5})
			_, err := column(conn, series(6))
			wantNumber(t, "6 rows at a limit of 5", err, 1104)
			d.installation.must(t, http.StatusOK, "PATCH", path, map[string]any{"max_rows_per_query": 6})
			if _, err := column(conn, series(6)); err != nil {
				t.Error(err)
			}
			d.installation.must(t, http.StatusOK, "POST", path, map[string]any{"max_rows_per_query": 0, "query_timeout_ms": 150})
			_, err = column(conn, "SELECT SLEEP(68)")
			wantNumber(t, "sleep at a limit of 150 ms", err, 3024)
			d.installation.must(t, http.StatusOK, "POST", path, map[string]any{"query_timeout_ms": 0})
			if got, err := column(conn, series(20_000)); len(got) != 20_000 || err != nil {
				t.Errorf("20,000 rows without a limit: got %d, %v", len(got), err)
			}
			wantColumn(t, conn, "SELECT SLEEP(0.4)", "0")
			d.installation.must(t, http.StatusBadRequest, "POST", path, map[string]any{"query_timeout_ms": -1})
			wantColumn(t, conn, "SELECT SLEEP(0.01)", "0")
		})
	}
}

// TestMySQLWorkspaceIsDeletedUnderItsClients: they are told, and gone.
func TestMySQLWorkspaceIsDeletedUnderItsClients(t *testing.T) {
	d := shared.mysqlDatabase(t, "my-limit-deleted", "tenant")
	idle, busy := d.login().connect(t), d.login().connect(t)
	wantColumn(t, idle, "SELECT 1", "1")
	ended := make(chan error, 1)
	go func() {
		_, err := column(busy, "SELECT SLEEP(69)")
		ended <- err
	}()
	admin := shared.mysqlAdmin(t).connect(t)
	eventually(t, "the statement runs", func() bool {
		found, err := column(admin, "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO = 'SELECT SLEEP(69)'")
		return err == nil && len(found) == 1
	})
	d.installation.must(t, http.StatusOK, "DELETE", "/workspaces/my-limit-deleted", nil)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a statement of a deleted workspace succeeded")
		}
	case <-time.After(time.Minute):
		t.Error("a statement of a deleted workspace goes on")
	}
	if _, err := column(idle, "SELECT 1"); err == nil {
		t.Error("a session of a deleted workspace answers")
	}
	eventually(t, "the server has no session of it", func() bool {
		found, err := column(admin, "SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = '"+d.name+"'")
		return err == nil && len(found) == 0
	})
	if _, err := d.login().tryConnect(t); err == nil || !strings.Contains(err.Error(), "1045") {
		t.Errorf("a login to a deleted workspace: got %v, want 1045", err)
	}
}
