package ddltrack

import (
	"cmp"
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// AsOwner is s, which role ran, with CURRENT_USER where it names that role: GUI
// tools and dumps do, and no other database is that role's. A schema that has
// its name from the role keeps the name.
func AsOwner(s Statement, role string) Statement {
	schema := s.node.GetCreateSchemaStmt()
	unnamed := schema != nil && schema.GetSchemaname() == ""
	if !unnamed && !strings.Contains(strings.ToLower(s.Text), role) {
		return s
	}
	// Places in s.node may be those in a longer text.
	alone := single(Statement{Text: s.Text}, false)
	if alone.node == nil {
		return s
	}
	var changes []insertion
	if at := int(alone.node.GetCreateSchemaStmt().GetAuthrole().GetLocation()); unnamed {
		at = lastWord(s.Text[:at], "authorization")
		changes = append(changes, insertion{at, at, quoteIdent(role) + " "})
	}
	for _, at := range roles(alone.node.ProtoReflect(), role) {
		l := lexer{sql: s.Text, pos: at}
		l.next()
		changes = append(changes, insertion{at, l.pos, "CURRENT_USER"})
	}
	return changed(s, changes)
}

// changed is s with the changes in its text; s where there are none, or where
// what they make is no statement.
func changed(s Statement, changes []insertion) Statement {
	if len(changes) == 0 {
		return s
	}
	c := single(Statement{Text: inserted(s.Text, changes)}, false)
	if c.node == nil {
		return s
	}
	c.at = s.at
	return c
}

// roles lists the places in the tree below m that name role.
func roles(m protoreflect.Message, role string) []int {
	if spec, ok := m.Interface().(*pg_query.RoleSpec); ok && spec.Rolename == role {
		return []int{int(spec.Location)}
	}
	var places []int
	eachBelow(m, func(n protoreflect.Message) { places = append(places, roles(n, role)...) })
	return places
}

// lastWord is where a word stands last in sql.
func lastWord(sql, wanted string) int {
	at := 0
	l := lexer{sql: sql}
	for k, start := l.next(); k != end; k, start = l.next() {
		if k == word && strings.EqualFold(sql[start:l.pos], wanted) {
			at = start
		}
	}
	return at
}

// inserted is sql with the changes, none of which overlap.
func inserted(sql string, changes []insertion) string {
	slices.SortFunc(changes, func(a, b insertion) int { return cmp.Compare(a.at, b.at) })
	var b strings.Builder
	from := 0
	for _, i := range changes {
		b.WriteString(sql[from:i.at] + i.text)
		from = i.end
	}
	b.WriteString(sql[from:])
	return b.String()
}
