package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Changes lists the committed schema changes that were not yet forgotten, in an
// order in which they can be replayed, those of one transaction together.
func (e *Engine) Changes(ctx context.Context, t workspace.Target) ([]workspace.Change, error) {
	conn, release, err := e.admin(ctx, t.Database)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := e.upgradeJournal(ctx, conn, t.Database); err != nil {
		return nil, fmt.Errorf("database %s: %w", t.Database, err)
	}
	j, err := readLatest(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", t.Database, err)
	}
	if len(j.rows) == 0 {
		return nil, nil
	}
	defaults, err := e.serverSettings(ctx)
	if err != nil {
		return nil, err
	}
	inCommitOrder(j.rows)
	reader := journalReader{bodies: j.bodies, database: t.Database, role: t.Role, defaults: defaults, last: lastRows(j.rows)}
	var (
		changes []workspace.Change
		none    []int64 // rows about temporary objects only
	)
	for _, row := range j.rows {
		if change, ok := reader.change(row); ok {
			changes = append(changes, change)
		} else {
			none = append(none, row.ID)
		}
	}
	if err := forget(ctx, conn, none); err != nil {
		return nil, fmt.Errorf("database %s: %w", t.Database, err)
	}
	return changes, nil
}

// Forget removes changes from the journal, and the texts that no other change
// needs.
func (e *Engine) Forget(ctx context.Context, t workspace.Target, journalIDs []int64) error {
	conn, release, err := e.admin(ctx, t.Database)
	if err != nil {
		return err
	}
	defer release()
	if err := forget(ctx, conn, journalIDs); err != nil {
		return fmt.Errorf("database %s: %w", t.Database, err)
	}
	return nil
}

