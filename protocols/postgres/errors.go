package postgres

import (
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgproto3/v2"
	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
)

// SQLSTATEs of what the proxy says itself
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
const (
	codeConnectionFailure    = "08006"
	codeProtocolViolation    = "08P01"
	codeFeatureNotSupported  = "0A000"
	codeInvalidAuthorization = "28000"
	codeInvalidPassword      = "28P01"
	codeInsufficientRight    = "42501"
	codeTooManyConnections   = "53300"
	codeProgramLimit         = "54000"
	codeQueryCanceled        = "57014"
	codeAdminShutdown        = "57P01"
	codeCannotConnectNow     = "57P03"
	codeDatabaseDropped      = "57P04"
)

// failure is an error on its way to the client.
type failure struct {
	severity string
	code     string
	message  string
	hint     string
}

func (f *failure) Error() string { return f.severity + ": " + f.message }

func (f *failure) append(dst []byte) []byte {
	return encode(dst, &pgproto3.ErrorResponse{
		Severity:            f.severity,
		SeverityUnlocalized: f.severity,
		Code:                f.code,
		Message:             f.message,
		Hint:                f.hint,
	})
}

func fatal(code, format string, args ...any) *failure {
	return &failure{severity: "FATAL", code: code, message: fmt.Sprintf(format, args...)}
}

// as is the same failure at another severity.
func (f *failure) as(severity string) *failure {
	g := *f
	g.severity = severity
	return &g
}

func (f *failure) withHint(format string, args ...any) *failure {
	f.hint = fmt.Sprintf(format, args...)
	return f
}

// reasonFailure is the one table from the proxy's reasons to PostgreSQL's.
func reasonFailure(r protocols.Reason, live *workspace.Live) *failure {
	switch r {
	case protocols.Full:
		return fatal(codeTooManyConnections, "%s %q has reached its max_connections limit of %d", live.Kind(), live.Name, live.MaxConnections()).
			withHint("Close connections, use a connection pool, or %s.", live.Raise("max_connections"))
	case protocols.Draining, protocols.Cut:
		return fatal(codeAdminShutdown, "terminating connection because the proxy is shutting down")
	case protocols.Deleted:
		return fatal(codeDatabaseDropped, "terminating connection because %s %q was deleted", live.Kind(), live.Name)
	case protocols.Suspended:
		return fatal(codeCannotConnectNow, "tenant database %q is suspended", live.Name).
			withHint("Resume or restore the tenant through the admin API.")
	case protocols.Revoked:
		return fatal(codeAdminShutdown, "terminating connection because the API key of this login was revoked")
	}
	return fatal(codeConnectionFailure, "terminating connection")
}

func timeoutFailure(severity string, live *workspace.Live, limit time.Duration) *failure {
	return &failure{
		severity: severity,
		code:     codeQueryCanceled,
		message:  fmt.Sprintf("canceling statement: %s %q allows a statement to run for %d ms (query_timeout_ms)", live.Kind(), live.Name, limit.Milliseconds()),
		hint:     "Make the statement quicker, or " + live.Raise("query_timeout_ms") + ".",
	}
}

func rowsFailure(live *workspace.Live, limit int64) *failure {
	return &failure{
		severity: "ERROR",
		code:     codeProgramLimit,
		message:  fmt.Sprintf("%s %q allows a statement to return %d rows (max_rows_per_query)", live.Kind(), live.Name, limit),
		hint:     "Add a LIMIT, fetch in pieces with a cursor, or " + live.Raise("max_rows_per_query") + ". A statement with RETURNING may have made its changes all the same.",
	}
}

// refusalStatement is SQL that makes the server raise a refusal of ours.
// why is a constant text.
func refusalStatement(code, why string) string {
	return "DO $refused$BEGIN RAISE EXCEPTION USING ERRCODE = '" + code +
		"', MESSAGE = " + quoteLiteral(why) + ", CONSTRAINT = '" + ddltrack.RefusalConstraint + "'; END$refused$"
}

// isRefusal says whether the body of an ErrorResponse is that of a refusal of
// ours that the server raised.
func isRefusal(body []byte) bool { return string(field(body, 'n')) == ddltrack.RefusalConstraint }

// bareError is an ErrorResponse with what its body says and without where it was
// raised: the client wrote no such PL/pgSQL.
func bareError(body []byte) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{
		Severity:            string(field(body, 'S')),
		SeverityUnlocalized: string(field(body, 'V')),
		Code:                string(errorCode(body)),
		Message:             string(field(body, 'M')),
	}
}

// quoteLiteral quotes s as an SQL string in any setting of
// standard_conforming_strings; s has no backslash.
func quoteLiteral(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// terminateQuery ends the server process pid.
func terminateQuery(pid uint32) []byte {
	return encode(nil, &pgproto3.Query{String: fmt.Sprintf("SELECT pg_catalog.pg_terminate_backend(%d)", pid)})
}
