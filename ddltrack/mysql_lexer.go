package ddltrack

import "strings"

// Kinds that only MySQL's texts have, beside those of the lexer of PostgreSQL.
const (
	quotedName kind = iota + partial + 1 // `name`, or "name" with ANSI_QUOTES
	executable                           // the opening or the end of a comment that is executed
)

// mysqlLexer walks a text as the server's scanner does (sql_lex.cc of both
// servers).
type mysqlLexer struct {
	sql    string
	pos    int
	mode   MySQLMode
	inside bool // of a comment that is executed
}

// next gives the next token as sql[start:l.pos].
func (l *mysqlLexer) next() (k kind, start int) {
	start = l.pos
	if start >= len(l.sql) {
		return end, start
	}
	rest := l.sql[start:]
	c := rest[0]
	switch {
	case isMySQLSpace(c):
		for l.pos < len(l.sql) && isMySQLSpace(l.sql[l.pos]) {
			l.pos++
		}
		return blank, start
	case c == '#', strings.HasPrefix(rest, "--") && (len(rest) == 2 || rest[2] <= ' '):
		l.pos = len(l.sql)
		if i := strings.IndexByte(rest, '\n'); i >= 0 {
			l.pos = start + i
		}
		return blank, start
	case l.inside && strings.HasPrefix(rest, "*/"):
		l.pos += len("*/")
		l.inside = false
		return executable, start
	case strings.HasPrefix(rest, "/*"):
		return l.comment(), start
	case c == '\'':
		return l.quoted('\'', text), start
	case c == '`':
		return l.quoted('`', quotedName), start
	case c == '"' && l.mode.ANSIQuotes:
		return l.quoted('"', quotedName), start
	case c == '"':
		return l.quoted('"', text), start
	case isMySQLWordPart(c):
		return l.word(), start
	}
	l.pos++
	return mark, start
}

// word passes a keyword, a name or a number. The prefix of a string (N'…',
// X'…', _utf8mb4'…') is a word of its own, which splitting may take it for.
func (l *mysqlLexer) word() kind {
	for l.pos < len(l.sql) && isMySQLWordPart(l.sql[l.pos]) {
		l.pos++
	}
	return word
}

// comment passes a comment, or the opening of one that is executed.
func (l *mysqlLexer) comment() kind {
	rest := l.sql[l.pos:]
	if opening, executed := l.opening(rest); executed && !l.inside {
		l.pos += opening
		l.inside = true
		return executable
	}
	i := strings.Index(rest[len("/*"):], "*/")
	if i < 0 {
		l.pos = len(l.sql)
		return partial
	}
	l.pos += len("/*") + i + len("*/")
	return blank
}

// opening is the length of "/*!40101" at the start of s, and whether the server
// runs what follows.
func (l *mysqlLexer) opening(s string) (length int, executed bool) {
	length = len("/*!")
	maria := strings.HasPrefix(s, "/*M!")
	if maria {
		length++
	} else if !strings.HasPrefix(s, "/*!") {
		return 0, false
	}
	digits := 0
	for length+digits < len(s) && isDigit(s[length+digits]) && digits < 6 {
		digits++
	}
	version := 0
	if digits >= 5 {
		for _, c := range []byte(s[length : length+digits]) {
			version = version*10 + int(c-'0')
		}
		length += digits
	}
	return length, l.mode.executes(maria, version)
}

// quoted passes a quote, whose opening is one byte.
func (l *mysqlLexer) quoted(quote byte, k kind) kind {
	escapes := k == text && !l.mode.NoBackslashEscapes
	for l.pos++; l.pos < len(l.sql); l.pos++ {
		switch c := l.sql[l.pos]; {
		case c == '\\' && escapes:
			l.pos++
		case c == quote && l.pos+1 < len(l.sql) && l.sql[l.pos+1] == quote:
			l.pos++
		case c == quote:
			l.pos++
			return k
		}
	}
	l.pos = len(l.sql)
	return partial
}

func isMySQLSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// isMySQLWordPart says whether c may stand in a name without quotes.
func isMySQLWordPart(c byte) bool { return isWordStart(c) || isDigit(c) || c == '$' }
