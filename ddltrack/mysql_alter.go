package ddltrack

// mysqlAction is what one clause of ALTER TABLE does.
type mysqlAction int

const (
	otherAction mysqlAction = iota // changes a definition that is not kept
	noAction                       // says how it is done: ALGORITHM, LOCK
	dataAction                     // rows, statistics, files
	addColumns
	addIndex
	addPrimaryKey
	addForeignKey
	addCheck
	addVersioning
	addPartition
	dropColumn
	dropIndex
	dropPrimaryKey
	dropForeignKey
	dropConstraint
	dropVersioning
	dropPartition
	changeColumn // CHANGE and MODIFY
	renameColumn
	renameIndex
	renameTable
	rewriteTable // character set, engine, partitioning
)

// mysqlClause is one clause of ALTER TABLE.
type mysqlClause struct {
	action      mysqlAction
	name        string        // of what is added, dropped, changed or renamed
	to          string        // the new name
	names       []string      // of the columns or partitions that are added
	definitions []mysqlReader // of those columns, behind their names
	columns     []string      // that are there and that the clause uses
	unique      bool          // of an index
	conditional bool          // IF EXISTS, IF NOT EXISTS
}

// readAlter reads the clauses of an ALTER TABLE.
func (h *mysqlHead) readAlter() {
	if !h.take("NOWAIT") && h.take("WAIT") {
		h.at++
	}
	for _, tokens := range splitPartitioning(clauses(h.tokens[min(h.at, len(h.tokens)):])) {
		r := h.of(tokens)
		c := r.clause()
		if c.action == renameTable && len(h.objects) > 0 {
			database, name, _ := r.qualified()
			if database == "" {
				database = h.objects[0].Database
			}
			h.renamed = []MySQLObject{h.object("table", database, name)}
		}
		h.clauses = append(h.clauses, c)
	}
}

// splitPartitioning cuts what follows the last clause without a comma.
func splitPartitioning(list [][]mysqlToken) [][]mysqlToken {
	tokens := list[len(list)-1]
	depth := 0
	for i, t := range tokens {
		switch {
		case t.upper == "(":
			depth++
		case t.upper == ")":
			depth--
		case depth == 0 && i > 0 && i+1 < len(tokens) && (t.upper == "PARTITION" && tokens[i+1].upper == "BY" ||
			t.upper == "REMOVE" && tokens[i+1].upper == "PARTITIONING"):
			return append(list[:len(list)-1:len(list)-1], tokens[:i], tokens[i:])
		}
	}
	return list
}

// clause reads one clause; for RENAME TO it stands before the new name then.
func (r *mysqlReader) clause() mysqlClause {
	switch {
	case r.done():
		return mysqlClause{action: noAction}
	case r.take("ADD"):
		return r.addClause()
	case r.take("DROP"):
		return r.dropClause()
	case r.take("RENAME"):
		return r.renameClause()
	case r.take("CHANGE"), r.take("MODIFY"):
		c := mysqlClause{action: changeColumn}
		r.take("COLUMN")
		c.conditional = r.take("IF", "EXISTS")
		c.name, _ = r.name()
		return c
	case r.take("ALTER"):
		c := mysqlClause{}
		r.takeOne("COLUMN", "INDEX", "KEY", "CHECK", "CONSTRAINT")
		c.conditional = r.take("IF", "EXISTS")
		c.name, _ = r.name()
		return c
	case r.takeOne("ALGORITHM", "LOCK", "WITH", "WITHOUT"):
		return mysqlClause{action: noAction}
	case r.takeOne("ENABLE", "DISABLE", "ORDER", "IMPORT", "DISCARD", "ANALYZE", "CHECK", "FORCE", "OPTIMIZE", "REBUILD", "REPAIR",
		"TRUNCATE", "SECONDARY_LOAD", "SECONDARY_UNLOAD"):
		return mysqlClause{action: dataAction}
	case r.takeOne("CONVERT", "ENGINE", "PARTITION", "REMOVE", "REORGANIZE", "COALESCE", "EXCHANGE", "ROW_FORMAT",
		"KEY_BLOCK_SIZE", "TABLESPACE"):
		return mysqlClause{action: rewriteTable}
	}
	return mysqlClause{}
}

func (r *mysqlReader) addClause() mysqlClause {
	c := mysqlClause{}
	if r.take("CONSTRAINT") {
		c.conditional = r.take("IF", "NOT", "EXISTS")
		switch r.peek(0) {
		case "PRIMARY", "UNIQUE", "FOREIGN", "CHECK": // nameless
		default:
			c.name, _ = r.name()
		}
	}
	switch {
	case r.take("PRIMARY", "KEY"):
		c.action = addPrimaryKey
		return r.indexColumns(c)
	case r.take("FOREIGN", "KEY"):
		c.action = addForeignKey
		c.conditional = r.take("IF", "NOT", "EXISTS") || c.conditional
		return r.indexName(c)
	case r.take("CHECK"):
		c.action = addCheck
		return c
	case r.take("UNIQUE"):
		c.unique = true
		r.takeOne("INDEX", "KEY")
		return r.index(c)
	case r.takeOne("FULLTEXT", "SPATIAL"), r.peek(0) == "VECTOR" && (r.peek(1) == "INDEX" || r.peek(1) == "KEY") && r.take("VECTOR"):
		r.takeOne("INDEX", "KEY")
		return r.index(c)
	case r.takeOne("INDEX", "KEY"):
		return r.index(c)
	case r.take("SYSTEM", "VERSIONING"):
		c.action = addVersioning
		return c
	case r.take("PERIOD", "FOR"):
		return c
	case r.take("PARTITION"):
		return r.partitions(c)
	}
	r.take("COLUMN")
	return r.columns(c)
}

