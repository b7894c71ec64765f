package ddltrack

import "strings"

// WithinDatabase is s, which ran in the database of that name, without the name
// where it stands before a schema's: in no other database that means anything.
// What is in strings stays, the bodies of routines too.
func WithinDatabase(s Statement, database string) Statement {
	if !strings.Contains(strings.ToLower(s.Text), database) {
		return s
	}
	var (
		changes []insertion
		dotted  bool // the token before was a dot
	)
	for l := (lexer{sql: s.Text}); ; {
		k, start := l.next()
		switch k {
		case end:
			return changed(s, changes)
		case blank:
			continue
		case word, text:
			if schema, ok := l.behindDatabase(); !dotted && identifier(s.Text[start:l.pos]) == database && ok {
				changes = append(changes, insertion{at: start, end: schema})
			}
		}
		dotted = s.Text[start:l.pos] == "."
	}
}

// identifier is the name that a token means; empty for a string.
func identifier(token string) string {
	switch token[0] {
	case '"':
		return strings.ReplaceAll(token[1:len(token)-1], `""`, `"`)
	case '\'', '$':
		return ""
	}
	return strings.ToLower(token)
}

// behindDatabase says whether two more names follow, each behind a dot, and where
// the first one begins.
func (l lexer) behindDatabase() (schema int, ok bool) {
	for n := range 2 {
		if _, start := l.nextToken(); l.sql[start:l.pos] != "." {
			return 0, false
		}
		k, start := l.nextToken()
		if n == 0 {
			schema = start
		}
		if token := l.sql[start:l.pos]; (k != word && k != text || identifier(token) == "") && !(n == 1 && token == "*") {
			return 0, false
		}
	}
	return schema, true
}

// nextToken is next without blanks.
func (l *lexer) nextToken() (k kind, start int) {
	for k, start = l.next(); k == blank; k, start = l.next() {
	}
	return k, start
}
