package schema

import (
	"fmt"
	"regexp"
	"strings"
)

// collectionsOf makes a collection of each table: its columns are the fields that
// its validator asks for, its keys and foreign keys are indexes. A column that
// counts by itself and is the whole primary key is the documents' _id, and what
// references it is an ObjectId.
func (s Schema) collectionsOf() (all []Collection, warnings []string) {
	for _, t := range s.Tables {
		w := collectionWriter{schema: s, table: t}
		all = append(all, w.collection())
		warnings = append(warnings, w.warnings...)
	}
	return all, warnings
}

type collectionWriter struct {
	schema   Schema
	table    Table
	warnings []string
}

func (w *collectionWriter) warn(format string, args ...any) {
	w.warnings = append(w.warnings, w.table.Name+": "+fmt.Sprintf(format, args...))
}

func (w *collectionWriter) collection() Collection {
	var properties command
	var required []string
	for _, c := range w.table.Columns {
		if c.Name == w.table.identity() {
			continue
		}
		if c.Name == "_id" && !c.Nullable {
			continue // the server has it by itself
		}
		properties = append(properties, part{c.Name, w.property(c)})
		if !c.Nullable && c.Default == "" {
			required = append(required, jsonString(c.Name))
		}
	}
	rules := command{{"bsonType", `"object"`}}
	if len(required) > 0 {
		rules = append(rules, part{"required", "[" + strings.Join(required, ",") + "]"})
	}
	rules = append(rules, part{"properties", properties.String()})
	c := Collection{Name: w.table.Name, Validator: []byte(command{{"$jsonSchema", rules.String()}}.String())}
	w.indexes(&c)
	for _, check := range w.table.Checks {
		if !isPlain(check) {
			w.warn("the check %s is left out: only lists and bounds of values have a form in MongoDB", clip(check))
		}
	}
	return c
}

// identity is the column that is the documents' _id, if there is one.
func (t Table) identity() string {
	if len(t.PrimaryKey) != 1 {
		return ""
	}
	if c := t.column(t.PrimaryKey[0]); c != nil && (c.Type.Increment || c.Name == "_id") {
		return c.Name
	}
	return ""
}

func (w *collectionWriter) indexes(c *Collection) {
	known := map[string]bool{}
	add := func(columns []string, unique bool) {
		if len(columns) == 1 && (columns[0] == w.table.identity() || columns[0] == "_id") {
			return
		}
		x := DocumentIndex{Unique: unique}
		for _, name := range columns {
			if name == w.table.identity() {
				name = "_id"
			}
			x.Keys = append(x.Keys, Key{Field: name, Order: "1"})
		}
		if key := x.ownName(); !known[key] {
			known[key] = true
			c.Indexes = append(c.Indexes, x)
		}
	}
	if len(w.table.PrimaryKey) > 0 {
		add(w.table.PrimaryKey, true)
	}
	for _, u := range w.table.Unique {
		add(u, true)
	}
	for _, x := range w.table.Indexes {
		if len(x.Columns) > 0 {
			add(x.Columns, x.Unique)
		}
	}
	for _, k := range w.table.ForeignKeys {
		served := false
		for _, x := range c.Indexes {
			served = served || x.Keys[0].Field == k.Columns[0]
		}
		if !served {
			add(k.Columns, false)
		}
	}
}

// property is what the validator says of a column.
func (w *collectionWriter) property(c Column) string {
	if w.isReference(c.Name) {
		return kinds(c.Nullable, "objectId").String()
	}
	if c.Type.Arrays > 0 {
		return kinds(c.Nullable, "array").String()
	}
	p := kinds(c.Nullable, bsonKinds(c.Type.Name)...)
	values := c.Type.Values
	for _, check := range w.table.Checks {
		if column, list := oneOf(check); column == c.Name {
			values = list
		}
	}
	switch {
	case len(values) > 0 && c.Type.Name != "set":
		var all []string
		for _, v := range values {
			all = append(all, jsonString(v))
		}
		if c.Nullable {
			all = append(all, "null")
		}
		p = append(p, part{"enum", "[" + strings.Join(all, ",") + "]"})
	case (c.Type.Name == "varchar" || c.Type.Name == "char") && len(c.Type.Args) == 1:
		p = append(p, part{"maxLength", fmt.Sprint(c.Type.Args[0])})
	}
	for _, check := range w.table.Checks {
		if column, rule := bounds(check); column == c.Name {
			p = append(p, rule...)
		}
	}
	return p.String()
}

