package ddltrack

import (
	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// OutsideKind is what a statement does that the server runs in transactions of
// its own, so that it may be cut short half-way.
type OutsideKind int

// The kinds.
const (
	CreatesIndex OutsideKind = iota + 1
	DropsIndex
	DetachesPartition
)

// Outside is such a statement.
type Outside struct {
	Kind OutsideKind
	// Relation is what tells how far it came: the table that gets the index,
	// the index that is dropped, or the partition; as the server's regclass
	// reads it.
	Relation string
}

// OutsideTransaction says whether a recorded statement can't run in a
// transaction.
func OutsideTransaction(sql string, standardStrings bool) (Outside, bool) {
	list := Split(sql, standardStrings)
	if len(list) != 1 || list[0].node == nil {
		return Outside{}, false
	}
	switch n := list[0].node.Node.(type) {
	case *pg_query.Node_IndexStmt:
		return Outside{CreatesIndex, relationName(n.IndexStmt.Relation)}, n.IndexStmt.Concurrent
	case *pg_query.Node_DropStmt:
		if n.DropStmt.Concurrent && len(n.DropStmt.Objects) == 1 {
			return Outside{DropsIndex, join(strs(n.DropStmt.Objects[0].GetList().GetItems()))}, true
		}
	case *pg_query.Node_AlterTableStmt:
		for _, cmd := range n.AlterTableStmt.Cmds {
			part := cmd.GetAlterTableCmd().GetDef().GetPartitionCmd()
			if part.GetConcurrent() {
				return Outside{DetachesPartition, relationName(part.GetName())}, true
			}
		}
	}
	return Outside{}, false
}

// relationName is a relation's name as it was written.
func relationName(r *pg_query.RangeVar) string {
	return join(rangeNames(r))
}

// rangeNames are the parts of a relation's name.
func rangeNames(r *pg_query.RangeVar) []string {
	if r.GetSchemaname() == "" {
		return []string{r.GetRelname()}
	}
	return []string{r.GetSchemaname(), r.GetRelname()}
}
