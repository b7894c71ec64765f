package postgres

import (
	"slices"
	"testing"

	"github.com/jackc/pgproto3/v2"
)

func TestEffectOfAStatement(t *testing.T) {
	for text, want := range map[string]effect{
		"SELECT 1":                 givesRows,
		" \n\tselect * from t":     givesRows,
		"SELECT a INTO b FROM t":   givesRows | changes,
		"select 'into'":            givesRows | changes,
		"VALUES (1)":               givesRows,
		"TABLE t":                  givesRows,
		"INSERT INTO t VALUES (1)": changes,
		"insert into t default values RETURNING a": givesRows | changes,
		"UPDATE t SET a = 1":                       changes,
		"DELETE FROM t RETURNING *":                givesRows | changes,
		"WITH x AS (DELETE FROM t) SELECT 1":       givesRows | changes,
		"BEGIN":                                    0,
		"COMMIT":                                   changes | ends,
		"Rollback to a":                            changes | ends,
		"RELEASE a":                                changes | ends,
		"CALL p()":                                 givesRows | changes | ends,
		"DO $$BEGIN END$$":                         changes | ends,
		"SAVEPOINT a":                              changes,
		"/* a comment */ COMMIT":                   givesRows | changes,
		"transactionally":                          givesRows | changes,
		"":                                         givesRows | changes,
	} {
		frame := encode(nil, &pgproto3.Parse{Name: "name", Query: text})
		if got := effectOf(frame); got != want {
			t.Errorf("%q: got %b, want %b", text, got, want)
		}
		for cut := headerLen; cut < headerLen+len("name")+1+len(text); cut++ {
			if got := effectOf(frame[:cut]); want&^ends&^got != 0 {
				t.Errorf("%q, of which %d bytes are read: got %b, want %b", text, cut, got, want)
			}
		}
	}
}

// Holding back a Sync costs a round trip to the server, which most pipelines
// need not pay.
func TestOnlyBatchesWithRowsAndChangesWaitForTheirResults(t *testing.T) {
	parse := func(name, text string) []byte { return encode(nil, &pgproto3.Parse{Name: name, Query: text}) }
	run := func(name string) []byte {
		return encode(encode(nil, &pgproto3.Bind{PreparedStatement: name}), &pgproto3.Execute{})
	}
	prepared := join(parse("r", "SELECT 1"), parse("w", "INSERT INTO t VALUES (1)"), parse("wr", "INSERT INTO t VALUES (1) RETURNING a"),
		parse("b", "BEGIN"), parse("c", "COMMIT"))
	for name, test := range map[string]struct {
		batch []byte
		waits bool
	}{
		"rows":                        {join(run("r"), run("r"), syncFrame()), false},
		"changes":                     {join(run("w"), run("w"), run("c"), syncFrame()), false},
		"rows in a block":             {join(run("b"), run("r"), syncFrame()), false},
		"one with both":               {join(run("wr"), syncFrame()), false},
		"changes, then rows":          {join(run("w"), run("r"), syncFrame()), true},
		"rows, then changes":          {join(run("r"), run("w"), syncFrame()), true},
		"both":                        {join(run("wr"), run("wr"), syncFrame()), true},
		"rows, then the end":          {join(run("r"), run("c")), true},
		"rows, and what nobody knows": {join(run("r"), run("unknown"), syncFrame()), true},
		"a portal of another batch":   {join(run("r"), encode(nil, &pgproto3.Execute{Portal: "p"}), syncFrame()), true},
	} {
		f := newFeed()
		f.batch.limited = true
		f.frontend(prepared)
		f.frontend(test.batch)
		if waits := slices.Contains(f.verdicts, "settle"); waits != test.waits {
			t.Errorf("%s: waits %t, want %t", name, waits, test.waits)
		}
	}
}

func TestEffectsOfUncountedStatementsAreForgotten(t *testing.T) {
	var b batch
	for i := range uint64(5 * maxEffects) {
		b.prepare(i, changes)
		if len(b.effects) > maxEffects {
			t.Fatalf("%d are kept", len(b.effects))
		}
	}
	if got := b.bind(0); got != givesRows|changes {
		t.Errorf("a forgotten statement has %b", got)
	}
}
