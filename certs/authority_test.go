package certs

import (
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestDevelopmentCertificateIsGoodForThisMachine(t *testing.T) {
	dir := t.TempDir()
	store, err := Development(dir, []string{"db.example", "192.0.2.7"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	hosts := []string{"localhost", "127.0.0.1", "::1", "db.example", "192.0.2.7"}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	for _, host := range hosts {
		if _, _, err := handshake(t, store.Config(), trusting(t, CAFile(dir), host)); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, _, err := handshake(t, store.Config(), trusting(t, CAFile(dir), "evil.example")); err == nil {
		t.Error("the certificate is good for a host that it was not made for")
	}
}

func TestDevelopmentFilesHaveTheirModes(t *testing.T) {
	dir := t.TempDir()
	want := map[string]fs.FileMode{"ca.crt": 0o644, "ca.key": 0o600, "server.crt": 0o600, "server.key": 0o600}
	check := func() {
		t.Helper()
		if _, err := Development(dir, nil, nil); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != len(want) {
			t.Errorf("got files %v, want those of %v", entries, want)
		}
		for name, mode := range want {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Error(err)
				continue
			}
			if info.Mode().Perm() != mode {
				t.Errorf("%s: got mode %o, want %o", name, info.Mode().Perm(), mode)
			}
		}
	}
	check()
	if err := os.Chmod(filepath.Join(dir, "ca.key"), 0o666); err != nil {
		t.Fatal(err)
	}
	check()
}

func TestSecondStartKeepsAuthorityAndLeaf(t *testing.T) {
	dir := t.TempDir()
	first, err := Development(dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Development(dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !first.Leaf().Equal(second.Leaf()) {
		t.Error("the leaf was made anew without a reason")
	}
}

// authorityOf reads the authority's certificate.
func authorityOf(t *testing.T, dir string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestLeafIsMadeAnewUnderTheSameAuthority(t *testing.T) {
	start := newClock()
	for name, change := range map[string]struct {
		hosts []string
		later time.Duration
		spoil string
	}{
		"near its end": {later: leafLife - renewBefore + time.Hour},
		"expired":      {later: leafLife + time.Hour},
		"another host": {hosts: []string{"db.example"}},
		"key lost":     {spoil: "server.key"},
		"leaf lost":    {spoil: "server.crt"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first, err := openDevelopment(dir, nil, nil, start.now)
			if err != nil {
				t.Fatal(err)
			}
			ca := authorityOf(t, dir)
			if change.spoil != "" {
				if err := os.Remove(filepath.Join(dir, change.spoil)); err != nil {
					t.Fatal(err)
				}
			}
			later := func() time.Time { return start.now().Add(change.later) }
			second, err := openDevelopment(dir, change.hosts, nil, later)
			if err != nil {
				t.Fatal(err)
			}
			if first.Leaf().Equal(second.Leaf()) {
				t.Error("the old leaf is still served")
			}
			if !authorityOf(t, dir).Equal(ca) {
				t.Error("the authority has changed")
			}
			if left := second.NotAfter().Sub(later()); left < renewBefore {
				t.Errorf("the new leaf ends in %v", left)
			}
			if want := allHosts(change.hosts); !slices.Equal(hostsOf(second.Leaf()), want) {
				t.Errorf("got hosts %v, want %v", hostsOf(second.Leaf()), want)
			}
		})
	}
}

func TestAuthorityIsRenewedWithItsKey(t *testing.T) {
	dir := t.TempDir()
	start := newClock()
	if _, err := openDevelopment(dir, nil, nil, start.now); err != nil {
		t.Fatal(err)
	}
	old := authorityOf(t, dir)
	start.forward(authorityLife - 45*24*time.Hour)
	store, err := openDevelopment(dir, nil, nil, start.now)
	if err != nil {
		t.Fatal(err)
	}
	if authorityOf(t, dir).Equal(old) {
		t.Fatal("the authority's certificate is the old one")
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(old)
	_, err = store.Leaf().Verify(x509.VerifyOptions{Roots: trusted, DNSName: "localhost", CurrentTime: start.now()})
	if err != nil {
		t.Errorf("a client that trusts the old certificate refuses the leaf: %v", err)
	}
}

func TestAnAuthorityThatClientsTrustIsNeverReplaced(t *testing.T) {
	dir := t.TempDir()
	if _, err := Development(dir, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := Development(dir, nil, nil); err == nil {
		t.Error("a lost key went unnoticed")
	}
}

func TestACrashBetweenTheAuthoritysFilesIsHarmless(t *testing.T) {
	dir := t.TempDir()
	if _, err := Development(dir, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(CAFile(dir)); err != nil {
		t.Fatal(err)
	}
	store, err := Development(dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := handshake(t, store.Config(), trusting(t, CAFile(dir), "localhost")); err != nil {
		t.Error(err)
	}
}
