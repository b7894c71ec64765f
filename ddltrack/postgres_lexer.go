package ddltrack

import "strings"

// kind is what a token of SQL text is. Only as much is told apart as splitting
// needs.
type kind int

const (
	end     kind = iota
	blank        // white space or a comment
	word         // keyword, identifier without quotes, or number
	text         // string, quoted identifier, dollar-quoted string
	mark         // one byte of anything else
	partial      // a comment or a quote that does not end
)

// lexer walks SQL text as the server's scanner does (scan.l).
type lexer struct {
	sql string
	pos int
	// escapes: a backslash is special in a plain string, as it is where
	// standard_conforming_strings is off.
	escapes bool
}

// next gives the next token as sql[start:l.pos].
func (l *lexer) next() (k kind, start int) {
	start = l.pos
	if start >= len(l.sql) {
		return end, start
	}
	rest := l.sql[start:]
	c := rest[0]
	switch {
	case isSpace(c):
		for l.pos < len(l.sql) && isSpace(l.sql[l.pos]) {
			l.pos++
		}
		return blank, start
	case strings.HasPrefix(rest, "--"):
		l.pos = len(l.sql)
		if i := strings.IndexAny(rest, "\n\r"); i >= 0 {
			l.pos = start + i
		}
		return blank, start
	case strings.HasPrefix(rest, "/*"):
		return l.comment(), start
	case c == '\'':
		return l.quoted('\'', 1, l.escapes), start
	case c == '"':
		return l.quoted('"', 1, false), start
	case c == '$':
		if tag := dollarTag(rest); tag != "" {
			return l.dollar(tag), start
		}
	case (c == 'E' || c == 'e') && strings.HasPrefix(rest[1:], "'"):
		return l.quoted('\'', 2, true), start
	case (c == 'B' || c == 'b' || c == 'X' || c == 'x' || c == 'N' || c == 'n') && strings.HasPrefix(rest[1:], "'"):
		return l.quoted('\'', 2, l.escapes && (c == 'N' || c == 'n')), start
	case (c == 'U' || c == 'u') && strings.HasPrefix(rest[1:], "&'"):
		return l.quoted('\'', 3, false), start
	case (c == 'U' || c == 'u') && strings.HasPrefix(rest[1:], `&"`):
		return l.quoted('"', 3, false), start
	case isWordStart(c) || isDigit(c):
		for l.pos < len(l.sql) && isWordPart(l.sql[l.pos]) {
			l.pos++
		}
		return word, start
	}
	l.pos++
	return mark, start
}

// comment passes a block comment; they nest.
func (l *lexer) comment() kind {
	depth := 1
	for l.pos += 2; depth > 0; {
		i := strings.IndexAny(l.sql[l.pos:], "*/")
		if i < 0 || l.pos+i+1 >= len(l.sql) {
			l.pos = len(l.sql)
			return partial
		}
		l.pos += i
		switch l.sql[l.pos : l.pos+2] {
		case "/*":
			depth++
			l.pos += 2
		case "*/":
			depth--
			l.pos += 2
		default:
			l.pos++
		}
	}
	return blank
}

// quoted passes a quote whose opening takes prefix bytes.
func (l *lexer) quoted(quote byte, prefix int, escapes bool) kind {
	for l.pos += prefix; l.pos < len(l.sql); l.pos++ {
		switch c := l.sql[l.pos]; {
		case c == '\\' && escapes:
			l.pos++
		case c == quote && l.pos+1 < len(l.sql) && l.sql[l.pos+1] == quote:
			l.pos++
		case c == quote:
			l.pos++
			return text
		}
	}
	l.pos = len(l.sql)
	return partial
}

func (l *lexer) dollar(tag string) kind {
	l.pos += len(tag)
	i := strings.Index(l.sql[l.pos:], tag)
	if i < 0 {
		l.pos = len(l.sql)
		return partial
	}
	l.pos += i + len(tag)
	return text
}

// dollarTag is the opening of a dollar quote at the start of s: "$$" or "$x$".
func dollarTag(s string) string {
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '$':
			return s[:i+1]
		case !isWordStart(c) && (i == 1 || !isDigit(c)):
			return ""
		}
	}
	return ""
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func isWordPart(c byte) bool { return isWordStart(c) || isDigit(c) || c == '$' }

// significant is the part of sql between its first and its last token that is
// not white space or a comment, and where it begins.
func significant(sql string, escapes bool) (part string, at int) {
	l := lexer{sql: sql, escapes: escapes}
	first, last := -1, 0
	for {
		k, start := l.next()
		if k == end {
			break
		}
		if k == blank {
			continue
		}
		if first < 0 {
			first = start
		}
		last = l.pos
	}
	if first < 0 {
		return "", 0
	}
	return sql[first:last], first
}
