// Package mysql speaks the client/server protocol of MySQL and MariaDB
// (https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html,
// https://mariadb.com/kb/en/clientserver-protocol/) to both sides.
//
//	mysql                     tenantsdb                     MySQL, MariaDB
//	 │◀── greeting, our id ────│                                   │
//	 │ SSLRequest              │                                   │
//	 │────────────────────────▶│                                   │
//	 │◀═════════ TLS ═════════▶│                                   │
//	 │ HandshakeResponse41     │ Login(user, database)             │
//	 │────────────────────────▶│                                   │
//	 │◀─ AuthSwitch, AuthMore ▶│ slot taken                        │
//	 │                         │ warm backend, or login ──────────▶│
//	 │◀─ the backend's own OK ─│                                   │
//	 │◀═══════════════════ relay, packets in place ═══════════════▶│
//
// The backend is opened with the client's own capabilities, so that what each
// side says means the same to the other, and packets pass as they are.
//
// A client that names no database, whose project has several workspaces, waits
// in the lobby until it names one by COM_INIT_DB, USE or in a statement. What
// needs no database is asked there of a backend that is borrowed for each
// statement.
//
// One command is with the backend at a time: a client that sends ahead is read
// again when the reply at hand has ended. So a reply is always that of the
// command before it, and a KILL QUERY of ours never hits another statement.
//
// Inspected on the way to the backend: the first byte of each command, the
// texts of COM_QUERY and COM_STMT_PREPARE in tracked workspaces and in tenants'
// databases, KILL. On the way back: the header and the first bytes of each
// packet, which tell where rows, results and replies end.
//
// Refused: plaintext, compression, replication, server administration, other
// databases by COM_INIT_DB, packets over 10,000 bytes before the login.
package mysql
