package schema

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
)

// sqlWriter writes tables for one SQL dialect.
type sqlWriter struct {
	schema   Schema
	dialect  Dialect
	warnings []string
	steps    []Step
	made     map[string]bool // tables so far
	later    []Step          // foreign keys to tables that come later
}

func (w *sqlWriter) warn(format string, args ...any) {
	w.warnings = append(w.warnings, fmt.Sprintf(format, args...))
}

// name quotes an identifier.
func (w *sqlWriter) name(name string) string {
	if w.dialect == MySQL {
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func (w *sqlWriter) names(names []string) string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = w.name(n)
	}
	return "(" + strings.Join(all, ", ") + ")"
}

// table quotes a table's name. On PostgreSQL it may be in a schema.
func (w *sqlWriter) table(name string) string {
	if space, table, ok := strings.Cut(name, "."); ok && w.dialect == PostgreSQL && space != "" && table != "" {
		return w.name(space) + "." + w.name(table)
	}
	return w.name(name)
}

// write makes the steps of all tables, each behind those that it references.
func (w *sqlWriter) write() {
	w.made = map[string]bool{}
	spaces := map[string]bool{}
	for _, t := range w.schema.ordered() {
		if space, _, ok := strings.Cut(t.Name, "."); ok && w.dialect == PostgreSQL && space != "public" && !spaces[space] {
			spaces[space] = true
			w.steps = append(w.steps, Step{Statement: "CREATE SCHEMA IF NOT EXISTS " + w.name(space), Object: "schema " + space, Table: t.Name})
		}
		w.create(t)
		for _, x := range t.Indexes {
			w.index(t, x)
		}
	}
	w.steps = append(w.steps, w.later...)
}

// ordered are the tables, each behind those that it references as far as that
// can be.
func (s Schema) ordered() []Table {
	var all []Table
	visited := map[string]bool{}
	var visit func(t Table)
	visit = func(t Table) {
		if visited[t.Name] {
			return
		}
		visited[t.Name] = true
		for _, k := range t.ForeignKeys {
			if target := s.table(k.Table); target != nil {
				visit(*target)
			}
		}
		all = append(all, t)
	}
	for _, t := range s.Tables {
		visit(t)
	}
	return all
}

func (w *sqlWriter) create(t Table) {
	w.made[t.Name] = true
	var lines []string
	for _, c := range t.Columns {
		lines = append(lines, w.column(t, c))
	}
	if len(t.PrimaryKey) > 0 {
		lines = append(lines, "PRIMARY KEY "+w.names(t.PrimaryKey))
	}
	for _, u := range t.Unique {
		lines = append(lines, "UNIQUE "+w.names(u))
	}
	for _, check := range t.Checks {
		lines = append(lines, "CHECK ("+w.check(t, check)+")")
	}
	for _, k := range t.ForeignKeys {
		text, ok := w.foreignKey(t, k)
		switch {
		case !ok:
		case w.made[k.Table] || w.schema.table(k.Table) == nil:
			lines = append(lines, text)
		default:
			w.later = append(w.later, Step{
				Statement: "ALTER TABLE " + w.table(t.Name) + " ADD " + text,
				Object:    "foreign key of " + t.Name + " to " + k.Table, Table: t.Name,
			})
		}
	}
	w.steps = append(w.steps, Step{
		Statement: "CREATE TABLE " + w.table(t.Name) + " (\n  " + strings.Join(lines, ",\n  ") + "\n)",
		Object:    t.Name, Table: t.Name, Makes: true,
	})
}

func (w *sqlWriter) foreignKey(t Table, k ForeignKey) (string, bool) {
	text := "FOREIGN KEY " + w.names(k.Columns) + " REFERENCES " + w.table(k.Table)
	if k.Name != "" {
		text = "CONSTRAINT " + w.name(k.Name) + " " + text
	}
	switch targets := w.schema.targets(k); {
	case len(targets) > 0:
		text += " " + w.names(targets)
	case w.dialect == MySQL:
		w.warn("%s: the foreign key to %s is left out: it is not in the schema, so its columns must be named", t.Name, k.Table)
		return "", false
	}
	if k.OnDelete != "" {
		text += " ON DELETE " + k.OnDelete
	}
	if k.OnUpdate != "" {
		text += " ON UPDATE " + k.OnUpdate
	}
	return text, true
}

