package redis

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tidwall/redcon"
)

// cuts gives every way to receive b that a test of a scanner needs: whole, in
// two at each byte, and one byte at a time. The name says which.
func cuts(b []byte) iter.Seq2[string, [][]byte] {
	return func(yield func(string, [][]byte) bool) {
		if !yield("whole", [][]byte{b}) {
			return
		}
		for at := 1; at < len(b); at++ {
			if !yield(fmt.Sprintf("cut at %d", at), [][]byte{b[:at], b[at:]}) {
				return
			}
		}
		yield("byte by byte", slices.Collect(slices.Chunk(b, 1)))
	}
}

func TestHeaders(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		size int
		bad  string
	}{
		{"*3\r\n", 3, 4, ""}, {"*0\r\n", 0, 4, ""}, {"*-1\r\n", 0, 5, ""}, {"*2147483647\r\n", maxArgs, 13, ""},
		{"*2147483648\r\n", 0, 0, "Protocol error: invalid multibulk length"},
		{"*9223372036854775807\r\n", 0, 0, "Protocol error: invalid multibulk length"},
		{"*99999999999999999999\r\n", 0, 0, "Protocol error: invalid multibulk length"},
		{"*+3\r\n", 0, 0, "Protocol error: invalid multibulk length"}, {"*03\r\n", 0, 0, "Protocol error: invalid multibulk length"},
		{"* 3\r\n", 0, 0, "Protocol error: invalid multibulk length"}, {"*3\n", 0, 0, "Protocol error: invalid multibulk length"},
		{"*\r\n", 0, 0, "Protocol error: invalid multibulk length"}, {"*\n", 0, 0, "Protocol error: invalid multibulk length"},
		{"*" + strings.Repeat("1", maxInline+1), 0, 0, "Protocol error: invalid multibulk length"},
		{"*3\r", 0, 0, errShort.Error()}, {"*", 0, 0, errShort.Error()},
	} {
		n, size, err := commandHeader([]byte(c.in))
		if c.bad != "" {
			if err == nil || err.Error() != c.bad {
				t.Errorf("%.30q: got %v, want %s", c.in, err, c.bad)
			}
			continue
		}
		if err != nil || n != c.n || size != c.size {
			t.Errorf("%.30q: got %d, %d, %v, want %d, %d", c.in, n, size, err, c.n, c.size)
		}
	}
	for in, bad := range map[string]string{
		"$-1\r\n": "Protocol error: invalid bulk length", "$536870913\r\n": "Protocol error: invalid bulk length",
		":1\r\n": "Protocol error: expected '$', got ':'", "\x00": "Protocol error: expected '$', got '?'", "$1": errShort.Error(),
	} {
		if _, _, err := bulkHeader([]byte(in)); err == nil || err.Error() != bad {
			t.Errorf("%q: got %v, want %s", in, err, bad)
		}
	}
	if n, size, err := bulkHeader([]byte("$536870912\r\n")); n != maxBulk || size != 12 || err != nil {
		t.Errorf("the longest bulk: got %d, %d, %v", n, size, err)
	}
}

