package schema

import (
	"fmt"
	"regexp"
	"strings"
)

// CarriedOver is a schema that was read from a server of one dialect as another
// dialect can have it, and what that leaves out. Names of indexes and keys are
// given anew: they share one name space on PostgreSQL, and have one for each
// table on MySQL.
func (s Schema) CarriedOver(from Dialect) (Schema, []string) {
	c := carrier{from: from}
	moved := Schema{Collections: s.Collections}
	for _, t := range s.Tables {
		moved.Tables = append(moved.Tables, c.table(t))
	}
	return moved, c.warnings
}

type carrier struct {
	from     Dialect
	warnings []string
}

func (c *carrier) warn(t Table, format string, args ...any) {
	c.warnings = append(c.warnings, t.Name+": "+fmt.Sprintf(format, args...))
}

func (c *carrier) table(t Table) Table {
	moved := t
	moved.Name = plainTable(t.Name)
	moved.Columns = nil
	for _, column := range t.Columns {
		column.Default = c.defaultOf(t, column)
		column.Type = c.typeOf(t, column)
		moved.Columns = append(moved.Columns, column)
	}
	moved.Checks = nil
	for _, check := range t.Checks {
		if plain := plainCheck(check); isPlain(plain) {
			moved.Checks = append(moved.Checks, plain)
			continue
		}
		c.warn(t, "the check %s is left out: its words are %s's", clip(check), c.from)
	}
	moved.Indexes = nil
	for _, x := range t.Indexes {
		x.Name = ""
		moved.Indexes = append(moved.Indexes, x)
	}
	moved.ForeignKeys = nil
	for _, k := range t.ForeignKeys {
		k.Name, k.Table = "", plainTable(k.Table)
		moved.ForeignKeys = append(moved.ForeignKeys, k)
	}
	return moved
}

var (
	noDate   = regexp.MustCompile(`^'\d{4}-(?:00-\d\d|\d\d-00)\b`)                      // that only MySQL has
	utcDate  = regexp.MustCompile(`^('\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)\+00'$`) // as PostgreSQL writes it
	bareDate = regexp.MustCompile(`^'\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d(?:\.\d+)?)?'$`)
)

// literal is a value as the other dialects write it; false where one can't be
// sure that they take it for the same.
func (c *carrier) literal(of Type, value string) (string, bool) {
	switch {
	case !isLiteral(value):
		return "", false
	case c.from == MySQL:
		return value, !noDate.MatchString(value)
	case of.Arrays > 0:
		return "'[]'", value == "'{}'"
	}
	switch of.Name {
	case "money":
		return "", false // it has the sign of a currency
	case "date", "timestamp", "timestamptz":
		if m := utcDate.FindStringSubmatch(value); m != nil {
			value = m[1] + "'"
		}
		return value, bareDate.MatchString(value) // no infinity
	}
	return value, true
}

// plainTable is a name without the schema that only PostgreSQL has.
func plainTable(name string) string { return strings.ReplaceAll(name, ".", "_") }

func (c *carrier) defaultOf(t Table, column Column) string {
	if column.Default == "" || column.Type.Increment {
		return ""
	}
	expression := withoutCast(strings.TrimSpace(column.Default))
	switch meaning(expression) {
	case none:
		return ""
	case itself:
		plain, ok := c.literal(column.Type, expression)
		if !ok {
			c.warn(t, "the default of %s is left out: %s", column.Name, clip(expression))
			return ""
		}
		expression = plain
	}
	if strings.Contains(strings.ToLower(expression), " on update ") {
		c.warn(t, "%s is no longer set ON UPDATE", column.Name)
	}
	return expression
}

// typeOf gives a type the name that the other dialect reads as the same.
func (c *carrier) typeOf(t Table, column Column) Type {
	kind := column.Type
	switch {
	case c.from == PostgreSQL && kind.Name == "timestamp":
		kind.Name = "datetime"
		if len(kind.Args) == 0 {
			kind.Args = []int{6}
		}
	case c.from == PostgreSQL && kind.Name == "time" && len(kind.Args) == 0:
		kind.Args = []int{6}
	case c.from == PostgreSQL && kind.Name == "text":
		kind.Name = "longtext"
	case c.from == PostgreSQL && kind.Name == "numeric" && len(kind.Args) == 0:
		kind.Args = []int{38, 10}
		c.warn(t, "%s has 10 decimal places: NUMERIC without a precision is PostgreSQL's own", column.Name)
	case c.from == PostgreSQL && kind.Name == "numeric" && (kind.Args[0] > 65 || len(kind.Args) == 2 && kind.Args[1] > 30):
		kind.Args = []int{65, 30}
		c.warn(t, "%s has 65 digits, 30 of them decimal places, the most of MySQL", column.Name)
	case c.from == MySQL && kind.Name == "timestamp":
		kind.Name = "timestamptz"
		if len(kind.Args) == 0 {
			kind.Args = []int{0}
		}
	case c.from == MySQL && (kind.Name == "int" || kind.Name == "year" || kind.Name == "double" || kind.Name == "float"):
		kind.Args = nil // how wide it is shown
	}
	if _, known := postgresTypes()[kind.Name]; !known && len(kind.Values) == 0 {
		c.warn(t, "%s is text: %s is %s's own type", column.Name, clip(kind.Name), c.from)
		return Type{Name: "longtext"}
	}
	return kind
}
