package postgres

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

var (
	oracleSeed   = flag.Uint64("oracle.seed", 0, "seed of the random conversations; 0: a new one")
	oracleRounds = flag.Int("oracle.rounds", 250, "how many random conversations are compared with the server's own answers")
)

// oracle makes random conversations; what a server answers to one is decided
// by nothing but its frames.
type oracle struct {
	*rand.Rand
	marker int
}

func (o *oracle) pick(choices ...func() []byte) []byte { return choices[o.IntN(len(choices))]() }

// batch is a few random exchanges and an end that every state gets out of: a
// copy fails, an error is synced, and a Query says the marker.
func (o *oracle) batch() (frames []byte, marker string) {
	for range 1 + o.IntN(4) {
		frames = append(frames, o.pick(o.simple, o.extended, o.extended, o.copyInSimple, o.copyInExtended, o.copyOut, o.stray)...)
	}
	o.marker++
	marker = fmt.Sprintf("marker %d", o.marker)
	return join(frames, copyFail("end"), syncFrame(), query("rollback"), query("select '"+marker+"'")), marker
}

func (o *oracle) sql() string {
	choices := []string{
		"select generate_series(1, 5)", "select 1/0", "syntax error", "begin", "commit", "rollback",
		"insert into t values (1, 'a')", "delete from t returning id", "select * from absent", "",
		"savepoint s", "rollback to s", "set application_name = 'x'", "select repeat('x', 9000)",
		"do $$begin raise notice 'n'; end$$", "table t", "insert into t select i, 'r' from generate_series(10, 12) i returning id",
	}
	return choices[o.IntN(len(choices))]
}

func (o *oracle) simple() []byte {
	if o.IntN(3) == 0 {
		return query(o.sql() + ";" + o.sql())
	}
	return query(o.sql())
}

// extended is one pipeline; now and then it is not synced.
func (o *oracle) extended() []byte {
	var b []byte
	names := []string{"", "", "n"}
	for range 1 + o.IntN(4) {
		name := names[o.IntN(len(names))]
		if o.IntN(8) > 0 {
			b = append(b, parse(name, o.sql())...)
		}
		if o.IntN(10) > 0 {
			b = append(b, bind(name, name)...)
		}
		if o.IntN(3) == 0 {
			b = append(b, describe("SP"[o.IntN(2)], name)...)
		}
		for range 1 + o.IntN(2) {
			b = append(b, execute(name, o.IntN(4))...)
		}
		b = append(b, o.pick(syncFrame, flushFrame, none, none, func() []byte { return closing("SP"[o.IntN(2)], name) })...)
	}
	if o.IntN(6) > 0 {
		b = append(b, syncFrame()...)
	}
	return b
}

func none() []byte { return nil }

func (o *oracle) copySource() string {
	choices := []string{"copy t from stdin", "copy t from stdin", "copy absent from stdin", "copy w from stdin"}
	return choices[o.IntN(len(choices))]
}

// copyInput is data, good or bad, and an end or none.
func (o *oracle) copyInput() []byte {
	var b []byte
	for range o.IntN(3) {
		choices := []string{"5\tx\n6\ty\n", "7\t", "z\n", "not a number\tx\n"}
		b = append(b, copyData(choices[o.IntN(len(choices))])...)
		b = append(b, o.pick(none, none, none, flushFrame, syncFrame)...)
	}
	return append(b, o.pick(copyDone, copyDone, copyDone, func() []byte { return copyFail("no more") }, none)...)
}

func (o *oracle) copyInSimple() []byte {
	sql := o.copySource()
	if o.IntN(3) == 0 {
		sql += ";" + o.sql()
	}
	return join(query(sql), o.copyInput())
}

// copyInExtended has the Sync before the data, as libpq sends it, or not.
func (o *oracle) copyInExtended() []byte {
	return join(extended(o.copySource(), 0), o.pick(syncFrame, syncFrame, none), o.copyInput(), o.pick(syncFrame, syncFrame, none))
}

func (o *oracle) copyOut() []byte {
	if o.IntN(2) == 0 {
		return query("copy (select generate_series(1, 30)) to stdout")
	}
	return join(extended("copy t to stdout (format binary)", 0), syncFrame())
}

