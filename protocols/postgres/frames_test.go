package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Encoders of what clients and servers send, by the messages' names.

func frame(typ byte, body ...[]byte) []byte {
	b := bytes.Join(body, nil)
	out := binary.BigEndian.AppendUint32([]byte{typ}, uint32(len(b)+4))
	return append(out, b...)
}

func str(s string) []byte   { return append([]byte(s), 0) }
func word(n int) []byte     { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
func half(n int) []byte     { return binary.BigEndian.AppendUint16(nil, uint16(n)) }
func query(s string) []byte { return frame('Q', str(s)) }

func parse(name, sql string) []byte { return frame('P', str(name), str(sql), half(0)) }

func bind(portal, statement string) []byte {
	return frame('B', str(portal), str(statement), half(0), half(0), half(0))
}

func bindText(portal, statement string, values ...string) []byte {
	body := [][]byte{str(portal), str(statement), half(0), half(len(values))}
	for _, v := range values {
		body = append(body, word(len(v)), []byte(v))
	}
	return frame('B', append(body, half(0))...)
}

func execute(portal string, rows int) []byte { return frame('E', str(portal), word(rows)) }
func describe(what byte, name string) []byte { return frame('D', []byte{what}, str(name)) }
func closing(what byte, name string) []byte  { return frame('C', []byte{what}, str(name)) }
func syncFrame() []byte                      { return frame('S') }
func flushFrame() []byte                     { return frame('H') }
func copyData(s string) []byte               { return frame('d', []byte(s)) }
func copyDone() []byte                       { return frame('c') }
func copyFail(why string) []byte             { return frame('f', str(why)) }
func terminateFrame() []byte                 { return frame('X') }

// extended is a whole statement in the extended protocol, up to Execute.
func extended(sql string, rows int) []byte {
	return join(parse("", sql), bind("", ""), execute("", rows))
}

func ready(status byte) []byte   { return frame('Z', []byte{status}) }
func complete(tag string) []byte { return frame('C', str(tag)) }
func dataRow(v string) []byte    { return frame('D', half(1), word(len(v)), []byte(v)) }

func errorFrame(severity, code, message string) []byte {
	return frame('E', []byte("S"), str(severity), []byte("V"), str(severity), []byte("C"), str(code), []byte("M"), str(message), []byte{0})
}

func noticeFrame(severity, code string) []byte {
	return frame('N', []byte("S"), str(severity), []byte("VINFO\x00C"), str(code), []byte("M"), str("x"), []byte{0})
}

func sslRequest() []byte    { return append(word(8), word(sslRequestCode)...) }
func gssEncRequest() []byte { return append(word(8), word(gssEncRequestCode)...) }

func startupMessage(minor int, params ...string) []byte {
	body := word(protocolMajor<<16 | minor)
	for _, p := range params {
		body = append(body, str(p)...)
	}
	body = append(body, 0)
	return append(word(len(body)+4), body...)
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// wire is one end of a conversation in raw frames.
type wire struct {
	t    testing.TB
	conn net.Conn
	pid  uint32
	key  []byte
}

// rawWire takes a logged-in connection from its driver.
func rawWire(t testing.TB, conn *pgconn.PgConn) *wire {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	if err := conn.SyncConn(ctx); err != nil {
		t.Fatal(err)
	}
	h, err := conn.Hijack()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Conn.Close() })
	return &wire{t, h.Conn, h.PID, h.SecretKey}
}

func (w *wire) send(frames ...[]byte) {
	w.t.Helper()
	if _, err := w.conn.Write(join(frames...)); err != nil {
		w.t.Fatalf("send: %v", err)
	}
}

// message is one frame that was read.
type message struct {
	typ  byte
	body []byte
}

// String shows the message for a comparison: its type and what of its body
// does not depend on the session.
func (m message) String() string {
	switch m.typ {
	case 'E', 'N':
	case 'T':
		return fmt.Sprintf("T %q", m.columns())
	default:
		return fmt.Sprintf("%c %q", m.typ, m.body)
	}
	var fields []string
	for body := m.body; len(body) > 1 && body[0] != 0; {
		value, ok := cstring(body[1:])
		if !ok {
			break
		}
		shown := string(value)
		if strings.HasPrefix(shown, "pg_temp_") {
			shown = "pg_temp"
		}
		fields = append(fields, string(body[0])+":"+shown)
		body = body[2+len(value):]
	}
	return fmt.Sprintf("%c %s", m.typ, strings.Join(fields, " "))
}

// columns is a RowDescription's body without the tables' object ids, which
// differ between temporary tables of one definition.
func (m message) columns() []byte {
	out := bytes.Clone(m.body)
	for at := 2; at < len(out); {
		name, ok := cstring(out[at:])
		if !ok {
			break
		}
		at += len(name) + 1
		clear(out[at : at+4])
		at += 18
	}
	return out
}

// field is one field of an error or notice.
func (m message) field(name byte) string {
	for body := m.body; len(body) > 1 && body[0] != 0; {
		value, ok := cstring(body[1:])
		if !ok {
			break
		}
		if body[0] == name {
			return string(value)
		}
		body = body[2+len(value):]
	}
	return ""
}

func (w *wire) receive() (message, error) {
	var header [headerLen]byte
	if err := readFull(w.conn, header[:]); err != nil {
		return message{}, err
	}
	size, err := frameSize(header[:])
	if err != nil {
		return message{}, err
	}
	body := make([]byte, size-headerLen)
	return message{header[0], body}, readFull(w.conn, body)
}

// next is the next message.
func (w *wire) next() message {
	w.t.Helper()
	m, err := w.receive()
	if err != nil {
		w.t.Fatalf("receive: %v", err)
	}
	return m
}

// until reads up to the n-th ReadyForQuery.
func (w *wire) until(n int) []message {
	w.t.Helper()
	return w.untilType('Z', n)
}

func (w *wire) untilType(typ byte, n int) []message {
	w.t.Helper()
	var all []message
	for n > 0 {
		m, err := w.receive()
		if err != nil {
			w.t.Fatalf("receive after %s: %v", types(all), err)
		}
		all = append(all, m)
		if m.typ == typ {
			n--
		}
	}
	return all
}

// rest reads until the other side closes.
func (w *wire) rest() []message {
	w.t.Helper()
	var all []message
	for {
		m, err := w.receive()
		if err != nil {
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				w.t.Fatalf("not closed after %s", types(all))
			}
			return all
		}
		all = append(all, m)
	}
}

// types are the messages' type letters.
func types(all []message) string {
	var b strings.Builder
	for _, m := range all {
		b.WriteByte(m.typ)
	}
	return b.String()
}

// firstError is the first error among all; the zero message where there is
// none.
func firstError(all []message) message {
	for _, m := range all {
		if m.typ == 'E' {
			return m
		}
	}
	return message{}
}
