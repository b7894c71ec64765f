// Package ddltrack tells what a schema change is: which statement of a client's
// text it was, what it does to what, whether and how it can be undone exactly,
// and what it needs. It reads text and the server's own record of what happened
// (a Command), and does no input or output.
//
// The server's record is the evidence, the text is only read: whether a
// statement changed the schema, and which object a name meant, is never guessed
// from the text where the record says it.
package ddltrack
