package mysql

import (
	"slices"
	"strings"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

// logged is a statement as the log has it.
type logged struct {
	database    string
	thread      uint32
	text        string
	description ddltrack.MySQLDescription
}

// isOf says whether the logged statement is s: word for word, or as the server
// writes it. It lists the objects of a DROP anew, writes the heads of views and
// programs in its own words, and may drop a comment behind a program.
func (l logged) isOf(s ddltrack.MySQLStatement) bool {
	return l.isLike(s) || l.isLike(s.Bare())
}

func (l logged) isLike(s ddltrack.MySQLStatement) bool {
	// MariaDB keeps the semicolon that ended a statement among several.
	text := strings.TrimRight(strings.TrimSpace(l.text), "; \t\r\n")
	if s.Text == text {
		return true
	}
	d := ddltrack.DescribeMySQL(s, ddltrack.MySQLCommand{Database: l.database})
	if d.Operation != l.description.Operation || d.Temporary {
		return false
	}
	// One that has IF EXISTS, or OR REPLACE, and the same without may both have
	// been sent; only one of them succeeds in a replay.
	if d.Conditional != l.description.Conditional || d.Replaces != l.description.Replaces {
		return false
	}
	if !sameObjects(d.Creates, l.description.Creates) || !sameObjects(d.Alters, l.description.Alters) || !sameObjects(d.Drops, l.description.Drops) {
		return false
	}
	if strings.HasPrefix(d.Operation, "DROP ") {
		return true
	}
	// What is not common to the ends of both must be the head alone.
	head := s.Text[:len(s.Text)-commonSuffix(s.Text, text)]
	switch d.ObjectType {
	case "view":
		return headOfView(head)
	case "trigger", "event":
		return headOf(head, d.ObjectType)
	case "procedure", "function":
		return headOfProgram(head) && arguments(s.Text) == arguments(text)
	}
	return false
}

// sameObjects compares without regard to the order, which the server changes.
func sameObjects(a, b []ddltrack.MySQLObject) bool {
	return slices.Equal(identities(a), identities(b))
}

func identities(objects []ddltrack.MySQLObject) []string {
	all := make([]string, len(objects))
	for i, o := range objects {
		all[i] = o.Identity()
	}
	slices.Sort(all)
	return all
}

func commonSuffix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// headOfView says whether text ends before the SELECT of a view.
func headOfView(text string) bool {
	words := scan(text)
	i := slices.Index(words, "AS")
	return i < 0 || i == len(words)-1
}

// headOf says whether text ends before the word for a kind of object, from which
// on the server keeps the client's words.
func headOf(text, kind string) bool {
	return !slices.Contains(scan(text), strings.ToUpper(kind))
}

// headOfProgram says whether text ends before the body of a procedure or a
// function.
func headOfProgram(text string) bool {
	words := scan(text)
	i := slices.Index(words, "(")
	if i < 0 {
		return true
	}
	for depth := 0; i < len(words); i++ {
		switch words[i] {
		case "(":
			depth++
		case ")":
			depth--
		}
		if depth == 0 {
			break
		}
	}
	behind := words[min(i+1, len(words)):]
	for i, word := range behind {
		if slices.Contains(bodyWords(), word) || word == "SET" && (i == 0 || behind[i-1] != "CHARACTER") {
			return false
		}
	}
	return true
}

// bodyWords begin the body of a program, and are not in its head.
func bodyWords() []string {
	return []string{"BEGIN", "RETURN", "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "CALL", "IF", "CASE", "LOOP", "REPEAT", "WHILE", ":",
		"DO", "CREATE", "ALTER", "DROP", "TRUNCATE", "START", "COMMIT", "ROLLBACK", "PREPARE", "EXECUTE", "DEALLOCATE", "SIGNAL", "RESIGNAL", "GET",
		"WITH", "VALUES", "LOCK", "ANALYZE", "OPTIMIZE", "CHECK", "REPAIR", "SHOW", "RENAME", "GRANT", "REVOKE", "FLUSH", "KILL", "FOR", "AS", "IS", "@"}
}

// arguments is what is between a program's first parentheses.
func arguments(text string) string {
	from := strings.IndexByte(text, '(')
	if from < 0 {
		return ""
	}
	depth := 0
	for i := from; i < len(text); i++ {
		switch text[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			return strings.Join(strings.Fields(text[from:i]), " ")
		}
	}
	return text[from:]
}

// scan gives the words of a statement's head in capitals, and its marks. Names
// and strings in quotes are empty words, comments are left out.
func scan(text string) []string {
	var words []string
	for len(text) > 0 {
		switch c := text[0]; {
		case c == '`' || c == '\'' || c == '"':
			words = append(words, "")
			text = text[1:]
			text = text[past(text, string(c)):]
		case c == '#' || strings.HasPrefix(text, "-- "):
			text = text[past(text, "\n"):]
		case strings.HasPrefix(text, "/*") && !strings.HasPrefix(text, "/*!") && !strings.HasPrefix(text, "/*M!"):
			text = text[past(text, "*/"):]
		case isWordByte(c):
			n := 1
			for n < len(text) && isWordByte(text[n]) {
				n++
			}
			words = append(words, strings.ToUpper(text[:n]))
			text = text[n:]
		default:
			if c > ' ' {
				words = append(words, string(c))
			}
			text = text[1:]
		}
	}
	return words
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// past is where the text goes on behind a mark.
func past(text, mark string) int {
	if i := strings.Index(text, mark); i >= 0 {
		return i + len(mark)
	}
	return len(text)
}
