package mongodb

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// wire is a connection that shows messages as they are.
type wire struct {
	t    testing.TB
	conn net.Conn
	id   int32
}

// dialRaw connects to the proxy without TLS.
func (w *world) dialRaw(t testing.TB) net.Conn {
	t.Helper()
	return wiretest.Dial(t, "tcp", w.addr)
}

// stranger is a client after the TLS handshake.
func (w *world) stranger(t testing.TB) *wire {
	t.Helper()
	return &wire{t: t, conn: w.cert.Over(t, w.dialRaw(t))}
}

// user is a client that is authenticated and has named no workspace.
func (w *world) user(t testing.TB) *wire {
	t.Helper()
	c := w.stranger(t)
	c.want(bson.D{{Key: "done", Value: true}}, plainStart(testUser, testPassword))
	return c
}

// connect is a client that is bound to the workspace.
func (s *testSpace) connect(t testing.TB) *wire {
	t.Helper()
	c := s.world.user(t)
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "ping", Value: 1}}))
	return c
}

func plainStart(user, password string) bson.D {
	return bson.D{{Key: "saslStart", Value: 1}, {Key: "mechanism", Value: "PLAIN"},
		{Key: "payload", Value: []byte("\x00" + user + "\x00" + password)}, {Key: "$db", Value: "$external"}}
}

// cmd is a command for the workspace's database.
func (s *testSpace) cmd(d bson.D) bson.D {
	return append(slices.Clone(d), bson.E{Key: "$db", Value: s.route.Database})
}

func admin(d bson.D) bson.D { return append(slices.Clone(d), bson.E{Key: "$db", Value: "admin"}) }

func encode(t testing.TB, d any) []byte {
	t.Helper()
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// send sends bytes as they are.
func (c *wire) send(b []byte) {
	c.t.Helper()
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// try is send where the proxy may have closed the connection.
func (c *wire) try(b []byte) { _, _ = c.conn.Write(b) }

// request sends a command.
func (c *wire) request(flags uint32, d bson.D) {
	c.t.Helper()
	c.id++
	c.send(appendMessage(nil, c.id, 0, flags, encode(c.t, d)))
}

// read reads one message.
func (c *wire) read() (header, []byte) {
	c.t.Helper()
	h, b, err := readFrame(c.conn)
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return h, b
}

// readFrame reads one message, from its header on.
func readFrame(conn io.Reader) (header, []byte, error) {
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(conn, head); err != nil {
		return header{}, nil, err
	}
	h, err := readHeader(head, maxReply)
	if err != nil {
		return header{}, nil, err
	}
	b := append(head, make([]byte, h.length-headerSize)...)
	_, err = io.ReadFull(conn, b[headerSize:])
	return h, b, err
}

// reply reads the reply to the last request.
func (c *wire) reply() bson.M {
	c.t.Helper()
	h, b := c.read()
	if h.responseTo != c.id {
		c.t.Fatalf("reply to %d: got one to %d", c.id, h.responseTo)
	}
	return body(c.t, h, b)
}

// body decodes a message.
func body(t testing.TB, h header, b []byte) bson.M {
	t.Helper()
	var m message
	doc := b
	switch h.opcode {
	case opMsg:
		if _, err := parseMessage(b, h, &m); err != nil {
			t.Fatalf("reply: %v", err)
		}
		doc = m.body
	case opReply:
		doc = b[headerSize+20:]
	default:
		t.Fatalf("reply: opcode %d", h.opcode)
	}
	var d bson.M
	if err := bson.Unmarshal(doc, &d); err != nil {
		t.Fatalf("reply: %v", err)
	}
	return d
}

// do sends a command and reads its reply.
func (c *wire) do(d bson.D) bson.M {
	c.t.Helper()
	c.request(0, d)
	return c.reply()
}

// want is do with what the reply must have.
func (c *wire) want(fields bson.D, d bson.D) bson.M {
	c.t.Helper()
	got := c.do(d)
	for _, f := range fields {
		if fmt.Sprint(got[f.Key]) != fmt.Sprint(f.Value) {
			c.t.Fatalf("%.200v: got %v, want %s %v", d, got, f.Key, f.Value)
		}
	}
	return got
}

// refused is do with an error that must come.
func (c *wire) refused(code int32, text string, d bson.D) {
	c.t.Helper()
	got := c.do(d)
	if got["code"] != code || !strings.Contains(fmt.Sprint(got["errmsg"]), text) {
		c.t.Errorf("%.200v: got %v, want error %d with %q", d, got, code, text)
	}
}

// ended waits for the end of the connection and gives what came before it.
func (c *wire) ended() []byte {
	c.t.Helper()
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	b, err := io.ReadAll(c.conn)
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		c.t.Fatalf("the connection did not end; have %d bytes", len(b))
	}
	return b
}
