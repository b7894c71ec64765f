package postgres

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// conversation is frames both ways and what the relay knows after them.
type conversation struct {
	name    string
	turns   []turn
	tracked bool
	maxRows int64

	owed     int
	status   byte  // 'I' where not said
	rows     int64 // of the statement at hand
	portals  int   // suspended
	copyIn   bool
	lost     bool
	unsynced bool
	verdicts []string
	toUser   []byte // where it is not what the server sent
	toServer []byte // where it is not what the client sent
}

var (
	copyIn   = frame('G', []byte{0, 0, 0})
	copyOut  = frame('H', []byte{0, 0, 0})
	binary1  = frame('H', []byte{1, 0, 0})
	failure1 = errorFrame("ERROR", "22012", "division by zero")
	parsed   = frame('1')
	bound    = frame('2')
	journal  = noticeFrame("INFO", "TDB01")

	explained = noticeFrame("INFO", "TDB02")
	clustered = noticeFrame("INFO", "TDB03")
)

func conversations() []conversation {
	return []conversation{
		{name: "simple query", turns: []turn{user(query("select 1")), server(dataRow("1"), complete("SELECT 1"), ready('I'))}},
		{name: "simple query under way", turns: []turn{user(query("select 1")), server(dataRow("1"))}, owed: 1, rows: 1},
		{name: "two results", turns: []turn{user(query("a;b")), server(dataRow("1"), dataRow("2"), complete("SELECT 2"), dataRow("1"))}, owed: 1, rows: 1},
		{name: "empty query", turns: []turn{user(query("")), server(frame('I'), ready('I'))}},
		{name: "transaction", turns: []turn{user(query("begin")), server(complete("BEGIN"), ready('T'))}, status: 'T'},
		{name: "failed transaction", turns: []turn{user(query("x")), server(failure1, ready('E'))}, status: 'E'},
		{name: "queries in a row", turns: []turn{user(query("a"), query("b")), server(complete("A"), ready('I'))}, owed: 1},
		{name: "extended", turns: []turn{user(extended("select 1", 0), syncFrame()), server(parsed, bound, dataRow("1"), complete("SELECT 1"), ready('I'))}},
		{name: "describe and close", turns: []turn{user(parse("s", "x"), describe('S', "s"), closing('S', "s"), syncFrame()), server(parsed, frame('t', half(0)), frame('n'), frame('3'), ready('I'))}},
		{name: "not synced", turns: []turn{user(extended("x", 0), flushFrame()), server(parsed, bound, complete("X"))}, unsynced: true},
		{name: "pipeline", turns: []turn{user(extended("a", 0), syncFrame(), extended("b", 0), syncFrame()), server(parsed, bound, complete("A"), ready('I'), parsed, bound, complete("B"))}, owed: 1},
		{name: "error skips to sync", turns: []turn{user(extended("a", 0), extended("b", 0), extended("c", 0), syncFrame(), query("d")), server(parsed, bound, failure1)}, owed: 2},
		{name: "error of a parse skips to sync", turns: []turn{user(extended("a", 0), syncFrame()), server(failure1, ready('I'))}},
		{name: "skipped until a sync that comes later", turns: []turn{user(extended("a", 0), flushFrame()), server(parsed, bound, failure1), user(extended("b", 0), query("skipped"), syncFrame()), server(ready('I'))}},
		{name: "error in a flushed parse skips what follows", turns: []turn{user(parse("", "a"), flushFrame()), server(failure1), user(bind("", ""), execute("", 0)), user(syncFrame())}, owed: 1},
		{name: "query skipped with the rest", turns: []turn{user(extended("a", 0), query("skipped"), syncFrame()), server(parsed, bound, failure1, ready('I'))}},
		{name: "portal in pieces", turns: []turn{
			user(query("begin")), server(complete("BEGIN"), ready('T')),
			user(parse("", "a"), bind("p", ""), execute("p", 2), execute("p", 2), flushFrame()), server(parsed, bound, dataRow("1"), dataRow("2"), frame('s'), dataRow("3")),
		}, owed: 1, rows: 3, portals: 1, status: 'T', unsynced: true},
		{name: "portals do not add up", turns: []turn{
			user(query("begin")), server(complete("BEGIN"), ready('T')),
			user(parse("", "a"), bind("p", ""), bind("q", ""), execute("p", 2), execute("q", 2), flushFrame()), server(parsed, bound, bound, dataRow("1"), dataRow("2"), frame('s'), dataRow("3")),
		}, owed: 1, rows: 1, portals: 1, status: 'T', unsynced: true},
		{name: "a portal bound again begins anew", turns: []turn{
			user(query("begin")), server(complete("BEGIN"), ready('T')),
			user(parse("", "a"), bind("", ""), execute("", 2), bind("", ""), execute("", 2), flushFrame()), server(parsed, bound, dataRow("1"), dataRow("2"), frame('s'), bound, dataRow("3")),
		}, owed: 1, rows: 1, portals: 1, status: 'T', unsynced: true},
		{name: "portals end with their transaction", turns: []turn{
			user(extended("a", 1), syncFrame()), server(parsed, bound, dataRow("1"), frame('s'), ready('I')),
		}},
		{name: "copy in", turns: []turn{user(query("copy")), server(copyIn), user(copyData("1\n"), copyDone()), server(complete("COPY 1"), ready('I'))}},
		{name: "copy in waits for the client", turns: []turn{user(query("copy")), server(copyIn), user(copyData("1\n"))}, owed: 1, copyIn: true},
		{name: "copy in fails", turns: []turn{user(query("copy")), server(copyIn), user(copyFail("no")), server(failure1, ready('I'))}},
		{name: "copy in fails before its end", turns: []turn{user(query("copy")), server(copyIn), user(copyData("x")), server(failure1, ready('I')), user(copyData("y"), copyDone(), query("next"))}, owed: 1},
		{name: "two copies in one query", turns: []turn{user(query("copy;copy")), server(copyIn), user(copyDone()), server(complete("COPY 0"), copyIn), user(copyDone()), server(complete("COPY 0"), ready('I'))}},
		{name: "copy in sent ahead", turns: []turn{user(query("copy"), copyData("1\n"), copyDone()), server(copyIn)}, owed: 2},
		{name: "syncs before CopyDone are not answered", turns: []turn{user(extended("copy", 0), syncFrame()), server(parsed, bound, copyIn), user(copyData("1\n"), syncFrame(), copyDone(), syncFrame()), server(complete("COPY 1"), ready('I'))}},
		{name: "syncs before CopyDone of a simple copy are not answered", turns: []turn{user(query("copy")), server(copyIn), user(syncFrame(), copyDone()), server(complete("COPY 0"), ready('I'))}},
		{name: "syncs of a copy that never began are answered", turns: []turn{user(extended("copy", 0), syncFrame(), copyData("1\n"), copyDone(), syncFrame()), server(parsed, bound, failure1, ready('I'))}, owed: 1},
		{name: "extended copy fails after its end", turns: []turn{user(extended("copy", 0)), server(parsed, bound, copyIn), user(copyData("x"), copyDone(), syncFrame()), server(failure1, ready('I'))}},
		{name: "extended copy fails within", turns: []turn{user(extended("copy", 0)), server(parsed, bound, copyIn), user(copyData("x")), server(failure1), user(copyData("y"), copyDone(), syncFrame()), server(ready('I'))}},
		{name: "stray CopyDone", turns: []turn{user(copyDone(), extended("a", 0), copyDone(), copyFail("x"), extended("b", 0), syncFrame()), server(parsed, bound, complete("A"), parsed, bound, complete("B"), ready('I'))}},
		{name: "copy out", turns: []turn{user(query("copy")), server(copyOut, copyData("1\n"), copyData("2\n"))}, owed: 1, rows: 2},
		{name: "copy out ends", turns: []turn{user(query("copy")), server(copyOut, copyData("1\n"), frame('c'), complete("COPY 1"), ready('I'))}},
		{name: "function call", turns: []turn{user(frame('F', word(1), half(0), half(0), half(0))), server(frame('V', word(0)), ready('I'))}},
		{name: "function call fails", turns: []turn{user(frame('F', word(1), half(0), half(0), half(0)), query("next")), server(failure1, ready('I'))}, owed: 1},
		{name: "notification while idle", turns: []turn{server(frame('A', word(1), str("c"), str("p")), frame('S', str("k"), str("v")), noticeFrame("NOTICE", "00000"))}},
		{name: "ready that nobody asked for", turns: []turn{server(ready('I'))}, lost: true},
		{name: "goodbye", turns: []turn{user(query("a"), terminateFrame())}, owed: 1, verdicts: []string{"terminate"}, toServer: query("a")},

		{name: "row limit reached", maxRows: 2, turns: []turn{user(query("a")), server(dataRow("1"), dataRow("2"), complete("SELECT 2"), ready('I'))}},
		{name: "row limit passed", maxRows: 2, turns: []turn{user(query("a")), server(dataRow("1"), dataRow("2"), dataRow("3"), dataRow("4"), frame('S', str("k"), str("v")), failure1, ready('I'))},
			verdicts: []string{"limit rows", "await ready"}, toUser: join(dataRow("1"), dataRow("2"), frame('E', []byte("limit\x00")), frame('S', str("k"), str("v")), ready('I'))},
		{name: "row limit is each statement's", maxRows: 2, turns: []turn{user(query("a;b")), server(dataRow("1"), dataRow("2"), complete("SELECT 2"), dataRow("1"), dataRow("2"), complete("SELECT 2"), ready('I'))}},
		{name: "row limit of binary copy does not count its trailer", maxRows: 1, turns: []turn{user(query("copy")), server(binary1, copyData("head and row"), copyData("\xff\xff"), frame('c'), complete("COPY 1"), ready('I'))}},
		{name: "row limit of a binary copy without columns", maxRows: 1, turns: []turn{user(query("copy")), server(binary1, copyData("\x00\x00"), copyData("\x00\x00"), copyData("\xff\xff"), frame('c'), complete("COPY 2"), ready('I'))},
			verdicts: []string{"limit rows", "await ready"}, toUser: join(binary1, copyData("\x00\x00"), frame('E', []byte("limit\x00")), ready('I'))},
		{name: "row limit of text copy", maxRows: 1, turns: []turn{user(query("copy")), server(copyOut, copyData("1\n"), copyData("2\n"), frame('c'), complete("COPY 2"), ready('I'))},
			verdicts: []string{"limit rows", "await ready"}, toUser: join(copyOut, copyData("1\n"), frame('E', []byte("limit\x00")), ready('I'))},

		{name: "schema change", tracked: true, turns: []turn{user(query("create table")), server(journal, complete("CREATE TABLE"), ready('I'))},
			verdicts: []string{"record before C"}, toUser: join(complete("CREATE TABLE"), ready('I'))},
		{name: "schema change in the extended protocol", tracked: true, turns: []turn{user(extended("select 1", 0), syncFrame()), server(parsed, bound, journal, complete("CREATE TABLE"), ready('I'))},
			verdicts: []string{"record before Z"}, toUser: join(parsed, bound, complete("CREATE TABLE"), ready('I'))},
		{name: "schema change waits for its commit", tracked: true, turns: []turn{
			user(query("begin")), server(complete("BEGIN"), ready('T')),
			user(query("select 1")), server(journal, complete("CREATE TABLE"), ready('T')),
			user(query("commit")), server(complete("COMMIT"), ready('I')),
		}, verdicts: []string{"record before C"}, toUser: join(complete("BEGIN"), ready('T'), complete("CREATE TABLE"), ready('T'), complete("COMMIT"), ready('I'))},
		{name: "schema change in another language", tracked: true, turns: []turn{user(query("select 1")), server(noticeFrame("ИНФОРМАЦИЯ", "TDB01"), complete("X"), ready('I'))},
			verdicts: []string{"record before C"}, toUser: join(complete("X"), ready('I'))},
		{name: "explained", tracked: true, turns: []turn{user(query("select 1")), server(journal, explained, dataRow("plan"), complete("SELECT 1"), ready('I'))},
			verdicts: []string{"record before C", "retag"}, toUser: join(dataRow("plan"), complete("EXPLAIN"), ready('I'))},
		{name: "explained in pieces", turns: []turn{user(extended("select 1", 1), syncFrame()), server(parsed, bound, explained, dataRow("plan"), frame('s'), ready('I')), user(query("a")), server(complete("A"), ready('I'))},
			toUser: join(parsed, bound, dataRow("plan"), frame('s'), ready('I'), complete("A"), ready('I'))},
		{name: "explained beyond the row limit", maxRows: 1, turns: []turn{user(query("select 1")), server(explained, dataRow("1"), dataRow("2"), complete("SELECT 2"), ready('I'))},
			verdicts: []string{"limit rows", "await ready"}, toUser: join(dataRow("1"), frame('E', []byte("limit\x00")), ready('I'))},
		{name: "clustered", turns: []turn{user(query("call")), server(clustered, complete("CALL"), ready('I'))},
			verdicts: []string{"retag"}, toUser: join(complete("CLUSTER"), ready('I'))},
		{name: "clustered and failed", turns: []turn{user(query("call"), query("a")), server(clustered, failure1, ready('I'), complete("A"), ready('I'))},
			toUser: join(failure1, ready('I'), complete("A"), ready('I'))},
		{name: "defaults change", turns: []turn{user(query("alter role")), server(complete("ALTER ROLE"), ready('I'))}, verdicts: []string{"renew"}},
	}
}

