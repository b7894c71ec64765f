package mysql

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// maxProof bounds a packet of the authentication.
const maxProof = 4 << 10

// authMoreData marks a packet of a plugin's conversation.
const authMoreData = mysql.MORE_DATE_HEADER

// talk is a conversation with a client in whole packets: before the login,
// and again where it changes its user. sequence is the next packet's.
type talk struct {
	conn       io.ReadWriter
	sequence   byte
	scramble   []byte
	plugin     string // that proof is made with
	proof      []byte // that the client knows the password
	switches   bool   // the client knows how to change its plugin
	connectorC bool   // the client is MariaDB Connector/C
}

func (t *talk) send(payload []byte) error {
	packet := appendPacket(nil, t.sequence, payload)
	t.sequence++
	_, err := t.conn.Write(packet)
	return err
}

func (t *talk) receive(limit int) ([]byte, error) {
	payload, sequence, err := readPacket(t.conn, limit)
	if err != nil {
		return nil, err
	}
	if sequence != t.sequence {
		return nil, fmt.Errorf("packet out of order: got %d, want %d", sequence, t.sequence)
	}
	t.sequence++
	return payload, nil
}

// refuse tells the client f and gives it back as the error.
func (t *talk) refuse(f *failure) error {
	// The session ends with f whether or not the client hears it.
	_, _ = t.conn.Write(t.put(f).append(nil, t.sequence))
	return f
}

// put is f with a number that the client takes from a server: MariaDB Connector/C
// takes a packet with one of its own for malformed, and shows nothing of it.
func (t *talk) put(f *failure) *failure {
	if f.number != numberUnreachable || !t.connectorC {
		return f
	}
	return failf(numberLost, f.state, "%s", f.message)
}

// authenticate checks that the client knows login's password. It gives what
// is to be sent before the OK, nil where nothing is.
func (t *talk) authenticate(login workspace.Login) (last []byte, err error) {
	if t.switches && !t.provable() {
		if err := t.changePlugin(); err != nil {
			return nil, err
		}
	}
	ok := false
	switch t.plugin {
	case mysql.AUTH_NATIVE_PASSWORD:
		ok = same(t.proof, mysql.CalcNativePassword(t.scramble, []byte(login.Password)))
	case mysql.AUTH_CACHING_SHA2_PASSWORD:
		ok, last, err = t.cachingSHA2(login.Password)
	case mysql.AUTH_CLEAR_PASSWORD:
		ok = same(bytes.TrimSuffix(t.proof, []byte{nul}), []byte(login.Password))
	}
	if err != nil {
		return nil, err
	}
	if !ok || !login.Known || login.Password == "" {
		return nil, fmt.Errorf("%s: unknown login", t.plugin)
	}
	return last, nil
}

// provable says whether what came with the handshake response can be checked.
// A client whose default plugin is another than the greeting's sends no proof.
func (t *talk) provable() bool {
	switch t.plugin {
	case mysql.AUTH_NATIVE_PASSWORD, mysql.AUTH_CACHING_SHA2_PASSWORD, mysql.AUTH_CLEAR_PASSWORD:
		return len(t.proof) > 1 // more than the NUL of an empty password
	}
	return false
}

// changePlugin asks for a proof of a plugin that we know: the client's own,
// or else the one that every client has.
func (t *talk) changePlugin() error {
	switch t.plugin {
	case mysql.AUTH_NATIVE_PASSWORD, mysql.AUTH_CACHING_SHA2_PASSWORD, mysql.AUTH_CLEAR_PASSWORD:
	default:
		t.plugin = mysql.AUTH_NATIVE_PASSWORD
	}
	t.scramble = newScramble()
	request := append([]byte{mysql.EOF_HEADER}, t.plugin...)
	request = append(append(request, nul), t.scramble...)
	if err := t.send(append(request, nul)); err != nil {
		return fmt.Errorf("ask for another plugin: %w", err)
	}
	proof, err := t.receive(maxProof)
	if err != nil {
		return fmt.Errorf("read proof: %w", err)
	}
	t.proof = proof
	return nil
}

// cachingSHA2 checks the proof as a server that has the password in its cache
// does; where that fails the client may send the password itself, in TLS.
func (t *talk) cachingSHA2(password string) (ok bool, last []byte, err error) {
	if same(t.proof, mysql.CalcCachingSha2Password(t.scramble, []byte(password))) {
		return true, []byte{authMoreData, mysql.CACHE_SHA2_FAST_AUTH}, nil
	}
	if len(t.proof) <= 1 {
		return false, nil, nil // a client without a password has nothing more to say
	}
	if err := t.send([]byte{authMoreData, mysql.CACHE_SHA2_FULL_AUTH}); err != nil {
		return false, nil, fmt.Errorf("ask for the password: %w", err)
	}
	clear, err := t.receive(maxProof)
	if err != nil {
		return false, nil, fmt.Errorf("read password: %w", err)
	}
	clear, terminated := bytes.CutSuffix(clear, []byte{nul})
	if !terminated {
		return false, nil, errors.New("read password: not terminated")
	}
	return same(clear, []byte(password)), nil, nil
}

// same compares secrets in constant time, whatever their lengths.
func same(got, want []byte) bool {
	g, w := sha256.Sum256(got), sha256.Sum256(want)
	return subtle.ConstantTimeCompare(g[:], w[:]) == 1
}
