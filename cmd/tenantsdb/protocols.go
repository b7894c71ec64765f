package main

import (
	"fmt"
	"net"
	"slices"
	"strconv"

	mysqlengine "github.com/tenantsdb/tenantsdb/internal/engine/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	mongodbprotocol "github.com/tenantsdb/tenantsdb/protocols/mongodb"
	mysqlprotocol "github.com/tenantsdb/tenantsdb/protocols/mysql"
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
	case workspace.MySQL:
		return mysqlprotocol.New(mysqlprotocol.Config{
			TLS:           in.certs.Config(),
			Directory:     in.service,
			Recorder:      in.service,
			Restorer:      in.service,
			Log:           in.log,
			ServerVersion: in.mysqlVersion,
		}), nil
	case workspace.MongoDB:
		return mongodbprotocol.New(mongodbprotocol.Config{
			TLS:        in.certs.Config(),
			Directory:  in.service,
			Recorder:   in.service,
			Log:        in.log,
			Servers:    in.mongoServers,
			PublicHost: in.mongoPublicHost,
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

// mysqlVersion is what the first MySQL server of the configuration that is known
// says of itself: a client is greeted before it says where it wants to go.
func (in *installation) mysqlVersion() string {
	for _, c := range in.config.Servers {
		if e, ok := in.engines[c.Name].(*mysqlengine.Engine); ok {
			if version := e.ServerVersion(); version != "" {
				return version
			}
		}
	}
	return ""
}

// mongoServers are where the MongoDB servers are now.
func (in *installation) mongoServers() []workspace.Address {
	var all []workspace.Address
	for _, e := range in.engines {
		if e.Type() == workspace.MongoDB {
			all = append(all, e.Address())
		}
	}
	return all
}

// mongoPublicHost is where clients reach our listener.
func (in *installation) mongoPublicHost() string {
	at := in.public()[workspace.MongoDB]
	return net.JoinHostPort(at.Host, strconv.Itoa(at.Port))
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
