package mysql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

const (
	// maxBatch is how many changes are written in one transaction.
	maxBatch = 200
	// maxBehind is how far the noted position may stay behind where nothing
	// but data was read: so much is read again after a restart.
	maxBehind = 64 << 20
)

// reader moves the binary log into the journal. One at a time uses it, see
// Engine.read; among several nodes, who holds the row of progress. It has no
// goroutine: it reads when somebody asks for changes, up to where the log ended
// then, which costs a few round trips where there is nothing new.
type reader struct {
	engine *Engine
	log    *slog.Logger

	writer *conn   // nil: not connected
	stream *stream // nil: not begun
	noted  position
	modes  map[uint64]string // names of sql_modes
}

// disconnect drops both connections; the next use makes them again.
func (r *reader) disconnect() {
	if r.writer != nil {
		r.writer.close()
	}
	r.writer = nil
	r.endStream()
}

func (r *reader) endStream() {
	if r.stream != nil {
		r.stream.close()
	}
	r.stream = nil
}

// advance brings the journal up to where the log ends now.
func (r *reader) advance(ctx context.Context) error {
	for {
		more, past := false, marks{}
		err := r.transaction(ctx, func(c *conn) (err error) {
			more, err = r.step(ctx, c, past)
			return err
		})
		if err != nil {
			// What was read and not noted is read again.
			r.endStream()
			return fmt.Errorf("mysql %s: read schema changes: %w", r.engine.config.Name, err)
		}
		r.engine.announced.settle(past)
		if !more {
			return nil
		}
	}
}

// step reads one batch and writes it, together with the position behind it. What
// sessions announced of it is past.
func (r *reader) step(ctx context.Context, c *conn, past marks) (more bool, err error) {
	noted, tracked, err := r.progress(ctx, c)
	if err != nil || len(tracked) == 0 {
		return false, err
	}
	status, err := binlogStatus(ctx, c, r.engine.known())
	if err != nil {
		return false, err
	}
	from := noted
	if r.stream != nil && noted == r.noted {
		from = r.stream.next
	}
	if from == status.end {
		return false, nil
	}
	b := &batch{reader: r, conn: c, facts: r.engine.known(), tracked: tracked, names: map[string]*names{}, past: past}
	to, err := r.fill(ctx, b, from, status.end)
	if errors.Is(err, errLogLost) {
		r.endStream()
		return false, b.lost(ctx, noted, status.end)
	}
	if err != nil {
		return false, err
	}
	if b.rows == 0 && !b.touched && noted.file == to.file && to.at-noted.at < maxBehind {
		r.noted = noted
		return false, nil
	}
	if err := b.save(ctx, to); err != nil {
		return false, err
	}
	r.noted = to
	return to.before(status.end), nil
}

// fill reads the log from a position until its end, or until the batch is full,
// and tells where that was. A stream that has been waiting may have been ended
// by the server; then it is begun anew.
func (r *reader) fill(ctx context.Context, b *batch, from, end position) (position, error) {
	if end.before(from) {
		return from, errLogLost
	}
	fresh := r.stream == nil || r.stream.next != from
	for {
		if fresh {
			r.endStream()
			s, err := r.engine.dump(ctx, from, rand.Uint32()|1<<31)
			if err != nil {
				return from, err
			}
			r.stream = s
		}
		ev, err := r.stream.read(ctx)
		if err != nil && !fresh && ctx.Err() == nil {
			fresh = true
			continue
		}
		if err != nil {
			return from, err
		}
		return r.fillFrom(ctx, b, ev, end)
	}
}

func (r *reader) fillFrom(ctx context.Context, b *batch, ev event, end position) (position, error) {
	for {
		if err := b.take(ctx, ev); err != nil {
			return ev.end, err
		}
		if !ev.end.before(end) || b.rows >= maxBatch {
			return ev.end, nil
		}
		var err error
		if ev, err = r.stream.read(ctx); err != nil {
			return ev.end, err
		}
	}
}

// batch is what one transaction writes to the journal.
type batch struct {
	reader  *reader
	conn    *conn
	facts   *facts
	tracked map[string]position
	names   map[string]*names
	past    marks
	rows    int
	touched bool // names have changed
}

// take writes down what an event did to tracked databases.
func (b *batch) take(ctx context.Context, ev event) error {
	switch ev.kind {
	case replication.QUERY_EVENT, replication.MARIADB_QUERY_COMPRESSED_EVENT:
	case replication.INCIDENT_EVENT:
		b.reader.log.ErrorContext(ctx, "server lost part of its binary log; schema changes may be missing from deploy queues", "position", ev.end.String())
		return nil
	case replication.TRANSACTION_PAYLOAD_EVENT:
		b.reader.log.ErrorContext(ctx, "binary log holds a compressed transaction, which is not read; schema changes may be missing from deploy queues", "position", ev.end.String())
		return nil
	default:
		return nil
	}
	q, err := decodeQuery(ev)
	if err != nil {
		return err
	}
	if !ddltrack.MayChangeSchemaMySQL([]byte(q.text)) {
		return nil
	}
	mode, err := b.reader.modeName(ctx, b.conn, q.vars.sqlMode)
	if err != nil {
		return err
	}
	if !b.facts.mariaDB {
		q.text = asStructure(q.text)
	}
	command := ddltrack.MySQLCommand{Database: q.database, FoldNames: b.facts.foldNames}
	d := ddltrack.DescribeMySQL(oneStatement(q.text, b.facts.mode(mode)), command)
	for _, database := range b.about(d, ev.end) {
		if err := b.keep(ctx, database, entry{query: q, mode: mode, description: d, end: ev.end}); err != nil {
			return err
		}
	}
	return nil
}

