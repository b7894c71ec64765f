package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	// maxResultBytes bounds what one query through the API holds in memory; it
	// is also the longest message that a server may send us.
	maxResultBytes = 64 << 20
	// cancelGrace is how long a statement may go on after it was cancelled
	// before its session is terminated.
	cancelGrace = 5 * time.Second

	queryCanceled         = "57014"
	programLimitExceeded  = "54000"
	featureNotSupported   = "0A000"
	activeSQLTransaction  = "25001"
	classOperatorShutdown = "57P"
)

// errTimeout is why a query that ran into its time limit was stopped.
var errTimeout = errors.New("query time limit reached")

// Query runs text as the workspace's role in a session of its own, as psql
// would: several statements share one implicit transaction, and the last result
// is the answer. A limit that is reached cancels the query on the server and is
// an *workspace.Error that names the setting. COPY from or to the client is
// refused, since there is no client on the wire. On a tenant's database what
// would change the schema is, before anything of text is run.
func (e *Engine) Query(ctx context.Context, t workspace.Target, text string, limits workspace.Limits) (workspace.Result, error) {
	if strings.ContainsRune(text, 0) {
		return workspace.Result{}, workspace.Errorf(workspace.BadRequest, "query holds a zero byte, which PostgreSQL does not take")
	}
	if t.Owner != "" {
		instead, refused := (&ddltrack.SchemaGuard{Refusal: workspace.NoDDL}).Judge(text)
		if refused {
			return workspace.Result{}, workspace.NoDDLQuery()
		}
		text = cmp.Or(instead, text)
	}
	conn, err := e.connectAs(ctx, t, "api")
	if err != nil {
		return workspace.Result{}, err
	}
	defer disconnect(ctx, conn)
	if t.Owner == "" {
		if text, err = journaledText(ctx, conn, text); err != nil {
			return workspace.Result{}, err
		}
	}

	start := time.Now()
	r := &runner{conn: conn.PgConn(), limits: limits}
	err = r.run(ctx, text)
	elapsed := time.Since(start)
	if r.abandoned {
		e.terminate(ctx, conn.PgConn().PID())
	}
	if err != nil {
		return workspace.Result{}, err
	}
	result := r.last.decode(elementTypes(ctx, conn, r.last.columns))
	result.Elapsed = elapsed
	return result, nil
}

// terminate ends a session that did not heed its cancel.
func (e *Engine) terminate(ctx context.Context, pid uint32) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
	defer cancel()
	conn, release, err := e.admin(ctx, e.config.Database)
	if err == nil {
		defer release()
		_, err = conn.Exec(ctx, "SELECT pg_terminate_backend($1)", int32(pid))
	}
	if err != nil {
		e.config.Log.WarnContext(ctx, "session that ignores its cancel was left running", "server", e.config.Name, "pid", pid, "error", err)
	}
}

// runner runs one text on one connection.
type runner struct {
	conn   *pgconn.PgConn
	limits workspace.Limits
	last   rawResult

	refusal   *workspace.Error // why we stopped the query; the first reason stays
	abandoned bool             // the server did not end it in time
}

// run sends text and reads until the server is ready again. On a limit it
// cancels and reads on, so that the server's verdict is known.
func (r *runner) run(ctx context.Context, text string) error {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if r.limits.TimeoutMS > 0 {
		var cancel context.CancelFunc
		running, cancel = context.WithTimeoutCause(running, time.Duration(r.limits.TimeoutMS)*time.Millisecond, errTimeout)
		defer cancel()
	}
	reading, abandon := context.WithCancel(context.WithoutCancel(ctx))
	watched := make(chan struct{})
	unwatch := context.AfterFunc(running, func() {
		defer close(watched)
		cancelThenAbandon(reading, r.conn, abandon)
	})
	defer func() {
		abandon()
		if !unwatch() {
			<-watched
		}
	}()

	frontend := r.conn.Frontend()
	frontend.SendQuery(&pgproto3.Query{String: text})
	if err := frontend.Flush(); err != nil {
		return workspace.Errorf(workspace.Unavailable, "connection to the database was lost").Because(err)
	}
	err := r.read(reading, stop)
	r.abandoned = reading.Err() != nil
	return r.verdict(ctx, context.Cause(running), err)
}

// cancelThenAbandon asks the server to cancel, and ends the reading where that
// has no effect in time. It ends at once when the reading does.
func cancelThenAbandon(reading context.Context, conn *pgconn.PgConn, abandon func()) {
	grace, done := context.WithTimeout(reading, cancelGrace)
	defer done()
	// A cancel that can't be sent has the same effect as one that is not
	// heeded: the reading is abandoned.
	_ = conn.CancelRequest(grace)
	<-grace.Done()
	abandon()
}

