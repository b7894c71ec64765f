package ddltrack

import (
	"slices"
	"strings"
)

// setsSession reads what follows SET, where it changes the session only.
func (r *mysqlReader) setsSession() bool {
	if r.take("TRANSACTION") || r.take("SESSION", "TRANSACTION") || r.take("LOCAL", "TRANSACTION") {
		return !r.done() && onlyWords(r.rest(), "ISOLATION", "LEVEL", "READ", "COMMITTED", "UNCOMMITTED", "REPEATABLE", "SERIALIZABLE", "ONLY", "WRITE", ",")
	}
	for _, clause := range clauses(r.rest()) {
		if c := r.of(clause); !c.isSetting() {
			return false
		}
	}
	return true
}

// isSetting reads one of the things that SET sets.
func (r *mysqlReader) isSetting() bool {
	if next := r.peek(1); next != "=" && next != ":" && (r.takeOne("NAMES", "CHARSET") || r.take("CHARACTER", "SET")) {
		return r.isCharacterSet()
	}
	return r.isVariable() && (r.take("=") || r.take(":", "=")) && r.isValue()
}

// isCharacterSet reads a character set and perhaps its collation.
func (r *mysqlReader) isCharacterSet() bool {
	if !r.isWordOrText() {
		return false
	}
	return r.done() || r.take("COLLATE") && r.isWordOrText() && r.done()
}

// isWordOrText passes one word or one string.
func (r *mysqlReader) isWordOrText() bool {
	if r.done() {
		return false
	}
	r.at++
	return isWordOrText(r.tokens[r.at-1])
}

// isWordOrText takes what double quotes enclose for either.
func isWordOrText(t mysqlToken) bool {
	return t.kind == word || t.kind == text || t.kind == quotedName
}

// isVariable passes a variable of the session, or one of the client's own. What
// has no @ and is no variable (PASSWORD, ROLE) begins a statement of its own.
func (r *mysqlReader) isVariable() bool {
	switch {
	case r.take("@", "@"):
		if r.takeOne("SESSION", "LOCAL") && !r.take(".") {
			return false
		}
	case r.take("@"):
		return r.isWordOrText()
	default:
		r.takeOne("SESSION", "LOCAL")
	}
	if r.takeOne("PASSWORD", "ROLE", "GLOBAL", "PERSIST", "PERSIST_ONLY", "STATEMENT") || r.done() {
		return false
	}
	r.at++
	return r.tokens[r.at-1].kind == word
}

// isValue reads what a variable is set to: an expression, or a word such as
// DEFAULT, ON or utf8mb4.
func (r *mysqlReader) isValue() bool {
	rest := r.rest()
	if len(rest) == 1 {
		return isWordOrText(rest[0])
	}
	return r.isPlain(rest)
}

