package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// identities are a server's configuration and one of a client that trusts it.
func identities(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	server = &tls.Config{Certificates: s.TLS.Certificates, SessionTicketsDisabled: true}
	client = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	client.ServerName = "example.com"
	return server, client
}

func TestEveryEndIsAnnouncedInTLS(t *testing.T) {
	server, trusting := identities(t)
	type conversation struct {
		*world
		*client
		raw *watched
	}
	for name, test := range map[string]struct {
		workspace string
		end       func(conversation)
	}{
		"an unknown login": {"nowhere", func(conversation) {}},
		"a full workspace": {"full", func(conversation) {}},
		"the client leaves": {"shop", func(c conversation) {
			if err := c.conn.(*tls.Conn).CloseWrite(); err != nil {
				t.Error(err)
			}
		}},
		"the workspace is deleted": {"shop", func(c conversation) { c.CloseWorkspace(t.Context(), 1) }},
		"the proxy drains": {"shop", func(c conversation) {
			if err := c.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}},
		"a bug":                          {"shop", func(c conversation) { c.say("panic") }},
		"its time for the login is over": {"", func(conversation) {}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, func(w *world) {
				w.fake.tls = server
				if test.workspace == "" {
					w.HandshakeTimeout = 2 * time.Second
				}
			})
			w.fake.lives["full"] = w.fake.lives["blog"]
			dial := func() conversation {
				c := w.dial(t)
				raw := &watched{Conn: c.conn}
				c.conn = tls.Client(raw, trusting)
				c.in = bufio.NewReader(c.conn)
				return conversation{w, c, raw}
			}
			if test.workspace == "full" {
				first := dial()
				first.say("full")
				if got := first.hear(); got != "ready" {
					t.Fatalf("got %q, want ready", got)
				}
			}
			c := dial()
			if test.workspace != "" {
				c.say(test.workspace)
				c.hear()
			} else if err := c.conn.(*tls.Conn).Handshake(); err != nil {
				t.Fatal(err)
			}
			test.end(c)
			if _, err := io.Copy(io.Discard, c.in); err != nil || c.raw.ended {
				t.Errorf("the end: got %v, want it announced", err)
			}
		})
	}
}

// watched notes the end of a connection. crypto/tls reads that only where no
// close_notify came before it.
type watched struct {
	net.Conn
	ended bool
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.ended = w.ended || err != nil
	return n, err
}

// counted counts what is written.
type counted struct {
	net.Conn
	writes int
}

func (c *counted) Write(b []byte) (int, error) {
	c.writes++
	return c.Conn.Write(b)
}

func TestNothingIsAnnouncedOnAWireThatFailed(t *testing.T) {
	server, trusting := identities(t)
	for name, test := range map[string]struct {
		fail   func(t *testing.T, secured *tls.Conn, far net.Conn)
		writes int // of the farewell
		lasts  time.Duration
	}{
		"it did not": {func(_ *testing.T, _ *tls.Conn, far net.Conn) {
			go func() { _, _ = io.Copy(io.Discard, far) }()
		}, 1, 0},
		"the client does not read": {func(*testing.T, *tls.Conn, net.Conn) {}, 1, farewellTimeout},
		"a record was not written whole": {func(t *testing.T, secured *tls.Conn, far net.Conn) {
			if err := secured.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.ReadFull(far, make([]byte, 10)) }()
			if _, err := secured.Write(make([]byte, 100)); err == nil {
				t.Fatal("the record was written")
			}
		}, 0, 0},
		"the client was lost in a record": {func(t *testing.T, secured *tls.Conn, far net.Conn) {
			go func() {
				defer far.Close()
				_, _ = far.Write([]byte{23, 3, 3})
			}()
			if _, err := secured.Read(make([]byte, 1)); err != io.ErrUnexpectedEOF {
				t.Fatalf("got %v, want its unexpected end", err)
			}
		}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer far.Close()
				conn := &counted{Conn: near}
				front := &frontend{conn: conn}
				secured := tls.Server(conn, server)
				greeted := make(chan error, 1)
				go func() { greeted <- tls.Client(far, trusting).HandshakeContext(context.Background()) }()
				if err := secured.HandshakeContext(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := <-greeted; err != nil {
					t.Fatal(err)
				}
				front.secure(secured)
				test.fail(t, secured, far)
				before, began := conn.writes, time.Now()
				front.close()
				if got := conn.writes - before; got != test.writes {
					t.Errorf("written: got %d times, want %d", got, test.writes)
				}
				if lasted := time.Since(began); lasted != test.lasts {
					t.Errorf("lasted %v, want %v", lasted, test.lasts)
				}
				if _, err := conn.Conn.Write([]byte("x")); err != io.ErrClosedPipe {
					t.Errorf("got %v, want the connection closed", err)
				}
			})
		})
	}
}
