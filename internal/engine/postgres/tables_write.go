package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// longestName is NAMEDATALEN - 1: names that the server makes up are cut there.
const longestName = 63

// collectTables adds the tables, each with its columns, the keys and checks
// that can be part of it, and the statements that finish it.
func (g *graph) collectTables(ctx context.Context, tx pgx.Tx) error {
	classes, err := readClasses(ctx, tx)
	if err != nil {
		return err
	}
	tables, err := readRelations(ctx, tx)
	if err != nil {
		return err
	}
	columns := map[string]map[string]attribute{}
	for _, t := range tables {
		columns[t.Name] = map[string]attribute{}
		for _, c := range t.columns {
			columns[t.Name][c.Plain] = c
		}
	}
	for _, t := range tables {
		w := tableWriter{graph: g, table: t, classes: classes, inherited: map[string]attribute{}}
		for _, parent := range slices.Backward(t.Parents) {
			for name, c := range columns[parent] {
				w.inherited[name] = c
			}
		}
		w.write()
	}
	return nil
}

// classes are the oids of the catalogs that tables reach into.
type classes struct{ Relation, Default, Constraint int64 }

func readClasses(ctx context.Context, tx pgx.Tx) (classes, error) {
	read, err := collect[classes](ctx, tx, "catalogs", `
		SELECT 'pg_class'::regclass::oid::int8 AS relation, 'pg_attrdef'::regclass::oid::int8 AS default, 'pg_constraint'::regclass::oid::int8 AS constraint`)
	if err != nil {
		return classes{}, err
	}
	return read[0], nil
}

// tableWriter writes one table.
type tableWriter struct {
	graph     *graph
	table     *relation
	classes   classes
	inherited map[string]attribute // the columns of its parents
	node      *node
	keyed     map[string]bool // columns that an inline key has, so that no second is merged with it
}

func (w *tableWriter) write() {
	t := w.table
	w.keyed = map[string]bool{}
	w.node = w.graph.add(kindTable, t.Schema+"."+t.Plain, w.object(w.classes.Relation, t.OID))

	inline := map[string][]string{} // column → its constraints
	var rules []string
	for _, k := range t.constraints {
		w.constraint(k, inline, &rules)
	}
	var lines []string
	for _, c := range t.columns {
		if line, ok := w.column(c, inline[c.Plain]); ok {
			lines = append(lines, line)
		}
	}
	w.node.statements = append([]string{w.create(append(lines, rules...))}, w.node.statements...)
	if t.Partition && t.Bound != nil && len(t.Parents) == 1 {
		w.then("ALTER TABLE ONLY %s ATTACH PARTITION %s %s", t.Parents[0], t.Name, *t.Bound)
	}
	for _, c := range t.columns {
		w.finishColumn(c)
	}
	w.finishTable()
}

func (w *tableWriter) object(class, id int64) object { return object{uint32(class), uint32(id)} }

// then adds a statement that follows CREATE TABLE.
func (w *tableWriter) then(format string, args ...any) {
	w.node.statements = append(w.node.statements, fmt.Sprintf(format, args...))
}

// create is the CREATE TABLE statement. A partition is made by itself and
// attached then, since its columns may be in another order than its parent's.
func (w *tableWriter) create(lines []string) string {
	t := w.table
	var b strings.Builder
	b.WriteString("CREATE ")
	if t.Persistence == "u" {
		b.WriteString("UNLOGGED ")
	}
	b.WriteString("TABLE " + t.Name)
	switch {
	case t.OfType == nil:
		b.WriteString(" (" + strings.Join(lines, ", ") + ")")
	case len(lines) > 0:
		fmt.Fprintf(&b, " OF %s (%s)", *t.OfType, strings.Join(lines, ", "))
	default:
		b.WriteString(" OF " + *t.OfType)
	}
	if !t.Partition && len(t.Parents) > 0 {
		b.WriteString(" INHERITS (" + strings.Join(t.Parents, ", ") + ")")
	}
	if t.Key != nil {
		b.WriteString(" PARTITION BY " + *t.Key)
	}
	if t.Method != nil {
		b.WriteString(" USING " + *t.Method)
	}
	if len(t.Options) > 0 {
		b.WriteString(" WITH (" + strings.Join(options(t.Options), ", ") + ")")
	}
	return b.String()
}

// column is the definition inside of CREATE TABLE; not ok where the column
// comes from elsewhere.
func (w *tableWriter) column(c attribute, constraints []string) (string, bool) {
	if w.table.OfType != nil || !c.Local {
		return "", false
	}
	parts := []string{c.Name, typeName(c.Type, c.Builtin)}
	if c.Collation != nil {
		parts = append(parts, "COLLATE "+*c.Collation)
	}
	primary := slices.Contains(constraints, "PRIMARY KEY")
	if w.serial(c) {
		w.graph.makers[w.object(w.classes.Relation, c.Sequence.OID)] = w.node
		w.graph.makers[w.object(w.classes.Default, *c.DefaultOID)] = w.node
		parts[1] = serialName(c.Type)
		return strings.Join(append(parts, w.constraintsAfter(c, primary, true, constraints)...), " "), true
	}
	switch {
	case c.Generated:
		parts = append(parts, "GENERATED ALWAYS AS ("+*c.Default+") STORED")
	case c.Identity != "":
		parts = append(parts, w.identity(c))
	case c.Default != nil && !c.Calls:
		parts = append(parts, "DEFAULT "+*c.Default)
	}
	if c.DefaultOID != nil && (c.Generated || !c.Calls) {
		w.graph.makers[w.object(w.classes.Default, *c.DefaultOID)] = w.node
	}
	return strings.Join(append(parts, w.constraintsAfter(c, primary, c.Identity != "", constraints)...), " "), true
}

