package ddltrack

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// Command is the server's record of one command that ended.
type Command struct {
	Tag     string // "CREATE TABLE"
	Ordinal int    // how many commands of its text ended before it
	// Created says that the object is new; for CREATE OR REPLACE it tells
	// which of the two happened.
	Created    bool
	Objects    []Object // what it made or changed, in the server's order
	Dropped    []Object // what it was told to drop
	Temporary  []string // names of the session's temporary relations; for GRANT, REVOKE and CREATE TABLE with LIKE
	SearchPath []string // schemas that an unqualified name may mean
}

// Object is one database object as the server identifies it.
type Object struct {
	Tag       string // of the (sub)command that made or changed it
	Type      string // "table", "table column"
	Schema    string // empty for what lives in none
	Identity  string // qualified and quoted: "public.users", "trg on public.users"
	Names     []string
	Args      []string
	Temporary bool
}

// created says whether the command made o.
func (o Object) created() bool { return strings.HasPrefix(o.Tag, "CREATE ") }

// main is the object that a command is about.
func (c Command) main() (Object, bool) {
	for _, o := range c.Objects {
		if o.Tag == c.Tag && !o.Temporary {
			return o, true
		}
	}
	for _, list := range [][]Object{c.Objects, c.Dropped} {
		for _, o := range list {
			if !o.Temporary {
				return o, true
			}
		}
	}
	return Object{}, false
}

// Find is the statement of a client's text that ended as c. The server counts
// the commands of a text in the transaction, so the count goes back with it.
func Find(list []Statement, c Command) (Statement, bool) {
	var candidates []Statement
	for i, n := range ordinals(list) {
		if n == c.Ordinal {
			candidates = append(candidates, list[i])
		}
	}
	return choose(list, candidates, c)
}

// choose takes the best proof that there is: the place and the object, then the
// object, then the place.
func choose(list, candidates []Statement, c Command) (Statement, bool) {
	for _, from := range [][]Statement{candidates, list} {
		for i := len(from) - 1; i >= 0; i-- {
			if s := from[i]; s.tagIs(c.Tag) && s.about(c) {
				return s, true
			}
		}
	}
	for _, s := range candidates {
		if s.tagIs(c.Tag) {
			return s, true
		}
	}
	return Statement{}, false
}

// ordinals is, for each statement, how many commands are counted when it ends,
// and -1 for one that is not counted.
func ordinals(list []Statement) []int {
	type savepoint struct {
		name  string
		count int
	}
	var (
		counts = make([]int, len(list))
		saved  []savepoint
		begun  int // the count when the transaction began
		count  int
	)
	for i, s := range list {
		counts[i] = -1
		if s.fires() {
			counts[i] = count
			count++
			continue
		}
		if s.node == nil {
			continue
		}
		if s.node.GetDiscardStmt().GetTarget() == pg_query.DiscardMode_DISCARD_ALL ||
			s.node.GetVariableSetStmt().GetKind() == pg_query.VariableSetKind_VAR_RESET_ALL {
			count = 0
		}
		t := s.node.GetTransactionStmt()
		switch t.GetKind() {
		case pg_query.TransactionStmtKind_TRANS_STMT_COMMIT, pg_query.TransactionStmtKind_TRANS_STMT_PREPARE:
			begun, saved = count, nil
		case pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK:
			count, saved = begun, nil
		case pg_query.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
			saved = append(saved, savepoint{t.SavepointName, count})
		case pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
			count = 0 // unless the savepoint is of this text
			for j := len(saved) - 1; j >= 0; j-- {
				if saved[j].name == t.SavepointName {
					count, saved = saved[j].count, saved[:j+1]
					break
				}
			}
		}
	}
	return counts
}

// about says whether the statement names the object that c is about. A kind of
// statement whose name is not looked for is taken to.
func (s Statement) about(c Command) bool {
	if s.node == nil {
		return true
	}
	name := target(s.node)
	o, ok := c.main()
	if name == "" || !ok || len(o.Names) == 0 {
		return true
	}
	for _, list := range [][]Object{c.Objects, c.Dropped} {
		for _, o := range list {
			for _, n := range o.Names {
				if n == name || strings.HasSuffix(n, "."+name) || strings.HasSuffix(n, quoteIdent(name)) {
					return true
				}
			}
		}
	}
	return false
}

// target is the plain name of what a statement makes or changes; empty where it
// has none that the server would report.
func target(n *pg_query.Node) string {
	switch n := n.Node.(type) {
	case *pg_query.Node_CreateStmt:
		return n.CreateStmt.Relation.GetRelname()
	case *pg_query.Node_CreateTableAsStmt:
		return n.CreateTableAsStmt.Into.GetRel().GetRelname()
	case *pg_query.Node_SelectStmt:
		return selectInto(n.SelectStmt).GetRel().GetRelname()
	case *pg_query.Node_ViewStmt:
		return n.ViewStmt.View.GetRelname()
	case *pg_query.Node_CreateSeqStmt:
		return n.CreateSeqStmt.Sequence.GetRelname()
	case *pg_query.Node_IndexStmt:
		return n.IndexStmt.Idxname
	case *pg_query.Node_CreateTrigStmt:
		return n.CreateTrigStmt.Trigname
	case *pg_query.Node_CreatePolicyStmt:
		return n.CreatePolicyStmt.PolicyName
	case *pg_query.Node_RuleStmt:
		return n.RuleStmt.Rulename
	case *pg_query.Node_CreateSchemaStmt:
		return n.CreateSchemaStmt.Schemaname
	case *pg_query.Node_CreateFunctionStmt:
		return last(n.CreateFunctionStmt.Funcname)
	case *pg_query.Node_CreateEnumStmt:
		return last(n.CreateEnumStmt.TypeName)
	case *pg_query.Node_CreateDomainStmt:
		return last(n.CreateDomainStmt.Domainname)
	case *pg_query.Node_CompositeTypeStmt:
		return n.CompositeTypeStmt.Typevar.GetRelname()
	case *pg_query.Node_AlterTableStmt:
		return n.AlterTableStmt.Relation.GetRelname()
	case *pg_query.Node_RenameStmt:
		return n.RenameStmt.Newname
	}
	return ""
}

// last is the last of a list of names.
func last(list []*pg_query.Node) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1].GetString_().GetSval()
}

// strs is a list of names.
func strs(list []*pg_query.Node) []string {
	var names []string
	for _, n := range list {
		if s := n.GetString_(); s != nil {
			names = append(names, s.Sval)
		}
	}
	return names
}
