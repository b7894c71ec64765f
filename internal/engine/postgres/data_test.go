package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// overTCP is how a source is reached: the shared server by a port.
func overTCP(t *testing.T, user, password, database string) workspace.SourceLogin {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("unix", server.Socket())
			if err != nil {
				_ = near.Close()
				continue
			}
			all.Go(func() { _, _ = io.Copy(far, near); _ = far.Close() })
			all.Go(func() { _, _ = io.Copy(near, far); _ = near.Close() })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); all.Wait() })
	at := listener.Addr().(*net.TCPAddr)
	l := workspace.SourceLogin{Type: "postgresql", Host: "127.0.0.1", Port: int64(at.Port), Database: database, User: user, Password: password, TLS: "off"}
	return l.ForRows()
}

// only is the one value of a query as the target's role.
func only(t *testing.T, e *Engine, target workspace.Target, sql string) any {
	t.Helper()
	r, err := e.Query(t.Context(), target, sql, workspace.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return r.Rows[0][0]
}

// dataTarget is a database of ours with these tables.
func dataTarget(t *testing.T, e *Engine, sql string) workspace.Target {
	t.Helper()
	target := newWorkspace(t, e)
	asRole(t, target, sql)
	return target
}

func openData(t *testing.T, e *Engine, l workspace.SourceLogin) workspace.DataSource {
	t.Helper()
	source, err := e.OpenData(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close(context.WithoutCancel(t.Context())) })
	if _, err := source.Tables(t.Context()); err != nil {
		t.Fatal(err)
	}
	return source
}

// watch is a copy that nobody follows; it keeps the mark.
func watch(mark *string) workspace.DataWatch {
	return workspace.DataWatch{Table: func(int) {}, Rows: func(int64) {}, Committing: func(m string) error { *mark = m; return nil }}
}

func copyOf(table string, columns ...string) workspace.DataCopy {
	return workspace.DataCopy{Tables: []workspace.TableCopy{{Table: table, Columns: columns}}}
}

func TestRowsOfASourceInAnotherEncodingArriveAsTheyRead(t *testing.T) {
	e := newEngine(t)
	admin, release, err := e.admin(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	name := newTarget().Database
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+quote(name)+" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer release()
		if _, err := admin.Exec(context.Background(), "DROP DATABASE "+quote(name)+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	inside, done, err := e.admin(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inside.Exec(t.Context(), `CREATE TABLE public.words (w text); INSERT INTO public.words VALUES ('Größe é ÿ \xe9')`); err != nil {
		t.Fatal(err)
	}
	done()
	target := dataTarget(t, e, "CREATE TABLE words (w text)")
	source := openData(t, e, overTCP(t, server.User(), server.Password(), name))
	var mark string
	if err := e.CopyData(t.Context(), target, source, copyOf(`"public"."words"`, "w"), watch(&mark)); err != nil {
		t.Fatal(err)
	}
	if got := only(t, e, target, "SELECT w FROM words"); got != `Größe é ÿ \xe9` {
		t.Errorf("got %q", got)
	}
}

func TestRowsThatAPolicyHidesAreAnErrorAndNotLeftOut(t *testing.T) {
	e := newEngine(t)
	from := dataTarget(t, e, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (1), (2); ALTER TABLE kept ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY one ON kept USING (id = 1)")
	source, err := e.OpenData(t.Context(), overTCP(t, from.Role, from.Password, from.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close(t.Context())
	if _, err := source.Tables(t.Context()); err == nil || !strings.Contains(err.Error(), "row-level security") {
		t.Errorf("got %v", err)
	}
}

// A target that takes no more does not cost the next one the source's moment.
func TestSourceOutlivesATargetThatRefusesItsRows(t *testing.T) {
	e := newEngine(t)
	from := dataTarget(t, e, "CREATE TABLE many (id int, t text); INSERT INTO many SELECT n, repeat('x', 1000) FROM generate_series(1, 30000) n")
	refuses := dataTarget(t, e, "CREATE TABLE many (id int CHECK (id <> 10), t text)")
	takes := dataTarget(t, e, "CREATE TABLE many (id int, t text)")
	source := openData(t, e, overTCP(t, from.Role, from.Password, from.Database))
	asRole(t, from, "DELETE FROM many")
	for range 3 {
		var mark string
		err := e.CopyData(t.Context(), refuses, source, copyOf(`"public"."many"`, "id", "t"), watch(&mark))
		if err == nil || !strings.Contains(err.Error(), `violates check constraint "many_id_check"`) || mark != "" {
			t.Fatalf("got %v and the mark %q", err, mark)
		}
	}
	var mark string
	if err := e.CopyData(t.Context(), takes, source, copyOf(`"public"."many"`, "id", "t"), watch(&mark)); err != nil {
		t.Fatal(err)
	}
	if got := only(t, e, takes, "SELECT count(*) FROM many"); got != int64(30000) {
		t.Errorf("got %v rows, want those of the moment when the source was opened", got)
	}
}

func TestServerSaysWhatBecameOfATransaction(t *testing.T) {
	e := newEngine(t)
	from := dataTarget(t, e, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)")
	target := dataTarget(t, e, "CREATE TABLE a (id int PRIMARY KEY)")
	source := openData(t, e, overTCP(t, from.Role, from.Password, from.Database))
	var mark string
	refused := errors.New("not noted")
	w := watch(&mark)
	w.Committing = func(m string) error {
		mark = m
		if _, err := e.DataLanded(t.Context(), target, m); workspace.ErrorCode(err) != workspace.Unavailable {
			t.Errorf("before the commit: got %v", err)
		}
		return refused
	}
	if err := e.CopyData(t.Context(), target, source, copyOf(`"public"."a"`, "id"), w); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	landed, err := e.DataLanded(t.Context(), target, mark)
	for workspace.ErrorCode(err) == workspace.Unavailable { // until the server has seen the end of the session
		landed, err = e.DataLanded(t.Context(), target, mark)
	}
	if landed || err != nil {
		t.Errorf("undone: got %v and %v", landed, err)
	}
	if err := e.CopyData(t.Context(), target, source, copyOf(`"public"."a"`, "id"), watch(&mark)); err != nil {
		t.Fatal(err)
	}
	if landed, err := e.DataLanded(t.Context(), target, mark); !landed || err != nil {
		t.Errorf("committed: got %v and %v", landed, err)
	}
	if err := e.CopyData(t.Context(), target, source, copyOf(`"public"."a"`, "id"), watch(&mark)); err == nil || !strings.Contains(err.Error(), "Key (id)=(1) already exists.") {
		t.Errorf("again: got %v", err)
	}
}