// oneStatement is a text that holds a single statement.
func oneStatement(text string, mode ddltrack.MySQLMode) ddltrack.MySQLStatement {
	if list := ddltrack.SplitMySQL(text, mode); len(list) == 1 {
		return list[0]
	}
	return ddltrack.MySQLStatement{Text: text}
}

// about are the tracked databases that a statement changes at that position.
func (b *batch) about(d ddltrack.MySQLDescription, at position) []string {
	dropped := d.Operation == "DROP DATABASE"
	if d.Temporary || !d.Schema && !dropped {
		return nil
	}
	var list []string
	for _, database := range databasesOf(d) {
		if since, is := b.tracked[database]; is && since.before(at) {
			list = append(list, database)
		}
	}
	return list
}

// databasesOf are those whose objects a statement makes, changes or drops, each
// once.
func databasesOf(d ddltrack.MySQLDescription) []string {
	objects := slices.Concat(d.Creates, d.Alters, d.Drops)
	for _, pair := range d.Renames {
		objects = append(objects, pair.From, pair.To)
	}
	var list []string
	for _, o := range objects {
		database := o.Database
		if o.Kind == "database" {
			database = o.Name
		}
		if !slices.Contains(list, database) {
			list = append(list, database)
		}
	}
	return list
}

// keep writes the entry into the journal, unless it changed nothing.
func (b *batch) keep(ctx context.Context, database string, en entry) error {
	n, err := b.namesOf(ctx, database)
	if err != nil {
		return err
	}
	if en.description.Operation == "DROP DATABASE" {
		b.reader.log.ErrorContext(ctx, "database of a workspace was dropped past the workspace", "database", database, "position", en.end.String())
		n.clear()
		b.touched = true
		return nil
	}
	created := !n.any(en.description.Creates)
	if n.nothing(en, b.facts.mariaDB) {
		return nil
	}
	en = n.asEffective(en, b.facts)
	n.apply(en.description)
	b.touched = true
	return b.write(ctx, database, en, created)
}

func (b *batch) namesOf(ctx context.Context, database string) (*names, error) {
	if n := b.names[database]; n != nil {
		return n, nil
	}
	n, err := readNames(ctx, b.conn, database)
	if err != nil {
		return nil, err
	}
	b.names[database] = n
	return n, nil
}

// write adds the journal's row.
func (b *batch) write(ctx context.Context, database string, en entry, created bool) error {
	q := en.query
	if q.vars.timeZone == "" && !b.facts.mariaDB {
		zone, err := b.eventZone(ctx, en.description)
		if err != nil {
			return err
		}
		q.vars.timeZone = zone
	}
	session, err := json.Marshal(b.facts.different(b.facts.settings(q.vars, en.mode)))
	if err != nil {
		return fmt.Errorf("note settings: %w", err)
	}
	row := journalRow{at: en.end, committed: q.at, thread: q.thread, statement: q.text, created: created}
	l := logged{database, q.thread, q.text, en.description}
	row.sent, row.source = b.reader.engine.announced.words(l, b.facts.mode(en.mode), b.past)
	if row.source == "" {
		row.source = sourceProxy
	}
	if row.reverts, err = b.reverts(ctx, database, en); err != nil {
		return err
	}
	if row.reverts != 0 {
		row.source = sourceAPI
	}
	return b.insert(ctx, row, database, session)
}

// insert adds a row to the journal.
func (b *batch) insert(ctx context.Context, row journalRow, database string, session []byte) error {
	columns := []string{
		literal(database), row.at.values(), literal(row.committed.Format(time.RFC3339Nano)), strconv.FormatUint(uint64(row.thread), 10),
		blob([]byte(row.statement)), blob([]byte(row.sent)), blob(session), literal(row.source), truth(row.created), strconv.FormatInt(row.reverts, 10),
	}
	err := b.conn.exec(ctx, "INSERT INTO tenantsdb.journal (name, file, at, committed, thread, statement, sent, session, source, created, reverts) VALUES ("+
		strings.Join(columns, ", ")+")")
	if err != nil {
		return fmt.Errorf("note schema change: %w", err)
	}
	b.rows++
	return nil
}

// save notes the names and the position.
func (b *batch) save(ctx context.Context, to position) error {
	for _, n := range b.names {
		if err := n.save(ctx, b.conn); err != nil {
			return err
		}
	}
	return saveProgress(ctx, b.conn, to)
}
