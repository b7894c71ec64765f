package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ErrExpired is what Reload returns for a certificate whose time is over while
// the one in use is still good.
var ErrExpired = errors.New("certificate is expired")

// LeafRecorder is implemented by connections that want to know which
// certificate they were served. Channel binding needs the very one, also when
// a reload falls between the handshake and the authentication.
type LeafRecorder interface {
	RecordLeaf(leaf *x509.Certificate)
}

// Store serves one certificate and replaces it on reload. It is safe for
// concurrent use.
type Store struct {
	source source
	log    *slog.Logger
	now    func() time.Time

	current atomic.Pointer[tls.Certificate]

	mu     sync.Mutex // one reload at a time
	stamps []stamp    // of the files as the last reload found them
}

// source is where a Store's certificate comes from.
type source interface {
	// load reads the certificate, whose Leaf is set.
	load(now time.Time) (*tls.Certificate, error)
	// due says whether load would now give another certificate although no
	// file has changed.
	due(leaf *x509.Certificate, now time.Time) bool
	// paths are the files whose change means that load gives something new.
	paths() []string
}

// Files opens a store of the operator's own files, both PEM: certFile holds the
// leaf first and then its intermediates, keyFile the leaf's private key. An
// expired certificate is served with a warning, because a start that fails
// helps nobody. A nil log discards.
func Files(certFile, keyFile string, log *slog.Logger) (*Store, error) {
	return open(files{cert: certFile, key: keyFile}, log, time.Now)
}

func open(src source, log *slog.Logger, now func() time.Time) (*Store, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Store{source: src, log: log, now: now}
	s.stamps = stampsOf(src.paths())
	cert, err := src.load(now())
	if err != nil {
		return nil, err
	}
	// Loading may itself have written the files.
	s.stamps = stampsOf(src.paths())
	s.use(cert)
	s.warnOfExpiry()
	return s, nil
}

// Config is a server configuration that always serves the certificate in use:
// make one per listener, not one per connection. TLS 1.2 is the oldest version
// it accepts. nextProtos are the ALPN names, most wanted first.
func (s *Store) Config(nextProtos ...string) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     nextProtos,
		GetCertificate: s.serve,
		// A resumed session shows no certificate, so that its connection
		// could not be bound to one; database sessions are long and gain
		// nothing from resumption.
		SessionTicketsDisabled: true,
		// Full records from the first byte: results are large, and a relay
		// gains nothing from small records.
		DynamicRecordSizingDisabled: true,
	}
}

func (s *Store) serve(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	cert := s.current.Load()
	if r, ok := hello.Conn.(LeafRecorder); ok {
		r.RecordLeaf(cert.Leaf)
	}
	return cert, nil
}

// Reload reads the files again. When they are no good the certificate in use
// stays, and the error says why.
func (s *Store) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Taken before the files are read: a change during the read is seen as
	// one by the next look.
	s.stamps = stampsOf(s.source.paths())
	cert, err := s.source.load(s.now())
	if err != nil {
		return fmt.Errorf("reload certificate: %w", err)
	}
	if now := s.now(); now.After(cert.Leaf.NotAfter) && now.Before(s.NotAfter()) {
		return fmt.Errorf("reload certificate: %w since %s", ErrExpired, cert.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	s.use(cert)
	return nil
}

func (s *Store) use(cert *tls.Certificate) {
	s.current.Store(cert)
	s.log.Info("certificate in use", "subject", cert.Leaf.Subject.String(),
		"serial", fmt.Sprintf("%x", cert.Leaf.SerialNumber), "not_after", cert.Leaf.NotAfter.UTC())
}

// Leaf is the certificate in use; the caller must not change it.
func (s *Store) Leaf() *x509.Certificate { return s.current.Load().Leaf }

// NotAfter is when the certificate in use expires.
func (s *Store) NotAfter() time.Time { return s.Leaf().NotAfter }

// files are the operator's own.
type files struct{ cert, key string }

func (f files) load(time.Time) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("load certificate %s with key %s: %w", f.cert, f.key, err)
	}
	return &cert, nil
}

func (f files) due(*x509.Certificate, time.Time) bool { return false }

func (f files) paths() []string { return []string{f.cert, f.key} }

// stamp tells one state of a file from another.
type stamp struct {
	modified time.Time
	size     int64
	mode     fs.FileMode
}

// stampsOf gives a zero stamp for a file that can't be looked at.
func stampsOf(paths []string) []stamp {
	stamps := make([]stamp, len(paths))
	for i, path := range paths {
		if info, err := os.Stat(path); err == nil {
			stamps[i] = stamp{info.ModTime(), info.Size(), info.Mode()}
		}
	}
	return stamps
}
