package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Config is everything that an installation is told. Each key of the file is
// also a variable of the environment, which wins: TENANTSDB_ and the key's path
// in capitals, as in TENANTSDB_ADMIN_LISTEN or TENANTSDB_SERVERS_0_PASSWORD.
type Config struct {
	// DataDir holds the metadata, the audit log and what else we keep.
	DataDir string `yaml:"data_dir"`
	// MasterKey seals the secrets in the metadata: 64 hex digits. It is taken
	// from the environment only; without it the key is in MasterKeyFile,
	// master.key in DataDir by default, made on first start.
	MasterKey     string `yaml:"-" env:"MASTER_KEY"`
	MasterKeyFile string `yaml:"master_key_file"`

	TLS        TLSConfig        `yaml:"tls"`
	Admin      AdminConfig      `yaml:"admin"`
	PostgreSQL ListenerConfig   `yaml:"postgresql"`
	MySQL      ListenerConfig   `yaml:"mysql"`
	MongoDB    ListenerConfig   `yaml:"mongodb"`
	Redis      ListenerConfig   `yaml:"redis"`
	Servers    []PhysicalConfig `yaml:"servers"`
	Limits     LimitsConfig     `yaml:"limits"`
	Imports    ImportsConfig    `yaml:"imports"`
	Log        LogConfig        `yaml:"log"`
}

// TLSConfig names the certificate of all listeners, PEM files. Without them a
// development authority in DataDir/certs makes one.
type TLSConfig struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// AdminConfig is the admin API's listener. With TLS it serves HTTPS with the
// certificate of the others.
type AdminConfig struct {
	Listen string `yaml:"listen"`
	TLS    bool   `yaml:"tls"`
}

// ListenerConfig is one protocol's listener, which is open where a server of its
// type is configured, and where clients reach it if that is elsewhere:
// connection strings show PublicHost and PublicPort.
type ListenerConfig struct {
	Listen     string `yaml:"listen"`
	PublicHost string `yaml:"public_host"`
	PublicPort int    `yaml:"public_port"`
}

// PhysicalConfig is one physical server, by Host and Port, by Socket or by URI,
// and its administrator's login.
type PhysicalConfig struct {
	Name   string `yaml:"name"`
	Type   string `yaml:"type"`
	Host   string `yaml:"host"`
	Port   int    `yaml:"port"` // 0: the type's own
	Socket string `yaml:"socket"`
	// URI is that of a MongoDB server or replica set, with all that its drivers
	// understand ("mongodb://a,b/?replicaSet=rs0&tls=true").
	URI      string `yaml:"uri"`
	User     string `yaml:"user"`
	Password string `yaml:"password"`
	Database string `yaml:"database"` // where a PostgreSQL administrator logs in; empty: postgres
	// Databases is how many logical databases a Redis server has that does not
	// tell. 0: it is asked.
	Databases int `yaml:"databases"`
	// TLS: verify (the default for a host), unverified, or off (the only one
	// for a socket). CA is a PEM file to trust beside the system's.
	TLS string `yaml:"tls"`
	CA  string `yaml:"ca"`
}

// LimitsConfig bounds the installation as a whole.
type LimitsConfig struct {
	// DrainTimeout is how long sessions have to finish their statement when
	// the program is told to stop.
	DrainTimeout time.Duration `yaml:"drain_timeout"`
}

// ImportsConfig is what imports of schemas may reach.
type ImportsConfig struct {
	// PrivateURLs lets the source url fetch from private, loopback and
	// link-local addresses too.
	PrivateURLs bool `yaml:"private_urls"`
}

// LogConfig is what is logged and how: Level debug, info, warn or error, Format
// json or text.
type LogConfig struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

func defaultConfig() Config {
	return Config{
		Admin:      AdminConfig{Listen: "127.0.0.1:8080"},
		PostgreSQL: ListenerConfig{Listen: ":5432", PublicHost: "localhost"},
		MySQL:      ListenerConfig{Listen: ":3306", PublicHost: "localhost"},
		MongoDB:    ListenerConfig{Listen: ":27017", PublicHost: "localhost"},
		Redis:      ListenerConfig{Listen: ":6379", PublicHost: "localhost"},
		Limits:     LimitsConfig{DrainTimeout: 30 * time.Second},
		Log:        LogConfig{Level: "info", Format: "json"},
	}
}

// loadConfig reads the file (none if path is empty) and the environment over
// the defaults and checks the whole. An unknown key of either is an error that
// names it.
func loadConfig(path string, environ []string) (Config, error) {
	c := defaultConfig()
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return c, fmt.Errorf("configuration: %w", err)
		}
		if err := decodeStrictly(text, &c); err != nil {
			return c, fmt.Errorf("configuration %s: %w", path, err)
		}
	}
	if err := applyEnvironment(&c, environ); err != nil {
		return c, fmt.Errorf("configuration by environment: %w", err)
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	if c.MasterKeyFile == "" {
		c.MasterKeyFile = filepath.Join(c.DataDir, "master.key")
	}
	return c, nil
}

func decodeStrictly(text []byte, c *Config) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return inPlainWords(err)
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return errors.New("holds more than one document")
	}
	return nil
}

var (
	unknownKey = regexp.MustCompile(`^(line \d+): field (.*) not found in type `)
	wrongType  = regexp.MustCompile(`(?s)^(line \d+): cannot unmarshal .* into (.+)$`)
)

// inPlainWords says in one line what of the file does not fit. The decoder's own
// words are of types that only we know, and show values: one could be a secret
// in the wrong place.
func inPlainWords(err error) error {
	misfits, ok := errors.AsType[*yaml.TypeError](err)
	if !ok {
		return err
	}
	var all []string
	for _, text := range misfits.Errors {
		if m := unknownKey.FindStringSubmatch(text); m != nil {
			text = fmt.Sprintf("%s: unknown key %q", m[1], m[2])
		} else if m := wrongType.FindStringSubmatch(text); m != nil {
			text = fmt.Sprintf("%s: must be %s", m[1], wanted(m[2]))
		}
		all = append(all, text)
	}
	return errors.New(strings.Join(all, "; "))
}

// wanted is what a key of that type takes.
func wanted(goType string) string {
	switch {
	case goType == "int":
		return "a whole number"
	case goType == "bool":
		return "true or false"
	case goType == "time.Duration":
		return "a time such as 30s"
	case goType == "string":
		return "a text"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	}
	return "keys with values"
}
