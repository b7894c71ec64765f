package mongodb

import (
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
)

// failure is an error in the server's form. Codes and names are of
// https://www.mongodb.com/docs/manual/reference/error-codes/.
type failure struct {
	code int32
	name string
	text string
}

func (f *failure) Error() string { return f.text }

// document is the reply that says f.
func (f *failure) document(labels ...string) []byte {
	b := bsoncore.NewDocumentBuilder().
		AppendDouble("ok", 0).
		AppendString("errmsg", f.text).
		AppendInt32("code", f.code).
		AppendString("codeName", f.name)
	if len(labels) > 0 {
		list := bsoncore.NewArrayBuilder()
		for _, label := range labels {
			list.AppendString(label)
		}
		b.AppendArray("errorLabels", list.Build())
	}
	return b.Build()
}

// labels are those with which a server, or a mongos, marks f as the answer to q.
// Drivers heed them and not the code
// (https://github.com/mongodb/specifications/blob/master/source/retryable-writes/retryable-writes.md,
// and change-streams beside it).
func (f *failure) labels(q *request) (labels []string) {
	// What may be over in a moment.
	if f.code != codeHostUnreachable && f.code != codeShutdownInProgress {
		return nil
	}
	if q.retryable {
		labels = append(labels, "RetryableWriteError")
	}
	if q.transient {
		labels = append(labels, "TransientTransactionError")
	}
	if q.resumable {
		labels = append(labels, "ResumableChangeStreamError")
	}
	return labels
}

const (
	codeHostUnreachable    = 6
	codeCommandNotFound    = 59
	codeShutdownInProgress = 91
)

func unauthorized(format string, args ...any) *failure {
	return &failure{13, "Unauthorized", fmt.Sprintf(format, args...)}
}

func commandNotFound(format string, args ...any) *failure {
	return &failure{codeCommandNotFound, "CommandNotFound", fmt.Sprintf(format, args...)}
}

func tlsRequired() *failure {
	return unauthorized("TLS is required: connect with tls=true")
}

func notAuthenticated(name []byte) *failure {
	return unauthorized("command %s requires authentication", printable(name))
}

// authenticationFailed is the same for whatever was wrong.
func authenticationFailed() *failure {
	return &failure{18, "AuthenticationFailed", "Authentication failed."}
}

func mechanismUnavailable() *failure {
	return &failure{334, "MechanismUnavailable", "the mechanism must be PLAIN or SCRAM-SHA-256"}
}

func badRequest(format string, args ...any) *failure {
	return &failure{9, "FailedToParse", fmt.Sprintf(format, args...)}
}

// reasonFailure is the one table from the proxy's reasons to MongoDB's errors.
func reasonFailure(r protocols.Reason, live *workspace.Live) *failure {
	switch r {
	case protocols.Full:
		return &failure{202, "NetworkInterfaceExceededTimeLimit",
			fmt.Sprintf("%s '%s' has all of its %d connections (max_connections in its settings)", live.Kind(), live.Name, live.MaxConnections())}
	case protocols.Deleted:
		return &failure{215, "DatabaseDropPending", fmt.Sprintf("%s '%s' was deleted", live.Kind(), live.Name)}
	case protocols.Revoked:
		return unauthorized("the API key of this login was revoked")
	case protocols.Suspended:
		return unauthorized("tenant database '%s' is suspended; resume or restore the tenant through the admin API", live.Name)
	}
	return shuttingDown()
}

func shuttingDown() *failure {
	return &failure{codeShutdownInProgress, "ShutdownInProgress", "the proxy is shutting down"}
}

func unreachable(what string) *failure {
	return &failure{codeHostUnreachable, "HostUnreachable", what + " can't be reached, try again; the proxy's log has the cause"}
}

func workspaceUnreachable(live *workspace.Live) *failure {
	return unreachable(fmt.Sprintf("the database of %s '%s'", live.Kind(), live.Name))
}

// lost is a server that went before it answered.
func lost(live *workspace.Live) *failure {
	return &failure{codeHostUnreachable, "HostUnreachable",
		fmt.Sprintf("the database of %s '%s' closed the connection before it answered; what became of the command is not known", live.Kind(), live.Name)}
}

// replyTooLarge is a reply that no client could take.
func replyTooLarge(live *workspace.Live, length int32) *failure {
	return &failure{10334, "BSONObjectTooLarge",
		fmt.Sprintf("the database of %s '%s' answered with %d bytes, and a message has at most %d: ask for smaller batches (batchSize)", live.Kind(), live.Name, length, maxReply)}
}

func timedOut(live *workspace.Live, limit time.Duration) *failure {
	return &failure{50, "MaxTimeMSExpired",
		fmt.Sprintf("operation exceeded the time limit of %s '%s': %d ms (query_timeout_ms in its settings)", live.Kind(), live.Name, limit.Milliseconds())}
}

func tooManyRows(live *workspace.Live, limit int64) *failure {
	return &failure{292, "QueryExceededMemoryLimitNoDiskUseAllowed",
		fmt.Sprintf("query exceeded the limit of %s '%s': %d documents (max_rows_per_query in its settings)", live.Kind(), live.Name, limit)}
}

func notRecorded(live *workspace.Live) *failure {
	return &failure{1, "InternalError",
		fmt.Sprintf("earlier schema changes can't be recorded in the deploy queue of %s '%s' now; this one was not made, try again", live.Kind(), live.Name)}
}
