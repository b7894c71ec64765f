package ddltrack

import (
	"slices"
	"strings"
)

// What bounds how many rows a SELECT that needs no database goes through, as no
// workspace's limits do.
const (
	maxCatalogTables  = 2
	maxCatalogSelects = 8
)

// catalogReader walks a SELECT that is from tables of information_schema, or from
// what it selects itself.
type catalogReader struct {
	*mysqlReader
	names     []string // of tables and columns, in capitals, that the statement gives or that these tables have
	plain     []mysqlToken
	tables    int
	selects   int
	databases bool   // SCHEMATA is among the tables
	of        string // the text up to written, with SCHEMATA in place of that table
	written   int
}

// readsCatalog reads what follows SELECT, where it is from tables of
// information_schema that are the same for everybody on the server, or from the one
// that lists the databases: then it gives the statement with SCHEMATA for that
// table, under the name that the rest of it knows.
func (r *mysqlReader) readsCatalog() (MySQLErrand, string) {
	c := catalogReader{mysqlReader: r, names: catalogColumns, selects: 1, written: r.tokens[0].start}
	if !c.walk() || c.tables > maxCatalogTables || c.selects > maxCatalogSelects || !c.isPlain(c.plain) {
		return MySQLNeedsDatabase, ""
	}
	if !c.databases {
		return MySQLAsks, ""
	}
	return MySQLReadsDatabases, c.of + r.sql[c.written:r.tokens[len(r.tokens)-1].end]
}

// walk has in plain what is left of the statement as one list of expressions: it
// passes the tables, and has what may be anywhere in the place of clauses and names.
// It gives up where a table may stand that is none of information_schema's.
func (c *catalogReader) walk() bool {
	c.giveNames()
	lists := []bool{false} // whether commas stand between tables, by parentheses
	table := false         // one comes next
	for !c.done() {
		last := len(lists) - 1
		switch t := c.tokens[c.at]; {
		case c.peek(1) == "." && slices.Contains(catalogClauses, t.upper):
			return false // it is a name
		case t.upper == "(":
			lists = append(lists, table)
		case t.upper == ")" && last == 0:
			return false
		case t.upper == ")":
			lists, table = lists[:last], false
		case t.upper == ",":
			table = lists[last]
		case t.upper == "FROM" || t.upper == "JOIN" || t.upper == "STRAIGHT_JOIN":
			lists[last], table = true, true
		case t.upper == "SELECT":
			c.selects++
			lists[last], table = false, false
		case slices.Contains(catalogClauses, t.upper):
			lists[last], table = lists[last] && slices.Contains(joinWords, t.upper), false
		case table:
			if !c.takeTable() {
				return false
			}
			table = false
			continue
		}
		if !c.takePlain() {
			return false
		}
	}
	return true
}

// giveNames collects what the statement calls its tables and columns. A reserved
// word may be a name in quotes, without which it would not mean that name.
func (c *catalogReader) giveNames() {
	c.names = slices.Clone(c.names)
	rest := c.rest()
	for i, t := range rest {
		if i > 0 && (rest[i-1].upper == "AS" || c.isAlias(rest, i)) && (t.kind == word || t.kind == quotedName) {
			if name := strings.ToUpper(c.unquoted(t)); name != "" && !isDigit(name[0]) && !slices.Contains(mysqlReserved, name) {
				c.names = append(c.names, name)
			}
		}
	}
}

// isAlias says whether a word names what is before it, as it may without AS.
func (c *catalogReader) isAlias(tokens []mysqlToken, i int) bool {
	if i+1 < len(tokens) && tokens[i+1].upper != "," && tokens[i+1].upper != ")" && !slices.Contains(catalogClauses, tokens[i+1].upper) {
		return false
	}
	if slices.Contains(catalogClauses, tokens[i].upper) || slices.Contains(plainWords, tokens[i].upper) {
		return false
	}
	before := tokens[i-1]
	return before.kind == quotedName || before.kind == text || before.upper == ")" ||
		before.kind == word && (isDigit(before.upper[0]) || slices.Contains(catalogColumns, before.upper) || upperAt(tokens, i-2) == ".")
}

