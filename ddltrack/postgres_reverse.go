package ddltrack

import (
	"fmt"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// reverse is the statement that undoes n exactly, or why there is none. Names
// in it are those that the server reported, and are to be read with
// search_path = public.
func reverse(n *pg_query.Node, o Object, c Command) (sql, whyNot string) {
	switch n := n.Node.(type) {
	case *pg_query.Node_AlterTableStmt:
		return reverseAlterTable(n.AlterTableStmt, o)
	case *pg_query.Node_RenameStmt:
		return reverseRename(n.RenameStmt, o)
	case *pg_query.Node_AlterEnumStmt:
		return reverseEnum(n.AlterEnumStmt, o)
	case *pg_query.Node_CreateSchemaStmt:
		if len(n.CreateSchemaStmt.SchemaElts) > 0 {
			return "", "the schema was made together with objects in it"
		}
	case *pg_query.Node_CreateExtensionStmt:
		for _, option := range n.CreateExtensionStmt.Options {
			if option.GetDefElem().GetDefname() == "cascade" {
				return "", "CASCADE may have installed other extensions, which would stay"
			}
		}
	case *pg_query.Node_DefineStmt:
		if n.DefineStmt.Kind == pg_query.ObjectType_OBJECT_OPERATOR {
			return "", "operators that it names as commutator or negator were changed too"
		}
		if n.DefineStmt.Kind == pg_query.ObjectType_OBJECT_TYPE {
			return "", "a base type may complete an earlier shell type, which would not come back"
		}
	}
	verb, words, _ := strings.Cut(c.Tag, " ")
	if verb != "CREATE" {
		return "", whyNotReversible(c.Tag)
	}
	if o.Identity == "" {
		return "", "the server did not report what was created"
	}
	if replaces(n) && !c.Created {
		return "", "it replaced an earlier definition, which is not kept"
	}
	return reverseCreate(words, o)
}

// reverseCreate drops what was created. Nothing is cascaded: what was made on
// top of it since keeps the drop from happening.
func reverseCreate(words string, o Object) (sql, whyNot string) {
	switch words {
	case "TABLE AS":
		words = "TABLE"
	case "TABLE", "FOREIGN TABLE", "INDEX", "VIEW", "MATERIALIZED VIEW", "SEQUENCE", "TYPE", "DOMAIN", "SCHEMA",
		"FUNCTION", "PROCEDURE", "EXTENSION", "STATISTICS", "COLLATION", "CONVERSION", "CAST",
		"TEXT SEARCH CONFIGURATION", "TEXT SEARCH DICTIONARY":
	case "AGGREGATE":
		// DROP AGGREGATE writes the arguments of each kind in its own way.
		words = "ROUTINE"
	case "TRIGGER", "POLICY", "RULE":
		if !o.attached() {
			return "", "the server did not report what was created"
		}
		return fmt.Sprintf("DROP %s IF EXISTS %s ON %s;", words, quoteIdent(o.Names[2]), o.relation().shown()), ""
	default:
		return "", whyNotReversible("CREATE " + words)
	}
	return fmt.Sprintf("DROP %s IF EXISTS %s;", words, o.shown()), ""
}

// replaces says whether a statement may have replaced what was there.
func replaces(n *pg_query.Node) bool {
	switch n := n.Node.(type) {
	case *pg_query.Node_ViewStmt:
		return n.ViewStmt.Replace
	case *pg_query.Node_CreateFunctionStmt:
		return n.CreateFunctionStmt.Replace
	case *pg_query.Node_CreateTrigStmt:
		return n.CreateTrigStmt.Replace
	case *pg_query.Node_RuleStmt:
		return n.RuleStmt.Replace
	case *pg_query.Node_DefineStmt:
		return n.DefineStmt.Replace
	}
	return false
}

// reverseAlterTable undoes the actions in reverse order; all must be exact.
func reverseAlterTable(a *pg_query.AlterTableStmt, o Object) (sql, whyNot string) {
	if a.Objtype != pg_query.ObjectType_OBJECT_TABLE && a.Objtype != pg_query.ObjectType_OBJECT_FOREIGN_TABLE || o.Identity == "" {
		return "", "the definition before it is not kept"
	}
	var undo []string
	for _, cmd := range a.Cmds {
		action := cmd.GetAlterTableCmd()
		var one string
		switch action.GetSubtype() {
		case pg_query.AlterTableType_AT_AddColumn:
			if action.MissingOk && len(a.Cmds) > 1 {
				return "", "some of the columns may have been there before"
			}
			one = "DROP COLUMN IF EXISTS " + quoteIdent(action.GetDef().GetColumnDef().GetColname())
		case pg_query.AlterTableType_AT_AddConstraint:
			one, whyNot = reverseConstraint(action.GetDef().GetConstraint())
		default:
			whyNot = whyNotAction(action.GetSubtype())
		}
		if whyNot != "" {
			return "", whyNot
		}
		undo = append(undo, one)
	}
	if allAddColumns(a) {
		return fmt.Sprintf("ALTER TABLE %s %s;", o.shown(), strings.Join(undo, ", ")), ""
	}
	for i, j := 0, len(undo)-1; i < j; i, j = i+1, j-1 {
		undo[i], undo[j] = undo[j], undo[i]
	}
	return fmt.Sprintf("ALTER TABLE %s %s;", o.shown(), strings.Join(undo, ", ")), ""
}

func allAddColumns(a *pg_query.AlterTableStmt) bool {
	for _, cmd := range a.Cmds {
		if cmd.GetAlterTableCmd().GetSubtype() != pg_query.AlterTableType_AT_AddColumn {
			return false
		}
	}
	return true
}

func reverseConstraint(c *pg_query.Constraint) (sql, whyNot string) {
	switch {
	case c.GetContype() == pg_query.ConstrType_CONSTR_PRIMARY:
		return "", "the columns of a dropped primary key would stay NOT NULL"
	case c.GetIndexname() != "":
		return "", "dropping the constraint would drop the index that it was made from"
	case c.GetConname() == "":
		return "", "the server chose the constraint's name and did not report it; name the constraint to make it reversible"
	}
	return "DROP CONSTRAINT IF EXISTS " + quoteIdent(c.Conname), ""
}

func reverseRename(r *pg_query.RenameStmt, o Object) (sql, whyNot string) {
	if len(o.Names) == 0 {
		return "", "the server did not report what was renamed"
	}
	name := o.shown()
	words := typeWords(r.RenameType)
	from, to := quoteIdent(r.Newname), quoteIdent(r.Subname)
	part := ""
	switch r.RenameType {
	case pg_query.ObjectType_OBJECT_COLUMN:
		words, part = typeWords(r.RelationType), "COLUMN "+from
		name = o.relation().shown()
	case pg_query.ObjectType_OBJECT_TABCONSTRAINT:
		words, part = "TABLE", "CONSTRAINT "+from
		name = o.relation().shown()
	case pg_query.ObjectType_OBJECT_TRIGGER, pg_query.ObjectType_OBJECT_POLICY, pg_query.ObjectType_OBJECT_RULE:
		name = from + " ON " + o.relation().shown()
	case pg_query.ObjectType_OBJECT_ATTRIBUTE:
		words, part = "TYPE", "ATTRIBUTE "+from
		name = o.relation().shown()
	case pg_query.ObjectType_OBJECT_DOMCONSTRAINT:
		words, part = "DOMAIN", "CONSTRAINT "+from
		name = strings.TrimPrefix(o.identity(), publicSchema+".")
	case pg_query.ObjectType_OBJECT_SCHEMA:
	default:
		old := oldName(r)
		if old == "" {
			return "", "the old name is not kept"
		}
		to = quoteIdent(old)
	}
	if part != "" {
		part += " "
	}
	return fmt.Sprintf("ALTER %s %s RENAME %sTO %s;", words, name, part, to), ""
}

// oldName is the plain name that an object had before a rename.
func oldName(r *pg_query.RenameStmt) string {
	if r.Relation != nil {
		return r.Relation.Relname
	}
	switch n := r.Object.GetNode().(type) {
	case *pg_query.Node_ObjectWithArgs:
		return last(n.ObjectWithArgs.Objname)
	case *pg_query.Node_List:
		return last(n.List.Items)
	case *pg_query.Node_TypeName:
		return last(n.TypeName.Names)
	case *pg_query.Node_String_:
		return n.String_.Sval
	}
	return ""
}

func reverseEnum(a *pg_query.AlterEnumStmt, o Object) (sql, whyNot string) {
	if a.OldVal == "" || o.Identity == "" {
		return "", "PostgreSQL can't remove a value from an enum type"
	}
	return fmt.Sprintf("ALTER TYPE %s RENAME VALUE %s TO %s;", o.shown(), quoteLiteral(a.NewVal), quoteLiteral(a.OldVal)), ""
}

// whyNotAction is the reason for an action of ALTER TABLE.
func whyNotAction(t pg_query.AlterTableType) string {
	switch t {
	case pg_query.AlterTableType_AT_DropColumn:
		return "the column's definition and data are gone"
	case pg_query.AlterTableType_AT_DropConstraint:
		return "the constraint's definition is gone"
	case pg_query.AlterTableType_AT_AlterColumnType:
		return "the column's earlier type is not kept, and its values may not convert back"
	case pg_query.AlterTableType_AT_AttachPartition, pg_query.AlterTableType_AT_AddInherit:
		return "attaching may have made indexes and constraints, which would stay"
	}
	return "the definition before it is not kept"
}

// whyNotReversible is the reason for a kind of statement.
func whyNotReversible(tag string) string {
	verb, words, _ := strings.Cut(tag, " ")
	switch {
	case verb == "DROP" && (words == "TABLE" || words == "SCHEMA" || words == "OWNED"):
		return "the definition and the data are gone"
	case verb == "DROP":
		return "the definition is gone"
	case tag == "GRANT", tag == "REVOKE", tag == "ALTER DEFAULT PRIVILEGES":
		return "the privileges before it are not kept"
	case tag == "COMMENT":
		return "the comment before it is not kept"
	case verb == "CREATE":
		return "there is no exact reverse of " + tag
	}
	return "the definition before it is not kept"
}
