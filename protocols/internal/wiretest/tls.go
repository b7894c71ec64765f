package wiretest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificate is a self-signed certificate for localhost and 127.0.0.1.
type Certificate struct {
	leaf *x509.Certificate
	pair tls.Certificate
}

// NewCertificate makes one that is valid for an hour.
func NewCertificate(t testing.TB) *Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Certificate{leaf, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}}
}

// Server is a server's configuration that tells a connection with a RecordLeaf
// method which certificate it serves, as the one of package certs does.
func (c *Certificate) Server(alpn ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: alpn,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if r, ok := hello.Conn.(interface{ RecordLeaf(*x509.Certificate) }); ok {
				r.RecordLeaf(c.leaf)
			}
			return &c.pair, nil
		},
	}
}

// Client is a client's configuration that trusts the certificate and no other.
func (c *Certificate) Client(alpn ...string) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(c.leaf)
	return &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: alpn}
}

// Over is a connection after a client's TLS handshake on raw.
func (c *Certificate) Over(t testing.TB, raw net.Conn) *tls.Conn {
	t.Helper()
	conn := tls.Client(NoteEnd(raw), c.Client())
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	return conn
}

// File writes the certificate as PEM and gives the file's path.
func (c *Certificate) File(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.leaf.Raw})
	if err := os.WriteFile(path, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
