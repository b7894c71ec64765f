package mysql

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"
	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// A server in the network is spoken to in TLS, and only if its certificate is one
// that is trusted; before that it hears nothing of the login.
func TestTheServerIsSpokenToInTLS(t *testing.T) {
	cert := wiretest.NewCertificate(t)
	route := tlsServer(t, cert)
	for _, test := range []struct {
		name    string
		config  *tls.Config
		trusted bool
	}{
		{"trusted", cert.Client(), true},
		{"of another authority", wiretest.NewCertificate(t).Client(), false},
		{"of another host", &tls.Config{RootCAs: cert.Client().RootCAs, ServerName: "elsewhere.example"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, func(w *world, _ *Config, _ *workspace.Workspace) {
				w.route = route
				w.route.Address.TLS = test.config
			})
			c, err := w.tryWire(t, w.identity())
			if !test.trusted {
				if refusedWith(err) != numberUnreachable {
					t.Errorf("got %v, want 2003", err)
				}
				wiretest.Await(t, "the log has the reason", func() bool { return strings.Contains(w.log.String(), "x509") })
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, all := c.ask("show session status like 'Ssl_version'"); !strings.Contains(string(all[len(all)-2].payload), "TLSv1") {
				t.Errorf("the server says of its connection %q", all[len(all)-2].payload)
			}
			c.usable()
		})
	}
}

// tlsServer is a real server that lets a workspace's role in through TLS alone.
func tlsServer(t *testing.T, cert *wiretest.Certificate) workspace.Route {
	t.Helper()
	pair, err := cert.Server().GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := devstacktest.Dir(t)
	certFile, keyFile := filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: key}} {
		// The server runs as another user.
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o644); err != nil { //nolint:gosec // a key of this test alone
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	m := devstacktest.MySQL(t, map[string]string{"skip-networking": "OFF", "bind-address": "127.0.0.1", "port": port, "ssl-cert": certFile, "ssl-key": keyFile})
	admin := openConfig(t, &driver.Config{Net: "unix", Addr: m.Socket(), User: m.User(), Passwd: m.Password(), AllowNativePasswords: true, Logger: &driver.NopLogger{}})
	mustExec(t, admin, "CREATE DATABASE secured")
	mustExec(t, admin, fmt.Sprintf("CREATE USER secured@'%%' IDENTIFIED BY '%s' REQUIRE SSL", roleSecret))
	mustExec(t, admin, "GRANT ALL ON secured.* TO secured@'%'")
	return workspace.Route{Address: workspace.Address{Network: "tcp", Addr: addr}, Database: "secured", Role: "secured", Password: roleSecret}
}
