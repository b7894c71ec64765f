package ddltrack

import "strings"

// publicSchema is left out of names that people see. Statements written with
// such names run with it as their search_path.
const publicSchema = "public"

// shown is o as people see it: "users", "billing.invoices", "audit on users".
func (o Object) shown() string {
	if o.Identity == "" {
		return ""
	}
	if o.attached() {
		relation := Object{Schema: o.Names[0], Names: o.Names[:2], Identity: join(o.Names[:2])}
		return quoteIdent(o.Names[2]) + " on " + relation.shown()
	}
	if o.Schema == publicSchema || len(o.Names) > 1 && o.Names[0] == publicSchema {
		return strings.TrimPrefix(o.Identity, publicSchema+".")
	}
	return o.Identity
}

// attached says whether o is named by the relation that it is on.
func (o Object) attached() bool {
	switch o.Type {
	case "trigger", "policy", "rule", "table constraint":
		return len(o.Names) == 3
	}
	return false
}

// column says whether o is a column of a relation or of a composite type.
func (o Object) column() bool {
	return strings.HasSuffix(o.Type, " column") && len(o.Names) == 3
}

// relation is the table or view that o is on or is a part of.
func (o Object) relation() Object {
	if o.attached() || o.column() {
		return Object{Type: "table", Schema: o.Names[0], Names: o.Names[:2], Identity: join(o.Names[:2])}
	}
	return o
}

// identity is what References name: names joined by dots, without the
// arguments of a routine, since a statement that uses it does not tell them.
func (o Object) identity() string {
	switch {
	case o.Type == "type", o.Type == "cast", len(o.Names) == 0:
		return o.Identity
	case o.Type == "domain constraint":
		return o.Names[0] // the domain, quoted already
	}
	return join(o.Names)
}

// join writes a qualified name.
func join(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quoteIdent(n)
	}
	return strings.Join(quoted, ".")
}

// quoteIdent is name as an identifier, quoted only where the server's
// quote_ident would: where it is not plain lower case, or is a reserved word.
func quoteIdent(name string) string {
	plain := name != "" && !isDigit(name[0]) && !reserved(name)
	for i := 0; i < len(name) && plain; i++ {
		c := name[i]
		plain = c >= 'a' && c <= 'z' || c == '_' || isDigit(c)
	}
	if plain {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func quoteLiteral(s string) string {
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return "E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}
