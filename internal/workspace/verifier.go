package workspace

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

const (
	scramIterations = 4096 // PostgreSQL's own; the passwords are random, so more would only cost
	scramSaltSize   = 16
)

// newSCRAM is a password's verifier (RFC 5802, section 3). The passwords are
// hex digits of ours, which SASLprep leaves as they are.
func newSCRAM(password string) (SCRAM, error) {
	salt := make([]byte, scramSaltSize)
	rand.Read(salt) // never fails
	salted, err := pbkdf2.Key(sha256.New, password, salt, scramIterations, sha256.Size)
	if err != nil {
		return SCRAM{}, fmt.Errorf("derive a SCRAM verifier: %w", err)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	return SCRAM{
		Iterations: scramIterations,
		Salt:       salt,
		StoredKey:  stored[:],
		ServerKey:  mac(salted, "Server Key"),
	}, nil
}

// decoy makes the logins of those who do not exist. What it gives is stable, as
// a real verifier is, and nobody knows a password for it.
type decoy struct {
	key []byte // a secret of the installation
}

// login is a refusal for user. salt is that of the user's project, or nil where
// there is none: a client that may not know which databases exist would else
// tell them from the salt.
func (d decoy) login(user string, salt []byte) Login {
	if salt == nil {
		salt = mac(d.key, "salt\x00"+user)[:scramSaltSize]
	}
	return Login{
		Password: proxyPasswordPrefix + hex.EncodeToString(mac(d.key, "password\x00"+user)[:proxyPasswordSize]),
		SCRAM: SCRAM{
			Iterations: scramIterations,
			Salt:       salt,
			StoredKey:  mac(d.key, "stored\x00"+user),
			ServerKey:  mac(d.key, "server\x00"+user),
		},
	}
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
