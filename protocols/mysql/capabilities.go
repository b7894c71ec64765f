package mysql

import (
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// Extended capabilities of MariaDB, which take the place of reserved bytes in
// both handshakes (https://mariadb.com/kb/en/connection/#capabilities).
const (
	mariadbProgress         uint32 = 1 << 0 // reports on long statements
	mariadbBulkOperations   uint32 = 1 << 2 // COM_STMT_BULK_EXECUTE
	mariadbExtendedMetadata uint32 = 1 << 3
	mariadbCacheMetadata    uint32 = 1 << 4 // definitions of prepared statements are sent once
)

// capabilities are what two ends of a connection agreed on.
type capabilities struct {
	base     uint32
	extended uint32 // MariaDB's; 0 on MySQL
}

func (c capabilities) has(flag uint32) bool { return c.base&flag != 0 }

func (c capabilities) and(d capabilities) capabilities {
	return capabilities{c.base & d.base, c.extended & d.extended}
}

func (c capabilities) without(d capabilities) capabilities {
	return capabilities{c.base &^ d.base, c.extended &^ d.extended}
}

const (
	// framingCapabilities change what is on the wire or what a command may
	// hold, so that both sides of a session must have the same.
	framingCapabilities = mysql.CLIENT_MULTI_STATEMENTS | mysql.CLIENT_MULTI_RESULTS |
		mysql.CLIENT_PS_MULTI_RESULTS | mysql.CLIENT_SESSION_TRACK | mysql.CLIENT_DEPRECATE_EOF |
		mysql.CLIENT_OPTIONAL_RESULTSET_METADATA | mysql.CLIENT_QUERY_ATTRIBUTES
	// passedCapabilities are the client's own choice, and told to the backend.
	passedCapabilities = framingCapabilities | mysql.CLIENT_LONG_PASSWORD | mysql.CLIENT_FOUND_ROWS | mysql.CLIENT_LONG_FLAG |
		mysql.CLIENT_NO_SCHEMA | mysql.CLIENT_ODBC | mysql.CLIENT_LOCAL_FILES | mysql.CLIENT_IGNORE_SPACE | mysql.CLIENT_INTERACTIVE |
		mysql.CLIENT_IGNORE_SIGPIPE | mysql.CLIENT_TRANSACTIONS | mysql.CLIENT_RESERVED |
		mysql.CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS
	// loginCapabilities matter in the handshake only; each side has its own.
	loginCapabilities = mysql.CLIENT_CONNECT_WITH_DB | mysql.CLIENT_PROTOCOL_41 | mysql.CLIENT_SECURE_CONNECTION | mysql.CLIENT_PLUGIN_AUTH
	// mysqlOnly are those that MariaDB does not have. It leaves
	// CLIENT_LONG_PASSWORD out to say that it is MariaDB.
	mysqlOnly = mysql.CLIENT_LONG_PASSWORD | mysql.CLIENT_OPTIONAL_RESULTSET_METADATA | mysql.CLIENT_QUERY_ATTRIBUTES

	extendedCapabilities = mariadbProgress | mariadbBulkOperations | mariadbExtendedMetadata | mariadbCacheMetadata
)

// defaultServerVersion greets clients where no server's version is known.
const defaultServerVersion = "8.0.36-TenantsDB"

// isMariaDB says whether a server's version is one of MariaDB's, with or
// without the prefix that it puts before it for old replicas.
func isMariaDB(version string) bool {
	return strings.HasPrefix(version, "5.5.5-") || strings.Contains(version, "MariaDB")
}

// offer is what a greeting may promise for servers of version, which is empty
// where it is not known: then only what MySQL and MariaDB both have.
func offer(version string) capabilities {
	c := capabilities{base: passedCapabilities}
	switch {
	case version == "":
		c.base &^= mysql.CLIENT_OPTIONAL_RESULTSET_METADATA | mysql.CLIENT_QUERY_ATTRIBUTES
	case isMariaDB(version):
		c.base &^= mysqlOnly
		c.extended = extendedCapabilities
	}
	return c
}
