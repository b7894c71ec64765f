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
	MySQL      int `json:"mysql"`
	MongoDB    int `json:"mongodb"`
	Redis      int `json:"redis"`
	Admin      int `json:"admin"`
}

// defaultPorts are the databases' own.
func defaultPorts() ports {
	return ports{PostgreSQL: 5432, MySQL: 3306, MongoDB: 27017, Redis: 6379, Admin: 8080}
}

// portsFrom is one block.
func portsFrom(base int) ports {
	return ports{PostgreSQL: base, MySQL: base + 1, MongoDB: base + 2, Redis: base + 3, Admin: base + 4}
}

// of is the port of a protocol.
func (p *ports) of(t workspace.DatabaseType) *int {
	switch t {
	case workspace.MySQL:
		return &p.MySQL
	case workspace.MongoDB:
		return &p.MongoDB
	case workspace.Redis:
		return &p.Redis
	}
	return &p.PostgreSQL
}

// sockets are open listeners; one use may have several, and a protocol that is
// switched off has none.
type sockets struct {
	clients map[workspace.DatabaseType][]net.Listener
	admin   []net.Listener
}

func (s sockets) close() {
	for _, listeners := range s.clients {
		closeAll(listeners)
	}
	closeAll(s.admin)
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// attributes name the protocols' addresses for the log.
func (s sockets) attributes() []any {
	var all []any
	for _, t := range offered() {
		if listeners := s.clients[t]; len(listeners) > 0 {
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
	return openAll(c.serves, func(t workspace.DatabaseType) ([]net.Listener, error) {
		return listen(string(t)+".listen", c.listener(t).Listen)
	}, func() ([]net.Listener, error) {
		return listen("admin.listen", c.Admin.Listen)
	})
}

// listen is on the address that the key has.
func listen(key, address string) ([]net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return []net.Listener{l}, nil
}

// openLocalSockets listens on this machine only, on the admin's port and on
// those of the protocols that are on. A port that is taken is replaced by a free
// one if that is allowed; say is told.
func openLocalSockets(want ports, on []workspace.DatabaseType, replace bool, say func(format string, args ...any)) (sockets, error) {
	local := func(name string, number int) ([]net.Listener, error) {
		listeners, err := listenLocal(number)
		if replace && errors.Is(err, syscall.EADDRINUSE) {
			if listeners, err = listenLocalAnywhere(); err == nil {
				say("port %d is taken: %s is on port %d", number, name, port(listeners))
			}
		}
		if err != nil {
			return nil, fmt.Errorf("listen for %s: %w", name, err)
		}
		return listeners, nil
	}
	return openAll(func(t workspace.DatabaseType) bool {
		return slices.Contains(on, t)
	}, func(t workspace.DatabaseType) ([]net.Listener, error) {
		return local(t.DisplayName(), *want.of(t))
	}, func() ([]net.Listener, error) {
		return local("admin", want.Admin)
	})
}

// openAll opens the listeners of the protocols that are on, and the admin's, or
// none.
func openAll(on func(workspace.DatabaseType) bool, clients func(workspace.DatabaseType) ([]net.Listener, error), admin func() ([]net.Listener, error)) (sockets, error) {
	s := sockets{clients: map[workspace.DatabaseType][]net.Listener{}}
	var err error
	for _, t := range offered() {
		if !on(t) {
			continue
		}
		if s.clients[t], err = clients(t); err != nil {
			s.close()
			return sockets{}, err
		}
	}
	if s.admin, err = admin(); err != nil {
		s.close()
		return sockets{}, err
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
