package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	leafLife      = 90 * 24 * time.Hour
	// renewBefore is how long before its expiry a leaf is made anew.
	renewBefore = 30 * 24 * time.Hour
	// backdate allows for clients whose clock is behind.
	backdate = time.Hour
)

// Development opens the store of a development authority in dir, which it makes
// on first start: ca.crt for clients to trust (0644), ca.key, server.crt and
// server.key (0600). The certificate is for localhost, the loopback addresses,
// this machine's name and hosts, each a name or an IP address; it is made anew
// when it nears its end or the hosts change, always under the same authority.
// A nil log discards.
func Development(dir string, hosts []string, log *slog.Logger) (*Store, error) {
	return openDevelopment(dir, hosts, log, time.Now)
}

func openDevelopment(dir string, hosts []string, log *slog.Logger, now func() time.Time) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make certificate folder: %w", err)
	}
	return open(authority{dir: dir, hosts: allHosts(hosts)}, log, now)
}

// CAFile is where a development authority in dir keeps the certificate that
// clients are to trust.
func CAFile(dir string) string { return filepath.Join(dir, "ca.crt") }

// authority makes certificates for one set of hosts.
type authority struct {
	dir   string
	hosts []string // sorted, each once
}

func (a authority) paths() []string {
	return []string{a.path("server.crt"), a.path("server.key")}
}

func (a authority) path(name string) string { return filepath.Join(a.dir, name) }

func (a authority) due(leaf *x509.Certificate, now time.Time) bool {
	return now.Add(renewBefore).After(leaf.NotAfter)
}

// load gives the kept leaf where it is still right, else a new one.
func (a authority) load(now time.Time) (*tls.Certificate, error) {
	ca, caKey, err := a.root(now)
	if err != nil {
		return nil, fmt.Errorf("development authority: %w", err)
	}
	kept, err := tls.LoadX509KeyPair(a.path("server.crt"), a.path("server.key"))
	if err == nil && a.right(kept.Leaf, ca, now) {
		return &kept, a.tighten()
	}
	made, err := a.issue(ca, caKey, now)
	if err != nil {
		return nil, fmt.Errorf("make development certificate: %w", err)
	}
	return made, nil
}

// right says whether the leaf is of this authority, for these hosts, and far
// from its end.
func (a authority) right(leaf, ca *x509.Certificate, now time.Time) bool {
	return leaf.CheckSignatureFrom(ca) == nil &&
		!a.due(leaf, now) &&
		slices.Equal(hostsOf(leaf), a.hosts)
}

// root reads the authority or makes it. A certificate without its key is an
// error and not replaced: clients trust it already.
func (a authority) root(now time.Time) (*x509.Certificate, crypto.Signer, error) {
	pair, err := tls.LoadX509KeyPair(a.path("ca.crt"), a.path("ca.key"))
	if err == nil {
		key, ok := pair.PrivateKey.(crypto.Signer)
		if !ok {
			return nil, nil, fmt.Errorf("%s can't sign", a.path("ca.key"))
		}
		if now.Add(leafLife).Before(pair.Leaf.NotAfter) {
			return pair.Leaf, key, nil
		}
		// The same key under the same name: clients that trust the old
		// certificate accept what the new one signs.
		ca, err := a.certify(key, pair.Leaf.Subject, now)
		return ca, key, err
	}
	// The certificate is written last, so that without it nobody can have
	// trusted the authority, whatever else is there.
	if _, statErr := os.Stat(a.path("ca.crt")); !errors.Is(statErr, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w; restore ca.key, or remove ca.crt to have a new authority made", err)
	}
	return a.found(now)
}

// found makes the authority.
func (a authority) found(now time.Time) (*x509.Certificate, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if err := writeKey(a.path("ca.key"), key); err != nil {
		return nil, nil, err
	}
	name := pkix.Name{CommonName: "TenantsDB development authority " + now.UTC().Format("2006-01-02")}
	ca, err := a.certify(key, name, now)
	return ca, key, err
}

// certify makes the authority's own certificate and keeps it.
func (a authority) certify(key crypto.Signer, name pkix.Name, now time.Time) (*x509.Certificate, error) {
	template := &x509.Certificate{
		Subject:               name,
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if err := writePEM(a.path("ca.crt"), 0o644, "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// issue makes a leaf and keeps it.
func (a authority) issue(ca *x509.Certificate, caKey crypto.Signer, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "TenantsDB development server"},
		NotBefore:   now.Add(-backdate),
		NotAfter:    now.Add(leafLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range a.hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		return nil, err
	}
	if err := writeKey(a.path("server.key"), key); err != nil {
		return nil, err
	}
	if err := writePEM(a.path("server.crt"), 0o600, "CERTIFICATE", der); err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// tighten puts the modes back that a copied folder may have lost.
func (a authority) tighten() error {
	for _, name := range []string{"ca.key", "server.key", "server.crt"} {
		info, err := os.Stat(a.path(name))
		if err != nil {
			return err
		}
		if info.Mode().Perm() == 0o600 {
			continue
		}
		if err := os.Chmod(a.path(name), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func allHosts(extra []string) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil && name != "" {
		hosts = append(hosts, name)
	}
	for _, host := range extra {
		if ip := net.ParseIP(host); ip != nil {
			host = ip.String()
		}
		hosts = append(hosts, host)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

func hostsOf(leaf *x509.Certificate) []string {
	hosts := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	slices.Sort(hosts)
	return hosts
}

func writeKey(path string, key crypto.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, 0o600, "PRIVATE KEY", der)
}

// writePEM replaces the file as a whole, so that a crash leaves the old one or
// the new one.
func writePEM(path string, mode fs.FileMode, kind string, der []byte) error {
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(part.Name())
	err = errors.Join(
		part.Chmod(mode),
		pem.Encode(part, &pem.Block{Type: kind, Bytes: der}),
		part.Sync(),
		part.Close(),
	)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(part.Name(), path)
}
