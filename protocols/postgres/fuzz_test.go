package postgres

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"testing"

	"github.com/tenantsdb/tenantsdb/protocols"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// seedTurns gives one side's words of every conversation as a seed.
func seedTurns(f *testing.F, from byte, add func([]byte)) {
	f.Helper()
	for _, c := range conversations() {
		var said []byte
		for _, u := range c.turns {
			if u.from == from {
				said = append(said, u.text...)
			}
		}
		add(said)
	}
}

// FuzzScanFrontend holds that what passes is what came, in its order, that
// little is held, and that it makes no difference how the bytes arrive.
func FuzzScanFrontend(f *testing.F) {
	seedTurns(f, 'F', func(b []byte) {
		f.Add(b, 7, true)
		f.Add(b, 1, false)
	})
	f.Add(header('Q', maxFrame+1), 3, true)
	f.Add(query("EXPLAIN ANALYZE SELECT 1 INTO x"), 9, true)
	f.Fuzz(func(t *testing.T, said []byte, cut int, tracked bool) {
		scanInParts(t, said, cut, tracked, false)
		scanInParts(t, said, cut, tracked, true)
	})
}

// scanInParts compares what a client said as a whole and in parts; limited says
// that there is a row limit.
func scanInParts(t *testing.T, said []byte, cut int, tracked, limited bool) {
	t.Helper()
	whole, parts := trackedFeed(tracked), trackedFeed(tracked)
	whole.batch.limited, parts.batch.limited = limited, limited
	whole.frontend(said)
	for part := range slices.Chunk(said, max(cut, 1)) {
		parts.frontend(part)
	}
	if passed := len(whole.toBackend) + len(whole.front); passed > len(said) {
		t.Fatalf("%d bytes came, %d passed or held", len(said), passed)
	}
	if len(whole.verdicts) == 0 && !bytes.HasPrefix(said, whole.toBackend) {
		t.Fatalf("passed %q of %q", whole.toBackend, said)
	}
	if whole.ended == nil && !whole.settling && len(whole.front) >= maxStatement {
		t.Fatalf("%d bytes held", len(whole.front))
	}
	sameEnd(t, whole, parts)
	if !bytes.Equal(whole.toBackend, parts.toBackend) {
		t.Fatalf("whole %q, in parts %q", whole.toBackend, parts.toBackend)
	}
}

// FuzzScanBackend holds the same of what a server says to a client that asked
// for all kinds of things.
func FuzzScanBackend(f *testing.F) {
	asked := join(query("a"), extended("b", 2), extended("c", 0), syncFrame(), copyDone(), frame('F'), query("d"), query("e"))
	seedTurns(f, 'B', func(b []byte) {
		f.Add(b, 7, int64(0))
		f.Add(b, 1, int64(1))
	})
	f.Add(header('D', maxFrame+1), 3, int64(1))
	f.Fuzz(func(t *testing.T, said []byte, cut int, maxRows int64) {
		whole, parts := newFeed(), newFeed()
		whole.maxRows, parts.maxRows = maxRows, maxRows
		whole.frontend(asked)
		parts.frontend(asked)
		whole.backend(said)
		for part := range slices.Chunk(said, max(cut, 1)) {
			parts.backend(part)
		}
		if len(whole.verdicts) == 0 && len(whole.toUser)+len(whole.back) > len(said) {
			t.Fatalf("%d bytes came, %d passed or held", len(said), len(whole.toUser)+len(whole.back))
		}
		if whole.ended == nil && len(whole.back) >= maxInspected {
			t.Fatalf("%d bytes held", len(whole.back))
		}
		sameEnd(t, whole, parts)
		if !bytes.Equal(whole.toUser, parts.toUser) {
			t.Fatalf("whole %q, in parts %q", whole.toUser, parts.toUser)
		}
	})
}

func sameEnd(t *testing.T, whole, parts *feed) {
	t.Helper()
	if (whole.ended == nil) != (parts.ended == nil) || whole.owed.n != parts.owed.n || whole.status != parts.status || whole.rows != parts.rows {
		t.Fatalf("whole: %v, %d owed, status %c, %d rows; in parts: %v, %d owed, status %c, %d rows",
			whole.ended, whole.owed.n, whole.status, whole.rows, parts.ended, parts.owed.n, parts.status, parts.rows)
	}
}

// FuzzStartup is all that a stranger can say before TLS, and after it up to
// the password.
func FuzzStartup(f *testing.F) {
	cert := wiretest.NewCertificate(f)
	login := startupMessage(0, "user", testUser, "database", "shop", "options", "-c geqo=off")
	for _, said := range [][]byte{
		login, startupMessage(2, "user", "u", "_pq_.grease", "1"), startupMessage(9999),
		sslRequest(), gssEncRequest(), join(gssEncRequest(), sslRequest()), join(sslRequest(), login),
		join(gssEncRequest(), gssEncRequest()), append(word(16), append(word(cancelRequestCode), make([]byte, 8)...)...),
		word(0x7fffffff), word(7), {recordTypeHandshake, 3, 1, 0, 1, 0, 0, 0, 0}, startupMessage(0, "user"), startupMessage(0, "", "x"),
		startupMessage(0, "user", "u", "replication", "database"),
	} {
		f.Add(said)
	}
	p := New(Config{TLS: cert.Server("postgresql")})
	f.Cleanup(p.Close)
	f.Fuzz(func(t *testing.T, said []byte) {
		conn := wiretest.NewRecording(said)
		st, err := p.readStartup(context.Background(), conn)
		if err == nil {
			t.Fatalf("%+v let in without TLS", st)
		}
		if errors.Is(err, protocols.ErrServed) && len(conn.Written) > 2 {
			t.Fatalf("cancel request answered with %q", conn.Written)
		}
		after := wiretest.NewRecording(nil)
		inside := &startup{conn: tls.Server(after, cert.Server("postgresql"))}
		if err := inside.parse(0, said); err == nil && inside.user == "" {
			t.Fatal("a startup without a user")
		}
	})
}

// FuzzSASL reads a SASLInitialResponse.
func FuzzSASL(f *testing.F) {
	response := func(name, first string) []byte { return frame('p', str(name), word(len(first)), []byte(first)) }
	f.Add(response(mechanism, "n,,n=,r=abc"), true)
	f.Add(response(mechanismPlus, "p=tls-server-end-point,,n=,r=abc"), true)
	f.Add(response(mechanism, "y,,n=,r=abc"), true)
	f.Add(frame('p', str(mechanism), word(-1)), false)
	f.Add(header('p', 0x3fffffff), false)
	f.Add(frame('p'), false)
	f.Fuzz(func(t *testing.T, said []byte, plus bool) {
		conn := wiretest.NewRecording(said)
		first, err := readInitialResponse(conn, plus)
		if err != nil && first != "" {
			t.Fatalf("%q with %v", first, err)
		}
		if read := len(said) - conn.Len(); read > maxSASL {
			t.Fatalf("read %d bytes", read)
		}
	})
}

// FuzzErrorCode reads a field of an ErrorResponse.
func FuzzErrorCode(f *testing.F) {
	f.Add(errorFrame("ERROR", "22012", "division by zero")[headerLen:])
	f.Add([]byte("C"))
	f.Add([]byte("C22012"))
	f.Add([]byte("S\x00C22012\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		code := errorCode(body)
		if bytes.IndexByte(code, 0) >= 0 {
			t.Fatalf("code %q", code)
		}
		if code != nil && !bytes.Contains(body, append([]byte("C"), code...)) {
			t.Fatalf("code %q of %q", code, body)
		}
	})
}
