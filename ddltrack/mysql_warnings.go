package ddltrack

// warnings are what a statement costs on a database with data. Only what is
// certain of the statement alone is said.
func (h *mysqlHead) warnings() []string {
	switch {
	case h.verb == "DROP" && h.kind == "TABLE":
		return []string{"deletes the table's rows"}
	case h.verb == "DROP" && h.kind == "SEQUENCE":
		return []string{"the sequence's value is lost"}
	case h.verb == "CREATE" && h.kind == "TABLE" && h.orReplace && !h.command.Created:
		return []string{"deletes the rows of a table that it replaces"}
	case h.verb == "RENAME":
		return []string{oldNameFails}
	}
	var list []string
	for _, c := range h.clauses {
		if w := c.warning(); w != "" {
			list = append(list, w)
		}
		for _, d := range c.definitions {
			if w := columnCost(d); w != "" {
				list = append(list, w)
			}
		}
	}
	return list
}

const oldNameFails = "queries that use the old name fail"

func (c mysqlClause) warning() string {
	switch c.action {
	case addIndex:
		if c.unique {
			return "fails where values repeat"
		}
	case addPrimaryKey:
		return "rewrites the table, and fails where values repeat or are NULL"
	case addForeignKey:
		return "reads the whole table, and fails where a row has no parent, unless foreign_key_checks is off"
	case addCheck:
		return "reads the whole table, and fails where a row does not fit"
	case dropColumn:
		return "deletes the column's data"
	case dropPrimaryKey:
		return "rewrites the table"
	case dropPartition:
		return "deletes the partition's rows"
	case dropVersioning:
		return "deletes the history of the rows"
	case changeColumn:
		return "rewrites the table where the type changes, and fails where a value does not fit"
	case renameColumn, renameTable:
		return oldNameFails
	case rewriteTable:
		return "rewrites the table"
	}
	return ""
}

// columnCost is what adding a column of that definition costs.
func columnCost(d mysqlReader) string {
	switch {
	case d.has("AUTO_INCREMENT"), d.has("STORED"), d.has("PERSISTENT"):
		return "rewrites the table"
	case d.has("UNIQUE") && d.has("DEFAULT"):
		return "fails where the table has more than one row, since the default repeats"
	case d.has("NOT", "NULL") && !d.has("DEFAULT") && !d.has("AS") && !d.has("SERIAL"):
		return "rows that are there get the type's zero value, since the column has no default"
	}
	return ""
}
