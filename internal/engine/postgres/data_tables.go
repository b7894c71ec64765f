package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

var _ workspace.DataImporter = (*Engine)(nil)

// dataParentsSQL reads foreign keys by table, those of a partition as its
// table's.
const dataParentsSQL = `
	SELECT coalesce(pg_partition_root(k.conrelid), k.conrelid)::oid::int8 AS table, coalesce(pg_partition_root(k.confrelid), k.confrelid)::oid::int8 AS parent,
		k.conname AS constraint, k.condeferrable AS deferrable
	FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE k.contype = 'f' AND k.conparentid = 0 AND ` + userSchema + `
	ORDER BY k.conname`

type dataParent struct {
	Table      int64
	Parent     int64
	Constraint string
	Deferrable bool
}

// DataTables are the database's tables. Partitions are their tables'.
func (e *Engine) DataTables(ctx context.Context, t workspace.Target) (tables []workspace.DataTable, err error) {
	err = e.snapshot(ctx, owner(t), func(tx pgx.Tx) error {
		relations, err := readRelations(ctx, tx)
		if err != nil {
			return err
		}
		parents, err := collect[dataParent](ctx, tx, "foreign keys", dataParentsSQL)
		if err != nil {
			return err
		}
		keys, at := map[int64]string{}, map[int64]int{}
		for _, r := range relations {
			if !r.Partition {
				keys[r.OID], at[r.OID] = r.key(), len(tables)
				tables = append(tables, dataTableOf(r))
			}
		}
		for _, p := range parents {
			i, known := at[p.Table]
			if parent := keys[p.Parent]; known && parent != "" {
				tables[i].Parents = append(tables[i].Parents, workspace.DataParent{Table: parent, Constraint: p.Constraint, Deferrable: p.Deferrable})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read tables of %s: %w", t.Database, err)
	}
	return tables, nil
}

// key is the table's name with its schema, quoted.
func (r *relation) key() string { return pgx.Identifier{r.Schema, r.Plain}.Sanitize() }

func dataTableOf(r *relation) workspace.DataTable {
	t := workspace.DataTable{Name: shownName(r.Schema + "." + r.Plain), Key: r.key()}
	for _, c := range r.columns {
		t.Columns = append(t.Columns, workspace.DataColumn{
			Name: c.Plain, Generated: c.Generated, Required: c.NotNull && c.Default == nil && c.Identity == "",
		})
	}
	return t
}
