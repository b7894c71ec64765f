package admin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestQueryGivesRows(t *testing.T) {
	for _, path := range []string{"/workspaces/main/queries", "/workspaces/main/query"} {
		f := newFixture(t)
		f.service.query = func(_ context.Context, id, text string) (workspace.Result, error) {
			if id != "main" || text != "SELECT * FROM users" {
				t.Errorf("got %q %q", id, text)
			}
			return workspace.Result{
				Columns:  []string{"id", "name", "email"},
				Rows:     [][]any{{1, "Alice <a&b>", "alice@example.com"}, {2, nil, "9007199254740993"}},
				RowCount: 2,
				Elapsed:  8*time.Millisecond + 900*time.Microsecond,
			}, nil
		}
		f.call(t, "POST", path, `{"query": "SELECT * FROM users"}`).is(`{
			"success": true, "http_status": 200, "code": "ok",
			"columns": ["id", "name", "email"],
			"rows": [[1, "Alice <a&b>", "alice@example.com"], [2, null, "9007199254740993"]],
			"row_count": 2, "execution_time": "8ms"}`)
	}
}

func TestQueryWithoutRowsGivesRowsAffected(t *testing.T) {
	f := newFixture(t)
	none := int64(0)
	f.service.query = func(context.Context, string, string) (workspace.Result, error) {
		return workspace.Result{RowsAffected: &none}, nil
	}
	f.call(t, "POST", "/workspaces/main/queries", `{"query": "CREATE TABLE t (i int)"}`).is(`{
		"success": true, "http_status": 200, "code": "ok", "columns": [], "rows": [], "row_count": 0,
		"rows_affected": 0, "execution_time": "0ms"}`)
}

func TestQueryTextIsRefusedWhereItCanNotRun(t *testing.T) {
	for body, want := range map[string]string{
		`{"query": ""}`:                      `field "query" is empty`,
		`{"query": " \n"}`:                   `field "query" is empty`,
		`{"query": "SELECT 1\u0000; DROP"}`:  `NUL`,
		`{"query": 5}`:                       `field "query" must be a string, got a number`,
		`{}`:                                 `missing field "query"`,
		`{"sql": "SELECT 1"}`:                `unknown field "sql"; the fields are query`,
		`{"query": "a", "query": "DROP me"}`: `duplicate field "query"`,
	} {
		f := newFixture(t)
		f.call(t, "POST", "/workspaces/main/queries", body).want(http.StatusBadRequest, "bad_request").says(want)
	}
}

func TestQueryErrorOfTheDatabaseIsTold(t *testing.T) {
	f := newFixture(t)
	f.service.query = func(context.Context, string, string) (workspace.Result, error) {
		err := workspace.Errorf(workspace.BadRequest, `relation "nope" does not exist`)
		err.Details = map[string]any{"sqlstate": "42P01", "position": 15, "code": "can't replace the envelope's"}
		return workspace.Result{}, err
	}
	f.call(t, "POST", "/workspaces/main/queries", `{"query": "SELECT * FROM nope"}`).is(`{
		"success": false, "http_status": 400, "code": "bad_request",
		"error": "relation \"nope\" does not exist", "sqlstate": "42P01", "position": 15}`)
}

func TestQueryOfManyRowsIsSentInPieces(t *testing.T) {
	f := newFixture(t)
	rows := make([][]any, 50_000)
	for i := range rows {
		rows[i] = []any{i, "some text that makes the row longer"}
	}
	f.service.query = func(context.Context, string, string) (workspace.Result, error) {
		return workspace.Result{Columns: []string{"n", "t"}, Rows: rows, RowCount: int64(len(rows))}, nil
	}
	w := &chunks{ResponseRecorder: httptest.NewRecorder()}
	f.api.ServeHTTP(w, request("POST", "/workspaces/main/queries", `{"query": "SELECT"}`))
	if w.largest > 64<<10 || w.Body.Len() < 2<<20 {
		t.Errorf("got chunks of up to %d bytes of %d, want at most 65536", w.largest, w.Body.Len())
	}
	canonical(t, w.Body.String())
}

// chunks notes the largest piece that was written at once.
type chunks struct {
	*httptest.ResponseRecorder
	largest int
}

func (c *chunks) Write(p []byte) (int, error) {
	c.largest = max(c.largest, len(p))
	return c.ResponseRecorder.Write(p)
}

func TestUnencodableRowIsNotAnsweredAsSuccess(t *testing.T) {
	f := newFixture(t)
	f.service.query = func(context.Context, string, string) (workspace.Result, error) {
		return workspace.Result{Columns: []string{"x"}, Rows: [][]any{{math.NaN()}}, RowCount: 1}, nil
	}
	f.call(t, "POST", "/workspaces/main/queries", `{"query": "SELECT"}`).want(http.StatusInternalServerError, "internal_error")
}

func TestBrokenOffAnswerCutsTheConnection(t *testing.T) {
	f := newFixture(t)
	rows := make([][]any, 20_000)
	for i := range rows {
		rows[i] = []any{"some text that makes the row longer"}
	}
	rows[len(rows)-1] = []any{math.NaN()}
	f.service.query = func(context.Context, string, string) (workspace.Result, error) {
		return workspace.Result{Columns: []string{"x"}, Rows: rows, RowCount: int64(len(rows))}, nil
	}
	server := httptest.NewServer(f.api)
	defer server.Close()
	r, err := http.NewRequest("POST", server.URL+"/workspaces/main/queries", bytes.NewBufferString(`{"query": "SELECT"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+rightKey)
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := bufio.NewReader(answer.Body).WriteTo(&bytes.Buffer{}); err == nil {
		t.Error("half an answer was delivered as a whole one")
	}
}

func TestClientThatLeavesCancelsItsQuery(t *testing.T) {
	f := newFixture(t)
	started, ended := make(chan struct{}), make(chan error, 1)
	f.service.query = func(ctx context.Context, _, _ string) (workspace.Result, error) {
		close(started)
		<-ctx.Done()
		ended <- ctx.Err()
		return workspace.Result{}, ctx.Err()
	}
	server := httptest.NewServer(f.api)
	defer server.Close()
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", server.URL+"/workspaces/main/queries", bytes.NewBufferString(`{"query": "SELECT"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+rightKey)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if answer, err := server.Client().Do(r); err == nil {
			_ = answer.Body.Close()
		}
	}()
	<-started
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the query cancelled", err)
	}
	<-done
}
