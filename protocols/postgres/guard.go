package postgres

import (
	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// guard is what a session's statements are held to: in a tracked workspace none
// changes the schema unjournaled, on a tenant's database none changes it.
type guard struct {
	mode   workspace.Mode
	schema ddltrack.SchemaGuard // of a tenant's database
}

func guardOf(m workspace.Mode) guard {
	return guard{mode: m, schema: ddltrack.SchemaGuard{Refusal: workspace.NoDDL}}
}

// looks says whether there is anything that statements are held to.
func (g *guard) looks() bool { return g.mode == workspace.Tenant || g.mode == workspace.Deployed }

// judge is the text that is to be sent in the place of sql, or why it is refused;
// both are empty where it passes.
func (g *guard) judge(sql string) (instead, why string) {
	if g.mode == workspace.Deployed {
		instead, refused := g.schema.Judge(sql)
		if refused {
			return "", workspace.NoDDL
		}
		return instead, ""
	}
	unseen, _ := ddltrack.Unjournaled(sql)
	return unseen.Instead, unseen.Refusal
}

// code is the SQLSTATE of a refusal.
func (g *guard) code() string {
	if g.mode == workspace.Deployed {
		return codeInsufficientRight
	}
	return codeFeatureNotSupported
}
