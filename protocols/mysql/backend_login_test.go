package mysql

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// Over plain TCP a server that has the password not in its cache gets it
// encrypted with its public key, and mixed with its scramble.
func TestThePasswordIsEncryptedWhereOthersMayRead(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	conn := wiretest.NewRecording(nil)
	l := &backendLogin{conn: conn, plugin: mysql.AUTH_CACHING_SHA2_PASSWORD, scramble: newScramble(), route: workspace.Route{Password: roleSecret}}
	if err := l.more([]byte{mysql.CACHE_SHA2_FULL_AUTH}); err != nil {
		t.Fatal(err)
	}
	if got := string(conn.Written[headerLen:]); got != "\x02" {
		t.Fatalf("got %q, want a request for the key", got)
	}
	conn.Written = nil
	if err := l.more(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})); err != nil {
		t.Fatal(err)
	}
	plain, err := rsa.DecryptOAEP(sha1.New(), rand.Reader, key, conn.Written[headerLen:], nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := mysql.Xor(plain, l.scramble); !bytes.Equal(got, []byte(roleSecret+"\x00")) {
		t.Errorf("got %q, want the password", got)
	}
	for _, bad := range []string{"no pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		if err := l.more([]byte(bad)); err == nil {
			t.Errorf("%q was taken for a key", bad)
		}
	}
}

// A server asked for what it does not have is not asked again.
func TestWhatAServerLacksIsNotOfferedAgain(t *testing.T) {
	peer := newScriptedServer(t, func(s *scripted) { s.command() })
	w := newWorld(t, withBackend(peer.Addr), withVersion("9.0.0")) // the peer has no query attributes
	asks := func(i *identity) { i.capabilities |= mysql.CLIENT_QUERY_ATTRIBUTES }
	who := w.identity()
	asks(&who)
	if _, err := w.tryWire(t, who); refusedWith(err) != numberUnreachable {
		t.Fatalf("got %v, want 2003", err)
	}
	w.wire(t, asks)
}