func TestInlineCommands(t *testing.T) {
	for line, want := range map[string][]string{
		"": nil, " \t ": nil, "PING": {"PING"}, " SET  a\tb \r": {"SET", "a", "b"},
		`"a b" 'c d'`: {"a b", "c d"}, `"\x41\n\t\\\"" '\n\''`: {"A\n\t\\\"", `\n'`}, `""`: {""},
		`a"b c"`: {"ab c"},
	} {
		got, ok := inline([]byte(line))
		if !ok || !slices.EqualFunc(got, want, func(a []byte, b string) bool { return string(a) == b }) {
			t.Errorf("%q: got %q, %v, want %q", line, got, ok, want)
		}
	}
	for _, line := range []string{`"a`, `'a`, `"a"b`, `'a'b`, `"\`} {
		if got, ok := inline([]byte(line)); ok {
			t.Errorf("%q: got %q", line, got)
		}
	}
}

// repliesOfAllTypes are one reply of each type of RESP2 and RESP3, and some in
// each other.
var repliesOfAllTypes = []string{
	"+OK\r\n", "-ERR no\r\n", ":1\r\n", "$0\r\n\r\n", "$3\r\na\r\n\r\n", "$-1\r\n", "*0\r\n", "*-1\r\n", "*2\r\n$1\r\na\r\n:1\r\n",
	"_\r\n", "#t\r\n", ",1.5\r\n", ",inf\r\n", "(3492890328409238509324850943850943825024385\r\n", "!5\r\nERR x\r\n", "=7\r\ntxt:abc\r\n",
	"%1\r\n+a\r\n:1\r\n", "~2\r\n+a\r\n+b\r\n", "|1\r\n+ttl\r\n:3\r\n*1\r\n:1\r\n", "*2\r\n|1\r\n+a\r\n*1\r\n:1\r\n:7\r\n%1\r\n*1\r\n_\r\n~0\r\n",
	"*3\r\n*1\r\n*1\r\n*1\r\n+x\r\n:1\r\n$1\r\nb\r\n", "%0\r\n",
}

func TestRepliesEndWhereTheyDo(t *testing.T) {
	for _, reply := range repliesOfAllTypes {
		for cut, parts := range cuts([]byte(reply)) {
			var v value
			v.begin()
			var buf []byte
			over := false
			for _, part := range parts {
				buf = append(buf, part...)
				n, done, err := v.advance(buf)
				if err != nil {
					t.Fatalf("%q %s: %v", reply, cut, err)
				}
				buf = buf[n:]
				over = done
			}
			if !over || len(buf) > 0 || v.within() {
				t.Errorf("%q %s: not over, %q is left", reply, cut, buf)
			}
		}
	}
	for _, bad := range []string{"x\r\n", "$2x\r\n", "*-2\r\n", "$99999999999\r\n", "*9999999999999\r\n", "+OK\n", "\n", "\r\n", "$?\r\n", "%-2\r\n", "*01\r\n"} {
		var v value
		v.begin()
		if _, _, err := v.advance([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// sink is a backend that keeps what it is sent.
type sink struct {
	net.Conn
	bytes.Buffer
	discard  bool
	of       *relay // answered at once, where it is set
	answered int    // replies
}

func (s *sink) Write(b []byte) (int, error) {
	if s.of != nil {
		s.of.mu.Lock()
		s.answered += s.of.owed.n
		s.of.owed = owedQueue{}
		s.of.mu.Unlock()
	}
	if s.discard {
		return len(b), nil
	}
	return s.Buffer.Write(b)
}

func (s *sink) Read(b []byte) (int, error) { return s.Buffer.Read(b) }

// SetReadDeadline does nothing: no read waits.
func (s *sink) SetReadDeadline(time.Time) error { return nil }

// newBench is a relay without sockets.
func newBench(s workspace.Settings) (*relay, *sink) {
	to := &sink{}
	live := workspace.NewLive(workspace.Workspace{ID: 1, Name: "shop", Settings: s})
	p := &Protocol{commands: newCommands(), prologue: "p;", spaces: make(map[int64]*space), unknown: map[judgedName]*command{}, administrators: &administrators{}}
	front, _ := net.Pipe()
	r := &relay{protocol: p, front: tls.Server(front, nil), live: live, route: workspace.Route{Live: live, Database: "7"}, space: &space{}, channels: newChannels("7"),
		back: &backend{conn: to}, log: slog.New(slog.DiscardHandler)}
	r.life.Begin(&r.mu, r.front, to)
	return r, to
}

// feed gives the frontend's direction bytes as they arrive.
func (r *relay) feed(parts ...[]byte) error {
	for _, part := range parts {
		for len(part) > 0 {
			in := bytes.NewReader(part)
			if err := r.fromFrontend.Fill(in); err != nil {
				return err
			}
			part = part[len(part)-in.Len():]
			if err := r.forwardFrontend(); err != nil {
				return err
			}
		}
	}
	return nil
}

// conversations are what clients send, and what of it the server gets.
var conversations = []struct{ in, out string }{
	{"*1\r\n$4\r\nPING\r\n", "*1\r\n$4\r\nPING\r\n"},
	{"PING\r\n\r\nSET a \"b c\"\n", "*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\nb c\r\n"},
	{"*0\r\n*-1\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "*0\r\n*-1\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"},
	{"*3\r\n$3\r\nset\r\n$1\r\nk\r\n$4\r\n\r\n*1\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n9\r\n", "*3\r\n$3\r\nset\r\n$1\r\nk\r\n$4\r\n\r\n*1\r\n" + marker},
	{"*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$1\r\nm\r\n", "*3\r\n$7\r\npublish\r\n$3\r\n7:c\r\n$1\r\nm\r\n"},
	{"*2\r\n$7\r\nMONITOR\r\n$5\r\nx\r\nyz\r\n*1\r\n$4\r\nPING\r\n", marker + "*1\r\n$4\r\nPING\r\n"},
	{"*2\r\n$9\r\nSUBSCRIBE\r\n$14\r\n__keyspace@0__\r\n", "*2\r\n$9\r\nsubscribe\r\n$16\r\n7:__keyspace@0__\r\n"},
	{"*2\r\n$9\r\nSUBSCRIBE\r\n$16\r\n__keyspace@0__:a\r\n", "*2\r\n$9\r\nsubscribe\r\n$16\r\n__keyspace@7__:a\r\n"},
	{"*2\r\n$10\r\nPSUBSCRIBE\r\n$2\r\na*\r\n", "*2\r\n$10\r\nPSUBSCRIBE\r\n$3\r\n7:*\r\n"},
}

func TestCommandsCutAnywhere(t *testing.T) {
	for _, c := range conversations {
		for cut, parts := range cuts([]byte(c.in)) {
			r, to := newBench(workspace.Settings{})
			if err := r.feed(parts...); err != nil {
				t.Fatalf("%q %s: %v", c.in, cut, err)
			}
			if got := to.String(); got != c.out {
				t.Errorf("%q %s:\ngot  %q\nwant %q", c.in, cut, got, c.out)
			}
		}
	}
}

func TestHiddenCommandsCutAnywhere(t *testing.T) {
	in := "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*3\r\n$5\r\nLPUSH\r\n$1\r\nl\r\n$1\r\nv\r\n*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n"
	whole, to := newBench(workspace.Settings{DefaultTTL: 5})
	if err := whole.feed([]byte(in)); err != nil {
		t.Fatal(err)
	}
	want := to.String()
	if !strings.HasPrefix(want, "*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nEX\r\n$1\r\n5\r\n*1\r\n$5\r\nMULTI\r\n*4\r\n$9\r\nPEXPIREAT\r\n") {
		t.Errorf("got %q", want)
	}
	for cut, parts := range cuts([]byte(in)) {
		r, to := newBench(workspace.Settings{DefaultTTL: 5})
		if err := r.feed(parts...); err != nil {
			t.Fatal(err)
		}
		if got := to.String(); got != want || r.owed.n != whole.owed.n {
			t.Fatalf("%s:\ngot  %q\nwant %q", cut, got, want)
		}
	}
}

func TestBrokenCommandsEndTheSession(t *testing.T) {
	for in, want := range map[string]string{
		"*1\r\n$9223372036854775807\r\n": "Protocol error: invalid bulk length", "*1\r\n:1\r\n": "Protocol error: expected '$', got ':'",
		"*x\r\n": "Protocol error: invalid multibulk length", "GET \"a\r\n": "Protocol error: unbalanced quotes in request",
		strings.Repeat("a", maxInline+2): "Protocol error: too big inline request", "*2\r\n$3\r\nGET\r\n$-1\r\n": "Protocol error: invalid bulk length",
	} {
		r, _ := newBench(workspace.Settings{})
		err := r.feed([]byte(in))
		if bad, ok := errors.AsType[protocolError](err); !ok || bad.Error() != want {
			t.Errorf("%.40q: got %v, want %s", in, err, want)
		}
	}
}

func TestAPassedCommandAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector allocates by itself")
		return
	}
	r, to := newBench(workspace.Settings{})
	to.discard = true
	batch := bytes.Repeat([]byte("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"), 8)
	answer := bytes.Repeat([]byte("+OK\r\n$5\r\nvalue\r\n"), 8)
	in, out := bytes.NewReader(nil), bytes.NewReader(nil)
	got := testing.AllocsPerRun(1000, func() {
		in.Reset(batch)
		for in.Len() > 0 {
			if err := r.fromFrontend.Fill(in); err != nil {
				t.Fatal(err)
			}
			if err := r.forwardFrontend(); err != nil {
				t.Fatal(err)
			}
		}
		out.Reset(answer)
		for out.Len() > 0 {
			if err := r.fromBackend.Fill(out); err != nil {
				t.Fatal(err)
			}
			b := r.fromBackend.Bytes()
			pos, _, _, err := r.scanBackend(b)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.replies.write(io.Discard, b, pos); err != nil {
				t.Fatal(err)
			}
			r.fromBackend.Discard(pos)
			r.replies.from = 0
		}
	})
	if got != 0 || r.owed.n != 0 {
		t.Errorf("%v allocations for 16 commands and replies, %d owed", got, r.owed.n)
	}
}

// FuzzFrontend gives the frontend's direction any bytes, in two pieces: it ends
// in an error or not, holds a bounded window, and sends the same for any cut.
func FuzzFrontend(f *testing.F) {
	for _, c := range conversations {
		f.Add([]byte(c.in), uint16(3), true)
		f.Add([]byte(c.in), uint16(9), false)
	}
	f.Add([]byte("*3\r\n$4\r\nEVAL\r\n$1\r\n1\r\n$1\r\n0\r\n"), uint16(2), true)
	f.Add([]byte("*5\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n"), uint16(2), true)
	f.Add([]byte("CLIENT TRACKING ON BCAST PREFIX a REDIRECT 1 NOLOOP\r\nHELLO 3\r\nCLIENT TRACKINGINFO\r\nRESET\r\n"), uint16(40), true)
	f.Add([]byte("EVAL \"redis.call('publish',KEYS[1],1)\" 1 a\r\nEVALSHA "+unknownScript+" 0\r\nSCRIPT LOAD publish\r\nSCRIPT EXISTS a\r\n"), uint16(20), false)
	f.Add([]byte("PSUBSCRIBE a*\r\nPUBLISH a b\r\nPUBSUB NUMPAT\r\nINFO\r\nCLIENT KILL TYPE pubsub SKIPME no\r\n"), uint16(30), true)
	f.Fuzz(func(t *testing.T, in []byte, cut uint16, rules bool) {
		settings := workspace.Settings{}
		if rules {
			settings.DefaultTTL = 9
		}
		whole, to := newBench(settings)
		to.of = whole
		errWhole := whole.feed(in)
		at := min(int(cut), len(in))
		parts, piecesTo := newBench(settings)
		piecesTo.of = parts
		errParts := parts.feed(in[:at], in[at:])
		if (errWhole == nil) != (errParts == nil) {
			t.Fatalf("whole: %v, cut at %d: %v", errWhole, at, errParts)
		}
		if errWhole == nil && (to.String() != piecesTo.String() || to.answered != piecesTo.answered) {
			t.Fatalf("cut at %d:\ngot  %q\nwant %q", at, piecesTo.String(), to.String())
		}
	})
}

// FuzzBackend gives the backend's direction any bytes while replies of every
// kind are owed: it ends in an error or not, and never panics.
func FuzzBackend(f *testing.F) {
	for _, reply := range repliesOfAllTypes {
		f.Add([]byte(reply+reply), uint8(0), uint16(3))
	}
	f.Add([]byte("*3\r\n$9\r\nsubscribe\r\n$3\r\n7:c\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$3\r\n7:c\r\n$1\r\nm\r\n"), uint8(7), uint16(9))
	f.Add([]byte("$68\r\nid=7 addr=/s:0 laddr=/s:0 fd=8 name= flags=U db=7 multi=-1 user=x resp=2\n\r\n"), uint8(11), uint16(9))
	f.Add([]byte(">3\r\n$7\r\nmessage\r\n$19\r\n__keyevent@7__:set\r\n"+string(redcon.AppendBulkString(nil, newSign()))), uint8(0), uint16(60))
	f.Add([]byte("+QUEUED\r\n*3\r\n:1\r\n:2\r\n$-1\r\n"), uint8(4), uint16(9))
	f.Add([]byte("*2\r\n>4\r\n$8\r\npmessage\r\n$17\r\n__keyspace@7__:**\r\n$16\r\n__keyspace@7__:k\r\n$3\r\nset\r\n:1\r\n*1\r\n>3\r\n$7\r\nmessage\r\n$3\r\n7:c\r\n$1\r\nm\r\n$1\r\nx\r\n"), uint8(0), uint16(60))
	f.Fuzz(func(t *testing.T, in []byte, first uint8, cut uint16) {
		run := func(parts ...[]byte) (string, error) {
			r, _ := newBench(workspace.Settings{})
			kinds := []reply{{kind: passed}, {kind: swallowed}, {kind: replaced, text: "+x"}, {kind: greeted, text: "3"}, {kind: queued},
				{kind: wrapped}, {kind: executed, shape: []bool{true, false}}, {kind: confirmed, n: 2}, {kind: confirmed, all: true},
				{kind: confirmed, pattern: &listener{pattern: "a*"}}, {kind: translated, translation: &scriptName{client: "a", server: "b", loaded: true}}, {kind: translated, translation: &sight{command: "client|info"}}, {kind: surveyed, move: &move{}}, {kind: moved, move: &move{}},
				{kind: executed, translations: map[int]translation{0: &sight{command: "client|list"}, 2: &scriptName{client: "a", server: "b"}}},
				{kind: translated, translation: published("a")}, {kind: executed, muted: true, translations: map[int]translation{1: published("a")}}}
			for i := range kinds {
				k := kinds[(i+int(first))%len(kinds)]
				k.n = max(k.n, 1)
				r.owed.push(k)
			}
			var out bytes.Buffer
			for _, part := range parts {
				for len(part) > 0 {
					from := bytes.NewReader(part)
					if err := r.fromBackend.Fill(from); err != nil {
						return "", err
					}
					part = part[len(part)-from.Len():]
					if err := r.forwardTo(&out); err != nil {
						return "", err
					}
				}
			}
			return out.String(), nil
		}
		at := min(int(cut), len(in))
		whole, errWhole := run(in)
		pieces, errPieces := run(in[:at], in[at:])
		if (errWhole == nil) != (errPieces == nil) || whole != pieces {
			t.Fatalf("cut at %d: got %q, %v, want %q, %v", at, pieces, errPieces, whole, errWhole)
		}
	})
}

// forwardTo is forwardBackend without a client.
func (r *relay) forwardTo(client io.Writer) error {
	b := r.fromBackend.Bytes()
	pos, need, limit, err := r.scanBackend(b)
	if werr := r.replies.write(client, b, pos); werr != nil {
		return werr
	}
	r.fromBackend.Discard(pos)
	r.replies.from = 0
	if err == nil {
		err = hold(&r.fromBackend, need, limit)
	}
	return err
}
