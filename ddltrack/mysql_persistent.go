package ddltrack

import "strings"

// DefinesMySQL says whether a statement of the text, by its own words, would
// change the schema of a database, or make or drop one; the text of a PREPARE is
// looked into. What is about temporary tables only does not; nor does what the
// rights on data decide, such as TRUNCATE or ANALYZE TABLE, nor what users and the
// server are changed by. What a stored program or a variable runs is not in the
// words: there the server's grants decide, as in a text that means something else
// under another sql_mode than the default.
//
// A text without the words costs no allocation. Of one that is cut short what is
// there is looked at.
func DefinesMySQL(sql []byte) bool {
	if !mentionsDefinition(sql) {
		return false
	}
	// Which server executes which comment need not be known, as in
	// DropsDatabaseMySQL.
	for _, mode := range []MySQLMode{{}, {MariaDB: true}} {
		for _, s := range SplitMySQL(string(sql), mode) {
			if s.defines() {
				return true
			}
		}
	}
	return false
}

// mentionsDefinition looks for a verb that definitions have, anywhere in the
// text: inside of strings and comments too.
func mentionsDefinition(sql []byte) bool {
	for i := 0; i < len(sql); {
		if !isMySQLWordPart(sql[i]) {
			i++
			continue
		}
		w, _ := cutWord(sql[i:])
		i += len(w)
		for len(w) > 0 && isDigit(w[0]) {
			w = w[1:] // of "/*!40101CREATE"
		}
		if isWord(w, "CREATE") || isWord(w, "ALTER") || isWord(w, "DROP") || isWord(w, "RENAME") {
			return true
		}
	}
	return false
}

func (s MySQLStatement) defines() bool {
	h := readMySQL(s, MySQLCommand{})
	switch h.verb {
	case "PREPARE", "EXECUTE":
		return DefinesMySQL([]byte(h.prepared()))
	case "CREATE", "DROP":
		return h.kind != "" && !h.temporary
	case "ALTER", "RENAME":
		// Whether the table is a temporary one only the server knows.
		return h.kind != ""
	}
	return false
}

// prepared is the text of PREPARE name FROM 'text', or of MariaDB's EXECUTE
// IMMEDIATE 'text'; empty where it is not written out.
func (h *mysqlHead) prepared() string {
	switch {
	case h.verb == "EXECUTE" && h.take("IMMEDIATE"):
	case h.verb == "PREPARE":
		if _, ok := h.name(); !ok || !h.take("FROM") {
			return ""
		}
	default:
		return ""
	}
	if h.done() || h.tokens[h.at].kind != text {
		return ""
	}
	t := h.tokens[h.at]
	return unescapedMySQL(h.sql[t.start:t.end], h.mode)
}

// unescapedMySQL is what a string means, with its quotes.
func unescapedMySQL(literal string, mode MySQLMode) string {
	if len(literal) < 2 {
		return ""
	}
	quote := literal[:1]
	s := strings.ReplaceAll(literal[1:len(literal)-1], quote+quote, quote)
	if mode.NoBackslashEscapes || !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n', 't', 'r', 'b', '0', 'Z':
			b.WriteByte(' ') // white space, or nothing that a statement has
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
