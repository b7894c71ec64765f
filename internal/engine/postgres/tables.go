package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// publicSchema is where names need no qualification.
const publicSchema = "public"

const indexNamesSQL = `
	SELECT x.indrelid::int8 AS table, c.relname AS name
	FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_class r ON r.oid = x.indrelid JOIN pg_namespace n ON n.oid = r.relnamespace
	WHERE r.relpersistence <> 't' AND ` + userSchema + `
	ORDER BY c.relname`

// Tables are the workspace's tables in the order of their names; those outside
// of schema public are shown as "schema.name". Partitions are tables, views are
// not.
func (e *Engine) Tables(ctx context.Context, t workspace.Target) ([]workspace.Table, error) {
	tables := []workspace.Table{}
	err := e.snapshot(ctx, t, func(tx pgx.Tx) error {
		relations, err := readRelations(ctx, tx)
		if err != nil {
			return err
		}
		type index struct {
			Table int64
			Name  string
		}
		found, err := collect[index](ctx, tx, "indexes", indexNamesSQL)
		if err != nil {
			return err
		}
		indexes := map[int64][]string{}
		for _, i := range found {
			indexes[i.Table] = append(indexes[i.Table], i.Name)
		}
		for _, r := range relations {
			tables = append(tables, r.shown(indexes[r.OID]))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read tables of %s: %w", t.Database, err)
	}
	return tables, nil
}

// shown is the table as the API shows it.
func (r *relation) shown(indexes []string) workspace.Table {
	t := workspace.Table{Name: r.Plain, Columns: make([]workspace.Column, 0, len(r.columns)), Indexes: append([]string{}, indexes...)}
	if r.Schema != publicSchema {
		t.Name = r.Schema + "." + r.Plain
	}
	for _, c := range r.columns {
		column := workspace.Column{Name: c.Plain, Type: typeName(c.Type, c.Builtin), Nullable: !c.NotNull, PrimaryKey: c.InPrimary}
		switch {
		case c.counts():
			column.Type = serialName(c.Type)
		case !c.Generated:
			column.Default = c.Default
		}
		t.Columns = append(t.Columns, column)
	}
	return t
}

// counts says that the column's default is the next value of a sequence of its
// own.
func (c *attribute) counts() bool {
	s := c.Sequence
	return s != nil && !s.Internal && serialName(c.Type) != "" && c.Default != nil && *c.Default == s.next()
}

// next is the default of a column that takes its values from the sequence.
func (s *sequence) next() string { return "nextval(" + literal(s.Name) + "::regclass)" }