func (r *mysqlReader) index(c mysqlClause) mysqlClause {
	c.action = addIndex
	c.conditional = r.take("IF", "NOT", "EXISTS") || c.conditional
	return r.indexName(c)
}

// indexName reads the name that may come before the columns. The name of the
// constraint comes first for an index, and instead of it for a foreign key.
func (r *mysqlReader) indexName(c mysqlClause) mysqlClause {
	if r.peek(0) != "(" && r.peek(0) != "USING" && r.peek(0) != "TYPE" {
		if name, ok := r.name(); ok && (c.name == "" || c.action == addIndex) {
			c.name = name
		}
	}
	return r.indexColumns(c)
}

func (r *mysqlReader) indexColumns(c mysqlClause) mysqlClause {
	if r.takeOne("USING", "TYPE") {
		r.at++
	}
	for _, part := range clauses(r.parens()) {
		if name, ok := r.of(part).name(); ok {
			c.columns = append(c.columns, name)
		}
	}
	return c
}

// columns reads ADD COLUMN a int, and ADD COLUMN (a int, b int).
func (r *mysqlReader) columns(c mysqlClause) mysqlClause {
	c.action = addColumns
	c.conditional = r.take("IF", "NOT", "EXISTS")
	list := [][]mysqlToken{r.tokens[min(r.at, len(r.tokens)):]}
	if r.peek(0) == "(" {
		list = clauses(r.parens())
	}
	for _, tokens := range list {
		d := r.of(tokens)
		switch d.peek(0) {
		case "INDEX", "KEY", "UNIQUE", "PRIMARY", "FOREIGN", "CONSTRAINT", "CHECK", "FULLTEXT", "SPATIAL":
			return mysqlClause{} // in the list of columns
		}
		d.take("IF", "NOT", "EXISTS")
		name, ok := d.name()
		if !ok {
			return mysqlClause{}
		}
		c.names = append(c.names, name)
		c.definitions = append(c.definitions, *d.of(d.tokens[d.at:]))
	}
	return c
}

// partitions reads ADD PARTITION (PARTITION p VALUES …, …).
func (r *mysqlReader) partitions(c mysqlClause) mysqlClause {
	c.conditional = r.take("IF", "NOT", "EXISTS")
	for _, part := range clauses(r.parens()) {
		d := r.of(part)
		if !d.take("PARTITION") {
			return mysqlClause{action: rewriteTable}
		}
		name, ok := d.name()
		if !ok || d.peek(0) != "VALUES" {
			return mysqlClause{action: rewriteTable}
		}
		c.names = append(c.names, name)
	}
	if len(c.names) == 0 {
		return mysqlClause{action: rewriteTable}
	}
	c.action = addPartition
	return c
}

func (r *mysqlReader) dropClause() mysqlClause {
	c := mysqlClause{action: dropColumn}
	switch {
	case r.take("PRIMARY", "KEY"):
		return mysqlClause{action: dropPrimaryKey}
	case r.take("FOREIGN", "KEY"):
		c.action = dropForeignKey
	case r.takeOne("INDEX", "KEY"):
		c.action = dropIndex
	case r.take("CONSTRAINT"), r.take("CHECK"):
		c.action = dropConstraint
	case r.take("SYSTEM", "VERSIONING"):
		return mysqlClause{action: dropVersioning}
	case r.take("PERIOD", "FOR"):
		return mysqlClause{}
	case r.take("PARTITION"):
		return mysqlClause{action: dropPartition, conditional: r.take("IF", "EXISTS")}
	default:
		r.take("COLUMN")
	}
	c.conditional = r.take("IF", "EXISTS")
	c.name, _ = r.name()
	return c
}

func (r *mysqlReader) renameClause() mysqlClause {
	c := mysqlClause{action: renameTable}
	switch {
	case r.take("COLUMN"):
		c.action = renameColumn
	case r.takeOne("INDEX", "KEY"):
		c.action = renameIndex
	default:
		r.takeOne("TO", "AS", "=")
		return c
	}
	c.conditional = r.take("IF", "EXISTS")
	c.name, _ = r.name()
	r.take("TO")
	c.to, _ = r.name()
	return c
}

// onlyData says that no clause changes a definition.
func (h *mysqlHead) onlyData() bool {
	for _, c := range h.clauses {
		if c.action != dataAction && c.action != noAction {
			return false
		}
	}
	return true
}

// addedColumn is the column, in lower case as columns are compared, that a
// statement consists of adding.
func (h *mysqlHead) addedColumn() string {
	found := ""
	for _, c := range h.clauses {
		switch {
		case c.action == noAction:
		case c.action == addColumns && len(c.names) == 1 && found == "":
			found = c.names[0]
		default:
			return ""
		}
	}
	return columnIdentity(found)
}