func TestConversationsAreFollowedHoweverTheyArrive(t *testing.T) {
	for _, c := range conversations() {
		t.Run(c.name, func(t *testing.T) {
			length := 0
			for _, u := range c.turns {
				length += len(u.text)
			}
			c.check(t, "whole", func(*feed, turn, int) bool { return false })
			c.check(t, "byte by byte", func(f *feed, u turn, _ int) bool {
				for i := range u.text {
					f.hear(u.from, u.text[i:i+1])
				}
				return true
			})
			for at := 1; at < length; at++ {
				c.check(t, fmt.Sprintf("cut at %d", at), func(f *feed, u turn, begin int) bool {
					if at <= begin || at >= begin+len(u.text) {
						return false
					}
					f.hear(u.from, u.text[:at-begin])
					f.hear(u.from, u.text[at-begin:])
					return true
				})
			}
		})
	}
}

// check plays the conversation; part feeds a turn in pieces and says whether it
// did.
func (c conversation) check(t *testing.T, how string, part func(f *feed, u turn, begin int) bool) {
	t.Helper()
	f := trackedFeed(c.tracked)
	f.maxRows = c.maxRows
	begin := 0
	var sent, answered []byte
	for _, u := range c.turns {
		if !part(f, u, begin) {
			f.hear(u.from, u.text)
		}
		begin += len(u.text)
		if u.from == 'F' {
			sent = append(sent, u.text...)
		} else {
			answered = append(answered, u.text...)
		}
	}
	if c.toServer != nil {
		sent = c.toServer
	}
	if c.toUser != nil {
		answered = c.toUser
	}
	if c.status == 0 {
		c.status = 'I'
	}
	switch {
	case f.ended != nil && !errors.Is(f.ended, window.ErrGoodbye):
		t.Fatalf("%s: %v", how, f.ended)
	case !bytes.Equal(f.toBackend, sent):
		t.Fatalf("%s: to the backend: got %q, want %q", how, f.toBackend, sent)
	case !bytes.Equal(f.toUser, answered):
		t.Fatalf("%s: to the frontend: got %q, want %q", how, f.toUser, answered)
	case f.owed.n != c.owed:
		t.Fatalf("%s: owed: got %d, want %d", how, f.owed.n, c.owed)
	case f.status != c.status:
		t.Fatalf("%s: status: got %c, want %c", how, f.status, c.status)
	case c.owed > 0 && f.rows != c.rows:
		t.Fatalf("%s: rows: got %d, want %d", how, f.rows, c.rows)
	case len(f.suspended) != c.portals:
		t.Fatalf("%s: suspended portals: got %d, want %d", how, len(f.suspended), c.portals)
	case f.copyIn != c.copyIn || f.lost != c.lost || f.unsynced != c.unsynced:
		t.Fatalf("%s: copyIn %v, lost %v, unsynced %v, want %v, %v, %v", how, f.copyIn, f.lost, f.unsynced, c.copyIn, c.lost, c.unsynced)
	case !slices.Equal(f.verdicts, c.verdicts):
		t.Fatalf("%s: verdicts: got %q, want %q", how, f.verdicts, c.verdicts)
	}
}

