package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// catalogDatabase is the database that every server has, and shows to everybody.
const catalogDatabase = "information_schema"

// databasesQuery is SHOW DATABASES of those that the client may choose, with the
// condition that it had, which the server judges.
func (l *lobby) databasesQuery(ctx context.Context, condition string) (string, error) {
	routes, err := l.protocol.config.Directory.Routes(ctx, workspace.MySQL, l.user)
	if err != nil {
		return "", err
	}
	names := []string{"SELECT '" + catalogDatabase + "' AS `Database`"}
	for _, route := range routes {
		names = append(names, "SELECT "+quoted(route.Database))
	}
	title := "Database"
	if len(condition) > 0 && !strings.EqualFold(condition[:len("LIKE")], "LIKE") {
		condition = " " + condition
	} else if len(condition) > 0 {
		pattern := strings.Trim(condition[len("LIKE"):], " \t\r\n'\"")
		if len(pattern) <= maxName {
			title += " (" + strings.ReplaceAll(pattern, "`", "``") + ")"
		}
		condition = " WHERE `Database` " + condition
	}
	return "SELECT `Database` AS `" + title + "` FROM (" + strings.Join(names, " UNION ALL ") + ") AS `databases`" + condition + " ORDER BY 1", nil
}

// schemataQuery is a SELECT from SCHEMATA, which stands here for the table of that
// name of information_schema, with the databases that the client may choose.
func (l *lobby) schemataQuery(ctx context.Context, query string) (string, error) {
	routes, err := l.protocol.config.Directory.Routes(ctx, workspace.MySQL, l.user)
	if err != nil {
		return "", err
	}
	slices.SortFunc(routes, func(a, b workspace.Route) int { return strings.Compare(a.Database, b.Database) })
	// The server's own row, the first, gives the columns their names and types.
	table := "SELECT * FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '" + catalogDatabase + "'"
	for _, row := range l.describe(ctx, routes) {
		table += " UNION ALL " + row
	}
	return "WITH SCHEMATA AS (" + table + ") " + query, nil
}

// describe gives a SELECT of each database's row in SCHEMATA. What can't be asked,
// each at its server by the only role that sees it, has what the server that runs
// the SELECT gives to new databases.
func (l *lobby) describe(ctx context.Context, routes []workspace.Route) []string {
	ctx, done := context.WithTimeout(ctx, errandTimeout)
	defer done()
	rows := make([]string, len(routes))
	for i, route := range routes {
		rows[i] = schemataRow(route.Database, "@@character_set_server", "@@collation_server", "''", "'NO'")
	}
	release, err := l.protocol.takeErrand(ctx)
	if err != nil {
		return rows
	}
	defer release()
	gone := map[string]bool{}
	for i, route := range routes {
		if gone[route.Address.Addr] {
			continue
		}
		values, err := l.protocol.describe(ctx, route)
		if err != nil {
			l.protocol.config.Log.Warn("database told of without its character set", "database", route.Database, "error", err)
			gone[route.Address.Addr] = numberOf(err) == 0
		}
		if len(values) == describedColumns {
			rows[i] = schemataRow(route.Database, values...)
		}
	}
	return rows
}

// schemataRow is a SELECT of a row of SCHEMATA, whose last column is another on
// MariaDB and on MySQL, by the expressions of what describe asks for.
func schemataRow(database string, values ...string) string {
	return fmt.Sprintf("SELECT 'def', %s, %s, %s, NULL /*M!100500 , %s */ /*!80016 , %s */",
		quoted(database), values[0], values[1], values[2], values[3])
}

// describedColumns is how many values describe asks for.
const describedColumns = 4

// describe asks for what SCHEMATA has of a database: its character set, its
// collation, its comment and whether it is encrypted.
func (p *Protocol) describe(ctx context.Context, route workspace.Route) (values []string, err error) {
	name := route.Database
	route.Database = ""
	key := poolKey{route.Live.ID, route.Role, capabilities{}, greetingCharset, true}
	b, err := p.open(ctx, key, route)
	if err != nil {
		return nil, err
	}
	defer b.Close() // one of each workspace would be too many to keep
	var reply errandReply
	err = b.within(ctx, func(b *backend) error {
		return b.askQuery("SELECT CONCAT_WS(',', HEX(DEFAULT_CHARACTER_SET_NAME), HEX(DEFAULT_COLLATION_NAME),"+
			" HEX(CONCAT('' /*M!100500 , SCHEMA_COMMENT */)), HEX(CONCAT('' /*!80016 , DEFAULT_ENCRYPTION */)))"+
			" FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = "+quoted(name), &reply, false)
	})
	if err != nil || reply.failed {
		return nil, err
	}
	for hex := range strings.SplitSeq(reply.onlyValue(), ",") {
		if strings.Trim(hex, "0123456789ABCDEF") != "" {
			return nil, errMalformed // this goes into a statement for another server
		}
		values = append(values, "_utf8mb4 X'"+hex+"'")
	}
	if len(values) == describedColumns && values[describedColumns-1] == "_utf8mb4 X''" {
		values[describedColumns-1] = "'NO'" // which MariaDB does not say
	}
	return values, nil
}

// onlyValue is the value of a result of one column and one row; empty where there
// is no row. Its end is told by EOF packets.
func (r *errandReply) onlyValue() string {
	rest := r.packets
	for range 3 { // how many columns, the column, their end
		if len(rest) < headerLen {
			return ""
		}
		rest = rest[min(len(rest), headerLen+payloadLen(rest)):]
	}
	if len(rest) <= headerLen || rest[headerLen] == mysql.EOF_HEADER {
		return ""
	}
	f := fields{b: rest[headerLen:]}
	return string(f.lenencBytes())
}

// quoted is a database's name as a string of SQL. No name has a backslash, which
// would depend on the sql_mode.
func quoted(name string) string { return "'" + strings.ReplaceAll(name, "'", "''") + "'" }
