package test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestConnectionLimit lets 200 clients race for 100 connections.
func TestConnectionLimit(t *testing.T) {
	d := shared.workspace(t, "limit_connections", "control")
	l := d.login(t)
	var (
		mu      sync.Mutex
		open    []*pgconn.PgConn
		refused []error
		clients sync.WaitGroup
	)
	gate := make(chan struct{})
	for range 200 {
		clients.Go(func() {
			<-gate
			ctx, done := context.WithTimeout(context.Background(), clientTimeout)
			defer done()
			conn, err := pgconn.Connect(ctx, l.dsn())
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
			conn.Close(context.Background())
		}
	}()
	if len(open) != 100 {
		t.Errorf("%d clients are connected, want 100", len(open))
	}
	for _, err := range refused {
		told(t, wantCode(t, "refused client", err, "53300"), "limit_connections", "100", "max_connections")
	}
	for i, conn := range open {
		result := conn.ExecParams(t.Context(), "SELECT $1::int", [][]byte{fmt.Append(nil, i)}, nil, nil, nil).Read()
		if result.Err != nil || string(result.Rows[0][0]) != fmt.Sprint(i) {
			t.Fatalf("connection %d: got %v", i, result.Err)
		}
	}

	t.Run("another workspace is not concerned", func(t *testing.T) {
		if got := shared.workspace(t, "limit_neighbour", "control").login(t).psql(t, "SELECT 1"); got != "1" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("one that leaves makes room for one", func(t *testing.T) {
		if err := open[0].Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		open = open[1:]
		eventually(t, "there is room again", func() bool {
			conn, err := pgconn.Connect(t.Context(), l.dsn())
			if err == nil {
				open = append(open, conn)
			}
			return err == nil
		})
		_, err := pgconn.Connect(t.Context(), l.dsn())
		wantCode(t, "one more", err, "53300")
	})
	t.Run("a raised limit counts at once", func(t *testing.T) {
		d.set(t, map[string]any{"max_connections": 102})
		for range 2 {
			conn, err := pgconn.Connect(t.Context(), l.dsn())
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, conn)
		}
		_, err := pgconn.Connect(t.Context(), l.dsn())
		told(t, wantCode(t, "one more", err, "53300"), "limit_connections", "102", "max_connections")
	})
	t.Run("a lowered one ends nobody", func(t *testing.T) {
		d.set(t, map[string]any{"max_connections": 1})
		if _, err := open[50].Exec(t.Context(), "SELECT 1").ReadAll(); err != nil {
			t.Error(err)
		}
		_, err := pgconn.Connect(t.Context(), l.dsn())
		wantCode(t, "one more", err, "53300")
	})
	t.Run("0 is no limit", func(t *testing.T) {
		d.set(t, map[string]any{"max_connections": 0})
		conn, err := pgconn.Connect(t.Context(), l.dsn())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, conn)
	})
}

// TestLimitsChangeWhileConnected changes each limit under an open session, in
// the middle of a pipeline of statements too.
func TestLimitsChangeWhileConnected(t *testing.T) {
	d := shared.workspace(t, "limit_changes", "control")
	conn := d.login(t).connect(t)
	series := func(n int) error {
		_, err := conn.Exec(t.Context(), fmt.Sprintf("SELECT generate_series(1, %d)", n))
		return err
	}
	path := "/workspaces/limit_changes/settings"
	d.installation.must(t, http.StatusOK, "POST", path, map[string]any{"max_rows_per_query": 5})
	wantCode(t, "6 rows at a limit of 5", series(6), "54000")
	d.installation.must(t, http.StatusOK, "PATCH", path, map[string]any{"max_rows_per_query": 6})
	if err := series(6); err != nil {
		t.Error(err)
	}
	d.installation.must(t, http.StatusOK, "POST", path, map[string]any{"max_rows_per_query": 0, "query_timeout_ms": 150})
	if err := series(20_000); err != nil {
		t.Errorf("20,000 rows without a limit: %v", err)
	}
	_, err := conn.Exec(t.Context(), "SELECT pg_sleep(68)")
	wantCode(t, "sleep at a limit of 150 ms", err, "57014")
	d.installation.must(t, http.StatusOK, "POST", path, map[string]any{"query_timeout_ms": 0})
	if _, err := conn.Exec(t.Context(), "SELECT pg_sleep(0.4)"); err != nil {
		t.Errorf("sleep without a limit: %v", err)
	}
	d.installation.must(t, http.StatusBadRequest, "POST", path, map[string]any{"query_timeout_ms": -1})
	if _, err := conn.Exec(t.Context(), "SELECT pg_sleep(0.01)"); err != nil {
		t.Errorf("after a setting that was refused: %v", err)
	}
}

// TestLimitStrikesInsideAPipeline keeps the protocol in step when a limit strikes
// between the messages of one client.
func TestLimitStrikesInsideAPipeline(t *testing.T) {
	d := shared.workspace(t, "limit_pipeline", "control")
	d.set(t, map[string]any{"query_timeout_ms": 200})
	conn := d.login(t).connect(t)
	pipeline := conn.PgConn().StartPipeline(t.Context())
	for _, text := range []string{"SELECT 1", "SELECT pg_sleep(69)::text", "SELECT 2"} {
		pipeline.SendQueryParams(text, nil, nil, nil, nil)
		if err := pipeline.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for range 6 { // a result and a Sync for each
		results, err := pipeline.GetResults()
		if err != nil {
			t.Fatal(err)
		}
		r, ok := results.(*pgconn.ResultReader)
		if !ok {
			continue
		}
		result := r.Read()
		if pgErr, ok := errors.AsType[*pgconn.PgError](result.Err); ok {
			got = append(got, pgErr.Code)
		} else if result.Err == nil {
			got = append(got, string(result.Rows[0][0]))
		}
	}
	if err := pipeline.Close(); err != nil {
		t.Error(err)
	}
	if want := "[1 57014 2]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	alive(t, conn)
}
