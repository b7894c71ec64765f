package mysql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/schema"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Source reads the schemas of MySQL and MariaDB databases that are none of ours.
type Source struct{}

var _ workspace.SchemaSource = Source{}

// Statements are the database's Definitions, with the settings that programs and
// views were made under: what a session here begins with is not what it begins
// with there. Whoever runs them becomes their definer.
func (Source) Statements(ctx context.Context, l workspace.SourceLogin) (steps []schema.Step, err error) {
	err = readSource(ctx, l, func(e *Engine, c *conn) error {
		e.known().defaults = nil
		steps, err = e.steps(ctx, c, l.Database, ddltrack.WithoutAnyDefinerMySQL)
		return err
	})
	return steps, err
}

// Schema is the database's tables with what any SQL database has of them.
func (Source) Schema(ctx context.Context, l workspace.SourceLogin) (s schema.Schema, warnings []string, err error) {
	err = readSource(ctx, l, func(_ *Engine, c *conn) error {
		r := sourceReader{conn: c, database: l.Database}
		s, err = r.schema(ctx)
		warnings = r.warnings
		return err
	})
	return s, warnings, err
}

// readSource runs read on a connection that is in the database.
func readSource(ctx context.Context, l workspace.SourceLogin, read func(*Engine, *conn) error) error {
	e, c, err := connectSource(ctx, l)
	if err != nil {
		return sourceRefused(l, err)
	}
	defer c.close()
	if err := read(e, c); err != nil {
		return sourceRefused(l, err)
	}
	return nil
}

// connectSource connects with the first encryption that both sides have. A
// server that was reached and says no is not asked again.
func connectSource(ctx context.Context, l workspace.SourceLogin) (*Engine, *conn, error) {
	var first error
	for _, encryption := range l.Encryptions() {
		e := New(Config{Name: l.Address(), Address: workspace.Address{Network: "tcp", Addr: l.Address(), TLS: encryption}, User: l.User, Password: l.Password})
		e.dial = func(ctx context.Context) (net.Conn, error) { return l.Dial(ctx) }
		c, err := e.connect(ctx, l.User, l.Password, l.Database)
		if err == nil {
			if err = c.exec(ctx, trustedSettings); err == nil {
				err = e.learn(ctx, c)
			}
			if err != nil {
				c.close()
				return nil, nil, err
			}
			return e, c, nil
		}
		if first == nil || errno(err) != 0 {
			first = err
		}
		if ctx.Err() != nil || errno(err) != 0 {
			break
		}
	}
	return nil, nil, first
}

func sourceRefused(l workspace.SourceLogin, err error) error {
	if refused, ok := errors.AsType[*gomysql.MyError](err); ok {
		return l.Refused(refused.Message, err)
	}
	if errors.Is(err, errNoText) {
		return l.Refused(err.Error(), err)
	}
	return l.Refused("", err)
}

// sourceReader reads the tables of one database.
type sourceReader struct {
	conn     *conn
	database string
	warnings []string
}

func (r *sourceReader) warn(table, format string, args ...any) {
	r.warnings = append(r.warnings, table+": "+fmt.Sprintf(format, args...))
}

func (r *sourceReader) schema(ctx context.Context) (schema.Schema, error) {
	tables, err := readTables(ctx, r.conn, r.database)
	if err != nil {
		return schema.Schema{}, err
	}
	var s schema.Schema
	at := map[string]int{}
	for i, t := range tables {
		made := schema.Table{Name: t.Name}
		for _, c := range t.Columns {
			made.Columns = append(made.Columns, r.column(t.Name, c))
		}
		s.Tables, at[t.Name] = append(s.Tables, made), i
	}
	of := func(name []byte) *schema.Table {
		if i, ok := at[string(name)]; ok {
			return &s.Tables[i]
		}
		return &schema.Table{} // made since
	}
	for _, read := range []func(context.Context, func([]byte) *schema.Table) error{r.extras, r.indexes, r.foreignKeys, r.checks} {
		if err := read(ctx, of); err != nil {
			return schema.Schema{}, err
		}
	}
	return s, nil
}

func (r *sourceReader) column(table string, c workspace.Column) schema.Column {
	column := schema.Column{Name: c.Name, Nullable: c.Nullable}
	if c.Default != nil {
		column.Default = *c.Default
	}
	var err error
	if column.Type, err = schema.ParseType(c.Type); err != nil {
		r.warn(table, "%s is text: its type %s is MySQL's own", c.Name, c.Type)
		column.Type = schema.Type{Name: "longtext"}
	}
	return column
}

