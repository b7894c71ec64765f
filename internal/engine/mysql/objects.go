package mysql

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// object is one object of a database. Kinds are those of a statement that makes
// one, in lower case: "table", "package body".
type object struct{ kind, name string }

// listSQL lists what a dump without data shows of a database, in an order in
// which most of it can be made. Objects of one kind are in the order of their
// names, triggers in that in which they fire.
func listSQL(database string) string {
	in := literal(database)
	return `
		SELECT CASE TABLE_TYPE WHEN 'VIEW' THEN 'view' WHEN 'SEQUENCE' THEN 'sequence' ELSE 'table' END AS kind, TABLE_NAME AS name,
		       CASE TABLE_TYPE WHEN 'VIEW' THEN 4 WHEN 'SEQUENCE' THEN 1 ELSE 2 END AS place, 0 AS position
		FROM information_schema.TABLES WHERE TABLE_SCHEMA = ` + in + ` AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW', 'SEQUENCE')
		UNION ALL
		SELECT LOWER(ROUTINE_TYPE), ROUTINE_NAME, IF(ROUTINE_TYPE = 'PACKAGE', 2, 3), 0
		FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ` + in + `
		UNION ALL
		SELECT 'trigger', TRIGGER_NAME, 5, ACTION_ORDER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ` + in + `
		UNION ALL
		SELECT 'event', EVENT_NAME, 6, 0 FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ` + in + `
		ORDER BY place, position, name`
}

func listObjects(ctx context.Context, c *conn, database string) ([]object, error) {
	rows, err := c.rows(ctx, listSQL(database))
	if err != nil {
		return nil, fmt.Errorf("list objects of %s: %w", database, err)
	}
	list := make([]object, len(rows))
	for i, row := range rows {
		list[i] = object{kind: string(row[0]), name: string(row[1])}
	}
	return list, nil
}

// errGone is about an object that is not there any more.
var errGone = errors.New("object is not there")

// errNoText is about an object whose definition the user may not see.
var errNoText = errors.New("the server gives none")

// Numbers of the errors that say so.
const (
	badDatabase      = 1049
	noSuchTable      = 1146
	wrongObject      = 1347
	spDoesNotExist   = 1305
	triggerNotFound  = 1360
	eventNotFound    = 1539
	unknownTable     = 1109
	badTable         = 1051
	unknownSequence  = 4091
	notSequence      = 4089
	notSequenceOther = 4090
)

// definition is an object and the server's statement that makes it.
type definition struct {
	object
	text      string
	mode      string // the sql_mode that a program was made under, and is to be read under
	zone      string // the time zone of an event's schedule
	collation string // of the literals of a program or of a view
	database  string // the collation that the database had when a program was made, which is that of its own
}

// showCreate is the server's statement that makes o. AUTO_INCREMENT counters,
// which are data, are left out.
func showCreate(ctx context.Context, c *conn, database string, o object) (definition, error) {
	column := 1
	switch o.kind {
	case "procedure", "function", "trigger", "package", "package body":
		column = 2
	case "event":
		column = 3
	}
	row, err := c.row(ctx, "SHOW CREATE "+strings.ToUpper(o.kind)+" "+quote(database)+"."+quote(o.name))
	switch errno(err) {
	case badDatabase, noSuchTable, wrongObject, spDoesNotExist, triggerNotFound, eventNotFound, unknownTable, badTable, unknownSequence, notSequence, notSequenceOther:
		return definition{}, fmt.Errorf("%s %s: %w", o.kind, o.name, errGone)
	}
	if err != nil {
		return definition{}, fmt.Errorf("read definition of %s %s: %w", o.kind, o.name, err)
	}
	if len(row) <= column || row[column] == nil {
		return definition{}, fmt.Errorf("read definition of %s %s: %w", o.kind, o.name, errNoText)
	}
	d := definition{object: o, text: string(row[column])}
	if o.kind == "table" {
		d.text = withoutCounter(d.text)
	}
	if column > 1 {
		d.mode = string(row[1])
	}
	if column > 2 {
		d.zone = string(row[2])
	}
	if len(row) > column+2 {
		d.collation = string(row[column+2]) // behind the client's character set
	}
	if column > 1 && len(row) > column+3 {
		d.database = string(row[column+3])
	}
	return d, nil
}

var counter = regexp.MustCompile(` AUTO_INCREMENT=[0-9]+`)

// withoutCounter takes the counter out of a table's options, which are in the
// line that begins with the closing parenthesis.
func withoutCounter(definition string) string {
	i := strings.LastIndex(definition, "\n) ")
	if i < 0 {
		return definition
	}
	options := definition[i:]
	comment := strings.Index(options, " COMMENT='")
	if comment < 0 {
		comment = len(options)
	}
	return definition[:i] + counter.ReplaceAllString(options[:comment], "") + options[comment:]
}
