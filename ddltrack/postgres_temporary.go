package ddltrack

import (
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
	"google.golang.org/protobuf/proto"
)

// Persistent is s without the temporary objects that it names too, and false
// where it names no others: temporary objects are no part of the schema.
func Persistent(s Statement, c Command) (Statement, bool) {
	if len(c.Objects) == 0 && len(c.Dropped) > 0 {
		return persistentDrop(s, c)
	}
	if g := s.node.GetGrantStmt(); g != nil && len(c.Temporary) > 0 {
		return persistentGrant(s, g, c.Temporary)
	}
	return s, true
}

// CopiesTemporary says whether s, which ended as c, makes a table LIKE what may
// be a temporary one, so that it can't be run where there is none.
func CopiesTemporary(s Statement, c Command) bool {
	return slices.ContainsFunc(s.node.GetCreateStmt().GetTableElts(), func(n *pg_query.Node) bool {
		r := n.GetTableLikeClause().GetRelation()
		return r != nil && isTemporary(r, c.Temporary)
	})
}

// isTemporary says whether r may be one of the session's temporary relations. An
// unqualified name means the temporary relation where there is one.
func isTemporary(r *pg_query.RangeVar, temporary []string) bool {
	return strings.HasPrefix(r.Schemaname, "pg_temp") || r.Schemaname == "" && slices.Contains(temporary, r.Relname)
}

// Made is what the journal wrote of a table that a statement made: its CREATE
// TABLE, with what else makes the same, as one text.
func Made(text string) Statement {
	list := Split(text, true)
	if len(list) == 1 {
		return list[0]
	}
	for _, s := range list {
		if s.node.GetCreateStmt() != nil {
			return Statement{Text: text, node: s.node}
		}
	}
	return Statement{Text: text}
}

func persistentDrop(s Statement, c Command) (Statement, bool) {
	var kept []string
	for _, o := range c.Dropped {
		if !o.Temporary {
			kept = append(kept, o.Identity)
		}
	}
	words, isDrop := strings.CutPrefix(c.Tag, "DROP ")
	if len(kept) == len(c.Dropped) || !isDrop || words == "OWNED" {
		return s, true
	}
	if len(kept) == 0 {
		return Statement{}, false
	}
	sql := "DROP " + words + " " + strings.Join(kept, ", ")
	if s.node.GetDropStmt().GetBehavior() == pg_query.DropBehavior_DROP_CASCADE {
		sql += " CASCADE"
	}
	return single(Statement{Text: sql}, false), true
}

// persistentGrant drops the temporary relations from a GRANT.
func persistentGrant(s Statement, g *pg_query.GrantStmt, temporary []string) (Statement, bool) {
	if g.Targtype != pg_query.GrantTargetType_ACL_TARGET_OBJECT {
		return s, true
	}
	passing := func(n *pg_query.Node) bool {
		r := n.GetRangeVar()
		return r != nil && isTemporary(r, temporary)
	}
	if !slices.ContainsFunc(g.Objects, passing) {
		return s, true
	}
	node, ok := proto.Clone(s.node).(*pg_query.Node)
	if !ok {
		return s, true
	}
	kept := node.GetGrantStmt()
	kept.Objects = slices.DeleteFunc(kept.Objects, passing)
	if len(kept.Objects) == 0 {
		return Statement{}, false
	}
	sql, err := pg_query.Deparse(&pg_query.ParseResult{Stmts: []*pg_query.RawStmt{{Stmt: node}}})
	if err != nil {
		return s, true
	}
	return Statement{Text: sql, node: node}, true
}
