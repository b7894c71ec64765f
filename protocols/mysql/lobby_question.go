package mysql

import (
	"fmt"
	"regexp"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// gtidQuestion is what MySQL's mysqldump asks before it names its database:
// whether the dump is to begin with the server's transaction numbers. They are the
// server's, and no workspace has any.
var gtidQuestion = regexp.MustCompile(`(?i)^\s*SHOW\s+VARIABLES\s+LIKE\s+'gtid\\?_mode'[\s;]*$`)

// noRows answers a command with a result of text columns, and without rows.
func (l *lobby) noRows(columns ...string) error {
	packets := [][]byte{l.columnsFollow(len(columns))}
	for _, name := range columns {
		packets = append(packets, l.textColumn(name))
	}
	const autocommit = byte(mysql.SERVER_STATUS_AUTOCOMMIT)
	end := []byte{mysql.EOF_HEADER, 0, 0, autocommit, 0} // warnings, status
	if l.capabilities.has(mysql.CLIENT_DEPRECATE_EOF) {
		end = []byte{mysql.EOF_HEADER, 0, 0, autocommit, 0, 0, 0} // an OK
	} else {
		packets = append(packets, end)
	}
	for _, packet := range append(packets, end) {
		if err := l.send(packet); err != nil {
			return fmt.Errorf("write frontend: %w", err)
		}
	}
	return nil
}

// columnsFollow begins a result of n columns, fewer than 251, all of which are
// described.
func (l *lobby) columnsFollow(n int) []byte {
	switch {
	case l.capabilities.has(mysql.CLIENT_OPTIONAL_RESULTSET_METADATA):
		return []byte{1, byte(n)}
	case l.capabilities.extended&mariadbCacheMetadata != 0:
		return []byte{byte(n), 1}
	}
	return []byte{byte(n)}
}

// textColumn is a ColumnDefinition41 of a VARCHAR that no table has.
func (l *lobby) textColumn(name string) []byte {
	const utf8mb4, width = 45, 255
	var b []byte
	for _, text := range []string{"def", "", "", "", name, ""} {
		b = append(append(b, byte(len(text))), text...)
	}
	if l.capabilities.extended&mariadbExtendedMetadata != 0 {
		b = append(b, 0)
	}
	return append(b, 12, utf8mb4, 0, width, 0, 0, 0, mysql.MYSQL_TYPE_VAR_STRING, 0, 0, 0, 0, 0)
}
