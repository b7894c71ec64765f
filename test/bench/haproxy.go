package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

// startHAProxy passes connections on to server, which is as its configuration
// has addresses. Where it is to end TLS it does so with the certificate that
// all servers show.
func (s *servers) startHAProxy(endTLS bool, server string) error {
	bind := "127.0.0.1:" + strconv.Itoa(s.ports.peer)
	if endTLS {
		certificate, err := os.ReadFile(s.path("server.crt"))
		if err != nil {
			return err
		}
		key, err := os.ReadFile(s.path("server.key"))
		if err != nil {
			return err
		}
		if err := s.write("haproxy.pem", string(certificate)+string(key), 0o600); err != nil {
			return err
		}
		bind += " ssl crt " + s.path("haproxy.pem")
	}
	config := fmt.Sprintf(`global
    maxconn 2000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen bench
    bind %s
    server bench %s
`, bind, server)
	if err := s.write("haproxy.cfg", config, 0o600); err != nil {
		return err
	}
	program, err := exec.LookPath("haproxy")
	if err != nil {
		program = "/usr/sbin/haproxy"
	}
	s.peer = s.command(program, "-db", "-f", s.path("haproxy.cfg"))
	s.peer.Stderr = nil
	if err := s.peer.Start(); err != nil {
		return fmt.Errorf("install the Debian package haproxy: %w", err)
	}
	return listening(s.ports.peer)
}