func TestUnjournaledStatementsAreRefusedInTrackedWorkspaces(t *testing.T) {
	const sql = "ALTER DATABASE shop SET work_mem = '1GB'"
	for _, text := range [][]byte{query(sql), parse("s", sql)} {
		for _, tracked := range []bool{false, true} {
			for cut := range text {
				f := trackedFeed(tracked)
				f.frontend(text[:cut])
				f.frontend(text[cut:])
				if refused := slices.Equal(f.verdicts, []string{fmt.Sprintf("refuse %c", text[0])}); refused != tracked {
					t.Fatalf("tracked %v, %c cut at %d: got %q", tracked, text[0], cut, f.verdicts)
				}
				if passed := len(f.toBackend) > 0; passed == tracked {
					t.Fatalf("tracked %v, %c cut at %d: passed %v", tracked, text[0], cut, passed)
				}
			}
		}
	}
}

func TestUnjournaledStatementsAreReplacedInTrackedWorkspaces(t *testing.T) {
	const sql = "CLUSTER a USING i"
	for _, text := range [][]byte{query(sql), parse("s", sql)} {
		for _, tracked := range []bool{false, true} {
			f := trackedFeed(tracked)
			f.frontend(text)
			if replaced := slices.Equal(f.verdicts, []string{fmt.Sprintf("replace %c", text[0])}); replaced != tracked {
				t.Fatalf("tracked %v, %c: got %q", tracked, text[0], f.verdicts)
			}
		}
	}
}

