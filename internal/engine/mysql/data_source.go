package mysql

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// smallTable is the size in bytes up to which rows are counted exactly.
const smallTable = 8 << 20

// sourcePatience is how many seconds the source waits for us to take its rows,
// while the target is at work.
const sourcePatience = 3600

// dataSource is a database of others in a transaction that sees one moment of
// its transactional tables and may write nothing.
type dataSource struct {
	login  workspace.SourceLogin
	conn   *conn
	floats map[string]bool // by key and column, those whose text is shorter than their value
}

// OpenData begins the transaction.
func (e *Engine) OpenData(ctx context.Context, l workspace.SourceLogin) (workspace.DataSource, error) {
	peer, c, err := connectSource(ctx, l)
	if err != nil {
		return nil, sourceRefused(l, err)
	}
	unlimited := "max_execution_time"
	if peer.known().mariaDB {
		unlimited = "max_statement_time"
	}
	err = c.exec(ctx, fmt.Sprintf("SET SESSION %s = 0, SESSION net_write_timeout = %d, SESSION wait_timeout = %d; "+
		"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", unlimited, sourcePatience, sourcePatience))
	if err != nil {
		c.close()
		return nil, sourceRefused(l, err)
	}
	return &dataSource{login: l, conn: c, floats: map[string]bool{}}, nil
}

// Close ends the connection, and the transaction with it.
func (s *dataSource) Close(context.Context) { s.conn.close() }

// Tables are the tables with their rows: counted where they are few, else as the
// server estimates them.
func (s *dataSource) Tables(ctx context.Context) ([]workspace.DataTable, error) {
	tables, err := dataTables(ctx, s.conn, s.login.Database)
	if err != nil {
		return nil, sourceRefused(s.login, err)
	}
	floats, err := s.conn.rows(ctx, "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE DATA_TYPE = 'float' AND TABLE_SCHEMA = "+literal(s.login.Database))
	if err != nil {
		return nil, sourceRefused(s.login, err)
	}
	for _, row := range floats {
		s.floats[quote(string(row[0]))+"."+quote(string(row[1]))] = true
	}
	for i := range tables {
		t := &tables[i]
		t.Unfit = "" // it is only read
		t.Exact = t.Bytes <= smallTable
		query := "SELECT count(*) FROM " + t.Key
		if !t.Exact {
			query = "SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = " + literal(s.login.Database) + " AND TABLE_NAME = " + literal(t.Name)
		}
		row, err := s.conn.row(ctx, query)
		if err != nil {
			return nil, sourceRefused(s.login, fmt.Errorf("count rows: %w", err))
		}
		t.Rows = number(row[0])
	}
	return tables, nil
}

// number is a whole number as text, 0 for NULL.
func number(text []byte) int64 {
	n, _ := strconv.ParseInt(string(text), 10, 64) // of a column that holds nothing else
	return n
}

// asBytes is a column's value as text, compared byte by byte, whatever its type
// and collation hold to be the same.
func asBytes(column string) string {
	return "CAST(CONVERT(" + quote(column) + " USING utf8mb4) AS BINARY)"
}

// Tenants counts rows by the text of the column's value.
func (s *dataSource) Tenants(ctx context.Context, tables []string, column string, most int) (found workspace.TenantRows, err error) {
	var each []string
	for _, key := range tables {
		each = append(each, "SELECT "+asBytes(column)+" AS value, count(*) AS n FROM "+key+" GROUP BY 1")
	}
	all := "(" + strings.Join(each, " UNION ALL ") + ") r"
	total, err := s.conn.row(ctx, "SELECT count(DISTINCT value) FROM "+all)
	if err != nil {
		return found, sourceRefused(s.login, err)
	}
	rows, err := s.conn.rows(ctx, "SELECT value, sum(n) FROM "+all+" GROUP BY value ORDER BY value LIMIT "+strconv.Itoa(most+1))
	if err != nil {
		return found, sourceRefused(s.login, err)
	}
	found.Total = number(total[0])
	for _, row := range rows {
		if row[0] == nil {
			found.Without = number(row[1])
		} else if len(found.Tenants) < most {
			found.Tenants = append(found.Tenants, workspace.TenantCount{Value: string(row[0]), Rows: number(row[1])})
		}
	}
	return found, nil
}

// query selects the rows of a table. A FLOAT is read as the DOUBLE that it is,
// since its own text has six digits.
func (s *dataSource) query(t workspace.TableCopy) string {
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = quote(c)
		if s.floats[t.Table+"."+columns[i]] {
			columns[i] += " * 1e0"
		}
	}
	query := "SELECT " + strings.Join(columns, ", ") + " FROM " + t.Table
	if t.Where != "" {
		// The first is what an index may serve.
		query += " WHERE " + quote(t.Where) + " = " + literal(t.Value) + " AND " + asBytes(t.Where) + " = " + blob([]byte(t.Value))
	}
	return query
}

// stop asks the server to end the statement under way. Where that can't be
// asked, its rows are read to the end.
func (s *dataSource) stop(ctx context.Context) {
	_, c, err := connectSource(ctx, s.login)
	if err != nil {
		return
	}
	defer c.close()
	_ = c.exec(ctx, "KILL QUERY "+strconv.FormatUint(uint64(s.conn.id), 10))
}
