package mysql

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// conversation is a stream on which the other end has said all it will.
type conversation struct {
	io.Reader
	said bytes.Buffer
}

func (c *conversation) Write(p []byte) (int, error) { return c.said.Write(p) }

// FuzzLogin is everything behind the TLS handshake and before the OK: nobody
// is let in who does not know the password, whatever is sent.
func FuzzLogin(f *testing.F) {
	for _, plugin := range []string{mysql.AUTH_NATIVE_PASSWORD, mysql.AUTH_CACHING_SHA2_PASSWORD, mysql.AUTH_CLEAR_PASSWORD, "dialog"} {
		for _, flags := range []uint32{usual, usual | mysql.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA, usual &^ mysql.CLIENT_PLUGIN_AUTH, usual &^ mysql.CLIENT_SECURE_CONNECTION} {
			body := append(handshakeHead(flags), "user\x00\x05proofshop\x00"...)
			body = append(append(body, plugin...), 0)
			f.Add(append(encode(2, body), append(encode(4, []byte("proof")), encode(6, []byte("password\x00"))...)...))
		}
	}
	login := workspace.Login{Known: true, Password: "a password that no input has: 4c6f6e672067"}
	f.Fuzz(func(t *testing.T, said []byte) {
		c := &conversation{Reader: bytes.NewReader(said)}
		st := &startup{talk: talk{conn: c, sequence: 2}, offered: offer("8.4.3")}
		st.scramble = newScramble()
		response, err := st.receive(maxStartup)
		if err != nil {
			return
		}
		if _, err := st.parse(response); err != nil {
			return
		}
		if _, err := st.authenticate(login); err == nil {
			t.Errorf("%q was let in", said)
		}
	})
}

// FuzzChangeUser is a COM_CHANGE_USER, cut and twisted.
func FuzzChangeUser(f *testing.F) {
	f.Add(append([]byte{mysql.COM_CHANGE_USER}, changeUserBody("user", "shop")...))
	f.Add([]byte("\x11user\x00\x03abcshop"))
	f.Fuzz(func(t *testing.T, command []byte) {
		next, err := parseChangeUser(command)
		if err == nil && (len(next.user)+len(next.database) >= len(command) || next.charset == 0) {
			t.Errorf("%q: got %+v", command, next)
		}
	})
}

// FuzzGreeting is a server's login, as broken as can be.
func FuzzGreeting(f *testing.F) {
	st := &startup{offered: offer(""), id: 7}
	st.scramble, st.plugin = newScramble(), mysql.AUTH_NATIVE_PASSWORD
	f.Add(st.greeting("8.0.36"), []byte("\x00mysql_native_password\x00"))
	f.Add([]byte("\x0a\x00"), []byte("\xfecaching_sha2_password\x00xxxxxxxxxxxxxxxxxxxx\x00"))
	f.Fuzz(func(t *testing.T, greeting, next []byte) {
		l := &backendLogin{route: workspace.Route{Role: "role", Password: "secret", Database: "shop"}}
		if err := l.parseGreeting(greeting); err != nil {
			return
		}
		if got := l.response(); bytes.Contains(got, []byte("secret")) {
			t.Errorf("the password is sent in the open: %q", got)
		}
		parseError(next)
	})
}

// FuzzFrontend is what a client sends after its login: however it comes in
// pieces, the same goes on.
func FuzzFrontend(f *testing.F) {
	f.Add(encode(0, []byte("\x03select 1")), uint32(0))
	f.Add(append(encode(0, []byte("\x16create table t (id int)")), encode(0, []byte("\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00"))...), uint32(0))
	f.Add(encode(0, []byte("\x03\x01\x01\x00\x01\xfe\x00\x01a\x01bkill query 5")), uint32(mysql.CLIENT_QUERY_ATTRIBUTES))
	f.Add(append(encode(0, []byte("\x0c\x01\x00\x00\x00")), encode(0, []byte("\x02shop"))...), uint32(0))
	f.Fuzz(func(t *testing.T, sent []byte, flags uint32) {
		for _, start := range []track{{tracked: true}, {deployed: true}} {
			start.capabilities, start.database = capabilities{base: flags}, "shop"
			whole, wholeErr := scanAll(bytes.NewReader(sent), start)
			pieces, piecesErr := scanAll(iotest.OneByteReader(bytes.NewReader(sent)), start)
			if !bytes.Equal(whole, pieces) || (wholeErr == nil) != (piecesErr == nil) {
				t.Errorf("whole %q %v, in pieces %q %v", whole, wholeErr, pieces, piecesErr)
			}
		}
	})
}

