package postgres

import (
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// brokenClients are what no client sends: each ends with an error of
// PostgreSQL's or with the connection, never with more.
func brokenClients() map[string]func(t *testing.T, w *world) []byte {
	plain := func(said []byte) func(*testing.T, *world) []byte {
		return func(t *testing.T, w *world) []byte { return sayAndLeave(t, w.dialRaw(t), said) }
	}
	secured := func(said []byte) func(*testing.T, *world) []byte {
		return func(t *testing.T, w *world) []byte { return sayAndLeave(t, w.dialTLS(t), said) }
	}
	password := func(frames ...[]byte) func(*testing.T, *world) []byte {
		return func(t *testing.T, w *world) []byte {
			return sayAndLeave(t, w.dialTLS(t), append([][]byte{startupOf(w)}, frames...)...)
		}
	}
	session := func(frames ...[]byte) func(*testing.T, *world) []byte {
		return func(t *testing.T, w *world) []byte { return sayAndLeave(t, rawWire(t, w.connect(t)).conn, frames...) }
	}
	return map[string]func(*testing.T, *world) []byte{
		"nothing":                        plain(nil),
		"half a length":                  plain([]byte{0, 0}),
		"HTTP":                           plain([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")),
		"negative length":                plain(word(-1)),
		"huge length":                    plain(append(word(0x7fffffff), word(protocolMajor<<16)...)),
		"half a ClientHello":             plain([]byte{recordTypeHandshake, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}),
		"half a startup":                 secured(word(1000)),
		"huge startup":                   secured(append(word(0x7fffffff), word(protocolMajor<<16)...)),
		"cancel without a key":           secured(append(word(8), word(cancelRequestCode)...)),
		"query instead of a password":    password(query("select 1")),
		"huge password":                  password(header('p', 0x3fffffff)),
		"password over 4 GiB":            password(header('p', 0xffffffff)),
		"empty password":                 password(frame('p')),
		"unknown mechanism":              password(frame('p', str("PLAIN"), word(0))),
		"response longer than its frame": password(frame('p', str(mechanism), word(1000), []byte("n,,"))),
		"no SCRAM":                       password(frame('p', str(mechanism), word(4), []byte("n,,x"))),
		"binary SCRAM":                   password(frame('p', str(mechanism), word(4), []byte{0xff, 0xfe, 0, 1})),
		"SCRAM final first":              password(frame('p', str(mechanism), word(11), []byte("c=biws,r=,p"))),
		"password twice":                 password(frame('p', str(mechanism), word(18), []byte("n,,n=,r=0123456789")), frame('p', []byte("c=biws,r=x,p=eA=="))),
		"unknown message":                session(frame('!')),
		"password in a session":          session(frame('p', str("again"))),
		"startup in a session":           session(startupMessage(0, "user", "x")),
		"negative frame":                 session(header('Q', 0xffffffff)),
		"short frame":                    session(header('Q', 3)),
		"frame over 1 GiB":               session(header('Q', maxFrame+1)),
		"wrapping lengths":               session(query("select 1"), header('B', 0xfffffffc)),
		"half a query":                   session(header('Q', 100), []byte("select")),
		"unterminated query":             session(frame('Q', []byte("select 1"))),
		"empty bind":                     session(frame('B'), frame('E'), syncFrame()),
		"half an execute":                session(header('E', 100), []byte("p")),
		"negative parameter":             session(parse("", "select $1"), frame('B', str(""), str(""), half(0), half(1), word(-7), half(0)), syncFrame()),
		"copy out of nowhere":            session(copyDone(), copyFail("x"), copyData("x"), syncFrame()),
		"query within a copy":            session(query("create temp table t(i int); copy t from stdin"), query("select 1")),
		"goodbye within a frame":         session(header('Q', 100), terminateFrame()),
	}
}

// sayAndLeave says it, closes the writing side, and gives what was answered.
func sayAndLeave(t *testing.T, conn net.Conn, said ...[]byte) []byte {
	t.Helper()
	_, _ = conn.Write(join(said...)) // the other side may have had enough
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	answer, _ := io.ReadAll(io.LimitReader(conn, 1<<20))
	conn.Close()
	return answer
}

func TestBrokenClientsHarmNobody(t *testing.T) {
	w := newWorld(t, withHandshakeTimeout(5*time.Second))
	bystander := w.connect(t)
	for name, broken := range brokenClients() {
		t.Run(name, func(t *testing.T) {
			broken(t, w)
			if got := one(t, bystander, "select 1"); got != "1" {
				t.Errorf("a session beside it: got %q, want 1", got)
			}
		})
	}
	w.leaveNothing(t)
	if got := one(t, w.connect(t), "select 1"); got != "1" {
		t.Errorf("the next session: got %q, want 1", got)
	}
}

// leaveNothing waits until only the sessions that tests hold are open.
func (w *world) leaveNothing(t *testing.T) {
	t.Helper()
	wiretest.Await(t, "the broken sessions ended", func() bool {
		w.protocol.cancels.mu.Lock()
		defer w.protocol.cancels.mu.Unlock()
		return len(w.protocol.cancels.relays) <= 1
	})
}

func TestMalformedFramesEndTheSessionWithAnError(t *testing.T) {
	w := newWorld(t)
	for name, said := range map[string][]byte{
		"unknown type": frame('!'), "negative length": header('Q', 0xffffffff), "short length": header('Q', 3), "over 1 GiB": header('Q', maxFrame+1), "password": frame('p', str("x")),
	} {
		t.Run(name, func(t *testing.T) {
			wire := rawWire(t, w.connect(t))
			wire.send(said)
			wire.told(codeProtocolViolation)
		})
	}
}

func TestAThousandBrokenConnectionsLeaveNothingBehind(t *testing.T) {
	w := newWorld(t, withHandshakeTimeout(20*time.Second))
	kinds := brokenClients()
	names := make([]string, 0, len(kinds))
	for name := range kinds {
		if !strings.Contains(name, "password") && !strings.Contains(name, "SCRAM") && !strings.Contains(name, "response") && !strings.Contains(name, "mechanism") {
			names = append(names, name) // failed logins are slowed down, and told apart below
		}
	}
	mustExec(t, w.connect(t), "select 1") // the session that stays is under way
	w.leaveNothing(t)
	goroutines, files := runtime.NumGoroutine(), wiretest.OpenFiles(t)
	var all sync.WaitGroup
	next := make(chan string)
	for range 8 {
		all.Go(func() {
			for name := range next {
				kinds[name](t, w)
			}
		})
	}
	for n := range 1000 {
		next <- names[n%len(names)]
	}
	close(next)
	all.Wait()
	w.leaveNothing(t)
	w.protocol.pool.Forget(w.live.ID)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("goroutines: %d at the start\n%s", goroutines, stacks())
		}
	})
	wiretest.Await(t, "all goroutines ended", func() bool { return runtime.NumGoroutine() <= goroutines })
	wiretest.Await(t, "all files are closed", func() bool { return wiretest.OpenFiles(t) <= files })
}

