package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantsdb/tenantsdb/internal/schema"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Source reads the schemas of PostgreSQL databases that are none of ours.
type Source struct{}

var _ workspace.SchemaSource = Source{}

// Statements are the database's Definitions.
func (Source) Statements(ctx context.Context, l workspace.SourceLogin) (steps []schema.Step, err error) {
	err = readSource(ctx, l, func(tx pgx.Tx) error {
		steps, err = definitionSteps(ctx, tx)
		return err
	})
	return steps, err
}

// Schema is the database's tables with what any SQL database has of them.
func (Source) Schema(ctx context.Context, l workspace.SourceLogin) (s schema.Schema, warnings []string, err error) {
	err = readSource(ctx, l, func(tx pgx.Tx) error {
		s, warnings, err = readSchema(ctx, tx)
		return err
	})
	return s, warnings, err
}

// readSource runs read in a transaction that changes nothing.
func readSource(ctx context.Context, l workspace.SourceLogin, read func(pgx.Tx) error) error {
	conn, err := connectSource(ctx, l)
	if err != nil {
		return sourceRefused(l, err)
	}
	defer disconnect(ctx, conn)
	if err := atOneMoment(ctx, conn, read); err != nil {
		return sourceRefused(l, err)
	}
	return nil
}

func sourceRefused(l workspace.SourceLogin, err error) error {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return l.Refused(refused.Message, err)
	}
	return l.Refused("", err)
}

// connectSource connects with the first encryption that both sides have. A
// server that was reached and says no is not asked again.
func connectSource(ctx context.Context, l workspace.SourceLogin) (*pgx.Conn, error) {
	var first error
	for _, encryption := range l.Encryptions() {
		address := workspace.Address{Network: "tcp", Addr: l.Address(), TLS: encryption}
		c, err := connection(address, func(ctx context.Context, _, _ string) (net.Conn, error) { return l.Dial(ctx) })
		if err != nil {
			return nil, err
		}
		c.Database, c.User, c.Password = l.Database, l.User, l.Password
		c.RuntimeParams = map[string]string{"application_name": "tenantsdb import", "client_encoding": "UTF8"}
		conn, err := pgx.ConnectConfig(ctx, c)
		if err == nil {
			if err := trustSource(ctx, conn); err != nil {
				disconnect(ctx, conn)
				return nil, err
			}
			return conn, nil
		}
		if first == nil || sqlState(err) != "" {
			first = err
		}
		if ctx.Err() != nil || sqlState(err) != "" && sqlState(err) != "28000" {
			break
		}
	}
	return nil, first
}

// trustSource makes the session's output the same whatever the user's settings
// are. They are not in the startup packet, since a pooler may stand before the
// server.
func trustSource(ctx context.Context, conn *pgx.Conn) error {
	settings := trustedSettings()
	delete(settings, "role")
	return setSettings(ctx, conn, settings)
}

// setSettings sets what the session has from here on.
func setSettings(ctx context.Context, conn *pgx.Conn, settings map[string]string) error {
	var calls []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		calls = append(calls, "set_config("+literal(name)+", "+literal(settings[name])+", false)")
	}
	if _, err := conn.PgConn().Exec(ctx, "SELECT "+strings.Join(calls, ", ")).ReadAll(); err != nil {
		return fmt.Errorf("prepare session: %w", err)
	}
	return nil
}

const sourceIndexesSQL = `
	SELECT x.indrelid::int8 AS table, i.relname AS name, x.indisunique AS unique,
		x.indpred IS NOT NULL OR x.indexprs IS NOT NULL OR am.amname <> 'btree' AS special,
		ARRAY(SELECT a.attname::text FROM unnest(x.indkey[0:x.indnkeyatts - 1]) WITH ORDINALITY u (num, ord)
			JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.num ORDER BY u.ord) AS columns
	FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class r ON r.oid = x.indrelid
	JOIN pg_namespace n ON n.oid = r.relnamespace JOIN pg_am am ON am.oid = i.relam
	WHERE x.indisvalid AND r.relkind IN ('r', 'p') AND r.relpersistence <> 't' AND ` + userSchema + `
		AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))
	ORDER BY i.relname`

const sourceKeysSQL = `
	SELECT k.conrelid::int8 AS table, tn.nspname AS schema, t.relname AS target, k.confdeltype::text AS deleted, k.confupdtype::text AS updated,
		ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (num, ord) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.ord) AS columns,
		ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (num, ord) JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.ord) AS targets
	FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
	WHERE k.contype = 'f' AND k.conparentid = 0 AND ` + userSchema + `
	ORDER BY k.conname`

