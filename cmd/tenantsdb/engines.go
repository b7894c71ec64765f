package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	mongodbengine "github.com/tenantsdb/tenantsdb/internal/engine/mongodb"
	mysqlengine "github.com/tenantsdb/tenantsdb/internal/engine/mysql"
	postgresengine "github.com/tenantsdb/tenantsdb/internal/engine/postgres"
	redisengine "github.com/tenantsdb/tenantsdb/internal/engine/redis"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// offered are the types that there is a protocol and an engine for.
func offered() []workspace.DatabaseType {
	return []workspace.DatabaseType{workspace.PostgreSQL, workspace.MySQL, workspace.MongoDB, workspace.Redis}
}

// engine is a physical server that keeps connections.
type engine interface {
	workspace.Engine
	Close()
}

// newEngine makes the engine of one physical server, which it does not yet
// connect to. front is what the queries of Redis workspaces run through.
func newEngine(c PhysicalConfig, front dial, log *slog.Logger) (engine, error) {
	address, err := c.address()
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", c.Name, err)
	}
	t, _ := workspace.ParseDatabaseType(c.Type)
	named := log.With("server", c.Name)
	switch t {
	case workspace.PostgreSQL:
		return postgresengine.New(postgresengine.Config{
			Name: c.Name, Address: address, User: c.User, Password: c.Password, Database: c.Database, Log: named,
		}), nil
	case workspace.MySQL:
		return mysqlengine.New(mysqlengine.Config{
			Name: c.Name, Address: address, User: c.User, Password: c.Password, Log: log,
		}), nil
	case workspace.MongoDB:
		return mongodbengine.New(mongodbengine.Config{Name: c.Name, URI: c.mongoURI(), Log: log})
	case workspace.Redis:
		return redisengine.New(redisengine.Config{
			Name: c.Name, Address: address, User: c.User, Password: c.Password, Databases: c.Databases, Front: front, Log: named,
		}), nil
	}
	return nil, fmt.Errorf("server %s: there is no engine for %q", c.Name, c.Type)
}

// schemaSources read the live databases that schemas are imported from.
func schemaSources() map[workspace.DatabaseType]workspace.SchemaSource {
	return map[workspace.DatabaseType]workspace.SchemaSource{
		workspace.PostgreSQL: postgresengine.Source{},
		workspace.MySQL:      mysqlengine.Source{},
		workspace.MongoDB:    mongodbengine.Source{},
	}
}

// is says whether the server is of that type.
func (c PhysicalConfig) is(t workspace.DatabaseType) bool {
	of, known := workspace.ParseDatabaseType(c.Type)
	return known && of == t
}

// serves says whether there is a server of that type, and so a listener.
func (c Config) serves(t workspace.DatabaseType) bool {
	return slices.ContainsFunc(c.Servers, func(s PhysicalConfig) bool { return s.is(t) })
}

// listener is the configuration of the type's listener.
func (c Config) listener(t workspace.DatabaseType) ListenerConfig {
	switch t {
	case workspace.MySQL:
		return c.MySQL
	case workspace.MongoDB:
		return c.MongoDB
	case workspace.Redis:
		return c.Redis
	}
	return c.PostgreSQL
}

// defaultPort is where servers of the type listen.
func (c PhysicalConfig) defaultPort() int {
	t, _ := workspace.ParseDatabaseType(c.Type)
	all := defaultPorts()
	return *all.of(t)
}

func (c PhysicalConfig) address() (workspace.Address, error) {
	port := cmp.Or(c.Port, c.defaultPort())
	if c.Socket != "" {
		return workspace.Address{Network: "unix", Addr: c.socketFile(port)}, nil
	}
	config, err := c.tlsConfig()
	if err != nil {
		return workspace.Address{}, err
	}
	return workspace.Address{
		Network: "tcp",
		Addr:    net.JoinHostPort(c.Host, strconv.Itoa(port)),
		TLS:     config,
	}, nil
}

// socketFile takes the folder of a PostgreSQL server's socket too, as libpq does.
func (c PhysicalConfig) socketFile(port int) string {
	if !c.is(workspace.PostgreSQL) {
		return c.Socket
	}
	if info, err := os.Stat(c.Socket); err == nil && info.IsDir() {
		return filepath.Join(c.Socket, ".s.PGSQL."+strconv.Itoa(port))
	}
	return c.Socket
}

func (c PhysicalConfig) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{ServerName: c.Host, MinVersion: tls.VersionTLS12}
	switch c.TLS {
	case "off":
		return nil, nil
	case "unverified":
		config.InsecureSkipVerify = true // what the operator asked for, by this name
		return config, nil
	}
	if c.CA == "" {
		return config, nil
	}
	text, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	if config.RootCAs, err = x509.SystemCertPool(); err != nil {
		config.RootCAs = x509.NewCertPool()
	}
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca: %s holds no certificate", c.CA)
	}
	return config, nil
}
