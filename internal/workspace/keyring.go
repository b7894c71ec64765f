package workspace

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	masterKeySize = 32
	keyIDSize     = 4
	sealedFormat  = 1
	maxKeyFile    = 64 << 10
)

// Keyring seals secrets under the installation's master key with AES-256-GCM.
// It may hold older keys too: the first seals, all of them open.
type Keyring struct {
	keys []sealingKey
}

type sealingKey struct {
	id   [keyIDSize]byte // says which key sealed a secret; tells nothing of the key
	aead cipher.AEAD
}

// LoadKeyring takes the master keys from value (the environment's
// TENANTSDB_MASTER_KEY) or, where that is empty, from the file at path, which
// it makes with a new key, mode 0600, where it does not exist. A key is 64 hex
// digits; several are separated by commas or white space, the current one
// first. A file that others may read is refused.
func LoadKeyring(value, path string) (*Keyring, error) {
	if value != "" {
		k, err := parseKeyring(value)
		if err != nil {
			return nil, fmt.Errorf("master key of the environment: %w", err)
		}
		return k, nil
	}
	text, err := readKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = makeKeyFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("master key file: %w", err)
	}
	k, err := parseKeyring(text)
	if err != nil {
		return nil, fmt.Errorf("master key file %s: %w", path, err)
	}
	return k, nil
}

func readKeyFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s can be read by others (mode %04o): it must be 0600", path, info.Mode().Perm())
	}
	if info.Size() > maxKeyFile {
		return "", fmt.Errorf("%s is larger than %d bytes", path, maxKeyFile)
	}
	text, err := os.ReadFile(path)
	return string(text), err
}

// makeKeyFile keeps a new key. The file appears whole and on disk or not at
// all, since what it seals would be lost with it.
func makeKeyFile(path string) (string, error) {
	text := randomHex(masterKeySize) + "\n"
	f, err := os.CreateTemp(filepath.Dir(path), ".master-key-*") // mode 0600
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	// A link, unlike a rename, never takes the place of another start's key.
	if err := os.Link(f.Name(), path); err != nil {
		return "", err
	}
	return text, syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func parseKeyring(text string) (*Keyring, error) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r <= ' ' })
	if len(words) == 0 {
		return nil, errors.New("holds no key")
	}
	k := &Keyring{}
	for i, word := range words {
		// The decoder's error quotes the text, which is a secret.
		master, err := hex.DecodeString(word)
		if err != nil || len(master) != masterKeySize {
			return nil, fmt.Errorf("key %d is not %d hex digits", i+1, 2*masterKeySize)
		}
		key, err := newSealingKey(master)
		if err != nil {
			return nil, err
		}
		k.keys = append(k.keys, key)
	}
	return k, nil
}

func newSealingKey(master []byte) (sealingKey, error) {
	var s sealingKey
	id, err := hkdf.Key(sha256.New, master, nil, "tenantsdb key id", keyIDSize)
	if err != nil {
		return s, fmt.Errorf("derive key id: %w", err)
	}
	key, err := hkdf.Key(sha256.New, master, nil, "tenantsdb secrets", 32)
	if err != nil {
		return s, fmt.Errorf("derive sealing key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return s, err
	}
	copy(s.id[:], id)
	s.aead, err = cipher.NewGCM(block)
	return s, err
}

// seal encrypts secret for the row that it belongs to, so that it can't be
// opened in the place of another row's.
func (k *Keyring) seal(row, secret string) []byte {
	key := k.keys[0]
	nonce := make([]byte, key.aead.NonceSize())
	rand.Read(nonce) // never fails
	out := append([]byte{sealedFormat}, key.id[:]...)
	out = append(out, nonce...)
	return key.aead.Seal(out, nonce, []byte(secret), []byte(row))
}

// open decrypts what seal made for the same row.
func (k *Keyring) open(row string, sealed []byte) (string, error) {
	if len(sealed) < 1+keyIDSize || sealed[0] != sealedFormat {
		return "", errors.New("not a sealed secret")
	}
	id, rest := sealed[1:1+keyIDSize], sealed[1+keyIDSize:]
	for _, key := range k.keys {
		if !bytes.Equal(key.id[:], id) || len(rest) < key.aead.NonceSize() {
			continue
		}
		n := key.aead.NonceSize()
		secret, err := key.aead.Open(nil, rest[:n], rest[n:], []byte(row))
		if err != nil {
			return "", errors.New("sealed secret is damaged or of another row")
		}
		return string(secret), nil
	}
	return "", fmt.Errorf("sealed under master key %x, which is not among the keys given", id)
}

// randomHex is n random bytes in hex.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