// header is a frame's type and length word, whose body may be missing.
func header(typ byte, length uint32) []byte {
	return []byte{typ, byte(length >> 24), byte(length >> 16), byte(length >> 8), byte(length)}
}

func TestFrameLengthsAreBounded(t *testing.T) {
	valid := map[uint32]bool{0: false, 3: false, 4: true, 5: true, maxFrame: true, maxFrame + 1: false, math.MaxInt32: false, math.MaxInt32 + 1: false, math.MaxUint32: false}
	for length, ok := range valid {
		for name, scan := range map[string]func(*feed, []byte){"frontend": (*feed).frontend, "backend": (*feed).backend} {
			f := newFeed()
			scan(f, header('d', length))
			if (f.ended == nil) != ok {
				t.Errorf("%s, length %d: got %v, want valid %v", name, length, f.ended, ok)
			}
			if !ok && sqlstateOf(f.ended) != codeProtocolViolation {
				t.Errorf("%s, length %d: got %v, want a protocol violation", name, length, f.ended)
			}
		}
	}
}

func sqlstateOf(err error) string {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return ""
	}
	return f.code
}

func TestLargeFramesStreamThroughUnheld(t *testing.T) {
	piece := bytes.Repeat([]byte("x"), 64<<10)
	for name, c := range map[string]struct {
		typ  byte
		scan func(*feed, []byte)
		held func(*feed) int
	}{
		"query":    {'Q', (*feed).frontend, func(f *feed) int { return len(f.front) }},
		"data row": {'D', (*feed).backend, func(f *feed) int { return len(f.back) }},
	} {
		f := newFeed()
		c.scan(f, header(c.typ, uint32(4+100*len(piece))))
		for range 100 {
			c.scan(f, piece)
			if held := c.held(f); held > 0 {
				t.Fatalf("%s: %d bytes held", name, held)
			}
			f.toBackend, f.toUser = f.toBackend[:0], f.toUser[:0]
		}
		if f.frontPass != 0 || f.backPass != 0 {
			t.Errorf("%s: not at its end", name)
		}
	}
}

