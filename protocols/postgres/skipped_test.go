package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// delivery is how a client sends a statement that a limit ends, and behind it
// one that must then be skipped.
type delivery struct {
	name     string
	split    bool // the second is sent when the error of the first was read
	flush    bool // a Flush stands between the two
	explicit bool // both are in a transaction block
}

func deliveries() (all []delivery) {
	for _, explicit := range []bool{false, true} {
		for _, d := range []delivery{
			{name: "in one batch"},
			{name: "with a Flush between", flush: true},
			{name: "behind the error", flush: true, split: true},
		} {
			d.explicit = explicit
			if explicit {
				d.name += ", in a transaction"
			}
			all = append(all, d)
		}
	}
	return all
}

// play sends ended and then insert up to the Sync, and gives what came.
func (d delivery) play(wire *wire, ended, insert []byte) []message {
	var all []message
	if d.explicit {
		wire.send(query("begin"))
		wire.until(1)
	}
	if d.flush {
		ended = join(ended, flushFrame())
	}
	if !d.split {
		wire.send(ended, insert, syncFrame())
		return wire.until(1)
	}
	wire.send(ended)
	all = wire.untilType('E', 1)
	wire.send(insert, syncFrame())
	return append(all, wire.until(1)...)
}

// What stands behind an error, up to the Sync, is skipped by a server. So it is
// when the error is the proxy's, of a statement that may have ended by itself.
func TestWhatStandsBehindALimitsErrorIsSkipped(t *testing.T) {
	for name, limit := range map[string]struct {
		settings     workspace.Settings
		statement    string
		code, before string
	}{
		"rows":        {workspace.Settings{MaxRowsPerQuery: 2}, "select generate_series(1, 3)", codeProgramLimit, "12DD"},
		"many rows":   {workspace.Settings{MaxRowsPerQuery: 2}, "select generate_series(1, 2000000000)", codeProgramLimit, "12DD"},
		"copied rows": {workspace.Settings{MaxRowsPerQuery: 2}, "copy (select generate_series(1, 3)) to stdout", codeProgramLimit, "12Hdd"},
		"time":        {workspace.Settings{QueryTimeoutMS: 1000}, "select pg_sleep(60)", codeQueryCanceled, "12"},
	} {
		w := newWorld(t, withSettings(limit.settings))
		mustExec(t, w.connect(t), "create table t(id int)")
		for _, d := range deliveries() {
			t.Run(name+" "+d.name, func(t *testing.T) {
				wire := rawWire(t, w.connect(t))
				all := d.play(wire, extended(limit.statement, 0), extended("insert into t values (1)", 0))
				if got := types(all); got != limit.before+"EZ" || firstError(all).field('C') != limit.code {
					t.Fatalf("got %s %v, want %sEZ", got, firstError(all), limit.before)
				}
				wantStatus := byte('I')
				if d.explicit {
					wantStatus = 'E'
				}
				if got := all[len(all)-1].body[0]; got != wantStatus {
					t.Errorf("status: got %c, want %c", got, wantStatus)
				}
				if d.explicit {
					wire.send(query("commit"))
					if all := wire.until(1); all[0].String() != `C "ROLLBACK\x00"` {
						t.Errorf("commit: got %v", all)
					}
				}
				if got := one(t, w.direct(t), "select count(*) from t"); got != "0" {
					t.Errorf("the statement behind has run: %s rows", got)
				}
				wire.usable()
				exact(t, w)
				mustExec(t, w.direct(t), "truncate t")
			})
		}
	}
}

// What stood before the statement in its batch goes with it, and what is behind
// the Sync runs.
func TestALimitsErrorEndsItsBatchOnly(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{MaxRowsPerQuery: 2}))
	wire := rawWire(t, w.connect(t))
	wire.send(query("create table t(id int)"))
	wire.until(1)
	insert := func(id int) []byte { return extended(fmt.Sprintf("insert into t values (%d)", id), 0) }
	over := extended("select generate_series(1, 3)", 0)
	wire.send(
		insert(1), insert(2), syncFrame(),
		insert(3), over, insert(4), syncFrame(),
		insert(5), insert(6), syncFrame(),
		query("insert into t values (7)"),
		over, insert(8), syncFrame(),
		insert(9), syncFrame())
	const batch = "12C12CZ"
	want := batch + "12C12DDEZ" + batch + "CZ" + "12DDEZ" + "12CZ"
	if got := types(wire.until(6)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := one(t, w.direct(t), "select string_agg(id::text, ' ' order by id) from t"); got != "1 2 5 6 7 9" {
		t.Errorf("got %s", got)
	}
	exact(t, w)
}

