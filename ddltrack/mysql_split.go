package ddltrack

// MySQLStatement is one statement of a client's text.
type MySQLStatement struct {
	// Text is the statement as it was sent, without the semicolon and without
	// the white space and comments around it. A comment behind a stored program
	// stays, since the server keeps it as a part of the body.
	Text   string
	Offset int // of Text in what was sent, in bytes
	mode   MySQLMode
	bare   int // length of Text without the comments behind it; 0: all of it
}

// Bare is the statement without the comments behind it, which MySQL drops behind
// the END of a program.
func (s MySQLStatement) Bare() MySQLStatement {
	if s.bare > 0 {
		s.Text = s.Text[:s.bare]
	}
	return s
}

// SplitMySQL cuts text into its statements, as a server does that is sent
// several at once: the semicolons inside of a stored program do not end it.
// Text that is no SQL gives pieces that DescribeMySQL knows little about; it
// never fails.
func SplitMySQL(sql string, mode MySQLMode) []MySQLStatement {
	var (
		list        []MySQLStatement
		l           = mysqlLexer{sql: sql, mode: mode}
		blocks      = mysqlBlocks{oracle: mode.Oracle}
		first, last = -1, 0
		bare        = 0
	)
	for {
		k, start := l.next()
		if k == blank {
			if first >= 0 && blocks.stored() && !isMySQLSpace(sql[start]) {
				last = l.pos
			}
			continue
		}
		ends := k == end || k == mark && sql[start] == ';' && blocks.none()
		if ends {
			if first >= 0 {
				list = append(list, MySQLStatement{Text: sql[first:last], Offset: first, mode: mode, bare: bare - first})
			}
			if k == end {
				return list
			}
			first, blocks = -1, mysqlBlocks{oracle: mode.Oracle}
			continue
		}
		if first < 0 {
			if k == executable && sql[start] == '*' {
				continue // the end of a comment whose statement has ended
			}
			first = start
		}
		last, bare = l.pos, l.pos
		if k != executable {
			blocks.token(k, sql[start:l.pos], sql[l.pos:])
		}
	}
}
