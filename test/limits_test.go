package test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// queryProtocols are the two ways in which a statement meets a limit.
var queryProtocols = []struct {
	name string
	mode pgx.QueryExecMode
}{
	{"simple", pgx.QueryExecModeSimpleProtocol},
	{"extended", pgx.QueryExecModeDescribeExec},
}

// alive wants a session that still answers.
func alive(t testing.TB, conn *pgx.Conn) {
	t.Helper()
	var n int
	if err := conn.QueryRow(context.Background(), "SELECT 42", pgx.QueryExecModeSimpleProtocol).Scan(&n); err != nil || n != 42 {
		t.Errorf("the session afterwards: got %d, %v", n, err)
	}
}

// told wants the message to name what a person needs to change it.
func told(t testing.TB, err *pgconn.PgError, workspace, limit, setting string) {
	t.Helper()
	contains(t, "message", err.Message, `workspace "`+workspace+`"`, limit, setting)
	contains(t, "hint", err.Hint, setting)
}

func TestQueryTimeout(t *testing.T) {
	d := shared.workspace(t, "limit_timeout", "tenant")
	d.set(t, map[string]any{"query_timeout_ms": 300})
	l := d.login(t)
	for _, way := range queryProtocols {
		t.Run(way.name, func(t *testing.T) {
			conn := l.connect(t)
			for range 2 {
				began := time.Now()
				_, err := conn.Exec(t.Context(), "SELECT pg_sleep(66)", way.mode)
				told(t, wantCode(t, "sleep", err, "57014"), "limit_timeout", "300 ms", "query_timeout_ms")
				if took := time.Since(began); took < 300*time.Millisecond || took > 30*time.Second {
					t.Errorf("the statement ended after %v", took)
				}
				alive(t, conn)
			}
			eventually(t, "the server stopped too", func() bool {
				return l.psql(t, "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(66)' AND state = 'active'") == "0"
			})
			_, err := conn.Exec(t.Context(), "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(67); EXCEPTION WHEN query_canceled THEN RAISE; END; END LOOP; END $$", way.mode)
			wantCode(t, "a loop", err, "57014")
			alive(t, conn)
		})
	}

	t.Run("each statement of a session has its own time", func(t *testing.T) {
		conn := l.connect(t)
		for range 4 {
			if _, err := conn.Exec(t.Context(), "SELECT pg_sleep(0.12)"); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("an idle session and an open transaction may wait", func(t *testing.T) {
		conn := l.connect(t)
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(700 * time.Millisecond) // longer than the limit: that is the point
		if err := tx.Commit(t.Context()); err != nil {
			t.Error(err)
		}
		alive(t, conn)
	})
	t.Run("a transaction that timed out has failed", func(t *testing.T) {
		conn := l.connect(t)
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), "CREATE TABLE never (id int)"); err != nil {
			t.Fatal(err)
		}
		_, err = tx.Exec(t.Context(), "SELECT pg_sleep(66)")
		wantCode(t, "sleep", err, "57014")
		_, err = tx.Exec(t.Context(), "SELECT 1")
		wantCode(t, "after the timeout", err, "25P02")
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
		if n := len(d.queue(t)); n != 0 {
			t.Errorf("%d statements are queued", n)
		}
	})
	t.Run("the server's own timeout keeps its words", func(t *testing.T) {
		conn := l.connect(t)
		if _, err := conn.Exec(t.Context(), "SET statement_timeout = 50"); err != nil {
			t.Fatal(err)
		}
		_, err := conn.Exec(t.Context(), "SELECT pg_sleep(66)")
		if got := wantCode(t, "sleep", err, "57014").Message; got != "canceling statement due to statement timeout" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("through the API", func(t *testing.T) {
		body := d.installation.must(t, http.StatusBadRequest, "POST", "/workspaces/limit_timeout/queries", map[string]any{"query": "SELECT pg_sleep(66)"})
		contains(t, "error", fmt.Sprint(body["error"]), "300 ms", "query_timeout_ms")
		if body["sqlstate"] != "57014" {
			t.Errorf("got %v", body)
		}
	})
}

// ways are statements that send rows, n of them, each in its own manner.
var ways = []struct {
	name string
	run  func(ctx context.Context, conn *pgx.Conn, n int) (got int, err error)
}{
	{"simple SELECT", countRows(pgx.QueryExecModeSimpleProtocol, "SELECT g FROM generate_series(1, %d) g")},
	{"extended SELECT", countRows(pgx.QueryExecModeDescribeExec, "SELECT g FROM generate_series(1, %d) g")},
	{"prepared SELECT", countRows(pgx.QueryExecModeCacheStatement, "SELECT g FROM generate_series(1, %d) g")},
	{"simple RETURNING", countRows(pgx.QueryExecModeSimpleProtocol, "INSERT INTO returned SELECT generate_series(1, %d) RETURNING id")},
	{"extended RETURNING", countRows(pgx.QueryExecModeDescribeExec, "INSERT INTO returned SELECT generate_series(1, %d) RETURNING id")},
	{"FETCH", countRows(pgx.QueryExecModeSimpleProtocol, "BEGIN; DECLARE c CURSOR FOR SELECT g FROM generate_series(1, 100000) g; FETCH %d FROM c; COMMIT")},
	{"COPY OUT", func(ctx context.Context, conn *pgx.Conn, n int) (int, error) {
		var out bytes.Buffer
		_, err := conn.PgConn().CopyTo(ctx, &out, fmt.Sprintf("COPY (SELECT g FROM generate_series(1, %d) g) TO STDOUT", n))
		return strings.Count(out.String(), "\n"), err
	}},
}

func countRows(mode pgx.QueryExecMode, format string) func(context.Context, *pgx.Conn, int) (int, error) {
	return func(ctx context.Context, conn *pgx.Conn, n int) (int, error) {
		if mode == pgx.QueryExecModeSimpleProtocol {
			results, err := conn.PgConn().Exec(ctx, fmt.Sprintf(format, n)).ReadAll()
			got := 0
			for _, r := range results {
				got += len(r.Rows)
			}
			return got, err
		}
		rows, err := conn.Query(ctx, fmt.Sprintf(format, n), mode)
		if err != nil {
			return 0, err
		}
		got := 0
		for rows.Next() {
			got++
		}
		return got, rows.Err()
	}
}

func TestRowLimit(t *testing.T) {
	d := shared.workspace(t, "limit_rows", "control")
	d.set(t, map[string]any{"max_rows_per_query": 100})
	l := d.login(t)
	l.psql(t, "CREATE TABLE returned (id int)")
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			conn := l.connect(t)
			if got, err := way.run(t.Context(), conn, 100); got != 100 || err != nil {
				t.Errorf("at the limit: got %d rows, %v", got, err)
			}
			for _, n := range []int{101, 50_000} {
				got, err := way.run(t.Context(), conn, n)
				told(t, wantCode(t, "beyond the limit", err, "54000"), "limit_rows", "100 rows", "max_rows_per_query")
				if got != 100 {
					t.Errorf("%d rows came before the error to a statement with %d, want 100", got, n)
				}
				if conn.PgConn().TxStatus() != 'I' {
					if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
						t.Fatal(err)
					}
				}
				alive(t, conn)
			}
		})
	}
	t.Run("a statement that was stopped has done all or nothing", func(t *testing.T) {
		// The server may have committed before it was told to stop.
		for _, n := range []int{101, 50_000} {
			l.psql(t, "TRUNCATE returned")
			conn := l.connect(t)
			_, err := conn.PgConn().Exec(t.Context(), fmt.Sprintf("INSERT INTO returned SELECT generate_series(1, %d) RETURNING id", n)).ReadAll()
			contains(t, "hint", wantCode(t, "beyond the limit", err, "54000").Hint, "may have made its changes")
			if got := l.psql(t, "SELECT count(*) FROM returned"); got != "0" && got != fmt.Sprint(n) {
				t.Errorf("%s rows of %d are there", got, n)
			}
		}
	})
	t.Run("COPY IN is not counted", func(t *testing.T) {
		conn := l.connect(t)
		tag, err := conn.PgConn().CopyFrom(t.Context(), strings.NewReader(strings.Repeat("7\n", 1000)), "COPY returned FROM STDIN")
		if err != nil || tag.RowsAffected() != 1000 {
			t.Errorf("copied %v, %v", tag, err)
		}
	})
	t.Run("each statement of a message has its own count", func(t *testing.T) {
		conn := l.connect(t)
		text := strings.Repeat("SELECT g FROM generate_series(1, 90) g;", 5)
		if results, err := conn.PgConn().Exec(t.Context(), text).ReadAll(); err != nil || len(results) != 5 {
			t.Errorf("got %d results, %v", len(results), err)
		}
	})
	t.Run("through the API", func(t *testing.T) {
		d.installation.must(t, http.StatusOK, "POST", "/workspaces/limit_rows/queries", map[string]any{"query": "SELECT generate_series(1, 100)"})
		body := d.installation.must(t, http.StatusBadRequest, "POST", "/workspaces/limit_rows/queries", map[string]any{"query": "SELECT generate_series(1, 101)"})
		contains(t, "error", fmt.Sprint(body["error"]), "100", "max_rows_per_query")
		if body["sqlstate"] != "54000" {
			t.Errorf("got %v", body)
		}
	})
}

