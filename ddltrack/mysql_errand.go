package ddltrack

import (
	"slices"
	"strings"
)

// MySQLErrand is what a statement does that needs no database.
type MySQLErrand uint8

const (
	// MySQLNeedsDatabase is every statement that is not known to need none.
	MySQLNeedsDatabase MySQLErrand = iota
	// MySQLAsks reads what the server or the session is, and changes nothing:
	// SELECT @@version, SHOW VARIABLES.
	MySQLAsks
	// MySQLSets changes the session only: SET NAMES, START TRANSACTION.
	MySQLSets
	// MySQLLists is SHOW DATABASES.
	MySQLLists
	// MySQLReadsDatabases is a SELECT from information_schema.SCHEMATA.
	MySQLReadsDatabases
)

// MySQLErrandOf says what the text, one statement, does where no database is
// chosen. It knows few statements, by lists of the words and functions that they
// may have: what is no errand under some sql_mode, on some server, or in some
// character set, is none. So a text that is one reaches no table of a database,
// no stored routine and no file, and waits for nothing. of is what follows SHOW
// DATABASES: empty, LIKE with its pattern, or WHERE with its expression; and a
// SELECT from information_schema.SCHEMATA as one from a table SCHEMATA.
func MySQLErrandOf(text string) (errand MySQLErrand, of string) { return mysqlErrandOf(text, false) }

// MySQLPreparedErrandOf is MySQLErrandOf for a statement that is prepared, which
// may have parameters.
func MySQLPreparedErrandOf(text string) (errand MySQLErrand, of string) {
	return mysqlErrandOf(text, true)
}

func mysqlErrandOf(text string, prepared bool) (errand MySQLErrand, of string) {
	for i, reading := range mysqlReadings(text) {
		for j, mode := range errandModes() {
			e, c := errandOf(reading, mode, prepared)
			if i+j > 0 && (e != errand || c != of) {
				return MySQLNeedsDatabase, ""
			}
			errand, of = e, c
		}
	}
	if errand == MySQLReadsDatabases && strings.Contains(text, "/*!") {
		return MySQLNeedsDatabase, "" // the server decides whether it executes that
	}
	return errand, of
}

// SplitMySQLErrands cuts a text into its statements, each of which is an errand
// by MySQLErrandOf. It gives none where one is not, or where the text is cut
// elsewhere under another sql_mode.
func SplitMySQLErrands(text string) []string {
	if readsDifferently(text) {
		return nil
	}
	var statements []string
	for i, mode := range errandModes() {
		var cut []string
		for _, s := range SplitMySQL(text, mode) {
			cut = append(cut, s.Text)
		}
		if i > 0 && !slices.Equal(cut, statements) {
			return nil
		}
		statements = cut
	}
	for _, s := range statements {
		if errand, _ := MySQLErrandOf(s); errand == MySQLNeedsDatabase {
			return nil
		}
	}
	return statements
}

// errandModes are the ways in which a text can be read.
func errandModes() []MySQLMode {
	return []MySQLMode{{}, {ANSIQuotes: true}, {NoBackslashEscapes: true}, {ANSIQuotes: true, NoBackslashEscapes: true}}
}

// mysqlReadings is what servers may read of a text with a comment that some of
// them execute: one around all of a statement, as dumps have it, or one within,
// where nothing can be mistaken for it. There is none for texts with more of
// them, nor for those beyond ASCII, where character sets differ in what a quote
// is.
func mysqlReadings(text string) []string {
	if readsDifferently(text) {
		return nil
	}
	text = strings.Trim(text, "; \t\r\n")
	switch before, rest, _ := strings.Cut(text, "/*!"); {
	case !endsVersion(rest):
		return nil
	case strings.Contains(rest, "/*!"):
		return nil
	case len(before) == len(text):
		return []string{text}
	case before == "" && strings.HasSuffix(rest, "*/") && strings.Count(rest, "*/") == 1:
		return []string{strings.TrimLeft(strings.TrimSuffix(rest, "*/"), "0123456789")}
	case strings.ContainsAny(text, "'\"`#") || strings.Contains(text, "--"):
		return nil
	default:
		inside, behind, ended := strings.Cut(rest, "*/")
		if !ended || strings.Contains(before, "/*") || strings.Contains(inside, "/*") {
			return nil
		}
		return []string{before + " " + strings.TrimLeft(inside, "0123456789") + " " + behind, before + " " + behind}
	}
}

// endsVersion says whether a comment that some servers execute begins with a
// version, or none, that ends in the same place for all: servers read five digits
// or six, and what they leave of them is part of the statement.
func endsVersion(comment string) bool {
	behind := strings.TrimLeft(comment, "0123456789")
	digits := len(comment) - len(behind)
	return digits == 0 || digits == 5 || behind != "" && isMySQLSpace(behind[0])
}

