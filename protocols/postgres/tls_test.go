package postgres

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
)

// answers is what the other side says until it closes; TLS and resets end it
// too.
func answers(t *testing.T, conn net.Conn) []byte {
	t.Helper()
	said, err := io.ReadAll(conn)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		t.Fatalf("not closed after %q", said)
	}
	return said
}

func startupOf(w *world) []byte {
	return startupMessage(0, "user", testUser, "database", w.route.Database)
}

func TestPlaintextIsRefusedAndClosed(t *testing.T) {
	w := newWorld(t)
	conn := w.dialRaw(t)
	if _, err := conn.Write(join(startupOf(w), query("select 1"))); err != nil {
		t.Fatal(err)
	}
	said := answers(t, conn)
	m := message{said[0], said[headerLen:]}
	if m.typ != 'E' || m.field('C') != codeInvalidAuthorization || m.field('M') != "TLS is required" {
		t.Errorf("got %v, want an error that TLS is required", m)
	}
	if size, err := frameSize(said); err != nil || size != len(said) {
		t.Errorf("got %q, want one message and the end", said)
	}
	if len(w.watched.Relays()) != 0 {
		t.Error("a session began")
	}
}

func TestBytesBehindSSLRequestEndTheConnection(t *testing.T) {
	w := newWorld(t)
	conn := w.dialRaw(t)
	if _, err := conn.Write(join(sslRequest(), startupOf(w))); err != nil {
		t.Fatal(err)
	}
	said := answers(t, conn)
	if !bytes.HasPrefix(said, []byte("S")) || bytes.Contains(said, []byte("SCRAM")) {
		t.Errorf("got %q, want S and the connection's end", said)
	}
}

func TestGSSRequestIsDeclinedPolitely(t *testing.T) {
	w := newWorld(t)
	conn := w.dialRaw(t)
	for _, step := range []struct {
		say  []byte
		hear string
	}{{gssEncRequest(), "N"}, {sslRequest(), "S"}} {
		if _, err := conn.Write(step.say); err != nil {
			t.Fatal(err)
		}
		var answer [1]byte
		if err := readFull(conn, answer[:]); err != nil || string(answer[:]) != step.hear {
			t.Fatalf("got %q, %v, want %q", answer, err, step.hear)
		}
	}
	if err := tls.Client(conn, w.cert.Client()).Handshake(); err != nil {
		t.Error(err)
	}
}

func TestRequestsAreTakenOnce(t *testing.T) {
	w := newWorld(t)
	t.Run("GSSENCRequest", func(t *testing.T) {
		conn := w.dialRaw(t)
		if _, err := conn.Write(join(gssEncRequest(), gssEncRequest())); err != nil {
			t.Fatal(err)
		}
		said := answers(t, conn)
		if m := (message{said[1], said[1+headerLen:]}); said[0] != 'N' || m.field('C') != codeProtocolViolation {
			t.Errorf("got %q, want N and a protocol violation", said)
		}
	})
	for name, request := range map[string][]byte{"SSLRequest": sslRequest(), "GSSENCRequest": gssEncRequest()} {
		t.Run(name+" within TLS", func(t *testing.T) {
			conn := w.dialTLS(t)
			if _, err := conn.Write(request); err != nil {
				t.Fatal(err)
			}
			said := answers(t, conn)
			if m := (message{said[0], said[headerLen:]}); m.field('C') != codeProtocolViolation {
				t.Errorf("got %q, want a protocol violation", said)
			}
		})
	}
}

func TestDirectTLS(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		alpn []string
		in   bool
	}{
		"with ALPN":             {[]string{"postgresql"}, true},
		"without ALPN":          {nil, false},
		"for another protocol":  {[]string{"h2"}, false},
		"among other protocols": {[]string{"h2", "postgresql"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			conn := tls.Client(w.dialRaw(t), w.cert.Client(c.alpn...))
			if _, err := conn.Write(startupOf(w)); err != nil {
				if c.in {
					t.Fatal(err)
				}
				return // the TLS handshake itself was refused
			}
			var typ [1]byte
			err := readFull(conn, typ[:])
			if in := err == nil && typ[0] == 'R'; in != c.in {
				t.Errorf("got %q, %v, want in: %v", typ, err, c.in)
			}
		})
	}
}

func TestTLSBelow12IsRefused(t *testing.T) {
	w := newWorld(t)
	config := w.cert.Client("postgresql")
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if err := tls.Client(w.dialRaw(t), config).Handshake(); err == nil {
		t.Error("TLS 1.1 got in")
	}
}
