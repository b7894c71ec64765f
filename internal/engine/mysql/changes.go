package mysql

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Where a change came from.
const (
	sourceProxy = "proxy"
	sourceAPI   = "api"
)

// Changes lists the committed schema changes that were not yet forgotten, in
// the order of the binary log, all that was in the log when it was called. Each
// is a unit of its own, since a schema change commits by itself, but for those of
// one import, between which others' may stand. Session has the
// settings that a session with character set utf8mb4, the server's collation for
// it and the server's defaults does not have.
func (e *Engine) Changes(ctx context.Context, t workspace.Target) ([]workspace.Change, error) {
	r, release, err := e.read(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := r.advance(ctx); err != nil {
		return nil, err
	}
	rows, err := r.journal(ctx, t.Database)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", t.Database, err)
	}
	changes, past := make([]workspace.Change, len(rows)), marks{}
	for i, row := range rows {
		if changes[i], err = r.change(ctx, t, row, laterUse(rows[i+1:]), past); err != nil {
			return nil, fmt.Errorf("database %s: %w", t.Database, err)
		}
	}
	return changes, nil
}

// Forget removes changes from the journal.
func (e *Engine) Forget(ctx context.Context, t workspace.Target, journalIDs []int64) error {
	if len(journalIDs) == 0 {
		return nil
	}
	r, release, err := e.read(ctx)
	if err != nil {
		return err
	}
	defer release()
	c, err := r.connect(ctx)
	if err != nil {
		return err
	}
	ids := make([]string, len(journalIDs))
	for i, id := range journalIDs {
		ids[i] = strconv.FormatInt(id, 10)
	}
	sql := "DELETE FROM tenantsdb.journal WHERE name = " + literal(t.Database) + " AND id IN (" + strings.Join(ids, ", ") + ")"
	if err := c.exec(ctx, sql); err != nil {
		return fmt.Errorf("database %s: forget schema changes: %w", t.Database, err)
	}
	return nil
}

// journalRow is one statement as the journal has it.
type journalRow struct {
	id        int64
	at        position
	committed time.Time
	thread    uint32
	statement string // the server's words
	sent      string // the client's; empty where they are not known
	session   map[string]string
	source    string
	created   bool
	reverts   int64
}

