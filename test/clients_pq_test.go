package test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lib/pq"
)

// TestPq uses the other Go driver, through database/sql.
func TestPq(t *testing.T) {
	l := shared.workspace(t, "pq", "tenant").login(t)
	db, err := sql.Open("postgres", l.dsn())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(8)
	ctx := t.Context()
	if _, err := db.ExecContext(ctx, "CREATE TABLE t (id int PRIMARY KEY, tags text[]); CREATE INDEX ON t USING gin (tags)"); err != nil {
		t.Fatal(err)
	}

	t.Run("copy in a transaction", func(t *testing.T) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		stmt, err := tx.Prepare("COPY t (id, tags) FROM STDIN")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			if _, err := stmt.Exec(i, pq.Array([]string{fmt.Sprint(i), "a,b"})); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := stmt.Exec(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(stmt.Close(), tx.Commit()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("prepared and by many", func(t *testing.T) {
		stmt, err := db.PrepareContext(ctx, "SELECT tags FROM t WHERE id = $1")
		if err != nil {
			t.Fatal(err)
		}
		defer stmt.Close()
		failed := make(chan error, 16)
		for worker := range cap(failed) {
			go func() {
				var tags []string
				err := stmt.QueryRowContext(ctx, worker).Scan(pq.Array(&tags))
				if err == nil && fmt.Sprint(tags) != fmt.Sprintf("[%d a,b]", worker) {
					err = fmt.Errorf("row %d came as %v", worker, tags)
				}
				failed <- err
			}()
		}
		for range cap(failed) {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("errors", func(t *testing.T) {
		_, err := db.ExecContext(ctx, "INSERT INTO t (id) VALUES ($1)", 1)
		e, ok := errors.AsType[*pq.Error](err)
		if !ok || e.Code != "23505" || e.Constraint != "t_pkey" || e.Table != "t" || e.Detail != "Key (id)=(1) already exists." {
			t.Errorf("got %#v", err)
		}
	})
	t.Run("cancelled by its context", func(t *testing.T) {
		ctx, done := context.WithTimeout(ctx, 200*time.Millisecond)
		defer done()
		began := time.Now()
		if _, err := db.ExecContext(ctx, "SELECT pg_sleep(64)"); err == nil {
			t.Error("the statement ended as if nothing had happened")
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("cancelling took %v", took)
		}
	})
	t.Run("listener", func(t *testing.T) {
		listener := pq.NewListener(l.dsn(), time.Second, time.Second, nil)
		defer listener.Close()
		if err := listener.Listen("news"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(ctx, "NOTIFY news, 'hello'"); err != nil {
			t.Fatal(err)
		}
		select {
		case n := <-listener.Notify:
			if n == nil || n.Extra != "hello" {
				t.Errorf("heard %+v", n)
			}
		case <-time.After(20 * time.Second):
			t.Error("heard nothing")
		}
	})
}
