package ddltrack

// DropsDatabaseMySQL says whether a statement of the text drops a database, by
// its own words: what a stored program or a prepared text does is not in them.
// A text without the words costs no allocation.
func DropsDatabaseMySQL(sql []byte) bool {
	if !mentionsDatabase(sql, "DROP") {
		return false
	}
	// Which server executes which comment need not be known: one of the two
	// takes it for a statement.
	for _, mode := range []MySQLMode{{}, {MariaDB: true}} {
		for _, s := range SplitMySQL(string(sql), mode) {
			if DescribeMySQL(s, MySQLCommand{}).Operation == "DROP DATABASE" {
				return true
			}
		}
	}
	return false
}

// MayAlterDatabaseMySQL says whether a statement of the text may change what the
// database gives to its new tables and programs.
func MayAlterDatabaseMySQL(sql []byte) bool { return mentionsDatabase(sql, "ALTER") }

// mentionsDatabase looks for a verb and a database, in this order and with anything
// between them.
func mentionsDatabase(sql []byte, verb string) bool {
	found := false
	for i := 0; i < len(sql); {
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
