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
// only, so no quote within one of them is looked at.
func findExecuted(rest string, standardStrings bool, c Command) (Statement, bool) {
	l := lexer{sql: rest, escapes: !standardStrings}
	for tried := 0; tried < maxEnds; {
		k, start := l.next()
		if k == end {
			break
		}
		stop, ok := closing(rest, start, l.pos)
		if !ok {
			continue
		}
		tried++
		list := Split(rest[:stop], standardStrings)
		if s, ok := nthOf(list, c); ok && s.node != nil {
			return s, true
		}
	}
	if i := strings.LastIndexByte(rest, '"'); i >= 0 {
		return nthOf(Split(rest[:i], standardStrings), c)
	}
	return Statement{}, false
}

// closing is where the token sql[start:stop] has the quote that may end an
// executed text: it is the whole of a line's rest, or ends a comment to which the
// lexer counts it.
func closing(sql string, start, stop int) (at int, ok bool) {
	at = start
	if strings.HasPrefix(sql[start:stop], "--") {
		at = stop - 1
	}
	return at, sql[at] == '"' && (at+1 == len(sql) || sql[at+1] == '\n')
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
