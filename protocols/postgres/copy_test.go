package postgres

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func TestCopyInAndOut(t *testing.T) {
	w := newWorld(t)
	c := w.connect(t)
	mustExec(t, c, "create table goods(id int primary key, name text)")
	var rows strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&rows, "%d\tgood %d\n", i, i)
	}
	for _, format := range []string{"text", "binary"} {
		ctx, done := context.WithTimeout(context.Background(), patience)
		in := io.Reader(strings.NewReader(rows.String()))
		if format == "text" {
			if tag, err := c.CopyFrom(ctx, in, "copy goods from stdin"); err != nil || tag.RowsAffected() != 20000 {
				t.Fatalf("copy in: %v, %v", tag, err)
			}
		}
		var out bytes.Buffer
		tag, err := c.CopyTo(ctx, &out, "copy (select * from goods order by id) to stdout (format "+format+")")
		if err != nil || tag.RowsAffected() != 20000 {
			t.Fatalf("copy out %s: %v, %v", format, tag, err)
		}
		if format == "text" && out.String() != rows.String() {
			t.Error("copy out differs from copy in")
		}
		if format == "binary" {
			mustExec(t, c, "truncate goods")
			if tag, err := c.CopyFrom(ctx, &out, "copy goods from stdin (format binary)"); err != nil || tag.RowsAffected() != 20000 {
				t.Fatalf("binary copy in: %v, %v", tag, err)
			}
		}
		done()
	}
	if r := w.last(); r.replies() != 0 {
		t.Errorf("owed: got %d, want 0", r.replies())
	}
}

func TestPsqlCopies(t *testing.T) {
	w := newWorld(t)
	out, err := w.psql(t, "", "create table goods(id int, name text);\n\\copy goods from stdin\n1\ta\n2\tb\n\\.\n\\copy goods to stdout\nselect count(*) from goods;\n", "-q")
	if err != nil || out != "1\ta\n2\tb\n2" {
		t.Errorf("got %q, %v", out, err)
	}
}

// exact asserts that the relay knows that nothing is owed, and no less.
func exact(t *testing.T, w *world) {
	t.Helper()
	r := w.last()
	wiretest.Await(t, "nothing is owed", func() bool { return r.replies() == 0 })
	if r.isLost() {
		t.Error("the relay lost count of what is owed")
	}
}

// The server ignores Syncs that it reads within a COPY, so that they must not
// be waited for.
func TestSyncsWithinACopyAreNotOwed(t *testing.T) {
	begin := join(extended("copy t from stdin", 0), syncFrame())
	for name, c := range map[string]struct {
		before, after []byte // the copy's start was answered between them
		want          string
		guess         bool // what is owed after a failure may be a guess
	}{
		"done":           {begin, join(copyData("1\ta\n"), copyDone(), syncFrame()), "CZ", false},
		"many syncs":     {join(begin, syncFrame(), syncFrame()), join(copyData("1\ta\n"), syncFrame(), copyDone(), syncFrame()), "CZ", false},
		"no sync before": {extended("copy t from stdin", 0), join(copyData("1\ta\n"), copyDone(), syncFrame()), "CZ", false},
		"failed":         {begin, join(copyFail("no"), syncFrame()), "EZ", true},
		"bad data":       {begin, join(copyData("x\n"), copyDone(), syncFrame()), "EZ", true},
		"bad, no sync":   {extended("copy t from stdin", 0), join(copyData("x\n"), copyDone(), syncFrame()), "EZ", false},
		"simple":         {query("copy t from stdin"), join(syncFrame(), copyData("1\ta\n"), copyDone()), "CZ", false},
		"simple failed":  {query("copy t from stdin"), copyFail("no"), "EZ", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			conn := w.connect(t)
			mustExec(t, conn, "create temp table t(id int, v text)")
			wire := rawWire(t, conn)
			wire.send(c.before, flushFrame())
			wire.untilType('G', 1)
			wire.send(c.after)
			if got := types(wire.until(1)); got != c.want {
				t.Fatalf("got %s, want %s", got, c.want)
			}
			wire.send(query("select 1"))
			if got := types(wire.until(1)); got != "TDCZ" {
				t.Fatalf("the next statement: got %s, want TDCZ", got)
			}
			if c.guess {
				r := w.last()
				wiretest.Await(t, "nothing is owed", func() bool { return r.replies() == 0 })
				return
			}
			exact(t, w)
		})
	}
}

// A client that goes away within a copy must not hold its slot, its locks and
// its backend for ever.
func TestAClientThatLeavesWithinACopyIsGone(t *testing.T) {
	w := newWorld(t)
	for name, leave := range map[string][]byte{"waiting": nil, "within a frame": header('d', 1000), "saying goodbye": terminateFrame()} {
		t.Run(name, func(t *testing.T) {
			c := w.connect(t)
			mustExec(t, c, "create temp table t(id int)")
			wire := rawWire(t, c)
			wire.send(query("copy t from stdin"))
			wire.untilType('G', 1)
			wire.send(leave)
			wire.conn.Close()
			admin := adminConn(t, "postgres")
			wiretest.Await(t, "the server process is gone", func() bool {
				return one(t, admin, "select count(*) from pg_stat_activity where datname = '"+w.route.Database+"'") == "0"
			})
		})
	}
}
