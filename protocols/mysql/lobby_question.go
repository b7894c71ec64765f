package mysql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/ddltrack"
)

// maxQuestions bounds the statements of one text that are run without a database.
const maxQuestions = 32

// question is a statement that needs no database.
type question struct {
	text string // as the client has it
	run  string // as the server has it
	sets bool   // it is remembered
}

// questions are the statements of a client's text; none where one of them needs a
// database.
func (l *lobby) questions(ctx context.Context, text string) ([]question, error) {
	q, ok, err := l.question(ctx, text, ddltrack.MySQLErrandOf)
	if !ok && err == nil {
		texts := ddltrack.SplitMySQLErrands(text)
		if !l.multi && len(texts) > 0 {
			return []question{{text: text, run: text}}, nil // which the server refuses, whatever is in it
		}
		return l.several(ctx, texts)
	}
	if err != nil || !ok || q.sets && len(l.remembered) == maxRemembered {
		return nil, err
	}
	return []question{q}, nil
}

// several is questions of a text of more than one statement.
func (l *lobby) several(ctx context.Context, texts []string) ([]question, error) {
	if len(texts) > maxQuestions {
		return nil, nil
	}
	var all []question
	room := maxRemembered - len(l.remembered)
	for _, text := range texts {
		q, ok, err := l.question(ctx, text, ddltrack.MySQLErrandOf)
		if q.sets {
			room--
		}
		if err != nil || !ok || room < 0 {
			return nil, err
		}
		all = append(all, q)
	}
	return all, nil
}

// question reads one statement; ok is false where it needs a database.
func (l *lobby) question(ctx context.Context, text string, errandOf func(string) (ddltrack.MySQLErrand, string)) (q question, ok bool, err error) {
	errand, of := errandOf(text)
	q = question{text: text, run: text, sets: errand == ddltrack.MySQLSets}
	switch {
	case idQuestion.MatchString(text):
		q.run = fmt.Sprintf("SELECT %d AS `CONNECTION_ID()`", l.id)
	case errand == ddltrack.MySQLNeedsDatabase:
		return question{}, false, nil
	case errand == ddltrack.MySQLLists:
		q.run, err = l.databasesQuery(ctx, of)
	case errand == ddltrack.MySQLReadsDatabases:
		q.run, err = l.schemataQuery(ctx, of)
	}
	return q, err == nil, err
}

// runErrand answers a text that needs no database; false where it needs one.
func (l *lobby) runErrand(ctx context.Context, text string) (run bool, err error) {
	questions, err := l.questions(ctx, text)
	if err != nil {
		return true, errors.Join(l.refuse(noLogins()), err)
	}
	if len(questions) == 0 {
		return false, nil
	}
	var reply errandReply
	var taken []string
	err = l.errand(ctx, l.capabilities, func(b *backend) error {
		for i, q := range questions {
			if err := b.askQuery(q.run, &reply, i < len(questions)-1); err != nil || reply.failed {
				return err
			}
			if q.sets {
				taken = append(taken, q.text)
			}
		}
		return nil
	})
	if err == nil {
		for _, text := range taken {
			l.remember(setting{text: text})
		}
		l.settle(reply)
	}
	return true, l.reply(reply.packets, err)
}

// setOption answers COM_SET_OPTION, which says whether several statements may
// stand in one text.
func (l *lobby) setOption(ctx context.Context, command []byte) error {
	if len(command) != len(optionOf(true)) {
		return errors.Join(l.refuse(malformed()), errMalformed)
	}
	var reply errandReply
	err := l.errand(ctx, l.capabilities, func(b *backend) error { return b.ask(command, &reply) })
	if err == nil && !reply.failed {
		l.multi = bytes.Equal(command, optionOf(true))
	}
	return l.reply(reply.packets, err)
}

// statistics answers COM_STATISTICS, a line for people.
func (l *lobby) statistics(ctx context.Context) error {
	var line errandReply
	err := l.errand(ctx, l.capabilities, func(b *backend) error { return b.ask([]byte{mysql.COM_STATISTICS}, &line) })
	return l.reply(line.packets, err)
}

// reply gives the client what servers replied, or says why there is nothing.
func (l *lobby) reply(packets []byte, err error) error {
	if err != nil {
		l.protocol.config.Log.Warn("command without a database not run", "user", l.user, "error", err)
		return l.say(errandFailure(err))
	}
	if _, err := l.conn.Write(packets); err != nil {
		return fmt.Errorf("write frontend: %w", err)
	}
	return nil
}