// What ends the transaction within the batch is skipped as well.
func TestACommitBehindALimitsErrorIsSkipped(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{MaxRowsPerQuery: 2}))
	wire := rawWire(t, w.connect(t))
	wire.send(query("create table t(id int)"), parse("commits", " Commit work"), parse("other", "select 1"), syncFrame())
	wire.until(2)
	begin, insert := extended("begin", 0), extended("insert into t values (1)", 0)
	over := extended("select generate_series(1, 3)", 0)
	for name, end := range map[string][]byte{
		"prepared in the batch":  extended("commit", 0),
		"prepared before":        join(bind("p", "commits"), execute("p", 0)),
		"of a part":              join(extended("savepoint s", 0), extended("insert into t values (2)", 0), extended("rollback to s", 0), extended("END", 0)),
		"by a Query":             query("commit"),
		"by a FunctionCall":      frame('F', word(1397), half(1), half(1), half(1), word(4), word(-3), half(1)),
		"before something else":  join(extended("\n\tcommit", 0), bind("", "other"), execute("", 0)),
		"without an end of it":   join(bind("", "other"), execute("", 0)),
		"in words that are none": join(parse("x", "rollbacks"), bind("", "x"), execute("", 0)),
	} {
		t.Run(name, func(t *testing.T) {
			wire.send(begin, insert, over, end, syncFrame())
			all := wire.until(1)
			if got := types(all); got != "12C12C12DDEZ" || all[len(all)-1].body[0] != 'E' {
				t.Errorf("got %s, want 12C12C12DDEZ of a failed transaction", got)
			}
			wire.send(query("rollback"))
			wire.until(1)
			if got := one(t, w.direct(t), "select count(*) from t"); got != "0" {
				t.Errorf("%s rows were committed", got)
			}
			wire.usable()
		})
	}
}

// A client that has not heard of it sends nothing for a COPY behind the error,
// which must not wait for it.
func TestACopyBehindALimitsErrorIsSkipped(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{MaxRowsPerQuery: 2}))
	mustExec(t, w.connect(t), "create table t(id int)")
	for _, d := range deliveries() {
		t.Run(d.name, func(t *testing.T) {
			wire := rawWire(t, w.connect(t))
			all := d.play(wire, extended("select generate_series(1, 3)", 0), extended("copy t from stdin", 0))
			if got := types(all); got != "12DDEZ" {
				t.Fatalf("got %s, want 12DDEZ", got)
			}
			if d.explicit {
				wire.send(query("rollback"))
				wire.until(1)
			}
			wire.usable()
		})
	}
}

// A batch whose rows are limited waits for its results before its Sync; nothing
// else of it changes.
func TestBatchesUnderARowLimit(t *testing.T) {
	w := newWorld(t, withSettings(workspace.Settings{MaxRowsPerQuery: 2}))
	wire := rawWire(t, w.connect(t))
	wire.send(query("create table t(id int)"))
	wire.until(1)
	one, bad := extended("select 1", 0), extended("select 1/0", 0)
	two := join(one, one, syncFrame())
	into := extended("copy t from stdin", 0)
	for name, test := range map[string]struct {
		send []byte
		want string
	}{
		"results":             {join(one, one, one, syncFrame()), "12DC12DC12DCZ"},
		"batches":             {join(two, two, two), strings.Repeat("12DC12DCZ", 3)},
		"an error":            {join(one, bad, one, syncFrame(), one, one, syncFrame()), "12DC1EZ12DC12DCZ"},
		"an error at its end": {join(one, one, bad, syncFrame()), "12DC12DC1EZ"},
		"a copy":              {join(one, into, copyData("1\n"), copyDone(), one, syncFrame()), "12DC12GC12DCZ"},
		"a copy as libpq's":   {join(one, into, syncFrame(), copyData("1\n"), copyDone(), syncFrame()), "12DC12GCZ"},
		"a failed copy":       {join(one, into, copyData("x\n"), copyDone(), one, syncFrame()), "12DC12GEZ"},
		"a query unsynced":    {join(one, one, query("select 1")), "12DC12DCTDCZ"},
	} {
		t.Run(name, func(t *testing.T) {
			wire.send(test.send)
			if got := types(wire.until(strings.Count(test.want, "Z"))); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	wire.usable()
}
