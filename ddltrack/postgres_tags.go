package ddltrack

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// Tag is the command tag of a statement that fires the server's DDL event
// triggers, as in "CREATE TABLE", and empty for one that does not. It follows
// ProcessUtilitySlow and CreateCommandTag of the server.
func (s Statement) Tag() string {
	if s.node == nil {
		return ""
	}
	return tag(s.node)
}

// fires says whether a statement ends with the server's event triggers. One
// that the grammar does not know is judged by its first word.
func (s Statement) fires() bool {
	if s.node != nil {
		return tag(s.node) != ""
	}
	switch first, _, _ := strings.Cut(normalWords(s.Text, 1), " "); first {
	case "CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE", "SECURITY", "IMPORT", "REFRESH":
		return true
	}
	return false
}

// tagIs says whether a statement can be the one that ended with the tag.
func (s Statement) tagIs(t string) bool {
	if s.node != nil {
		return tag(s.node) == t
	}
	if !s.fires() {
		return false
	}
	// CREATE UNLOGGED TABLE has the tag CREATE TABLE: the tag's words come in
	// their order, with others between them.
	words := strings.Fields(normalWords(s.Text, 12))
	for _, w := range strings.Fields(t) {
		i := 0
		for i < len(words) && words[i] != w {
			i++
		}
		if i == len(words) {
			return false
		}
		words = words[i+1:]
	}
	return true
}

// normalWords is the first n words of sql in upper case.
func normalWords(sql string, n int) string {
	var list []string
	for l := (lexer{sql: sql}); len(list) < n; {
		k, start := l.next()
		if k == end {
			break
		}
		if k == word {
			list = append(list, strings.ToUpper(sql[start:l.pos]))
		}
	}
	return strings.Join(list, " ")
}

func tag(n *pg_query.Node) string {
	switch n := n.Node.(type) {
	case *pg_query.Node_SelectStmt:
		if selectInto(n.SelectStmt) != nil {
			return "SELECT INTO"
		}
	case *pg_query.Node_CreateTableAsStmt:
		if n.CreateTableAsStmt.Objtype == pg_query.ObjectType_OBJECT_MATVIEW {
			return "CREATE MATERIALIZED VIEW"
		}
		return "CREATE TABLE AS"
	case *pg_query.Node_CreateFunctionStmt:
		if n.CreateFunctionStmt.IsProcedure {
			return "CREATE PROCEDURE"
		}
		return "CREATE FUNCTION"
	case *pg_query.Node_DefineStmt:
		return "CREATE " + typeWords(n.DefineStmt.Kind)
	case *pg_query.Node_AlterFunctionStmt:
		return "ALTER " + typeWords(n.AlterFunctionStmt.Objtype)
	case *pg_query.Node_AlterTableStmt:
		return "ALTER " + typeWords(n.AlterTableStmt.Objtype)
	case *pg_query.Node_AlterTableMoveAllStmt:
		return "ALTER " + typeWords(n.AlterTableMoveAllStmt.Objtype)
	case *pg_query.Node_RenameStmt:
		r := n.RenameStmt
		if r.RenameType == pg_query.ObjectType_OBJECT_COLUMN {
			return alterTag(r.RelationType)
		}
		return alterTag(r.RenameType)
	case *pg_query.Node_AlterObjectSchemaStmt:
		return alterTag(n.AlterObjectSchemaStmt.ObjectType)
	case *pg_query.Node_AlterObjectDependsStmt:
		return alterTag(n.AlterObjectDependsStmt.ObjectType)
	case *pg_query.Node_AlterOwnerStmt:
		return alterTag(n.AlterOwnerStmt.ObjectType)
	case *pg_query.Node_DropStmt:
		if local(n.DropStmt.RemoveType) {
			return "DROP " + typeWords(n.DropStmt.RemoveType)
		}
	case *pg_query.Node_CommentStmt:
		if local(n.CommentStmt.Objtype) {
			return "COMMENT"
		}
	case *pg_query.Node_SecLabelStmt:
		if local(n.SecLabelStmt.Objtype) {
			return "SECURITY LABEL"
		}
	case *pg_query.Node_GrantStmt:
		if local(n.GrantStmt.Objtype) {
			return grantTag(n.GrantStmt)
		}
	default:
		return plainTag(n)
	}
	return ""
}

