package postgres

import (
	"bytes"
	"encoding/binary"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// The backend's side of a startup, after which it takes statements.
func welcome() []byte {
	return join(frame('R', word(0)), frame('S', str("server_version"), str("15.0")), frame('K', word(77), word(88)), ready('I'))
}

// scripted is a server that welcomes whoever starts a session and then answers
// its first statement with answer; it resets when asked to, and closes.
func scripted(answer func(conn net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		if !readStartupOf(conn) {
			return
		}
		if _, err := conn.Write(welcome()); err != nil {
			return
		}
		if readQuery(conn) {
			answer(conn)
		}
	}
}

// readStartupOf reads a startup packet; false for anything but a session.
func readStartupOf(conn net.Conn) bool {
	var head [8]byte
	if err := readFull(conn, head[:]); err != nil {
		return false
	}
	size := binary.BigEndian.Uint32(head[:])
	return binary.BigEndian.Uint32(head[4:])>>16 == protocolMajor && readFull(conn, make([]byte, size-8)) == nil
}

// readQuery reads one frame; false where it is no Query.
func readQuery(conn net.Conn) bool {
	wire := &wire{conn: conn}
	m, err := wire.receive()
	return err == nil && m.typ == 'Q'
}

// says writes it and closes.
func says(frames ...[]byte) func(net.Conn) {
	return func(conn net.Conn) { _, _ = conn.Write(join(frames...)) }
}

func TestBackendFaults(t *testing.T) {
	own := errorFrame("FATAL", "57P01", "the server's own words")
	nameless := frame('E', []byte("SERROR\x00Mno code\x00\x00"))
	huge := frame('E', []byte("SERROR\x00C22012\x00M"), bytes.Repeat([]byte("x"), 20<<20), []byte{0, 0})
	for name, c := range map[string]struct {
		answer func(net.Conn)
		want   string // the messages' types
		code   string // of the last error
	}{
		"closes silently":            {says(), "E", codeConnectionFailure},
		"closes after a row":         {says(dataRow("1")), "DE", codeConnectionFailure},
		"dies within a header":       {says(dataRow("1"), []byte{'D', 0}), "DE", codeConnectionFailure},
		"dies within a frame":        {says(dataRow("1"), header('D', 100), []byte("half")), "D", ""},
		"dies within a held frame":   {says(header('C', 100), []byte("SEL")), "E", codeConnectionFailure},
		"negative length":            {says(dataRow("1"), header('D', 0xffffffff)), "DE", codeProtocolViolation},
		"short length":               {says(header('D', 3)), "E", codeProtocolViolation},
		"over 1 GiB":                 {says(header('D', maxFrame+1)), "E", codeProtocolViolation},
		"ready without a status":     {says(frame('Z')), "E", codeProtocolViolation},
		"fatal error, then closes":   {says(own), "E", "57P01"},
		"error without SQLSTATE":     {says(nameless, ready('I')), "EZE", codeConnectionFailure},
		"huge error":                 {says(huge, ready('I')), "EZE", codeConnectionFailure},
		"more answers than asked":    {says(complete("A"), ready('I'), ready('I'), complete("B"), ready('I')), "CZZCZE", codeConnectionFailure},
		"frames of unknown types":    {says(frame('~', []byte("?")), complete("A"), ready('I')), "~CZE", codeConnectionFailure},
		"complete without a tag":     {says(frame('C'), ready('I')), "CZE", codeConnectionFailure},
		"unterminated error":         {says(frame('E', []byte("SERROR")), ready('I')), "EZE", codeConnectionFailure},
		"notice without any field":   {says(frame('N'), complete("A"), ready('I')), "NCZE", codeConnectionFailure},
		"copy that never was":        {says(frame('c'), copyData("x"), complete("A"), ready('I')), "cdCZE", codeConnectionFailure},
		"copy responses all at once": {says(copyIn, copyOut, binary1, frame('W'), complete("A"), ready('I')), "GHHWCZE", codeConnectionFailure},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withBackend(wiretest.NewPeer(t, scripted(c.answer)).Addr))
			wire := rawWire(t, w.connect(t))
			wire.send(query("select 1"))
			all := wire.rest()
			if types(all) != c.want {
				t.Fatalf("got %s %v, want %s", types(all), firstError(all), c.want)
			}
			if last := all[len(all)-1]; c.code != "" && last.field('C') != c.code {
				t.Errorf("got %v, want %s", last, c.code)
			}
			wiretest.Await(t, "the session ended", func() bool {
				r := w.last()
				r.mu.Lock()
				defer r.mu.Unlock()
				return r.ended
			})
			if got := w.protocol.pool.Idle(); got != 0 {
				t.Errorf("warm backends: got %d, want none", got)
			}
		})
	}
}