// TestRowLimitOfAPortal fetches one portal in pieces: its rows count together.
func TestRowLimitOfAPortal(t *testing.T) {
	d := shared.workspace(t, "limit_portal", "control")
	d.set(t, map[string]any{"max_rows_per_query": 100})
	w := d.login(t).wire(t)
	pieces := func(n int) (rows int, refused string) {
		for _, text := range extended(30)(w, []message{{text: fmt.Sprintf("SELECT generate_series(1, %d)", n)}}) {
			if strings.HasPrefix(text, "DataRow") {
				rows++
			}
			if strings.HasPrefix(text, "ErrorResponse") {
				refused = text
			}
		}
		return rows, refused
	}
	for range 2 {
		if rows, refused := pieces(100); rows != 100 || refused != "" {
			t.Errorf("at the limit: got %d rows, %s", rows, refused)
		}
		rows, refused := pieces(101)
		if rows != 100 {
			t.Errorf("beyond the limit: got %d rows, want 100", rows)
		}
		contains(t, "beyond the limit", refused, "Code:54000", `workspace "limit_portal"`, "100 rows")
	}
	t.Run("pipelined after it", func(t *testing.T) {
		lines := strings.Join(pipelined(w, []message{
			{text: "SELECT generate_series(1, 5000)"}, {text: "SELECT 'next'"}, {text: "SELECT generate_series(1, 5000)"}, {text: "SELECT 'last'"},
		}), "\n")
		contains(t, "pipeline", lines, "Code:54000", `DataRow "next"`, `DataRow "last"`)
		if n := strings.Count(lines, "ErrorResponse"); n != 2 {
			t.Errorf("%d errors, want 2", n)
		}
	})
}
