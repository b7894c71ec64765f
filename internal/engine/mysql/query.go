package mysql

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	// cancelGrace is how long a statement may go on after it was cancelled
	// before its session is ended.
	cancelGrace = 5 * time.Second

	queryTimeout     = 3024
	tooBigSelect     = 1104
	netPacketTooBig  = 1153
	openTransaction  = 1568
	queryInterrupted = 1317
	serverShutdown   = 1053
	connectionKilled = 1927
	rightMissing     = 1227
)

// errTimeout is why a query that ran into its time limit was stopped.
var errTimeout = errors.New("query time limit reached")

// Query runs text as the target's role in a session of its own, as a client
// that sends several statements at once would; the last result is the answer. A
// limit that is reached cancels the query on the server and is an
// *workspace.Error that names the setting. Of a text that would change the schema
// of a tenant's database nothing is run.
func (e *Engine) Query(ctx context.Context, t workspace.Target, text string, limits workspace.Limits) (workspace.Result, error) {
	if t.Owner != "" && ddltrack.DefinesMySQL([]byte(text)) {
		return workspace.Result{}, workspace.NoDDLQuery()
	}
	if ddltrack.DropsDatabaseMySQL([]byte(text)) {
		return workspace.Result{}, refusal(rightMissing, "42000", "Access denied: dropping the database is not available in a workspace; delete the workspace")
	}
	c, err := e.connectAs(ctx, t)
	if err != nil {
		return workspace.Result{}, err
	}
	defer c.close()
	if statements := ddltrack.SplitMySQL(text, e.modeOf("")); len(statements) > 0 {
		// To MariaDB a comment behind the last semicolon is a statement without
		// a result.
		last := statements[len(statements)-1]
		text = text[:last.Offset+len(last.Text)]
	}
	if t.Owner == "" {
		e.announced.add(t.Database, c.id, text, sourceAPI)
	}

	start := time.Now()
	r := &runner{engine: e, conn: c, limits: limits, last: rawResult{limits: limits}}
	err = r.run(ctx, text)
	elapsed := time.Since(start)
	if err != nil {
		return workspace.Result{}, err
	}
	result := r.last.decode(sessionZone(ctx, c, r.last.fields))
	result.Elapsed = elapsed
	return result, nil
}

// runner runs one text on one connection.
type runner struct {
	engine *Engine
	conn   *conn
	limits workspace.Limits
	last   rawResult
}

// run sends text and reads until the server is done. On a limit it cancels and
// reads on, so that the server's verdict is known.
func (r *runner) run(ctx context.Context, text string) error {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if r.limits.TimeoutMS > 0 {
		var cancel context.CancelFunc
		running, cancel = context.WithTimeoutCause(running, time.Duration(r.limits.TimeoutMS)*time.Millisecond, errTimeout)
		defer cancel()
	}
	r.last.stop = stop
	reading, abandon := context.WithCancel(context.WithoutCancel(ctx))
	watched := make(chan struct{})
	unwatch := context.AfterFunc(running, func() {
		defer close(watched)
		r.cancelThenAbandon(reading, abandon)
	})
	defer func() {
		abandon()
		if !unwatch() {
			<-watched
		}
	}()
	failure := r.conn.guarded(reading, func() error { return r.conn.ask(text, &r.last) })
	return r.verdict(ctx, context.Cause(running), failure)
}

// cancelThenAbandon asks the server to cancel the statement, and ends the
// session where that has no effect in time. It ends at once when the reading
// does.
func (r *runner) cancelThenAbandon(reading context.Context, abandon func()) {
	grace, done := context.WithTimeout(reading, cancelGrace)
	defer done()
	id := strconv.FormatUint(uint64(r.conn.id), 10)
	// A cancel that can't be sent has the same effect as one that is not
	// heeded.
	_ = r.engine.command(grace, "KILL QUERY "+id)
	<-grace.Done()
	if reading.Err() != nil {
		return
	}
	abandon()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(reading), connectTimeout)
	defer cancel()
	if err := r.engine.command(ctx, "KILL "+id); err != nil && errno(err) != noSuchThread {
		r.engine.config.Log.WarnContext(ctx, "session that ignores its cancel was left running", "server", r.engine.config.Name, "session", id, "error", err)
	}
}

// command runs one statement as the administrator.
func (e *Engine) command(ctx context.Context, sql string) error {
	c, release, err := e.admin(ctx)
	if err != nil {
		return err
	}
	defer release()
	return c.exec(ctx, sql)
}

// verdict is what the client is told: our own refusal first, then the limit or
// the caller's end that made the server fail, then the server's own error.
func (r *runner) verdict(ctx context.Context, stopped, failure error) error {
	if r.last.refusal != nil {
		return r.last.refusal.Because(failure)
	}
	if failure == nil {
		// SLEEP and its like end without an error on MySQL when they are killed.
		if errors.Is(stopped, errTimeout) && len(r.last.fields) > 0 {
			return r.overtime(nil)
		}
		if r.conn.inTransaction() {
			return refusal(openTransaction, "25001", "transaction was left open and is rolled back: each query has a session of its own; send BEGIN and COMMIT in one query")
		}
		return nil
	}
	cut := r.conn.broken || errno(failure) == queryInterrupted
	if cut && errors.Is(stopped, errTimeout) {
		return r.overtime(failure)
	}
	if cut && ctx.Err() != nil {
		return fmt.Errorf("run query: %w", ctx.Err())
	}
	return statementError(failure)
}

// overtime names the limit that the query ran into.
func (r *runner) overtime(cause error) error {
	return refusal(queryTimeout, "HY000", "%s", r.limits.TimedOut()).Because(cause)
}

// statementError is a failure as a client may see it: the server's own words
// for its statement, or that there is no server.
func statementError(err error) *workspace.Error {
	e, ok := errors.AsType[*gomysql.MyError](err)
	if !ok || e.Code == serverShutdown || e.Code == connectionKilled {
		return workspace.Errorf(workspace.Unavailable, "connection to the database was lost").Because(err)
	}
	return refusal(e.Code, e.State, "%s", e.Message).Because(err)
}

func refusal(number uint16, sqlstate, format string, args ...any) *workspace.Error {
	err := workspace.Errorf(workspace.BadRequest, format, args...)
	err.Details = map[string]any{"errno": int(number), "sqlstate": sqlstate}
	return err
}
