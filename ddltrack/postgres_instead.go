package ddltrack

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// explainInstead runs the statement text, an EXPLAIN ANALYZE that makes a table,
// through the journal's function; empty where that can't be.
func explainInstead(text string, e *pg_query.ExplainStmt, into *pg_query.IntoClause) string {
	if hasParameter(text) {
		return "" // the function has none to give
	}
	plan := "text"
	for _, option := range e.Options {
		if d := option.GetDefElem(); d.GetDefname() == "format" {
			switch format := strings.ToLower(d.GetArg().GetString_().GetSval()); format {
			case "json", "xml":
				plan = format
			default:
				plan = "text"
			}
		}
	}
	return "SELECT * FROM pg_catalog.tenantsdb_explain(" + dollarQuote(text) + ", " + dollarQuote(into.Rel.Relname) +
		", NULL::pg_catalog." + plan + `) AS _ ("QUERY PLAN")`
}

// clusterInstead is CLUSTER … USING through the journal's procedure; empty where
// it has an option that the procedure does not know.
func clusterInstead(c *pg_query.ClusterStmt) string {
	verbose := ""
	for _, option := range c.Params {
		d := option.GetDefElem()
		if d.GetDefname() != "verbose" {
			return ""
		}
		verbose = ""
		if !isFalse(d.GetArg()) {
			verbose = "(VERBOSE)"
		}
	}
	var table []string
	for _, name := range []string{c.Relation.Catalogname, c.Relation.Schemaname, c.Relation.Relname} {
		if name != "" {
			table = append(table, quoteIdent(name))
		}
	}
	return "CALL pg_catalog.tenantsdb_cluster(" + dollarQuote(strings.Join(table, ".")) + ", " + dollarQuote(c.Indexname) + ", '" + verbose + "')"
}

// hasParameter says whether sql names a parameter, as in $1.
func hasParameter(sql string) bool {
	l := lexer{sql: sql}
	for {
		k, start := l.next()
		if k == end {
			return false
		}
		if k == mark && sql[start] == '$' && l.pos < len(sql) && isDigit(sql[l.pos]) {
			return true
		}
	}
}

// dollarQuote is s as a literal that no setting of the session reads otherwise.
func dollarQuote(s string) string {
	quote := "$tenantsdb$"
	for strings.Contains(s, quote) {
		quote = quote[:len(quote)-1] + "_$"
	}
	return quote + s + quote
}