// constraintsAfter leaves NOT NULL out where something else implies it, with the
// name that it has.
func (w *tableWriter) constraintsAfter(c attribute, primary, implied bool, constraints []string) []string {
	switch {
	case !c.NotNull:
		return constraints
	case c.Rule == nil:
		if primary || implied {
			return constraints
		}
		return append([]string{"NOT NULL"}, constraints...)
	case !c.RuleLocal || !c.RuleValid:
		return constraints
	}
	rule := "NOT NULL"
	switch named := *c.Rule != w.madeUp(c.Plain, "not_null"); {
	case named:
		rule = "CONSTRAINT " + quote(*c.Rule) + " NOT NULL"
	case primary || implied:
		return constraints
	}
	if c.RuleNoInherit {
		rule += " NO INHERIT"
	}
	return append([]string{rule}, constraints...)
}

// serial says that the column is what SERIAL makes, to the last detail.
func (w *tableWriter) serial(c attribute) bool {
	s := c.Sequence
	return c.counts() && c.NotNull && s.Default && s.Type == c.Type && s.Schema == w.table.Schema &&
		s.Plain == w.madeUp(c.Plain, "seq") && s.Logged == w.table.Persistence
}

// madeUp is the name that the server gives to what belongs to the columns;
// empty where it would be cut.
func (w *tableWriter) madeUp(columns, suffix string) string {
	name := w.table.Plain + "_" + suffix
	if columns != "" {
		name = w.table.Plain + "_" + columns + "_" + suffix
	}
	if len(name) > longestName {
		return ""
	}
	return name
}

func (w *tableWriter) identity(c attribute) string {
	text := "GENERATED BY DEFAULT AS IDENTITY"
	if c.Identity == identityAlways {
		text = "GENERATED ALWAYS AS IDENTITY"
	}
	s := c.Sequence
	if s == nil {
		return text
	}
	w.graph.makers[w.object(w.classes.Relation, s.OID)] = w.node
	settings := s.Options
	if s.Plain != w.madeUp(c.Plain, "seq") || s.Schema != w.table.Schema {
		settings = strings.TrimSpace("SEQUENCE NAME " + quote(s.Schema) + "." + quote(s.Plain) + " " + settings)
	}
	if settings == "" {
		return text
	}
	return text + " (" + settings + ")"
}

// constraint puts k into the table where that means the same, else after it.
func (w *tableWriter) constraint(k constraint, inline map[string][]string, rules *[]string) {
	if !k.Local && (w.table.standsAlone() || k.Type == checkRule) {
		return // its parent's
	}
	self := w.object(w.classes.Constraint, k.OID)
	kind := kindKey
	if k.Type == checkRule {
		kind = kindCheck
	}
	if !w.fits(k) {
		only := ""
		if k.Type != checkRule {
			only = "ONLY "
		}
		statement := fmt.Sprintf("ALTER TABLE %s%s ADD CONSTRAINT %s %s", only, w.table.Name, k.Name, k.Def)
		n := w.graph.add(kind, w.node.name+"."+k.Plain, self, append([]string{statement}, k.Extra...)...)
		n.need(w.node)
		return
	}
	w.graph.makers[self] = w.node
	w.node.statements = append(w.node.statements, k.Extra...)
	if k.Type != checkRule {
		w.keyed[sorted(k.Columns)] = true
	}
	switch column, short := w.shorten(k); {
	case column:
		inline[k.Plains[0]] = append(inline[k.Plains[0]], short)
	default:
		*rules = append(*rules, short)
	}
}

func sorted(columns []string) string {
	return strings.Join(slices.Sorted(slices.Values(columns)), ",")
}

// fits says that k may stand inside of CREATE TABLE.
func (w *tableWriter) fits(k constraint) bool {
	if k.Type == checkRule {
		return k.Valid && !k.Calls && w.table.OfType == nil
	}
	return w.table.standsAlone() && !w.keyed[sorted(k.Columns)]
}

// shorten is k as a person would write it: without a name that the server would
// give it anyway, and behind its column where it has just one.
func (w *tableWriter) shorten(k constraint) (column bool, text string) {
	joined := strings.Join(k.Plains, "_")
	single := len(k.Plains) == 1
	switch {
	case k.Type == primaryKey && k.Plain == w.madeUp("", "pkey"):
		if single && k.Def == "PRIMARY KEY ("+k.Columns[0]+")" {
			return true, "PRIMARY KEY"
		}
		return false, k.Def
	case k.Type == uniqueKey && k.Plain == w.madeUp(joined, "key"):
		if single && k.Def == "UNIQUE ("+k.Columns[0]+")" {
			return true, "UNIQUE"
		}
		return false, k.Def
	case k.Type == checkRule && single && k.Plain == w.madeUp(joined, "check") && w.standsInline(k):
		return true, k.Def
	}
	return false, "CONSTRAINT " + k.Name + " " + k.Def
}

// standsInline says that k's column is written in this table's CREATE TABLE.
func (w *tableWriter) standsInline(k constraint) bool {
	return slices.ContainsFunc(w.table.columns, func(c attribute) bool { return c.Plain == k.Plains[0] && c.Local })
}
