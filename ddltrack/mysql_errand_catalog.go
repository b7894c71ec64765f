package ddltrack

import "slices"

// readsServerCatalog reads what follows SELECT, where it is from one table of
// information_schema that is the same for everybody on the server.
func (r *mysqlReader) readsServerCatalog() bool {
	rest := r.rest()
	from := slices.IndexFunc(rest, func(t mysqlToken) bool { return t.upper == "FROM" })
	if from < 0 || !r.isPlainOf(rest[:from]) {
		return false
	}
	behind := r.of(rest[from+1:])
	if !behind.take("INFORMATION_SCHEMA", ".") || !behind.takeOne(serverCatalog...) {
		return false
	}
	// Nothing may name another table.
	switch behind.peek(0) {
	case "WHERE", "ORDER", "LIMIT":
		return behind.isPlainOf(behind.rest())
	}
	return behind.done()
}

// isPlainOf is isPlain for the columns of serverCatalog.
func (r *mysqlReader) isPlainOf(tokens []mysqlToken) bool {
	var expression []mysqlToken
	for _, t := range tokens {
		if t.kind == word && slices.Contains(serverCatalogWords, t.upper) {
			t.upper = "NULL" // stands for any word that may be there
		}
		expression = append(expression, t)
	}
	return r.isPlain(expression)
}

// serverCatalog are the tables of information_schema that tell of the server only.
var serverCatalog = []string{"CHARACTER_SETS", "COLLATIONS", "COLLATION_CHARACTER_SET_APPLICABILITY", "ENGINES", "KEYWORDS", "SQL_FUNCTIONS"}

// serverCatalogWords are their columns, and what stands between clauses.
var serverCatalogWords = []string{
	"CHARACTER_SET_NAME", "DEFAULT_COLLATE_NAME", "DESCRIPTION", "MAXLEN",
	"COLLATION_NAME", "FULL_COLLATION_NAME", "ID", "IS_DEFAULT", "IS_COMPILED", "SORTLEN", "PAD_ATTRIBUTE", "COMMENT",
	"ENGINE", "SUPPORT", "TRANSACTIONS", "XA", "SAVEPOINTS",
	"WORD", "RESERVED", "FUNCTION",
	"WHERE", "ORDER", "BY", "ASC", "DESC",
}
