package test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSysbenchRunsOnMySQL prepares tables, and changes them from several threads
// in both protocols.
func TestSysbenchRunsOnMySQL(t *testing.T) {
	d := shared.mysqlDatabase(t, "my-sysbench", "tenant")
	l := d.login()
	host, port, _ := strings.Cut(l.addr, ":")
	folder := t.TempDir()
	writeSysbenchFiles(t, folder, l.caFile)
	sysbench := func(args ...string) string {
		t.Helper()
		ctx, done := context.WithTimeout(t.Context(), clientTimeout)
		defer done()
		cmd := exec.CommandContext(ctx, "sysbench", append([]string{"oltp_read_write", "--db-driver=mysql", "--mysql-ssl=on",
			"--mysql-host=" + host, "--mysql-port=" + port, "--mysql-user=" + l.user, "--mysql-password=" + l.password, "--mysql-db=" + l.database,
			"--tables=2", "--table-size=500", "--threads=4", "--time=0"}, args...)...)
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("sysbench %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	sysbench("prepare")
	for _, protocol := range []string{"auto", "disable"} {
		out := sysbench("--db-ps-mode="+protocol, "--events=100", "run")
		contains(t, "sysbench with prepared statements "+protocol, out, "transactions:                        100 ")
	}
	wantColumn(t, l.connect(t), "SELECT COUNT(*) FROM sbtest1 UNION ALL SELECT COUNT(*) FROM sbtest2", "500", "500")
	if queue := d.queue(t); len(queue) != 4 {
		t.Errorf("the queue has %d entries, want two tables and an index of each", len(queue))
	}
	sysbench("cleanup")
	if queue := d.queue(t); len(queue) != 6 {
		t.Errorf("the queue has %d entries after the cleanup, want 6", len(queue))
	}
}

// writeSysbenchFiles puts the certificates into the folder by the names that
// sysbench has for them; it wants one of its own, which nobody asks for.
func writeSysbenchFiles(t *testing.T, folder, caFile string) {
	t.Helper()
	authority, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "cacert.pem"), authority, 0o600); err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sysbench"}, NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(folder, "client-cert.pem"), "CERTIFICATE", certificate)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(folder, "client-key.pem"), "PRIVATE KEY", secret)
}
