package ddltrack

import (
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// OwnNames are the names that a table's sequences, and those of its constraints
// that have an index, had when a statement ended that made some of them.
type OwnNames struct {
	Names       []string // of the table
	Whole       string   // what makes all of the table, where it may be made LIKE another
	Certain     bool     // another server makes up the same, if the statement is the last of its transaction
	Unlogged    bool
	Sequences   []OwnSequence
	Constraints []OwnConstraint // in the order in which they were made
}

// OwnSequence is the sequence of a serial or identity column.
type OwnSequence struct {
	Column string
	Names  []string
	Type   string // of its values
}

// OwnConstraint is a primary key (p), a unique (u) or an exclusion constraint (x).
type OwnConstraint struct {
	Type    string
	Name    string
	Columns []string // empty names are expressions
}

// insertion is text that goes into a statement in the place of some of it.
type insertion struct {
	at, end int
	text    string
}

// WithOwnNames is s, a CREATE TABLE or ALTER TABLE, with the names written out that
// the server made up for what the table owns: for where another server would make
// up others. A serial becomes what the server makes of it, since its sequence can't
// be named, and a table LIKE another is written out whole. What no name is found
// for stays as it was sent.
func WithOwnNames(s Statement, names OwnNames) Statement {
	// Places in s.node may be those in a longer text.
	n := namer{text: s.Text, names: names}
	alone := single(Statement{Text: s.Text}, false)
	switch {
	case slices.ContainsFunc(alone.node.GetCreateStmt().GetTableElts(), isLike):
		if names.Whole == "" {
			return s
		}
		return Made(names.Whole)
	case alone.node.GetCreateStmt() != nil:
		n.create(alone.node.GetCreateStmt())
	case alone.node.GetAlterTableStmt() != nil:
		n.alter(alone.node.GetAlterTableStmt())
	}
	if len(n.changes) == 0 {
		return s
	}
	named := single(Statement{Text: inserted(s.Text, n.changes)}, false)
	if named.node == nil {
		return s
	}
	parts := append(slices.Clone(n.before), named.Text)
	return Statement{Text: strings.Join(append(parts, n.after...), ";\n"), at: s.at, node: named.node}
}

func isLike(element *pg_query.Node) bool { return element.GetTableLikeClause() != nil }

// namer finds where in a statement names are missing.
type namer struct {
	text          string
	names         OwnNames
	changes       []insertion
	before, after []string // statements about the sequences of serials
}

// keyed is a constraint of the statement, with its columns.
type keyed struct {
	*pg_query.Constraint
	kind    string
	columns []string
}

func (n *namer) create(c *pg_query.CreateStmt) {
	var list []keyed
	for _, element := range c.GetTableElts() {
		list = append(list, n.column(element.GetColumnDef())...)
		list = append(list, constraint(element.GetConstraint(), "")...)
	}
	n.constraints(list)
}

func (n *namer) alter(a *pg_query.AlterTableStmt) {
	var list []keyed
	for _, c := range a.GetCmds() {
		cmd := c.GetAlterTableCmd()
		switch cmd.GetSubtype() {
		case pg_query.AlterTableType_AT_AddColumn:
			list = append(list, n.column(cmd.GetDef().GetColumnDef())...)
		case pg_query.AlterTableType_AT_AddConstraint:
			list = append(list, constraint(cmd.GetDef().GetConstraint(), "")...)
		case pg_query.AlterTableType_AT_AddIdentity:
			n.identity(cmd.GetDef().GetConstraint(), cmd.GetName())
		}
	}
	n.constraints(list)
}

// column names the column's sequence, and gives its constraints.
func (n *namer) column(c *pg_query.ColumnDef) []keyed {
	var list []keyed
	for _, node := range c.GetConstraints() {
		n.identity(node.GetConstraint(), c.GetColname())
		list = append(list, constraint(node.GetConstraint(), c.GetColname())...)
	}
	if t := c.GetTypeName(); isSerial(t) {
		n.serial(c.GetColname(), int(t.GetLocation()))
	}
	return list
}

func isSerial(t *pg_query.TypeName) bool {
	names := strs(t.GetNames())
	return len(names) == 1 && slices.Contains([]string{"smallserial", "serial2", "serial", "serial4", "bigserial", "serial8"}, names[0])
}

// constraint is c where it has an index that the server makes for it; column is
// the one that it stands behind.
func constraint(c *pg_query.Constraint, column string) []keyed {
	if c == nil || c.GetIndexname() != "" {
		return nil
	}
	k := keyed{Constraint: c, columns: strs(c.GetKeys())}
	switch c.GetContype() {
	case pg_query.ConstrType_CONSTR_PRIMARY:
		k.kind = "p"
	case pg_query.ConstrType_CONSTR_UNIQUE:
		k.kind = "u"
	case pg_query.ConstrType_CONSTR_EXCLUSION:
		k.kind = "x"
		for _, e := range c.GetExclusions() {
			k.columns = append(k.columns, e.GetList().GetItems()[0].GetIndexElem().GetName())
		}
	default:
		return nil
	}
	if column != "" {
		k.columns = []string{column}
	}
	return []keyed{k}
}

// constraints names those that have no name. Two of one kind on the same columns
// can't be told apart.
func (n *namer) constraints(list []keyed) {
	for _, k := range list {
		same := 0
		for _, other := range list {
			if other.kind == k.kind && slices.Equal(other.columns, k.columns) {
				same++
			}
		}
		if same > 1 || k.GetConname() != "" {
			continue
		}
		for _, made := range slices.Backward(n.names.Constraints) {
			if made.Type == k.kind && slices.Equal(made.Columns, k.columns) {
				at := int(k.GetLocation())
				n.changes = append(n.changes, insertion{at, at, "CONSTRAINT " + quoteIdent(made.Name) + " "})
				break
			}
		}
	}
}

func (n *namer) sequence(column string) (OwnSequence, bool) {
	i := slices.IndexFunc(n.names.Sequences, func(s OwnSequence) bool { return s.Column == column })
	if i < 0 {
		return OwnSequence{}, false
	}
	return n.names.Sequences[i], true
}

// identity names the sequence behind AS IDENTITY, among its options if it has any.
func (n *namer) identity(c *pg_query.Constraint, column string) {
	sequence, found := n.sequence(column)
	if !found || c.GetContype() != pg_query.ConstrType_CONSTR_IDENTITY {
		return
	}
	for _, option := range c.GetOptions() {
		if option.GetDefElem().GetDefname() == "sequence_name" {
			return
		}
	}
	l := lexer{sql: n.text, pos: int(c.GetLocation())}
	for k, start := l.next(); k != end; k, start = l.next() {
		if k != word || !strings.EqualFold(n.text[start:l.pos], "identity") {
			continue
		}
		after := l.pos
		for k, start = l.next(); k == blank; k, start = l.next() {
		}
		name := "SEQUENCE NAME " + join(sequence.Names)
		if k == mark && n.text[start] == '(' {
			n.changes = append(n.changes, insertion{l.pos, l.pos, name + " "})
		} else {
			n.changes = append(n.changes, insertion{after, after, " (" + name + ")"})
		}
		return
	}
}

// serial writes out the column's type, default and sequence.
func (n *namer) serial(column string, at int) {
	sequence, found := n.sequence(column)
	if !found {
		return
	}
	l := lexer{sql: n.text, pos: at}
	l.next()
	name := join(sequence.Names)
	n.changes = append(n.changes, insertion{at, l.pos, sequence.Type + " DEFAULT pg_catalog.nextval(" + quoteLiteral(name) + "::pg_catalog.regclass) NOT NULL"})
	unlogged := ""
	if n.names.Unlogged {
		unlogged = "UNLOGGED "
	}
	n.before = append(n.before, "CREATE "+unlogged+"SEQUENCE "+name+" AS "+sequence.Type)
	n.after = append(n.after, "ALTER SEQUENCE "+name+" OWNED BY "+join(append(slices.Clone(n.names.Names), column)))
}
