package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"syscall"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// ports are those of an installation, by their use.
type ports struct {
	PostgreSQL int `json:"postgresql"`
	Redis      int `json:"redis"`
	Admin      int `json:"admin"`
}

// defaultPorts are the databases' own.
func defaultPorts() ports { return ports{PostgreSQL: 5432, Redis: 6379, Admin: 8080} }

// portsFrom is one block: PostgreSQL, MySQL, MongoDB, Redis, admin.
func portsFrom(base int) ports { return ports{PostgreSQL: base, Redis: base + 3, Admin: base + 4} }

// sockets are open listeners; one use may have several, and one that is
// switched off has none.
type sockets struct {
	postgresql, redis, admin []net.Listener
}

func (s sockets) close() {
	for _, l := range slices.Concat(s.postgresql, s.redis, s.admin) {
		l.Close()
	}
}

// of are those of a protocol's clients.
func (s sockets) of(t workspace.DatabaseType) []net.Listener {
	if t == workspace.Redis {
		return s.redis
	}
	return s.postgresql
}

// attributes name the protocols' addresses for the log.
func (s sockets) attributes() []any {
	var all []any
	for _, t := range offered() {
		if listeners := s.of(t); len(listeners) > 0 {
			all = append(all, string(t), listeners[0].Addr().String())
		}
	}
	return all
}

// port is the one that the listeners share.
func port(listeners []net.Listener) int {
	return listeners[0].Addr().(*net.TCPAddr).Port
}

// openSockets listens as the configuration says.
func openSockets(c Config) (sockets, error) {
	var s sockets
	for _, use := range []struct {
		on      bool
		address string
		into    *[]net.Listener
	}{
		{c.serves(workspace.PostgreSQL), c.PostgreSQL.Listen, &s.postgresql},
		{c.serves(workspace.Redis), c.Redis.Listen, &s.redis},
		{true, c.Admin.Listen, &s.admin},
	} {
		if !use.on {
			continue
		}
		l, err := net.Listen("tcp", use.address)
		if err != nil {
			s.close()
			return s, err
		}
		*use.into = append(*use.into, l)
	}
	return s, nil
}

// openLocalSockets listens on this machine only, on the admin's port and on
// those of the protocols that are on. A port that is taken is replaced by a free
// one if that is allowed; say is told.
func openLocalSockets(want ports, on []workspace.DatabaseType, replace bool, say func(format string, args ...any)) (sockets, error) {
	var s sockets
	for _, use := range []struct {
		name string
		on   bool
		port int
		into *[]net.Listener
	}{
		{"PostgreSQL", slices.Contains(on, workspace.PostgreSQL), want.PostgreSQL, &s.postgresql},
		{"Redis", slices.Contains(on, workspace.Redis), want.Redis, &s.redis},
		{"admin", true, want.Admin, &s.admin},
	} {
		if !use.on {
			continue
		}
		listeners, err := listenLocal(use.port)
		if replace && errors.Is(err, syscall.EADDRINUSE) {
			if listeners, err = listenLocalAnywhere(); err == nil {
				say("port %d is taken: %s is on port %d", use.port, use.name, port(listeners))
			}
		}
		if err != nil {
			s.close()
			return s, fmt.Errorf("listen for %s: %w", use.name, err)
		}
		*use.into = listeners
	}
	return s, nil
}

// listenLocal listens on both loopback addresses, as a client's "localhost" may
// be either; on one where the machine has no other.
func listenLocal(port int) ([]net.Listener, error) {
	number := strconv.Itoa(port)
	v4, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", number))
	if err != nil {
		return nil, err
	}
	_, number, err = net.SplitHostPort(v4.Addr().String())
	if err != nil {
		v4.Close()
		return nil, err
	}
	v6, err := net.Listen("tcp", net.JoinHostPort("::1", number))
	switch {
	case err == nil:
		return []net.Listener{v4, v6}, nil
	case errors.Is(err, syscall.EADDRINUSE):
		v4.Close()
		return nil, err
	}
	return []net.Listener{v4}, nil
}

// listenLocalAnywhere lets the system choose the port. It may be free on one
// address only, so that it takes a few attempts.
func listenLocalAnywhere() (listeners []net.Listener, err error) {
	for range 10 {
		if listeners, err = listenLocal(0); err == nil {
			return listeners, nil
		}
	}
	return nil, err
}
