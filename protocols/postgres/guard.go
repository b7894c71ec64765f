package postgres

import (
	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// guard is what a session's statements are held to: in a tracked workspace none
// changes the schema unjournaled, on a tenant's database none changes it, nor
// anywhere for who may only read.
type guard struct {
	tracked bool
	fixed   bool                 // the schema is
	schema  ddltrack.SchemaGuard // where it is fixed
}

// mayOnlyRead tells a reader that its statement would change the schema.
const mayOnlyRead = "permission denied: this login may only read"

func guardOf(mode workspace.Mode, reads bool) guard {
	g := guard{tracked: mode == workspace.Tenant, fixed: mode == workspace.Deployed, schema: ddltrack.SchemaGuard{Refusal: workspace.NoDDL}}
	if reads {
		g = guard{fixed: true, schema: ddltrack.SchemaGuard{Refusal: mayOnlyRead}}
	}
	return g
}

// looks says whether there is anything that statements are held to.
func (g *guard) looks() bool { return g.tracked || g.fixed }

// judge is the text that is to be sent in the place of sql, or why it is refused;
// both are empty where it passes.
func (g *guard) judge(sql string) (instead, why string) {
	if g.fixed {
		instead, refused := g.schema.Judge(sql)
		if refused {
			return "", g.schema.Refusal
		}
		return instead, ""
	}
	unseen, _ := ddltrack.Unjournaled(sql)
	return unseen.Instead, unseen.Refusal
}

// code is the SQLSTATE of a refusal.
func (g *guard) code() string {
	if g.fixed {
		return codeInsufficientRight
	}
	return codeFeatureNotSupported
}
