package ddltrack

import "strings"

// mysqlHead is what a statement says before its definition.
type mysqlHead struct {
	mysqlReader // stands behind what was read

	command    MySQLCommand
	statement  MySQLStatement
	verb, kind string // "CREATE", "TABLE"
	orReplace  bool
	condition  bool // IF EXISTS, IF NOT EXISTS
	temporary  bool
	objects    []MySQLObject // what it makes, changes or drops; old names of a RENAME
	renamed    []MySQLObject // new names of objects
	named      [2]int        // the tokens of those names, from the first to before the last
	on         MySQLObject   // the table of an index or of a trigger
	clauses    []mysqlClause // of ALTER TABLE
	definer    mysqlDefiner
	truncated  bool // the statement is longer than what is read
}

// readMySQL reads the head of s, and the clauses of an ALTER TABLE.
func readMySQL(s MySQLStatement, c MySQLCommand) *mysqlHead {
	h := &mysqlHead{mysqlReader: newMySQLReader(s), command: c, statement: s, truncated: len(s.Text) > maxMySQLRead}
	for h.take("(") {
	}
	h.skipStatementSettings()
	h.verb = h.peek(0)
	h.at++
	switch h.verb {
	case "CREATE", "ALTER", "DROP":
		h.modifiers()
		h.readKind()
	case "RENAME":
		if h.takeOne("TABLE", "TABLES") {
			h.kind = "TABLE"
			h.readRenames()
		}
	case "TRUNCATE":
		h.take("TABLE")
		h.kind = "TABLE"
	}
	return h
}

// skipStatementSettings passes MariaDB's SET STATEMENT a = 1, b = 2 FOR.
func (h *mysqlHead) skipStatementSettings() {
	if !h.take("SET", "STATEMENT") {
		return
	}
	for !h.done() && h.peek(0) != "FOR" {
		if h.parens() == nil {
			h.at++
		}
	}
	h.take("FOR")
}

// modifiers passes what may stand between the verb and the kind.
func (h *mysqlHead) modifiers() {
	for {
		switch {
		case h.take("OR", "REPLACE"):
			h.orReplace = true
		case h.take("TEMPORARY"):
			h.temporary = true
		case h.takeOne("UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR", "ONLINE", "OFFLINE", "IGNORE", "AGGREGATE", "JSON",
			"RELATIONAL", "DUALITY", "MATERIALIZED"):
		case h.take("ALGORITHM", "="):
			h.at++
		case h.take("SQL", "SECURITY"):
			h.at++
		case h.take("DEFINER", "="):
			h.definer = h.account()
		default:
			return
		}
	}
}

// account passes user@host, CURRENT_USER() or a role, behind DEFINER =.
func (h *mysqlHead) account() mysqlDefiner {
	d := mysqlDefiner{from: h.at - len([]string{"DEFINER", "="})}
	if !h.done() {
		d.user = h.unquoted(h.tokens[h.at])
	}
	h.at++
	if h.peek(0) == "(" {
		h.parens()
	}
	if h.take("@") {
		h.at++
	}
	d.to = h.at
	return d
}

// mysqlDefiner is the DEFINER = user@host of a statement: its tokens, from the
// first to before the last; to is 0 where there is none.
type mysqlDefiner struct {
	from, to int
	user     string
}

// readKind reads what the statement is about, and its names.
func (h *mysqlHead) readKind() {
	switch kind := h.peek(0); kind {
	case "TABLE", "TABLES", "VIEW", "SEQUENCE", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "LIBRARY", "INDEX",
		"DATABASE", "SCHEMA":
		h.kind = kind
		h.at++
	case "PACKAGE":
		h.kind = kind
		h.at++
		if h.take("BODY") {
			h.kind = "PACKAGE BODY"
		}
	default:
		return // a user, a server, a tablespace, a prepared statement, …
	}
	switch h.kind {
	case "TABLES":
		h.kind = "TABLE"
	case "SCHEMA":
		h.kind = "DATABASE"
	}
	h.condition = h.take("IF", "NOT", "EXISTS") || h.take("IF", "EXISTS")
	h.readNames()
	switch {
	case h.kind == "INDEX":
		h.readIndexTable()
	case h.kind == "TRIGGER" && h.verb == "CREATE":
		h.readTriggerTable()
	case h.kind == "TABLE" && h.verb == "ALTER":
		h.readAlter()
	case h.kind == "EVENT" && h.verb == "ALTER":
		h.readEventRename()
	}
}

// readNames reads one name, or several with commas between them.
func (h *mysqlHead) readNames() {
	h.named = [2]int{h.at, h.at}
	for {
		if h.kind == "DATABASE" {
			h.readDatabase()
			return
		}
		database, name, ok := h.qualified()
		if !ok {
			return
		}
		h.objects = append(h.objects, h.object(h.kind, database, name))
		h.named[1] = h.at
		if h.verb != "DROP" || !h.take(",") {
			return
		}
	}
}

// readDatabase reads a database's name, which ALTER DATABASE need not have.
func (h *mysqlHead) readDatabase() {
	name := h.command.Database
	switch h.peek(0) {
	case "DEFAULT", "CHARACTER", "CHARSET", "COLLATE", "COMMENT", "ENCRYPTION", "READ", "UPGRADE", "":
		if h.at < len(h.tokens) && h.tokens[h.at].kind == quotedName {
			name, _ = h.name()
		}
	default:
		name, _ = h.name()
	}
	h.objects = append(h.objects, MySQLObject{Kind: "database", Name: name})
}

