// Package mongodb speaks the MongoDB wire protocol
// (https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/) to both
// sides: OP_MSG, OP_COMPRESSED, and OP_QUERY for hello.
//
//	driver                   tenantsdb                         MongoDB
//	 │◀════════ TLS ═════════▶│                                   │
//	 │ hello ────────────────▶│ what the servers can do           │
//	 │ hello, awaited (a monitor stays here, and never logs in)   │
//	 │ saslStart, …Continue ─▶│ LoginUser(user): PLAIN or SCRAM   │
//	 │ ping, buildInfo, … ───▶│ answered by the proxy             │
//	 │ first command's $db ──▶│ Login(user, $db): the workspace   │
//	 │                        │ slot taken, warm backend, or      │
//	 │                        │ SCRAM as the role ───────────────▶│
//	 │◀═══════ relay: one message, its reply, the next ══════════▶│
//
// The first command for a database binds the connection to that workspace; what
// may refuse it answers that command. Every command meets one table
// (commands.go): by its database it passes, is answered by the proxy, or is
// refused, as every command that the table lacks. Where a command can name
// another database within, decide.go looks.
//
// A server reads a client's next message when it has answered the last, and so
// does the relay: one goroutine and one struct are a session. Messages are
// looked at in place; their documents, and replies, stream, but where a rule
// needs all of one: a cursor's documents are counted (limits.go), schema changes
// of tracked workspaces are recorded before their reply passes (track.go), and
// compressed messages are unpacked.
//
// Files that the sisters do not have: bson.go (documents in place), client.go
// (a request), sasl.go, hello.go and topology.go (what drivers get to see),
// answers.go, exchange.go (one request and its replies), watch.go (clients that
// leave while the server is at work), compress.go.
package mongodb
