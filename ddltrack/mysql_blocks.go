package ddltrack

import "strings"

// mysqlBlocks follows the blocks of one statement (BEGIN … END, IF … END IF),
// as far as is needed to know which semicolons end it. BEGIN and END are names
// too, and IF and REPEAT functions, so a word counts only where a statement of
// the program begins.
type mysqlBlocks struct {
	oracle   bool // programs declare variables between AS and BEGIN
	program  mysqlProgram
	open     []mysqlBlock
	words    int    // of the statement so far, up to a handful
	previous string // the word before, in capitals, or the sign
	parens   int
	listed   bool // a program's parameters have been passed

	starts   bool // the next word begins a statement of a program
	ended    bool // the word before was an END that closed a block
	handler  bool // in DECLARE … HANDLER FOR, before its statement
	until    bool // in the condition that ends a REPEAT
	event    bool // its head has expressions; the body begins at DO
	packaged bool // routines begin inside of it
}

// mysqlBlock is one open block.
type mysqlBlock int

const (
	statementBlock mysqlBlock = iota // BEGIN, IF, LOOP, … and CASE as a statement
	caseExpression
	declarations // of Oracle mode, up to the BEGIN that ends them
)

// mysqlProgram is where in a stored program the walk is.
type mysqlProgram int

const (
	noProgram mysqlProgram = iota
	creating               // after CREATE or ALTER, what is made is not known yet
	heading                // before the body
	body
)

// none says that no block is open.
func (b *mysqlBlocks) none() bool { return len(b.open) == 0 }

// stored says whether the statement is a stored program, or a block like one.
func (b *mysqlBlocks) stored() bool { return b.program == heading || b.program == body }

// token takes the next token that is not blank; rest is the text behind it.
func (b *mysqlBlocks) token(k kind, token, rest string) {
	if k != word {
		b.sign(k, token, rest)
		return
	}
	w := upper(token)
	named := b.previous == "." || b.previous == "@"
	b.words++
	starts, ended := b.starts, b.ended
	b.starts, b.ended = false, false
	switch {
	case named:
	case b.words == 1:
		b.firstWord(w, rest)
	case ended && isBlockWord(w):
		// The second word of END IF.
	case b.program == creating:
		b.kindWord(w)
	case b.program == heading:
		b.headWord(w, rest)
	case b.program == body:
		b.bodyWord(w, starts)
	}
	b.previous = w
}

// sign takes a token that is no word.
func (b *mysqlBlocks) sign(k kind, token, rest string) {
	b.previous, b.starts, b.ended = "", false, false
	if k != mark {
		return
	}
	b.previous = token
	switch token {
	case "(":
		b.parens++
	case ")":
		b.parens--
		b.listed = b.listed || b.program == heading
	case ";":
		if b.program == heading && b.packaged {
			b.program = body // a routine that is only declared
		}
		b.starts = b.program == body
		b.handler, b.until = false, false
	case ":":
		if b.words == 1 && (nextWord(rest) == "BEGIN" || isBlockWord(nextWord(rest))) {
			b.program = body // a labelled block as a statement of its own
		}
		b.starts = b.program == body && !strings.HasPrefix(rest, "=")
	}
}

// firstWord takes the word that the statement begins with.
func (b *mysqlBlocks) firstWord(w, rest string) {
	switch {
	case w == "CREATE", w == "ALTER":
		b.program = creating
	case w == "BEGIN":
		if next := nextWord(rest); next == "NOT" || b.oracle && next != "" && next != "WORK" {
			b.program = body
			b.bodyWord(w, true)
		}
	case w == "DECLARE" && b.oracle:
		b.program = body
		b.push(declarations)
	case isBlockWord(w):
		b.program = body
		b.bodyWord(w, true)
	}
}

// kindWord takes a word between CREATE and what is made.
func (b *mysqlBlocks) kindWord(w string) {
	switch w {
	case "PROCEDURE", "FUNCTION", "TRIGGER", "EVENT":
		b.program, b.words, b.event = heading, 2, w == "EVENT"
	case "PACKAGE":
		b.program, b.packaged = body, true
		if b.oracle {
			b.push(declarations)
		} else {
			b.push(statementBlock)
		}
	case "TABLE", "INDEX", "VIEW", "DATABASE", "SCHEMA", "SEQUENCE", "SERVER", "USER", "ROLE":
		b.program = noProgram
	}
}

