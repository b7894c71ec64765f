package ddltrack

import (
	"maps"
	"slices"
	"strings"
)

// references are the identities that a statement needs. It errs on the side of
// more: a column counts for each table of the statement. What stored programs
// use is looked up when they run, and is not counted.
func (h *mysqlHead) references(own string) []string {
	n := mysqlNeeds{head: h, tables: map[string]bool{}, columns: map[string]bool{}, found: map[string]bool{}}
	for _, o := range h.objects {
		if h.verb != "CREATE" || h.orReplace {
			n.found[o.Identity()] = true
		}
		if h.kind == "TABLE" && h.verb == "ALTER" {
			n.tables[o.Identity()] = true
		}
	}
	if h.on.Name != "" {
		n.tables[h.on.Identity()] = true
	}
	for _, c := range h.clauses {
		n.clause(c)
	}
	switch h.kind {
	case "TABLE", "VIEW", "INDEX":
		if h.verb == "CREATE" || h.verb == "ALTER" {
			n.definition()
		}
	}
	for _, o := range h.objects {
		if h.verb == "CREATE" {
			delete(n.tables, o.Identity())
		}
	}
	for table := range n.tables {
		n.found[table] = true
		for column := range n.columns {
			n.found[table+"."+column] = true
		}
	}
	for _, c := range h.clauses {
		for _, name := range c.names {
			delete(n.found, h.objects[0].Identity()+"."+columnIdentity(name))
		}
	}
	delete(n.found, own)
	return slices.Sorted(maps.Keys(n.found))
}

// columnIdentity is a column's name in an identity: columns are compared
// without regard to case.
func columnIdentity(name string) string { return plainMySQL(strings.ToLower(name)) }

// mysqlNeeds collects what a statement names.
type mysqlNeeds struct {
	head    *mysqlHead
	tables  map[string]bool // identities
	columns map[string]bool // of any of the tables
	found   map[string]bool
}

func (n *mysqlNeeds) table(database, name string) {
	n.tables[n.head.object("table", database, name).Identity()] = true
}

func (n *mysqlNeeds) column(name string) {
	if name != "" {
		n.columns[columnIdentity(name)] = true
	}
}

// clause notes the names of a clause of ALTER TABLE.
func (n *mysqlNeeds) clause(c mysqlClause) {
	switch c.action {
	case dropIndex, renameIndex:
		index := n.head.objects[0]
		index.Kind, index.Table, index.Name = "index", index.Name, c.name
		n.found[index.Identity()] = true
	case dropColumn, changeColumn, renameColumn, otherAction:
		n.column(c.name)
	}
	for _, name := range c.columns {
		n.column(name)
	}
}

// definition notes the names in what a table, a view or an index is made of.
func (n *mysqlNeeds) definition() {
	if tables, columns, ok := parsedNames(n.head.statement); ok {
		for _, t := range tables {
			n.table(t[0], t[1])
		}
		for _, c := range columns {
			n.column(c)
		}
		return
	}
	n.words()
}

// words takes each name of a text that the parser does not know for a column
// and, where one may stand, for a table.
func (n *mysqlNeeds) words() {
	r := n.head.of(n.head.tokens)
	for !r.done() {
		after := ""
		if r.at > 0 {
			after = r.tokens[r.at-1].upper
		}
		database, name, ok := r.qualified()
		switch {
		case !ok:
			r.at++
			continue
		case n.head.kind == "VIEW", after == "REFERENCES", after == "LIKE", after == "FROM", after == "JOIN":
			n.table(database, name)
		}
		n.column(name)
	}
}
