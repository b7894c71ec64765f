package mysql

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// Broken packets before the login: an error of the protocol or silence, the
// end, and no word to the server.
func TestBrokenPacketsBeforeTheLogin(t *testing.T) {
	peer := newScriptedServer(t, func(s *scripted) { s.command() })
	w := newWorld(t, withBackend(peer.Addr))
	plain := map[string][]byte{
		"http":                []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"tls":                 {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3},
		"huge length":         {0xff, 0xff, 0xff, 1},
		"more than allowed":   encode(1, make([]byte, maxStartup+1)),
		"empty":               encode(1, nil),
		"short":               encode(1, []byte{1, 2, 3}),
		"wrong sequence":      encode(2, handshakeHead(usual|mysql.CLIENT_SSL)),
		"old protocol":        encode(1, append([]byte{1, 0, 0, 0, 0}, "root\x00"...)),
		"request without ssl": encode(1, handshakeHead(usual)),
	}
	for name, sent := range plain {
		t.Run(name, func(t *testing.T) {
			raw := wiretest.Dial(t, "tcp", w.addr)
			c := &wire{t: t, conn: raw}
			c.read()
			if _, err := raw.Write(sent); err != nil {
				t.Fatal(err)
			}
			if tcp, ok := raw.(interface{ CloseWrite() error }); ok {
				_ = tcp.CloseWrite() // the other end may have closed already
			}
			for {
				p, err := c.next()
				if err != nil {
					break
				}
				if !p.isError() {
					t.Errorf("got %q, want an error or the end", p.payload)
				}
			}
		})
	}
	head := handshakeHead(usual)
	secured := map[string][]byte{
		"empty":                nil,
		"no user":              head,
		"user without an end":  append(bytes.Clone(head), "root"...),
		"proof beyond the end": append(bytes.Clone(head), "root\x00\xff"...),
		"lenenc proof":         append(handshakeHead(usual|mysql.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA), "root\x00\xfe\xff\xff\xff\xff\xff\xff\xff\xff"...),
		"null proof":           append(handshakeHead(usual|mysql.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA), "root\x00\xfb"...),
		"another request":      handshakeHead(usual | mysql.CLIENT_SSL),
	}
	for name, sent := range secured {
		t.Run("in tls "+name, func(t *testing.T) {
			c, sequence := w.startLogin(t)
			c.write(sequence, sent)
			for {
				p, err := c.next()
				if err != nil {
					break
				}
				switch {
				case p.isError():
				case p.payload[0] == 0xfe:
					c.write(p.sequence+1, nil)
				default:
					t.Fatalf("got %q, want an error or the end", p.payload)
				}
			}
		})
	}
	if n := peer.Accepted(); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// Broken packets of a client that is logged in end its session, natively.
func TestBrokenCommands(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		sent   []byte
		number int
	}{
		"empty":               {encode(0, nil), mysql.ER_MALFORMED_PACKET},
		"wrong sequence":      {encode(3, []byte{mysql.COM_PING}), mysql.ER_NET_PACKETS_OUT_OF_ORDER},
		"short process kill":  {encode(0, []byte{mysql.COM_PROCESS_KILL, 1}), mysql.ER_MALFORMED_PACKET},
		"short execute":       {encode(0, []byte{mysql.COM_STMT_EXECUTE, 1}), mysql.ER_MALFORMED_PACKET},
		"short fetch":         {encode(0, []byte{mysql.COM_STMT_FETCH}), mysql.ER_MALFORMED_PACKET},
		"huge change of user": {encode(0, append([]byte{mysql.COM_CHANGE_USER}, make([]byte, maxStartup)...))[:100], mysql.ER_MALFORMED_PACKET},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.wire(t)
			if _, err := c.conn.Write(test.sent); err != nil {
				t.Fatal(err)
			}
			if p := c.read(); p.number() != test.number {
				t.Errorf("got %q, want %d", p.payload, test.number)
			}
			c.closed()
		})
	}
}

// A client that asks and never reads must not hold what it had when it goes.
func TestAClientThatFloodsAndLeavesIsGone(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t)
	flood := encode(0, []byte("\x03select repeat('x', 100000), repeat('y', 100000)"))
	stuck := make(chan struct{})
	go func() {
		defer close(stuck)
		for range 10000 {
			if _, err := c.conn.Write(flood); err != nil {
				return
			}
		}
	}()
	c.read()
	c.conn.Close()
	<-stuck
	r := w.last()
	wiretest.Await(t, "the session ended", r.gone)
}

func TestManyStatementsAheadComeBackInOrder(t *testing.T) {
	c := newWorld(t).wire(t)
	const n = 2000
	go func() {
		for i := range n {
			text := "\x03select " + strings.Repeat("1", i%7+1)
			if _, err := c.conn.Write(encode(0, []byte(text))); err != nil {
				return
			}
		}
	}()
	for i := range n {
		_, all := c.reply()
		if got, want := string(all[3].payload[1:]), strings.Repeat("1", i%7+1); got != want {
			t.Fatalf("%d: got %q, want %q", i, got, want)
		}
	}
}