// extras tells of what the server sets in columns by itself.
func (r *sourceReader) extras(ctx context.Context, of func([]byte) *schema.Table) error {
	rows, err := r.conn.rows(ctx, "SELECT TABLE_NAME, COLUMN_NAME, EXTRA FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = "+literal(r.database)+" AND EXTRA <> '' ORDER BY TABLE_NAME, ORDINAL_POSITION")
	if err != nil {
		return fmt.Errorf("list generated columns: %w", err)
	}
	for _, row := range rows {
		t := of(row[0])
		switch extra := strings.ToUpper(string(row[2])); {
		case t.Name == "": // a view, or made since
		case strings.Contains(extra, "VIRTUAL GENERATED"), strings.Contains(extra, "STORED GENERATED"):
			r.warn(t.Name, "%s is a plain column: how it is generated is left out", row[1])
		case strings.Contains(extra, "ON UPDATE"):
			r.warn(t.Name, "%s is no longer set ON UPDATE", row[1])
		}
	}
	return nil
}

func (r *sourceReader) indexes(ctx context.Context, of func([]byte) *schema.Table) error {
	rows, err := r.conn.rows(ctx, "SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, SUB_PART, INDEX_TYPE FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = "+
		literal(r.database)+" ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX")
	if err != nil {
		return fmt.Errorf("list indexes: %w", err)
	}
	for start := 0; start < len(rows); {
		end := start
		x := schema.Index{Name: string(rows[start][1]), Unique: string(rows[start][2]) == "0"}
		special := string(rows[start][5]) != "BTREE" && string(rows[start][5]) != "HASH"
		for ; end < len(rows) && string(rows[end][0]) == string(rows[start][0]) && string(rows[end][1]) == x.Name; end++ {
			x.Columns = append(x.Columns, string(rows[end][3]))
			special = special || rows[end][3] == nil || x.Unique && rows[end][4] != nil
		}
		t := of(rows[start][0])
		switch {
		case x.Name == "PRIMARY":
			t.PrimaryKey = x.Columns
		case special:
			r.warn(t.Name, "the index %s is left out: it is of MySQL's own kind", x.Name)
		default:
			t.Indexes = append(t.Indexes, x)
		}
		start = end
	}
	return nil
}

func (r *sourceReader) foreignKeys(ctx context.Context, of func([]byte) *schema.Table) error {
	rows, err := r.conn.rows(ctx, `SELECT k.TABLE_NAME, k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME, c.DELETE_RULE, c.UPDATE_RULE
		FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS c
		ON c.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND c.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND c.TABLE_NAME = k.TABLE_NAME
		WHERE k.REFERENCED_TABLE_SCHEMA = k.TABLE_SCHEMA AND k.TABLE_SCHEMA = `+literal(r.database)+` ORDER BY k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION`)
	if err != nil {
		return fmt.Errorf("list foreign keys: %w", err)
	}
	last := ""
	for _, row := range rows {
		t := of(row[0])
		if name := string(row[0]) + "." + string(row[1]); name != last {
			last = name
			t.ForeignKeys = append(t.ForeignKeys, schema.ForeignKey{Table: string(row[3]), OnDelete: foreignAction(row[5]), OnUpdate: foreignAction(row[6])})
		}
		k := &t.ForeignKeys[len(t.ForeignKeys)-1]
		k.Columns, k.Targets = append(k.Columns, string(row[2])), append(k.Targets, string(row[4]))
	}
	return nil
}

// foreignAction leaves out what is the default everywhere; RESTRICT is MySQL's,
// and means the same there.
func foreignAction(rule []byte) string {
	if text := string(rule); text != "NO ACTION" && text != "RESTRICT" {
		return text
	}
	return ""
}

var validJSON = regexp.MustCompile("(?i)^\\(?json_valid\\(`((?:[^`]|``)*)`\\)\\)?$")

func (r *sourceReader) checks(ctx context.Context, of func([]byte) *schema.Table) error {
	sql := "SELECT TABLE_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = " + literal(r.database)
	if !strings.Contains(r.conn.version, "MariaDB") {
		sql = `SELECT t.TABLE_NAME, c.CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS c JOIN information_schema.TABLE_CONSTRAINTS t
			ON t.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND t.CONSTRAINT_NAME = c.CONSTRAINT_NAME AND t.CONSTRAINT_TYPE = 'CHECK' WHERE c.CONSTRAINT_SCHEMA = ` + literal(r.database)
	}
	rows, err := r.conn.rows(ctx, sql)
	if err != nil {
		return fmt.Errorf("list checks: %w", err)
	}
	for _, row := range rows {
		t := of(row[0])
		// MariaDB's JSON is a long text with this check.
		if m := validJSON.FindSubmatch(row[1]); m != nil {
			for i := range t.Columns {
				if t.Columns[i].Name == string(m[1]) {
					t.Columns[i].Type = schema.Type{Name: "json"}
				}
			}
			continue
		}
		t.Checks = append(t.Checks, string(row[1]))
	}
	return nil
}
