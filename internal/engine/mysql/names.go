package mysql

import (
	"context"
	"fmt"
	"strings"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

// names are what is in one tracked database at a position of the binary log.
// They tell whether a statement with IF EXISTS found something, which MariaDB's
// log does not say of all kinds of objects.
type names struct {
	database string
	held     map[object]string // the table of a trigger, for others empty
	changed  map[object]bool   // since they were read
	emptied  bool              // all that was there before is gone
}

// keyOf is the object as it is compared: tables, views and sequences share one
// space of names, and names of programs are the same in any letter case.
func keyOf(kind, name string) object {
	switch kind {
	case "table", "view", "sequence":
		return object{"relation", name}
	case "trigger":
		return object{kind, name}
	}
	return object{kind, strings.ToLower(name)}
}

func readNames(ctx context.Context, c *conn, database string) (*names, error) {
	rows, err := c.rows(ctx, "SELECT kind, object, parent FROM tenantsdb.object WHERE name = "+literal(database))
	if err != nil {
		return nil, fmt.Errorf("read names of %s: %w", database, err)
	}
	n := &names{database: database, held: map[object]string{}, changed: map[object]bool{}}
	for _, row := range rows {
		n.held[object{string(row[0]), string(row[1])}] = string(row[2])
	}
	return n, nil
}

func (n *names) has(o ddltrack.MySQLObject) bool {
	_, is := n.held[keyOf(o.Kind, o.Name)]
	return is
}

// any says whether one of the objects is there.
func (n *names) any(list []ddltrack.MySQLObject) bool {
	for _, o := range list {
		if o.Database == n.database && n.has(o) {
			return true
		}
	}
	return false
}

func (n *names) put(key object, of string) {
	n.held[key] = of
	n.changed[key] = true
}

func (n *names) remove(key object) {
	delete(n.held, key)
	n.changed[key] = true
}

// removeTriggers forgets those of a table.
func (n *names) removeTriggers(table string) {
	for key, of := range n.held {
		if key.kind == "trigger" && of == table {
			n.remove(key)
		}
	}
}

// apply follows a statement that took effect.
func (n *names) apply(d ddltrack.MySQLDescription) {
	for _, o := range d.Drops {
		if o.Database != n.database || o.Kind == "index" {
			continue
		}
		n.remove(keyOf(o.Kind, o.Name))
		if o.Kind == "table" {
			n.removeTriggers(o.Name)
		}
		if o.Kind == "package" {
			n.remove(keyOf("package body", o.Name))
		}
	}
	for _, o := range d.Creates {
		if o.Database != n.database || o.Kind == "index" {
			continue
		}
		if o.Kind == "table" {
			n.removeTriggers(o.Name) // OR REPLACE
		}
		n.put(keyOf(o.Kind, o.Name), o.Table)
	}
	for _, pair := range d.Renames {
		n.rename(pair.From, pair.To)
	}
}

// rename may bring an object from another database, or take it there.
func (n *names) rename(from, to ddltrack.MySQLObject) {
	switch from.Kind {
	case "table", "view", "sequence", "event":
	default:
		return
	}
	if from.Database == n.database {
		n.remove(keyOf(from.Kind, from.Name))
	}
	if to.Database != n.database {
		n.removeTriggers(from.Name)
		return
	}
	n.put(keyOf(to.Kind, to.Name), "")
	for key, of := range n.held {
		if key.kind == "trigger" && of == from.Name {
			n.put(key, to.Name)
		}
	}
}

// clear is for a database that was dropped.
func (n *names) clear() {
	n.held, n.changed, n.emptied = map[object]string{}, map[object]bool{}, true
}

// save writes what changed.
func (n *names) save(ctx context.Context, c *conn) error {
	where := "DELETE FROM tenantsdb.object WHERE name = " + literal(n.database)
	if n.emptied {
		if err := c.exec(ctx, where); err != nil {
			return fmt.Errorf("note names of %s: %w", n.database, err)
		}
	}
	for key := range n.changed {
		sql := where + " AND kind = " + literal(key.kind) + " AND object = " + literal(key.name)
		if of, is := n.held[key]; is {
			sql = "REPLACE INTO tenantsdb.object VALUES (" + literal(n.database) + ", " + literal(key.kind) + ", " + literal(key.name) + ", " + literal(of) + ")"
		}
		if err := c.exec(ctx, sql); err != nil {
			return fmt.Errorf("note names of %s: %w", n.database, err)
		}
	}
	n.changed, n.emptied = map[object]bool{}, false
	return nil
}

// relist makes the names what is in the database now.
func relist(ctx context.Context, c *conn, database string) error {
	list, err := listObjects(ctx, c, database)
	if err != nil {
		return err
	}
	tables, err := c.rows(ctx, "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = "+literal(database))
	if err != nil {
		return fmt.Errorf("list triggers of %s: %w", database, err)
	}
	of := map[string]string{}
	for _, row := range tables {
		of[string(row[0])] = string(row[1])
	}
	n := &names{database: database, held: map[object]string{}, changed: map[object]bool{}, emptied: true}
	for _, o := range list {
		table := ""
		if o.kind == "trigger" {
			table = of[o.name]
		}
		n.put(keyOf(o.kind, o.name), table)
	}
	return n.save(ctx, c)
}