// kinds allows values of some BSON types; of none: any.
func kinds(nullable bool, names ...string) command {
	if len(names) == 0 {
		return command{}
	}
	if nullable {
		names = append(names, "null")
	}
	if len(names) == 1 {
		return command{{"bsonType", `"` + names[0] + `"`}}
	}
	return command{{"bsonType", `["` + strings.Join(names, `","`) + `"]`}}
}

// isReference says whether a column has the _id of another table's document.
func (w *collectionWriter) isReference(column string) bool {
	for _, k := range w.table.ForeignKeys {
		if len(k.Columns) != 1 || k.Columns[0] != column {
			continue
		}
		target := w.schema.table(k.Table)
		targets := w.schema.targets(k)
		return target != nil && len(targets) == 1 && targets[0] == target.identity()
	}
	return false
}

// bsonKinds are the BSON types of a column's values; none: any. Of a number they
// are all that hold it: a driver chooses by the value (mongosh sends 5 as an int,
// 5.5 as a double) or by its language's type.
func bsonKinds(name string) []string {
	switch name {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "year":
		return []string{"int", "long"}
	case "numeric", "money", "real", "double", "float":
		return []string{"int", "long", "double", "decimal"}
	case "boolean":
		return []string{"bool"}
	case "date", "timestamp", "timestamptz", "datetime":
		return []string{"date"}
	case "bytea", "tinyblob", "blob", "mediumblob", "longblob", "binary", "varbinary", "bit", "varbit":
		return []string{"binData"}
	case "set":
		return []string{"array"}
	case "json", "jsonb":
		return nil
	}
	return []string{"string"}
}

var oneOfPattern = regexp.MustCompile(`(?is)^\s*"?([a-z_][a-z0-9_]*)"?\s+IN\s*\((\s*'(?:[^'\\]|'')*'(?:\s*,\s*'(?:[^'\\]|'')*')*\s*)\)\s*$`)

// oneOf reads "status IN ('open', 'closed')"; an empty column: the check is
// another.
func oneOf(check string) (column string, values []string) {
	m := oneOfPattern.FindStringSubmatch(check)
	if m == nil {
		return "", nil
	}
	for rest := strings.TrimSpace(m[2]); strings.HasPrefix(rest, "'"); {
		v, after, _ := cutString(rest)
		values = append(values, v)
		rest = strings.TrimLeft(after, ", \t\r\n")
	}
	return m[1], values
}

var (
	comparePattern = regexp.MustCompile(`(?i)^\s*"?([a-z_][a-z0-9_]*)"?\s*(>=|>|<=|<)\s*(-?\d+(?:\.\d+)?)\s*$`)
	betweenPattern = regexp.MustCompile(`(?i)^\s*"?([a-z_][a-z0-9_]*)"?\s+BETWEEN\s+(-?\d+(?:\.\d+)?)\s+AND\s+(-?\d+(?:\.\d+)?)\s*$`)
)

// bounds reads "quantity > 0" and "rating BETWEEN 1 AND 5" as rules of
// $jsonSchema; an empty column: the check is another.
func bounds(check string) (column string, rule command) {
	if m := betweenPattern.FindStringSubmatch(check); m != nil {
		return m[1], command{{"minimum", m[2]}, {"maximum", m[3]}}
	}
	m := comparePattern.FindStringSubmatch(check)
	if m == nil {
		return "", nil
	}
	switch m[2] {
	case ">=":
		rule = command{{"minimum", m[3]}}
	case ">":
		rule = command{{"minimum", m[3]}, {"exclusiveMinimum", "true"}}
	case "<=":
		rule = command{{"maximum", m[3]}}
	case "<":
		rule = command{{"maximum", m[3]}, {"exclusiveMaximum", "true"}}
	}
	return m[1], rule
}
