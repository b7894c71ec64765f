package ddltrack

// MySQLCommand is what a server knows of one statement that has been run.
type MySQLCommand struct {
	Database string // the session's, which unqualified names are in
	// Created says that the object is new; for CREATE OR REPLACE it tells which
	// of the two happened.
	Created bool
	// FoldNames says that the server compares the names of tables without
	// regard to case: lower_case_table_names is not 0.
	FoldNames bool
	// Indexes are the names of the table's indexes after the statement; nil
	// where the caller does not know. A server makes an index for a foreign
	// key that has none.
	Indexes []string
}

// MySQLDescription is what a statement of MySQL or MariaDB does.
type MySQLDescription struct {
	Description
	// Schema says that the statement is about what a dump without data shows
	// of a database: not data, not sessions, not the server.
	Schema bool
	// Temporary says that it is about temporary tables only. DROP TABLE does
	// not always say so.
	Temporary bool
	// Conditional says that it may have changed nothing, or replaced what was
	// there: IF EXISTS, IF NOT EXISTS, OR REPLACE.
	Conditional bool
	// Replaces says that it is Conditional by OR REPLACE: it always takes
	// effect.
	Replaces bool
	// Copies says that what it makes depends on more than its text: CREATE
	// TABLE … SELECT, CREATE TABLE … LIKE.
	Copies bool

	Creates []MySQLObject
	Alters  []MySQLObject
	Drops   []MySQLObject
	Renames []MySQLRename
}

// MySQLRename is one object with two names.
type MySQLRename struct{ From, To MySQLObject }

// DescribeMySQL tells what the statement s, which ran as c, does. A statement
// that it does not know has an Operation, its first words, and Schema false.
func DescribeMySQL(s MySQLStatement, c MySQLCommand) MySQLDescription {
	h := readMySQL(s, c)
	d := h.description()
	if !d.Schema {
		d.WhyNot = "it changes no schema"
		return d
	}
	d.Reverse, d.WhyNot = h.reverse()
	d.Reversible = d.WhyNot == ""
	d.References = h.references(d.Identity)
	d.Warnings = h.warnings()
	return d
}