// read takes in messages until ReadyForQuery. The error is the server's, or
// why there was none.
func (r *runner) read(ctx context.Context, stop context.CancelCauseFunc) error {
	var failure error
	for {
		message, err := r.conn.ReceiveMessage(ctx)
		if err != nil {
			return errors.Join(failure, err)
		}
		switch m := message.(type) {
		case *pgproto3.RowDescription:
			r.last.begin(m)
		case *pgproto3.DataRow:
			if r.refusal == nil {
				r.refuse(r.last.add(m, r.limits), stop)
			}
		case *pgproto3.CommandComplete:
			r.last.complete(pgconn.NewCommandTag(string(m.CommandTag)))
		case *pgproto3.EmptyQueryResponse:
			r.last.complete(pgconn.CommandTag{})
		case *pgproto3.CopyInResponse:
			r.refuse(copyRefusal("COPY FROM STDIN"), nil)
			if err := r.failCopy(); err != nil {
				return err
			}
		case *pgproto3.CopyOutResponse:
			r.refuse(copyRefusal("COPY TO STDOUT"), stop)
		case *pgproto3.ErrorResponse:
			failure = pgconn.ErrorResponseToPgError(m)
		case *pgproto3.ReadyForQuery:
			if failure == nil && m.TxStatus != 'I' {
				r.refuse(openTransaction(), nil)
			}
			return failure
		}
	}
}

// refuse notes why the query can't be answered and, with stop, cancels it.
func (r *runner) refuse(why *workspace.Error, stop context.CancelCauseFunc) {
	if why == nil || r.refusal != nil {
		return
	}
	r.refusal = why
	if stop != nil {
		stop(why)
	}
}

func (r *runner) failCopy() error {
	frontend := r.conn.Frontend()
	frontend.Send(&pgproto3.CopyFail{Message: "the API has no data to copy"})
	if err := frontend.Flush(); err != nil {
		return fmt.Errorf("refuse copy: %w", err)
	}
	return nil
}

// verdict is what the client is told: our own refusal first, then the limit or
// the caller's end that made the server fail, then the server's own error.
func (r *runner) verdict(ctx context.Context, stopped, failure error) error {
	if r.refusal != nil {
		return r.refusal.Because(failure)
	}
	if failure == nil {
		return nil
	}
	cut := r.abandoned || sqlState(failure) == queryCanceled
	if cut && errors.Is(stopped, errTimeout) {
		return timeoutError(r.limits).Because(failure)
	}
	if cut && ctx.Err() != nil {
		return fmt.Errorf("run query: %w", ctx.Err())
	}
	return statementError(failure)
}

// statementError is a failure as a client may see it: the server's own words
// for its statement, or that there is no server.
func statementError(err error) error {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if tooBig, is := errors.AsType[*pgproto3.ExceededMaxBodyLenErr](err); is {
		return tooLarge().Because(tooBig)
	}
	if !ok || len(pgErr.Code) >= 3 && pgErr.Code[:3] == classOperatorShutdown {
		return workspace.Errorf(workspace.Unavailable, "connection to the database was lost").Because(err)
	}
	if pgErr.Message == workspace.NoDDL {
		return workspace.NoDDLQuery().Because(pgErr)
	}
	failure := refusal(pgErr.Code, "%s", pgErr.Message).Because(pgErr)
	if pgErr.Position > 0 {
		failure.Details["position"] = pgErr.Position
	}
	if pgErr.Detail != "" {
		failure.Details["detail"] = pgErr.Detail
	}
	if pgErr.Hint != "" {
		failure.Details["hint"] = pgErr.Hint
	}
	return failure
}

func timeoutError(l workspace.Limits) *workspace.Error {
	return refusal(queryCanceled, "%s", l.TimedOut())
}

func rowLimitError(l workspace.Limits) *workspace.Error {
	return refusal(programLimitExceeded, "%s", l.TooManyRows())
}

func tooLarge() *workspace.Error {
	return refusal(programLimitExceeded, "result is larger than %d MiB, the most that the API returns; select fewer rows or columns, or connect with a PostgreSQL client", maxResultBytes>>20)
}

func copyRefusal(what string) *workspace.Error {
	return refusal(featureNotSupported, "%s is not possible through the API; connect with a PostgreSQL client", what)
}

func openTransaction() *workspace.Error {
	return refusal(activeSQLTransaction, "transaction was left open and is rolled back: each query has a session of its own; send BEGIN and COMMIT in one query")
}

func refusal(sqlstate, format string, args ...any) *workspace.Error {
	err := workspace.Errorf(workspace.BadRequest, format, args...)
	err.Details = map[string]any{"sqlstate": sqlstate}
	return err
}
