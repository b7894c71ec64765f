package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// redisServers are the processes of the Redis part: Redis itself, which serves
// TLS and, for the two proxies, a unix socket, then HAProxy and tenantsdb.
type redisServers struct {
	*servers
	redis *exec.Cmd
}

func startRedisServers(dir, program string) (r *redisServers, err error) {
	common, err := newServers(filepath.Join(dir, "redis"), nil)
	if err != nil {
		return nil, err
	}
	r = &redisServers{servers: common}
	defer func() {
		if err != nil {
			r.stop()
		}
	}()
	if err := r.startRedis(); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := r.startHAProxy(true, "unix@"+r.socket()); err != nil {
		return nil, fmt.Errorf("haproxy: %w", err)
	}
	if err := r.serve(program, "redis", "socket: "+r.socket(), "user: default", "password: "+password); err != nil {
		return nil, fmt.Errorf("tenantsdb: %w", err)
	}
	return r, nil
}

func (r *redisServers) socket() string { return r.path("redis.sock") }

func (r *redisServers) startRedis() error {
	r.redis = r.command("redis-server", "--port", "0", "--tls-port", strconv.Itoa(r.ports.server), "--bind", "127.0.0.1",
		"--tls-cert-file", r.path("server.crt"), "--tls-key-file", r.path("server.key"), "--tls-auth-clients", "no",
		"--unixsocket", r.socket(), "--dir", r.dir, "--save", "", "--appendonly", "no", "--databases", "16",
		"--requirepass", password, "--loglevel", "warning")
	if err := r.redis.Start(); err != nil {
		return fmt.Errorf("install the Debian package redis-server: %w", err)
	}
	return listening(r.ports.server)
}

// targets are what is measured: one server, three ways to it.
func (r *redisServers) targets() ([]redisTarget, error) {
	c, err := r.createWorkspace("Redis")
	if err != nil {
		return nil, err
	}
	return []redisTarget{
		{name: "direct", port: r.ports.server, user: "default", password: password},
		{name: "haproxy", port: r.ports.peer, user: "default", password: password},
		{name: "tenantsdb", port: r.ports.proxy, user: c.User, password: c.Password},
	}, nil
}

// stop ends what was started, the proxies first.
func (r *redisServers) stop() {
	r.servers.stop()
	end(r.redis, syscall.SIGTERM)
}
