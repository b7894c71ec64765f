package mysql

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// packet is one payload as it came, put together where it was longer than one
// packet may be. sequence is the last one's.
type packet struct {
	sequence byte
	payload  []byte
}

func (p packet) isError() bool { return len(p.payload) > 0 && p.payload[0] == 0xff }

// number is an ERR packet's.
func (p packet) number() int {
	if !p.isError() || len(p.payload) < 3 {
		return 0
	}
	return int(binary.LittleEndian.Uint16(p.payload[1:]))
}

func (p packet) text() string {
	if p.isError() && len(p.payload) > 9 {
		return string(p.payload[9:])
	}
	return string(p.payload)
}

// wire is a client that speaks packets.
type wire struct {
	t            testing.TB
	conn         net.Conn
	capabilities uint32
	extended     uint32
	id           uint32 // of the greeting
	welcome      packet
}

// usual is what most clients ask for.
const usual = mysql.CLIENT_PROTOCOL_41 | mysql.CLIENT_SECURE_CONNECTION | mysql.CLIENT_PLUGIN_AUTH | mysql.CLIENT_CONNECT_WITH_DB |
	mysql.CLIENT_LONG_PASSWORD | mysql.CLIENT_LONG_FLAG | mysql.CLIENT_TRANSACTIONS | mysql.CLIENT_LOCAL_FILES |
	mysql.CLIENT_MULTI_STATEMENTS | mysql.CLIENT_MULTI_RESULTS | mysql.CLIENT_PS_MULTI_RESULTS

// identity is what a client says to be, and how.
type identity struct {
	user, password, database string
	plugin                   string
	capabilities, extended   uint32
	charset                  byte
}

func (w *world) identity() identity {
	return identity{testUser, testPassword, w.route.Database, mysql.AUTH_NATIVE_PASSWORD, usual, 0, 45}
}

// wire logs in through the proxy.
func (w *world) wire(t testing.TB, change ...func(*identity)) *wire {
	t.Helper()
	who := w.identity()
	for _, f := range change {
		f(&who)
	}
	c, err := w.tryWire(t, who)
	if err != nil {
		t.Fatalf("login: %v", err)
	}
	return c
}

func (w *world) tryWire(t testing.TB, who identity) (*wire, error) {
	t.Helper()
	raw := wiretest.Dial(t, "tcp", w.addr)
	return login(t, raw, who, w.cert.Client())
}

// directWire logs in at the server itself, as the workspace's role.
func (w *world) directWire(t testing.TB, change ...func(*identity)) *wire {
	t.Helper()
	who := w.identity()
	for _, f := range change {
		f(&who)
	}
	who.user, who.password = w.route.Role, w.route.Password
	raw := wiretest.Dial(t, "unix", w.route.Address.Addr)
	c, err := login(t, raw, who, nil)
	if err != nil {
		t.Fatalf("direct login: %v", err)
	}
	return c
}

// refusal is an ERR packet during a login.
type refusal struct{ packet }

func (r refusal) Error() string { return fmt.Sprintf("%d: %s", r.number(), r.text()) }

// refusedWith is the number of the refusal in err; 0 where there is none.
func refusedWith(err error) int {
	r, ok := errors.AsType[refusal](err)
	if !ok {
		return 0
	}
	return r.number()
}

