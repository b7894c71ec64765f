package ddltrack

import (
	"slices"
	"strings"
)

// WithinMySQL is a statement as one for a session that is in the database: where
// it names that before what is in it, it names it no more. A name that may also be
// a table's or an alias, of which a column follows, stays, as does what is in
// strings and what is behind the first MiB. foldNames is as in MySQLCommand.
func WithinMySQL(s MySQLStatement, database string, foldNames bool) MySQLStatement {
	h := readMySQL(s, MySQLCommand{})
	is := func(i int) bool {
		if i < 0 || i >= len(h.tokens) || h.tokens[i].kind != word && h.tokens[i].kind != quotedName {
			return false
		}
		name := h.unquoted(h.tokens[i])
		return name == database || foldNames && strings.EqualFold(name, database)
	}
	var places []int
	certain := true // that no table or alias has the name
	for i := range h.tokens {
		switch before, after := h.mark(i-1), h.mark(i+1); {
		case !is(i) || before == "@":
		case before == "." || after != ".":
			certain = false
		default:
			places = append(places, i)
		}
	}
	var b strings.Builder
	done := 0
	for _, i := range places {
		if i+2 >= len(h.tokens) || !certain && !h.qualifies(i) {
			continue
		}
		b.WriteString(h.sql[done:h.tokens[i].start])
		done = h.tokens[i+2].start
	}
	if done == 0 {
		return s
	}
	s.Text = b.String() + s.Text[done:]
	s.bare = 0
	return s
}

// qualifies says whether the name at a place among the tokens, which has a dot
// behind it, can only be a database's.
func (r *mysqlReader) qualifies(i int) bool {
	if next := r.mark(i + 3); next == "." || next == "(" {
		return true // of a column's table, or of a function
	}
	before := ""
	if i > 0 {
		before = r.tokens[i-1].upper
	}
	if before == "ON" { // of a trigger
		return i+3 < len(r.tokens) && r.tokens[i+3].upper == "FOR"
	}
	return slices.Contains([]string{"TABLE", "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE", "BODY", "FROM", "JOIN", "INTO", "UPDATE", "CALL", "EXISTS"}, before)
}