func (r *reader) journal(ctx context.Context, database string) ([]journalRow, error) {
	c, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := c.rows(ctx, "SELECT id, file, at, committed, thread, statement, sent, session, source, created, reverts FROM tenantsdb.journal WHERE name = "+
		literal(database)+" ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	list := make([]journalRow, len(rows))
	for i, row := range rows {
		if list[i], err = journalRowOf(row); err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
	}
	return list, nil
}

func journalRowOf(row [][]byte) (j journalRow, err error) {
	if j.id, err = strconv.ParseInt(string(row[0]), 10, 64); err != nil {
		return j, err
	}
	if j.at, err = positionOf(row[1], row[2]); err != nil {
		return j, err
	}
	if j.committed, err = time.Parse(time.RFC3339Nano, string(row[3])); err != nil {
		return j, err
	}
	thread, err := strconv.ParseUint(string(row[4]), 10, 32)
	if err != nil {
		return j, err
	}
	j.thread = uint32(thread)
	j.statement, j.sent = string(row[5]), string(row[6])
	if err = json.Unmarshal(row[7], &j.session); err != nil {
		return j, err
	}
	j.source, j.created = string(row[8]), string(row[9]) == "1"
	j.reverts, err = strconv.ParseInt(string(row[10]), 10, 64)
	return j, err
}

// change is the row as a change. later says of a table whether later rows name
// it, so that what it is now is not what the row made of it. What sessions
// announced of the rows before is past.
func (r *reader) change(ctx context.Context, t workspace.Target, row journalRow, later func(table string) bool, past marks) (workspace.Change, error) {
	f := r.engine.known()
	c := workspace.Change{
		JournalID: row.id,
		Session:   row.session,
		At:        row.committed,
		Reverts:   row.reverts,
	}
	modeName, differs := row.session[sqlMode]
	if !differs {
		modeName = f.defaults[sqlMode]
	}
	mode := f.mode(modeName)
	command := ddltrack.MySQLCommand{Database: t.Database, Created: row.created, FoldNames: f.foldNames}
	statement := oneStatement(row.statement, mode)
	logged := logged{t.Database, row.thread, row.statement, ddltrack.DescribeMySQL(statement, command)}
	if row.sent == "" {
		// Another node may have moved it into the journal.
		var source string
		if row.sent, source = r.engine.announced.words(logged, mode, past); row.sent != "" {
			row.source = source
		}
	}
	c.Source, c.Unit = unitOf(row.source, row.at.String())
	if row.sent != "" {
		statement = oneStatement(row.sent, mode)
	}
	statement = ddltrack.WithoutDefinerMySQL(statement, t.Role)
	if table := tableWithKeys(logged.description, statement.Text); table != "" && !later(table) {
		var err error
		if command.Indexes, err = indexNames(ctx, r.writer, t.Database, table); err != nil {
			return c, err
		}
	}
	if err := r.readable(ctx, &c, statement.Text); err != nil {
		return c, err
	}
	statement.Text = c.Statement
	d := ddltrack.DescribeMySQL(statement, command)
	c.Operation, c.ObjectType, c.Object, c.Identity = d.Operation, d.ObjectType, d.Object, d.Identity
	c.Reversible, c.Reverse, c.WhyNot = d.Reversible, d.Reverse, d.WhyNot
	c.References, c.Warnings = d.References, d.Warnings
	return c, nil
}

// readable sets the statement. One in a character set that is not UTF-8 is
// turned into it where it has characters that need that, and then is not to be
// replayed in its own.
func (r *reader) readable(ctx context.Context, c *workspace.Change, text string) error {
	c.Statement = text
	charset := c.Session[characterSetClient]
	if utf8.ValidString(text) || charset == "" {
		return nil
	}
	row, err := r.writer.row(ctx, "SELECT CONVERT(CONVERT("+blob([]byte(text))+" USING "+quote(charset)+") USING utf8mb4)")
	if err != nil {
		return fmt.Errorf("read statement in %s: %w", charset, err)
	}
	c.Statement = string(row[0])
	delete(c.Session, characterSetClient)
	return nil
}

// tableWithKeys is the table of a statement for whose foreign keys the server
// may have made indexes; empty for other statements.
func tableWithKeys(d ddltrack.MySQLDescription, text string) string {
	if len(d.Alters) != 1 || d.ObjectType != "table" || !strings.Contains(strings.ToUpper(text), "REFERENCES") {
		return ""
	}
	return d.Alters[0].Name
}

// laterUse says of a table whether rows name it.
func laterUse(rows []journalRow) func(table string) bool {
	return func(table string) bool {
		for _, row := range rows {
			if strings.Contains(strings.ToLower(row.statement), strings.ToLower(table)) {
				return true
			}
		}
		return false
	}
}

func indexNames(ctx context.Context, c *conn, database, table string) ([]string, error) {
	rows, err := c.rows(ctx, "SELECT DISTINCT INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = "+literal(database)+
		" AND TABLE_NAME = "+literal(table)+" ORDER BY INDEX_NAME")
	if err != nil {
		return nil, fmt.Errorf("list indexes of %s: %w", table, err)
	}
	all := make([]string, len(rows))
	for i, row := range rows {
		all[i] = string(row[0])
	}
	return all, nil
}

// asStructure is a CREATE TABLE … SELECT as MySQL logs it, without the words that
// only a replica understands: they are behind the columns, which end on a line
// that no string can look like, since the server escapes the ends of its lines.
func asStructure(text string) string {
	return strings.Replace(text, "\n) START TRANSACTION", "\n)", 1)
}
