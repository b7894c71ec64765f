package mysql

import (
	"strings"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

// entry is a logged statement that is about a tracked database.
type entry struct {
	query       loggedQuery
	mode        string
	description ddltrack.MySQLDescription
	end         position
}

// nothing says that the entry changed nothing. MySQL's log tells it of all
// transactional objects: what changed its dictionary has the transaction's
// number. MariaDB's has that number also where a view, a trigger or a table to
// be dropped was not there, and never for programs; there the names decide.
func (n *names) nothing(en entry, mariaDB bool) bool {
	d, effective := en.description, en.query.vars.effective
	if effective && !mariaDB {
		return false
	}
	if len(d.Renames) > 0 && mariaDB {
		// MariaDB logs that temporary tables were renamed.
		return !n.anySource(d.Renames)
	}
	if mariaDB && d.Operation == "DROP TRIGGER" {
		// One that waited for the DROP of its table succeeds afterwards.
		return !n.any(d.Drops)
	}
	if !d.Conditional || d.Replaces {
		return false
	}
	switch {
	case len(d.Drops) > 0 && d.Drops[0].Kind != "index":
		return !n.any(d.Drops)
	case len(d.Creates) > 0 && d.Creates[0].Kind != "index":
		return n.any(d.Creates)
	case len(d.Alters) > 0 && !n.any(d.Alters):
		return true
	}
	// A part of a table: there MariaDB's log tells, too.
	return !effective && mariaDB
}

// anySource says whether one of the objects that got another name was there, or
// came from another database.
func (n *names) anySource(pairs []ddltrack.MySQLRename) bool {
	for _, pair := range pairs {
		if pair.From.Database != n.database || n.has(pair.From) {
			return true
		}
	}
	return false
}

// failedReplace is what MariaDB writes behind the DROP that stands for a CREATE
// OR REPLACE that failed when the old table was gone.
const failedReplace = "/* Generated to handle failed CREATE OR REPLACE */"

// asEffective is the entry as what it did, where the log has a statement that
// does not succeed again: MariaDB drops of several objects those that are there,
// and then fails for the others.
func (n *names) asEffective(en entry, f *facts) entry {
	d := en.description
	replaced := strings.Contains(en.query.text, failedReplace)
	if !f.mariaDB || d.Conditional && !replaced || len(d.Drops) == 0 {
		return en
	}
	var there []ddltrack.MySQLObject
	for _, o := range d.Drops {
		if o.Database != n.database || n.has(o) {
			there = append(there, o)
		}
	}
	if len(there) == 0 || len(there) == len(d.Drops) && !replaced {
		return en
	}
	command := ddltrack.MySQLCommand{Database: en.query.database, FoldNames: f.foldNames}
	s := ddltrack.DropMySQL(oneStatement(en.query.text, f.mode(en.mode)), command, there)
	en.query.text, en.description = s.Text, ddltrack.DescribeMySQL(s, command)
	return en
}
