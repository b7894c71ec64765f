package ddltrack

import (
	"fmt"
	"slices"
	"strings"
)

// reverse is the statement that undoes h exactly, or why there is none. It is
// to be run in a session of the same database.
func (h *mysqlHead) reverse() (sql, whyNot string) {
	switch {
	case h.truncated && h.verb == "ALTER":
		return "", "the statement is too long to be read as a whole"
	case len(h.renamed) > 0 && h.verb == "RENAME":
		return h.reverseRenames()
	case h.verb == "CREATE":
		return h.reverseCreate()
	case h.verb == "ALTER" && h.kind == "TABLE":
		return h.reverseAlter()
	case h.verb == "DROP" && h.kind == "TABLE":
		return "", "the definition and the data are gone"
	case h.verb == "DROP":
		return "", "the definition is gone"
	}
	return "", "the definition before it is not kept"
}

// reverseRenames undoes the pairs from the last to the first, which is what a
// swap of three names needs.
func (h *mysqlHead) reverseRenames() (sql, whyNot string) {
	if h.condition && len(h.renamed) > 1 {
		return "", "some of the tables may not have been there"
	}
	var pairs []string
	for i, to := range slices.Backward(h.renamed) {
		pairs = append(pairs, to.written(h.command.Database)+" TO "+h.objects[i].written(h.command.Database))
	}
	return "RENAME TABLE " + strings.Join(pairs, ", ") + ";", ""
}

// reverseCreate drops what was created. What was made on top of it since keeps
// the drop from happening, or is named by the queue.
func (h *mysqlHead) reverseCreate() (sql, whyNot string) {
	if h.orReplace && !h.command.Created {
		return "", "it may have replaced an earlier definition, which is not kept"
	}
	o := h.objects[0]
	if h.kind == "INDEX" {
		if o.Name == "" || o.Table == "" {
			return "", "the statement does not tell the index's table"
		}
		return fmt.Sprintf("DROP INDEX %s ON %s;", quoteMySQL(o.Name), h.on.written(h.command.Database)), ""
	}
	return fmt.Sprintf("DROP %s IF EXISTS %s;", h.kind, o.written(h.command.Database)), ""
}

// reverseAlter undoes the clauses from the last to the first; all must be exact.
func (h *mysqlHead) reverseAlter() (sql, whyNot string) {
	table := h.objects[0]
	if len(h.renamed) > 0 {
		table = h.renamed[0]
	}
	var undo []string
	doing := h.doing()
	for i := len(h.clauses) - 1; i >= 0; i-- {
		c := h.clauses[i]
		if c.conditional && (doing > 1 || c.alwaysLogged()) {
			return "", "what it names may have been there before"
		}
		one, whyNot := h.reverseClause(c)
		if whyNot != "" {
			return "", whyNot
		}
		if one != "" {
			undo = append(undo, one)
		}
	}
	if h.onlyColumns() {
		slices.Reverse(undo) // in the order in which they were added, as people read it
	}
	if len(undo) == 0 {
		return "", "the definition before it is not kept"
	}
	return fmt.Sprintf("ALTER TABLE %s %s;", table.written(h.command.Database), strings.Join(undo, ", ")), ""
}

// alwaysLogged says whether MariaDB logs the clause as one that took effect also
// where there was nothing for it to do.
func (c mysqlClause) alwaysLogged() bool {
	placed := func(d mysqlReader) bool { return d.has("FIRST") || d.has("AFTER") }
	return c.action == renameColumn || c.action == renameIndex || slices.ContainsFunc(c.definitions, placed)
}

// doing counts the clauses that change something.
func (h *mysqlHead) doing() int {
	n := 0
	for _, c := range h.clauses {
		if c.action != noAction {
			n += max(1, len(c.names))
		}
	}
	return n
}

func (h *mysqlHead) onlyColumns() bool {
	for _, c := range h.clauses {
		if c.action != addColumns && c.action != noAction {
			return false
		}
	}
	return true
}

