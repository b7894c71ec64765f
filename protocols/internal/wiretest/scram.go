package wiretest

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// SCRAM is password's SCRAM-SHA-256 verifier (RFC 5802, section 3).
func SCRAM(t testing.TB, password string) workspace.SCRAM {
	t.Helper()
	salt := []byte("0123456789abcdef")
	salted, err := pbkdf2.Key(sha256.New, password, salt, 4096, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	return workspace.SCRAM{Iterations: 4096, Salt: salt, StoredKey: stored[:], ServerKey: mac(salted, "Server Key")}
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
