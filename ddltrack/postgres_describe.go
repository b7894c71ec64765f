package ddltrack

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// Description is what a person, and a later revert, need to know of a change.
type Description struct {
	Operation  string   // "CREATE TABLE"
	ObjectType string   // "table"
	Object     string   // as people see it: "users", "billing.invoices"
	Identity   string   // what other changes' References name: "public.users"
	Reversible bool     // Reverse undoes it exactly
	Reverse    string   // "DROP TABLE IF EXISTS users;", to be run with search_path = public
	WhyNot     string   // why there is no exact reverse
	References []string // identities that the statement needs
	Warnings   []string // what it may cost on a database with data
}

// Describe tells what the statement s, which ended as c, does.
func Describe(s Statement, c Command) Description {
	o, _ := c.main()
	d := Description{
		Operation:  c.Tag,
		ObjectType: o.Type,
		Object:     o.shown(),
		Identity:   o.identity(),
	}
	if d.ObjectType == "" {
		d.ObjectType = typeOfTag(c.Tag)
	}
	d.ObjectType = strings.ToLower(d.ObjectType)
	if o.column() {
		d.Object = o.relation().shown() + "." + quoteIdent(o.Names[2])
	}
	if names := addedColumns(s.node); len(names) == 1 && len(o.Names) == 2 {
		d.Identity = join([]string{o.Names[0], o.Names[1], names[0]})
	}
	if s.node == nil {
		d.WhyNot = "the statement uses syntax that is newer than this program knows"
	} else {
		if d.Object == "" {
			d.Object = namedIn(s.node)
		}
		d.Reverse, d.WhyNot = reverse(s.node, o, c)
		d.Warnings = warnings(s.node)
	}
	d.Reversible = d.WhyNot == ""
	d.References = references(s, c, d.Identity)
	return d
}

// typeOfTag is the kind of object of a tag whose objects the server does not
// list.
func typeOfTag(tag string) string {
	for _, verb := range []string{"CREATE ", "ALTER ", "DROP "} {
		if rest, ok := strings.CutPrefix(tag, verb); ok {
			return rest
		}
	}
	return tag
}

// namedIn is what a GRANT or REVOKE is on, as it was written, since the server
// does not report it.
func namedIn(n *pg_query.Node) string {
	g := n.GetGrantStmt()
	var shown []string
	for _, o := range g.GetObjects() {
		switch o := o.Node.(type) {
		case *pg_query.Node_RangeVar:
			shown = append(shown, shortName(o.RangeVar.Schemaname, o.RangeVar.Relname))
		case *pg_query.Node_String_:
			shown = append(shown, quoteIdent(o.String_.Sval))
		case *pg_query.Node_ObjectWithArgs:
			shown = append(shown, join(strs(o.ObjectWithArgs.Objname)))
		case *pg_query.Node_List:
			shown = append(shown, join(strs(o.List.Items)))
		}
	}
	return strings.Join(shown, ", ")
}

// shortName is a relation's name without the schema public.
func shortName(schema, name string) string {
	if schema == "" || schema == publicSchema {
		return quoteIdent(name)
	}
	return join([]string{schema, name})
}

// addedColumns are the names of the columns that an ALTER TABLE adds; nil where
// it does anything else.
func addedColumns(n *pg_query.Node) []string {
	if n.GetAlterTableStmt().GetObjtype() != pg_query.ObjectType_OBJECT_TABLE {
		return nil
	}
	var names []string
	for _, cmd := range n.GetAlterTableStmt().GetCmds() {
		a := cmd.GetAlterTableCmd()
		if a.GetSubtype() != pg_query.AlterTableType_AT_AddColumn {
			return nil
		}
		names = append(names, a.GetDef().GetColumnDef().GetColname())
	}
	return names
}
