package main

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
)

// mysqlServers are the processes of the MySQL part: MariaDB (or MySQL), which
// serves TLS and, for tenantsdb, a unix socket, then HAProxy and tenantsdb.
type mysqlServers struct {
	*servers // tenantsdb, its folder and its certificate
	mysql    *devstack.MySQL
	haproxy  *exec.Cmd
	at       struct{ mysql, haproxy int }
}

func startMySQLServers(dir, program string) (m *mysqlServers, err error) {
	m = &mysqlServers{servers: &servers{dir: filepath.Join(dir, "mysql")}}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.stop())
		}
	}()
	if err := os.Mkdir(m.dir, 0o755); err != nil {
		return nil, err
	}
	for _, port := range []*int{&m.at.mysql, &m.at.haproxy, &m.ports.proxy, &m.ports.admin} {
		if *port, err = freePort(); err != nil {
			return nil, err
		}
	}
	if err := m.writeCertificate(); err != nil {
		return nil, err
	}
	if err := m.startMySQL(); err != nil {
		return nil, fmt.Errorf("mysql: %w", err)
	}
	if err := m.startHAProxy(); err != nil {
		return nil, fmt.Errorf("haproxy: %w", err)
	}
	if err := m.startTenantsDB(program); err != nil {
		return nil, fmt.Errorf("tenantsdb: %w", err)
	}
	return m, nil
}

// startMySQL runs the server as `tenantsdb dev` does, and with TLS on a port
// too.
func (m *mysqlServers) startMySQL() error {
	if err := m.forSysbench(); err != nil {
		return err
	}
	key := m.path("mysql.key")
	if err := copyFile(key, m.path("server.key")); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := give(key, "mysql"); err != nil {
			return err
		}
	}
	ctx, done := context.WithTimeout(context.Background(), 2*startTimeout)
	defer done()
	var err error
	m.mysql, err = devstack.StartMySQL(ctx, devstack.MySQLConfig{Dir: m.path("data"), Settings: map[string]string{
		"skip-networking": "OFF", "bind-address": "127.0.0.1", "port": strconv.Itoa(m.at.mysql),
		"ssl-cert": m.path("server.crt"), "ssl-key": key, "ssl-ca": m.path("server.crt"),
		"innodb-buffer-pool-size": "512M", "max-connections": "1400",
	}})
	return err
}

// forSysbench puts what it looks for into its folder, by the names that it has
// for them.
func (m *mysqlServers) forSysbench() error {
	return errors.Join(copyFile(m.path("cacert.pem"), m.path("server.crt")),
		copyFile(m.path("client-cert.pem"), m.path("server.crt")), copyFile(m.path("client-key.pem"), m.path("server.key")))
}

func copyFile(to, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}

// give makes the file that of an account.
func give(path, name string) error {
	account, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return err
	}
	return os.Chown(path, uid, gid)
}

// startHAProxy passes connections on as they are: it can't end the TLS of this
// protocol, which begins after a greeting.
func (m *mysqlServers) startHAProxy() error {
	config := fmt.Sprintf(`global
    maxconn 2000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen mysql
    bind 127.0.0.1:%d
    server mysql 127.0.0.1:%d
`, m.at.haproxy, m.at.mysql)
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
	return listening(m.at.haproxy)
}

func (m *mysqlServers) startTenantsDB(program string) error {
	return m.serve(program, fmt.Sprintf(`data_dir: %s
tls:
  cert: %s
  key: %s
mysql:
  listen: 127.0.0.1:%d
admin:
  listen: 127.0.0.1:%d
servers:
  - name: bench
    type: mysql
    socket: %s
    user: %s
    password: %s
`, m.path("tenantsdb"), m.path("server.crt"), m.path("server.key"), m.ports.proxy, m.ports.admin, m.mysql.Socket(), m.mysql.User(), m.mysql.Password()))
}

// targets are what is measured: one database, three ways to it.
func (m *mysqlServers) targets() ([]mysqlTarget, error) {
	var created struct {
		Connection struct{ User, Password, Database string }
	}
	if err := m.call("POST", "/workspaces", `{"name": "bench", "database": "MySQL", "mode": "tenant"}`, &created); err != nil {
		return nil, err
	}
	if err := m.call("PATCH", "/workspaces/bench/settings", `{"max_connections": 0}`, nil); err != nil {
		return nil, err
	}
	c := created.Connection
	if err := m.makeUser(c.Database); err != nil {
		return nil, err
	}
	return []mysqlTarget{
		{"direct", m.at.mysql, "bench", password, c.Database, m.dir},
		{"haproxy", m.at.haproxy, "bench", password, c.Database, m.dir},
		{"tenantsdb", m.ports.proxy, c.User, c.Password, c.Database, m.dir},
	}, nil
}

// makeUser makes the account of those that come past the proxy.
func (m *mysqlServers) makeUser(database string) error {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd = "unix", m.mysql.Socket(), m.mysql.User(), m.mysql.Password()
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	for _, statement := range []string{
		"CREATE USER bench@'%' IDENTIFIED BY '" + password + "'",
		"GRANT ALL ON `" + database + "`.* TO bench@'%'",
	} {
		if _, err := db.Exec(statement); err != nil {
			return fmt.Errorf("make the user of the direct way: %w", err)
		}
	}
	return nil
}

// config is a target for the Go driver.
func (t mysqlTarget) config() *mysql.Config {
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", fmt.Sprintf("127.0.0.1:%d", t.port)
	c.User, c.Passwd, c.DBName = t.user, t.password, t.database
	c.TLS = &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // a server of this run
		MinVersion:         tls.VersionTLS12,
		// What the server can do too, which knows no post-quantum exchange: its
		// price is no matter of the ways to the server.
		CurvePreferences: []tls.CurveID{tls.X25519},
	}
	c.Timeout = time.Minute
	return c
}

// stop ends what was started, the proxies first.
func (m *mysqlServers) stop() error {
	m.servers.stop()
	if m.haproxy != nil && m.haproxy.Process != nil {
		if err := m.haproxy.Process.Signal(syscall.SIGTERM); err == nil {
			// How a server that was told to end does so is no finding.
			_ = m.haproxy.Wait()
		}
	}
	if m.mysql == nil {
		return nil
	}
	ctx, done := context.WithTimeout(context.Background(), startTimeout)
	defer done()
	return m.mysql.Stop(ctx)
}
