package schema

import (
	"slices"
	"strings"
)

func (d *decoder) table(v value, path string) Table {
	var t Table
	if !d.fields(v, path, "name", "columns", "primary_key", "unique", "checks", "indexes", "foreign_keys") {
		return t
	}
	t.Name = d.ownName(v, path)
	if m, given := v.get("primary_key"); given {
		t.PrimaryKey = d.names(m, join(path, "primary_key"))
	}
	columns := d.list(v, path, "columns", mostColumns)
	if d.err == nil && len(columns) == 0 {
		d.fail(join(path, "columns"), "is missing or empty")
	}
	var keys []string
	for i, c := range columns {
		if d.column(c, at(join(path, "columns"), i), &t) {
			keys = append(keys, t.Columns[i].Name)
		}
	}
	switch {
	case len(keys) > 0 && len(t.PrimaryKey) == 0:
		t.PrimaryKey = keys
	case len(keys) > 0 && !sameNames(keys, t.PrimaryKey):
		d.fail(join(path, "primary_key"), "disagrees with the columns that are marked as primary_key")
	}
	for i, u := range d.list(v, path, "unique", mostColumns) {
		t.Unique = append(t.Unique, d.names(u, at(join(path, "unique"), i)))
	}
	for i, c := range d.list(v, path, "checks", mostColumns) {
		t.Checks = append(t.Checks, d.condition(c, at(join(path, "checks"), i)))
	}
	for i, x := range d.list(v, path, "indexes", mostColumns) {
		d.index(x, at(join(path, "indexes"), i), &t)
	}
	for i, k := range d.list(v, path, "foreign_keys", mostColumns) {
		d.foreignKey(k, at(join(path, "foreign_keys"), i), &t)
	}
	return t
}

func sameNames(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for _, name := range a {
		if !slices.Contains(b, name) {
			return false
		}
	}
	return true
}

func (d *decoder) condition(v value, path string) string {
	if d.is(v, path, isString) {
		return d.expression(v, path)
	}
	return ""
}

// column adds a column to its table, and says whether it is part of the key.
func (d *decoder) column(v value, path string, t *Table) (key bool) {
	t.Columns = append(t.Columns, Column{})
	c := &t.Columns[len(t.Columns)-1]
	if !d.fields(v, path, "name", "type", "nullable", "default", "primary_key", "unique", "references", "check") {
		return false
	}
	c.Name = d.ownName(v, path)
	text, given := d.text(v, path, "type")
	if !given {
		d.fail(join(path, "type"), "is missing")
		return false
	}
	var err error
	if c.Type, err = ParseType(text); err != nil {
		d.fail(join(path, "type"), "%v", err)
	}
	key = d.flag(v, path, "primary_key", false)
	c.Nullable = d.flag(v, path, "nullable", !key)
	if m, given := v.get("default"); given && m.kind != isNull {
		c.Default = d.expression(m, join(path, "default"))
	}
	if d.flag(v, path, "unique", false) {
		t.Unique = append(t.Unique, []string{c.Name})
	}
	if m, given := v.get("check"); given {
		t.Checks = append(t.Checks, d.condition(m, join(path, "check")))
	}
	if m, given := v.get("references"); given {
		k := ForeignKey{Columns: []string{c.Name}}
		d.target(m, join(path, "references"), &k, "column")
		t.ForeignKeys = append(t.ForeignKeys, k)
	}
	return key
}

// index adds an index. One of which only the name is given, as in the answer of
// GET, is kept by that: its columns are not known.
func (d *decoder) index(v value, path string, t *Table) {
	if v.kind == isString {
		t.Indexes = append(t.Indexes, Index{Name: d.name(v, path)})
		return
	}
	if !d.fields(v, path, "name", "columns", "unique") {
		return
	}
	x := Index{Name: d.optionalName(v, path), Unique: d.flag(v, path, "unique", false)}
	m, given := v.get("columns")
	if !given {
		d.fail(join(path, "columns"), "is missing")
		return
	}
	x.Columns = d.names(m, join(path, "columns"))
	t.Indexes = append(t.Indexes, x)
}

func (d *decoder) foreignKey(v value, path string, t *Table) {
	if !d.fields(v, path, "name", "columns", "references") {
		return
	}
	k := ForeignKey{Name: d.optionalName(v, path)}
	columns, given := v.get("columns")
	if !given {
		d.fail(join(path, "columns"), "is missing")
		return
	}
	k.Columns = d.names(columns, join(path, "columns"))
	target, given := v.get("references")
	if !given {
		d.fail(join(path, "references"), "is missing")
		return
	}
	d.target(target, join(path, "references"), &k, "columns")
	t.ForeignKeys = append(t.ForeignKeys, k)
}

// target reads "users", "users(id)" or an object.
func (d *decoder) target(v value, path string, k *ForeignKey, columns string) {
	if v.kind == isString {
		table, rest, found := strings.Cut(strings.TrimSpace(v.text), "(")
		k.Table = d.name(value{kind: isString, text: strings.TrimSpace(table)}, path)
		if !found {
			return
		}
		inner, closed := strings.CutSuffix(rest, ")")
		if !closed {
			d.fail(path, "must be like \"users(id)\"")
		}
		for _, c := range strings.Split(inner, ",") {
			k.Targets = append(k.Targets, d.name(value{kind: isString, text: strings.TrimSpace(c)}, path))
		}
		return
	}
	if !d.fields(v, path, "table", columns, "on_delete", "on_update") {
		return
	}
	table, given := v.get("table")
	if !given {
		d.fail(join(path, "table"), "is missing")
		return
	}
	k.Table = d.name(table, join(path, "table"))
	if m, given := v.get(columns); given {
		k.Targets = d.names(m, join(path, columns))
	}
	k.OnDelete = d.action(v, path, "on_delete")
	k.OnUpdate = d.action(v, path, "on_update")
}

// action is what a foreign key does when its target goes or changes.
func (d *decoder) action(v value, path, name string) string {
	text, given := d.text(v, path, name)
	if !given {
		return ""
	}
	action := strings.ToUpper(strings.ReplaceAll(text, "_", " "))
	switch action {
	case "CASCADE", "RESTRICT", "SET NULL", "SET DEFAULT", "NO ACTION":
		return action
	}
	d.fail(join(path, name), "must be cascade, restrict, set null, set default or no action")
	return ""
}
