package mysql

import (
	"fmt"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func TestKillIsUnderstoodAsClientsSendIt(t *testing.T) {
	for text, want := range map[string]kill{
		"KILL QUERY 7":                {"KILL QUERY ", "", 7},
		"kill 4294967295":             {"kill ", "", 4294967295},
		"Kill Connection 12;":         {"Kill Connection ", ";", 12},
		" /* app */ KILL QUERY 5 ; ":  {" /* app */ KILL QUERY ", " ; ", 5},
		"KILL HARD QUERY\n 3":         {"KILL HARD QUERY\n ", "", 3},
		"KILL QUERY ID 3":             {},
		"KILL USER x1":                {},
		"KILL QUERY x1":               {},
		"KILL":                        {},
		"KILLER 1":                    {},
		"KILL1":                       {},
		"1":                           {},
		"":                            {},
		"KILL 99999999999999999999":   {},
		"/*! KILL */ QUERY 1":         {},
		"KILL QUERY (select 1)":       {},
		"select 'KILL QUERY', 7":      {},
		"KILL QUERY 1; KILL QUERY 2 ": {},
	} {
		got, ok := parseKill([]byte(text))
		if got != want || ok != (want != kill{}) {
			t.Errorf("%q: got %+v %v, want %+v", text, got, ok, want)
		}
	}
}

func TestNumbersOfConnectionsFitWhereTheyAreSigned(t *testing.T) {
	s := sessions{last: firstID - 3}
	for range 5 {
		if id := s.next(); id < firstID || int32(id) < 0 {
			t.Errorf("got %d", id)
		}
	}
}

func TestKillReachesTheSessionsOfTheWorkspace(t *testing.T) {
	w := newWorld(t)
	victim, killer := w.wire(t), w.wire(t)
	if victim.id < firstID || int32(victim.id) < 0 || victim.id == killer.id {
		t.Fatalf("numbers %d and %d, want two of ours", victim.id, killer.id)
	}
	t.Run("query", func(t *testing.T) {
		victim.query(endless)
		awaitRunning(t, w, endless)
		if kinds, all := killer.ask(fmt.Sprintf("KILL QUERY %d", victim.id)); kinds != "K" {
			t.Fatalf("got %s %q", kinds, all[0].payload)
		}
		if _, all := victim.reply(); all[len(all)-1].number() != int(numberInterrupted) {
			t.Errorf("got %q, want 1317", all[len(all)-1].payload)
		}
		victim.usable()
	})
	t.Run("the server's own number", func(t *testing.T) {
		_, all := victim.ask("select connection_id()")
		id := string(all[3].payload[1:])
		victim.query(endless)
		awaitRunning(t, w, endless)
		if kinds, all := killer.ask("KILL QUERY " + id); kinds != "K" {
			t.Fatalf("got %s %q", kinds, all[0].payload)
		}
		if _, all := victim.reply(); all[len(all)-1].number() != int(numberInterrupted) {
			t.Errorf("got %q, want 1317", all[len(all)-1].payload)
		}
	})
	t.Run("process kill", func(t *testing.T) {
		doomed := w.wire(t)
		killer.send(mysql.COM_PROCESS_KILL, u32(doomed.id))
		if p := killer.read(); p.isError() {
			t.Fatalf("got %q", p.payload)
		}
		for {
			if _, err := doomed.next(); err != nil {
				break
			}
		}
	})
	t.Run("itself", func(t *testing.T) {
		weary := w.wire(t)
		if kinds, _ := weary.ask(fmt.Sprintf("KILL QUERY %d", weary.id)); kinds != "E" {
			t.Errorf("query: got %s, want an error", kinds)
		}
		weary.usable()
		weary.query(fmt.Sprintf("KILL %d", weary.id))
		for {
			if _, err := weary.next(); err != nil {
				break
			}
		}
	})
	killer.usable()
}

func TestKillReachesNobodyElse(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	victim, killer := other.wire(t), w.wire(t)
	_, all := victim.ask("select connection_id()")
	server := string(all[3].payload[1:])
	for _, statement := range []string{fmt.Sprintf("KILL %d", victim.id), "KILL QUERY " + server, "KILL 4294967295", "KILL 0"} {
		if kinds, _ := killer.ask(statement); kinds != "E" {
			t.Errorf("%s: got %s, want an error", statement, kinds)
		}
	}
	killer.send(mysql.COM_PROCESS_KILL, u32(victim.id))
	if p := killer.read(); !p.isError() {
		t.Error("process kill: it went through")
	}
	victim.usable()
	killer.usable()
}

// A KILL QUERY that comes when its statement has just ended must not hit the
// one behind it, nor the next session on a warm backend.
func TestAKillThatComesLateHitsNothing(t *testing.T) {
	w := newWorld(t)
	victim, killer := w.wire(t), w.wire(t)
	for range 50 {
		victim.query("do 1")
		if kinds, all := killer.ask(fmt.Sprintf("KILL QUERY %d", victim.id)); kinds != "K" {
			t.Fatalf("kill: got %s %q", kinds, all[0].payload)
		}
		victim.reply()
		victim.usable()
	}
	victim.send(mysql.COM_QUIT)
	wiretest.Await(t, "the session ended", func() bool {
		return w.protocol.sessions.find(victim.id) == nil
	})
	killer.ask(fmt.Sprintf("KILL QUERY %d", victim.id))
	w.wire(t).usable()
}