// stacks is where every goroutine is.
func stacks() []byte {
	all := make([]byte, 1<<20)
	return all[:runtime.Stack(all, true)]
}

// A client that says a little and then nothing ends at the handshake's
// deadline, wherever it stops.
func TestSlowClientsEndAtTheDeadline(t *testing.T) {
	w := newWorld(t, withHandshakeTimeout(4*time.Second))
	first := frame('p', str(mechanism), word(18), []byte("n,,n=,r=0123456789"))
	steps := map[string]func(t *testing.T) net.Conn{
		"before a word":            w.slow(false, nil),
		"within SSLRequest":        w.slow(false, sslRequest()[:5]),
		"after GSSENCRequest":      w.slow(false, gssEncRequest()),
		"before the TLS handshake": w.slow(false, sslRequest()),
		"within the TLS handshake": w.slow(false, join(sslRequest(), []byte{recordTypeHandshake, 3, 1, 1, 0})),
		"within direct TLS":        w.slow(false, []byte{recordTypeHandshake, 3, 1}),
		"before the startup":       w.slow(true, nil),
		"within the startup":       w.slow(true, startupOf(w)[:20]),
		"before the password":      w.slow(true, startupOf(w)),
		"within the password":      w.slow(true, join(startupOf(w), first[:9])),
		"before the proof":         w.slow(true, join(startupOf(w), first)),
	}
	var all sync.WaitGroup
	for name, step := range steps {
		all.Go(func() {
			conn := step(t)
			began := time.Now()
			answers(t, conn)
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("%s: ended after %v", name, took)
			}
		})
	}
	all.Wait()
	if len(w.watched.Relays()) != 0 {
		t.Error("a session began")
	}
}

// slow says something, in TLS or not, and then nothing.
func (w *world) slow(secured bool, said []byte) func(*testing.T) net.Conn {
	return func(t *testing.T) net.Conn {
		t.Helper()
		var conn net.Conn
		if secured {
			conn = w.dialTLS(t)
		} else {
			conn = w.dialRaw(t)
		}
		if _, err := conn.Write(said); err != nil {
			t.Error(err)
		}
		return conn
	}
}

// Strangers who claim to send much must not make the proxy set memory aside.
func TestMemoryBeforeAuthenticationIsBounded(t *testing.T) {
	const strangers = 200 // as many as one address may have at once, with room to spare
	w := newWorld(t, withHandshakeTimeout(time.Minute))
	conns := make([]*tls.Conn, strangers)
	for i := range conns {
		conns[i] = w.dialTLS(t)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i, conn := range conns {
		said := append(word(maxStartup), word(protocolMajor<<16)...)
		if i%2 == 1 {
			said = join(startupOf(w), header('p', maxSASL-1))
		}
		if _, err := conn.Write(said); err != nil {
			t.Fatal(err)
		}
	}
	for _, conn := range conns[1:2] {
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > strangers*(32<<10) {
		t.Errorf("%d strangers hold %d kB, want at most 32 kB each", strangers, grown>>10)
	}
}
