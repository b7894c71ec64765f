package postgres

import (
	"testing"
)

func TestNotificationsArriveWhileIdleAndWithinAPipeline(t *testing.T) {
	w := newWorld(t)
	listener, sender := rawWire(t, w.connect(t)), w.connect(t)
	listener.send(query("listen till"))
	listener.until(1)
	mustExec(t, sender, "notify till, 'idle'")
	m := listener.next()
	if m.typ != 'A' || string(m.body[4:]) != "till\x00idle\x00" {
		t.Fatalf("got %v, want the notification", m)
	}
	listener.send(query("begin"))
	listener.until(1)
	mustExec(t, sender, "notify till, 'within'")
	listener.send(join(extended("select 1", 0), extended("commit", 0), syncFrame()))
	if got := types(listener.until(1)); got != "12DC12CAZ" && got != "12DC12CZ" {
		t.Fatalf("got %s", got)
	} else if got == "12DC12CZ" {
		listener.untilType('A', 1)
	}
	exactOf(t, w, 0)
}

// exactOf is exact for the n-th session of w.
func exactOf(t *testing.T, w *world, n int) {
	t.Helper()
	r := w.watched.Relays()[n]
	if r.replies() != 0 || r.isLost() {
		t.Errorf("owed: got %d, lost %v, want none", r.replies(), r.isLost())
	}
}

func TestNoticesAndParametersPass(t *testing.T) {
	w := newWorld(t)
	wire := rawWire(t, w.connect(t))
	wire.send(query("set application_name = 'renamed'; do $$begin raise notice 'seen'; raise info 'info'; end$$"))
	var status, notices []string
	for _, m := range wire.until(1) {
		switch m.typ {
		case 'S':
			status = append(status, string(m.body))
		case 'N':
			notices = append(notices, m.field('M'))
		}
	}
	if len(status) != 1 || status[0] != "application_name\x00renamed\x00" {
		t.Errorf("parameters: got %q", status)
	}
	if len(notices) != 2 || notices[0] != "seen" || notices[1] != "info" {
		t.Errorf("notices: got %q, want seen and info", notices)
	}
}

// The journal's notice is the proxy's own: it is recorded before the client
// hears of the change, and the client does not see it.
func TestTheJournalsNoticeIsRecordedAndTakenOut(t *testing.T) {
	w := newWorld(t)
	wire := rawWire(t, w.connect(t))
	const change = "do $$begin raise info 'x' using errcode = 'TDB01'; end$$"
	mustExec(t, w.direct(t), "begin; prepare transaction 'other'")
	for name, c := range map[string]struct {
		say     []byte
		want    string
		records int
	}{
		"simple":              {query(change), "CZ", 1},
		"extended":            {join(extended(change, 0), syncFrame()), "12CZ", 1},
		"in a transaction":    {join(query("begin"), query(change), query("commit")), "CZCZCZ", 1},
		"no change":           {query("select 1"), "TDCZ", 0},
		"prepared, committed": {join(query("begin"), query(change), query("prepare transaction 'p'"), query("commit prepared 'p'")), "CZCZCZCZ", 2},
		"of another session":  {query("commit prepared 'other'"), "CZ", 1},
		"others' notices":     {query("do $$begin raise info 'x' using errcode = 'TDB04'; end$$"), "NCZ", 0},
		"extended in a block": {join(extended("begin", 0), extended(change, 0), syncFrame(), extended("commit", 0), syncFrame()), "12C12CZ12CZ", 1},
	} {
		before := w.recorder.Records()
		wire.send(c.say)
		var n int
		for _, typ := range c.want {
			if typ == 'Z' {
				n++
			}
		}
		if got := types(wire.until(n)); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
		if got := w.recorder.Records() - before; got != c.records {
			t.Errorf("%s: got %d records, want %d", name, got, c.records)
		}
	}
}

func TestTheAcknowledgementWaitsForTheRecord(t *testing.T) {
	w := newWorld(t)
	recording, release := make(chan struct{}), make(chan struct{})
	w.recorder.Before(func() error {
		close(recording)
		<-release
		return nil
	})
	c := w.connect(t)
	ended := background(c, "do $$begin raise info 'x' using errcode = 'TDB01'; end$$")
	<-recording
	select {
	case err := <-ended:
		t.Fatalf("acknowledged before the record: %v", err)
	default:
	}
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
