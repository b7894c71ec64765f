package ddltrack

import (
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// keep keeps in mind that a name may be a temporary relation's.
func (g *SchemaGuard) keep(name string) {
	if name == "" || g.many {
		return
	}
	if len(g.temporary) == maxTemporary {
		g.temporary, g.many = nil, true
		return
	}
	if g.temporary == nil {
		g.temporary = make(map[string]struct{}, 1)
	}
	g.temporary[name] = struct{}{}
}

// isTemporary says whether a name is that of a temporary object, or may be: then
// the server knows, and the role's privileges refuse what is not.
func (g *SchemaGuard) isTemporary(names []string) bool {
	switch len(names) {
	case 0:
		return false
	case 1:
		_, kept := g.temporary[names[0]]
		return kept || g.many
	}
	return strings.HasPrefix(names[len(names)-2], "pg_temp")
}

// makesTemporary says whether a relation that is being made is a temporary one.
func (g *SchemaGuard) makesTemporary(r *pg_query.RangeVar) bool {
	if r.GetRelpersistence() != "t" && !strings.HasPrefix(r.GetSchemaname(), "pg_temp") {
		return false
	}
	g.keep(r.GetRelname())
	return true
}

// aboutTemporary says whether a statement is about temporary objects alone.
func (g *SchemaGuard) aboutTemporary(n *pg_query.Node) bool {
	switch n := n.Node.(type) {
	case *pg_query.Node_CreateStmt:
		return g.makesTemporary(n.CreateStmt.Relation)
	case *pg_query.Node_CreateTableAsStmt:
		return g.makesTemporary(n.CreateTableAsStmt.GetInto().GetRel())
	case *pg_query.Node_SelectStmt:
		return g.makesTemporary(selectInto(n.SelectStmt).GetRel())
	case *pg_query.Node_ViewStmt:
		return g.makesTemporary(n.ViewStmt.View)
	case *pg_query.Node_CreateSeqStmt:
		return g.makesTemporary(n.CreateSeqStmt.Sequence)
	case *pg_query.Node_CompositeTypeStmt:
		return g.makesTemporary(n.CompositeTypeStmt.Typevar)
	case *pg_query.Node_CreateFunctionStmt:
		return g.isTemporary(schemaOf(n.CreateFunctionStmt.Funcname))
	case *pg_query.Node_CreateEnumStmt:
		return g.isTemporary(schemaOf(n.CreateEnumStmt.TypeName))
	case *pg_query.Node_CreateRangeStmt:
		return g.isTemporary(schemaOf(n.CreateRangeStmt.TypeName))
	case *pg_query.Node_CreateDomainStmt:
		return g.isTemporary(schemaOf(n.CreateDomainStmt.Domainname))
	case *pg_query.Node_IndexStmt:
		if g.isTemporary(rangeNames(n.IndexStmt.Relation)) {
			g.keep(n.IndexStmt.Idxname)
			return true
		}
	case *pg_query.Node_CreateStatsStmt:
		for _, r := range n.CreateStatsStmt.Relations {
			if !g.isTemporary(rangeNames(r.GetRangeVar())) {
				return false
			}
		}
		g.keep(last(n.CreateStatsStmt.Defnames))
		return true
	case *pg_query.Node_RenameStmt:
		if n.RenameStmt.Relation != nil && g.isTemporary(rangeNames(n.RenameStmt.Relation)) {
			g.keep(n.RenameStmt.Newname)
			return true
		}
	case *pg_query.Node_DropStmt:
		return allOf(n.DropStmt.Objects, func(o *pg_query.Node) bool { return g.isTemporary(objectNames(n.DropStmt.RemoveType, o)) })
	case *pg_query.Node_CommentStmt:
		return g.isTemporary(objectNames(n.CommentStmt.Objtype, n.CommentStmt.Object))
	case *pg_query.Node_GrantStmt:
		return allOf(n.GrantStmt.Objects, func(o *pg_query.Node) bool {
			return o.GetRangeVar() != nil && g.isTemporary(rangeNames(o.GetRangeVar()))
		})
	default:
		r := onRelation(n)
		return r != nil && g.isTemporary(rangeNames(r))
	}
	return false
}

// onRelation is the relation that a statement changes, or puts something on.
func onRelation(n any) *pg_query.RangeVar {
	switch n := n.(type) {
	case *pg_query.Node_AlterTableStmt:
		return n.AlterTableStmt.Relation
	case *pg_query.Node_AlterSeqStmt:
		return n.AlterSeqStmt.Sequence
	case *pg_query.Node_CreateTrigStmt:
		return n.CreateTrigStmt.Relation
	case *pg_query.Node_RuleStmt:
		return n.RuleStmt.Relation
	case *pg_query.Node_CreatePolicyStmt:
		return n.CreatePolicyStmt.Table
	case *pg_query.Node_AlterPolicyStmt:
		return n.AlterPolicyStmt.Table
	}
	return nil
}

// schemaOf is a qualified name, and nothing where it has no schema: what is no
// relation is never looked for among the temporary objects.
func schemaOf(list []*pg_query.Node) []string {
	if names := strs(list); len(names) > 1 {
		return names
	}
	return nil
}

// objectNames is the name of an object, or of the relation that it is on.
func objectNames(kind pg_query.ObjectType, o *pg_query.Node) []string {
	switch kind {
	case pg_query.ObjectType_OBJECT_TABLE, pg_query.ObjectType_OBJECT_VIEW, pg_query.ObjectType_OBJECT_SEQUENCE,
		pg_query.ObjectType_OBJECT_INDEX, pg_query.ObjectType_OBJECT_MATVIEW, pg_query.ObjectType_OBJECT_FOREIGN_TABLE,
		pg_query.ObjectType_OBJECT_STATISTIC_EXT:
		return strs(o.GetList().GetItems())
	case pg_query.ObjectType_OBJECT_TRIGGER, pg_query.ObjectType_OBJECT_RULE, pg_query.ObjectType_OBJECT_POLICY,
		pg_query.ObjectType_OBJECT_COLUMN, pg_query.ObjectType_OBJECT_TABCONSTRAINT:
		names := strs(o.GetList().GetItems())
		return names[:max(0, len(names)-1)]
	}
	if t := o.GetTypeName(); t != nil {
		return schemaOf(t.Names)
	}
	return schemaOf(o.GetObjectWithArgs().GetObjname())
}

func allOf(list []*pg_query.Node, is func(*pg_query.Node) bool) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(n *pg_query.Node) bool { return !is(n) })
}

