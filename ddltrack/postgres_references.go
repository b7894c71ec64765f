package ddltrack

import (
	"cmp"
	"maps"
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v5"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// references are the identities that a statement needs. It errs on the side of
// more: a name without a schema counts for each schema of the search path, a
// column for each relation of the statement.
func references(s Statement, c Command, own string) []string {
	w := walker{path: c.SearchPath, relations: map[string][]string{}, columns: map[string]bool{}, found: map[string]bool{}}
	for _, o := range append(slices.Clip(c.Objects), c.Dropped...) {
		if o.Temporary {
			continue
		}
		w.object(o)
	}
	if s.node != nil {
		w.node(s.node)
		w.walk(s.node.ProtoReflect())
	}
	for _, o := range c.Objects {
		if o.created() {
			delete(w.relations, o.identity())
		}
	}
	for _, relation := range w.relations {
		for column := range w.columns {
			w.found[join(append(slices.Clip(relation), column))] = true
		}
	}
	delete(w.found, own)
	for _, o := range c.Objects {
		// What the statement made is not what it needs.
		if o.created() {
			delete(w.found, o.identity())
		}
	}
	return slices.Sorted(maps.Keys(w.found))
}

// walker collects the names of a parse tree.
type walker struct {
	path      []string
	relations map[string][]string // schema and name by identity
	columns   map[string]bool
	found     map[string]bool
}

// object notes what the server reported, which is exact.
func (w *walker) object(o Object) {
	w.found[o.identity()] = true
	if r := o.relation(); len(r.Names) == 2 {
		w.relation(r.Names)
	}
	if o.Schema != "" && o.Schema != publicSchema {
		w.found[quoteIdent(o.Schema)] = true
	}
	delete(w.found, "")
}

func (w *walker) relation(names []string) {
	id := join(names)
	w.found[id] = true
	w.relations[id] = slices.Clone(names)
}

// qualified calls f for each thing that a name may mean.
func (w *walker) qualified(names []string, f func([]string)) {
	switch {
	case len(names) >= 2:
		names = names[len(names)-2:]
		if names[0] == "pg_catalog" || names[0] == "information_schema" {
			return
		}
		if names[0] != publicSchema {
			w.found[quoteIdent(names[0])] = true
		}
		f(names)
	case len(names) == 1 && names[0] != "":
		for _, schema := range w.path {
			f([]string{schema, names[0]})
		}
	}
}

func (w *walker) name(names []string) {
	w.qualified(names, func(n []string) { w.found[join(n)] = true })
}

// node notes the names that a kind of statement holds as plain strings.
func (w *walker) node(n *pg_query.Node) {
	switch n := n.Node.(type) {
	case *pg_query.Node_CreateTrigStmt:
		w.name(strs(n.CreateTrigStmt.Funcname))
		w.column(n.CreateTrigStmt.Columns)
	case *pg_query.Node_RenameStmt:
		r := n.RenameStmt
		switch {
		case r.RenameType == pg_query.ObjectType_OBJECT_SCHEMA:
			w.found[quoteIdent(r.Subname)] = true
		case r.Relation != nil && r.Subname != "":
			w.columns[r.Subname] = true // or a trigger, a rule, … of the relation
		case r.Object != nil:
			w.objectName(r.Object)
		}
	case *pg_query.Node_AlterObjectSchemaStmt:
		if o := n.AlterObjectSchemaStmt.Object; o != nil {
			w.objectName(o)
		}
	case *pg_query.Node_AlterTableStmt:
		for _, cmd := range n.AlterTableStmt.Cmds {
			w.alterTable(n.AlterTableStmt, cmd.GetAlterTableCmd())
		}
	case *pg_query.Node_CreateFunctionStmt:
		w.routine(n.CreateFunctionStmt)
	case *pg_query.Node_GrantStmt:
		if n.GrantStmt.Objtype == pg_query.ObjectType_OBJECT_SCHEMA || n.GrantStmt.Targtype == pg_query.GrantTargetType_ACL_TARGET_ALL_IN_SCHEMA {
			for _, schema := range strs(n.GrantStmt.Objects) {
				w.found[quoteIdent(schema)] = true
			}
		}
	}
}

// alterTable notes the column or the constraint that a part of ALTER TABLE is
// about, and the index, which is in the table's schema.
func (w *walker) alterTable(stmt *pg_query.AlterTableStmt, cmd *pg_query.AlterTableCmd) {
	w.columns[cmd.GetName()] = true
	constraint := cmd.GetDef().GetConstraint()
	index := cmp.Or(constraint.GetIndexname(), cmd.GetDef().GetReplicaIdentityStmt().GetName())
	switch cmd.GetSubtype() {
	case pg_query.AlterTableType_AT_AlterConstraint:
		w.columns[constraint.GetConname()] = true
	case pg_query.AlterTableType_AT_ClusterOn:
		index = cmd.GetName()
	}
	if schema := stmt.GetRelation().GetSchemaname(); schema != "" && index != "" {
		w.name([]string{schema, index})
	} else {
		w.name([]string{index})
	}
}

// objectName notes the name of an object of any kind, where it is a list.
func (w *walker) objectName(n *pg_query.Node) {
	if list := n.GetList(); list != nil {
		w.name(strs(list.Items))
	}
}

// columnOf notes a column by its relation's name and its own.
func (w *walker) columnOf(names []string) {
	if n := len(names); n > 1 {
		w.qualified(names[:n-1], w.relation)
		w.columns[names[n-1]] = true
	}
}

// targets notes the columns that a statement writes.
func (w *walker) targets(list []*pg_query.Node) {
	for _, n := range list {
		w.columns[n.GetResTarget().GetName()] = true
	}
}

func (w *walker) column(list []*pg_query.Node) {
	for _, name := range strs(list) {
		w.columns[name] = true
	}
}

// walk notes the names in all of the tree below m.
func (w *walker) walk(m protoreflect.Message) {
	switch n := m.Interface().(type) {
	case *pg_query.RangeVar:
		names := []string{n.Relname}
		if n.Schemaname != "" {
			names = []string{n.Schemaname, n.Relname}
		}
		w.qualified(names, w.relation)
	case *pg_query.TypeName:
		if n.PctType {
			w.columnOf(strs(n.Names))
		} else {
			w.name(strs(n.Names))
		}
	case *pg_query.FuncCall:
		w.name(strs(n.Funcname))
	case *pg_query.ObjectWithArgs:
		w.name(strs(n.Objname))
	case *pg_query.CollateClause:
		w.name(strs(n.Collname))
	case *pg_query.ColumnRef:
		w.columns[last(n.Fields)] = true
	case *pg_query.A_Indirection:
		w.column(n.Indirection)
	case *pg_query.JoinExpr:
		w.column(n.UsingClause)
	case *pg_query.InsertStmt:
		w.targets(n.Cols)
	case *pg_query.UpdateStmt:
		w.targets(n.TargetList)
	case *pg_query.OnConflictClause:
		w.targets(n.TargetList)
	case *pg_query.MergeWhenClause:
		w.targets(n.TargetList)
	case *pg_query.IndexElem:
		w.columns[n.Name] = true
	case *pg_query.PartitionElem:
		w.columns[n.Name] = true
	case *pg_query.StatsElem:
		w.columns[n.Name] = true
	case *pg_query.AccessPriv:
		w.column(n.Cols)
	case *pg_query.PublicationTable:
		w.column(n.Columns)
	case *pg_query.DefElem:
		if n.Defname == "owned_by" {
			w.columnOf(strs(n.GetArg().GetList().GetItems()))
		}
	case *pg_query.Constraint:
		w.column(n.Keys)
		w.column(n.FkAttrs)
		w.column(n.PkAttrs)
	}
	delete(w.columns, "")
	eachBelow(m, w.walk)
}

// eachBelow visits the nodes that are directly below m.
func eachBelow(m protoreflect.Message, visit func(protoreflect.Message)) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Kind() != protoreflect.MessageKind:
		case f.IsList():
			for i := range v.List().Len() {
				visit(v.List().Get(i).Message())
			}
		default:
			visit(v.Message())
		}
		return true
	})
}
