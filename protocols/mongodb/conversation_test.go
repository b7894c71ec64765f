package mongodb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// TestConversationsPassByteForByte plays testdata/conversations, each between a
// client and a server behind the proxy, in both modes. Lines are
//
//	client|server <requestID> <responseTo> <flags> <section> | <section> …
//
// where flags are checksum, more or exhaust, joined with + (or -), and a section
// is a document, or name=[documents]. A client's checksum is the four bytes
// 01 02 03 04. The messages are put together here as the specification has it
// (https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/#op_msg),
// apart from the code under test.
func TestConversationsPassByteForByte(t *testing.T) {
	files, err := filepath.Glob("testdata/conversations/*.txt")
	if err != nil || len(files) < 5 {
		t.Fatalf("conversations: got %v, %v", files, err)
	}
	for _, file := range files {
		for _, mode := range []workspace.Mode{workspace.Control, workspace.Tenant} {
			t.Run(fmt.Sprint(strings.TrimSuffix(filepath.Base(file), ".txt"), "/", mode), func(t *testing.T) {
				play(t, file, mode)
			})
		}
	}
}

// spoken is one message of a conversation.
type spoken struct {
	line   string
	server bool
	bytes  []byte
}

func play(t *testing.T, file string, mode workspace.Mode) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan []spoken, 1)
	peer := wiretest.NewPeer(t, func(conn net.Conn) { serveConversation(t, conn, ready) })
	at := workspace.Address{Network: "unix", Addr: peer.Addr}
	w := newWorldAt(t, at)
	s := w.workspaceAt(t, at, mode, workspace.Settings{})
	c := s.connect(t)
	all := conversation(t, strings.ReplaceAll(string(text), "DB", s.route.Database))
	ready <- all
	for _, m := range all {
		if !m.server {
			c.send(m.bytes)
			continue
		}
		got := make([]byte, len(m.bytes))
		if _, err := io.ReadFull(c.conn, got); err != nil {
			t.Fatalf("%s: %v", m.line, err)
		}
		if !bytes.Equal(got, m.bytes) {
			t.Fatalf("%s\nthe client got  %x\nthe server said %x", m.line, got, m.bytes)
		}
	}
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "ping", Value: 1}}))
}

// serveConversation is the server: the proxy's own questions and pings are
// answered, what else it gets has to be what the client said.
func serveConversation(t *testing.T, conn net.Conn, ready <-chan []spoken) {
	var rest []spoken
	for {
		h, b, err := readFrame(conn)
		if err != nil {
			return
		}
		var m message
		if _, err := parseMessage(b, h, &m); err != nil {
			t.Errorf("server: %v", err)
			return
		}
		reply, own := map[string]any{"hello": replicaSetHello(), "buildInfo": fine()[0].body, "ping": fine()[0].body}, bson.Raw(m.body)
		if first, err := own.IndexErr(0); err == nil && reply[first.Key()] != nil {
			if _, err := conn.Write(appendMessage(nil, 1, h.requestID, 0, encode(t, reply[first.Key()]))); err != nil {
				return
			}
			continue
		}
		if rest == nil {
			rest = <-ready
		}
		if len(rest) == 0 || rest[0].server || !bytes.Equal(rest[0].bytes, b) {
			t.Errorf("the server got %x, want %+v", b, rest[:min(1, len(rest))])
			return
		}
		for rest = rest[1:]; len(rest) > 0 && rest[0].server; rest = rest[1:] {
			if _, err := conn.Write(rest[0].bytes); err != nil {
				return
			}
		}
	}
}

// conversation reads the messages of a file.
func conversation(t *testing.T, text string) (all []spoken) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.SplitN(line, " ", 5)
		if len(fields) != 5 || fields[0] != "client" && fields[0] != "server" {
			t.Fatalf("not a message: %s", line)
		}
		all = append(all, spoken{line, fields[0] == "server", opMsgOf(t, fields[1], fields[2], fields[3], fields[4])})
	}
	return all
}

// opMsgOf is an OP_MSG in its bytes.
func opMsgOf(t *testing.T, requestID, responseTo, flags, sections string) []byte {
	t.Helper()
	var bits uint32
	for _, flag := range strings.Split(flags, "+") {
		bits |= map[string]uint32{"-": 0, "checksum": 1, "more": 2, "exhaust": 1 << 16}[flag]
	}
	body := binary.LittleEndian.AppendUint32(nil, bits)
	for _, section := range strings.Split(sections, " | ") {
		if strings.HasPrefix(section, "{") {
			body = append(append(body, 0), bsonOf(t, section)...)
			continue
		}
		name, list, _ := strings.Cut(section, "=")
		sequence := append([]byte(name), 0)
		var documents []bson.Raw
		if err := bson.UnmarshalExtJSON([]byte(`{"v": `+list+`}`), false, &struct{ V *[]bson.Raw }{&documents}); err != nil {
			t.Fatalf("%s: %v", section, err)
		}
		for _, d := range documents {
			sequence = append(sequence, d...)
		}
		body = append(body, 1)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(sequence)+4))
		body = append(body, sequence...)
	}
	if bits&1 != 0 {
		body = append(body, 1, 2, 3, 4)
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(16+len(body)))
	for _, text := range []string{requestID, responseTo, "2013"} {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return append(b, body...)
}

func bsonOf(t *testing.T, text string) []byte {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return encode(t, d)
}
