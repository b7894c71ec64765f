package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// recorder is a connection that keeps the leaf it was served.
type recorder struct {
	net.Conn
	leaf *x509.Certificate
}

func (r *recorder) RecordLeaf(leaf *x509.Certificate) { r.leaf = leaf }

// handshake does one over a socket, with the client trusting what its config
// says, and gives the client's view and the leaf that the server's connection
// recorded.
func handshake(t *testing.T, config, client *tls.Config) (tls.ConnectionState, *x509.Certificate, error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return tls.ConnectionState{}, nil, err
	}
	defer listener.Close()
	var served recorder
	done := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		served.Conn = conn
		done <- tls.Server(&served, config).Handshake()
	}()
	near, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return tls.ConnectionState{}, nil, err
	}
	conn := tls.Client(near, client)
	err = conn.Handshake()
	near.Close()
	if serverErr := <-done; err == nil {
		err = serverErr
	}
	return conn.ConnectionState(), served.leaf, err
}

func trusting(t *testing.T, caFile, host string) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("%s holds no certificate", caFile)
	}
	return &tls.Config{RootCAs: pool, ServerName: host}
}

// operator makes a pair of files as an operator would bring them.
func operator(t *testing.T, hosts ...string) (cert, key, ca string) {
	t.Helper()
	dir := t.TempDir()
	if _, err := Development(dir, hosts, nil); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key"), CAFile(dir)
}

func replace(t *testing.T, to, from string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReloadServesTheNewFilesWithoutANewConfig(t *testing.T) {
	cert, key, _ := operator(t, "old.example")
	store, err := Files(cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	config := store.Config()
	newCert, newKey, newCA := operator(t, "new.example")
	replace(t, cert, newCert)
	replace(t, key, newKey)
	if err := store.Reload(); err != nil {
		t.Fatal(err)
	}
	_, recorded, err := handshake(t, config, trusting(t, newCA, "new.example"))
	if err != nil {
		t.Fatalf("handshake after reload: %v", err)
	}
	if !recorded.Equal(store.Leaf()) {
		t.Error("the connection recorded another leaf than the store's")
	}
}

func TestBadNewFilesKeepTheOldCertificate(t *testing.T) {
	other, _, _ := operator(t)
	foreign, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty":                 nil,
		"not a certificate":     []byte("hello"),
		"of another key":        foreign,
		"cut short":             foreign[:len(foreign)/2],
		"the key twice, no crt": []byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"),
	} {
		t.Run(name, func(t *testing.T) {
			cert, key, ca := operator(t)
			store, err := Files(cert, key, nil)
			if err != nil {
				t.Fatal(err)
			}
			before := store.Leaf()
			if err := os.WriteFile(cert, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := store.Reload(); err == nil {
				t.Fatal("reload took a bad file")
			}
			if !store.Leaf().Equal(before) {
				t.Error("the certificate in use has changed")
			}
			if _, _, err := handshake(t, store.Config(), trusting(t, ca, "localhost")); err != nil {
				t.Errorf("handshake after a failed reload: %v", err)
			}
		})
	}
}

func TestReloadRefusesAnExpiredCertificateOnlyForAGoodOne(t *testing.T) {
	cert, key, _ := operator(t)
	time0 := newClock()
	store, err := open(files{cert, key}, nil, time0.now)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	past := func() time.Time { return time0.now().Add(-2 * leafLife) }
	if _, err := openDevelopment(dir, nil, nil, past); err != nil {
		t.Fatal(err)
	}
	replace(t, cert, filepath.Join(dir, "server.crt"))
	replace(t, key, filepath.Join(dir, "server.key"))
	if err := store.Reload(); !errors.Is(err, ErrExpired) {
		t.Fatalf("got %v, want ErrExpired", err)
	}
	time0.forward(2 * leafLife)
	if err := store.Reload(); err != nil {
		t.Errorf("both are expired, so the newer files are no worse: %v", err)
	}
}

func TestOldVersionsOfTLSAreRefused(t *testing.T) {
	cert, key, ca := operator(t)
	store, err := Files(cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	for version, ok := range map[uint16]bool{
		tls.VersionTLS10: false, tls.VersionTLS11: false,
		tls.VersionTLS12: true, tls.VersionTLS13: true,
	} {
		client := trusting(t, ca, "localhost")
		client.MinVersion, client.MaxVersion = version, version
		_, recorded, err := handshake(t, store.Config(), client)
		if (err == nil) != ok {
			t.Errorf("%s: got error %v, want success %t", tls.VersionName(version), err, ok)
		}
		if ok && recorded == nil {
			t.Errorf("%s: the connection was not told its leaf", tls.VersionName(version))
		}
	}
}

func TestNoSessionIsResumedSoThatEachConnectionHasItsLeaf(t *testing.T) {
	cert, key, ca := operator(t)
	store, err := Files(cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	config := store.Config()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := trusting(t, ca, "localhost")
		client.MaxVersion = version
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		for range 3 {
			state, recorded, err := handshake(t, config, client)
			if err != nil {
				t.Fatal(err)
			}
			if state.DidResume || recorded == nil {
				t.Errorf("%s: resumed %t, leaf recorded %t", tls.VersionName(version), state.DidResume, recorded != nil)
			}
		}
	}
}

func TestConfigOffersTheProtocolsInOrder(t *testing.T) {
	cert, key, ca := operator(t)
	store, err := Files(cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := trusting(t, ca, "localhost")
	client.NextProtos = []string{"postgresql"}
	state, _, err := handshake(t, store.Config("postgresql"), client)
	if err != nil || state.NegotiatedProtocol != "postgresql" {
		t.Errorf("got protocol %q and error %v", state.NegotiatedProtocol, err)
	}
	client.NextProtos = []string{"http/1.1"}
	if _, _, err := handshake(t, store.Config("postgresql"), client); err == nil {
		t.Error("a client of another protocol was let in")
	}
}

func TestReloadWhileHandshakesRun(t *testing.T) {
	cert, key, ca := operator(t)
	store, err := Files(cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	config := store.Config()
	client := trusting(t, ca, "localhost")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 20 {
				state, recorded, err := handshake(t, config, client)
				if err != nil {
					t.Error(err)
					return
				}
				if !state.PeerCertificates[0].Equal(recorded) {
					t.Error("the leaf recorded is not the leaf served")
				}
			}
		})
	}
	for range 50 {
		if err := store.Reload(); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
}

func TestNoKeyReachesTheLogOrAnError(t *testing.T) {
	var log bytes.Buffer
	cert, key, _ := operator(t)
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	store, err := Files(cert, key, logger)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Split(string(secret), "\n")[1]
	// The files swapped: the loader meets a key where it wants a certificate.
	_, swapped := Files(key, cert, logger)
	if swapped == nil {
		t.Fatal("a key was taken for a certificate")
	}
	replace(t, cert, key)
	text := log.String() + swapped.Error() + store.Reload().Error()
	if strings.Contains(text, line) {
		t.Error("the private key is in the log or in an error")
	}
}
