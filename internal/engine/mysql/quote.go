package mysql

import (
	"encoding/hex"
	"strings"
)

// quote is name as an identifier, which every sql_mode reads alike.
func quote(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// literal is s as a string of the administrator's sessions, whose sql_mode is
// empty.
func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''", "\x00", `\0`).Replace(s) + "'"
}

// blob is bytes that are no text of any character set.
func blob(b []byte) string {
	return "X'" + hex.EncodeToString(b) + "'"
}

func truth(is bool) string {
	if is {
		return "1"
	}
	return "0"
}

// pattern is a database's name in GRANT, where "_" and "%" stand for other
// characters; where the server takes names literally it is the name.
func pattern(database string, literally bool) string {
	if !literally {
		database = strings.NewReplacer(`\`, `\\`, "_", `\_`, "%", `\%`).Replace(database)
	}
	return quote(database)
}
