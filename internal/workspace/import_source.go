package workspace

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/schema"
)

// sourceTimeout is how long the schema of a live database may take to be read.
const sourceTimeout = 30 * time.Second

// SchemaSource reads the schemas of live databases of one type that are none of
// ours. It changes nothing in them. An error is one of SourceLogin.Refused.
type SchemaSource interface {
	// Statements are the database's own definitions, for the same type.
	Statements(ctx context.Context, l SourceLogin) ([]schema.Step, error)
	// Schema is what any type can have of it, and what it leaves out.
	Schema(ctx context.Context, l SourceLogin) (schema.Schema, []string, error)
}

// Downloader fetches a document by HTTPS. Its errors may be told to a client.
type Downloader interface {
	Download(ctx context.Context, url string) ([]byte, error)
}

// How a connection to a live database is encrypted.
const (
	tlsPrefer     = "prefer"     // where the server can; its certificate is not checked
	tlsVerify     = "verify"     // with a certificate that the system trusts, for that host
	tlsUnverified = "unverified" // with any certificate
	tlsOff        = "off"
)

// SourceLogin is how to reach a live database.
type SourceLogin struct {
	Type     string // PostgreSQL, MySQL or MongoDB, in any letter case
	Host     string
	Port     int64 // 0: the type's own
	Database string
	User     string
	Password string
	TLS      string // prefer (also empty), verify, unverified or off

	data bool // what is read are rows
}

// Address is where the server is, for errors too.
func (l SourceLogin) Address() string {
	return net.JoinHostPort(strings.Trim(l.Host, "[]"), strconv.FormatInt(l.Port, 10))
}

// Encryptions are the TLS configurations to try, one after the other; nil is
// without TLS.
func (l SourceLogin) Encryptions() []*tls.Config {
	host := strings.Trim(l.Host, "[]")
	// Who asks for it by this name, or does not ask, gets no more than libpq's
	// and MySQL's clients give by themselves.
	unverified := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}
	switch l.TLS {
	case tlsVerify:
		return []*tls.Config{{ServerName: host, MinVersion: tls.VersionTLS12}}
	case tlsUnverified:
		return []*tls.Config{unverified}
	case tlsOff:
		return []*tls.Config{nil}
	}
	return []*tls.Config{unverified, nil}
}

// Refused is an error of a SchemaSource: what said names is the server's own
// words, if it had any. Neither is logged.
func (l SourceLogin) Refused(said string, cause error) error {
	if said == "" {
		said = reachability(cause)
	}
	return badField("connection", "the database at %s can't be read: %.300s", l.Address(), said)
}

// reachability says why a server can't be talked to, without what a driver's
// error may hold.
func reachability(err error) string {
	var (
		lookUp  *net.DNSError
		dialled *net.OpError
		system  *os.SyscallError
	)
	switch {
	case errors.As(err, &lookUp):
		return "its host is not known"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return "it does not answer in time"
	case isCertificate(err):
		return "its certificate is not trusted for that host"
	case errors.As(err, &system):
		return system.Err.Error()
	case errors.As(err, &dialled) && dialled.Op == "dial":
		return "it can't be reached"
	}
	return "it does not talk as a server of that type does, or not with this encryption"
}

func isTimeout(err error) bool {
	var timed net.Error
	return errors.As(err, &timed) && timed.Timeout()
}

func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	return errors.As(err, &verification)
}

// check completes the login, or says what is wrong with it.
func (l *SourceLogin) check() (DatabaseType, error) {
	const choices = "choose PostgreSQL, MySQL or MongoDB"
	if l.Type == "" {
		return "", badField("connection.type", "missing field %q: %s", "connection.type", choices)
	}
	from, known := ParseDatabaseType(l.Type)
	if !known || from == Redis {
		return "", badField("connection.type", "unknown type %.40q in %q: %s", l.Type, "connection.type", choices)
	}
	if l.Host == "" {
		return "", badField("connection.host", "missing field %q", "connection.host")
	}
	if l.Database == "" {
		return "", badField("connection.database", "missing field %q", "connection.database")
	}
	if strings.ContainsAny(l.Host, "/\\ @?#\x00") || len(l.Host) > 255 {
		return "", badField("connection.host", "field %q must be a name or an IP address", "connection.host")
	}
	if strings.ContainsRune(l.Database+l.User+l.Password, 0) {
		return "", badField("connection", "a field of \"connection\" holds a zero byte")
	}
	if l.Port == 0 {
		l.Port = map[DatabaseType]int64{PostgreSQL: 5432, MySQL: 3306, MongoDB: 27017}[from]
	}
	if l.Port < 1 || l.Port > 65535 {
		return "", badField("connection.port", "field %q must be from 1 to 65535", "connection.port")
	}
	switch l.TLS {
	case "", tlsPrefer, tlsVerify, tlsUnverified, tlsOff:
	default:
		return "", badField("connection.tls", "unknown value %.40q in %q: choose prefer, verify, unverified or off", l.TLS, "connection.tls")
	}
	return from, nil
}

// planOfDatabase reads a live database: for the same type exactly, for another
// what that can have of it.
func (s *Service) planOfDatabase(ctx context.Context, to DatabaseType, l SourceLogin) (plan, error) {
	from, err := l.check()
	if err != nil {
		return plan{}, err
	}
	if to == Redis {
		return plan{}, badField("source", "a Redis workspace has no schema that a database could give: choose json, template or url")
	}
	source := s.sources[from]
	if source == nil {
		return plan{}, fmt.Errorf("there is no source of %s schemas", from)
	}
	ctx, cancel := context.WithTimeout(ctx, sourceTimeout)
	defer cancel()
	if from == to {
		steps, err := source.Statements(ctx, l)
		if err != nil {
			return plan{}, err
		}
		if len(steps) == 0 {
			return plan{}, emptySource(l)
		}
		return plan{steps: steps, literal: true}, nil
	}
	found, warnings, err := source.Schema(ctx, l)
	if err != nil {
		return plan{}, err
	}
	if len(found.Tables)+len(found.Collections) == 0 {
		return plan{}, emptySource(l)
	}
	carried, more := found.CarriedOver(schema.Dialect(from))
	return planOf(to, carried, append(warnings, more...), "")
}

func emptySource(l SourceLogin) error {
	return badField("connection.database", "the database %.80q at %s has no tables or collections that its user can see", l.Database, l.Address())
}