func TestAPipelineIsBounded(t *testing.T) {
	f := newFeed()
	f.frontend(bytes.Repeat(syncFrame(), maxOwed+2))
	if f.owed.n != maxOwed || !slices.Equal(f.verdicts, []string{"full"}) {
		t.Fatalf("got %d owed and %q, want %d and full", f.owed.n, f.verdicts, maxOwed)
	}
	f.backend(ready('I'))
	f.frontend(nil)
	if f.owed.n != maxOwed || len(f.front) != len(syncFrame()) {
		t.Errorf("after one answer: got %d owed and %d bytes left, want %d and one Sync", f.owed.n, len(f.front), maxOwed)
	}
}

func TestBackendFramesWithoutTheirBodyDoNoHarm(t *testing.T) {
	for _, typ := range "CDEGHIKNSTVWZcdnst123" {
		f := newFeed()
		f.frontend(join(query("a"), extended("b", 0), syncFrame()))
		f.backend(join(frame(byte(typ)), complete("A")))
		if sqlstateOf(f.ended) != "" && typ != 'Z' || f.ended == nil && typ == 'Z' {
			t.Errorf("%c: got %v", typ, f.ended)
		}
	}
}

func TestAnUnknownMessageTypeEndsTheSession(t *testing.T) {
	f := newFeed()
	f.frontend(join(query("a"), frame('!')))
	if sqlstateOf(f.ended) != codeProtocolViolation {
		t.Errorf("got %v, want a protocol violation", f.ended)
	}
	if !bytes.Equal(f.toBackend, query("a")) {
		t.Errorf("to the backend: got %q, want what came before", f.toBackend)
	}
}

