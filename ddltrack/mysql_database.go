package ddltrack

// DropsDatabaseMySQL says whether a statement of the text drops a database, by
// its own words: what a stored program or a prepared text does is not in them.
// A text without the words costs no allocation.
func DropsDatabaseMySQL(sql []byte) bool {
	if !mentionsDropDatabase(sql) {
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

// mentionsDropDatabase looks for the two words, in this order and with anything
// between them.
func mentionsDropDatabase(sql []byte) bool {
	dropping := false
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
		case isWord(w, "DROP"):
			dropping = true
		case dropping && (isWord(w, "DATABASE") || isWord(w, "SCHEMA")):
			return true
		}
	}
	return false
}
