package ddltrack

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// warnings are what a statement costs on a database with data. Only what is
// certain of the statement alone is said.
func warnings(n *pg_query.Node) []string {
	var list []string
	switch n := n.Node.(type) {
	case *pg_query.Node_DropStmt:
		if w := dropWarning(n.DropStmt); w != "" {
			list = append(list, w)
		}
		if n.DropStmt.Concurrent {
			list = append(list, alone)
		}
	case *pg_query.Node_DropOwnedStmt:
		list = append(list, "deletes every object of the role, with its data")
	case *pg_query.Node_IndexStmt:
		if n.IndexStmt.Concurrent {
			list = append(list, alone)
		} else {
			list = append(list, "blocks writes to the table while the index is built; CREATE INDEX CONCURRENTLY does not")
		}
	case *pg_query.Node_RenameStmt:
		switch n.RenameStmt.RenameType {
		case pg_query.ObjectType_OBJECT_TABLE, pg_query.ObjectType_OBJECT_COLUMN, pg_query.ObjectType_OBJECT_VIEW:
			list = append(list, "queries that use the old name fail")
		}
	case *pg_query.Node_AlterTableStmt:
		for _, cmd := range n.AlterTableStmt.Cmds {
			if w := actionWarning(cmd.GetAlterTableCmd()); w != "" {
				list = append(list, w)
			}
		}
	case *pg_query.Node_AlterEnumStmt:
		if n.AlterEnumStmt.OldVal == "" {
			list = append(list, "the new value can't be used in the transaction that adds it")
		}
	}
	return list
}

const alone = "can't run inside a transaction"

func dropWarning(d *pg_query.DropStmt) string {
	switch d.RemoveType {
	case pg_query.ObjectType_OBJECT_TABLE:
		return "deletes the table's rows"
	case pg_query.ObjectType_OBJECT_SCHEMA:
		if d.Behavior == pg_query.DropBehavior_DROP_CASCADE {
			return "deletes everything in the schema, with its data"
		}
	case pg_query.ObjectType_OBJECT_EXTENSION, pg_query.ObjectType_OBJECT_TYPE, pg_query.ObjectType_OBJECT_DOMAIN:
		if d.Behavior == pg_query.DropBehavior_DROP_CASCADE {
			return "CASCADE deletes the columns that use it, with their data"
		}
	}
	return ""
}

func actionWarning(a *pg_query.AlterTableCmd) string {
	switch a.GetSubtype() {
	case pg_query.AlterTableType_AT_DropColumn:
		return "deletes the column's data"
	case pg_query.AlterTableType_AT_AlterColumnType:
		return "locks the table, and rewrites it unless the types are binary compatible"
	case pg_query.AlterTableType_AT_SetNotNull:
		return "reads the whole table under a lock, and fails where a value is NULL"
	case pg_query.AlterTableType_AT_SetLogged, pg_query.AlterTableType_AT_SetUnLogged,
		pg_query.AlterTableType_AT_SetAccessMethod, pg_query.AlterTableType_AT_SetTableSpace:
		return "locks the table and rewrites it"
	case pg_query.AlterTableType_AT_AddColumn:
		return columnWarning(a.GetDef().GetColumnDef())
	case pg_query.AlterTableType_AT_AddConstraint:
		return constraintWarning(a.GetDef().GetConstraint())
	case pg_query.AlterTableType_AT_DetachPartition:
		return "the partition's rows leave the table"
	}
	return ""
}

func columnWarning(d *pg_query.ColumnDef) string {
	typeName := last(d.GetTypeName().GetNames())
	rewrites := typeName == "serial" || typeName == "bigserial" || typeName == "smallserial" || strings.HasPrefix(typeName, "serial")
	required, filled := false, rewrites
	for _, n := range d.GetConstraints() {
		switch n.GetConstraint().GetContype() {
		case pg_query.ConstrType_CONSTR_IDENTITY, pg_query.ConstrType_CONSTR_GENERATED:
			rewrites, filled = true, true
		case pg_query.ConstrType_CONSTR_NOTNULL, pg_query.ConstrType_CONSTR_PRIMARY:
			required = true
		case pg_query.ConstrType_CONSTR_DEFAULT:
			filled = true
		}
	}
	switch {
	case rewrites:
		return "locks the table and rewrites it"
	case required && !filled:
		return "fails where the table has rows, since the column has no default"
	}
	return ""
}

func constraintWarning(c *pg_query.Constraint) string {
	switch c.GetContype() {
	case pg_query.ConstrType_CONSTR_CHECK, pg_query.ConstrType_CONSTR_FOREIGN:
		if !c.SkipValidation {
			return "reads the whole table under a lock; NOT VALID and a later VALIDATE CONSTRAINT does not"
		}
	case pg_query.ConstrType_CONSTR_UNIQUE, pg_query.ConstrType_CONSTR_PRIMARY:
		if c.Indexname == "" {
			return "blocks the table while the index is built; a constraint USING an index made CONCURRENTLY does not"
		}
	}
	return ""
}
