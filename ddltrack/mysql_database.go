package ddltrack

import "strings"

// maxRunText is how often a text that runs a text that runs a text is followed.
const maxRunText = 3

// DropsDatabaseMySQL says whether a text drops a database, or has something do so
// later: a statement of it, one of a stored program that it makes, or one in a
// string of a text that prepares or runs strings. What is put together in another
// text, or out of columns, is not seen. A text without the words costs no
// allocation.
func DropsDatabaseMySQL(sql []byte) bool {
	if !mentionsDatabase(sql, "DROP") && !mentionsDatabase(sql, "REPLACE") {
		return false
	}
	// Which server executes which comment need not be known: one of the two
	// takes it for a statement.
	for _, mode := range []MySQLMode{{}, {MariaDB: true}} {
		if dropsDatabase(string(sql), mode, maxRunText) {
			return true
		}
	}
	return false
}

// dropsDatabase looks for DROP DATABASE and MariaDB's CREATE OR REPLACE DATABASE.
// Unquoted, these words stand together nowhere else.
func dropsDatabase(sql string, mode MySQLMode, runs int) bool {
	var (
		before  [3]string // the words before, the last one last; "" for what is none
		texts   []string
		runsOne bool
	)
	for l := (mysqlLexer{sql: sql, mode: mode}); ; {
		k, start := l.next()
		w := ""
		switch k {
		case end:
			return runsOne && runs > 0 && anyDropsDatabase(texts, mode, runs-1)
		case blank, executable:
			continue
		case text:
			texts = append(texts, meantMySQL(sql[start:l.pos], mode))
		case word:
			w = upper(sql[start:l.pos])
		}
		switch {
		case w == "DATABASE", w == "SCHEMA":
			if before[2] == "DROP" || before == [3]string{"CREATE", "OR", "REPLACE"} {
				return true
			}
		case w == "PREPARE", w == "IMMEDIATE" && before[2] == "EXECUTE":
			runsOne = true
		}
		before = [3]string{before[1], before[2], w}
	}
}

// anyDropsDatabase looks at strings that may be run: each of them, and all in a
// row, as CONCAT makes them one.
func anyDropsDatabase(texts []string, mode MySQLMode, runs int) bool {
	for _, s := range append(texts, strings.Join(texts, "")) {
		if dropsDatabase(s, mode, runs) {
			return true
		}
	}
	return false
}

// meantMySQL is what a string between quotes means, with a space for what is no
// character of a statement.
func meantMySQL(quoted string, mode MySQLMode) string {
	quote, inner := quoted[0], quoted[1:len(quoted)-1]
	var out strings.Builder
	for i := 0; i < len(inner); i++ {
		c := inner[i]
		switch {
		case c == '\\' && !mode.NoBackslashEscapes && i+1 < len(inner):
			i++
			if c = inner[i]; strings.IndexByte("0bnrtZ", c) >= 0 {
				c = ' '
			}
		case c == quote:
			i++ // the second of two
		}
		out.WriteByte(c)
	}
	return out.String()
}

// MayAlterDatabaseMySQL says whether a statement of the text may change what the
// database gives to its new tables and programs.
func MayAlterDatabaseMySQL(sql []byte) bool { return mentionsDatabase(sql, "ALTER") }

// mentionsDatabase looks for a verb and a database, in this order and with anything
// between them.
func mentionsDatabase(sql []byte, verb string) bool {
	found := false
	for i := 0; i < len(sql); {
		if sql[i] == '\\' {
			i += 2 // in a string: "drop\\ndatabase" has both words
			continue
		}
		if !isMySQLWordPart(sql[i]) {
			i++
			continue
		}
		w, _ := cutWord(sql[i:])
		i += len(w)
		for len(w) > 0 && isDigit(w[0]) {
			w = w[1:] // of "/*!40101DROP"
		}
		switch {
		case isWord(w, verb):
			found = true
		case found && (isWord(w, "DATABASE") || isWord(w, "SCHEMA")):
			return true
		}
	}
	return false
}
