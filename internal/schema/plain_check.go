package schema

import (
	"regexp"
	"strings"
)

var (
	checkTokens = regexp.MustCompile(`'(?:[^'\\]|'')*'|::(?:character varying|double precision|[a-z_][a-z0-9_]*)(?:\(\d+(?:,\d+)?\))?(?:\[\])?|>=|<=|[a-zA-Z_][a-zA-Z0-9_]*|-?\d+(?:\.\d+)?|\s+|.`)
	anyPattern  = regexp.MustCompile(`^([a-z_][a-z0-9_]*) = ANY ARRAY \[ (.+) \]$`)
	inPattern   = regexp.MustCompile(`(?i)^([a-z_][a-z0-9_]*) in ('.+')$`)
	twoPattern  = regexp.MustCompile(`^([a-z_][a-z0-9_]*) >= (-?[0-9.]+) AND ([a-z_][a-z0-9_]*) <= (-?[0-9.]+)$`)
)

// plainCheck is a server's own wording of a condition in words that all know, as
// far as it is a list or a bound of a column's values; else it is left as it is.
func plainCheck(check string) string {
	var tokens []string
	for _, token := range checkTokens.FindAllString(check, -1) {
		switch {
		case strings.TrimSpace(token) == "", token == "(", token == ")", token == "`", strings.HasPrefix(token, "::"):
		default:
			tokens = append(tokens, token)
		}
	}
	bare := strings.Join(tokens, " ")
	list := func(column, values string) string {
		return column + " IN (" + strings.ReplaceAll(values, "' , '", "', '") + ")"
	}
	var plain string
	if m := anyPattern.FindStringSubmatch(bare); m != nil {
		plain = list(m[1], m[2])
	} else if m := inPattern.FindStringSubmatch(bare); m != nil {
		plain = list(m[1], m[2])
	} else if m := twoPattern.FindStringSubmatch(bare); m != nil && m[1] == m[3] {
		plain = m[1] + " BETWEEN " + m[2] + " AND " + m[4]
	} else {
		plain = bare
	}
	if isPlain(plain) {
		return plain
	}
	return check
}

// isPlain says whether every dialect reads the condition alike.
func isPlain(check string) bool {
	list, _ := oneOf(check)
	bounded, _ := bounds(check)
	return list != "" || bounded != ""
}

// check writes a condition. The name of its column is quoted where the condition
// is a plain one, since other dialects reserve other words. A list of a VARCHAR's
// values is compared as text: PostgreSQL shows the other form in words that it
// shows otherwise when they are run again.
func (w *sqlWriter) check(t Table, check string) string {
	listed, _ := oneOf(check)
	bounded, _ := bounds(check)
	column := listed + bounded // of which one is empty
	c := t.column(column)
	if c == nil {
		return check
	}
	name := w.name(column)
	if w.dialect == PostgreSQL && listed != "" && c.Type.Name == "varchar" && c.Type.Arrays == 0 {
		name += "::text"
	}
	rest := strings.TrimLeft(check, " \t\r\n")
	if strings.HasPrefix(rest, `"`) {
		return name + rest[len(column)+2:]
	}
	return name + rest[len(column):]
}
