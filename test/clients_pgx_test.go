package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestPgxPool lets many goroutines share the connections of a pool.
func TestPgxPool(t *testing.T) {
	l := shared.workspace(t, "pgx_pool", "tenant").login(t)
	pool := l.pool(t, 20)
	exec := func(sql string) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE counter (n bigint NOT NULL)")
	exec("INSERT INTO counter VALUES (0)")
	var workers sync.WaitGroup
	for worker := range 40 {
		workers.Go(func() {
			for i := range 25 {
				want := worker*1000 + i
				var got int
				err := pool.QueryRow(t.Context(), "SELECT $1::int FROM counter WHERE $2 = $2", want, fmt.Sprint(want)).Scan(&got)
				if err != nil || got != want {
					t.Errorf("got %d, %v, want %d", got, err, want)
					return
				}
				if _, err := pool.Exec(t.Context(), "UPDATE counter SET n = n + 1"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	var n int
	if err := pool.QueryRow(t.Context(), "SELECT n FROM counter").Scan(&n); err != nil || n != 1000 {
		t.Errorf("counted %d, %v, want 1000", n, err)
	}
	if open := pool.Stat().TotalConns(); open < 2 || open > 20 {
		t.Errorf("the pool has %d connections", open)
	}
}

func TestPgxBatchAndCopy(t *testing.T) {
	conn := shared.workspace(t, "pgx_batch", "tenant").login(t).connect(t)
	ctx := t.Context()
	if _, err := conn.Exec(ctx, "CREATE TABLE items (id int PRIMARY KEY, label text, at timestamptz, price numeric, raw bytea)"); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
	n, err := conn.CopyFrom(ctx, pgx.Identifier{"items"}, []string{"id", "label", "at", "raw"},
		pgx.CopyFromSlice(20_000, func(i int) ([]any, error) {
			return []any{i, fmt.Sprint("item ", i), at, []byte{byte(i), 0, 0xff}}, nil
		}))
	if err != nil || n != 20_000 {
		t.Fatalf("copied %d, %v", n, err)
	}
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"items"}, []string{"id"}, pgx.CopyFromRows([][]any{{100_000}, {1}}))
	wantCode(t, "copy of a duplicate", err, "23505")

	batch := &pgx.Batch{}
	for i := range 300 {
		batch.Queue("SELECT label, at, raw FROM items WHERE id = $1", i).QueryRow(func(row pgx.Row) error {
			var label string
			var got time.Time
			var raw []byte
			if err := row.Scan(&label, &got, &raw); err != nil {
				return err
			}
			if label != fmt.Sprint("item ", i) || !got.Equal(at) || !bytes.Equal(raw, []byte{byte(i), 0, 0xff}) {
				return fmt.Errorf("item %d came as %q, %v, %x", i, label, got, raw)
			}
			return nil
		})
	}
	batch.Queue("CREATE TABLE made_in_batch (id int)")
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "INSERT INTO made_in_batch VALUES (1)"); err != nil {
		t.Fatal(err)
	}

	failing := &pgx.Batch{}
	failing.Queue("INSERT INTO made_in_batch VALUES (2)")
	failing.Queue("INSERT INTO items (id) VALUES (1)")
	failing.Queue("INSERT INTO made_in_batch VALUES (3)")
	wantCode(t, "batch with a duplicate", conn.SendBatch(ctx, failing).Close(), "23505")
	var left int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM made_in_batch").Scan(&left); err != nil || left != 1 {
		t.Errorf("%d rows after the failed batch, %v, want 1", left, err)
	}

	var out bytes.Buffer
	tag, err := conn.PgConn().CopyTo(ctx, &out, "COPY (SELECT id, label FROM items ORDER BY id LIMIT 3) TO STDOUT")
	if err != nil || tag.RowsAffected() != 3 || out.String() != "0\titem 0\n1\titem 1\n2\titem 2\n" {
		t.Errorf("copied out %q, %v, %v", out.String(), tag, err)
	}
}

func TestPgxTransactions(t *testing.T) {
	d := shared.workspace(t, "pgx_transactions", "tenant")
	conn := d.login(t).connect(t)
	ctx := t.Context()
	undo := errors.New("undo")
	err := pgx.BeginFunc(ctx, conn, func(outer pgx.Tx) error {
		if _, err := outer.Exec(ctx, "CREATE TABLE kept (id int)"); err != nil {
			return err
		}
		err := pgx.BeginFunc(ctx, outer, func(inner pgx.Tx) error { // a savepoint
			if _, err := inner.Exec(ctx, "CREATE TABLE undone (id int)"); err != nil {
				return err
			}
			return undo
		})
		if !errors.Is(err, undo) {
			return err
		}
		return pgx.BeginFunc(ctx, outer, func(inner pgx.Tx) error {
			_, err := inner.Exec(ctx, "ALTER TABLE kept ADD v text")
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	var queued []string
	for _, e := range d.queue(t) {
		queued = append(queued, e.DDL)
	}
	if got, want := fmt.Sprintf("%q", queued), `["CREATE TABLE kept (id int)" "ALTER TABLE kept ADD v text"]`; got != want {
		t.Errorf("queued %s, want %s", got, want)
	}

	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable, AccessMode: pgx.ReadOnly, DeferrableMode: pgx.Deferrable})
	if err != nil {
		t.Fatal(err)
	}
	_, err = tx.Exec(ctx, "INSERT INTO kept VALUES (1)")
	wantCode(t, "write in a read-only transaction", err, "25006")
	if err := tx.Rollback(ctx); err != nil {
		t.Error(err)
	}
}

// TestPgxListens waits for what another session tells, before and after it
// was idle.
func TestPgxListens(t *testing.T) {
	l := shared.workspace(t, "pgx_listen", "control").login(t)
	listener, notifier := l.connect(t), l.connect(t)
	if _, err := listener.Exec(t.Context(), "LISTEN news"); err != nil {
		t.Fatal(err)
	}
	var pid uint32
	if err := notifier.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		got := make(chan *pgconn.Notification, 1)
		go func() {
			ctx, done := context.WithTimeout(context.Background(), 20*time.Second)
			defer done()
			n, err := listener.WaitForNotification(ctx)
			if err != nil {
				t.Errorf("wait for notification: %v", err)
			}
			got <- n
		}()
		payload := fmt.Sprintf("number %d, grüße", i)
		if _, err := notifier.Exec(t.Context(), "SELECT pg_notify('news', $1)", payload); err != nil {
			t.Fatal(err)
		}
		if n := <-got; n == nil || n.Channel != "news" || n.Payload != payload || n.PID != pid {
			t.Errorf("heard %+v, want %q from %d", n, payload, pid)
		}
	}
}

// TestPgxCancelsByContext ends a statement, and only that, when its context
// does.
func TestPgxCancelsByContext(t *testing.T) {
	l := shared.workspace(t, "pgx_cancel", "control").login(t)
	pool := l.pool(t, 2)
	other, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	undisturbed := make(chan error, 1)
	go func() {
		defer other.Release()
		_, err := other.Exec(context.Background(), "SELECT pg_sleep(1.5)")
		undisturbed <- err
	}()
	conn := l.connect(t)
	ctx, done := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer done()
	began := time.Now()
	if _, err := conn.Exec(ctx, "SELECT pg_sleep(62)"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's deadline", err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("cancelling took %v", took)
	}
	eventually(t, "the statement ended on the server", func() bool {
		return l.psql(t, "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(62)' AND state = 'active'") == "0"
	})
	if err := <-undisturbed; err != nil {
		t.Errorf("another session's statement: %v", err)
	}

	t.Run("by a cancel request", func(t *testing.T) {
		conn := l.connect(t)
		for i := range 3 {
			failed := make(chan error, 1)
			go func() {
				_, err := conn.Exec(context.Background(), "SELECT pg_sleep(63)")
				failed <- err
			}()
			l.awaitRunning(t, "SELECT pg_sleep(63)")
			if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantCode(t, "cancelled statement", <-failed, "57014")
			var n int
			if err := conn.QueryRow(t.Context(), "SELECT $1::int", i).Scan(&n); err != nil || n != i {
				t.Errorf("after the cancel: got %d, %v", n, err)
			}
		}
	})
}

func TestPgxLargeObjects(t *testing.T) {
	conn := shared.workspace(t, "pgx_objects", "tenant").login(t).connect(t)
	ctx := t.Context()
	content := bytes.Repeat([]byte("0123456789\x00\xff"), 100_000)
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		objects := tx.LargeObjects()
		oid, err := objects.Create(ctx, 0)
		if err != nil {
			return err
		}
		object, err := objects.Open(ctx, oid, pgx.LargeObjectModeRead|pgx.LargeObjectModeWrite)
		if err != nil {
			return err
		}
		if _, err := object.Write(content); err != nil {
			return err
		}
		if _, err := object.Seek(0, io.SeekStart); err != nil {
			return err
		}
		got, err := io.ReadAll(object)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, content) {
			t.Errorf("%d bytes came back of %d", len(got), len(content))
		}
		return objects.Unlink(ctx, oid)
	})
	if err != nil {
		t.Error(err)
	}
}