// forget also removes texts that an earlier forget left because it was cut
// short; a text and its rows become visible together.
func forget(ctx context.Context, conn *pgx.Conn, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM pg_tenantsdb.journal WHERE id = ANY($1)", ids); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			DELETE FROM pg_tenantsdb.body b
			 WHERE NOT EXISTS (SELECT FROM pg_tenantsdb.journal j WHERE j.message = b.id)
			   AND NOT EXISTS (SELECT FROM pg_tenantsdb.journal j WHERE j.context = b.id)`)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget schema changes: %w", err)
	}
	return nil
}

// journalReader turns journal rows into changes. A message of many statements
// is split once.
type journalReader struct {
	bodies   map[int64]string
	database string            // the workspace's
	role     string            // the workspace's
	defaults map[string]string // settings of a fresh session, names in lower case
	last     map[string]int64  // by unit, its last row
	message  int64
	list     []ddltrack.Statement
}

// change is the row as a change; false for one that is no part of the schema.
func (r *journalReader) change(row journalRow) (workspace.Change, bool) {
	r.asParsed(&row)
	c := workspace.Change{
		JournalID: row.ID,
		Unit:      row.Unit,
		Statement: r.bodies[row.Message],
		Operation: row.Tag,
		Session:   r.session(row),
		Source:    row.Source,
		At:        row.At,
		Reverts:   row.Reverts,
	}
	if row.Reverts != 0 {
		return c, true
	}
	command := row.command()
	statement, found := r.statement(row, command)
	if row.Tag == "CREATE TABLE AS" || row.Tag == "SELECT INTO" {
		command = asCreateTable(command)
	}
	if found {
		statement, found = ddltrack.Persistent(statement, command)
		if !found {
			return c, false
		}
		statement = row.rewritten(statement, func(s ddltrack.Statement) ddltrack.Statement {
			return ddltrack.AsOwner(ddltrack.WithinDatabase(s, r.database), r.role)
		})
		c.Statement = statement.Text
	}
	d := ddltrack.Describe(statement, command)
	c.Operation, c.ObjectType, c.Object, c.Identity = d.Operation, d.ObjectType, d.Object, d.Identity
	c.Reversible, c.Reverse, c.WhyNot = d.Reversible, d.Reverse, d.WhyNot
	c.References, c.Warnings = d.References, d.Warnings
	return c, true
}

const standardStringsName = "standard_conforming_strings"

// asParsed corrects the one setting that the server heeds when it reads a
// message, not when it runs the statement: where the message itself changes it,
// what the message was read under is taken to be the server's own value.
func (r *journalReader) asParsed(row *journalRow) {
	if row.Context != nil || !strings.Contains(strings.ToLower(r.bodies[row.Message]), standardStringsName) {
		return
	}
	row.Settings = maps.Clone(row.Settings)
	row.Settings[standardStringsName] = r.defaults[standardStringsName]
}

// statement is the text of what the row's command did, or where that can't be
// run again, of what does the same.
func (r *journalReader) statement(row journalRow, c ddltrack.Command) (ddltrack.Statement, bool) {
	if row.Structure == nil {
		return r.sent(row, c)
	}
	if names, found := row.ownNames(); found {
		s, found := r.sent(row, c)
		if names.Certain && row.ID == r.last[row.Unit] {
			return s, found
		}
		return row.rewritten(s, func(s ddltrack.Statement) ddltrack.Statement { return ddltrack.WithOwnNames(s, names) }), found
	}
	if row.Tag == "CREATE TABLE" {
		if s, found := r.sent(row, c); found && !ddltrack.CopiesTemporary(s, c) {
			return s, true
		}
	}
	if row.Tag == "CREATE INDEX" && !row.unasked() {
		s, found := r.sent(row, c)
		if *row.Structure == "" && row.ID == r.last[row.Unit] {
			return s, found
		}
		return row.rewritten(s, func(s ddltrack.Statement) ddltrack.Statement { return ddltrack.WithIndexName(s, c) }), found
	}
	return ddltrack.Made(*row.Structure), true
}

// rewritten is s as rewrite has it. Where the row's session read backslashes in
// strings as escapes, a text that rewrite changes has strings that mean the same
// in every session; one that it leaves stays as it was sent.
func (row journalRow) rewritten(s ddltrack.Statement, rewrite func(ddltrack.Statement) ddltrack.Statement) ddltrack.Statement {
	if row.Settings[standardStringsName] != "off" {
		return rewrite(s)
	}
	explicit := ddltrack.WithExplicitEscapes(s)
	if changed := rewrite(explicit); changed.Text != explicit.Text {
		return changed
	}
	return s
}

// ownNames are the names that the server made up for what the row's table owns,
// where the journal keeps them.
func (row journalRow) ownNames() (ddltrack.OwnNames, bool) {
	var names ddltrack.OwnNames
	if row.Tag != "CREATE TABLE" && row.Tag != "ALTER TABLE" || !strings.HasPrefix(*row.Structure, "{") {
		return names, false
	}
	return names, json.Unmarshal([]byte(*row.Structure), &names) == nil
}

// unasked says that no statement of the session made the change: it has no
// settings.
func (row journalRow) unasked() bool { return len(row.Settings) == 0 }

// sent is the statement that ran, as it was sent.
func (r *journalReader) sent(row journalRow, c ddltrack.Command) (ddltrack.Statement, bool) {
	standardStrings := row.Settings[standardStringsName] != "off"
	if row.Context != nil {
		return ddltrack.FindNested(r.bodies[*row.Context], row.Sources, standardStrings, c)
	}
	if r.message != row.Message {
		r.message, r.list = row.Message, ddltrack.Split(r.bodies[row.Message], standardStrings)
	}
	return ddltrack.Find(r.list, c)
}

// command is the row as ddltrack knows it.
func (row journalRow) command() ddltrack.Command {
	return ddltrack.Command{
		Tag:        row.Tag,
		Ordinal:    row.Ordinal,
		Created:    row.Created,
		Objects:    row.Objects,
		Dropped:    row.Dropped,
		Temporary:  row.Temporary,
		SearchPath: ddltrack.SearchPath(row.Settings["search_path"]),
	}
}

// asCreateTable is a CREATE TABLE AS or SELECT INTO as the CREATE TABLE that is
// recorded in its place.
func asCreateTable(c ddltrack.Command) ddltrack.Command {
	const tag = "CREATE TABLE"
	objects := make([]ddltrack.Object, len(c.Objects))
	copy(objects, c.Objects)
	for i := range objects {
		if objects[i].Tag == c.Tag {
			objects[i].Tag = tag
		}
	}
	c.Tag, c.Objects = tag, objects
	return c
}

// session are the row's settings that differ from the server's.
func (r *journalReader) session(row journalRow) map[string]string {
	session := map[string]string{}
	for name, value := range row.Settings {
		if r.defaults[strings.ToLower(name)] != value {
			session[name] = value
		}
	}
	return session
}