// readsDifferently says whether a text has what depends on the character set, a
// character that begins a comment behind two dashes though no text has it, or a
// comment that one kind of server executes.
func readsDifferently(text string) bool {
	for _, c := range []byte(text) {
		if c >= 0x7f || c < ' ' && !isMySQLSpace(c) {
			return true
		}
	}
	return strings.Contains(text, "/*M!")
}

func errandOf(sql string, mode MySQLMode, prepared bool) (MySQLErrand, string) {
	r := newMySQLReader(MySQLStatement{Text: sql, mode: mode})
	parameters := false
	for i, t := range r.tokens {
		if t.kind == partial || t.upper == ";" {
			return MySQLNeedsDatabase, ""
		}
		if t.upper == "?" && prepared {
			r.tokens[i].kind, r.tokens[i].upper = text, "" // may stand where a string may
			parameters = true
		}
	}
	if len(r.tokens) > maxErrandTokens {
		return MySQLNeedsDatabase, ""
	}
	switch {
	case r.take("SELECT"):
		r.dropDual()
		if r.isPlain(r.rest()) {
			return MySQLAsks, ""
		}
		return r.readsCatalog()
	case r.take("SHOW", "DATABASES"), r.take("SHOW", "SCHEMAS"):
		if parameters && r.peek(0) == "LIKE" {
			return MySQLAsks, "" // which servers refuse
		}
		if from := r.at; r.isCondition() {
			return MySQLLists, r.textFrom(from)
		}
	case r.take("SHOW"):
		if r.isShown() {
			return MySQLAsks, ""
		}
	case r.take("SET"):
		if r.setsSession() {
			return MySQLSets, ""
		}
	case r.isTransaction():
		return MySQLSets, ""
	}
	return MySQLNeedsDatabase, ""
}

// maxErrandTokens bounds how deep an expression may nest.
const maxErrandTokens = 1000

// rest is what was not read yet.
func (r *mysqlReader) rest() []mysqlToken { return r.tokens[r.at:] }

// textFrom is the text from the token with that number on.
func (r *mysqlReader) textFrom(at int) string {
	if at >= len(r.tokens) {
		return ""
	}
	return r.sql[r.tokens[at].start:r.tokens[len(r.tokens)-1].end]
}

// dropDual drops FROM DUAL at the end, by which some clients say that they mean
// no table.
func (r *mysqlReader) dropDual() {
	if n := len(r.tokens); n >= 2 && r.tokens[n-2].upper == "FROM" && r.tokens[n-1].upper == "DUAL" {
		r.tokens = r.tokens[:n-2]
	}
}

// isTransaction reads the statements of transactions that end no connection.
func (r *mysqlReader) isTransaction() bool {
	switch {
	case r.take("START", "TRANSACTION"):
		return onlyWords(r.rest(), "WITH", "CONSISTENT", "SNAPSHOT", "READ", "ONLY", "WRITE", ",")
	case r.take("UNLOCK", "TABLES"):
	case r.takeOne("BEGIN", "COMMIT", "ROLLBACK"):
		r.take("WORK")
	default:
		return false
	}
	return r.done()
}

// isShown reads what follows SHOW, where it concerns the server or the session.
func (r *mysqlReader) isShown() bool {
	switch {
	case r.take("WARNINGS"), r.take("ERRORS"):
		return r.done() || r.take("LIMIT") && r.isPlain(r.rest())
	case r.take("COUNT", "(", "*", ")"):
		return r.takeOne("WARNINGS", "ERRORS") && r.done()
	case r.take("STORAGE", "ENGINES"), r.takeOne("ENGINES", "PLUGINS", "PRIVILEGES"):
		return r.done()
	case r.take("GRANTS"):
		return r.done() || r.take("FOR", "CURRENT_USER") && (r.done() || r.take("(", ")") && r.done())
	case r.take("CHARACTER", "SET"), r.takeOne("CHARSET", "COLLATION"):
		return r.isCondition()
	}
	r.takeOne("GLOBAL", "SESSION", "LOCAL")
	return r.takeOne("VARIABLES", "STATUS") && r.isCondition()
}

// isCondition reads nothing, LIKE and a pattern, or WHERE and an expression.
func (r *mysqlReader) isCondition() bool {
	look := *r
	switch {
	case look.done():
		return true
	case look.take("LIKE"):
		return len(look.rest()) == 1 && isWordOrText(look.rest()[0])
	}
	return look.take("WHERE") && look.isPlain(look.rest())
}
