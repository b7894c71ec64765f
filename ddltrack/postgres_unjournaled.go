package ddltrack

import (
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// Unjournaled finds a statement that changes the schema, or what the workspace
// stands on, in a way that the server does not report, and says what to do
// instead. Text without such a statement's first words costs no parsing and no
// allocation.
func Unjournaled(sql string) (reason string, found bool) {
	if !suspicious(sql) {
		return "", false
	}
	// What a backslash means depends on the session: both readings are tried.
	modes := []bool{true, false}
	if !strings.Contains(sql, `\`) {
		modes = modes[:1]
	}
	for _, standardStrings := range modes {
		for _, s := range Split(sql, standardStrings) {
			if reason := s.unjournaled(); reason != "" {
				return reason, true
			}
		}
	}
	return "", false
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
	noExplain  = "EXPLAIN ANALYZE of a statement that creates a table would create it without a record; create it with a plain CREATE TABLE AS and explain the query alone"
	noCluster  = "CLUSTER … USING changes the table without a record; run ALTER TABLE … CLUSTER ON … and then CLUSTER with the table's name alone"
	noRole     = "the workspace's role is managed by TenantsDB and can't be altered"
	noDatabase = "the workspace's database is managed by TenantsDB and can't be altered; settings can be set per session"
	noGrant    = "privileges on the workspace's database are managed by TenantsDB"
)

// unjournaled is why s must not run; empty where it may.
func (s Statement) unjournaled() string {
	if s.node == nil {
		return s.unjournaledWords()
	}
	switch n := s.node.Node.(type) {
	case *pg_query.Node_ExplainStmt:
		if explainCreates(n.ExplainStmt) {
			return noExplain
		}
	case *pg_query.Node_ClusterStmt:
		if n.ClusterStmt.Indexname != "" {
			return noCluster
		}
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

// explainCreates says whether running the explained statement makes a table.
// Without ANALYZE it is not run.
func explainCreates(e *pg_query.ExplainStmt) bool {
	analyze := false
	for _, option := range e.Options {
		if d := option.GetDefElem(); d.GetDefname() == "analyze" {
			analyze = !isFalse(d.GetArg())
		}
	}
	if !analyze || e.Query == nil {
		return false
	}
	return e.Query.GetCreateTableAsStmt() != nil || selectInto(e.Query.GetSelectStmt()) != nil
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
