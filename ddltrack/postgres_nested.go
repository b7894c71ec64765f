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

// findExecuted finds the command in the text that ends with one of the quotes
// before a line's end in rest: the text may hold such quotes too, so the first
// end that leaves a fitting statement is taken.
func findExecuted(rest string, standardStrings bool, c Command) (Statement, bool) {
	for from := 0; from < len(rest); {
		i := strings.IndexByte(rest[from:], '"')
		if i < 0 {
			break
		}
		stop := from + i
		from = stop + 1
		if from < len(rest) && rest[from] != '\n' {
			continue
		}
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
