package mysql

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	driver "github.com/go-sql-driver/mysql"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func TestADriverLogsIn(t *testing.T) {
	for _, version := range []string{"", serverVersion(t)} {
		t.Run(version, func(t *testing.T) {
			w := newWorld(t, withVersion(version))
			c := w.open(t)
			if got := one(t, c, "select database()"); got != w.route.Database {
				t.Errorf("database: got %q, want %q", got, w.route.Database)
			}
			if got := one(t, c, "select ? + 1", 41); got != "42" {
				t.Errorf("prepared: got %q, want 42", got)
			}
		})
	}
}

func TestEveryPluginLogsIn(t *testing.T) {
	for _, version := range []string{"8.4.3", "5.5.5-10.11.6-MariaDB"} {
		w := newWorld(t, withVersion(version))
		for _, plugin := range []string{mysql.AUTH_NATIVE_PASSWORD, mysql.AUTH_CACHING_SHA2_PASSWORD, mysql.AUTH_CLEAR_PASSWORD, "client_ed25519", "dialog", ""} {
			t.Run(version+" "+plugin, func(t *testing.T) {
				as := func(i *identity) { i.plugin = plugin }
				w.wire(t, as).usable()
				_, err := w.tryWire(t, identity{testUser, "wrong", w.route.Database, plugin, usual, 0, 45})
				if refusedWith(err) != mysql.ER_ACCESS_DENIED_ERROR {
					t.Errorf("wrong password: got %v, want 1045", err)
				}
			})
		}
		t.Run(version+" without plugins", func(t *testing.T) {
			w.wire(t, func(i *identity) { i.capabilities &^= mysql.CLIENT_PLUGIN_AUTH }).usable()
		})
	}
}

// A client that sends a scramble made for nothing is asked for the password
// itself, as a server does that has it not in its cache.
func TestCachingSHA2AsksForThePasswordInTLS(t *testing.T) {
	w := newWorld(t)
	c, sequence := w.startLogin(t)
	body := append(handshakeHead(usual), testUser...)
	body = append(append(body, 0, 32), make([]byte, 32)...)
	body = append(append(body, w.route.Database...), 0)
	c.write(sequence, append(append(body, mysql.AUTH_CACHING_SHA2_PASSWORD...), 0))
	if p := c.read(); string(p.payload) != "\x01\x04" {
		t.Fatalf("got %q, want a request for full authentication", p.payload)
	}
	c.write(sequence+2, append([]byte(testPassword), 0))
	if p := c.read(); p.payload[0] != 0 || p.sequence != sequence+3 {
		t.Errorf("got %d %q, want OK", p.sequence, p.payload)
	}
	c.capabilities = usual
	c.usable()
}

// A client without a password takes the conversation for ended once it has said
// so, and waits for the verdict.
func TestCachingSHA2AsksNothingOfAClientWithoutAPassword(t *testing.T) {
	w := newWorld(t)
	c, sequence := w.startLogin(t)
	body := append(append(handshakeHead(usual), testUser...), 0, 0)
	body = append(append(body, w.route.Database...), 0)
	c.write(sequence, append(append(body, mysql.AUTH_CACHING_SHA2_PASSWORD...), 0))
	if p := c.read(); p.payload[0] != mysql.EOF_HEADER {
		t.Fatalf("got %q, want a new scramble", p.payload)
	}
	c.write(sequence+2, []byte{0})
	if p := c.read(); p.number() != mysql.ER_ACCESS_DENIED_ERROR {
		t.Errorf("got %q, want error 1045", p.payload)
	}
}

// startLogin is a client after its TLS handshake, and its next sequence number.
func (w *world) startLogin(t testing.TB) (c *wire, sequence byte) {
	t.Helper()
	raw := wiretest.Dial(t, "tcp", w.addr)
	c = &wire{t: t, conn: raw}
	c.read()
	c.write(1, handshakeHead(usual|mysql.CLIENT_SSL))
	c.conn = w.cert.Over(t, raw)
	return c, 2
}

// handshakeHead is a handshake response up to the user's name.
func handshakeHead(flags uint32) []byte {
	head := binary.LittleEndian.AppendUint32(nil, flags)
	head = binary.LittleEndian.AppendUint32(head, 1<<24)
	return append(append(head, 45), make([]byte, 23)...)
}

func TestConnectionAttributesAreRead(t *testing.T) {
	w := newWorld(t)
	c := w.open(t, func(c *driver.Config) { c.ConnectionAttributes = "program_name:shop,version:1" })
	if got := one(t, c, "select 1"); got != "1" {
		t.Errorf("got %q", got)
	}
}

