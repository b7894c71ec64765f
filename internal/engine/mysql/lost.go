package mysql

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// lost goes on from where the log ends now, where what was between is not in
// the log any more: it was purged or begun anew, or the server is another one.
// What was made and what was dropped meanwhile is told from the names, in the
// server's words; that an object was changed cannot be told.
func (b *batch) lost(ctx context.Context, from, to position) error {
	b.reader.log.ErrorContext(ctx, "binary log does not reach back to where it was read last; objects made and dropped since are recorded in the server's words, other changes since are missing from the deploy queues",
		"from", from.String(), "to", to.String())
	for database := range b.tracked {
		if err := b.difference(ctx, database, to); err != nil {
			return err
		}
		if err := relist(ctx, b.conn, database); err != nil {
			return err
		}
		if err := b.conn.exec(ctx, "UPDATE tenantsdb.tracked SET file = "+literal(to.file)+", at = 0 WHERE name = "+literal(database)); err != nil {
			return fmt.Errorf("track database: %w", err)
		}
	}
	return saveProgress(ctx, b.conn, to)
}

// difference records the statements that lead from the names to what is there.
func (b *batch) difference(ctx context.Context, database string, at position) error {
	n, err := readNames(ctx, b.conn, database)
	if err != nil {
		return err
	}
	list, err := readDefinitions(ctx, b.conn, database)
	if err != nil {
		return err
	}
	there := map[object]bool{}
	for _, d := range list {
		there[keyOf(d.kind, d.name)] = true
	}
	for key := range n.held {
		if !there[key] {
			if err := b.record(ctx, database, "DROP "+dropKind(key.kind)+" IF EXISTS "+quote(key.name), "", at); err != nil {
				return err
			}
		}
	}
	for _, d := range list {
		if _, known := n.held[keyOf(d.kind, d.name)]; known {
			continue
		}
		if err := b.record(ctx, database, d.text, d.mode, at); err != nil {
			return err
		}
	}
	return nil
}

// dropKind is how an object of that kind of name is dropped. What a relation was
// is not kept.
func dropKind(kind string) string {
	if kind == "relation" {
		return "TABLE"
	}
	return strings.ToUpper(kind)
}

// record writes a statement of our own, which is to be read under that sql_mode.
func (b *batch) record(ctx context.Context, database, statement, mode string, at position) error {
	session, err := json.Marshal(b.facts.different(map[string]string{sqlMode: mode}))
	if err != nil {
		return fmt.Errorf("note settings: %w", err)
	}
	return b.insert(ctx, journalRow{at: at, committed: time.Now().UTC(), statement: statement, source: sourceProxy, created: true}, database, session)
}
