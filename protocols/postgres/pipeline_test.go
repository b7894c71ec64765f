package postgres

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestAPipelineBeyondWhatIsOwedAtOnce(t *testing.T) {
	const statements = 2*maxOwed + 100
	w := newWorld(t)
	wire := rawWire(t, w.connect(t))
	sent := make(chan error, 1)
	go func() {
		if err := wire.conn.SetDeadline(time.Now().Add(3 * patience)); err != nil {
			sent <- err
			return
		}
		_, err := wire.conn.Write(join(parse("s", ""), bytes.Repeat(join(bind("", "s"), execute("", 0)), statements), syncFrame()))
		sent <- err
	}()
	var empty int
	for {
		m := wire.next()
		if m.typ == 'I' {
			empty++
		}
		if m.typ == 'Z' {
			break
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if empty != statements {
		t.Errorf("replies: got %d, want %d", empty, statements)
	}
	exact(t, w)
}

func TestErrorsInAPipelineSkipToItsSync(t *testing.T) {
	w := newWorld(t)
	wire := rawWire(t, w.connect(t))
	good, bad := extended("select 1", 0), extended("select 1/0", 0)
	wire.send(good, bad, good, good, syncFrame(), good, syncFrame(), bad, flushFrame(), good, query("select 'skipped'"), syncFrame(), good, syncFrame())
	if got := types(wire.until(4)); got != "12DC1EZ12DCZ1EZ12DCZ" {
		t.Errorf("got %s", got)
	}
	exact(t, w)
}

func TestFunctionCalls(t *testing.T) {
	w := newWorld(t)
	wire := rawWire(t, w.connect(t))
	int4abs := frame('F', word(1397), half(1), half(1), half(1), word(4), word(-3), half(1))
	wire.send(int4abs, frame('F', word(1), half(0), half(0), half(0)), query("select 1"))
	all := wire.until(3)
	if got := types(all); got != "VZEZTDCZ" {
		t.Errorf("got %s, want VZEZTDCZ", got)
	}
	if got := all[0].body; !bytes.Equal(got, join(word(4), word(3))) {
		t.Errorf("result: got %v, want 3", got)
	}
	exact(t, w)
}

func TestPreparedStatementsLiveAsLongAsTheSession(t *testing.T) {
	w := newWorld(t)
	wire := rawWire(t, w.connect(t))
	wire.send(parse("s", "select $1::text"), describe('S', "s"), syncFrame())
	if got := types(wire.until(1)); got != "1tTZ" {
		t.Fatalf("parse: got %s", got)
	}
	for _, v := range []string{"a", "b", strings.Repeat("c", 100000)} {
		wire.send(bindText("", "s", v), execute("", 0), syncFrame())
		all := wire.until(1)
		if types(all) != "2DCZ" || !bytes.Equal(all[1].body, dataRow(v)[headerLen:]) {
			t.Errorf("execute with %.3s: got %s", v, types(all))
		}
	}
	wire.send(closing('S', "s"), bindText("", "s", "x"), syncFrame())
	if got := types(wire.until(1)); got != "3EZ" {
		t.Errorf("closed: got %s, want 3EZ", got)
	}
	exact(t, w)
}

// large is more than any buffer holds.
const large = 100 << 20

// allocated is what f allocates, all goroutines together.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestLargeValuesStreamThroughInLittleMemory(t *testing.T) {
	w := newWorld(t, withMode(workspace.Tenant))
	wire := rawWire(t, w.connect(t))
	if err := wire.conn.SetDeadline(time.Now().Add(3 * patience)); err != nil {
		t.Fatal(err)
	}
	piece := bytes.Repeat([]byte("x"), 1<<20)
	t.Run("to the server", func(t *testing.T) {
		got := allocated(func() {
			wire.send(parse("", "select length($1::text)"))
			head := join(str(""), str(""), half(0), half(1), word(large))
			wire.send(header('B', uint32(4+len(head)+large+2)), head)
			for range large / len(piece) {
				if _, err := wire.conn.Write(piece); err != nil {
					t.Fatal(err)
				}
			}
			wire.send(half(0), execute("", 0), syncFrame())
			if all := wire.until(1); types(all) != "12DCZ" || string(all[2].body[6:]) != "104857600" {
				t.Errorf("got %v", all)
			}
		})
		if got > 64<<20 {
			t.Errorf("allocated %d MiB", got>>20)
		}
	})
	t.Run("to the client", func(t *testing.T) {
		got := allocated(func() {
			wire.send(query("select repeat('x', 104857600)"))
			wire.untilType('T', 1)
			var head [headerLen + 6]byte
			if err := readFull(wire.conn, head[:]); err != nil {
				t.Fatal(err)
			}
			size, err := frameSize(head[:])
			if err != nil || size != headerLen+6+large {
				t.Fatalf("size: got %d, %v", size, err)
			}
			if n, err := io.CopyBuffer(io.Discard, io.LimitReader(onlyReader{wire.conn}, large), piece); n != large || err != nil {
				t.Fatalf("read %d, %v", n, err)
			}
			if got := types(wire.until(1)); got != "CZ" {
				t.Errorf("got %s, want CZ", got)
			}
		})
		if got > 64<<20 {
			t.Errorf("allocated %d MiB", got>>20)
		}
	})
	exact(t, w)
}

// onlyReader hides every other method, so that io.Copy uses its buffer.
type onlyReader struct{ io.Reader }
