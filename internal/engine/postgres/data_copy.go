package postgres

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	copyBuffer   = 64 << 10
	copyLockWait = "5min" // for a table that others keep to themselves
)

// connectRows is a connection as the owner of the database, for rows that come
// from elsewhere. Its triggers see the search path of any session. The caller
// closes it.
func (e *Engine) connectRows(ctx context.Context, t workspace.Target) (*pgx.Conn, error) {
	settings := rowSettings()
	maps.Copy(settings, map[string]string{
		"application_name":                    "tenantsdb import",
		"options":                             "-c tenantsdb.source=" + sourceImport,
		"statement_timeout":                   "0",
		"idle_in_transaction_session_timeout": "0",
		"lock_timeout":                        copyLockWait,
		"default_transaction_isolation":       "read committed",
		"default_transaction_read_only":       "off",
		// A session whose process is gone must not keep its locks for long.
		"tcp_keepalives_idle":     "30",
		"tcp_keepalives_interval": "10",
		"tcp_keepalives_count":    "3",
	})
	return e.connectRole(ctx, owner(t), settings)
}

// CopyData copies with COPY on both sides, in one transaction. Its mark is the
// transaction's number.
func (e *Engine) CopyData(ctx context.Context, t workspace.Target, from workspace.DataSource, c workspace.DataCopy, w workspace.DataWatch) error {
	source, ok := from.(*dataSource)
	if !ok {
		return fmt.Errorf("copy data: %T is no source of this engine's", from)
	}
	conn, err := e.connectRows(ctx, t)
	if err != nil {
		return err
	}
	defer disconnect(ctx, conn)
	return (&copier{source: source, conn: conn.PgConn(), watch: w}).run(ctx, c)
}

// copier copies tables in the transaction of its connection.
type copier struct {
	source *dataSource
	conn   *pgconn.PgConn
	watch  workspace.DataWatch
}

func (c *copier) run(ctx context.Context, all workspace.DataCopy) error {
	begin := "BEGIN"
	if all.Deferred {
		begin += "; SET CONSTRAINTS ALL DEFERRED"
	}
	if err := c.exec(ctx, begin); err != nil {
		return err
	}
	for i, t := range all.Tables {
		c.watch.Table(i)
		if err := c.table(ctx, t); err != nil {
			return err
		}
	}
	c.watch.Table(-1)
	// What was deferred is checked while its failure still has no doubt in it.
	if err := c.exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL search_path = pg_catalog"); err != nil {
		return err
	}
	for _, t := range all.Tables {
		if err := c.advanceSequences(ctx, t.Table); err != nil {
			return err
		}
	}
	mark, err := c.text(ctx, "SELECT pg_current_xact_id()")
	if err != nil {
		return err
	}
	if len(mark) != 1 {
		return errors.New("the transaction has no number")
	}
	if err := c.watch.Committing(mark[0]); err != nil {
		return err
	}
	return c.exec(ctx, "COMMIT")
}

func (c *copier) exec(ctx context.Context, sql string) error {
	return rowsRefused(c.conn.Exec(ctx, sql).Close())
}

// text is the first column of a query's rows.
func (c *copier) text(ctx context.Context, sql string) (values []string, err error) {
	results, err := c.conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, rowsRefused(err)
	}
	for _, r := range results {
		for _, row := range r.Rows {
			values = append(values, string(row[0]))
		}
	}
	return values, nil
}

// errTargetRefused ends the feeding of a server that takes no more rows.
var errTargetRefused = errors.New("the rows were refused")

// table copies one table: the source's rows go to the target as they arrive, and
// no more of them are held than the buffer and one row.
func (c *copier) table(ctx context.Context, t workspace.TableCopy) error {
	r, w := io.Pipe()
	feeding := &feed{to: w, rows: c.watch.Rows}
	type end struct {
		rows int64
		err  error
	}
	fed := make(chan end, 1)
	go func() { // feeds the target until the source's rows end
		buffered := bufio.NewWriterSize(feeding, copyBuffer)
		rows, err := c.source.copyOut(ctx, t, buffered)
		_ = w.CloseWithError(errors.Join(err, buffered.Flush())) // it never fails
		fed <- end{rows, err}
	}()
	columns := make([]string, len(t.Columns))
	for i, name := range t.Columns {
		columns[i] = quote(name)
	}
	tag, err := c.conn.CopyFrom(ctx, r, "COPY "+t.Table+" ("+strings.Join(columns, ", ")+") FROM STDIN")
	if err != nil {
		_ = r.CloseWithError(errTargetRefused) // it never fails
		// So that it does not read out what nobody takes; where it can't be
		// asked to stop, it does.
		_ = c.source.conn.PgConn().CancelRequest(ctx)
	}
	source := <-fed
	switch {
	case source.err != nil && !feeding.refused:
		return c.source.refused(source.err)
	case err != nil:
		return rowsRefused(err)
	case source.rows != tag.RowsAffected():
		return workspace.Errorf(workspace.BadRequest, "the source gave %d rows and %d of them arrived: a row of it, or a trigger or rule of the table, ends or drops rows", source.rows, tag.RowsAffected())
	}
	return nil
}

