package ddltrack

import "strings"

// MySQLMode is what of a session and its server changes how a text is read. The
// zero value is that of a MySQL session with the default sql_mode.
type MySQLMode struct {
	ANSIQuotes         bool // double quotes enclose names, not strings
	NoBackslashEscapes bool // a backslash in a string is a backslash
	Oracle             bool // MariaDB's sql_mode ORACLE: programs declare before BEGIN
	MariaDB            bool
	// Version is the server's as it stands in executable comments: 90100 for
	// 9.1.0, 101106 for MariaDB 10.11.6. 0 takes every such comment as executed.
	Version int
}

// MySQLModeOf reads the value of sql_mode, names with commas between them.
// MariaDB and Version are the caller's to set.
func MySQLModeOf(sqlMode string) MySQLMode {
	var m MySQLMode
	for name := range strings.SplitSeq(sqlMode, ",") {
		switch strings.ToUpper(strings.TrimSpace(name)) {
		case "ANSI_QUOTES", "ANSI", "DB2", "MAXDB", "MSSQL", "POSTGRESQL":
			m.ANSIQuotes = true
		case "NO_BACKSLASH_ESCAPES":
			m.NoBackslashEscapes = true
		case "ORACLE":
			m.ANSIQuotes, m.Oracle = true, true
		}
	}
	return m
}

// executes says whether the server runs what is in a comment that opens with
// maria ("/*M!") or without it ("/*!") and names a version; 0 is none.
// MariaDB leaves out what only MySQL 5.7 and later know.
func (m MySQLMode) executes(maria bool, version int) bool {
	switch {
	case maria && !m.MariaDB:
		return false
	case m.MariaDB && !maria && version >= 50700 && version <= 99999:
		return false
	case version == 0:
		return true
	case m.Version == 0:
		return version < neverVersion
	}
	return version <= m.Version
}

// neverVersion is above every version that servers have; dumps use it for what
// only their client reads.
const neverVersion = 999999
