package ddltrack

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// Bounds on what the parser is given. It is C code that recurses: 20,000 levels
// were measured to be well within its stack. Beyond maxDepth, or maxStatement
// bytes, a statement is known by its first words only. A text longer than
// maxText is cut up first, so that a bulk load's rows need not be parsed.
const (
	maxText      = 256 << 10
	maxStatement = 4 << 20
	maxDepth     = 5000
)

// Statement is one statement of a client's text.
type Statement struct {
	// Text is the statement as it was sent, without the semicolon and without
	// the white space and comments around it.
	Text string
	at   int // where Text begins in the client's text
	// node is nil where the grammar, PostgreSQL 16's, does not know the text.
	node *pg_query.Node
}

// Split cuts text into its statements. standardStrings is the session's
// standard_conforming_strings. Text that is no SQL gives pieces that Describe
// knows little about; it never fails.
func Split(sql string, standardStrings bool) []Statement {
	if len(sql) <= maxText && (standardStrings || !strings.Contains(sql, `\`)) {
		if list, ok := parse(sql); ok {
			return list
		}
	}
	var list []Statement
	for _, piece := range cut(sql, !standardStrings) {
		list = append(list, single(piece, !standardStrings))
	}
	return list
}

// single is a piece that the lexer cut out, parsed on its own.
func single(s Statement, escapes bool) Statement {
	if rowsOnly(s.Text) {
		return s
	}
	source := s.Text
	if escapes {
		source = markEscapes(s.Text)
	}
	if parsed, ok := parse(source); ok && len(parsed) == 1 {
		s.node = parsed[0].node
	}
	return s
}

// rowsOnly says that a piece can neither change the schema nor end a
// transaction, whatever follows its first word.
func rowsOnly(piece string) bool {
	first := piece[:min(len(piece), len("insert "))]
	return strings.EqualFold(first, "insert ") || strings.EqualFold(first, "update ") || strings.EqualFold(first, "delete ")
}

func parse(sql string) ([]Statement, bool) {
	if len(sql) > maxStatement || depth(sql) > maxDepth {
		return nil, false
	}
	tree, err := pg_query.Parse(sql)
	if err != nil {
		return nil, false
	}
	list := make([]Statement, 0, len(tree.Stmts))
	for _, raw := range tree.Stmts {
		from := int(raw.StmtLocation)
		to := from + int(raw.StmtLen)
		if raw.StmtLen == 0 {
			to = len(sql)
		}
		if from < 0 || to > len(sql) || from > to {
			return nil, false
		}
		text, at := significant(sql[from:to], false)
		list = append(list, Statement{Text: text, at: from + at, node: raw.Stmt})
	}
	return list, true
}

// cut finds the ends of statements by tokens alone, as psql does: a semicolon
// ends one unless it is inside of parentheses (a rule's actions) or of a
// routine's BEGIN ATOMIC … END.
func cut(sql string, escapes bool) []Statement {
	var pieces []Statement
	l := lexer{sql: sql, escapes: escapes}
	from, parens, blocks, words := 0, 0, 0, 0
	routine, atomic := false, false
	add := func(to int) {
		if text, at := significant(sql[from:to], escapes); text != "" {
			pieces = append(pieces, Statement{Text: text, at: from + at})
		}
	}
	for {
		k, start := l.next()
		if k == end {
			add(start)
			return pieces
		}
		switch token := sql[start:l.pos]; {
		case k == mark && token == "(":
			parens++
		case k == mark && token == ")":
			parens--
		case k == mark && token == ";" && parens <= 0 && blocks == 0:
			add(start)
			from, parens, words, routine, atomic = l.pos, 0, 0, false, false
		case k == word:
			words++
			switch {
			case words == 1:
				routine = strings.EqualFold(token, "create")
			case words <= 4 && (strings.EqualFold(token, "function") || strings.EqualFold(token, "procedure")):
				atomic = routine
			case atomic && strings.EqualFold(token, "begin"):
				blocks++
			case blocks > 0 && strings.EqualFold(token, "case"):
				blocks++
			case blocks > 0 && strings.EqualFold(token, "end"):
				blocks--
			}
		}
	}
}

// WithExplicitEscapes is s, sent where standard_conforming_strings is off, with
// strings that mean the same where it is on.
func WithExplicitEscapes(s Statement) Statement {
	explicit := single(Statement{Text: markEscapes(s.Text)}, false)
	explicit.at = s.at
	return explicit
}

// markEscapes writes plain strings as E'…', which mean under the parser's
// standard_conforming_strings what they mean where it is off. A string that goes
// on in the next line has its E already.
func markEscapes(sql string) string {
	var b strings.Builder
	l := lexer{sql: sql, escapes: true}
	goesOn, lines := false, false // behind a string, and a line's end behind that
	for {
		k, start := l.next()
		if k == end {
			return b.String()
		}
		token := sql[start:l.pos]
		if k == blank {
			lines = lines || strings.ContainsAny(token, "\n\r")
			b.WriteString(token)
			continue
		}
		plain := k == text && token[0] == '\''
		switch {
		case plain && goesOn && lines:
		case plain:
			b.WriteByte('E')
		case k == text && (token[0] == 'N' || token[0] == 'n'):
			b.WriteString("NCHAR E")
			token = token[1:]
		}
		b.WriteString(token)
		goesOn, lines = k == text && token[0] != '$', false
	}
}

// depth is a bound on how deep the parse tree of sql can get.
func depth(sql string) int {
	l := lexer{sql: sql}
	deep, deepest, run := 0, 0, 0
	for {
		k, start := l.next()
		switch {
		case k == end:
			return max(deepest, run)
		case k == blank:
		case k == mark && (sql[start] == '(' || sql[start] == '['):
			deep++
			deepest = max(deepest, deep)
			run++
		case k == mark && (sql[start] == ')' || sql[start] == ']'):
			deep--
			run++
		case k == mark && (sql[start] == ',' || sql[start] == ';'):
			run = 0
		case k == mark || isOperatorWord(sql[start:l.pos]):
			// Each operator of a chain like 1+1+1 nests one deeper.
			run++
		}
	}
}

// isOperatorWord says whether a chain of this word nests the tree.
func isOperatorWord(w string) bool {
	for _, o := range [...]string{"not", "union", "except", "intersect", "join", "collate", "is", "isnull", "notnull", "case", "explain"} {
		if strings.EqualFold(w, o) {
			return true
		}
	}
	return false
}
