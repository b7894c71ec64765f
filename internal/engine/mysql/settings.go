package mysql

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

// Settings that change what a statement means.
const (
	sqlMode             = "sql_mode"
	timeZone            = "time_zone"
	foreignKeyChecks    = "foreign_key_checks"
	uniqueChecks        = "unique_checks"
	explicitTimestamps  = "explicit_defaults_for_timestamp"
	collationServer     = "collation_server"
	characterSetClient  = "character_set_client"
	collationConnection = "collation_connection"

	// timestampsInFlags is the first MariaDB that says it among the flags.
	timestampsInFlags        = 100802
	optionExplicitTimestamps = 1 << 24
)

func onOff(on bool) string {
	if on {
		return "ON"
	}
	return "OFF"
}

// settings are those that a statement ran under, by name.
func (f *facts) settings(v statusVars, mode string) map[string]string {
	s := map[string]string{sqlMode: mode}
	if v.hasFlags {
		s[foreignKeyChecks] = onOff(v.flags&optionNoForeignKeyChecks == 0)
		s[uniqueChecks] = onOff(v.flags&optionRelaxedUnique == 0)
		if f.mariaDB && f.version >= timestampsInFlags {
			s[explicitTimestamps] = onOff(v.flags&optionExplicitTimestamps != 0)
		}
	}
	if v.hasChars {
		if c, ok := f.collations[v.charsets[0]]; ok {
			s[characterSetClient] = c.charset
		}
		if c, ok := f.collations[v.charsets[1]]; ok {
			s[collationConnection] = c.name
		}
		if c, ok := f.collations[v.charsets[2]]; ok {
			s[collationServer] = c.name
		}
	}
	if v.timeZone != "" {
		s[timeZone] = v.timeZone
	}
	if v.timestamp != nil {
		s[explicitTimestamps] = onOff(*v.timestamp)
	}
	return s
}

// different are the settings that a session on the server does not have by
// itself.
func (f *facts) different(settings map[string]string) map[string]string {
	d := map[string]string{}
	for name, value := range settings {
		if f.defaults[name] != value {
			d[name] = value
		}
	}
	return d
}

// eventZone is the time zone that the event of a statement has now, and empty
// for other statements and for an event that is gone. MySQL's log does not say
// which one a prepared CREATE or ALTER EVENT ran in.
func (b *batch) eventZone(ctx context.Context, d ddltrack.MySQLDescription) (string, error) {
	made := slices.Concat(d.Creates, d.Alters)
	for _, pair := range d.Renames {
		made = append(made, pair.To)
	}
	for _, o := range made {
		if o.Kind != "event" {
			continue
		}
		rows, err := b.conn.rows(ctx, "SELECT TIME_ZONE FROM information_schema.EVENTS WHERE EVENT_SCHEMA = "+literal(o.Database)+" AND EVENT_NAME = "+literal(o.Name))
		if err != nil {
			return "", fmt.Errorf("read time zone of event %s: %w", o.Name, err)
		}
		if len(rows) > 0 {
			return string(rows[0][0]), nil
		}
	}
	return "", nil
}

// modeName is the server's own spelling of a sql_mode, which the log has as a
// number.
func (r *reader) modeName(ctx context.Context, c *conn, number uint64) (string, error) {
	if name, ok := r.modes[number]; ok {
		return name, nil
	}
	row, err := c.row(ctx, "SET SESSION sql_mode = "+strconv.FormatUint(number, 10)+"; SELECT @@session.sql_mode; SET SESSION sql_mode = ''")
	if err != nil {
		return "", fmt.Errorf("read sql_mode %d: %w", number, err)
	}
	if r.modes == nil {
		r.modes = map[uint64]string{}
	}
	r.modes[number] = string(row[0])
	return r.modes[number], nil
}