func TestBackendFaultsAtLogin(t *testing.T) {
	for name, c := range map[string]struct {
		script  func(net.Conn)
		code    string
		message string
	}{
		"closes at once":       {says(), codeConnectionFailure, "can't be reached"},
		"not PostgreSQL":       {says([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")), codeConnectionFailure, "can't be reached"},
		"huge frame":           {says(header('R', 0x3fffffff)), codeConnectionFailure, "can't be reached"},
		"unknown method":       {says(frame('R', word(99))), codeConnectionFailure, "can't be reached"},
		"our password refused": {says(errorFrame("FATAL", "28P01", "no entry for host 10.0.0.7")), codeConnectionFailure, "can't be reached"},
		"full":                 {says(errorFrame("FATAL", "53300", "sorry, too many clients already")), codeTooManyConnections, "too many clients"},
		"starting up":          {says(errorFrame("FATAL", "57P03", "the database system is starting up")), codeCannotConnectNow, "starting up"},
		"error without a code": {says(frame('E', []byte("SFATAL\x00Mnameless\x00\x00"))), codeConnectionFailure, "can't be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			script := func(conn net.Conn) {
				if readStartupOf(conn) {
					c.script(conn)
				}
			}
			w := newWorld(t, withBackend(wiretest.NewPeer(t, script).Addr))
			err := refusal(t, w.config(t))
			if strings.Contains(err.Message, "10.0.0.7") {
				t.Errorf("got %q, want nothing of how we log in", err.Message)
			}
			if err.Code != c.code || err.Severity != "FATAL" || !strings.Contains(err.Message, c.message) {
				t.Errorf("got %s %q, want %s %q", err.Code, err.Message, c.code, c.message)
			}
		})
	}
}

func TestAnAbsentBackendIsSaidWithoutItsAddress(t *testing.T) {
	w := newWorld(t, withBackend("/nowhere/at/all"))
	err := refusal(t, w.config(t))
	if err.Code != codeConnectionFailure || strings.Contains(err.Message+err.Hint+err.Detail, "nowhere") {
		t.Errorf("got %+v, want 08006 and no address", err)
	}
	wiretest.Await(t, "the log names the address", func() bool { return strings.Contains(w.log.String(), "nowhere") })
}

// A role whose password was changed behind our back is put right, once a
// login.
func TestARefusedRoleIsRestored(t *testing.T) {
	for name, healed := range map[string]bool{"restored": true, "still refused": false} {
		t.Run(name, func(t *testing.T) {
			var good atomic.Bool
			peer := wiretest.NewPeer(t, func(conn net.Conn) {
				if !readStartupOf(conn) {
					return
				}
				if !good.Load() {
					says(errorFrame("FATAL", "28P01", "password authentication failed"))(conn)
					return
				}
				_, _ = conn.Write(welcome())
				readQuery(conn)
			})
			w := newWorld(t, withBackend(peer.Addr))
			w.restorer.Before(func() error {
				good.Store(healed)
				return nil
			})
			if healed {
				w.connect(t)
			} else if err := refusal(t, w.config(t)); err.Code != codeConnectionFailure {
				t.Errorf("got %v, want 08006", err)
			}
			if got := w.restorer.Records(); got != 1 {
				t.Errorf("restored %d times, want once", got)
			}
		})
	}
}

// A server that refuses for another reason than being full costs no warm
// backend, of this workspace or another.
func TestOnlyAFullServerEvictsWarmBackends(t *testing.T) {
	w := newWorld(t)
	w.leave(t, w.connect(t))
	c := w.config(t)
	c.RuntimeParams["work_mem"] = "much"
	refusal(t, c)
	if got := w.protocol.pool.Idle(); got != 1 {
		t.Errorf("warm backends: got %d, want 1", got)
	}
}

func TestAnEvictedBackendMakesRoom(t *testing.T) {
	full := make(chan bool, 2)
	peer := wiretest.NewPeer(t, func(conn net.Conn) {
		if !readStartupOf(conn) {
			return
		}
		select {
		case <-full:
			says(errorFrame("FATAL", "53300", "sorry, too many clients already"))(conn)
			return
		default:
		}
		_, _ = conn.Write(welcome())
		for readQuery(conn) {
			_, _ = conn.Write(join(complete("DISCARD ALL"), ready('I')))
		}
	})
	w := newWorld(t, withBackend(peer.Addr))
	w.leave(t, w.connect(t))
	full <- true
	w.connect(t, "application_name", "another")
	if got := w.protocol.pool.Idle(); got != 0 {
		t.Errorf("warm backends: got %d, want the one evicted", got)
	}
	if got := peer.Accepted(); got != 3 {
		t.Errorf("connections: got %d, want the first, the refused and the second", got)
	}
}

// A backend whose reset fails is not handed out again.
func TestABackendThatCannotBeResetIsClosed(t *testing.T) {
	closed := make(chan struct{}, 1)
	peer := wiretest.NewPeer(t, func(conn net.Conn) {
		if !readStartupOf(conn) {
			return
		}
		_, _ = conn.Write(welcome())
		if readQuery(conn) {
			_, _ = conn.Write(join(errorFrame("ERROR", "55000", "can't"), ready('I')))
		}
		_, _ = (&wire{conn: conn}).receive() // the goodbye
		closed <- struct{}{}
	})
	w := newWorld(t, withBackend(peer.Addr))
	wire := rawWire(t, w.connect(t))
	wire.send(terminateFrame())
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("the backend is still open")
	}
	if got := w.protocol.pool.Idle(); got != 0 {
		t.Errorf("warm backends: got %d, want none", got)
	}
}

// A bug in one session's backend direction is that session's end, not the
// proxy's.
func TestAPanicBehindAStatementEndsItsOwnSessionOnly(t *testing.T) {
	w := newWorld(t)
	w.log.MayPanic = true
	other, wire := w.connect(t), rawWire(t, w.connect(t))
	w.recorder.Before(func() error { panic("planted") })
	wire.send(query("do $$begin raise info 'x' using errcode = 'TDB01'; end$$"))
	if got := types(wire.rest()); got != "" {
		t.Errorf("got %s, want the end", got)
	}
	if got := one(t, other, "select 1"); got != "1" {
		t.Errorf("another session: got %q, want 1", got)
	}
	wiretest.Await(t, "the log has the panic", func() bool { return strings.Contains(w.log.String(), "planted") })
	wiretest.Await(t, "its key is forgotten", func() bool {
		w.protocol.cancels.mu.Lock()
		defer w.protocol.cancels.mu.Unlock()
		return len(w.protocol.cancels.relays) == 1
	})
}
