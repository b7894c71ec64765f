package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgproto3/v2"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// backend is a connection to the physical server, authenticated as a
// workspace's role, at rest between statements while nobody relays on it.
type backend struct {
	conn    net.Conn
	address workspace.Address
	pid     uint32
	secret  []byte // the server's cancel key
	// parameters are what the server reported at startup, encoded as
	// ParameterStatus messages for the client.
	parameters []byte
	born       time.Time // before the server read the role's settings

	// cancels are the cancel requests on their way to this backend. The
	// backend is not reused before they arrived: one that comes late would hit
	// the next session's statement.
	cancels sync.WaitGroup
}

// neutralConfig names every option that pgconn would else take from the
// proxy's environment and that dial does not set itself.
const neutralConfig = "host=localhost port=5432 sslmode=disable sslnegotiation=postgres target_session_attrs=any " +
	"channel_binding=prefer require_auth='' min_protocol_version=3.0 max_protocol_version=3.0 connect_timeout=0"

// dial opens a backend for route with the client's startup parameters as its
// session defaults.
func dial(ctx context.Context, route workspace.Route, params map[string]string) (*backend, error) {
	config, err := pgconn.ParseConfig(neutralConfig)
	if err != nil {
		return nil, fmt.Errorf("backend configuration: %w", err)
	}
	config.User, config.Password, config.Database = route.Role, route.Password, route.Database
	config.TLSConfig = route.Address.TLS
	config.Fallbacks = nil
	config.RuntimeParams = params
	config.ConnectTimeout = 0 // ctx bounds it
	config.Host = route.Address.Addr
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"localhost"}, nil }
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, route.Address.Network, route.Address.Addr)
		if err != nil {
			return nil, err
		}
		return window.NewSocket(conn), nil
	}
	config.MaxProtocolMessageBodyLen = 1 << 20 // of the startup only
	born := time.Now()
	config.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) {}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("backend handshake: %w", err)
	}
	// A slow write leaves pgconn with a goroutine that reads; it must be gone
	// before anybody else reads, or it takes the first reply.
	if err := conn.SyncConn(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("backend handshake: %w", err), conn.Close(ctx))
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		return nil, fmt.Errorf("backend handshake: %w", err)
	}
	if err := hijacked.Conn.SetDeadline(time.Time{}); err != nil {
		hijacked.Conn.Close()
		return nil, fmt.Errorf("backend handshake: clear deadline: %w", err)
	}
	b := &backend{
		conn:    hijacked.Conn,
		address: route.Address,
		pid:     hijacked.PID,
		secret:  hijacked.SecretKey,
		born:    born,
	}
	for name, value := range hijacked.ParameterStatuses {
		b.parameters = encode(b.parameters, &pgproto3.ParameterStatus{Name: name, Value: value})
	}
	return b, nil
}

// refusedPassword says whether a dial failed because the server does not take
// the role's password.
func refusedPassword(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == codeInvalidPassword
}

// dialFailure says what the client may know of a failed dial: the server's own
// words where the client's startup parameters are at fault or the server is
// full, nothing of our credentials.
func dialFailure(err error, live *workspace.Live) *failure {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if ok && pgErr.Code != "" && !strings.HasPrefix(pgErr.Code, "28") {
		return &failure{severity: "FATAL", code: pgErr.Code, message: pgErr.Message, hint: pgErr.Hint}
	}
	return fatal(codeConnectionFailure, "the database of %s %q can't be reached", live.Kind(), live.Name).
		withHint("Try again; the proxy's log has the cause.")
}

// resetQuery ends what a session may have left. ROLLBACK outside a transaction
// only warns.
var (
	resetIdle        = encode(nil, &pgproto3.Query{String: "DISCARD ALL"})
	resetTransaction = encode(nil, &pgproto3.Query{String: "ROLLBACK"})
)

// reset makes the backend as new for the next session with the same startup
// parameters. An error means that it must be closed.
func (b *backend) reset(status byte) error {
	b.cancels.Wait()
	return window.Reset(b.conn, func() error {
		if status != 'I' {
			if err := b.exec(resetTransaction); err != nil {
				return fmt.Errorf("roll back: %w", err)
			}
		}
		if err := b.exec(resetIdle); err != nil {
			return fmt.Errorf("discard all: %w", err)
		}
		return nil
	})
}

// exec runs one encoded Query whose result nobody wants and expects an idle
// server after it.
func (b *backend) exec(query []byte) error {
	if _, err := b.conn.Write(query); err != nil {
		return err
	}
	var header [headerLen]byte
	var body [maxInspected]byte
	var failed error
	for {
		if err := readFull(b.conn, header[:]); err != nil {
			return err
		}
		size, err := frameSize(header[:])
		if err != nil {
			return err
		}
		if size-headerLen > len(body) {
			return fmt.Errorf("unexpected message of %d bytes", size)
		}
		if err := readFull(b.conn, body[:size-headerLen]); err != nil {
			return err
		}
		switch header[0] {
		case 'E':
			failed = fmt.Errorf("server refused with SQLSTATE %s", errorCode(body[:size-headerLen]))
		case 'Z':
			if failed == nil && body[0] != 'I' {
				failed = fmt.Errorf("transaction status %s", strconv.QuoteRune(rune(body[0])))
			}
			return failed
		}
	}
}

// Conn is the connection, for the pool.
func (b *backend) Conn() net.Conn { return b.conn }

// Born is when the backend was dialled.
func (b *backend) Born() time.Time { return b.born }

// Close ends the backend's session on the server.
func (b *backend) Close() {
	// A goodbye that can't be written changes nothing: the socket closes.
	_ = b.conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = b.conn.Write(encode(nil, &pgproto3.Terminate{}))
	b.conn.Close()
}
