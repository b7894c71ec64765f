package mysql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	copyBatch    = 512 << 10 // bytes of rows in one INSERT, if one row is not larger
	copyLockWait = 300       // seconds for rows and tables that others keep to themselves

	typeVector = 242 // MySQL 9
)

// copySettings let each value in as it is, and none that does not fit. In
// strings nothing but the quote has a meaning.
var copySettings = fmt.Sprintf("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_BACKSLASH_ESCAPES', SESSION time_zone = '+00:00', "+
	"SESSION lock_wait_timeout = %d, SESSION innodb_lock_wait_timeout = %d, SESSION net_read_timeout = %d, SESSION wait_timeout = %d",
	copyLockWait, copyLockWait, sourcePatience, sourcePatience)

// CopyData copies with SELECT and INSERT of many rows, in one transaction, as
// the role that uses the rows. The server keeps nothing that a transaction could
// be known by later: its mark says only that the commit was under way.
func (e *Engine) CopyData(ctx context.Context, t workspace.Target, from workspace.DataSource, c workspace.DataCopy, w workspace.DataWatch) error {
	source, ok := from.(*dataSource)
	if !ok {
		return fmt.Errorf("copy data: %T is no source of this engine's", from)
	}
	conn, err := e.connectAs(ctx, t)
	if err != nil {
		return err
	}
	defer conn.close()
	keys, err := foreignKeys(ctx, conn, t.Database)
	if err != nil {
		return rowsRefused(err)
	}
	copying := &copier{source: source, conn: conn, watch: w, longest: copyBatch}
	return copying.run(ctx, c, keys)
}

// DataLanded can't say it.
func (e *Engine) DataLanded(context.Context, workspace.Target, string) (bool, error) {
	return false, workspace.Errorf(workspace.BadRequest, "the server stopped at the commit, which was whole or had no effect: look whether the rows are in the tables")
}

// copier copies tables in the transaction of its connection.
type copier struct {
	source  *dataSource
	conn    *conn
	watch   workspace.DataWatch
	longest int // bytes of a statement that takes more than one row
}

func (c *copier) run(ctx context.Context, all workspace.DataCopy, keys []parentKey) error {
	own := all.Deferred
	var these []parentKey
	for _, k := range keys {
		for _, t := range all.Tables {
			if t.Table == quote(k.table) {
				these = append(these, k)
				own = own || k.parent == k.table
			}
		}
	}
	if err := c.exec(ctx, copySettings+", SESSION foreign_key_checks = "+truth(!own)+"; START TRANSACTION"); err != nil {
		return err
	}
	for i, t := range all.Tables {
		c.watch.Table(i)
		if err := c.table(ctx, t); err != nil {
			return err
		}
	}
	c.watch.Table(-1)
	if own {
		if err := c.verify(ctx, these); err != nil {
			return err
		}
	}
	if err := c.watch.Committing(strconv.FormatUint(uint64(c.conn.id), 10)); err != nil {
		return err
	}
	return c.exec(ctx, "COMMIT")
}

func (c *copier) exec(ctx context.Context, sql string) error {
	return rowsRefused(c.conn.exec(ctx, sql))
}

// verify looks at the keys that the server was told not to look at; the parents
// that it finds are locked until the commit.
func (c *copier) verify(ctx context.Context, keys []parentKey) error {
	for _, k := range keys {
		var same, set, shown []string
		for i := range k.columns {
			child := "c." + quote(k.columns[i])
			same = append(same, child+" = p."+quote(k.targets[i]))
			set = append(set, child+" IS NOT NULL")
			shown = append(shown, child)
		}
		rows, err := c.conn.rows(ctx, "SELECT concat_ws(', ', "+strings.Join(shown, ", ")+") FROM "+quote(k.table)+" c LEFT JOIN "+quote(k.parent)+" p ON "+strings.Join(same, " AND ")+
			" WHERE "+strings.Join(set, " AND ")+" AND p."+quote(k.targets[0])+" IS NULL LIMIT 1 LOCK IN SHARE MODE")
		if err != nil {
			return rowsRefused(err)
		}
		if len(rows) > 0 {
			return workspace.Errorf(workspace.BadRequest, "a row of %s violates the foreign key %s: there is no %s (%s) = (%.200s)",
				k.table, k.name, k.parent, strings.Join(k.targets, ", "), rows[0][0])
		}
	}
	return nil
}