func TestAWrongLoginIsRefused(t *testing.T) {
	w := newWorld(t)
	messages := make(map[string]bool)
	for name, change := range map[string]func(*identity){
		"password":    func(i *identity) { i.password = "wrong" },
		"no password": func(i *identity) { i.password = "" },
		"database":    func(i *identity) { i.database = "mysql" },
		"role":        func(i *identity) { i.password = roleSecret },
	} {
		t.Run(name, func(t *testing.T) {
			who := w.identity()
			change(&who)
			_, err := w.tryWire(t, who)
			if refusedWith(err) != mysql.ER_ACCESS_DENIED_ERROR {
				t.Fatalf("got %v, want 1045", err)
			}
			messages[err.Error()] = true
		})
	}
	if len(messages) != 1 {
		t.Errorf("the refusals tell what was wrong: %v", messages)
	}
	_, err := w.tryWire(t, identity{"tdb_nobody", testPassword, w.route.Database, mysql.AUTH_NATIVE_PASSWORD, usual, 0, 45})
	if refusedWith(err) != mysql.ER_ACCESS_DENIED_ERROR {
		t.Errorf("unknown user: got %v, want 1045", err)
	}
}

func TestCompressionIsRefused(t *testing.T) {
	w := newWorld(t)
	who := w.identity()
	who.capabilities |= mysql.CLIENT_COMPRESS
	if _, err := w.tryWire(t, who); refusedWith(err) != mysql.ER_HANDSHAKE_ERROR || !strings.Contains(err.Error(), "compression") {
		t.Errorf("got %v, want 1043", err)
	}
	compressing := func(c *driver.Config) {
		if err := c.Apply(driver.EnableCompression(true)); err != nil {
			t.Fatal(err)
		}
	}
	if got := one(t, w.open(t, compressing), "select 1"); got != "1" {
		t.Errorf("a driver that asks only for what is offered: got %q", got)
	}
}

func TestPlaintextIsRefused(t *testing.T) {
	w := newWorld(t)
	raw := wiretest.Dial(t, "tcp", w.addr)
	_, err := login(t, raw, w.identity(), nil)
	if refusedWith(err) != numberTLSRequired {
		t.Fatalf("got %v, want 3159", err)
	}
	if _, err := raw.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the refusal: got %v, want the end", err)
	}
}

// What is sent behind the request for TLS in one write must not be taken for
// what was said in TLS.
func TestPlaintextBehindTheTLSRequestEndsTheConnection(t *testing.T) {
	w := newWorld(t)
	raw := wiretest.Dial(t, "tcp", w.addr)
	c := &wire{t: t, conn: raw}
	c.read()
	early := encode(2, append(handshakeHead(usual), "root\x00\x00"...))
	if _, err := raw.Write(append(encode(1, handshakeHead(usual|mysql.CLIENT_SSL)), early...)); err != nil {
		t.Fatal(err)
	}
	if err := tls.Client(raw, w.cert.Client()).Handshake(); err == nil {
		t.Error("the TLS handshake went on")
	}
}

func TestASilentClientIsGoneAtTheDeadline(t *testing.T) {
	w := newWorld(t, withHandshakeTimeout(3*time.Second))
	steps := map[string]func() *wire{
		"before all": func() *wire { return &wire{t: t, conn: wiretest.Dial(t, "tcp", w.addr)} },
		"in the header": func() *wire {
			raw := wiretest.Dial(t, "tcp", w.addr)
			if _, err := raw.Write([]byte{32}); err != nil {
				t.Fatal(err)
			}
			return &wire{t: t, conn: raw}
		},
		"in the TLS handshake": func() *wire {
			c := &wire{t: t, conn: wiretest.Dial(t, "tcp", w.addr)}
			c.read()
			c.write(1, handshakeHead(usual|mysql.CLIENT_SSL))
			if _, err := c.conn.Write([]byte{0x16, 3, 1, 2, 0, 1}); err != nil {
				t.Fatal(err)
			}
			return c
		},
		"in TLS": func() *wire {
			c, _ := w.startLogin(t)
			return c
		},
		"before the proof": func() *wire {
			c, sequence := w.startLogin(t)
			c.write(sequence, append(append(handshakeHead(usual), testUser...), 0, 0, 0))
			c.read() // the request for another plugin's proof
			return c
		},
	}
	for name, begin := range steps {
		t.Run(name, func(t *testing.T) {
			if _, err := io.Copy(io.Discard, begin().conn); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got %v, want the end", err)
			}
		})
	}
	// The deadline is over the login only.
	c := w.wire(t)
	<-time.After(3500 * time.Millisecond)
	c.usable()
}
