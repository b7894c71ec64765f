package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// redisServers are the processes of the Redis part: Redis itself, which serves
// TLS and, for the two proxies, a unix socket, then HAProxy and tenantsdb.
type redisServers struct {
	*servers // tenantsdb, its folder and its certificate
	redis    *exec.Cmd
	haproxy  *exec.Cmd
	at       struct{ redis, haproxy int }
}

func startRedisServers(dir, program string) (r *redisServers, err error) {
	r = &redisServers{servers: &servers{dir: filepath.Join(dir, "redis")}}
	defer func() {
		if err != nil {
			r.stop()
		}
	}()
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		return nil, err
	}
	for _, port := range []*int{&r.at.redis, &r.at.haproxy, &r.ports.proxy, &r.ports.admin} {
		if *port, err = freePort(); err != nil {
			return nil, err
		}
	}
	if err := r.writeCertificate(); err != nil {
		return nil, err
	}
	if err := r.startRedis(); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := r.startHAProxy(); err != nil {
		return nil, fmt.Errorf("haproxy: %w", err)
	}
	if err := r.startTenantsDB(program); err != nil {
		return nil, fmt.Errorf("tenantsdb: %w", err)
	}
	return r, nil
}

func (r *redisServers) socket() string { return r.path("redis.sock") }

func (r *redisServers) startRedis() error {
	r.redis = r.command("redis-server", "--port", "0", "--tls-port", strconv.Itoa(r.at.redis), "--bind", "127.0.0.1",
		"--tls-cert-file", r.path("server.crt"), "--tls-key-file", r.path("server.key"), "--tls-auth-clients", "no",
		"--unixsocket", r.socket(), "--dir", r.dir, "--save", "", "--appendonly", "no", "--databases", "16",
		"--requirepass", password, "--loglevel", "warning")
	if err := r.redis.Start(); err != nil {
		return fmt.Errorf("install the Debian package redis-server: %w", err)
	}
	return listening(r.at.redis)
}

func (r *redisServers) startHAProxy() error {
	pair, err := os.ReadFile(r.path("server.crt"))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(r.path("server.key"))
	if err != nil {
		return err
	}
	if err := r.write("haproxy.pem", string(pair)+string(key), 0o600); err != nil {
		return err
	}
	config := fmt.Sprintf(`global
    maxconn 2000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen redis
    bind 127.0.0.1:%d ssl crt %s
    server redis unix@%s
`, r.at.haproxy, r.path("haproxy.pem"), r.socket())
	if err := r.write("haproxy.cfg", config, 0o600); err != nil {
		return err
	}
	program, err := exec.LookPath("haproxy")
	if err != nil {
		program = "/usr/sbin/haproxy"
	}
	r.haproxy = r.command(program, "-db", "-f", r.path("haproxy.cfg"))
	r.haproxy.Stderr = nil
	if err := r.haproxy.Start(); err != nil {
		return fmt.Errorf("install the Debian package haproxy: %w", err)
	}
	return listening(r.at.haproxy)
}

func (r *redisServers) startTenantsDB(program string) error {
	return r.serve(program, fmt.Sprintf(`data_dir: %s
tls:
  cert: %s
  key: %s
redis:
  listen: 127.0.0.1:%d
admin:
  listen: 127.0.0.1:%d
servers:
  - name: bench
    type: redis
    socket: %s
    user: default
    password: %s
`, r.path("tenantsdb"), r.path("server.crt"), r.path("server.key"), r.ports.proxy, r.ports.admin, r.socket(), password))
}

// targets are what is measured: one server, three ways to it.
func (r *redisServers) targets() ([]redisTarget, error) {
	var created struct {
		Connection struct{ User, Password string }
	}
	if err := r.call("POST", "/workspaces", `{"name": "bench", "database": "Redis", "mode": "tenant"}`, &created); err != nil {
		return nil, err
	}
	return []redisTarget{
		{name: "direct", port: r.at.redis, user: "default", password: password},
		{name: "haproxy", port: r.at.haproxy, user: "default", password: password},
		{name: "tenantsdb", port: r.ports.proxy, user: created.Connection.User, password: created.Connection.Password},
	}, nil
}

// stop ends what was started, the proxies first.
func (r *redisServers) stop() {
	r.servers.stop()
	for _, cmd := range []*exec.Cmd{r.haproxy, r.redis} {
		if cmd == nil || cmd.Process == nil {
			continue
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err == nil {
			// How a server that was told to end does so is no finding.
			_ = cmd.Wait()
		}
	}
}
