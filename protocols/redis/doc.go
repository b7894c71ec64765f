// Package redis speaks the Redis serialization protocol, versions 2 and 3
// (https://redis.io/docs/latest/develop/reference/protocol-spec/), to both
// sides.
//
//	redis-cli                tenantsdb                           Redis
//	 │◀════════ TLS ═════════▶│                                    │
//	 │ AUTH, or HELLO … AUTH  │ LoginByPassword(user, password)    │
//	 │───────────────────────▶│ slot taken                         │
//	 │                        │ warm backend, or AUTH as admin,    │
//	 │                        │ SELECT n, AUTH as the role ───────▶│
//	 │◀── +OK, or HELLO's ────│                                    │
//	 │◀═══════════════ relay, commands in place ══════════════════▶│
//
// A workspace is one logical database and one ACL user that may not SELECT
// another. Every command meets one table (commands.go): it passes as it is, is
// rewritten, or is refused. Channels carry the prefix "n:" on the server, where
// n is the database, and none at the client. Values and replies stream; held
// are only the arguments that a rule looks at, up to a bound. What comes in is
// framed here, within bounds that redcon's readers do not have; what the proxy
// says itself is redcon's to encode.
//
// Writes of workspaces with a default_ttl or patterns travel with hidden
// commands in the same write (rules.go), whose replies are taken out of the
// stream; max_keys is a gate in front of them (limits.go).
//
// Files that the sisters do not have: commands.go and decide.go (the table, and
// what depends on arguments), login.go (AUTH, HELLO and RESET in a session),
// keep.go, set.go, longmset.go, rules.go and glob.go (keys that are made),
// script.go, script.lua, scriptbody.go, scriptrules.go and share.go (keys that
// scripts make, and channels that they publish on), pubsub.go and message.go
// (channels, to the server and back), tracking.go and redirect.go (client-side
// caching), run.go (what repeats in a pipeline), reply.go and outcome.go (where
// replies end, and what becomes of them), ask.go and info.go (what the proxy asks
// the server for itself).
package redis
