package ddltrack

import "strings"

// MovedMySQL is a statement that was made in the database from, as one of the
// database to: where it names the one before a dot, or as the database that it
// alters, it names the other. What is in strings stays, and what is behind the
// first MiB. foldNames is as in MySQLCommand.
func MovedMySQL(s MySQLStatement, from, to string, foldNames bool) MySQLStatement {
	h := readMySQL(s, MySQLCommand{})
	altered := -1
	if h.verb == "ALTER" && h.kind == "DATABASE" {
		altered = h.named[0]
	}
	var b strings.Builder
	done := 0
	for i, t := range h.tokens {
		if t.kind != word && t.kind != quotedName {
			continue
		}
		name := h.unquoted(t)
		if name != from && !(foldNames && strings.EqualFold(name, from)) {
			continue
		}
		before, after := h.mark(i-1), h.mark(i+1)
		if i != altered && (after != "." || before == "." || before == "@") {
			continue
		}
		b.WriteString(h.sql[done:t.start])
		b.WriteString(quoteMySQL(to))
		done = t.end
	}
	if done == 0 {
		return s
	}
	s.Text = b.String() + s.Text[done:]
	s.bare = 0
	return s
}

// mark is the mark at a place among the tokens; empty for all else.
func (r *mysqlReader) mark(i int) string {
	if i < 0 || i >= len(r.tokens) || r.tokens[i].kind != mark {
		return ""
	}
	return r.tokens[i].upper
}

// DatabaseOfMySQL is the database of an object with that identity.
func DatabaseOfMySQL(identity string) string {
	if quoted, is := strings.CutPrefix(identity, "`"); is {
		for i := 0; i < len(quoted); i++ {
			if quoted[i] != '`' {
				continue
			}
			if i+1 < len(quoted) && quoted[i+1] == '`' {
				i++
				continue
			}
			return strings.ReplaceAll(quoted[:i], "``", "`")
		}
	}
	database, _, _ := strings.Cut(identity, ".")
	return database
}
