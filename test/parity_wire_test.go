package test

import (
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// wire is a session whose every message is seen.
type wire struct {
	t     testing.TB
	conn  net.Conn
	front *pgproto3.Frontend
}

func (l login) wire(t testing.TB) *wire {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), l.dsn())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SyncConn(t.Context()); err != nil {
		t.Fatal(err)
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t, hijacked.Conn, hijacked.Frontend}
	t.Cleanup(func() { w.conn.Close() })
	return w
}

// message is one paragraph of a script: what a client sends at once.
type message struct {
	text string
	data string // of COPY FROM STDIN
}

// messages cuts a script at its empty lines. As in psql, `\;` is a semicolon
// that does not end the message, and what follows a COPY up to `\.` is its data.
func messages(script string) []message {
	var all []message
	for paragraph := range strings.SplitSeq(strings.TrimSpace(script), "\n\n") {
		m := message{text: paragraph}
		if at := strings.Index(paragraph, ";\n"); at >= 0 && strings.HasSuffix(paragraph, "\n\\.") {
			m = message{paragraph[:at+1], strings.TrimSuffix(paragraph[at+2:], "\\.")}
		}
		m.text = strings.ReplaceAll(m.text, `\;`, ";")
		all = append(all, m)
	}
	return all
}

// player sends the messages and gives the replies, a line each.
type player func(w *wire, script []message) []string

// simple sends each message as a Query.
func simple(w *wire, script []message) []string {
	var lines []string
	for _, m := range script {
		lines = append(lines, "> "+m.text)
		w.front.SendQuery(&pgproto3.Query{String: m.text})
		lines = append(lines, w.until(isReady, m, 0)...)
	}
	return lines
}

// extended sends each message as Parse to Execute, takes at most rows at a
// time where rows is not 0, and sends Sync when it ended.
func extended(rows uint32) player {
	return func(w *wire, script []message) []string {
		var lines []string
		for _, m := range script {
			lines = append(lines, "> "+m.text)
			w.execute(m, rows)
			w.front.Send(&pgproto3.Flush{})
			lines = append(lines, w.until(isEnd, m, rows)...)
			w.front.SendSync(&pgproto3.Sync{})
			lines = append(lines, w.until(isReady, m, rows)...)
		}
		return lines
	}
}

// pipelined sends all messages, a Sync after each, before it reads a reply.
// It can't send what a COPY waits for.
func pipelined(w *wire, script []message) []string {
	for _, m := range script {
		w.execute(m, 0)
		w.front.SendSync(&pgproto3.Sync{})
	}
	var lines []string
	for _, m := range script {
		lines = append(lines, "> "+m.text)
		lines = append(lines, w.until(isReady, m, 0)...)
	}
	return lines
}

// execute sends all of the extended protocol but what ends it.
func (w *wire) execute(m message, rows uint32) {
	w.front.SendParse(&pgproto3.Parse{Query: m.text})
	w.front.SendDescribe(&pgproto3.Describe{ObjectType: 'S'})
	w.front.SendBind(&pgproto3.Bind{})
	w.front.SendDescribe(&pgproto3.Describe{ObjectType: 'P'})
	w.front.SendExecute(&pgproto3.Execute{MaxRows: rows})
}

func isReady(reply pgproto3.BackendMessage) bool {
	_, ok := reply.(*pgproto3.ReadyForQuery)
	return ok
}

// isEnd says whether reply is the last one to an Execute.
func isEnd(reply pgproto3.BackendMessage) bool {
	switch reply.(type) {
	case *pgproto3.CommandComplete, *pgproto3.EmptyQueryResponse, *pgproto3.ErrorResponse:
		return true
	}
	return false
}

// until reads replies up to the one that end is true of. It gives a COPY its
// data, and asks for more rows of a portal that has some.
func (w *wire) until(end func(pgproto3.BackendMessage) bool, m message, rows uint32) []string {
	w.t.Helper()
	var lines []string
	for {
		if err := w.front.Flush(); err != nil {
			w.t.Fatal(err)
		}
		if err := w.conn.SetReadDeadline(time.Now().Add(clientTimeout)); err != nil {
			w.t.Fatal(err)
		}
		reply, err := w.front.Receive()
		if err != nil {
			w.t.Fatalf("after %q: %v", m.text, err)
		}
		lines = append(lines, line(reply))
		switch reply.(type) {
		case *pgproto3.CopyInResponse:
			w.front.Send(&pgproto3.CopyData{Data: []byte(m.data)})
			w.front.Send(&pgproto3.CopyDone{})
			w.front.Send(&pgproto3.Flush{})
		case *pgproto3.PortalSuspended:
			w.front.SendExecute(&pgproto3.Execute{MaxRows: rows})
			w.front.Send(&pgproto3.Flush{})
		}
		if end(reply) {
			return lines
		}
	}
}

// firstUserOID is the least object id that a server gives to users' objects
// (FirstNormalObjectId); those differ from run to run.
const firstUserOID = 16384

// line is a reply as text, without what differs from run to run.
func line(reply pgproto3.BackendMessage) string {
	switch r := reply.(type) {
	case *pgproto3.RowDescription:
		var fields []string
		for _, f := range r.Fields {
			fields = append(fields, fmt.Sprintf("%s(of %t.%d %s[%d] mod %d format %d)",
				f.Name, f.TableOID != 0, f.TableAttributeNumber, typeName(f.DataTypeOID), f.DataTypeSize, f.TypeModifier, f.Format))
		}
		return "RowDescription " + strings.Join(fields, ", ")
	case *pgproto3.ParameterDescription:
		var types []string
		for _, oid := range r.ParameterOIDs {
			types = append(types, typeName(oid))
		}
		return "ParameterDescription " + strings.Join(types, ", ")
	case *pgproto3.DataRow:
		var values []string
		for _, v := range r.Values {
			values = append(values, value(v))
		}
		return "DataRow " + strings.Join(values, " | ")
	case *pgproto3.CopyData:
		return "CopyData " + value(r.Data)
	case *pgproto3.NotificationResponse:
		return fmt.Sprintf("NotificationResponse %q %q", r.Channel, r.Payload)
	case *pgproto3.ReadyForQuery:
		return "ReadyForQuery " + string(r.TxStatus)
	case *pgproto3.ErrorResponse:
		return fmt.Sprintf("ErrorResponse %+v", *r)
	case *pgproto3.NoticeResponse:
		return fmt.Sprintf("NoticeResponse %+v", *r)
	case *pgproto3.CommandComplete:
		return "CommandComplete " + string(r.CommandTag)
	}
	return fmt.Sprintf("%T %+v", reply, reply)
}

func typeName(oid uint32) string {
	if oid >= firstUserOID {
		return "user type"
	}
	return fmt.Sprint("type ", oid)
}

// value is a value as text, NULL told from the empty string.
func value(v []byte) string {
	switch {
	case v == nil:
		return "NULL"
	case utf8.Valid(v):
		return fmt.Sprintf("%q", v)
	}
	return hex.EncodeToString(v)
}
