package ddltrack

import "strings"

// maxMySQLRead is how much of a statement is read, in bytes. Beyond it only
// what begins before it is known.
const maxMySQLRead = 1 << 20

// mysqlToken is one token that is not blank.
type mysqlToken struct {
	kind       kind
	start, end int
	upper      string // of a word in capitals, of a mark the mark itself; else empty
}

// mysqlReader walks the tokens of one statement.
type mysqlReader struct {
	sql    string
	mode   MySQLMode
	tokens []mysqlToken
	at     int
}

func newMySQLReader(s MySQLStatement) mysqlReader {
	r := mysqlReader{sql: s.Text[:min(len(s.Text), maxMySQLRead)], mode: s.mode}
	l := mysqlLexer{sql: r.sql, mode: s.mode}
	for {
		k, start := l.next()
		switch k {
		case end:
			return r
		case blank, executable:
			continue
		}
		t := mysqlToken{kind: k, start: start, end: l.pos}
		if k == word {
			t.upper = upper(r.sql[start:l.pos])
		} else if k == mark {
			t.upper = r.sql[start:l.pos]
		}
		r.tokens = append(r.tokens, t)
	}
}

// peek is the word or mark n tokens ahead; empty for names and strings.
func (r *mysqlReader) peek(n int) string {
	if r.at+n < len(r.tokens) {
		return r.tokens[r.at+n].upper
	}
	return ""
}

func (r *mysqlReader) done() bool { return r.at >= len(r.tokens) }

// take passes the words if all of them come next.
func (r *mysqlReader) take(words ...string) bool {
	for i, w := range words {
		if r.peek(i) != w {
			return false
		}
	}
	r.at += len(words)
	return true
}

// takeOne passes the next word if it is one of these.
func (r *mysqlReader) takeOne(words ...string) bool {
	for _, w := range words {
		if r.take(w) {
			return true
		}
	}
	return false
}

// name passes a name; ok is false where something else comes next.
func (r *mysqlReader) name() (name string, ok bool) {
	if r.done() {
		return "", false
	}
	t := r.tokens[r.at]
	if t.kind != word && t.kind != quotedName {
		return "", false
	}
	r.at++
	return r.unquoted(t), true
}

// unquoted is the name that a token means.
func (r *mysqlReader) unquoted(t mysqlToken) string {
	s := r.sql[t.start:t.end]
	if t.kind == word || len(s) < 2 {
		return s
	}
	quote := s[:1]
	return strings.ReplaceAll(s[1:len(s)-1], quote+quote, quote)
}

// qualified passes "name" or "database.name"; database is empty for the first.
func (r *mysqlReader) qualified() (database, name string, ok bool) {
	r.take(".") // ".name" means one in the session's database
	if name, ok = r.name(); !ok {
		return "", "", false
	}
	if r.peek(0) == "." {
		r.at++
		database = name
		if name, ok = r.name(); !ok {
			return "", "", false
		}
	}
	return database, name, true
}

// parens passes what stands in parentheses, if an opening one comes next, and
// gives the tokens between them.
func (r *mysqlReader) parens() []mysqlToken {
	if r.peek(0) != "(" {
		return nil
	}
	from, depth := r.at+1, 0
	for ; !r.done(); r.at++ {
		switch r.peek(0) {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				r.at++
				return r.tokens[from : r.at-1]
			}
		}
	}
	return r.tokens[from:]
}

// clauses cuts tokens at the commas that are not in parentheses.
func clauses(tokens []mysqlToken) [][]mysqlToken {
	var list [][]mysqlToken
	depth, from := 0, 0
	for i, t := range tokens {
		switch {
		case t.upper == "(":
			depth++
		case t.upper == ")":
			depth--
		case t.upper == "," && depth == 0:
			list = append(list, tokens[from:i])
			from = i + 1
		}
	}
	return append(list, tokens[from:])
}

// of is a reader of some of r's tokens.
func (r *mysqlReader) of(tokens []mysqlToken) *mysqlReader {
	return &mysqlReader{sql: r.sql, mode: r.mode, tokens: tokens}
}

// has says whether the words follow each other anywhere outside of parentheses.
func (r *mysqlReader) has(words ...string) bool {
	look, depth := *r, 0
	for look.at = 0; !look.done(); look.at++ {
		switch look.peek(0) {
		case "(":
			depth++
		case ")":
			depth--
		}
		if probe := look; depth == 0 && probe.take(words...) {
			return true
		}
	}
	return false
}
