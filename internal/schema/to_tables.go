package schema

import (
	"fmt"
	"slices"
)

// idType holds an ObjectId in hexadecimal digits.
var idType = Type{Name: "char", Args: []int{24}}

// tablesOf makes a table of each collection: _id, and a column for each field
// that its validator describes. A collection that says nothing of its fields
// keeps its documents in one column.
func tablesOf(collections []Collection) (all []Table, warnings []string) {
	for _, c := range collections {
		w := tableMaker{collection: c}
		all = append(all, w.table())
		warnings = append(warnings, w.warnings...)
	}
	return all, warnings
}

type tableMaker struct {
	collection Collection
	made       Table
	warnings   []string
}

func (w *tableMaker) warn(format string, args ...any) {
	w.warnings = append(w.warnings, w.collection.Name+": "+fmt.Sprintf(format, args...))
}

func (w *tableMaker) table() Table {
	w.made = Table{Name: w.collection.Name, Columns: []Column{{Name: "_id", Type: idType}}, PrimaryKey: []string{"_id"}}
	rules := w.rules()
	properties, _ := rules.get("properties")
	required := map[string]bool{}
	if list, ok := rules.get("required"); ok {
		for _, r := range list.items {
			required[r.text] = true
		}
	}
	for _, p := range properties.members {
		kind, nullable := w.typeOf(p)
		if p.name == "_id" {
			w.made.Columns[0].Type = keyed(kind)
			continue
		}
		w.made.Columns = append(w.made.Columns, Column{Name: p.name, Type: kind, Nullable: nullable || !required[p.name]})
	}
	if len(w.made.Columns) == 1 {
		w.warn("its validator describes no fields: its documents are in the column \"document\"")
		w.made.Columns = append(w.made.Columns, Column{Name: "document", Type: Type{Name: "jsonb"}})
	}
	for _, x := range w.collection.Indexes {
		w.index(x)
	}
	return w.made
}

// keyed is a type that every server can have in a primary key.
func keyed(t Type) Type {
	if t.Name == "text" || t.Name == "jsonb" {
		return Type{Name: "varchar", Args: []int{255}}
	}
	return t
}

// rules are the validator's $jsonSchema; empty where there is none.
func (w *tableMaker) rules() value {
	if w.collection.Validator == nil {
		return value{}
	}
	validator, err := parse(w.collection.Validator)
	if err != nil {
		return value{}
	}
	rules, found := validator.get("$jsonSchema")
	if !found || len(validator.members) > 1 {
		w.warn("of its validator only the types of $jsonSchema are kept")
	}
	return rules
}

// typeOf is the type of the column that holds a field.
func (w *tableMaker) typeOf(p member) (t Type, nullable bool) {
	kind, found := p.get("bsonType")
	if !found {
		kind, _ = p.get("type")
	}
	names := []string{kind.text}
	if kind.kind == isArray {
		names = nil
		for _, item := range kind.items {
			if item.text == "null" {
				nullable = true
				continue
			}
			names = append(names, item.text)
		}
	}
	if number := widestNumber(names); number != "" {
		names = []string{number}
	}
	if len(names) != 1 {
		return Type{Name: "jsonb"}, nullable
	}
	switch names[0] {
	case "string":
		return w.stringType(p), nullable
	case "int", "integer":
		return Type{Name: "int"}, nullable
	case "long":
		return Type{Name: "bigint"}, nullable
	case "double", "number":
		return Type{Name: "double"}, nullable
	case "decimal":
		return Type{Name: "numeric", Args: []int{38, 10}}, nullable
	case "bool", "boolean":
		return Type{Name: "boolean"}, nullable
	case "date", "timestamp":
		return Type{Name: "timestamptz"}, nullable
	case "objectId":
		return idType, nullable
	case "binData":
		return Type{Name: "bytea"}, nullable
	}
	return Type{Name: "jsonb"}, nullable
}

// widestNumber is the one of several kinds of numbers that holds all of them;
// empty where there is another kind among them.
func widestNumber(names []string) string {
	widest := -1
	order := []string{"int", "integer", "long", "double", "number", "decimal"}
	for _, name := range names {
		i := slices.Index(order, name)
		if i < 0 {
			return ""
		}
		widest = max(widest, i)
	}
	if widest < 0 {
		return ""
	}
	return order[widest]
}

func (w *tableMaker) stringType(p member) Type {
	if list, found := p.get("enum"); found {
		var values []string
		for _, v := range list.items {
			if v.kind == isString {
				values = append(values, v.text)
			}
		}
		if len(values) > 0 {
			return Type{Name: "enum", Values: values}
		}
	}
	if most, found := p.get("maxLength"); found {
		var n int
		if _, err := fmt.Sscan(most.text, &n); err == nil && n > 0 {
			return Type{Name: "varchar", Args: []int{n}}
		}
	}
	return Type{Name: "text"}
}

func (w *tableMaker) index(x DocumentIndex) {
	if len(x.Keys) == 0 {
		return
	}
	made := Index{Unique: x.Unique}
	for _, k := range x.Keys {
		c := w.made.column(k.Field)
		switch {
		case k.Order != "1" && k.Order != "-1", c == nil, c != nil && (c.Type.Name == "jsonb" || c.Type.Arrays > 0):
			w.warn("the index on %s is left out: it has no form in SQL", x.ownName())
			return
		}
		made.Columns = append(made.Columns, k.Field)
	}
	if x.HasTTL {
		w.warn("the index on %s expires nothing: SQL databases don't", x.ownName())
	}
	if x.Partial != nil {
		w.warn("the index on %s is left out: its condition has no form in SQL", x.ownName())
		return
	}
	if !(len(made.Columns) == 1 && made.Columns[0] == "_id") {
		w.made.Indexes = append(w.made.Indexes, made)
	}
}
