package mysql

import (
	"context"
	"fmt"
	"strings"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

var _ workspace.DataImporter = (*Engine)(nil)

// DataTables are the database's tables. Their keys can all be deferred, since
// the server can be told not to look and be asked about them at the end.
func (e *Engine) DataTables(ctx context.Context, t workspace.Target) ([]workspace.DataTable, error) {
	c, release, err := e.admin(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	tables, err := dataTables(ctx, c, t.Database)
	if err != nil {
		return nil, fmt.Errorf("read tables of %s: %w", t.Database, err)
	}
	return tables, nil
}

func dataTables(ctx context.Context, c *conn, database string) ([]workspace.DataTable, error) {
	in := " = " + literal(database)
	found, err := c.rows(ctx, "SELECT TABLE_NAME, ENGINE, DATA_LENGTH FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA"+in+" ORDER BY TABLE_NAME")
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	tables := make([]workspace.DataTable, len(found))
	at := map[string]*workspace.DataTable{}
	for i, row := range found {
		tables[i] = workspace.DataTable{Name: string(row[0]), Key: quote(string(row[0])), Bytes: number(row[2])}
		if engine := string(row[1]); !strings.EqualFold(engine, "InnoDB") {
			tables[i].Unfit = fmt.Sprintf("its engine %.40s has no transactions, so that a failed import could not be undone", engine)
		}
		at[tables[i].Name] = &tables[i]
	}
	columns, err := c.rows(ctx, "SELECT TABLE_NAME, COLUMN_NAME, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, DATA_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA"+in+" ORDER BY TABLE_NAME, ORDINAL_POSITION")
	if err != nil {
		return nil, fmt.Errorf("list columns: %w", err)
	}
	for _, row := range columns {
		extra := strings.ToUpper(string(row[4]))
		generated := strings.Contains(extra, "VIRTUAL GENERATED") || strings.Contains(extra, "STORED GENERATED") || strings.Contains(extra, "PERSISTENT GENERATED")
		if t := at[string(row[0])]; t != nil {
			t.Columns = append(t.Columns, workspace.DataColumn{
				Name: string(row[1]), Generated: generated,
				Required: string(row[2]) == "NO" && row[3] == nil && !generated && !strings.Contains(extra, "AUTO_INCREMENT"),
			})
		}
	}
	keys, err := foreignKeys(ctx, c, database)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if t := at[k.table]; t != nil {
			t.Parents = append(t.Parents, workspace.DataParent{Table: quote(k.parent), Constraint: k.name, Deferrable: true})
		}
	}
	return tables, nil
}

// parentKey is a foreign key within one database.
type parentKey struct {
	table, name, parent string
	columns, targets    []string
}

func foreignKeys(ctx context.Context, c *conn, database string) (keys []parentKey, err error) {
	rows, err := c.rows(ctx, `SELECT TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME, COLUMN_NAME, REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE
		WHERE REFERENCED_TABLE_SCHEMA = TABLE_SCHEMA AND TABLE_SCHEMA = `+literal(database)+` ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION`)
	if err != nil {
		return nil, fmt.Errorf("list foreign keys: %w", err)
	}
	for _, row := range rows {
		table, name := string(row[0]), string(row[1])
		if last := len(keys) - 1; last < 0 || keys[last].table != table || keys[last].name != name {
			keys = append(keys, parentKey{table: table, name: name, parent: string(row[2])})
		}
		k := &keys[len(keys)-1]
		k.columns, k.targets = append(k.columns, string(row[3])), append(k.targets, string(row[4]))
	}
	return keys, nil
}
