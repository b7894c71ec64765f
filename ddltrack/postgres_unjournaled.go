package ddltrack

import (
	"cmp"
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// Unseen is what to do about a text with a statement that changes the schema, or
// what the workspace stands on, in a way that the server does not report.
type Unseen struct {
	// Instead is a text that does the same and has it reported, through
	// routines that the journal brings; empty where there is none.
	Instead string
	// Refusal is why the text must not run, and what to run in its place, where
	// there is no Instead.
	Refusal string
}

// Unjournaled finds such a statement. Text without such a statement's first
// words costs no parsing and no allocation.
func Unjournaled(sql string) (u Unseen, found bool) {
	if !suspicious(sql) {
		return Unseen{}, false
	}
	u, found = unseenIn(sql, true)
	if !strings.Contains(sql, `\`) {
		return u, found
	}
	// What a backslash means depends on the session: both readings are tried,
	// and only where they agree the text can be replaced.
	other, _ := unseenIn(sql, false)
	if u == other {
		return u, found
	}
	return Unseen{Refusal: cmp.Or(u.Refusal, other.Refusal, noReading)}, true
}

// unseenIn is Unjournaled for one reading of backslashes.
func unseenIn(sql string, standardStrings bool) (Unseen, bool) {
	var instead strings.Builder
	done := 0 // of sql is in instead
	for _, s := range Split(sql, standardStrings) {
		reason, replacement := s.unjournaled()
		switch {
		case reason == "":
		case replacement == "":
			return Unseen{Refusal: reason}, true
		default:
			instead.WriteString(sql[done:s.at])
			instead.WriteString(replacement)
			done = s.at + len(s.Text)
		}
	}
	if done == 0 {
		return Unseen{}, false
	}
	instead.WriteString(sql[done:])
	return Unseen{Instead: instead.String()}, true
}

// suspicious says whether a statement of sql may begin with a word that
// Unjournaled looks for. A semicolon inside of a string only makes it look
// closer.
func suspicious(sql string) bool {
	for {
		if suspect(firstWord(sql)) {
			return true
		}
		i := strings.IndexByte(sql, ';')
		if i < 0 {
			return false
		}
		sql = sql[i+1:]
	}
}

func suspect(w string) bool {
	switch len(w) {
	case len("ALTER"):
		return strings.EqualFold(w, "ALTER") || strings.EqualFold(w, "GRANT")
	case len("REVOKE"):
		return strings.EqualFold(w, "REVOKE")
	case len("EXPLAIN"):
		return strings.EqualFold(w, "EXPLAIN") || strings.EqualFold(w, "CLUSTER")
	}
	return false
}

// firstWord is the first word of sql after white space and comments.
func firstWord(sql string) string {
	for l := (lexer{sql: sql}); ; {
		switch k, start := l.next(); k {
		case blank:
		case word:
			return sql[start:l.pos]
		default:
			return ""
		}
	}
}

const (
	noReading  = "the text can be read in two ways, and at least in one it changes the schema without a record; send it without backslashes"
	noExplain  = "this EXPLAIN ANALYZE would create a table without a record; create it with a plain CREATE TABLE AS and explain the query alone"
	noCluster  = "this CLUSTER … USING changes the table without a record; run ALTER TABLE … CLUSTER ON … and then CLUSTER with the table's name alone"
	noRole     = "the workspace's role is managed by TenantsDB and can't be altered"
	noDatabase = "the workspace's database is managed by TenantsDB and can't be altered; settings can be set per session"
	noGrant    = "privileges on the workspace's database are managed by TenantsDB"
)

// unjournaled is why s must not run as it is, and what may run instead; both are
// empty where it may.
func (s Statement) unjournaled() (reason, instead string) {
	if s.node == nil {
		return s.unjournaledWords(), ""
	}
	switch n := s.node.Node.(type) {
	case *pg_query.Node_ExplainStmt:
		if into := explainCreates(n.ExplainStmt); into != nil {
			return noExplain, explainInstead(s.Text, n.ExplainStmt, into)
		}
	case *pg_query.Node_ClusterStmt:
		if n.ClusterStmt.Indexname != "" {
			return noCluster, clusterInstead(n.ClusterStmt)
		}
	}
	return s.reserved(), ""
}

// reserved is why s must not run where it is about what the proxy manages.
func (s Statement) reserved() string {
	switch n := s.node.Node.(type) {
	case *pg_query.Node_AlterRoleStmt, *pg_query.Node_AlterRoleSetStmt:
		return noRole
	case *pg_query.Node_AlterDatabaseStmt, *pg_query.Node_AlterDatabaseSetStmt, *pg_query.Node_AlterDatabaseRefreshCollStmt:
		return noDatabase
	case *pg_query.Node_AlterOwnerStmt:
		if n.AlterOwnerStmt.ObjectType == pg_query.ObjectType_OBJECT_DATABASE {
			return noDatabase
		}
	case *pg_query.Node_RenameStmt:
		switch n.RenameStmt.RenameType {
		case pg_query.ObjectType_OBJECT_DATABASE:
			return noDatabase
		case pg_query.ObjectType_OBJECT_ROLE:
			return noRole
		}
	case *pg_query.Node_GrantStmt:
		if n.GrantStmt.Objtype == pg_query.ObjectType_OBJECT_DATABASE {
			return noGrant
		}
	}
	return ""
}

// explainCreates is the table that running the explained statement makes; nil
// where it makes none, or a temporary one. Without ANALYZE it is not run.
func explainCreates(e *pg_query.ExplainStmt) *pg_query.IntoClause {
	analyze := false
	for _, option := range e.Options {
		if d := option.GetDefElem(); d.GetDefname() == "analyze" {
			analyze = !isFalse(d.GetArg())
		}
	}
	if !analyze || e.Query == nil {
		return nil
	}
	into := e.Query.GetCreateTableAsStmt().GetInto()
	if into == nil {
		into = selectInto(e.Query.GetSelectStmt())
	}
	if rel := into.GetRel(); rel == nil || rel.Relpersistence == "t" || rel.Schemaname == "pg_temp" {
		return nil
	}
	return into
}

// isFalse reads an option's value as the server's defGetBoolean does; a value
// that it would refuse is not false.
func isFalse(n *pg_query.Node) bool {
	switch n := n.GetNode().(type) {
	case *pg_query.Node_Integer:
		return n.Integer.Ival == 0
	case *pg_query.Node_Boolean:
		return !n.Boolean.Boolval
	case *pg_query.Node_String_:
		return strings.EqualFold(n.String_.Sval, "false") || strings.EqualFold(n.String_.Sval, "off")
	}
	return false
}

// unjournaledWords judges a statement that the grammar does not know. Only what
// certainly is none passes.
func (s Statement) unjournaledWords() string {
	if !suspect(firstWord(s.Text)) {
		return ""
	}
	words := strings.Fields(normalWords(s.Text, 1<<10))
	has := func(w string) bool { return slices.Contains(words, w) }
	switch words[0] {
	case "EXPLAIN":
		if has("ANALYZE") && (has("CREATE") || has("INTO")) {
			return noExplain
		}
	case "CLUSTER":
		if has("USING") || has("ON") {
			return noCluster
		}
	case "ALTER":
		if len(words) > 1 && (words[1] == "ROLE" || words[1] == "USER" && !has("MAPPING") || words[1] == "GROUP") {
			return noRole
		}
		if len(words) > 1 && words[1] == "DATABASE" {
			return noDatabase
		}
	case "GRANT", "REVOKE":
		if has("DATABASE") {
			return noGrant
		}
	}
	return ""
}