// takeTable passes a table.
func (c *catalogReader) takeTable() bool {
	if c.peek(0) == "." {
		return false
	}
	if c.peek(1) != "." && c.take("DUAL") {
		c.plain = append(c.plain, mysqlToken{kind: word, upper: "NULL"})
		return true
	}
	from := c.tokens[c.at].start
	database, table, ok := c.qualified()
	if !ok || !strings.EqualFold(database, "information_schema") || c.peek(0) == "." {
		return false
	}
	c.tables++
	c.names = append(c.names, strings.ToUpper(table))
	c.plain = append(c.plain, mysqlToken{kind: word, upper: "NULL"})
	if slices.Contains(serverCatalog, strings.ToUpper(table)) {
		return true
	}
	if !strings.EqualFold(table, "SCHEMATA") {
		return false
	}
	c.databases = true
	c.of += c.sql[c.written:from] + "SCHEMATA"
	if !c.isNamed() {
		c.of += " AS `" + strings.ReplaceAll(table, "`", "``") + "`"
	}
	c.written = c.tokens[c.at-1].end
	return true
}

// isNamed says whether a name for the table before it comes next.
func (c *catalogReader) isNamed() bool {
	if c.done() || slices.Contains(catalogClauses, c.peek(0)) {
		return false
	}
	kind := c.tokens[c.at].kind
	return kind == word || kind == quotedName
}

// takePlain passes a token, or a column with its table, which stands for any word
// that may be there. What is called behind a name and a dot is a stored routine.
func (c *catalogReader) takePlain() bool {
	t := c.tokens[c.at]
	c.at++
	known := (t.kind == word || t.kind == quotedName) && slices.Contains(c.names, strings.ToUpper(c.unquoted(t)))
	switch {
	case known && c.peek(0) == ".":
		if isWordBehindDot(c.tokens, c.at+1) {
			return false
		}
		if c.at += 2; c.at > len(c.tokens) || c.peek(0) == "(" || c.peek(0) == "." {
			return false
		}
		t = mysqlToken{kind: word, upper: "NULL"}
	case t.kind == word && slices.Contains(catalogClauses, t.upper):
		t.upper = "AND" // an expression may follow it
	case t.kind == word && known && c.peek(0) != "(":
		t.upper = "NULL"
	}
	c.plain = append(c.plain, t)
	return true
}

// serverCatalog are the tables of information_schema that tell of the server and the
// session only.
var serverCatalog = []string{
	"CHARACTER_SETS", "COLLATIONS", "COLLATION_CHARACTER_SET_APPLICABILITY", "ENGINES", "GLOBAL_STATUS", "GLOBAL_VARIABLES", "KEYWORDS", "PLUGINS",
	"SESSION_STATUS", "SESSION_VARIABLES", "SQL_FUNCTIONS", "USER_PRIVILEGES",
}

// catalogColumns are the columns of these tables and of SCHEMATA.
var catalogColumns = []string{
	"CHARACTER_SET_NAME", "DEFAULT_COLLATE_NAME", "DESCRIPTION", "MAXLEN",
	"COLLATION_NAME", "FULL_COLLATION_NAME", "ID", "IS_DEFAULT", "IS_COMPILED", "SORTLEN", "PAD_ATTRIBUTE", "COMMENT",
	"ENGINE", "SUPPORT", "TRANSACTIONS", "XA", "SAVEPOINTS",
	"VARIABLE_NAME", "VARIABLE_VALUE",
	"WORD", "RESERVED", "FUNCTION",
	"PLUGIN_NAME", "PLUGIN_VERSION", "PLUGIN_STATUS", "PLUGIN_TYPE", "PLUGIN_TYPE_VERSION", "PLUGIN_LIBRARY", "PLUGIN_LIBRARY_VERSION",
	"PLUGIN_AUTHOR", "PLUGIN_DESCRIPTION", "PLUGIN_LICENSE", "LOAD_OPTION", "PLUGIN_MATURITY", "PLUGIN_AUTH_VERSION",
	"GRANTEE", "TABLE_CATALOG", "PRIVILEGE_TYPE", "IS_GRANTABLE",
	"CATALOG_NAME", "SCHEMA_NAME", "DEFAULT_CHARACTER_SET_NAME", "DEFAULT_COLLATION_NAME", "SQL_PATH", "SCHEMA_COMMENT", "DEFAULT_ENCRYPTION",
	"ASC", "DESC",
}

// catalogClauses are the words between the parts of a SELECT, and joinWords those of
// them between its tables.
var (
	catalogClauses = append([]string{"SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "BY", "LIMIT", "UNION", "EXISTS"}, joinWords...)
	joinWords      = []string{"JOIN", "STRAIGHT_JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "OUTER", "NATURAL", "ON", "USING"}
)