// object is what a name in the statement means.
func (h *mysqlHead) object(kind, database, name string) MySQLObject {
	kind = strings.ToLower(kind)
	if database == "" {
		database = h.command.Database
	}
	if h.command.FoldNames && (kind == "table" || kind == "view" || kind == "sequence") {
		name = strings.ToLower(name)
	}
	return MySQLObject{Kind: kind, Database: database, Name: name}
}

// readIndexTable reads the ON … of an index.
func (h *mysqlHead) readIndexTable() {
	if h.takeOne("USING", "TYPE") {
		h.at++
	}
	if !h.take("ON") || len(h.objects) == 0 {
		h.objects = nil
		return
	}
	database, name, ok := h.qualified()
	if !ok {
		h.objects = nil
		return
	}
	h.on = h.object("table", database, name)
	h.objects[0].Database, h.objects[0].Table = h.on.Database, h.on.Name
}

// readTriggerTable reads BEFORE INSERT ON …; MariaDB and later versions take
// several events, and MariaDB columns of an UPDATE.
func (h *mysqlHead) readTriggerTable() {
	for !h.done() && !h.take("ON") {
		h.at++
	}
	if database, name, ok := h.qualified(); ok && len(h.objects) > 0 {
		if database == "" {
			database = h.objects[0].Database
		}
		h.on = h.object("table", database, name)
		h.objects[0].Table = h.on.Name
	}
}

// readEventRename reads the RENAME TO of ALTER EVENT, which stands between the
// schedule and the comment, before the body.
func (h *mysqlHead) readEventRename() {
	for !h.done() && h.peek(0) != "DO" && len(h.objects) > 0 {
		if h.take("RENAME", "TO") {
			if database, name, ok := h.qualified(); ok {
				h.renamed = []MySQLObject{h.object("event", database, name)}
			}
			return
		}
		if h.parens() == nil {
			h.at++
		}
	}
}

// readRenames reads the pairs of RENAME TABLE.
func (h *mysqlHead) readRenames() {
	h.condition = h.take("IF", "EXISTS")
	for {
		database, name, ok := h.qualified()
		if !ok {
			return
		}
		from := h.object("table", database, name)
		if !h.take("NOWAIT") && h.take("WAIT") {
			h.at++
		}
		if !h.take("TO") {
			return
		}
		if database, name, ok = h.qualified(); !ok {
			return
		}
		h.objects = append(h.objects, from)
		h.renamed = append(h.renamed, h.object("table", database, name))
		if !h.take(",") {
			return
		}
	}
}

// description is what the head tells.
func (h *mysqlHead) description() MySQLDescription {
	d := MySQLDescription{
		Temporary:   h.temporary && (h.verb == "DROP" || h.verb == "CREATE"),
		Conditional: h.condition || h.orReplace,
		Replaces:    h.orReplace,
		Copies:      h.copies(),
	}
	d.Operation = strings.TrimSpace(h.verb + " " + h.kind)
	d.ObjectType = strings.ToLower(h.kind)
	d.Schema = h.kind != "" && len(h.objects) > 0 && h.verb != "TRUNCATE" && !(h.kind == "DATABASE" && h.verb != "ALTER")
	for _, c := range h.clauses {
		d.Conditional = d.Conditional || c.conditional
	}
	if d.Schema && h.kind == "TABLE" && h.verb == "ALTER" && h.onlyData() {
		d.Schema = false
	}
	if len(h.objects) == 0 {
		return d
	}
	first := h.objects[0]
	d.Object, d.Identity = first.shown(h.command.Database), first.Identity()
	switch {
	case len(h.renamed) > 0:
		for i, to := range h.renamed {
			d.Renames = append(d.Renames, MySQLRename{From: h.objects[i], To: to})
		}
		d.Object, d.Identity = h.renamed[0].shown(h.command.Database), h.renamed[0].Identity()
	case h.verb == "CREATE":
		d.Creates = h.objects
	case h.verb == "DROP":
		d.Drops = h.objects
	}
	if h.verb == "ALTER" {
		d.Alters = h.objects
		if column := h.addedColumn(); column != "" {
			d.Identity = first.Identity() + "." + column
		}
	}
	if h.verb == "DROP" && len(h.objects) > 1 {
		shown := make([]string, len(h.objects))
		for i, o := range h.objects {
			shown[i] = o.shown(h.command.Database)
		}
		d.Object = strings.Join(shown, ", ")
	}
	return d
}

// copies says that a CREATE TABLE takes its columns from something else.
func (h *mysqlHead) copies() bool {
	if h.verb != "CREATE" || h.kind != "TABLE" {
		return false
	}
	rest := h.of(h.tokens[min(h.at, len(h.tokens)):])
	switch first := rest.peek(0); first {
	case "LIKE", "TABLE", "VALUES":
		return true
	case "(":
		switch rest.peek(1) {
		case "LIKE", "SELECT", "WITH", "TABLE", "VALUES", "(":
			return true
		}
	}
	return rest.has("SELECT") || rest.has("AS") || rest.has("WITH", "RECURSIVE") || rest.has("VALUES", "ROW") || rest.has(")", "TABLE")
}
