package ddltrack

import "strings"

// DropMySQL is the statement s, a DROP of several objects, of those alone that
// are in only: MariaDB drops what is there and then fails for what is not.
func DropMySQL(s MySQLStatement, c MySQLCommand, only []MySQLObject) MySQLStatement {
	h := readMySQL(s, c)
	if h.verb != "DROP" || len(h.objects) == 0 || len(only) == 0 {
		return s
	}
	kept := make([]string, len(only))
	for i, o := range only {
		kept[i] = o.written(c.Database)
	}
	from, to := h.tokens[h.named[0]].start, h.tokens[h.named[1]-1].end
	s.Text = s.Text[:from] + strings.Join(kept, ", ") + s.Text[to:]
	return s
}

// DropLeftMySQL is the statement s, where it is a DROP of several objects, as one
// that succeeds too if some of them have been dropped: MariaDB may come to its end
// between two of them.
func DropLeftMySQL(s MySQLStatement) MySQLStatement {
	h := readMySQL(s, MySQLCommand{})
	if h.verb != "DROP" || len(h.objects) < 2 || h.condition {
		return s
	}
	from := h.tokens[h.named[0]].start
	s.Text = s.Text[:from] + "IF EXISTS " + s.Text[from:]
	s.bare = 0
	return s
}
