package mysql

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// effect is what the log shows of a statement.
type effect uint8

const (
	tookNone effect = iota
	tookPart        // it changed something, and failed
	tookEffect
)

// found reads the log from a position on for what an entry did. Nobody but a
// deployment changes the schema of its database, so it need not be told by the
// number of the session: what the server itself writes of a change that it finds
// finished after a crash has another one.
func (d *deployment) found(ctx context.Context, from position, entry workspace.Entry) (effect, error) {
	f := d.engine.known()
	status, err := binlogStatus(ctx, d.notes, f)
	switch {
	case err != nil:
		return tookNone, err
	case from == status.end:
		return tookNone, nil
	case status.end.before(from):
		return tookNone, errLogLost
	}
	s, err := d.engine.dump(ctx, from, rand.Uint32()|1<<31)
	if err != nil {
		return tookNone, err
	}
	defer s.close()
	sought := d.sought(f, entry)
	result := tookNone
	for {
		ev, err := s.read(ctx)
		if err != nil {
			return tookNone, err
		}
		result = max(result, sought.in(ev))
		if !ev.end.before(status.end) {
			return result, nil
		}
	}
}

// sought is a statement that is looked for in the log.
type sought struct {
	facts       *facts
	database    string
	mode        ddltrack.MySQLMode
	text        string
	description ddltrack.MySQLDescription
}

func (d *deployment) sought(f *facts, entry workspace.Entry) sought {
	s := sought{facts: f, database: d.target.Database, mode: f.modeOfEntry(entry), text: d.statement(entry)}
	s.description = s.describe(s.text, s.database)
	return s
}

func (s sought) describe(text, database string) ddltrack.MySQLDescription {
	return ddltrack.DescribeMySQL(oneStatement(text, s.mode), ddltrack.MySQLCommand{Database: database, FoldNames: s.facts.foldNames})
}

// in is what an event of the log shows. A statement that failed half-way has the
// error's number, or is one of another kind that the server puts in its place.
func (s sought) in(ev event) effect {
	if ev.kind != replication.QUERY_EVENT && ev.kind != replication.MARIADB_QUERY_COMPRESSED_EVENT {
		return tookNone
	}
	q, err := decodeQuery(ev)
	if err != nil || !ddltrack.MayChangeSchemaMySQL([]byte(q.text)) {
		return tookNone
	}
	if !s.facts.mariaDB {
		q.text = asStructure(q.text)
	}
	d := s.describe(q.text, q.database)
	switch {
	case d.Temporary || !d.Schema || !slices.Contains(databasesOf(d), s.database):
		return tookNone
	case q.failed != 0 || strings.Contains(q.text, failedReplace):
		return tookPart
	case sameChange(d, s.description):
		return tookEffect
	}
	return tookPart
}

// sameChange says whether two statements do the same to the same objects: the
// server writes some in its own words.
func sameChange(a, b ddltrack.MySQLDescription) bool {
	return a.Operation == b.Operation && slices.Equal(a.Renames, b.Renames) &&
		sameObjects(a.Creates, b.Creates) && sameObjects(a.Alters, b.Alters) && sameObjects(a.Drops, b.Drops)
}
