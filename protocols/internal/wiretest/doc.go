// Package wiretest is what the tests of all wire protocols share: a listener
// whose sessions they can look into, its log and its certificate, a SCRAM
// verifier, peers that follow a script, connections that are a recording, and
// what a process holds open.
package wiretest
