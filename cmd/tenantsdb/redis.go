package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// dial makes a connection whose end needs no address.
type dial func(ctx context.Context) (net.Conn, error)

// redisLogins finds the administrator's login at a configured server by its
// address; it is empty for any other.
func (c Config) redisLogins() (func(workspace.Address) (user, password string), error) {
	type place struct{ network, addr string }
	servers := map[place]PhysicalConfig{}
	for _, s := range c.Servers {
		if !s.is(workspace.Redis) {
			continue
		}
		at, err := s.address()
		if err != nil {
			return nil, fmt.Errorf("server %s: %w", s.Name, err)
		}
		servers[place{at.Network, at.Addr}] = s
	}
	return func(at workspace.Address) (user, password string) {
		s := servers[place{at.Network, at.Addr}]
		return s.User, s.Password
	}, nil
}

// dialRedis connects to our own Redis listener as any client does: a query
// through the API meets the same rules. The certificate says nothing here, since
// the socket is known to be ours.
func (in *installation) dialRedis(ctx context.Context) (net.Conn, error) {
	at := in.sockets.clients[workspace.Redis][0].Addr().(*net.TCPAddr)
	switch {
	case at.IP.IsUnspecified() && at.IP.To4() != nil:
		at = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: at.Port}
	case at.IP.IsUnspecified():
		at = &net.TCPAddr{IP: net.IPv6loopback, Port: at.Port}
	}
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}}
	return dialer.DialContext(ctx, "tcp", at.String())
}

// silent keeps what the Redis client would print by itself out of our output:
// each failure that matters comes back as an error.
type silent struct{}

var _ interface {
	Printf(ctx context.Context, format string, args ...any)
} = silent{}

// Printf drops the text.
func (silent) Printf(context.Context, string, ...any) {}

// quietRedisClient is for the start of the program.
func quietRedisClient() { goredis.SetLogger(silent{}) }