// dropInstead is what runs in the place of DROP … IF EXISTS of names without a
// schema, which programs send before they make a temporary table of that name:
// the server looks whether a name is that of a persistent relation. Empty for
// any other.
func (g *SchemaGuard) dropInstead(text string, d *pg_query.DropStmt) string {
	if !d.MissingOk || d.Concurrent {
		return ""
	}
	var found []string
	for _, o := range d.Objects {
		names := strs(o.GetList().GetItems())
		if g.isTemporary(names) {
			continue
		}
		if len(names) != 1 || !isRelation(d.RemoveType) {
			return ""
		}
		found = append(found, "pg_catalog.to_regclass("+dollarQuote(quoteIdent(names[0]))+")")
	}
	return "DO " + dollarQuote("BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_class WHERE relpersistence OPERATOR(pg_catalog.<>) 't' AND oid OPERATOR(pg_catalog.=) ANY (ARRAY["+strings.Join(found, ", ")+"]::pg_catalog.oid[]))"+
		" THEN RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = "+quoteLiteral(g.Refusal)+", CONSTRAINT = '"+RefusalConstraint+"'; END IF; EXECUTE "+dollarQuote(text)+
		"; RAISE INFO USING MESSAGE = "+quoteLiteral("DROP "+typeWords(d.RemoveType))+", ERRCODE = 'TDB04'; END")
}

// isRelation says whether objects of a kind are found by regclass.
func isRelation(kind pg_query.ObjectType) bool {
	switch kind {
	case pg_query.ObjectType_OBJECT_TABLE, pg_query.ObjectType_OBJECT_VIEW, pg_query.ObjectType_OBJECT_SEQUENCE, pg_query.ObjectType_OBJECT_INDEX:
		return true
	}
	return false
}
