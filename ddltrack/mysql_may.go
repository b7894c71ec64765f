package ddltrack

import "bytes"

// MayChangeSchemaMySQL says whether a text may change the schema, by its words
// alone: it is never false where the text does, under any sql_mode and on any
// server, and true now and then where it does not. It allocates nothing; a
// text whose first word is harmless is searched for a semicolon only.
func MayChangeSchemaMySQL(sql []byte) bool {
	start, plain := skipMySQLBlank(sql)
	if !plain {
		return mentionsSchemaChange(sql)
	}
	first, rest := cutWord(sql[start:])
	switch {
	case len(first) == 0:
		return len(rest) > 0 && mentionsSchemaChange(sql)
	case isWord(first, "SET"):
		// MariaDB: SET STATEMENT max_statement_time = 1 FOR CREATE TABLE …
		next, plain := skipMySQLBlank(rest)
		if second, _ := cutWord(rest[next:]); !plain || isWord(second, "STATEMENT") {
			return mentionsSchemaChange(rest)
		}
	case isWord(first, "BEGIN"):
		next, plain := skipMySQLBlank(rest)
		second, _ := cutWord(rest[next:])
		if !plain || len(second) > 0 && !isWord(second, "WORK") {
			return true // MariaDB: BEGIN NOT ATOMIC …
		}
	case !isHarmless(first):
		return true
	}
	if i := bytes.IndexByte(rest, ';'); i >= 0 {
		return mentionsSchemaChange(rest[i:])
	}
	return false
}

// skipMySQLBlank is where the first word may begin, behind white space,
// comments and opening parentheses; it is not plain where a comment that a
// server may execute comes before it.
func skipMySQLBlank(sql []byte) (i int, plain bool) {
	for i < len(sql) {
		switch rest := sql[i:]; {
		case isMySQLSpace(rest[0]), rest[0] == '(', rest[0] == ';':
			i++
		case rest[0] == '#', bytes.HasPrefix(rest, []byte("--")):
			n := bytes.IndexByte(rest, '\n')
			if n < 0 {
				return len(sql), true
			}
			i += n + 1
		case bytes.HasPrefix(rest, []byte("/*!")), bytes.HasPrefix(rest, []byte("/*M!")):
			return i, false
		case bytes.HasPrefix(rest, []byte("/*")):
			n := bytes.Index(rest[2:], []byte("*/"))
			if n < 0 {
				return len(sql), true
			}
			i += n + len("/**/")
		default:
			return i, true
		}
	}
	return i, true
}

// cutWord is the word that sql begins with, and what follows it.
func cutWord(sql []byte) (first, rest []byte) {
	n := 0
	for n < len(sql) && isMySQLWordPart(sql[n]) {
		n++
	}
	return sql[:n], sql[n:]
}

// isWord compares with a word in capitals.
func isWord(w []byte, capital string) bool {
	var buf [16]byte
	return string(capitals(&buf, w)) == capital
}

// capitals writes w in capitals into buf, and gives nil for a word that no
// keyword is as long as.
func capitals(buf *[16]byte, w []byte) []byte {
	if len(w) > len(buf) {
		return nil
	}
	for i, c := range w {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		buf[i] = c
	}
	return buf[:len(w)]
}

// isHarmless says whether a statement that begins with w changes no schema,
// whatever follows.
func isHarmless(w []byte) bool {
	var buf [16]byte
	switch string(capitals(&buf, w)) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "SHOW", "COMMIT", "ROLLBACK", "START", "SAVEPOINT", "RELEASE", "USE",
		"REPLACE", "WITH", "VALUES", "TABLE", "EXPLAIN", "DESCRIBE", "DESC", "HELP", "KILL", "LOAD", "LOCK", "UNLOCK",
		"TRUNCATE", "ANALYZE", "OPTIMIZE", "CHECK", "CHECKSUM", "REPAIR", "FLUSH", "HANDLER", "DO", "DEALLOCATE", "XA",
		"CACHE", "RESET", "PURGE", "GET", "SIGNAL", "RESIGNAL":
		return true
	}
	return false
}

// mentionsSchemaChange looks for a word that a schema change has, anywhere in
// the text: inside of strings and comments too.
func mentionsSchemaChange(sql []byte) bool {
	for i := 0; i < len(sql); {
		if !isMySQLWordPart(sql[i]) {
			i++
			continue
		}
		w, _ := cutWord(sql[i:])
		if changesSchema(w) {
			return true
		}
		i += len(w)
	}
	return false
}

// changesSchema says whether w begins statements that change the schema, or run
// others that may.
func changesSchema(w []byte) bool {
	// The digits of "/*!40101CREATE" stand before the word without a space.
	for len(w) > 0 && isDigit(w[0]) {
		w = w[1:]
	}
	var buf [16]byte
	switch string(capitals(&buf, w)) {
	case "CREATE", "ALTER", "DROP", "RENAME", "CALL", "EXECUTE", "IMPORT":
		return true
	}
	return false
}
