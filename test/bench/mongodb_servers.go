package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
)

// mongodbServers are the processes of the MongoDB part: FerretDB, which has a
// unix socket and no TLS, then HAProxy and tenantsdb, which end TLS before it.
type mongodbServers struct {
	*servers // tenantsdb, its folder and its certificate
	ferretdb *devstack.FerretDB
	haproxy  *exec.Cmd
	at       int // HAProxy's port
}

func startMongoDBServers(dir, program string) (m *mongodbServers, err error) {
	m = &mongodbServers{servers: &servers{dir: filepath.Join(dir, "mongodb")}}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.stop())
		}
	}()
	if err := os.Mkdir(m.dir, 0o755); err != nil {
		return nil, err
	}
	for _, port := range []*int{&m.at, &m.ports.proxy, &m.ports.admin} {
		if *port, err = freePort(); err != nil {
			return nil, err
		}
	}
	if err := m.writeCertificate(); err != nil {
		return nil, err
	}
	if err := m.startFerretDB(program); err != nil {
		return nil, fmt.Errorf("ferretdb: %w", err)
	}
	if err := m.startHAProxy(); err != nil {
		return nil, fmt.Errorf("haproxy: %w", err)
	}
	if err := m.startTenantsDB(program); err != nil {
		return nil, fmt.Errorf("tenantsdb: %w", err)
	}
	return m, nil
}

// startFerretDB runs the server as `tenantsdb dev` does; its program is beside
// tenantsdb.
func (m *mongodbServers) startFerretDB(program string) (err error) {
	ctx, done := context.WithTimeout(context.Background(), 2*startTimeout)
	defer done()
	m.ferretdb, err = devstack.StartFerretDB(ctx, devstack.FerretDBConfig{
		Dir:     m.path("data"),
		Program: filepath.Join(filepath.Dir(program), devstack.FerretDBProgram),
	})
	return err
}

func (m *mongodbServers) startHAProxy() error {
	certificate, err := os.ReadFile(m.path("server.crt"))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(m.path("server.key"))
	if err != nil {
		return err
	}
	if err := m.write("haproxy.pem", string(certificate)+string(key), 0o600); err != nil {
		return err
	}
	config := fmt.Sprintf(`global
    maxconn 2000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen mongodb
    bind 127.0.0.1:%d ssl crt %s
    server ferretdb unix@%s
`, m.at, m.path("haproxy.pem"), m.ferretdb.Socket())
	if err := m.write("haproxy.cfg", config, 0o600); err != nil {
		return err
	}
	program, err := exec.LookPath("haproxy")
	if err != nil {
		program = "/usr/sbin/haproxy"
	}
	m.haproxy = m.command(program, "-db", "-f", m.path("haproxy.cfg"))
	m.haproxy.Stderr = nil
	if err := m.haproxy.Start(); err != nil {
		return fmt.Errorf("install the Debian package haproxy: %w", err)
	}
	return listening(m.at)
}

func (m *mongodbServers) startTenantsDB(program string) error {
	return m.serve(program, fmt.Sprintf(`data_dir: %s
tls:
  cert: %s
  key: %s
mongodb:
  listen: 127.0.0.1:%d
admin:
  listen: 127.0.0.1:%d
servers:
  - name: bench
    type: mongodb
    uri: mongodb://%s/?directConnection=true
`, m.path("tenantsdb"), m.path("server.crt"), m.path("server.key"), m.ports.proxy, m.ports.admin, url.PathEscape(m.ferretdb.Socket())))
}

// targets are what is measured: one database, three ways to it.
func (m *mongodbServers) targets() (targets []mongodbTarget, database string, err error) {
	var created struct {
		Connection struct{ User, Password, Database string }
	}
	if err := m.call("POST", "/workspaces", `{"name": "bench", "database": "MongoDB", "mode": "tenant"}`, &created); err != nil {
		return nil, "", err
	}
	if err := m.call("PATCH", "/workspaces/bench/settings", `{"max_connections": 0}`, nil); err != nil {
		return nil, "", err
	}
	c := created.Connection
	loopback := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	return []mongodbTarget{
		{name: "direct", network: "unix", address: m.ferretdb.Socket(), plaintext: true},
		{name: "haproxy", network: "tcp", address: loopback(m.at)},
		{name: "tenantsdb", network: "tcp", address: loopback(m.ports.proxy), user: c.User, password: c.Password},
	}, c.Database, nil
}

// stop ends what was started, the proxies first.
func (m *mongodbServers) stop() error {
	m.servers.stop()
	if m.haproxy != nil && m.haproxy.Process != nil {
		if err := m.haproxy.Process.Signal(syscall.SIGTERM); err == nil {
			// How a server that was told to end does so is no finding.
			_ = m.haproxy.Wait()
		}
	}
	if m.ferretdb == nil {
		return nil
	}
	ctx, done := context.WithTimeout(context.Background(), startTimeout)
	defer done()
	return m.ferretdb.Stop(ctx)
}
