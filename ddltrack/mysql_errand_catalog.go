package ddltrack

import (
	"slices"
	"strings"
)

// catalogRead is a SELECT from one table of information_schema.
type catalogRead struct {
	table                 string // in capitals
	alias                 string
	projection, condition []mysqlToken // what stands before FROM, and behind the table
	from, to              int          // the table with its alias, in the text
}

// readsCatalog reads what follows SELECT, where it is from one table of
// information_schema that is the same for everybody on the server, or from the one
// that lists the databases: then it gives the statement with SCHEMATA for that
// table, under the name that the rest of it knows.
func (r *mysqlReader) readsCatalog() (MySQLErrand, string) {
	c, ok := r.catalogRead()
	if !ok || !r.isPlainOf(c) {
		return MySQLNeedsDatabase, ""
	}
	if slices.Contains(serverCatalog, c.table) {
		return MySQLAsks, ""
	}
	if c.table != "SCHEMATA" {
		return MySQLNeedsDatabase, ""
	}
	table := "SCHEMATA AS `" + strings.ReplaceAll(c.alias, "`", "``") + "`"
	return MySQLReadsDatabases, r.sql[r.tokens[0].start:c.from] + table + r.sql[c.to:r.tokens[len(r.tokens)-1].end]
}

// catalogRead reads what follows SELECT up to the table. Nothing behind it may
// name another one.
func (r *mysqlReader) catalogRead() (c catalogRead, ok bool) {
	rest := r.rest()
	from := slices.IndexFunc(rest, func(t mysqlToken) bool { return t.upper == "FROM" })
	if from < 0 || from+1 == len(rest) || rest[from+1].upper == "." {
		return catalogRead{}, false
	}
	behind := r.of(rest[from+1:])
	database, table, ok := behind.qualified()
	if !ok || !strings.EqualFold(database, "information_schema") {
		return catalogRead{}, false
	}
	c = catalogRead{table: strings.ToUpper(table), alias: table, projection: rest[:from], from: behind.tokens[0].start}
	if named := behind.take("AS"); named || !behind.beginsCondition() {
		if c.alias, ok = behind.name(); !ok {
			return catalogRead{}, false
		}
	}
	c.to = behind.tokens[behind.at-1].end
	c.condition = behind.rest()
	return c, behind.beginsCondition()
}

// beginsCondition says whether a table's rows are chosen from here on, or nothing
// comes any more.
func (r *mysqlReader) beginsCondition() bool {
	return r.done() || slices.Contains([]string{"WHERE", "ORDER", "LIMIT"}, r.peek(0))
}

// isPlainOf is isPlain for the columns of these tables, and for the names that the
// statement gives them.
func (r *mysqlReader) isPlainOf(c catalogRead) bool {
	named := catalogColumns
	for i, t := range c.projection {
		if t.kind == word && (upperAt(c.projection, i-1) == "AS" || isAlias(c.projection, i)) {
			named = append(slices.Clip(named), t.upper)
		}
	}
	for _, tokens := range [][]mysqlToken{c.projection, c.condition} {
		var expression []mysqlToken
		for i := 0; i < len(tokens); i++ {
			t := tokens[i]
			if r.qualifies(c.alias, tokens[i:]) {
				i++ // the column follows the dot
				continue
			}
			switch {
			case t.kind == word && slices.Contains(catalogClauses, t.upper):
				t.upper = "AND" // stands for any word that expressions may follow
			case t.kind == word && slices.Contains(named, t.upper):
				t.upper = "NULL" // stands for any word that may be there
			}
			expression = append(expression, t)
		}
		if !r.isPlain(expression) && len(tokens) > 0 {
			return false
		}
	}
	return len(c.projection) > 0
}

// isAlias says whether a word names the column before it, as it may without AS.
func isAlias(tokens []mysqlToken, i int) bool {
	if i == 0 || i+1 < len(tokens) && tokens[i+1].upper != "," {
		return false
	}
	before := tokens[i-1]
	return before.kind == quotedName || before.kind == text || before.upper == ")" || slices.Contains(catalogColumns, before.upper)
}

// qualifies says whether the tokens begin with the table's name before one of its
// columns. What is called behind a name and a dot is a stored routine.
func (r *mysqlReader) qualifies(table string, tokens []mysqlToken) bool {
	if len(tokens) < 3 || tokens[1].upper != "." || upperAt(tokens, 3) == "(" || upperAt(tokens, 3) == "." {
		return false
	}
	return (tokens[0].kind == word || tokens[0].kind == quotedName) && strings.EqualFold(r.unquoted(tokens[0]), table)
}

// serverCatalog are the tables of information_schema that tell of the server only.
var serverCatalog = []string{"CHARACTER_SETS", "COLLATIONS", "COLLATION_CHARACTER_SET_APPLICABILITY", "ENGINES", "KEYWORDS", "SQL_FUNCTIONS"}

// catalogColumns are the columns of these tables and of SCHEMATA.
var catalogColumns = []string{
	"CHARACTER_SET_NAME", "DEFAULT_COLLATE_NAME", "DESCRIPTION", "MAXLEN",
	"COLLATION_NAME", "FULL_COLLATION_NAME", "ID", "IS_DEFAULT", "IS_COMPILED", "SORTLEN", "PAD_ATTRIBUTE", "COMMENT",
	"ENGINE", "SUPPORT", "TRANSACTIONS", "XA", "SAVEPOINTS",
	"WORD", "RESERVED", "FUNCTION",
	"CATALOG_NAME", "SCHEMA_NAME", "DEFAULT_CHARACTER_SET_NAME", "DEFAULT_COLLATION_NAME", "SQL_PATH", "SCHEMA_COMMENT", "DEFAULT_ENCRYPTION",
	"ASC", "DESC",
}

// catalogClauses are what stands between clauses.
var catalogClauses = []string{"WHERE", "ORDER", "BY"}
