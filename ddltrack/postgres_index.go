package ddltrack

import "strings"

// WithIndexName is s, a CREATE INDEX that ended as c, with the name written out
// that the server made up: for where another server would make up another. One
// that has a name is as it was sent.
func WithIndexName(s Statement, c Command) Statement {
	index, _ := c.main()
	if s.node.GetIndexStmt() == nil || s.node.GetIndexStmt().Idxname != "" || len(index.Names) == 0 {
		return s
	}
	// Without a name, ON stands right behind INDEX or CONCURRENTLY.
	l := lexer{sql: s.Text}
	for k, start := l.next(); k != end; k, start = l.next() {
		if k == word && strings.EqualFold(s.Text[start:l.pos], "on") {
			named := single(Statement{Text: s.Text[:start] + quoteIdent(index.Names[len(index.Names)-1]) + " " + s.Text[start:]}, false)
			named.at = s.at
			return named
		}
	}
	return s
}
