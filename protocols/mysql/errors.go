package mysql

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
)

// Error numbers of what the proxy says itself, where the library has no name
// for them (https://dev.mysql.com/doc/mysql-errors/en/).
const (
	numberUnreachable   = 2003 // CR_CONN_HOST_ERROR
	numberTimeout       = 3024 // ER_QUERY_TIMEOUT
	numberAccountLocked = 3118 // ER_ACCOUNT_HAS_BEEN_LOCKED
	numberLost          = 1927 // ER_CONNECTION_KILLED of MariaDB, by which pools know that a connection is of no more use
	numberTLSRequired   = 3159 // ER_SECURE_TRANSPORT_REQUIRED
	numberInterrupted   = mysql.ER_QUERY_INTERRUPTED
	numberTooManyRows   = mysql.ER_TOO_BIG_SELECT
	numberProgress      = 0xffff // MariaDB's progress report, no error at all
	stateConnection     = "08S01"
	stateGeneral        = "HY000"
	stateSyntaxOrRight  = "42000"
)

// failure is an error on its way to the client.
type failure struct {
	number  uint16
	state   string // SQLSTATE
	message string
}

func (f *failure) Error() string { return fmt.Sprintf("%d (%s): %s", f.number, f.state, f.message) }

// append adds f as an ERR packet.
func (f *failure) append(dst []byte, sequence byte) []byte {
	payload := binary.LittleEndian.AppendUint16([]byte{mysql.ERR_HEADER}, f.number)
	payload = append(append(append(payload, '#'), f.state...), f.message...)
	return appendPacket(dst, sequence, payload)
}

func failf(number uint16, state, format string, args ...any) *failure {
	return &failure{number: number, state: state, message: fmt.Sprintf(format, args...)}
}

// serverError is an ERR packet of a backend in our own talk with it.
type serverError failure

func (e *serverError) Error() string { return "server: " + (*failure)(e).Error() }

// parseError reads an ERR packet; what is missing is left empty.
func parseError(payload []byte) *serverError {
	f := fields{b: payload}
	f.byte()
	e := &serverError{number: f.uint16(), state: stateGeneral}
	if len(f.b) >= 6 && f.b[0] == '#' {
		e.state, f.b = string(f.b[1:6]), f.b[6:]
	}
	e.message = string(f.b)
	return e
}

// numberOf is the number of the server's error in err; 0 where there is none.
func numberOf(err error) uint16 {
	if e, ok := errors.AsType[*serverError](err); ok {
		return e.number
	}
	return 0
}

// reasonFailure is the one table from the proxy's reasons to MySQL's.
func reasonFailure(r protocols.Reason, live *workspace.Live) *failure {
	switch r {
	case protocols.Full:
		return failf(mysql.ER_CON_COUNT_ERROR, "08004", "Too many connections: %s %q has reached its max_connections limit of %d", live.Kind(), live.Name, live.MaxConnections())
	case protocols.Draining, protocols.Cut:
		return failf(mysql.ER_SERVER_SHUTDOWN, stateConnection, "Server shutdown in progress: the proxy is shutting down")
	case protocols.Deleted:
		return failf(mysql.ER_BAD_DB_ERROR, stateSyntaxOrRight, "Unknown database: %s %q was deleted", live.Kind(), live.Name)
	case protocols.Revoked:
		return failf(mysql.ER_ACCESS_DENIED_ERROR, "28000", "Access denied: the API key of this login was revoked")
	case protocols.Suspended:
		return failf(numberAccountLocked, stateGeneral, "Access denied: tenant database %q is suspended; resume or restore the tenant through the admin API", live.Name)
	}
	return failf(mysql.ER_NEW_ABORTING_CONNECTION, stateConnection, "Aborted connection")
}

func timeoutFailure(live *workspace.Live, limit time.Duration) *failure {
	return failf(numberTimeout, stateGeneral, "Query execution was interrupted: %s %q allows a statement to run for %d ms (query_timeout_ms)", live.Kind(), live.Name, limit.Milliseconds())
}

func rowsFailure(live *workspace.Live, limit int64) *failure {
	return failf(numberTooManyRows, stateSyntaxOrRight, "%s %q allows a statement to return %d rows (max_rows_per_query); add a LIMIT, or %s", live.Kind(), live.Name, limit, live.Raise("the setting"))
}

// unreachable is all that a client may know of a backend that can't be used.
func unreachable(live *workspace.Live) *failure {
	return failf(numberUnreachable, stateConnection, "Can't connect to the database of %s %q; try again", live.Kind(), live.Name)
}

func accessDenied(user string) *failure {
	return failf(mysql.ER_ACCESS_DENIED_ERROR, "28000", "Access denied for user '%s'", user)
}

func commandDenied(what string) *failure {
	return failf(mysql.ER_SPECIFIC_ACCESS_DENIED_ERROR, stateSyntaxOrRight, "Access denied: %s is not available in a workspace", what)
}

// noDDL is for what would change the schema of a tenant's database.
func noDDL() *failure {
	return failf(mysql.ER_TABLEACCESS_DENIED_ERROR, stateSyntaxOrRight, "%s", workspace.NoDDL)
}

func malformed() *failure {
	return failf(mysql.ER_MALFORMED_PACKET, stateGeneral, "Malformed communication packet")
}

// noDatabase is what a workspace is told of every database but its own.
func noDatabase(which string) *failure {
	return failf(mysql.ER_DBACCESS_DENIED_ERROR, stateSyntaxOrRight, "Access denied to database %s: a workspace has one database", which)
}

// noLogins is for a directory that can't be asked.
func noLogins() *failure {
	return failf(mysql.ER_CON_COUNT_ERROR, "08004", "Logins are not possible now; try again")
}
