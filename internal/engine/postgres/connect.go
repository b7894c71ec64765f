package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	connectTimeout = 10 * time.Second
	closeTimeout   = 5 * time.Second

	invalidPassword = "28P01"
)

// trustedSettings undo what the owner of a database may have attached to it
// (ALTER DATABASE … SET): a role, a search path with look-alikes of system
// functions, a timeout, an output format. Settings of the startup packet win
// over those of the database and the role.
func trustedSettings() map[string]string {
	return map[string]string{
		"application_name":                    "tenantsdb",
		"search_path":                         "pg_catalog, pg_temp",
		"role":                                "none",
		"client_encoding":                     "UTF8",
		"DateStyle":                           "ISO",
		"IntervalStyle":                       "postgres",
		"TimeZone":                            "UTC",
		"bytea_output":                        "hex",
		"extra_float_digits":                  "1",
		"quote_all_identifiers":               "off",
		"standard_conforming_strings":         "on",
		"statement_timeout":                   "0",
		"lock_timeout":                        "0",
		"idle_in_transaction_session_timeout": "0",
		"default_transaction_read_only":       "off",
		"default_transaction_isolation":       "read committed",
		"default_transaction_deferrable":      "off",
		"default_tablespace":                  "",
		"row_security":                        "on",
		// What we run is short, but the planner takes a journal that no vacuum
		// has seen yet for a large one, and compiling costs up to a second.
		"jit": "off",
	}
}

// admin is a superuser's connection to database, from the cache where there is
// an idle one. It is the caller's until release, which puts it back if it is
// outside of a transaction and closes it if not. Session settings must be left
// as they were found.
func (e *Engine) admin(ctx context.Context, database string) (conn *pgx.Conn, release func(), err error) {
	return e.admins.take(ctx, database)
}

func (e *Engine) connectAdmin(ctx context.Context, database string) (*pgx.Conn, error) {
	return e.connect(ctx, database, e.config.User, e.config.Password, trustedSettings())
}

// connectAs is a connection as the workspace's role, with the settings that a
// client of the proxy would have; source (api, import) is what the journal
// notes for its changes. The caller closes it.
func (e *Engine) connectAs(ctx context.Context, t workspace.Target, source string) (*pgx.Conn, error) {
	return e.connectRole(ctx, t, map[string]string{
		"application_name": "tenantsdb " + source,
		"client_encoding":  "UTF8",
		"DateStyle":        "ISO",
		"bytea_output":     "hex",
		"options":          "-c tenantsdb.source=" + source,
	})
}

// connectOwner is a connection as the owner of a tenant's database, for its
// schema changes, with the server's own settings but for those that bound how
// long it waits. The caller closes it.
func (e *Engine) connectOwner(ctx context.Context, t workspace.Target) (*pgx.Conn, error) {
	return e.connectRole(ctx, owner(t), map[string]string{
		"application_name":  "tenantsdb deployment",
		"client_encoding":   "UTF8",
		"statement_timeout": "0",
		"lock_timeout":      lockWait,
		// A session whose client is gone must not keep its locks for long.
		"idle_in_transaction_session_timeout": "60s",
		"tcp_keepalives_idle":                 "30",
		"tcp_keepalives_interval":             "10",
		"tcp_keepalives_count":                "3",
	})
}

// connectReader is a connection as the workspace's role that reads the catalogs
// and is not misled by the role's own settings. The caller closes it.
func (e *Engine) connectReader(ctx context.Context, t workspace.Target) (*pgx.Conn, error) {
	return e.connectRole(ctx, t, trustedSettings())
}

// connectRole connects as the workspace's role. A role may change its own
// password; then the one that the catalog knows is put back, since otherwise
// the workspace would have locked out its owner for good.
func (e *Engine) connectRole(ctx context.Context, t workspace.Target, settings map[string]string) (*pgx.Conn, error) {
	conn, err := e.connect(ctx, t.Database, t.Role, t.Password, settings)
	if sqlState(err) != invalidPassword {
		return conn, err
	}
	e.config.Log.WarnContext(ctx, "role's password was changed on the server; putting it back", "server", e.config.Name, "role", t.Role)
	if err := e.setRole(ctx, t); err != nil {
		return nil, err
	}
	return e.connect(ctx, t.Database, t.Role, t.Password, settings)
}

// connect makes one connection.
func (e *Engine) connect(ctx context.Context, database, user, password string, settings map[string]string) (*pgx.Conn, error) {
	address := e.config.Address
	dialer := &net.Dialer{KeepAlive: time.Minute}
	c, err := connection(address, func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, address.Network, address.Addr)
	})
	if err != nil {
		return nil, fmt.Errorf("postgresql %s: prepare connection: %w", e.config.Name, err)
	}
	c.Database, c.User, c.Password = database, user, password
	c.RuntimeParams = settings
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		// The cause names addresses and users of the server: for the log alone.
		return nil, workspace.Errorf(workspace.Unavailable, "postgresql server %s can't be reached", e.config.Name).Because(err)
	}
	return conn, nil
}

// connection describes a connection without a login. Only the arguments decide
// where it leads: environment variables that libpq programs heed are overwritten.
func connection(address workspace.Address, dial pgconn.DialFunc) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig("host=localhost port=5432 sslmode=disable passfile=/dev/null")
	if err != nil {
		return nil, err
	}
	c.Fallbacks = nil
	// Only what errors tell of the server: the dialer knows where it is.
	c.Host, c.Port = hostAndPort(address)
	c.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	c.DialFunc = dial
	c.TLSConfig = address.TLS
	c.ConnectTimeout = connectTimeout
	c.MaxProtocolMessageBodyLen = maxResultBytes
	// Workspaces are dropped and schemas change under a connection: nothing
	// about a statement is kept.
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	c.StatementCacheCapacity = 0
	c.DescriptionCacheCapacity = 0
	return c, nil
}

// hostAndPort are an address as libpq has it: of a socket, its folder and the
// number that its name ends with.
func hostAndPort(a workspace.Address) (host string, port uint16) {
	host, number, err := net.SplitHostPort(a.Addr)
	if a.Network == "unix" || err != nil {
		host, number = filepath.Dir(a.Addr), strings.TrimPrefix(filepath.Base(a.Addr), ".s.PGSQL.")
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return host, 5432
	}
	return host, uint16(n)
}

// disconnect closes conn, also when ctx has ended; it does not wait long.
func disconnect(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	// The server may have closed it first; there is nobody to tell.
	_ = conn.Close(ctx)
}

// sqlState is the server's code in err's chain, empty where there is none.
func sqlState(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code
	}
	return ""
}
