package ddltrack

import (
	"strconv"
	"strings"
)

// FindNested is Find for a command that a routine ran. context is the server's
// context lines (PG_CONTEXT), innermost first; sources are the bodies of the
// SQL functions that it may name.
func FindNested(context string, sources []string, standardStrings bool, c Command) (Statement, bool) {
	if rest, ok := strings.CutPrefix(context, `SQL statement "`); ok {
		return findExecuted(rest, standardStrings, c)
	}
	line, _, _ := strings.Cut(context, "\n")
	_, number, ok := strings.Cut(line, `" statement `)
	if !ok {
		return Statement{}, false
	}
	nth, err := strconv.Atoi(number)
	if err != nil {
		return Statement{}, false
	}
	for _, source := range sources {
		list := Split(source, standardStrings)
		if nth < 1 || nth > len(list) {
			continue
		}
		if s := list[nth-1]; s.tagIs(c.Tag) && s.about(c) {
			return s, true
		}
	}
	return Statement{}, false
}

// maxEnds is how many ends of an executed text are tried.
const maxEnds = 64

// findExecuted finds the command in the text that ends with one of the quotes
// before a line's end in rest: the text may hold such quotes too, so the first
// end that leaves a fitting statement is taken. A text that ran has whole tokens
// only, so few of the quotes within one of them are looked at.
func findExecuted(rest string, standardStrings bool, c Command) (Statement, bool) {
	l := lexer{sql: rest, escapes: !standardStrings}
	tried := 0
	for k, start := l.next(); k != end && tried < maxEnds; k, start = l.next() {
		for at := start; at < l.pos && tried < maxEnds; at++ {
			if !mayClose(rest, start, at, l.pos) {
				continue
			}
			tried++
			list := Split(rest[:at], standardStrings)
			if s, ok := nthOf(list, c); ok && s.node != nil {
				return s, true
			}
		}
	}
	if i := strings.LastIndexByte(rest, '"'); i >= 0 {
		return nthOf(Split(rest[:i], standardStrings), c)
	}
	return Statement{}, false
}

// mayClose says whether an executed text may end at sql[at], of the token
// sql[start:stop]: at a quote that is the last of its line, and that begins the
// token, or ends a comment, or follows the last quote of a name. The lexer counts
// it to the comment, and takes the two for one of the name's.
func mayClose(sql string, start, at, stop int) bool {
	if sql[at] != '"' || at+1 < len(sql) && sql[at+1] != '\n' {
		return false
	}
	token := sql[start:stop]
	return at == start || at == stop-1 && strings.HasPrefix(token, "--") ||
		at-1 > start && sql[at-1] == '"' && isQuotedName(token)
}

// isQuotedName says whether a token is an identifier in double quotes.
func isQuotedName(token string) bool {
	return token[0] == '"' || len(token) > 2 && strings.EqualFold(token[:2], "u&") && token[2] == '"'
}

// nthOf is Find for a text that may have been run several times.
func nthOf(list []Statement, c Command) (Statement, bool) {
	var firing []Statement
	for _, s := range list {
		if s.fires() {
			firing = append(firing, s)
		}
	}
	if len(firing) == 0 {
		return Statement{}, false
	}
	return choose(firing, firing[c.Ordinal%len(firing):][:1], c)
}
