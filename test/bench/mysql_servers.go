package main

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
)

// mysqlServers are the processes of the MySQL part: MariaDB (or MySQL), which
// serves TLS and, for tenantsdb, a unix socket, then HAProxy and tenantsdb.
type mysqlServers struct {
	*servers
	mysql *devstack.MySQL
}

func startMySQLServers(dir, program string) (m *mysqlServers, err error) {
	common, err := newServers(filepath.Join(dir, "mysql"), nil)
	if err != nil {
		return nil, err
	}
	m = &mysqlServers{servers: common}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.stop())
		}
	}()
	if err := m.startMySQL(); err != nil {
		return nil, fmt.Errorf("mysql: %w", err)
	}
	// HAProxy passes connections on as they are: it can't end the TLS of this
	// protocol, which begins after a greeting.
	if err := m.startHAProxy(false, "127.0.0.1:"+strconv.Itoa(m.ports.server)); err != nil {
		return nil, fmt.Errorf("haproxy: %w", err)
	}
	if err := m.serve(program, "mysql", "socket: "+m.mysql.Socket(), "user: "+m.mysql.User(), "password: "+m.mysql.Password()); err != nil {
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
	account, err := accountOf("mysql")
	if err != nil {
		return err
	}
	if err := own(key, account); err != nil {
		return err
	}
	ctx, done := context.WithTimeout(context.Background(), 2*startTimeout)
	defer done()
	m.mysql, err = devstack.StartMySQL(ctx, devstack.MySQLConfig{Dir: m.path("data"), Settings: map[string]string{
		"skip-networking": "OFF", "bind-address": "127.0.0.1", "port": strconv.Itoa(m.ports.server),
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

// targets are what is measured: one database, three ways to it.
func (m *mysqlServers) targets() ([]mysqlTarget, error) {
	c, err := m.createWorkspace("MySQL")
	if err != nil {
		return nil, err
	}
	if err := m.makeUser(c.Database); err != nil {
		return nil, err
	}
	return []mysqlTarget{
		{"direct", m.ports.server, "bench", password, c.Database, m.dir},
		{"haproxy", m.ports.peer, "bench", password, c.Database, m.dir},
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
	if m.mysql == nil {
		return nil
	}
	ctx, done := context.WithTimeout(context.Background(), startTimeout)
	defer done()
	return m.mysql.Stop(ctx)
}