// settle keeps what a result said of the session, for the OKs of the proxy.
func (l *lobby) settle(r errandReply) {
	const lasting = mysql.SERVER_STATUS_AUTOCOMMIT | mysql.SERVER_STATUS_IN_TRANS | mysql.SERVER_STATUS_IN_TRANS_READONLY | mysql.SERVER_STATUS_NO_BACKSLASH_ESCAPED
	if r.status != 0 || !r.failed {
		l.status = r.status & lasting
	}
}

// errandFailure is what the client may know of an errand that came to nothing:
// what the server says of its statements, or that it is full.
func errandFailure(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if e, ok := errors.AsType[*serverError](err); ok && !refusedPassword(err) {
		return (*failure)(e)
	}
	if errors.Is(err, errLongErrand) {
		return failf(numberTimeout, stateGeneral, "Query execution was interrupted: a statement before a database is chosen may run for %d ms", errandTimeout.Milliseconds())
	}
	return failf(numberUnreachable, stateConnection, "Can't ask the database server; try again, or choose a database first")
}

// remember keeps a statement that sets up the session. Where constants are
// assigned once more, as by a pool to each of its borrowers, the last counts.
func (l *lobby) remember(s setting) {
	depends := func(s setting) bool {
		return strings.Contains(s.text, "@") || strings.Contains(strings.ToUpper(s.text), "TRANSACTION")
	}
	i := slices.IndexFunc(l.remembered, func(earlier setting) bool { return earlier.text == s.text })
	if i >= 0 && !slices.ContainsFunc(l.remembered[i:], depends) {
		l.remembered = slices.Delete(l.remembered, i, i+1)
	}
	l.remembered = append(l.remembered, s)
}

// idQuestion asks for the connection's number, which is the greeting's: no
// backend is the client's own, and KILL takes that number.
var idQuestion = regexp.MustCompile(`(?i)^\s*SELECT\s+CONNECTION_ID\(\)[\s;]*$`)

// gtidQuestion is what MySQL's mysqldump asks before it names its database:
// whether the dump is to begin with the server's transaction numbers. They are the
// server's, and no workspace has any.
var gtidQuestion = regexp.MustCompile(`(?i)^\s*SHOW\s+VARIABLES\s+LIKE\s+'gtid\\?_mode'[\s;]*$`)

// noRows answers a command with a result of text columns, and without rows.
func (l *lobby) noRows(columns ...string) error {
	packets := [][]byte{l.columnsFollow(len(columns))}
	for _, name := range columns {
		packets = append(packets, l.textColumn(name))
	}
	const autocommit = byte(mysql.SERVER_STATUS_AUTOCOMMIT)
	end := []byte{mysql.EOF_HEADER, 0, 0, autocommit, 0} // warnings, status
	if l.capabilities.has(mysql.CLIENT_DEPRECATE_EOF) {
		end = []byte{mysql.EOF_HEADER, 0, 0, autocommit, 0, 0, 0} // an OK
	} else {
		packets = append(packets, end)
	}
	for _, packet := range append(packets, end) {
		if err := l.send(packet); err != nil {
			return fmt.Errorf("write frontend: %w", err)
		}
	}
	return nil
}

// columnsFollow begins a result of n columns, fewer than 251, all of which are
// described.
func (l *lobby) columnsFollow(n int) []byte {
	switch {
	case l.capabilities.has(mysql.CLIENT_OPTIONAL_RESULTSET_METADATA):
		return []byte{1, byte(n)}
	case l.capabilities.extended&mariadbCacheMetadata != 0:
		return []byte{byte(n), 1}
	}
	return []byte{byte(n)}
}

// textColumn is a ColumnDefinition41 of a VARCHAR that no table has.
func (l *lobby) textColumn(name string) []byte {
	const utf8mb4, width = 45, 255
	var b []byte
	for _, text := range []string{"def", "", "", "", name, ""} {
		b = append(append(b, byte(len(text))), text...)
	}
	if l.capabilities.extended&mariadbExtendedMetadata != 0 {
		b = append(b, 0)
	}
	return append(b, 12, utf8mb4, 0, width, 0, 0, 0, mysql.MYSQL_TYPE_VAR_STRING, 0, 0, 0, 0, 0)
}