// plainTag is the tag of the statements that have just one.
func plainTag(n any) string {
	switch n.(type) {
	case *pg_query.Node_CreateSchemaStmt:
		return "CREATE SCHEMA"
	case *pg_query.Node_CreateStmt:
		return "CREATE TABLE"
	case *pg_query.Node_CreateForeignTableStmt:
		return "CREATE FOREIGN TABLE"
	case *pg_query.Node_IndexStmt:
		return "CREATE INDEX"
	case *pg_query.Node_ViewStmt:
		return "CREATE VIEW"
	case *pg_query.Node_CreateSeqStmt:
		return "CREATE SEQUENCE"
	case *pg_query.Node_AlterSeqStmt:
		return "ALTER SEQUENCE"
	case *pg_query.Node_RuleStmt:
		return "CREATE RULE"
	case *pg_query.Node_CreateTrigStmt:
		return "CREATE TRIGGER"
	case *pg_query.Node_CreatePolicyStmt:
		return "CREATE POLICY"
	case *pg_query.Node_AlterPolicyStmt:
		return "ALTER POLICY"
	case *pg_query.Node_CreateExtensionStmt:
		return "CREATE EXTENSION"
	case *pg_query.Node_AlterExtensionStmt, *pg_query.Node_AlterExtensionContentsStmt:
		return "ALTER EXTENSION"
	case *pg_query.Node_CreateDomainStmt:
		return "CREATE DOMAIN"
	case *pg_query.Node_AlterDomainStmt:
		return "ALTER DOMAIN"
	case *pg_query.Node_CompositeTypeStmt, *pg_query.Node_CreateEnumStmt, *pg_query.Node_CreateRangeStmt:
		return "CREATE TYPE"
	case *pg_query.Node_AlterEnumStmt, *pg_query.Node_AlterTypeStmt:
		return "ALTER TYPE"
	case *pg_query.Node_CreateStatsStmt:
		return "CREATE STATISTICS"
	case *pg_query.Node_AlterStatsStmt:
		return "ALTER STATISTICS"
	case *pg_query.Node_CreateConversionStmt:
		return "CREATE CONVERSION"
	case *pg_query.Node_CreateCastStmt:
		return "CREATE CAST"
	case *pg_query.Node_CreateTransformStmt:
		return "CREATE TRANSFORM"
	case *pg_query.Node_CreatePlangStmt:
		return "CREATE LANGUAGE"
	case *pg_query.Node_AlterCollationStmt:
		return "ALTER COLLATION"
	case *pg_query.Node_AlterOperatorStmt:
		return "ALTER OPERATOR"
	case *pg_query.Node_CreateOpClassStmt:
		return "CREATE OPERATOR CLASS"
	case *pg_query.Node_CreateOpFamilyStmt:
		return "CREATE OPERATOR FAMILY"
	case *pg_query.Node_AlterOpFamilyStmt:
		return "ALTER OPERATOR FAMILY"
	case *pg_query.Node_AlterTsdictionaryStmt:
		return "ALTER TEXT SEARCH DICTIONARY"
	case *pg_query.Node_AlterTsconfigurationStmt:
		return "ALTER TEXT SEARCH CONFIGURATION"
	case *pg_query.Node_AlterDefaultPrivilegesStmt:
		return "ALTER DEFAULT PRIVILEGES"
	case *pg_query.Node_DropOwnedStmt:
		return "DROP OWNED"
	case *pg_query.Node_RefreshMatViewStmt:
		return "REFRESH MATERIALIZED VIEW"
	}
	return serverTag(n)
}

