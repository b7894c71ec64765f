// Package shell evaluates what is typed into mongosh: JavaScript with a db
// object whose methods make command documents.
//
// A script runs in a process of its own (Process starts it, Serve is it), which
// can do nothing but ask its parent to run commands: no files, no network, no
// Go values in reach. The operating system bounds its memory, and killing it
// ends it wherever it is, in an endless loop as in a regular expression. The
// parent decides about each command as it does about those of any client.
package shell
