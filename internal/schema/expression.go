package schema

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

const mostExpression = 16 << 10 // bytes

// checkExpression refuses an SQL expression that could leave its place: with a
// comma or a parenthesis of its surroundings, a comment, the end of the
// statement, or a quote that the servers do not all read alike.
func checkExpression(text string) error {
	if len(text) > mostExpression {
		return fmt.Errorf("is longer than %d bytes", mostExpression)
	}
	if strings.TrimSpace(text) == "" {
		return errors.New("is empty")
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'' || c == '"' || c == '`':
			end := strings.IndexByte(text[i+1:], c)
			if end < 0 {
				return errors.New("has a quote that is not closed")
			}
			if strings.ContainsAny(text[i:i+1+end], "\\\x00") {
				return errors.New("has a backslash in quotes, which servers read in different ways")
			}
			i += end + 1
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			if depth--; depth < 0 {
				return errors.New("closes a parenthesis that it did not open")
			}
		case c == ',' && depth == 0:
			return errors.New("has a comma outside of parentheses")
		case c == ';', c == '\\', c == 0, c == '#' && !strings.HasPrefix(text[i:], "#>"), c == '$',
			strings.HasPrefix(text[i:], "--"), strings.HasPrefix(text[i:], "/*"), strings.HasPrefix(text[i:], "*/"):
			return fmt.Errorf("has %.2q outside of quotes, which is not allowed", text[i:])
		}
	}
	if depth != 0 {
		return errors.New("has a parenthesis that is not closed")
	}
	return nil
}

// moment is what a default that each dialect says in its own words means.
type moment int

const (
	itself moment = iota
	now
	randomUUID
	none // NULL
)

var (
	nowWords  = regexp.MustCompile(`(?i)^(now\(\)|current_timestamp(\(\d?\))?|localtimestamp(\(\d?\))?|transaction_timestamp\(\))( on update .*)?$`)
	uuidWords = regexp.MustCompile(`(?i)^\(?(gen_random_uuid\(\)|uuid\(\)|uuid_generate_v4\(\)|uuidv4\(\))\)?$`)
	castWords = regexp.MustCompile(`^(?s)('(?:[^']|'')*'|-?[0-9.]+)::[a-zA-Z_" .]+(\(\d+(,\d+)?\))?(\[\])?$`)
	literals  = regexp.MustCompile(`(?is)^('(?:[^'\\]|'')*'|-?\d+(\.\d+)?(e[+-]?\d+)?|true|false)$`)
)

// meaning is what a default is in any dialect.
func meaning(expression string) moment {
	e := strings.TrimSpace(expression)
	switch {
	case nowWords.MatchString(e):
		return now
	case uuidWords.MatchString(e):
		return randomUUID
	case strings.EqualFold(e, "null") || strings.HasPrefix(strings.ToUpper(e), "NULL::"):
		return none
	}
	return itself
}

// withoutCast is PostgreSQL's 'x'::text as 'x'.
func withoutCast(expression string) string {
	if m := castWords.FindStringSubmatch(expression); m != nil {
		return m[1]
	}
	return expression
}

// isLiteral says whether every SQL server reads the default alike.
func isLiteral(expression string) bool { return literals.MatchString(expression) }

// quoted is s as an SQL string; it has no backslash.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