// feed counts the rows that go to the target. When that takes no more, the rest
// of the source's is passed over, so that its transaction lives on.
type feed struct {
	to      io.Writer
	rows    func(int64)
	sent    int64
	refused bool
}

func (f *feed) Write(p []byte) (int, error) {
	if f.refused {
		return len(p), nil
	}
	if _, err := f.to.Write(p); err != nil {
		f.refused = true
		return len(p), nil
	}
	// In the text format a row ends with the only newline that it has.
	f.sent += int64(bytes.Count(p, []byte{'\n'}))
	f.rows(f.sent)
	return len(p), nil
}

const ownSequencesSQL = `
	SELECT 'SELECT setval(' || quote_literal(quote_ident(n.nspname) || '.' || quote_ident(c.relname)) || ', v::int8) FROM (SELECT '
		|| CASE WHEN s.seqincrement > 0 THEN 'max(' ELSE 'min(' END || quote_ident(a.attname) || ') AS v FROM ' || a.attrelid::regclass || ') r, '
		|| quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ' q WHERE v BETWEEN ' || s.seqmin || ' AND ' || s.seqmax
		|| CASE WHEN s.seqincrement > 0 THEN ' AND v >= q.last_value' ELSE ' AND v <= q.last_value' END
	FROM pg_attribute a JOIN (
		SELECT refobjid AS rel, refobjsubid AS num, objid AS seq FROM pg_depend
		WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i') AND refobjsubid > 0
		UNION
		SELECT d.adrelid, d.adnum, e.refobjid FROM pg_attrdef d JOIN pg_depend e ON e.classid = 'pg_attrdef'::regclass AND e.objid = d.oid
		WHERE e.refclassid = 'pg_class'::regclass AND e.deptype = 'n'
	) u ON u.rel = a.attrelid AND u.num = a.attnum
	JOIN pg_sequence s ON s.seqrelid = u.seq JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE NOT a.attisdropped AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype) AND a.attrelid = `

// advanceSequences lets the sequences of a table's columns go on behind the rows
// that came; the search path is pg_catalog.
func (c *copier) advanceSequences(ctx context.Context, table string) error {
	statements, err := c.text(ctx, ownSequencesSQL+literal(table)+"::regclass")
	if err != nil {
		return err
	}
	for _, sql := range statements {
		if err := c.exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// rowsRefused is why rows were not taken, in the server's words, which name the
// key that is there twice or the value that does not fit.
func rowsRefused(err error) error {
	if err == nil {
		return nil
	}
	told := statementError(err)
	e, ok := errors.AsType[*workspace.Error](told)
	if detail, has := e.Details["detail"].(string); ok && has {
		e.Message += ": " + detail
	}
	const longest = 500
	if ok && len(e.Message) > longest {
		e.Message = strings.ToValidUTF8(e.Message[:longest], "") + "…"
	}
	return told
}

// DataLanded asks the server what became of the transaction.
func (e *Engine) DataLanded(ctx context.Context, _ workspace.Target, mark string) (bool, error) {
	conn, release, err := e.admin(ctx, e.config.Database)
	if err != nil {
		return false, err
	}
	defer release()
	var status *string
	if err := conn.QueryRow(ctx, "SELECT pg_xact_status($1::text::xid8)", mark).Scan(&status); err != nil {
		return false, fmt.Errorf("find transaction: %w", err)
	}
	switch {
	case status == nil:
		return false, workspace.Errorf(workspace.BadRequest, "whether the rows were committed when the server stopped is not known any more: look at the tables")
	case *status == "in progress":
		return false, workspace.Errorf(workspace.Unavailable, "the transaction is still in progress")
	}
	return *status == "committed", nil
}