// serverTag is plainTag for what only a superuser, or an owner of foreign data,
// may run.
func serverTag(n any) string {
	switch n.(type) {
	case *pg_query.Node_CreateFdwStmt:
		return "CREATE FOREIGN DATA WRAPPER"
	case *pg_query.Node_AlterFdwStmt:
		return "ALTER FOREIGN DATA WRAPPER"
	case *pg_query.Node_CreateForeignServerStmt:
		return "CREATE SERVER"
	case *pg_query.Node_AlterForeignServerStmt:
		return "ALTER SERVER"
	case *pg_query.Node_CreateUserMappingStmt:
		return "CREATE USER MAPPING"
	case *pg_query.Node_AlterUserMappingStmt:
		return "ALTER USER MAPPING"
	case *pg_query.Node_DropUserMappingStmt:
		return "DROP USER MAPPING"
	case *pg_query.Node_ImportForeignSchemaStmt:
		return "IMPORT FOREIGN SCHEMA"
	case *pg_query.Node_CreateAmStmt:
		return "CREATE ACCESS METHOD"
	case *pg_query.Node_CreatePublicationStmt:
		return "CREATE PUBLICATION"
	case *pg_query.Node_AlterPublicationStmt:
		return "ALTER PUBLICATION"
	case *pg_query.Node_CreateSubscriptionStmt:
		return "CREATE SUBSCRIPTION"
	case *pg_query.Node_AlterSubscriptionStmt:
		return "ALTER SUBSCRIPTION"
	case *pg_query.Node_DropSubscriptionStmt:
		return "DROP SUBSCRIPTION"
	}
	return ""
}

func grantTag(g *pg_query.GrantStmt) string {
	if g.IsGrant {
		return "GRANT"
	}
	return "REVOKE"
}

// selectInto is the target of SELECT … INTO, nil where there is none.
func selectInto(s *pg_query.SelectStmt) *pg_query.IntoClause {
	for s != nil && s.Larg != nil {
		s = s.Larg
	}
	if s == nil {
		return nil
	}
	return s.IntoClause
}

// local says whether an object lives in a database, not in the whole server.
func local(t pg_query.ObjectType) bool {
	switch t {
	case pg_query.ObjectType_OBJECT_DATABASE, pg_query.ObjectType_OBJECT_TABLESPACE, pg_query.ObjectType_OBJECT_ROLE,
		pg_query.ObjectType_OBJECT_PARAMETER_ACL, pg_query.ObjectType_OBJECT_EVENT_TRIGGER:
		return false
	}
	return true
}

// alterTag is the tag of an ALTER that all kinds of object share.
func alterTag(t pg_query.ObjectType) string {
	if !local(t) {
		return ""
	}
	switch t {
	case pg_query.ObjectType_OBJECT_COLUMN, pg_query.ObjectType_OBJECT_TABCONSTRAINT:
		t = pg_query.ObjectType_OBJECT_TABLE
	case pg_query.ObjectType_OBJECT_ATTRIBUTE:
		t = pg_query.ObjectType_OBJECT_TYPE
	case pg_query.ObjectType_OBJECT_DOMCONSTRAINT:
		t = pg_query.ObjectType_OBJECT_DOMAIN
	}
	return "ALTER " + typeWords(t)
}

// typeWords is a kind of object as SQL writes it.
func typeWords(t pg_query.ObjectType) string {
	switch t {
	case pg_query.ObjectType_OBJECT_MATVIEW:
		return "MATERIALIZED VIEW"
	case pg_query.ObjectType_OBJECT_FDW:
		return "FOREIGN DATA WRAPPER"
	case pg_query.ObjectType_OBJECT_FOREIGN_SERVER:
		return "SERVER"
	case pg_query.ObjectType_OBJECT_LARGEOBJECT:
		return "LARGE OBJECT"
	case pg_query.ObjectType_OBJECT_OPCLASS:
		return "OPERATOR CLASS"
	case pg_query.ObjectType_OBJECT_OPFAMILY:
		return "OPERATOR FAMILY"
	case pg_query.ObjectType_OBJECT_STATISTIC_EXT:
		return "STATISTICS"
	case pg_query.ObjectType_OBJECT_TSCONFIGURATION:
		return "TEXT SEARCH CONFIGURATION"
	case pg_query.ObjectType_OBJECT_TSDICTIONARY:
		return "TEXT SEARCH DICTIONARY"
	case pg_query.ObjectType_OBJECT_TSPARSER:
		return "TEXT SEARCH PARSER"
	case pg_query.ObjectType_OBJECT_TSTEMPLATE:
		return "TEXT SEARCH TEMPLATE"
	}
	return strings.ReplaceAll(strings.TrimPrefix(t.String(), "OBJECT_"), "_", " ")
}