// isPlain says whether an expression, or a list of them with their names, has
// only what is known to reach nothing beyond the server's and the session's own
// settings.
func (r *mysqlReader) isPlain(tokens []mysqlToken) bool {
	if len(tokens) == 0 {
		return false
	}
	for i, t := range tokens {
		before, after := upperAt(tokens, i-1), upperAt(tokens, i+1)
		called := after == "("
		switch t.kind {
		case text:
		case quotedName:
			if called || after == "." || before == "." {
				return false
			}
		case word:
			named := before == "@" && !isApart(tokens, i) || before == "." && isName(tokens, i-2) && !isWordBehindDot(tokens, i) ||
				before == "AS" || before == "COLLATE"
			switch {
			case called && (before == "." || before == "@" || !slices.Contains(plainFunctions, t.upper)):
				return false
			case isDigit(t.upper[0]):
				if !isNumber(t.upper) {
					return false
				}
			case called, named:
			case after == "." && before == "@" && upperAt(tokens, i-2) == "@":
			case !slices.Contains(plainWords, t.upper):
				return false
			}
		case mark: // := sets a variable
			if t.upper == "{" || t.upper == ":" || t.upper == "?" || t.upper == "\\" {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// isName says whether the token with that number is a name, behind which a dot
// begins another one: behind a number it is the number's own.
func isName(tokens []mysqlToken, i int) bool {
	return i >= 0 && (tokens[i].kind == quotedName || tokens[i].kind == word && !isDigit(tokens[i].upper[0]))
}

// isApart says whether the token with that number does not begin where the one
// before it ends.
func isApart(tokens []mysqlToken, i int) bool {
	return i > 0 && i < len(tokens) && tokens[i].start != tokens[i-1].end
}

// isWordBehindDot says whether the token with that number, behind a dot, is a word
// of the language all the same: a dot right before a word makes it a name.
func isWordBehindDot(tokens []mysqlToken, i int) bool {
	return isApart(tokens, i) && slices.Contains(mysqlReserved, tokens[i].upper)
}

// isNumber says whether a word that begins with a digit is one number, or what
// follows its dot. Of others servers take the front for a number, and read on
// right behind it: 1e5FROM is two words.
func isNumber(upper string) bool {
	digits, of := upper, "0123456789"
	if exponent := strings.TrimLeft(upper, of); strings.HasPrefix(exponent, "E") {
		digits = exponent[1:]
	} else if strings.HasPrefix(upper, "0X") {
		digits, of = upper[2:], of+"ABCDEF"
	}
	return digits != "" && strings.Trim(digits, of) == ""
}

// upperAt is the word or the mark with that number; empty for others.
func upperAt(tokens []mysqlToken, i int) string {
	if i < 0 || i >= len(tokens) {
		return ""
	}
	return tokens[i].upper
}

// onlyWords says whether the tokens are of these words and marks.
func onlyWords(tokens []mysqlToken, words ...string) bool {
	for _, t := range tokens {
		if !slices.Contains(words, t.upper) {
			return false
		}
	}
	return true
}

// plainWords may stand anywhere in an expression: operators, constants, types,
// functions without parentheses, and the columns that SHOW filters by.
var plainWords = []string{
	"ALL", "AND", "AS", "BETWEEN", "BINARY", "CASE", "COLLATE", "DISTINCT", "DIV", "ELSE", "END", "FALSE", "IN", "IS", "LIKE", "LIMIT", "MOD",
	"NOT", "NULL", "OFFSET", "OR", "REGEXP", "RLIKE", "SQL_NO_CACHE", "THEN", "TRUE", "USING", "WHEN", "XOR",
	"CHAR", "CHARACTER", "SET", "DATE", "DATETIME", "DECIMAL", "SIGNED", "TIME", "UNSIGNED", "INTEGER", "UTF8", "UTF8MB3", "UTF8MB4", "LATIN1", "ASCII",
	"_BINARY", "_LATIN1", "_UTF8", "_UTF8MB3", "_UTF8MB4", "N", "X", "B",
	"CURRENT_DATE", "CURRENT_ROLE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "LOCALTIME", "LOCALTIMESTAMP", "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP",
	"HOUR", "MICROSECOND", "MINUTE", "SECOND",
	"CHARSET", "COLLATION", "ID", "SCHEMA_NAME", "VALUE", "VARIABLE_NAME",
}

// plainFunctions change nothing, wait for nothing, and give little more than
// they were given. Words that stand before other parentheses are among them.
var plainFunctions = []string{
	"ABS", "AND", "CASE", "CAST", "CEIL", "CEILING", "CHAR", "CHARACTER_LENGTH", "CHARSET", "CHAR_LENGTH", "COALESCE", "COERCIBILITY", "COLLATION",
	"CONCAT", "CONCAT_WS", "CONVERT", "COUNT", "CURDATE", "CURRENT_DATE", "CURRENT_ROLE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "CURTIME",
	"DATABASE", "DATE", "DATEDIFF", "DATE_FORMAT", "DECIMAL", "DISTINCT", "DIV", "ELSE", "FIELD", "FIND_IN_SET", "FLOOR", "FROM_UNIXTIME", "GREATEST",
	"HEX", "IF", "IFNULL", "IN", "INSTR", "ISNULL", "LCASE", "LEAST", "LEFT", "LENGTH", "LIKE", "LOCALTIME", "LOCALTIMESTAMP", "LOCATE", "LOWER", "LTRIM",
	"MID", "MOD", "NOT", "NOW", "NULLIF", "OR", "RIGHT", "ROUND", "RTRIM", "SCHEMA", "SESSION_USER", "SIGN", "STRCMP", "SUBSTR", "SUBSTRING", "SUBSTRING_INDEX",
	"SYSDATE", "SYSTEM_USER", "THEN", "TIME", "TIMEDIFF", "TIMESTAMP", "TIMESTAMPDIFF", "TIME_FORMAT", "TRIM", "TRUNCATE", "UCASE", "UNHEX", "UNIX_TIMESTAMP",
	"UPPER", "USER", "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP", "UUID", "VERSION", "WHEN", "XOR",
}
