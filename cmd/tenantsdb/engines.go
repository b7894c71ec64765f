package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"

	postgresengine "github.com/tenantsdb/tenantsdb/internal/engine/postgres"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const defaultPostgresPort = 5432

// newEngine makes the engine of one physical server, which it does not yet
// connect to.
func newEngine(c PhysicalConfig, log *slog.Logger) (*postgresengine.Engine, error) {
	address, err := c.address()
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", c.Name, err)
	}
	return postgresengine.New(postgresengine.Config{
		Name:     c.Name,
		Address:  address,
		User:     c.User,
		Password: c.Password,
		Database: c.Database,
		Log:      log.With("server", c.Name),
	}), nil
}

func (c PhysicalConfig) address() (workspace.Address, error) {
	port := c.Port
	if port == 0 {
		port = defaultPostgresPort
	}
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

// socketFile takes the folder of the socket too, as libpq does.
func (c PhysicalConfig) socketFile(port int) string {
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
