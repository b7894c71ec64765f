package mysql

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

// facts are what does not change while a server runs, or only by its
// administrator's hand.
type facts struct {
	greeting   string // the version as the server greets with it
	mariaDB    bool
	version    int  // as in executable comments: 101106 for 10.11.6
	literally  bool // GRANT takes the names of databases literally (partial_revokes)
	foldNames  bool // names of tables are compared without regard to case
	collations map[uint16]collation
	defaults   map[string]string // settings of a new session, by name
}

type collation struct{ name, charset string }

const (
	minMariaDB = 100600 // the first whose DDL is atomic
	minMySQL   = 80000
)

var versionPattern = regexp.MustCompile(`(\d+)\.(\d+)\.(\d+)(?:-MariaDB)?`)

// serverVersion reads what a server says of itself: "9.7.4-2",
// "10.11.6-MariaDB-0+deb12u1", or "5.5.5-10.11.6-MariaDB".
func serverVersion(text string) (version int, mariaDB bool) {
	mariaDB = strings.Contains(text, "MariaDB")
	text = strings.TrimPrefix(text, "5.5.5-")
	part := versionPattern.FindStringSubmatch(text)
	if part == nil {
		return 0, mariaDB
	}
	for _, digits := range part[1:] {
		n, err := strconv.Atoi(digits)
		if err != nil {
			return 0, mariaDB
		}
		version = version*100 + min(n, 99)
	}
	return version, mariaDB
}

// learn notes the facts of the server of c, once and after each restart.
func (e *Engine) learn(ctx context.Context, c *conn) error {
	f := &facts{greeting: c.version}
	f.version, f.mariaDB = serverVersion(c.version)
	row, err := c.row(ctx, "SELECT @@global.lower_case_table_names <> 0")
	if err != nil {
		return fmt.Errorf("mysql %s: read settings: %w", e.config.Name, err)
	}
	f.foldNames = string(row[0]) == "1"
	if !f.mariaDB {
		if row, err = c.row(ctx, "SELECT @@global.partial_revokes"); err != nil {
			return fmt.Errorf("mysql %s: read settings: %w", e.config.Name, err)
		}
		f.literally = string(row[0]) == "1"
	}
	if f.defaults, err = readDefaults(ctx, c); err != nil {
		return fmt.Errorf("mysql %s: %w", e.config.Name, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.facts != nil {
		f.collations = e.facts.collations
	}
	if f.collations == nil {
		if f.collations, err = readCollations(ctx, c); err != nil {
			return fmt.Errorf("mysql %s: %w", e.config.Name, err)
		}
	}
	e.facts = f
	return nil
}

// known are the facts as last learned; a connection has been made before.
func (e *Engine) known() *facts {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.facts
}

// mode is how the server reads texts under that sql_mode.
func (f *facts) mode(sqlMode string) ddltrack.MySQLMode {
	m := ddltrack.MySQLModeOf(sqlMode)
	m.MariaDB, m.Version = f.mariaDB, f.version
	return m
}

func readCollations(ctx context.Context, c *conn) (map[uint16]collation, error) {
	sql := "SELECT ID, COLLATION_NAME, CHARACTER_SET_NAME FROM information_schema.COLLATIONS WHERE ID IS NOT NULL AND CHARACTER_SET_NAME IS NOT NULL"
	if strings.Contains(c.version, "MariaDB") {
		// Since 10.10 a collation of several character sets has a number in each.
		sql = "SELECT ID, FULL_COLLATION_NAME, CHARACTER_SET_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY"
		if version, _ := serverVersion(c.version); version < 101000 {
			sql = "SELECT ID, COLLATION_NAME, CHARACTER_SET_NAME FROM information_schema.COLLATIONS"
		}
	}
	rows, err := c.rows(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("read collations: %w", err)
	}
	all := make(map[uint16]collation, len(rows))
	for _, row := range rows {
		if id, err := strconv.ParseUint(string(row[0]), 10, 16); err == nil {
			all[uint16(id)] = collation{name: string(row[1]), charset: string(row[2])}
		}
	}
	return all, nil
}

// readDefaults reads the settings of a session that changes none of them. Its
// character set is utf8mb4 with the server's collation for it: every client says
// which it wants, and there is no other default.
func readDefaults(ctx context.Context, c *conn) (map[string]string, error) {
	row, err := c.row(ctx, `SELECT @@global.sql_mode, @@global.time_zone, @@global.foreign_key_checks, @@global.unique_checks,
		@@global.explicit_defaults_for_timestamp, @@global.collation_server, @@session.collation_connection`)
	if err != nil {
		return nil, fmt.Errorf("read defaults of sessions: %w", err)
	}
	return map[string]string{
		sqlMode:             string(row[0]),
		timeZone:            string(row[1]),
		foreignKeyChecks:    onOff(string(row[2]) == "1"),
		uniqueChecks:        onOff(string(row[3]) == "1"),
		explicitTimestamps:  onOff(string(row[4]) == "1"),
		collationServer:     string(row[5]),
		characterSetClient:  "utf8mb4",
		collationConnection: string(row[6]),
	}, nil
}