// reverseClause is the clause that undoes c; empty where nothing is to be done.
func (h *mysqlHead) reverseClause(c mysqlClause) (sql, whyNot string) {
	switch c.action {
	case noAction, dataAction:
		return "", ""
	case addColumns:
		return h.reverseColumns(c)
	case addIndex:
		if c.name == "" {
			return "", "the server chose the index's name; name the index to make it reversible"
		}
		return "DROP INDEX " + quoteMySQL(c.name), ""
	case addForeignKey:
		return h.reverseForeignKey(c)
	case addCheck:
		if c.name == "" {
			return "", "the server chose the constraint's name; name the constraint to make it reversible"
		}
		return "DROP CONSTRAINT " + quoteMySQL(c.name), ""
	case addVersioning:
		return "DROP SYSTEM VERSIONING", ""
	case addPartition:
		quoted := make([]string, len(c.names))
		for i, name := range c.names {
			quoted[i] = quoteMySQL(name)
		}
		return "DROP PARTITION " + strings.Join(quoted, ", "), ""
	case renameColumn, renameIndex:
		what := "COLUMN"
		if c.action == renameIndex {
			what = "INDEX"
		}
		if c.name == "" || c.to == "" {
			break
		}
		return fmt.Sprintf("RENAME %s %s TO %s", what, quoteMySQL(c.to), quoteMySQL(c.name)), ""
	case renameTable:
		if h.objects[0].Name == "" || len(h.renamed) == 0 || h.renamed[0].Name == "" {
			break
		}
		return "RENAME TO " + h.objects[0].written(h.command.Database), ""
	}
	return "", c.whyNot()
}

// reverseColumns drops added columns. An index or a check of one of them alone
// goes with it.
func (h *mysqlHead) reverseColumns(c mysqlClause) (sql, whyNot string) {
	drops := make([]string, len(c.names))
	for i, name := range c.names {
		if d := c.definitions[i]; d.has("REFERENCES") {
			return "", "the server chose the foreign key's name; add it as a constraint with a name to make it reversible"
		}
		drops[i] = "DROP COLUMN " + quoteMySQL(name)
	}
	return strings.Join(drops, ", "), ""
}

// reverseForeignKey drops a foreign key and the index of its name that the
// server makes where the columns have none.
func (h *mysqlHead) reverseForeignKey(c mysqlClause) (sql, whyNot string) {
	name := quoteMySQL(c.name)
	indexed := func(index string) bool { return strings.EqualFold(index, c.name) }
	switch {
	case c.name == "":
		return "", "the server chose the foreign key's name; name the constraint to make it reversible"
	case h.command.Indexes != nil && slices.ContainsFunc(h.command.Indexes, indexed):
		return "DROP FOREIGN KEY " + name + ", DROP INDEX " + name, ""
	case h.command.Indexes != nil:
		return "DROP FOREIGN KEY " + name, ""
	case h.mode.MariaDB:
		return "DROP FOREIGN KEY IF EXISTS " + name + ", DROP INDEX IF EXISTS " + name, ""
	}
	return "", "the server may have made an index for the foreign key, which would stay"
}

// whyNot is why a clause has no exact reverse.
func (c mysqlClause) whyNot() string {
	switch c.action {
	case addPrimaryKey:
		return "the columns of a dropped primary key would stay NOT NULL"
	case dropColumn:
		return "the column's definition and data are gone"
	case dropIndex:
		return "the index's definition is gone"
	case dropForeignKey, dropConstraint, dropPrimaryKey:
		return "the constraint's definition is gone"
	case dropPartition:
		return "the partition's definition and data are gone"
	case dropVersioning:
		return "the history of the rows is gone"
	case changeColumn:
		return "the column's earlier definition is not kept, and its values may not convert back"
	}
	return "the definition before it is not kept"
}