const sourceEnumsSQL = `
	SELECT format_type(e.enumtypid, NULL) AS name, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels
	FROM pg_enum e GROUP BY e.enumtypid`

type sourceIndex struct {
	Table   int64
	Name    string
	Unique  bool
	Special bool // of an expression or a part of the rows, or no btree
	Columns []string
}

type sourceKey struct {
	Table   int64
	Schema  string
	Target  string
	Deleted string
	Updated string
	Columns []string
	Targets []string
}

type sourceEnum struct {
	Name   string
	Labels []string
}

// foreignActions are pg_constraint's letters.
func foreignActions() map[string]string {
	return map[string]string{"c": "CASCADE", "r": "RESTRICT", "n": "SET NULL", "d": "SET DEFAULT"}
}

// readSchema reads the tables. Views, routines and types of their own stay
// behind; so do partitions, whose rows are their table's.
func readSchema(ctx context.Context, tx pgx.Tx) (schema.Schema, []string, error) {
	relations, err := readRelations(ctx, tx)
	if err != nil {
		return schema.Schema{}, nil, err
	}
	indexes, err := collect[sourceIndex](ctx, tx, "indexes", sourceIndexesSQL)
	if err != nil {
		return schema.Schema{}, nil, err
	}
	keys, err := collect[sourceKey](ctx, tx, "foreign keys", sourceKeysSQL)
	if err != nil {
		return schema.Schema{}, nil, err
	}
	enums, err := collect[sourceEnum](ctx, tx, "enumerations", sourceEnumsSQL)
	if err != nil {
		return schema.Schema{}, nil, err
	}
	r := sourceReader{enums: map[string][]string{}}
	for _, e := range enums {
		r.enums[e.Name] = e.Labels
	}
	var s schema.Schema
	for _, relation := range relations {
		if relation.Partition {
			continue
		}
		t := r.table(relation)
		for _, x := range indexes {
			switch {
			case x.Table != relation.OID:
			case x.Special || len(x.Columns) == 0:
				r.warn(t, "the index %s is left out: it is of PostgreSQL's own kind", x.Name)
			default:
				t.Indexes = append(t.Indexes, schema.Index{Name: x.Name, Columns: x.Columns, Unique: x.Unique})
			}
		}
		for _, k := range keys {
			if k.Table == relation.OID {
				t.ForeignKeys = append(t.ForeignKeys, schema.ForeignKey{
					Columns: k.Columns, Table: shownName(k.Schema + "." + k.Target), Targets: k.Targets,
					OnDelete: foreignActions()[k.Deleted], OnUpdate: foreignActions()[k.Updated],
				})
			}
		}
		s.Tables = append(s.Tables, t)
	}
	return s, r.warnings, nil
}

type sourceReader struct {
	enums    map[string][]string // by the type's name
	warnings []string
}

func (r *sourceReader) warn(t schema.Table, format string, args ...any) {
	r.warnings = append(r.warnings, t.Name+": "+fmt.Sprintf(format, args...))
}

func (r *sourceReader) table(of *relation) schema.Table {
	t := schema.Table{Name: shownName(of.Schema + "." + of.Plain)}
	shown := of.shown(nil)
	for i, c := range of.columns {
		column := schema.Column{Name: c.Plain, Nullable: !c.NotNull}
		if shown.Columns[i].Default != nil {
			column.Default = *shown.Columns[i].Default
		}
		column.Type = r.typeOf(t, c, shown.Columns[i].Type)
		if c.Identity != "" {
			column.Type.Increment, column.Default = true, ""
		}
		if c.Generated {
			r.warn(t, "%s is a plain column: how it is generated is left out", c.Plain)
		}
		t.Columns = append(t.Columns, column)
	}
	for _, k := range of.constraints {
		switch k.Type {
		case primaryKey:
			t.PrimaryKey = k.Plains
		case uniqueKey:
			t.Unique = append(t.Unique, k.Plains)
		case checkRule:
			t.Checks = append(t.Checks, strings.TrimSuffix(strings.TrimPrefix(k.Def, "CHECK ("), ")"))
		}
	}
	return t
}

// typeOf is a column's type; one of the user's own is the text of its values.
func (r *sourceReader) typeOf(t schema.Table, c attribute, shown string) schema.Type {
	if labels, ok := r.enums[c.Type]; ok {
		return schema.Type{Name: "enum", Values: labels}
	}
	parsed, err := schema.ParseType(shown)
	if err != nil {
		r.warn(t, "%s is text: its type %s is PostgreSQL's own", c.Plain, shown)
		return schema.Type{Name: "text"}
	}
	return parsed
}
