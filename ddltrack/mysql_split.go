package ddltrack

// MySQLStatement is one statement of a client's text.
type MySQLStatement struct {
	// Text is the statement as it was sent, without the semicolon and without
	// the white space and comments around it.
	Text   string
	Offset int // of Text in what was sent, in bytes
	mode   MySQLMode
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
	)
	for {
		k, start := l.next()
		if k == blank {
			continue
		}
		ends := k == end || k == mark && sql[start] == ';' && blocks.none()
		if ends {
			if first >= 0 {
				list = append(list, MySQLStatement{Text: sql[first:last], Offset: first, mode: mode})
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
		last = l.pos
		if k != executable {
			blocks.token(k, sql[start:l.pos], sql[l.pos:])
		}
	}
}
