package redis

import (
	"errors"
	"fmt"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
)

// The replies of the proxy itself that depend on nothing, without line ends.
const (
	errTLSRequired  = "-ERR TLS is required: connect with rediss:// or --tls"
	errNoAuth       = "-NOAUTH Authentication required."
	errNoAuthHello  = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
	errWrongPass    = "-WRONGPASS invalid username-password pair or user is disabled."
	errNoProto      = "-NOPROTO unsupported protocol version"
	errNotNow       = "-ERR logins are not possible now, try again; the proxy's log has the cause"
	errTooMuch      = "-ERR too much was sent before authentication"
	errSyntax       = "ERR syntax error"
	errTooLong      = "ERR the proxy has to hold this command's arguments, which are longer than 1 MiB"
	errLongPattern  = "ERR a pattern can't be longer than 1024 bytes"
	errManyPatterns = "ERR a connection can't listen to more than 1024 patterns"
	errInMulti      = "ERR not available inside MULTI"
	errAnotherUser  = "WRONGPASS invalid username-password pair, or not one of this connection's workspace: open a new connection for another"
)

// failure is the session's last reply to the client, without its line end.
type failure string

func (f failure) Error() string { return string(f[1:]) }

// wrongArguments is what Redis says.
func wrongArguments(name string) string {
	return "ERR wrong number of arguments for '" + name + "' command"
}

// reasonFailure is the one table from the proxy's reasons to Redis's errors.
func reasonFailure(r protocols.Reason, live *workspace.Live) failure {
	switch r {
	case protocols.Full:
		return "-ERR max number of clients reached"
	case protocols.Draining, protocols.Cut:
		return "-ERR the proxy is shutting down"
	case protocols.Deleted:
		return failure(fmt.Sprintf("-ERR %s was deleted", named(live)))
	case protocols.Revoked:
		return "-ERR the API key of this login was revoked"
	case protocols.Suspended:
		return failure(fmt.Sprintf("-ERR %s is suspended; resume or restore the tenant through the admin API", named(live)))
	}
	return "-ERR the connection ends"
}

// named is what a client knows its database as.
func named(live *workspace.Live) string {
	return fmt.Sprintf("%s '%s'", live.Kind(), live.Name)
}

func unreachable(live *workspace.Live) failure {
	return failure(fmt.Sprintf("-ERR the database of %s can't be reached, try again; the proxy's log has the cause", named(live)))
}

// keysFailure is max_keys in the client's words, without the leading "-".
func keysFailure(err error, live *workspace.Live, limit int64) string {
	if !errors.Is(err, errFull) {
		return fmt.Sprintf("ERR the keys of %s can't be counted now, which max_keys needs; try again", named(live))
	}
	return fmt.Sprintf("ERR max_keys limit reached (%s may have %d keys; delete some or %s)", named(live), limit, live.Raise("max_keys"))
}
