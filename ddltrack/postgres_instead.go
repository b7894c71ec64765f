package ddltrack

import (
	"fmt"
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
	"google.golang.org/protobuf/proto"
)

// explainInstead runs the statement text, an EXPLAIN ANALYZE that makes a table,
// through the journal's function; empty where that can't be.
func explainInstead(text string, e *pg_query.ExplainStmt, into *pg_query.IntoClause) string {
	statement, typed := dollarQuote(text), ""
	if parameters, template := parameterized(text); len(parameters) > 0 {
		if typed = typing(e.Query); typed == "" || len(parameters) > maxParameters {
			return ""
		}
		statement = "pg_catalog.format(" + dollarQuote(template)
		for _, p := range parameters {
			statement += ", " + p + ", pg_catalog.format_type(pg_catalog.pg_typeof(" + p + "), -1)"
		}
		statement += ")"
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
	return typed + "SELECT * FROM pg_catalog.tenantsdb_explain(" + statement + ", " + dollarQuote(into.Rel.Relname) +
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

// maxParameters is how many parameters format takes, two arguments each beside
// the template; no function takes more than 100 arguments.
const maxParameters = 49

// parameterized lists the parameters of sql, as "$1", in the order in which it
// first names them, and gives a template for format, which puts the value and
// the type of each in its place: what EXPLAIN shows of a parameter is its value.
func parameterized(sql string) (parameters []string, template string) {
	var b strings.Builder
	number := make(map[string]int)
	l := lexer{sql: sql}
	for {
		k, start := l.next()
		if k == end {
			return parameters, b.String()
		}
		if k != mark || sql[start] != '$' || l.pos == len(sql) || !isDigit(sql[l.pos]) {
			b.WriteString(strings.ReplaceAll(sql[start:l.pos], "%", "%%"))
			continue
		}
		for l.pos < len(sql) && isDigit(sql[l.pos]) {
			l.pos++
		}
		name := sql[start:l.pos]
		if number[name] == 0 {
			parameters = append(parameters, name)
			number[name] = 2*len(parameters) - 1
		}
		fmt.Fprintf(&b, "(%%%d$L::%%%d$s)", number[name], number[name]+1)
	}
}

// typing is a WITH clause of the query that n runs, from which the server learns
// the parameters' types as it would from n. It refers to nothing, so it is not
// run. Empty where there can be none.
func typing(n *pg_query.Node) string {
	if query := n.GetCreateTableAsStmt().GetQuery(); query != nil {
		n = query
	}
	if n.GetSelectStmt() == nil || modifies(n.GetSelectStmt()) {
		return "" // EXECUTE has no parameters that could be seen here
	}
	n, ok := proto.Clone(n).(*pg_query.Node)
	if !ok {
		return ""
	}
	first := n.GetSelectStmt()
	for first.Larg != nil {
		first = first.Larg
	}
	first.IntoClause = nil
	sql, err := pg_query.Deparse(&pg_query.ParseResult{Stmts: []*pg_query.RawStmt{{Stmt: n}}})
	if err != nil {
		return ""
	}
	return "WITH tenantsdb AS (" + sql + ") "
}

// modifies says whether a WITH clause of s changes data, which is allowed at the
// top of a statement only.
func modifies(s *pg_query.SelectStmt) bool {
	return slices.ContainsFunc(s.GetWithClause().GetCtes(), func(n *pg_query.Node) bool {
		return n.GetCommonTableExpr().GetCtequery().GetSelectStmt() == nil
	})
}

// dollarQuote is s as a literal that no setting of the session reads otherwise.
func dollarQuote(s string) string {
	quote := "$tenantsdb$"
	for strings.Contains(s, quote) {
		quote = quote[:len(quote)-1] + "_$"
	}
	return quote + s + quote
}
