package main

import (
	"fmt"
	"slices"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	postgresprotocol "github.com/tenantsdb/tenantsdb/protocols/postgres"
	redisprotocol "github.com/tenantsdb/tenantsdb/protocols/redis"
)

// protocol is a wire protocol that keeps connections.
type protocol interface {
	protocols.Protocol
	Close()
}

// openProtocols makes the protocol of each listener.
func (in *installation) openProtocols() error {
	in.protocols = map[workspace.DatabaseType]protocol{}
	for t := range in.sockets.clients {
		p, err := in.newProtocol(t)
		if err != nil {
			return err
		}
		in.protocols[t] = p
		in.onClose(func() error { p.Close(); return nil })
	}
	return nil
}

func (in *installation) newProtocol(t workspace.DatabaseType) (protocol, error) {
	switch t {
	case workspace.PostgreSQL:
		return postgresprotocol.New(postgresprotocol.Config{
			TLS:       in.certs.Config("postgresql"),
			Directory: in.service,
			Recorder:  in.service,
			Restorer:  in.service,
			Log:       in.log,
		}), nil
	case workspace.Redis:
		login, err := in.config.redisLogins()
		if err != nil {
			return nil, err
		}
		return redisprotocol.New(redisprotocol.Config{
			TLS:       in.certs.Config(),
			Directory: in.service,
			Log:       in.log,
			Admin:     login,
		}), nil
	}
	return nil, fmt.Errorf("there is no protocol for %s", t)
}

// publicHosts are the names that clients know the listeners by.
func (c Config) publicHosts() []string {
	var all []string
	for _, t := range offered() {
		if c.serves(t) {
			all = append(all, c.listener(t).PublicHost)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