// login speaks the connection phase, independently of the code under test but
// for the hashes.
func login(t testing.TB, raw net.Conn, who identity, config *tls.Config) (*wire, error) {
	t.Helper()
	w := &wire{t: t, conn: raw, capabilities: who.capabilities, extended: who.extended}
	greeting := w.read()
	if greeting.isError() {
		return nil, refusal{greeting}
	}
	version, rest, _ := bytes.Cut(greeting.payload[1:], []byte{0})
	_ = version
	w.id = binary.LittleEndian.Uint32(rest)
	scramble := append(append([]byte{}, rest[4:12]...), rest[4+8+1+2+1+2+2+1+10:][:12]...)
	asked := who.capabilities
	if config != nil {
		asked |= mysql.CLIENT_SSL
	}
	head := binary.LittleEndian.AppendUint32(nil, asked)
	head = binary.LittleEndian.AppendUint32(head, 1<<24)
	head = append(append(head, who.charset), make([]byte, 19)...)
	head = binary.LittleEndian.AppendUint32(head, who.extended)
	sequence := byte(1)
	if config != nil {
		w.write(sequence, head)
		sequence++
		secured := tls.Client(wiretest.NoteEnd(raw), config)
		if err := secured.Handshake(); err != nil {
			return nil, err
		}
		w.conn = secured
	}
	proof := prove(who.plugin, scramble, who.password)
	body := append(append(head, who.user...), 0, byte(len(proof)))
	body = append(body, proof...)
	if asked&mysql.CLIENT_CONNECT_WITH_DB != 0 {
		body = append(append(body, who.database...), 0)
	}
	if asked&mysql.CLIENT_PLUGIN_AUTH != 0 {
		body = append(append(body, who.plugin...), 0)
	}
	w.write(sequence, body)
	return w, w.finishLogin(who)
}

func prove(plugin string, scramble []byte, password string) []byte {
	switch plugin {
	case mysql.AUTH_NATIVE_PASSWORD:
		return mysql.CalcNativePassword(scramble, []byte(password))
	case mysql.AUTH_CACHING_SHA2_PASSWORD:
		return mysql.CalcCachingSha2Password(scramble, []byte(password))
	case mysql.AUTH_CLEAR_PASSWORD:
		return append([]byte(password), 0)
	}
	return nil
}

func (w *wire) finishLogin(who identity) error {
	for {
		p := w.read()
		switch {
		case p.isError():
			return refusal{p}
		case p.payload[0] == 0:
			w.welcome = p
			return nil
		case p.payload[0] == 0xfe:
			plugin, data, _ := bytes.Cut(p.payload[1:], []byte{0})
			w.write(p.sequence+1, prove(string(plugin), data[:20], who.password))
		case p.payload[0] == 1 && p.payload[1] == 4:
			w.write(p.sequence+1, append([]byte(who.password), 0))
		}
	}
}

// write sends a payload, in as many packets as it takes.
func (w *wire) write(sequence byte, payload []byte) {
	w.t.Helper()
	if _, err := w.conn.Write(encode(sequence, payload)); err != nil {
		w.t.Fatal(err)
	}
}

func encode(sequence byte, payload []byte) []byte {
	var out []byte
	for len(payload) >= maxPayload {
		out = appendPacket(out, sequence, payload[:maxPayload])
		payload = payload[maxPayload:]
		sequence++
	}
	return appendPacket(out, sequence, payload)
}

func (w *wire) send(command byte, body ...[]byte) {
	w.t.Helper()
	w.write(0, append([]byte{command}, bytes.Join(body, nil)...))
}

func (w *wire) query(text string) { w.t.Helper(); w.send(mysql.COM_QUERY, w.text(text)) }

// text is a query's body behind the command's byte.
func (w *wire) text(text string) []byte {
	if w.capabilities&mysql.CLIENT_QUERY_ATTRIBUTES != 0 {
		return append([]byte{0, 1}, text...)
	}
	return []byte(text)
}

// next is the next payload, or an error.
func (w *wire) next() (packet, error) {
	var p packet
	for {
		var header [4]byte
		if _, err := io.ReadFull(w.conn, header[:]); err != nil {
			return p, err
		}
		n := int(header[0]) | int(header[1])<<8 | int(header[2])<<16
		part := make([]byte, n)
		if _, err := io.ReadFull(w.conn, part); err != nil {
			return p, err
		}
		p.sequence = header[3]
		p.payload = append(p.payload, part...)
		if n < 1<<24-1 {
			return p, nil
		}
	}
}

func (w *wire) read() packet {
	w.t.Helper()
	p, err := w.next()
	if err != nil {
		w.t.Fatalf("read: %v", err)
	}
	return p
}

// closed asserts that nothing more comes.
func (w *wire) closed() {
	w.t.Helper()
	if p, err := w.next(); err == nil {
		w.t.Errorf("got packet %q, want the end", p.payload)
	}
}
