package schema

import "fmt"

// check finds what no single field shows: names that come twice, and columns
// that are not there.
func (s Schema) check() error {
	seen := map[string]bool{}
	for i, t := range s.Tables {
		path := at("tables", i)
		if seen[t.Name] {
			return &FieldError{path + ".name", fmt.Sprintf("%q comes twice", clip(t.Name))}
		}
		seen[t.Name] = true
		if err := t.check(path); err != nil {
			return err
		}
	}
	seen = map[string]bool{}
	for i, c := range s.Collections {
		if seen[c.Name] {
			return &FieldError{at("collections", i) + ".name", fmt.Sprintf("%q comes twice", clip(c.Name))}
		}
		seen[c.Name] = true
	}
	return s.checkTargets()
}

func (t Table) check(path string) error {
	columns := map[string]bool{}
	for i, c := range t.Columns {
		if columns[c.Name] {
			return &FieldError{at(path+".columns", i) + ".name", fmt.Sprintf("%q comes twice", clip(c.Name))}
		}
		columns[c.Name] = true
	}
	has := func(path string, names []string) error {
		for _, name := range names {
			if !columns[name] {
				return &FieldError{path, fmt.Sprintf("names the column %q, which the table does not have", clip(name))}
			}
		}
		return nil
	}
	if err := has(path+".primary_key", t.PrimaryKey); err != nil {
		return err
	}
	for _, u := range t.Unique {
		if err := has(path+".unique", u); err != nil {
			return err
		}
	}
	for i, x := range t.Indexes {
		if err := has(at(path+".indexes", i)+".columns", x.Columns); err != nil {
			return err
		}
	}
	for _, k := range t.ForeignKeys {
		if err := has(path+".foreign_keys", k.Columns); err != nil {
			return err
		}
		if len(k.Targets) > 0 && len(k.Targets) != len(k.Columns) {
			return &FieldError{path + ".foreign_keys", fmt.Sprintf("a key on %s has %d columns and references %d", clip(k.Table), len(k.Columns), len(k.Targets))}
		}
	}
	return nil
}

// checkTargets looks at the foreign keys to tables of the same schema. Others
// may be in the workspace already.
func (s Schema) checkTargets() error {
	for i, t := range s.Tables {
		for _, k := range t.ForeignKeys {
			target := s.table(k.Table)
			if target == nil {
				continue
			}
			path := at("tables", i) + ".foreign_keys"
			if len(k.Targets) == 0 && len(target.PrimaryKey) != len(k.Columns) {
				return &FieldError{path, fmt.Sprintf("a key references %s, which has no primary key of as many columns", clip(k.Table))}
			}
			for _, name := range k.Targets {
				if target.column(name) == nil {
					return &FieldError{path, fmt.Sprintf("a key references the column %q, which %s does not have", clip(name), clip(k.Table))}
				}
			}
		}
	}
	return nil
}

// table is the schema's table of that name; nil where there is none.
func (s Schema) table(name string) *Table {
	for i := range s.Tables {
		if s.Tables[i].Name == name {
			return &s.Tables[i]
		}
	}
	return nil
}

func (t *Table) column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// targets are the columns that a foreign key references; nil where they are not
// known.
func (s Schema) targets(k ForeignKey) []string {
	if len(k.Targets) > 0 {
		return k.Targets
	}
	if t := s.table(k.Table); t != nil {
		return t.PrimaryKey
	}
	return nil
}
