package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// check finds what can't work, all of it, each by the key's path.
func (c Config) check() error {
	var found []error
	wrong := func(key, format string, args ...any) {
		found = append(found, fmt.Errorf(key+": "+format, args...))
	}
	if c.DataDir == "" {
		wrong("data_dir", "must be set")
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		wrong("tls", "cert and key go together")
	}
	if err := checkAddress(c.Admin.Listen); err != nil {
		wrong("admin.listen", "%w", err)
	}
	for _, t := range offered() {
		l := c.listener(t)
		if err := checkAddress(l.Listen); err != nil {
			wrong(string(t)+".listen", "%w", err)
		}
		if l.PublicHost == "" {
			wrong(string(t)+".public_host", "must be set: connection strings show it")
		}
		if p := l.PublicPort; p < 0 || p > 65535 {
			wrong(string(t)+".public_port", "%d is no port", p)
		}
	}
	if c.Limits.DrainTimeout < 0 {
		wrong("limits.drain_timeout", "can't be negative")
	}
	if _, err := logLevel(c.Log.Level); err != nil {
		wrong("log.level", "%q is none of debug, info, warn, error", c.Log.Level)
	}
	if !slices.Contains([]string{"json", "text"}, c.Log.Format) {
		wrong("log.format", "%q is none of json, text", c.Log.Format)
	}
	if len(c.Servers) == 0 {
		wrong("servers", "at least one is needed")
	}
	names := map[string]bool{}
	for i, s := range c.Servers {
		if err := s.check(); err != nil {
			wrong("servers["+strconv.Itoa(i)+"]", "%w", err)
		}
		if names[s.Name] {
			wrong("servers["+strconv.Itoa(i)+"].name", "%q is taken", s.Name)
		}
		names[s.Name] = true
	}
	return errors.Join(found...)
}

func (s PhysicalConfig) check() error {
	t, known := workspace.ParseDatabaseType(s.Type)
	switch {
	case s.Name == "":
		return errors.New("name: must be set")
	case !known || !slices.Contains(offered(), t):
		return fmt.Errorf("type: %q is none of %s", s.Type, offeredNames())
	case s.URI != "" && t != workspace.MongoDB:
		return errors.New("uri: is of use with mongodb only")
	case s.URI != "" && (s.Host != "" || s.Port != 0 || s.Socket != "" || s.TLS != "" || s.CA != ""):
		return errors.New("uri: names the hosts and their TLS, which can't be set beside it")
	case s.URI != "" && !strings.HasPrefix(s.URI, "mongodb://") && !strings.HasPrefix(s.URI, "mongodb+srv://"):
		return errors.New("uri: must begin with mongodb:// or mongodb+srv://")
	case s.User != "" && uriHasLogin(s.URI):
		return errors.New("user: the uri names one already")
	case s.URI == "" && (s.Host == "") == (s.Socket == ""):
		return errors.New("host, socket: one of them must be set")
	case s.Port < 0 || s.Port > 65535:
		return fmt.Errorf("port: %d is no port", s.Port)
	case s.User == "" && (t == workspace.PostgreSQL || t == workspace.MySQL):
		return errors.New("user: must be set")
	case s.Database != "" && t != workspace.PostgreSQL:
		return errors.New("database: is of use with postgresql only")
	case s.Databases != 0 && t != workspace.Redis:
		return errors.New("databases: is of use with redis only")
	case s.Databases < 0 || s.Databases == 1:
		return fmt.Errorf("databases: %d leaves none for a workspace", s.Databases)
	case !slices.Contains([]string{"", "verify", "unverified", "off"}, s.TLS):
		return fmt.Errorf("tls: %q is none of verify, unverified, off", s.TLS)
	case s.Socket != "" && s.TLS != "" && s.TLS != "off":
		return errors.New("tls: a socket has none")
	case s.CA != "" && (s.Socket != "" || s.TLS == "off" || s.TLS == "unverified"):
		return errors.New("ca: is of use with tls: verify only")
	}
	return nil
}

// offeredNames are the types for an error.
func offeredNames() string {
	var names []string
	for _, t := range offered() {
		names = append(names, string(t))
	}
	return strings.Join(names, ", ")
}

func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is no host:port: %w", address, err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is no port", port)
	} else if n == 0 {
		return errors.New("port 0 is none that clients could know")
	}
	return nil
}

func logLevel(name string) (slog.Level, error) {
	var level slog.Level
	err := level.UnmarshalText([]byte(name))
	return level, err
}
