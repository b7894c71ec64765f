package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
)

// mongodbServers are the processes of the MongoDB part: FerretDB, which has a
// unix socket and no TLS, then HAProxy and tenantsdb, which end TLS before it.
type mongodbServers struct {
	*servers
	ferretdb *devstack.FerretDB
}

func startMongoDBServers(dir, program string) (m *mongodbServers, err error) {
	common, err := newServers(filepath.Join(dir, "mongodb"), nil)
	if err != nil {
		return nil, err
	}
	m = &mongodbServers{servers: common}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.stop())
		}
	}()
	if err := m.startFerretDB(program); err != nil {
		return nil, fmt.Errorf("ferretdb: %w", err)
	}
	if err := m.startHAProxy(true, "unix@"+m.ferretdb.Socket()); err != nil {
		return nil, fmt.Errorf("haproxy: %w", err)
	}
	if err := m.serve(program, "mongodb", "uri: mongodb://"+url.PathEscape(m.ferretdb.Socket())+"/?directConnection=true"); err != nil {
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

// targets are what is measured: one database, three ways to it.
func (m *mongodbServers) targets() (targets []mongodbTarget, database string, err error) {
	c, err := m.createWorkspace("MongoDB")
	if err != nil {
		return nil, "", err
	}
	loopback := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	return []mongodbTarget{
		{name: "direct", network: "unix", address: m.ferretdb.Socket(), plaintext: true},
		{name: "haproxy", network: "tcp", address: loopback(m.ports.peer)},
		{name: "tenantsdb", network: "tcp", address: loopback(m.ports.proxy), user: c.User, password: c.Password},
	}, c.Database, nil
}

// stop ends what was started, the proxies first.
func (m *mongodbServers) stop() error {
	m.servers.stop()
	if m.ferretdb == nil {
		return nil
	}
	ctx, done := context.WithTimeout(context.Background(), startTimeout)
	defer done()
	return m.ferretdb.Stop(ctx)
}