// TestPgxQueryModes sends one query in each of the driver's ways.
func TestPgxQueryModes(t *testing.T) {
	conn := shared.workspace(t, "pgx_modes", "control").login(t).connect(t)
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		for range 3 {
			var n int64
			var text string
			var list []int32
			err := conn.QueryRow(t.Context(), "SELECT $1::int8, $2::text, ARRAY[$3::int4, NULL, 3]::int4[] - NULL", mode, int64(1)<<40, "it's \\ ünï", int32(2)).Scan(&n, &text, &list)
			wantCode(t, "an operator that is not there, "+mode.String(), err, "42883")
			err = conn.QueryRow(t.Context(), "SELECT $1::int8, $2::text, ARRAY[$3::int4, 3]", mode, int64(1)<<40, "it's \\ ünï", int32(2)).Scan(&n, &text, &list)
			if err != nil || n != 1<<40 || text != "it's \\ ünï" || fmt.Sprint(list) != "[2 3]" {
				t.Errorf("%v: got %d, %q, %v, %v", mode, n, text, list, err)
			}
		}
	}
}

// wantCode wants an error of the server, or of the proxy in its words, with
// that SQLSTATE.
func wantCode(t testing.TB, what string, err error, code string) *pgconn.PgError {
	t.Helper()
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		t.Errorf("%s: got %v, want an error with SQLSTATE %s", what, err, code)
		return &pgconn.PgError{}
	}
	if pgErr.Code != code {
		t.Errorf("%s: got %v, want SQLSTATE %s", what, pgErr, code)
	}
	return pgErr
}
