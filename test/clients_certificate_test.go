package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCertificateReload replaces the certificate under open sessions.
func TestCertificateReload(t *testing.T) {
	in := newInstallation(t, "postgresql")
	l := in.workspace(t, "certified", "control").login(t)
	conn := l.connect(t)
	folder := filepath.Dir(in.CAFile)
	replaceLeaf(t, folder, l.served(t), 4711)
	hangUp := func() {
		t.Helper()
		if err := in.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hangUp()
	eventually(t, "the new certificate is served", func() bool { return l.served(t).SerialNumber.Int64() == 4711 })
	alive(t, conn)
	bound := l.command(t, "psql", "-XAtc", "SELECT 'new'")
	bound.Env = append(bound.Env, "PGCHANNELBINDING=require")
	if out, err := bound.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "new" {
		t.Errorf("a new session with the new certificate: got %q, %v", out, err)
	}
	if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
		t.Errorf("cancel request of an old session: %v", err)
	}
	alive(t, conn)

	t.Run("files that are no good change nothing", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(folder, "ca.key"), []byte("broken"), 0o600); err != nil {
			t.Fatal(err)
		}
		hangUp()
		eventually(t, "the log says so", func() bool { return strings.Contains(in.log.String(), "certificate kept") })
		if got := l.served(t).SerialNumber.Int64(); got != 4711 {
			t.Errorf("certificate %d is served", got)
		}
		alive(t, conn)
		if got := l.psql(t, "SELECT 1"); got != "1" {
			t.Errorf("a new session: got %q", got)
		}
	})
}

// served is the certificate that a new client is shown.
func (l login) served(t testing.TB) *x509.Certificate {
	t.Helper()
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(l.host, fmt.Sprint(l.port)), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// SSLRequest: https://www.postgresql.org/docs/current/protocol-message-formats.html
	request := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), 80877103)
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil || answer[0] != 'S' {
		t.Fatalf("SSLRequest: got %q, %v", answer, err)
	}
	secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // only looked at
	if err := secured.Handshake(); err != nil {
		t.Fatal(err)
	}
	return secured.ConnectionState().PeerCertificates[0]
}

// replaceLeaf puts a certificate like old, by the authority of the folder, in
// the place of the one that is there.
func replaceLeaf(t testing.TB, folder string, old *x509.Certificate, serial int64) {
	t.Helper()
	ca, err := tls.LoadX509KeyPair(filepath.Join(folder, "ca.crt"), filepath.Join(folder, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	template := *old
	template.SerialNumber = big.NewInt(serial)
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &template, ca.Leaf, key.Public(), ca.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(folder, "new.key"), "PRIVATE KEY", private)
	writePEM(t, filepath.Join(folder, "new.crt"), "CERTIFICATE", der)
	for _, kind := range []string{"key", "crt"} {
		if err := os.Rename(filepath.Join(folder, "new."+kind), filepath.Join(folder, "server."+kind)); err != nil {
			t.Fatal(err)
		}
	}
}

// writeAuthority keeps the certificate of an authority that signed nothing.
func writeAuthority(t testing.TB, file string) {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Another authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, file, "CERTIFICATE", der)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writePEM(t testing.TB, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
