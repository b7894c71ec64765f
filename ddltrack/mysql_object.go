package ddltrack

import "strings"

// MySQLObject is one object of a database, as a statement names it.
type MySQLObject struct {
	// Kind is "table" (also a view or a sequence, where the statement does not
	// tell), "view", "sequence", "index", "trigger", "procedure", "function",
	// "event", "package", "package body", "library" or "database".
	Kind     string
	Database string // empty for a database itself
	Table    string // of an index, and of a trigger that is being made
	Name     string
}

// Identity is what References name: the database and the name, and the kind
// before the name for kinds that have names of their own. What belongs to a
// table is written behind it.
func (o MySQLObject) Identity() string {
	switch o.Kind {
	case "table", "view", "sequence":
		return joinMySQL(o.Database, o.Name)
	case "database":
		return plainMySQL(o.Name)
	case "index":
		return joinMySQL(o.Database, o.Table) + ".index " + plainMySQL(strings.ToLower(o.Name))
	case "trigger":
		return plainMySQL(o.Database) + ".trigger " + plainMySQL(o.Name)
	}
	return plainMySQL(o.Database) + "." + o.Kind + " " + plainMySQL(strings.ToLower(o.Name))
}

// shown is o as people see it in a session of that database.
func (o MySQLObject) shown(database string) string {
	name := o.Name
	if o.Kind == "index" {
		name += " on " + o.Table
	}
	if o.Kind == "database" || o.Database == database || o.Database == "" {
		return name
	}
	return o.Database + "." + name
}

// written is o's name in a statement of a session of that database.
func (o MySQLObject) written(database string) string {
	if o.Database == database || o.Database == "" {
		return quoteMySQL(o.Name)
	}
	return quoteMySQL(o.Database) + "." + quoteMySQL(o.Name)
}

// joinMySQL is a qualified name in an identity.
func joinMySQL(names ...string) string {
	plain := make([]string, len(names))
	for i, n := range names {
		plain[i] = plainMySQL(n)
	}
	return strings.Join(plain, ".")
}

// plainMySQL is a name in an identity: quoted only where it needs to be.
func plainMySQL(name string) string {
	for i := range len(name) {
		if !isMySQLWordPart(name[i]) {
			return quoteMySQL(name)
		}
	}
	return name
}

// quoteMySQL is a name in a statement, which every sql_mode reads alike.
func quoteMySQL(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}
