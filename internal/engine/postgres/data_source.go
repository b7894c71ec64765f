package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// smallTable is the size in bytes up to which rows are counted exactly.
const smallTable = 8 << 20

// dataSource is a database of others in a transaction that sees one moment and
// may write nothing.
type dataSource struct {
	login  workspace.SourceLogin
	conn   *pgx.Conn
	tx     pgx.Tx
	single map[string]bool // by key, the tables whose rows are not their partitions'
}

// rowSettings give values the text that any server reads as the same value, on
// both sides of a copy.
func rowSettings() map[string]string {
	return map[string]string{
		"client_encoding":    "UTF8",
		"DateStyle":          "ISO",
		"IntervalStyle":      "postgres",
		"TimeZone":           "UTC",
		"bytea_output":       "hex",
		"extra_float_digits": "3",
		"lc_monetary":        "C",
		"xmloption":          "content",
	}
}

// OpenData begins the transaction. Rows that a policy hides from the user are an
// error when they are read, as for pg_dump, and not left out.
func (e *Engine) OpenData(ctx context.Context, l workspace.SourceLogin) (workspace.DataSource, error) {
	conn, err := connectSource(ctx, l)
	if err != nil {
		return nil, sourceRefused(l, err)
	}
	settings := rowSettings()
	settings["row_security"] = "off"
	err = setSettings(ctx, conn, settings)
	var tx pgx.Tx
	if err == nil {
		tx, err = conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	}
	if err != nil {
		disconnect(ctx, conn)
		return nil, sourceRefused(l, err)
	}
	return &dataSource{login: l, conn: conn, tx: tx, single: map[string]bool{}}, nil
}

// Close ends the connection, and the transaction with it.
func (s *dataSource) Close(ctx context.Context) { disconnect(ctx, s.conn) }

// refused is a failure of the source as a client may hear it.
func (s *dataSource) refused(err error) error {
	if _, is := errors.AsType[*pgproto3.ExceededMaxBodyLenErr](err); is {
		return s.login.Refused(fmt.Sprintf("a row is larger than %d MiB as text", maxResultBytes>>20), err)
	}
	return sourceRefused(s.login, err)
}

const dataSizesSQL = `
	WITH RECURSIVE part (root, oid) AS (
		SELECT c.oid, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' AND ` + userSchema + `
		UNION ALL
		SELECT p.root, c.oid FROM part p JOIN pg_inherits i ON i.inhparent = p.oid JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relispartition
	)
	SELECT root::int8 AS table, sum(coalesce(pg_table_size(oid), 0))::int8 AS bytes FROM part GROUP BY root`

type dataSize struct {
	Table int64
	Bytes int64
}

// Tables are the tables with their rows: counted where they are few, else as the
// planner estimates them.
func (s *dataSource) Tables(ctx context.Context) ([]workspace.DataTable, error) {
	relations, err := readRelations(ctx, s.tx)
	if err != nil {
		return nil, s.refused(err)
	}
	sizes, err := collect[dataSize](ctx, s.tx, "sizes", dataSizesSQL)
	if err != nil {
		return nil, s.refused(err)
	}
	bytes := map[int64]int64{}
	for _, size := range sizes {
		bytes[size.Table] = size.Bytes
	}
	var tables []workspace.DataTable
	for _, r := range relations {
		if r.Partition {
			continue
		}
		t := dataTableOf(r)
		s.single[t.Key] = r.Kind == relationTable
		t.Bytes = bytes[r.OID]
		t.Exact = t.Bytes <= smallTable
		if t.Rows, err = s.rows(ctx, t); err != nil {
			return nil, s.refused(fmt.Errorf("count rows: %w", err))
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// from is the table's rows: those of a table that others inherit from are its
// own alone.
func (s *dataSource) from(key string) string {
	if s.single[key] {
		return " FROM ONLY " + key
	}
	return " FROM " + key
}

func (s *dataSource) rows(ctx context.Context, t workspace.DataTable) (n int64, err error) {
	if t.Exact {
		err = s.tx.QueryRow(ctx, "SELECT count(*)"+s.from(t.Key)).Scan(&n)
		return n, err
	}
	var text string
	if err := s.tx.QueryRow(ctx, "EXPLAIN (FORMAT JSON) SELECT"+s.from(t.Key)).Scan(&text); err != nil {
		return 0, err
	}
	var plans []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"`
		}
	}
	if err := json.Unmarshal([]byte(text), &plans); err != nil || len(plans) != 1 {
		return 0, errors.Join(errors.New("no estimate in the plan"), err)
	}
	return int64(plans[0].Plan.Rows), nil
}

// asText is a column's value as text, compared byte by byte, whatever its type
// and collation hold to be the same.
func asText(column string) string { return `(` + quote(column) + `::text COLLATE "C")` }

// Tenants counts rows by the text of the column's value.
func (s *dataSource) Tenants(ctx context.Context, tables []string, column string, most int) (found workspace.TenantRows, err error) {
	var each []string
	for _, key := range tables {
		each = append(each, "SELECT "+asText(column)+" AS value, count(*) AS n"+s.from(key)+" GROUP BY 1")
	}
	rows, err := s.tx.Query(ctx, "SELECT value, sum(n)::int8, count(*) FILTER (WHERE value IS NOT NULL) OVER () FROM ("+strings.Join(each, " UNION ALL ")+
		fmt.Sprintf(") r GROUP BY value ORDER BY value NULLS FIRST LIMIT %d", most+1))
	if err != nil {
		return found, s.refused(err)
	}
	var value *string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&value, &n, &found.Total}, func() error {
		if value == nil {
			found.Without = n
		} else if len(found.Tenants) < most {
			found.Tenants = append(found.Tenants, workspace.TenantCount{Value: *value, Rows: n})
		}
		return nil
	})
	if err != nil {
		return found, s.refused(err)
	}
	return found, nil
}

// copyOut writes the rows of a table in COPY's text format. What it did not
// finish is undone, so that the transaction can go on with the next table.
func (s *dataSource) copyOut(ctx context.Context, t workspace.TableCopy, to io.Writer) (rows int64, err error) {
	conn := s.conn.PgConn()
	if err := conn.Exec(ctx, "SAVEPOINT tenantsdb_copy").Close(); err != nil {
		return 0, err
	}
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = quote(c)
	}
	query := "SELECT " + strings.Join(columns, ", ") + s.from(t.Table)
	if t.Where != "" {
		// The first is what an index may serve.
		query += " WHERE " + quote(t.Where) + " = " + literal(t.Value) + " AND " + asText(t.Where) + " = " + literal(t.Value)
	}
	tag, err := conn.CopyTo(ctx, to, "COPY ("+query+") TO STDOUT")
	if conn.IsClosed() {
		return tag.RowsAffected(), err
	}
	return tag.RowsAffected(), cmp.Or(err, s.undo(ctx))
}

// undo goes back to where the last table began. A request to cancel that came
// late may hit it instead.
func (s *dataSource) undo(ctx context.Context) error {
	const sql = "ROLLBACK TO SAVEPOINT tenantsdb_copy; RELEASE SAVEPOINT tenantsdb_copy"
	err := s.conn.PgConn().Exec(ctx, sql).Close()
	if sqlState(err) == queryCanceled {
		err = s.conn.PgConn().Exec(ctx, sql).Close()
	}
	return err
}