func (w *sqlWriter) column(t Table, c Column) string {
	kind := c.Type
	var text string
	if w.dialect == MySQL {
		text = w.name(c.Name) + " " + w.mysqlType(t, c)
	} else {
		text = w.name(c.Name) + " " + w.postgresType(t, c)
	}
	switch {
	case !c.Nullable || slices.Contains(t.PrimaryKey, c.Name):
		text += " NOT NULL"
	case w.dialect == MySQL && kind.Name == "timestamp":
		text += " NULL" // without it, servers of before take it for NOT NULL
	}
	if c.Default != "" && !kind.Increment {
		text += w.defaultOf(c)
	}
	if kind.Increment && w.dialect == MySQL {
		text += " AUTO_INCREMENT"
	}
	return text
}

func (w *sqlWriter) defaultOf(c Column) string {
	expression := c.Default
	switch meaning(expression) {
	case none:
		return ""
	case now:
		return " DEFAULT " + w.now(c)
	case randomUUID:
		if w.dialect == MySQL {
			return " DEFAULT (UUID())"
		}
		return " DEFAULT gen_random_uuid()"
	}
	if c.Type.Name == "boolean" && w.dialect == PostgreSQL {
		switch expression {
		case "0", "'0'":
			expression = "false"
		case "1", "'1'":
			expression = "true"
		}
	}
	if w.dialect == MySQL {
		expression = withoutCast(expression)
		if !isLiteral(expression) || w.isLong(c.Type) {
			return " DEFAULT (" + expression + ")"
		}
	}
	return " DEFAULT " + expression
}

func (w *sqlWriter) now(c Column) string {
	if w.dialect == PostgreSQL {
		switch c.Type.Name {
		case "date":
			return "CURRENT_DATE"
		case "time", "timetz":
			return "CURRENT_TIME"
		}
		return "now()"
	}
	switch c.Type.Name {
	case "timestamptz":
		return "CURRENT_TIMESTAMP" + c.Type.args(6)
	case "timestamp", "datetime":
		return "CURRENT_TIMESTAMP" + c.Type.args()
	case "date":
		return "(CURRENT_DATE)"
	}
	return "(CURRENT_TIMESTAMP)"
}

// index adds an index. One of which only the name is known is there already
// where it is a key's; another can't be made.
func (w *sqlWriter) index(t Table, x Index) {
	if len(x.Columns) == 0 {
		if !w.isKeys(t, x.Name) {
			w.warn("%s: the index %s has a name only: give its columns to have it made", t.Name, x.Name)
		}
		return
	}
	name := x.Name
	if name == "" {
		name = indexName(t.Name, x)
	}
	unique := ""
	if x.Unique {
		unique = "UNIQUE "
	}
	w.steps = append(w.steps, Step{
		Statement: "CREATE " + unique + "INDEX " + w.name(name) + " ON " + w.table(t.Name) + " " + w.names(x.Columns),
		Object:    "index " + name + " on " + t.Name, Table: t.Name,
	})
}

// isKeys says whether a name is that which a server gives the index of a key.
func (w *sqlWriter) isKeys(t Table, name string) bool {
	_, plain, found := strings.Cut(t.Name, ".")
	if !found {
		plain = t.Name
	}
	if name == "PRIMARY" || name == plain+"_pkey" {
		return len(t.PrimaryKey) > 0
	}
	for _, u := range t.Unique {
		if name == plain+"_"+strings.Join(u, "_")+"_key" || name == u[0] {
			return true
		}
	}
	for _, k := range t.ForeignKeys { // MySQL makes an index for each
		if w.dialect == MySQL && (name == k.Columns[0] || name == k.Name) {
			return true
		}
	}
	return false
}

// indexName is what the index is called that was given no name: no longer than
// servers take, and another for each.
func indexName(table string, x Index) string {
	_, plain, found := strings.Cut(table, ".")
	if !found {
		plain = table
	}
	name := plain + "_" + strings.Join(x.Columns, "_")
	if x.Unique {
		name += "_key"
	} else {
		name += "_idx"
	}
	const most = 63
	if len(name) <= most {
		return name
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return fmt.Sprintf("%s_%08x", strings.ToValidUTF8(name[:most-9], ""), h.Sum32())
}

// isKeyed says whether an index of any kind has the column.
func (w *sqlWriter) isKeyed(t Table, column string) bool {
	if slices.Contains(t.PrimaryKey, column) {
		return true
	}
	for _, u := range t.Unique {
		if slices.Contains(u, column) {
			return true
		}
	}
	for _, x := range t.Indexes {
		if slices.Contains(x.Columns, column) {
			return true
		}
	}
	for _, k := range t.ForeignKeys {
		if slices.Contains(k.Columns, column) {
			return true
		}
	}
	for _, other := range w.schema.Tables {
		for _, k := range other.ForeignKeys {
			if k.Table == t.Name && slices.Contains(w.schema.targets(k), column) {
				return true
			}
		}
	}
	return false
}