// stray is what has no place here but does no harm.
func (o *oracle) stray() []byte {
	return o.pick(copyDone, syncFrame, flushFrame, func() []byte { return copyData("stray") },
		func() []byte { return frame('F', word(1598), half(0), half(1), word(4), word(-3), half(0)) }, // int4abs
		func() []byte { return frame('F', word(1), half(0), half(0), half(0)) },                       // no such function
		func() []byte { return join(closing('S', "n"), closing('P', "n"), syncFrame()) })
}

const oracleSetup = "create temp table t(id int primary key, v text); create temp view w as select 1 as x"

// TestAnyConversationGetsTheServersOwnAnswers plays random pipelines with
// errors in them to the server and to the proxy.
func TestAnyConversationGetsTheServersOwnAnswers(t *testing.T) {
	seed := *oracleSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	// A limit that none of them reaches: batches under one wait before they end.
	w := newWorld(t, withSettings(workspace.Settings{MaxRowsPerQuery: 1000}))
	o := &oracle{Rand: rand.New(rand.NewPCG(seed, 0))}
	direct, proxied := newPlayers(t, w)
	inexact := 0
	for round := range *oracleRounds {
		frames, marker := o.batch()
		want, wantOpen := direct.play(frames, marker, nil)
		got, gotOpen := proxied.play(frames, marker, o.Rand)
		if !slices.Equal(got, want) || gotOpen != wantOpen {
			t.Fatalf("seed %d, round %d: %s\ngot  %q, open %v\nwant %q, open %v", seed, round, frameTypes(frames), got, gotOpen, want, wantOpen)
		}
		if !wantOpen {
			direct.wire.conn.Close()
			proxied.wire.conn.Close()
			direct, proxied = newPlayers(t, w)
			continue
		}
		r := w.last()
		wiretest.Await(t, fmt.Sprintf("nothing is owed after seed %d, round %d: %s\nanswers %q", seed, round, frameTypes(frames), want), func() bool { return r.replies() == 0 || r.isLost() })
		if r.isLost() {
			inexact++
			direct.wire.conn.Close()
			proxied.wire.conn.Close()
			direct, proxied = newPlayers(t, w)
		}
	}
	t.Logf("seed %d: in %d of %d rounds the client broke off in ways that make its backend unfit for the next session", seed, inexact, *oracleRounds)
}

// isLost says that the relay gave its backend up for the next session.
func (r *relay) isLost() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.track.lost
}

// player is one side of the comparison.
type player struct{ wire *wire }

func newPlayers(t testing.TB, w *world) (direct, proxied player) {
	d, p := w.direct(t), w.connect(t)
	mustExec(t, d, oracleSetup)
	mustExec(t, p, oracleSetup)
	return player{rawWire(t, d)}, player{rawWire(t, p)}
}

// play sends frames, in random pieces where there is a source of them, and
// gives the answers up to the marker's end; open is false where the server
// closed the connection before.
func (p player) play(frames []byte, marker string, pieces *rand.Rand) (answers []string, open bool) {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for len(frames) > 0 {
			n := len(frames)
			if pieces != nil {
				n = 1 + pieces.IntN(n)
			}
			if _, err := p.wire.conn.Write(frames[:n]); err != nil {
				return // the server closed; its answers say why
			}
			frames = frames[n:]
		}
	}()
	defer func() { <-sent }()
	if err := p.wire.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, false
	}
	seen := false
	for {
		m, err := p.wire.receive()
		if err != nil {
			return answers, false
		}
		answers = append(answers, m.String())
		seen = seen || m.typ == 'D' && string(m.body) == string(dataRow(marker)[headerLen:])
		if seen && m.typ == 'Z' {
			return answers, true
		}
	}
}

// frameTypes shows what was sent.
func frameTypes(b []byte) string {
	out := ""
	for len(b) > 0 {
		size, err := frameSize(b)
		if err != nil {
			return out + "?"
		}
		out += fmt.Sprintf("%c(%.60q) ", b[0], b[headerLen:size])
		b = b[size:]
	}
	return out
}
