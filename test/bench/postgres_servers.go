package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// postgresServers are the processes of the PostgreSQL part: PostgreSQL itself,
// then PgBouncer and tenantsdb.
type postgresServers struct {
	*servers
	postgres *exec.Cmd
}

func startPostgresServers(dir, program string) (p *postgresServers, err error) {
	account, err := accountOf("postgres")
	if err != nil {
		return nil, err
	}
	common, err := newServers(filepath.Join(dir, "postgresql"), account)
	if err != nil {
		return nil, err
	}
	p = &postgresServers{servers: common}
	defer func() {
		if err != nil {
			p.stop()
		}
	}()
	if err := p.startPostgres(); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := p.serve(program, "postgresql", "socket: "+p.path(".s.PGSQL."+strconv.Itoa(p.ports.server)),
		"user: postgres", "password: "+password); err != nil {
		return nil, fmt.Errorf("tenantsdb: %w", err)
	}
	if err := p.startPgBouncer(); err != nil {
		return nil, fmt.Errorf("pgbouncer: %w", err)
	}
	return p, nil
}

// postgresProgram finds a server program of the newest PostgreSQL.
func postgresProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil && !strings.HasPrefix(path, "/usr/bin/") {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s not found: install the Debian package postgresql", name)
	}
	return slices.Max(found), nil
}

func (p *postgresServers) startPostgres() error {
	data := p.path("postgres")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if err := own(data, p.account); err != nil {
		return err
	}
	if err := p.write("pwfile", password, 0o600); err != nil {
		return err
	}
	initdb, err := postgresProgram("initdb")
	if err != nil {
		return err
	}
	if out, err := combined(p.command(initdb, "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", p.path("pwfile"))); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	program, err := postgresProgram("postgres")
	if err != nil {
		return err
	}
	p.postgres = p.command(program, "-D", data, "-p", strconv.Itoa(p.ports.server), "-k", p.dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=1400", "-c", "shared_buffers=512MB",
		"-c", "ssl=on", "-c", "ssl_cert_file="+p.path("server.crt"), "-c", "ssl_key_file="+p.path("server.key"),
		"-c", "log_min_messages=panic")
	if err := p.postgres.Start(); err != nil {
		return err
	}
	return listening(p.ports.server)
}

func combined(cmd *exec.Cmd) ([]byte, error) {
	cmd.Stderr = nil
	return cmd.CombinedOutput()
}

func (p *postgresServers) startPgBouncer() error {
	config := fmt.Sprintf(`[databases]
* = host=%s port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = session
client_tls_sslmode = require
client_tls_key_file = %s
client_tls_cert_file = %s
max_client_conn = 2000
default_pool_size = 1200
log_connections = 0
log_disconnections = 0
`, p.dir, p.ports.server, p.ports.peer, p.path("users"), p.path("server.key"), p.path("server.crt"))
	if err := p.write("pgbouncer.ini", config, 0o600); err != nil {
		return err
	}
	if err := p.write("users", fmt.Sprintf("%q %q\n", "postgres", password), 0o600); err != nil {
		return err
	}
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
	}
	p.peer = p.command(program, "-q", p.path("pgbouncer.ini"))
	p.peer.Stderr = nil
	if err := p.peer.Start(); err != nil {
		return fmt.Errorf("install the Debian package pgbouncer: %w", err)
	}
	return listening(p.ports.peer)
}

// targets are what is measured: one database, three ways to it.
func (p *postgresServers) targets() ([]target, error) {
	c, err := p.createWorkspace("PostgreSQL")
	if err != nil {
		return nil, err
	}
	return []target{
		{name: "direct", port: p.ports.server, user: "postgres", password: password, database: c.Database},
		{name: "pgbouncer", port: p.ports.peer, user: "postgres", password: password, database: c.Database},
		{name: "tenantsdb", port: p.ports.proxy, user: c.User, password: c.Password, database: c.Database},
	}, nil
}

// stop ends what was started, the proxies first.
func (p *postgresServers) stop() {
	p.servers.stop()
	end(p.postgres, syscall.SIGINT)
}
