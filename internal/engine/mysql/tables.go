package mysql

import (
	"context"
	"fmt"
	"strings"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Tables are the workspace's tables in the order of their names; views are not
// among them.
func (e *Engine) Tables(ctx context.Context, t workspace.Target) ([]workspace.Table, error) {
	c, release, err := e.admin(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	tables, err := readTables(ctx, c, t.Database)
	if err != nil {
		return nil, fmt.Errorf("read tables of %s: %w", t.Database, err)
	}
	return tables, nil
}

func readTables(ctx context.Context, c *conn, database string) ([]workspace.Table, error) {
	in := " = " + literal(database)
	names, err := c.rows(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA"+in+" ORDER BY TABLE_NAME")
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	tables := make([]workspace.Table, len(names))
	at := make(map[string]*workspace.Table, len(names))
	for i, row := range names {
		tables[i] = workspace.Table{Name: string(row[0]), Columns: []workspace.Column{}, Indexes: []string{}}
		at[tables[i].Name] = &tables[i]
	}
	columns, err := c.rows(ctx, "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, COLUMN_KEY, EXTRA, DATA_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA"+in+" ORDER BY TABLE_NAME, ORDINAL_POSITION")
	if err != nil {
		return nil, fmt.Errorf("list columns: %w", err)
	}
	mariaDB := strings.Contains(c.version, "MariaDB")
	for _, row := range columns {
		if table := at[string(row[0])]; table != nil {
			table.Columns = append(table.Columns, shownColumn(row, mariaDB))
		}
	}
	indexes, err := c.rows(ctx, "SELECT DISTINCT TABLE_NAME, INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA"+in+" ORDER BY TABLE_NAME, INDEX_NAME = 'PRIMARY' DESC, INDEX_NAME")
	if err != nil {
		return nil, fmt.Errorf("list indexes: %w", err)
	}
	for _, row := range indexes {
		if table := at[string(row[0])]; table != nil {
			table.Indexes = append(table.Indexes, string(row[1]))
		}
	}
	return tables, nil
}

// shownColumn is a row of information_schema.COLUMNS as the API shows it.
func shownColumn(row [][]byte, mariaDB bool) workspace.Column {
	extra := strings.ToUpper(string(row[6]))
	column := workspace.Column{
		Name:       string(row[1]),
		Type:       string(row[2]),
		Nullable:   string(row[3]) == "YES",
		PrimaryKey: string(row[5]) == "PRI",
	}
	if strings.Contains(extra, "AUTO_INCREMENT") {
		column.Type += " auto_increment"
	}
	if row[4] == nil || strings.Contains(extra, "VIRTUAL GENERATED") || strings.Contains(extra, "STORED GENERATED") {
		return column
	}
	text := string(row[4])
	switch {
	case mariaDB && text == "NULL":
		return column
	case !mariaDB && !strings.Contains(extra, "DEFAULT_GENERATED") && !numeric(string(row[7])):
		// MySQL gives the value, MariaDB the expression.
		text = "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	column.Default = &text
	return column
}

func numeric(dataType string) bool {
	switch strings.ToLower(dataType) {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "bit", "year":
		return true
	}
	return false
}