// scanAll relays what a client sends as the relay does, with a server that
// answers each command at once.
func scanAll(from io.Reader, track track) (passed []byte, err error) {
	var b []byte
	piece := make([]byte, 4096)
	for {
		n, readErr := from.Read(piece)
		b = append(b, piece[:n]...)
		for {
			s, err := track.scanFrontend(b, 1, time.Second)
			passed = append(passed, b[:s.pass]...)
			b = b[s.pass:]
			if err != nil {
				return passed, err
			}
			if s.act == more {
				break
			}
			switch s.act {
			case terminate:
				return passed, nil
			case busy:
				track.endReply()
			case judge:
				track.judged = true
			case mapKill, changeUser:
				b = b[s.size:]
			case dropped:
				track.dropFront(s.size)
				b = b[s.size:]
			case refuse:
				track.refused = nil
			}
		}
		if readErr != nil {
			return passed, nil
		}
	}
}

// FuzzBackend is what a server sends for a command: however it comes in pieces
// the same goes on, and nothing is held but a packet's head.
func FuzzBackend(f *testing.F) {
	eof := []byte{0xfe, 0, 0, 2, 0}
	result := bytes.Join([][]byte{encode(1, []byte{1}), encode(2, []byte("\x03def")), encode(3, eof), encode(4, []byte("\x011")), encode(5, eof)}, nil)
	f.Add(result, byte(mysql.COM_QUERY), uint32(0))
	f.Add(result, byte(mysql.COM_STMT_EXECUTE), uint32(mysql.CLIENT_DEPRECATE_EOF))
	f.Add(encode(1, okPayload), byte(mysql.COM_PING), uint32(0))
	f.Add(encode(1, []byte("\x00\x01\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00")), byte(mysql.COM_STMT_PREPARE), uint32(0))
	f.Add(append(encode(1, []byte("\xfbgoods")), encode(2, okPayload)...), byte(mysql.COM_QUERY), uint32(0))
	f.Fuzz(func(t *testing.T, sent []byte, command byte, flags uint32) {
		whole, wholeErr := scanReply(t, bytes.NewReader(sent), command, flags)
		pieces, piecesErr := scanReply(t, iotest.OneByteReader(bytes.NewReader(sent)), command, flags)
		if !bytes.Equal(whole, pieces) || (wholeErr == nil) != (piecesErr == nil) {
			t.Errorf("whole %q %v, in pieces %q %v", whole, wholeErr, pieces, piecesErr)
		}
	})
}

func scanReply(t *testing.T, from io.Reader, command byte, flags uint32) (passed []byte, err error) {
	track := track{capabilities: capabilities{base: flags}}
	track.owe(command)
	var b []byte
	piece := make([]byte, 4096)
	for {
		n, readErr := from.Read(piece)
		b = append(b, piece[:n]...)
		for {
			s, err := track.scanBackend(b, 5, 1, time.Second)
			passed = append(passed, b[:s.pass]...)
			b = b[s.pass:]
			if err != nil {
				return passed, err
			}
			if s.act == more {
				if s.need > headerLen+maxHead {
					t.Errorf("%d bytes are to be held", s.need)
				}
				break
			}
			switch s.act {
			case awaitQuiet:
				track.unkilled = true
			case record:
				track.recorded = true
			default:
				track.dropBack(s.size)
				b = b[s.size:]
			}
		}
		if readErr != nil {
			return passed, nil
		}
	}
}
