package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	mostTables  = 2000 // and collections
	mostColumns = 1000 // of a table
	mostSteps   = 10_000
	longestName = 128 // bytes; servers have limits of their own
)

// Read reads a schema's JSON: an object with tables, collections or patterns. An
// error is a *FieldError that names what is wrong.
func Read(document []byte) (Schema, error) {
	root, err := parse(document)
	if err != nil {
		return Schema{}, err
	}
	d := decoder{}
	s := d.schema(root)
	if d.err != nil {
		return Schema{}, d.err
	}
	return s, s.check()
}

// decoder turns values into a schema. The first fault stays, and what comes
// after it has no meaning.
type decoder struct{ err error }

func (d *decoder) fail(path, format string, args ...any) {
	if d.err == nil {
		d.err = &FieldError{Field: path, Problem: fmt.Sprintf(format, args...)}
	}
}

func (d *decoder) is(v value, path string, want kind) bool {
	if v.kind != want {
		d.fail(path, "must be %s, got %s", want, v.kind)
	}
	return v.kind == want
}

// fields says whether v is an object of these fields and no others.
func (d *decoder) fields(v value, path string, known ...string) bool {
	if path == "" && v.kind != isObject {
		d.fail("", "a schema must be a JSON object, got %s", v.kind)
		return false
	}
	if !d.is(v, path, isObject) {
		return false
	}
	for _, m := range v.members {
		if !slices.Contains(known, m.name) {
			d.fail(join(path, clip(m.name)), "is not known; the fields are %s", strings.Join(known, ", "))
			return false
		}
	}
	return true
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func at(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// clip bounds a client's text for an error.
func clip(text string) string {
	const most = 64
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}

// list are the items of an optional member.
func (d *decoder) list(v value, path, name string, most int) []value {
	m, given := v.get(name)
	if !given || !d.is(m, join(path, name), isArray) {
		return nil
	}
	if len(m.items) > most {
		d.fail(join(path, name), "has more than %d items", most)
		return nil
	}
	return m.items
}

// text is a string that may be missing or null.
func (d *decoder) text(v value, path, name string) (string, bool) {
	m, given := v.get(name)
	if !given || m.kind == isNull || !d.is(m, join(path, name), isString) {
		return "", false
	}
	return m.text, true
}

func (d *decoder) flag(v value, path, name string, otherwise bool) bool {
	m, given := v.get(name)
	if !given || !d.is(m, join(path, name), isBool) {
		return otherwise
	}
	return m.text == "true"
}

// name is a string that can name something.
func (d *decoder) name(v value, path string) string {
	if !d.is(v, path, isString) {
		return ""
	}
	switch {
	case v.text == "":
		d.fail(path, "is empty")
	case len(v.text) > longestName:
		d.fail(path, "is longer than %d bytes", longestName)
	case strings.ContainsFunc(v.text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		d.fail(path, "has a control character")
	}
	return v.text
}

// ownName is the name that every object has.
func (d *decoder) ownName(v value, path string) string {
	m, given := v.get("name")
	if !given {
		d.fail(join(path, "name"), "is missing")
		return ""
	}
	return d.name(m, join(path, "name"))
}

// optionalName is the name of what may go without.
func (d *decoder) optionalName(v value, path string) string {
	if m, given := v.get("name"); given && m.kind != isNull {
		return d.name(m, join(path, "name"))
	}
	return ""
}

// names is a list of names with at least one.
func (d *decoder) names(v value, path string) []string {
	if v.kind == isString {
		return []string{d.name(v, path)}
	}
	if !d.is(v, path, isArray) {
		return nil
	}
	if len(v.items) == 0 || len(v.items) > 32 {
		d.fail(path, "must have 1 to 32 names")
	}
	all := make([]string, len(v.items))
	for i, item := range v.items {
		all[i] = d.name(item, at(path, i))
	}
	return all
}

// expression is an SQL expression, or a number or boolean.
func (d *decoder) expression(v value, path string) string {
	switch v.kind {
	case isNumber, isBool:
		return v.text
	}
	if !d.is(v, path, isString) {
		return ""
	}
	if err := checkExpression(v.text); err != nil {
		d.fail(path, "%v", err)
	}
	return strings.TrimSpace(v.text)
}

func (d *decoder) schema(v value) Schema {
	var s Schema
	if !d.fields(v, "", "tables", "collections", "patterns") {
		return s
	}
	for i, t := range d.list(v, "", "tables", mostTables) {
		s.Tables = append(s.Tables, d.table(t, at("tables", i)))
	}
	for i, c := range d.list(v, "", "collections", mostTables) {
		s.Collections = append(s.Collections, d.collection(c, at("collections", i)))
	}
	if m, given := v.get("patterns"); given && d.is(m, "patterns", isObject) {
		for _, p := range m.members {
			s.Patterns = append(s.Patterns, d.pattern(p))
		}
	}
	if d.err == nil && len(s.Tables)+len(s.Collections)+len(s.Patterns) == 0 {
		d.fail("", "the schema is empty: it has neither tables nor collections")
	}
	return s
}

func (d *decoder) pattern(m member) Pattern {
	path := "patterns." + clip(m.name)
	if !d.fields(m.value, path, "ttl") {
		return Pattern{}
	}
	ttl, given := m.get("ttl")
	if !given {
		d.fail(path+".ttl", "is missing")
		return Pattern{}
	}
	return Pattern{Match: m.name, TTL: d.whole(ttl, path+".ttl")}
}

// whole is a whole number that is not negative.
func (d *decoder) whole(v value, path string) int64 {
	if !d.is(v, path, isNumber) {
		return 0
	}
	n, err := strconv.ParseInt(v.text, 10, 32)
	if err != nil || n < 0 {
		d.fail(path, "must be a whole number from 0 to %d", 1<<31-1)
	}
	return n
}

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
