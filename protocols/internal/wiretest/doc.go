// Package wiretest is what the tests of all wire protocols share: a server
// certificate, a SCRAM verifier, peers that follow a script, connections that
// are a recording, and what a process holds open.
package wiretest
