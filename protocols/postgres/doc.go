// Package postgres speaks the PostgreSQL wire protocol, versions 3.0 and 3.2
// (https://www.postgresql.org/docs/current/protocol.html), to both sides.
//
//	psql                    tenantsdb                         PostgreSQL
//	 │ SSLRequest              │                                   │
//	 │────────────────────────▶│                                   │
//	 │◀──────────────────── S ─│                                   │
//	 │◀═══ TLS (or direct) ═══▶│                                   │
//	 │ StartupMessage          │                                   │
//	 │────────────────────────▶│ Login(user, database)             │
//	 │◀─ AuthenticationSASL ───│                                   │
//	 │── SASLInitialResponse ─▶│                                   │
//	 │◀─ SASLContinue ─────────│                                   │
//	 │── SASLResponse ────────▶│ slot taken                        │
//	 │                         │ warm backend, or startup ────────▶│
//	 │◀─ SASLFinal, Ok,        │                                   │
//	 │   ParameterStatus…,     │                                   │
//	 │   BackendKeyData, Ready │                                   │
//	 │◀═══════════════════ relay, frames in place ════════════════▶│
//
// Inspected on the way to the backend: Query and Parse of tracked workspaces
// (replaced or refused where the schema would change unjournaled) and of tenants'
// databases (refused where it would change at all), Bind, Execute, Sync,
// FunctionCall, CopyDone and CopyFail (the replies owed), Terminate. On the
// way back: DataRow and CopyData are counted, CommandComplete, ErrorResponse,
// PortalSuspended and ReadyForQuery settle what is owed, and the notices of the
// workspace's journal are taken out. Everything else passes by its header.
//
// Refused: plaintext, replication, frames over 1 GiB, startup packets over
// 10,000 bytes. Cancel requests are honoured in plaintext too, because libpq
// before 17 sends no others; the secret is random, per session, and compared in
// constant time.
package postgres