// table copies one table. Rows are inserted as they arrive: while the target is
// at work the source waits.
func (c *copier) table(ctx context.Context, t workspace.TableCopy) error {
	columns := make([]string, len(t.Columns))
	for i, name := range t.Columns {
		columns[i] = quote(name)
	}
	i := &inserter{longest: c.longest, rows: c.watch.Rows, insert: func(sql string) (uint64, error) { return c.insert(ctx, sql) },
		stop: func() { c.source.stop(ctx) }, into: "INSERT INTO " + t.Table + " (" + strings.Join(columns, ", ") + ") VALUES "}
	err := c.source.conn.guarded(ctx, func() error { return c.source.conn.ask(c.source.query(t), i) })
	switch {
	case i.failure != nil:
		return i.failure
	case i.tooLong:
		return c.source.login.Refused(fmt.Sprintf("a row is larger than %d MiB", maxAnswer>>20), nil)
	case err != nil:
		return sourceRefused(c.source.login, err)
	}
	return i.flush()
}

// inserter takes the source's rows and inserts them, many at a time.
type inserter struct {
	into    string
	longest int // as copier has it
	insert  func(sql string) (rows uint64, err error)
	rows    func(int64)
	stop    func() // asks the source to send no more

	binary    []bool // of each column
	statement bytes.Buffer
	waiting   int64
	inserted  int64
	failure   error
	tooLong   bool
}

func (i *inserter) begin(fields []*gomysql.Field) {
	i.binary = make([]bool, len(fields))
	for n, f := range fields {
		switch f.Type {
		case gomysql.MYSQL_TYPE_GEOMETRY, gomysql.MYSQL_TYPE_BIT, typeVector:
			i.binary[n] = true
		case gomysql.MYSQL_TYPE_TINY_BLOB, gomysql.MYSQL_TYPE_MEDIUM_BLOB, gomysql.MYSQL_TYPE_LONG_BLOB, gomysql.MYSQL_TYPE_BLOB,
			gomysql.MYSQL_TYPE_VARCHAR, gomysql.MYSQL_TYPE_VAR_STRING, gomysql.MYSQL_TYPE_STRING:
			const binaryCharset = 63
			i.binary[n] = f.Charset == binaryCharset
		}
	}
}

// skip says that the rest is passed over, so that the source's transaction lives
// on.
func (i *inserter) skip() bool { return i.failure != nil || i.tooLong }

func (i *inserter) done(uint64) {}

func (i *inserter) add(row [][]byte) {
	if row == nil {
		i.tooLong = true
		return
	}
	if i.statement.Len() == 0 {
		i.statement.WriteString(i.into)
	} else {
		i.statement.WriteByte(',')
	}
	for n, v := range row {
		separator := byte(',')
		if n == 0 {
			separator = '('
		}
		i.statement.WriteByte(separator)
		i.value(v, i.binary[n])
	}
	i.statement.WriteByte(')')
	i.waiting++
	if i.statement.Len() < i.longest {
		return
	}
	if i.failure = i.flush(); i.failure != nil {
		i.stop()
	}
}

func (i *inserter) value(v []byte, binary bool) {
	if v == nil {
		i.statement.WriteString("NULL")
		return
	}
	if binary {
		i.statement.WriteString("_binary")
	}
	i.statement.WriteByte('\'')
	for {
		n := bytes.IndexByte(v, '\'')
		if n < 0 {
			break
		}
		i.statement.Write(v[:n+1])
		i.statement.WriteByte('\'')
		v = v[n+1:]
	}
	i.statement.Write(v)
	i.statement.WriteByte('\'')
}

// counted keeps how many rows a statement inserted.
type counted struct {
	answer
	rows uint64
}

func (c *counted) done(affected uint64) { c.rows += affected }

func (c *copier) insert(ctx context.Context, sql string) (uint64, error) {
	to := &counted{}
	err := c.conn.guarded(ctx, func() error { return c.conn.ask(sql, to) })
	return to.rows, rowsRefused(err)
}

// flush inserts the rows that wait.
func (i *inserter) flush() error {
	if i.waiting == 0 {
		return nil
	}
	rows, err := i.insert(i.statement.String())
	if err != nil {
		return err
	}
	if rows != uint64(i.waiting) {
		return workspace.Errorf(workspace.BadRequest, "the source gave %d rows and %d of them arrived", i.waiting, rows)
	}
	i.inserted += i.waiting
	i.rows(i.inserted)
	i.waiting = 0
	i.statement.Reset()
	if i.statement.Cap() > 2*i.longest {
		i.statement = bytes.Buffer{} // what one large row took
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
	const longest = 500
	if len(told.Message) > longest {
		told.Message = strings.ToValidUTF8(told.Message[:longest], "") + "…"
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return told
}
