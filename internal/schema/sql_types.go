package schema

import (
	"strings"
)

// counting are PostgreSQL's types of columns that count by themselves.
func counting() map[string]string {
	return map[string]string{"smallint": "SMALLSERIAL", "int": "SERIAL", "bigint": "BIGSERIAL"}
}

// postgresTypes are the types of other names on PostgreSQL. Where the text ends
// with "(", the type's numbers follow.
func postgresTypes() map[string]string {
	return map[string]string{
		"smallint": "SMALLINT", "int": "INTEGER", "bigint": "BIGINT", "tinyint": "SMALLINT", "mediumint": "INTEGER", "year": "SMALLINT",
		"numeric": "NUMERIC(", "real": "REAL", "double": "DOUBLE PRECISION", "float": "DOUBLE PRECISION", "boolean": "BOOLEAN",
		"varchar": "VARCHAR(", "char": "CHAR(", "text": "TEXT", "tinytext": "TEXT", "mediumtext": "TEXT", "longtext": "TEXT",
		"bytea": "BYTEA", "tinyblob": "BYTEA", "blob": "BYTEA", "mediumblob": "BYTEA", "longblob": "BYTEA", "binary": "BYTEA", "varbinary": "BYTEA",
		"date": "DATE", "time": "TIME(", "timetz": "TIMETZ(", "timestamp": "TIMESTAMP(", "datetime": "TIMESTAMP(", "timestamptz": "TIMESTAMPTZ(",
		"uuid": "UUID", "json": "JSON", "jsonb": "JSONB", "inet": "INET", "cidr": "CIDR", "macaddr": "MACADDR", "bit": "BIT(", "varbit": "VARBIT(",
		"interval": "INTERVAL(", "xml": "XML", "money": "MONEY",
	}
}

// unsignedTypes hold what MySQL's types without a sign do.
func unsignedTypes() map[string]string {
	return map[string]string{"tinyint": "SMALLINT", "smallint": "INTEGER", "mediumint": "INTEGER", "int": "BIGINT", "bigint": "NUMERIC(20,0)"}
}

func (w *sqlWriter) postgresType(t Table, c Column) string {
	kind := c.Type
	text, known := postgresTypes()[kind.Name]
	switch {
	case kind.Increment:
		name := kind.Name
		switch {
		case kind.Unsigned || name == "bigint":
			name = "bigint"
		case name == "tinyint":
			name = "smallint"
		case counting()[name] == "":
			name = "int"
		}
		text = counting()[name]
	case kind.Name == "enum":
		text = "TEXT CHECK (" + w.name(c.Name) + " IN (" + quotedList(kind.Values) + "))"
		for _, v := range kind.Values {
			if strings.Contains(v, `\`) {
				return "TEXT"
			}
		}
		return text
	case kind.Name == "set":
		w.warn("%s.%s is TEXT: PostgreSQL has no sets", t.Name, c.Name)
		text = "TEXT"
	case kind.Unsigned && unsignedTypes()[kind.Name] != "":
		text = unsignedTypes()[kind.Name]
	case !known:
		text = kind.Name + kind.args()
	case strings.HasSuffix(text, "("):
		text = strings.TrimSuffix(text, "(") + kind.args()
	}
	return text + strings.Repeat("[]", kind.Arrays)
}

func quotedList(values []string) string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = quoted(v)
	}
	return strings.Join(all, ", ")
}

// mysqlTypes are the types of other names on MySQL.
func mysqlTypes() map[string]string {
	return map[string]string{
		"int": "INT", "numeric": "DECIMAL(", "real": "FLOAT", "double": "DOUBLE", "boolean": "BOOLEAN",
		"varchar": "VARCHAR(", "char": "CHAR(", "text": "TEXT", "bytea": "LONGBLOB",
		"date": "DATE", "time": "TIME(", "timetz": "TIME(", "timestamp": "TIMESTAMP(", "datetime": "DATETIME(", "timestamptz": "DATETIME(",
		"interval": "VARCHAR(64)", "uuid": "CHAR(36)", "json": "JSON", "jsonb": "JSON", "inet": "VARCHAR(43)", "cidr": "VARCHAR(43)",
		"macaddr": "VARCHAR(17)", "xml": "LONGTEXT", "money": "DECIMAL(19,2)", "citext": "VARCHAR(255)",
		"bit": "BIT(", "varbit": "VARCHAR(",
	}
}

// widestVarchar is what fits into a row of MySQL's with four bytes a character.
const widestVarchar = 16000

// keyedText is how much of a text can be in an index of MySQL's.
const keyedText = "VARCHAR(255)"

func (w *sqlWriter) mysqlType(t Table, c Column) string {
	kind := c.Type
	if kind.Arrays > 0 {
		w.warn("%s.%s is JSON: MySQL has no arrays", t.Name, c.Name)
		return "JSON"
	}
	text, known := mysqlTypes()[kind.Name]
	switch {
	case kind.Name == "varchar" && len(kind.Args) == 0:
		text = keyedText
	case kind.Name == "varchar" && kind.Args[0] > widestVarchar:
		w.warn("%s.%s is LONGTEXT: a VARCHAR(%d) fits in no row", t.Name, c.Name, kind.Args[0])
		text = "LONGTEXT"
	case (kind.Name == "text" || kind.Name == "longtext") && w.isKeyed(t, c.Name):
		w.warn("%s.%s is %s: MySQL indexes no TEXT of any length", t.Name, c.Name, keyedText)
		text = keyedText
	case kind.Name == "timestamptz":
		text = "DATETIME" + kind.args(6)
	case kind.Name == "varbit" && len(kind.Args) == 0:
		text = keyedText
	case len(kind.Values) > 0:
		text = strings.ToUpper(kind.Name) + "(" + quotedList(kind.Values) + ")"
	case !known:
		text = kind.Name + kind.args()
		if isPlainWord(kind.Name) {
			text = strings.ToUpper(text)
		}
	case kind.Name == "int":
		text += kind.args()
	case strings.HasSuffix(text, "("):
		text = strings.TrimSuffix(text, "(") + kind.args()
	}
	if kind.Unsigned {
		text += " UNSIGNED"
	}
	return text
}

func isPlainWord(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// isLong says whether MySQL takes a default of that type in parentheses only.
func (w *sqlWriter) isLong(t Type) bool {
	switch t.Name {
	case "text", "json", "jsonb", "bytea", "xml", "tinytext", "mediumtext", "longtext", "tinyblob", "blob", "mediumblob", "longblob":
		return true
	}
	return t.Arrays > 0
}
