package ddltrack

import (
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// SchemaGuard decides what a session of a database may send whose persistent
// schema it must not change: everything that the journal would record is
// refused, as is what is about the role and the database themselves. Temporary
// objects pass. So does what only the server knows: dynamic SQL in routines, a
// statement that the grammar does not know; the privileges of the session's role
// are the other half of the guard.
//
// The zero value with a Refusal is ready. It is for one session, since it keeps
// in mind, bounded, which names may be those of temporary relations.
type SchemaGuard struct {
	Refusal string // what the server is to say where only it can decide

	temporary map[string]struct{}
	many      bool // there were more: any name may be a temporary relation's
}

// RefusalConstraint is the name of a constraint that the server tells with a
// Refusal, so that it is known from other errors.
const RefusalConstraint = "tenantsdb_refusal"

// maxTemporary bounds the names that a session's guard keeps.
const maxTemporary = 1 << 10

// Judge says whether a statement of sql is refused, so that nothing of sql may
// run. instead is a text that does the same and fails by the guard's Refusal
// (SQLSTATE 42501) where it would change the persistent schema; empty where sql
// may run as it is. Text without the first words of such a statement costs no
// parsing and no allocation.
func (g *SchemaGuard) Judge(sql string) (instead string, refused bool) {
	if !mayChangeSchema(sql) {
		return "", false
	}
	var b strings.Builder
	done := 0 // of sql is in b
	for _, s := range Split(sql, true) {
		switch replacement, refused := g.statement(s); {
		case refused:
			return "", true
		case replacement != "":
			b.WriteString(sql[done:s.at])
			b.WriteString(replacement)
			done = s.at + len(s.Text)
		}
	}
	if done == 0 {
		return "", false
	}
	b.WriteString(sql[done:])
	return b.String(), false
}

// mayChangeSchema says whether a statement of sql may be one that is looked for.
// A semicolon inside of a string only makes it look closer.
func mayChangeSchema(sql string) bool {
	looked := false // for INTO, from there on
	for {
		switch first := opening(sql); {
		case beginsSchemaChange(first):
			return true
		case !looked && selects(first):
			if mayHaveInto(sql) {
				return true
			}
			looked = true
		}
		i := strings.IndexByte(sql, ';')
		if i < 0 {
			return false
		}
		sql = sql[i+1:]
	}
}

// opening is the first word of sql after white space and comments, or its first
// character.
func opening(sql string) string {
	for l := (lexer{sql: sql}); ; {
		if k, start := l.next(); k != blank {
			return sql[start:l.pos]
		}
	}
}

// selects says whether a statement that begins with w may be a SELECT … INTO.
func selects(w string) bool {
	return w == "(" || strings.EqualFold(w, "SELECT") || strings.EqualFold(w, "WITH")
}

// beginsSchemaChange says whether a statement that begins with w may be a change of
// the schema.
func beginsSchemaChange(w string) bool {
	switch len(w) {
	case len("DROP"):
		return strings.EqualFold(w, "DROP")
	case len("ALTER"):
		return strings.EqualFold(w, "ALTER") || strings.EqualFold(w, "GRANT")
	case len("CREATE"):
		return strings.EqualFold(w, "CREATE") || strings.EqualFold(w, "REVOKE") || strings.EqualFold(w, "IMPORT")
	case len("COMMENT"):
		return strings.EqualFold(w, "COMMENT") || strings.EqualFold(w, "EXPLAIN") || strings.EqualFold(w, "CLUSTER")
	case len("SECURITY"):
		return strings.EqualFold(w, "SECURITY") || strings.EqualFold(w, "REASSIGN")
	}
	return false
}

// mayHaveInto says whether sql has INTO, in any case and within whatever.
func mayHaveInto(sql string) bool {
	for i := 0; i+4 <= len(sql); i++ {
		if sql[i]|0x20 == 'i' && sql[i+1]|0x20 == 'n' && sql[i+2]|0x20 == 't' && sql[i+3]|0x20 == 'o' {
			return true
		}
	}
	return false
}

// statement is Judge for one statement.
func (g *SchemaGuard) statement(s Statement) (instead string, refused bool) {
	if s.node == nil {
		return "", s.wordsChangeSchema()
	}
	switch n := s.node.Node.(type) {
	case *pg_query.Node_ExplainStmt:
		return "", explainCreates(n.ExplainStmt) != nil
	case *pg_query.Node_ClusterStmt:
		return "", n.ClusterStmt.Indexname != "" && !g.isTemporary(rangeNames(n.ClusterStmt.Relation))
	case *pg_query.Node_SelectStmt:
		if selectInto(n.SelectStmt) == nil {
			return "", false
		}
	case *pg_query.Node_AlterSystemStmt:
		return "", false
	default:
		if !beginsSchemaChange(opening(s.Text)) || aboutLargeObject(s.node) {
			return "", false
		}
	}
	if g.aboutTemporary(s.node) {
		return "", false
	}
	if d := s.node.GetDropStmt(); d != nil {
		if instead := g.dropInstead(s.Text, d); instead != "" {
			return instead, false
		}
	}
	return "", true
}

// wordsChangeSchema judges a statement that the grammar does not know.
func (s Statement) wordsChangeSchema() bool {
	if !beginsSchemaChange(opening(s.Text)) {
		return false
	}
	words := strings.Fields(normalWords(s.Text, 1<<10))
	has := func(w string) bool { return slices.Contains(words, w) }
	switch words[0] {
	case "EXPLAIN":
		return has("ANALYZE") && (has("CREATE") || has("INTO"))
	case "CLUSTER":
		return has("USING") || has("ON")
	case "CREATE":
		head := words[:min(len(words), 5)]
		return !slices.Contains(head, "TEMP") && !slices.Contains(head, "TEMPORARY")
	case "ALTER":
		return len(words) < 2 || words[1] != "SYSTEM"
	}
	return true
}

// aboutLargeObject says whether a statement is about large objects, which are
// data.
func aboutLargeObject(n *pg_query.Node) bool {
	const large = pg_query.ObjectType_OBJECT_LARGEOBJECT
	return n.GetAlterOwnerStmt().GetObjectType() == large || n.GetCommentStmt().GetObjtype() == large ||
		n.GetGrantStmt().GetObjtype() == large || n.GetSecLabelStmt().GetObjtype() == large
}