func TestTheClockRunsOnlyWhileTheServerWorks(t *testing.T) {
	const limit = time.Second
	f := newFeed()
	f.timeout = limit
	step := func(what string, want int64) {
		t.Helper()
		if f.deadline != want {
			t.Errorf("%s: deadline: got %d, want %d", what, f.deadline, want)
		}
		f.now += 10
	}
	f.now = 1
	step("idle", 0)
	f.frontend(query("a;b"))
	step("query", 11+int64(limit))
	f.backend(complete("A"))
	step("the next statement of it", 21+int64(limit))
	f.backend(join(complete("B"), ready('I')))
	step("idle again", 0)
	f.frontend(query("a"))
	step("query", 41+int64(limit))
	f.frontend(copyDone())
	step("the end of a copy that is none", 41+int64(limit))
	f.backend(join(complete("A"), ready('I')))
	step("idle again", 0)
	f.frontend(query("copy"))
	step("copy", 71+int64(limit))
	f.backend(copyIn)
	step("copy waits for the client", 0)
	f.frontend(copyDone())
	step("copy's end", 91+int64(limit))
	f.backend(join(complete("COPY 0"), ready('I')))
	step("idle after the copy", 0)
	f.frontend(join(query("copy"), copyDone()))
	f.backend(copyIn)
	step("copy sent ahead", 111+int64(limit))
}

func TestErrorCodeOfAnyBody(t *testing.T) {
	for body, want := range map[string]string{
		"SERROR\x00C22012\x00Mx\x00\x00": "22012",
		"C22012\x00":                     "22012",
		"SERROR\x00Mx\x00\x00":           "",
		"":                               "",
		"\x00":                           "",
		"C":                              "",
		"C22012":                         "",
		"S\x00\x00C22012\x00":            "",
	} {
		if got := string(errorCode([]byte(body))); got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	}
}

func TestScansDoNotAllocate(t *testing.T) {
	exchanges := map[string][2][]byte{
		"prepared": {join(bindText("", "s", "17"), describe('P', ""), execute("", 0), syncFrame()), join(bound, frame('T', half(0)), dataRow(strings.Repeat("x", 84)), complete("SELECT 1"), ready('I'))},
		"simple":   {query("SELECT abalance FROM pgbench_accounts WHERE aid = 17"), join(frame('T', half(0)), dataRow("0"), complete("SELECT 1"), ready('I'))},
	}
	for name, e := range exchanges {
		for _, mode := range []workspace.Mode{workspace.Control, workspace.Tenant, workspace.Deployed} {
			f := newFeed()
			f.guard = guardOf(mode, false)
			run := func() {
				if s, err := f.scanFrontend(e[0], &f.guard, 1, time.Second); err != nil || s.pass != len(e[0]) {
					t.Fatalf("%s: passed %d, %v", name, s.pass, err)
				}
				if s, err := f.scanBackend(e[1], 100, 1, time.Second); err != nil || s.pass != len(e[1]) {
					t.Fatalf("%s: passed %d, %v", name, s.pass, err)
				}
			}
			if n := testing.AllocsPerRun(100, run); n != 0 {
				t.Errorf("%s, %s: %v allocations", name, mode, n)
			}
		}
	}
}