// headWord takes a word between the kind of a program and its body.
func (b *mysqlBlocks) headWord(w, rest string) {
	switch {
	case b.parens > 0:
	case b.event:
		if w == "DO" {
			b.program, b.starts = body, true
		}
	case b.oracle && (w == "AS" || w == "IS"):
		b.program = body
		b.push(declarations)
	case w == "IF" && b.words == 3 && !b.listed:
		// CREATE PROCEDURE IF NOT EXISTS
	case w == "FOR" && nextWord(rest) == "EACH":
		// of a trigger
	case w == "SET" && (b.previous == "RETURNS" || b.previous == "CHARACTER" || b.previous == "CHAR"):
	case w == "BEGIN", isBlockWord(w):
		b.program = body
		b.bodyWord(w, true)
	case !b.oracle && beginsStatement(w) && (b.listed || b.previous == "ROW"):
		b.program = body
	}
}

// bodyWord takes a word of a program's body.
func (b *mysqlBlocks) bodyWord(w string, starts bool) {
	begins := starts || b.handler
	switch w {
	case "BEGIN":
		if !begins {
			return
		}
		if n := len(b.open); n > 0 && b.open[n-1] == declarations {
			b.open[n-1], b.starts = statementBlock, true
		} else {
			b.push(statementBlock)
		}
	case "CASE":
		if begins {
			b.push(statementBlock)
		} else {
			b.push(caseExpression)
		}
		b.starts = false
	case "IF", "WHILE", "FOR":
		if starts || b.handler && b.previous != "HANDLER" {
			b.push(statementBlock)
		}
		b.starts = false
	case "LOOP":
		if begins { // not that of FOR … LOOP
			b.push(statementBlock)
		}
		b.starts = true
	case "REPEAT":
		if begins {
			b.push(statementBlock)
		}
	case "THEN", "ELSE":
		b.starts = b.none() || b.open[len(b.open)-1] != caseExpression
	case "DO":
		b.starts = !starts // of a WHILE, unless it is the statement DO
	case "NOT", "ATOMIC":
		b.starts = starts // BEGIN NOT ATOMIC
	case "UNTIL":
		b.until = starts
	case "HANDLER":
		b.handler = !starts
	case "PROCEDURE", "FUNCTION":
		if b.packaged && (starts || len(b.open) == 1) {
			b.program, b.words, b.listed = heading, 2, false
		}
	case "END":
		b.pop(starts)
	default:
		b.handler = b.handler && !beginsStatement(w)
	}
}

func (b *mysqlBlocks) push(block mysqlBlock) {
	b.open = append(b.open, block)
	b.starts, b.handler = true, false
}

// pop closes the block at hand, if an END may stand here.
func (b *mysqlBlocks) pop(starts bool) {
	n := len(b.open)
	if n == 0 {
		return
	}
	expression := b.open[n-1] == caseExpression
	if !expression && !starts && !b.until {
		return // a column of that name
	}
	b.open = b.open[:n-1]
	b.ended = !expression
	b.until = b.until && expression
}

// isBlockWord says whether w opens a block, and follows END where it ends one.
func isBlockWord(w string) bool {
	switch w {
	case "IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR":
		return true
	}
	return false
}

// beginsStatement says whether w begins a statement that a program consists of
// and that is no block.
func beginsStatement(w string) bool {
	switch w {
	case "RETURN", "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "SET", "CALL", "WITH", "CREATE", "ALTER", "DROP",
		"RENAME", "TRUNCATE", "SIGNAL", "RESIGNAL", "EXECUTE", "PREPARE", "OPEN", "FETCH", "CLOSE", "LEAVE", "ITERATE",
		"COMMIT", "ROLLBACK", "GET", "VALUES", "TABLE":
		return true
	}
	return false
}

// nextWord is the first word of text in capitals; empty where something else
// comes first.
func nextWord(sql string) string {
	l := mysqlLexer{sql: sql}
	for {
		switch k, start := l.next(); k {
		case blank, executable:
		case word:
			return upper(sql[start:l.pos])
		default:
			return ""
		}
	}
}
