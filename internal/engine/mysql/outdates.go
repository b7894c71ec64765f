package mysql

import "github.com/tenantsdb/tenantsdb/ddltrack"

// Outdates says whether text may change the collation of the database, which
// MariaDB's connections keep as it was when they chose it.
func (e *Engine) Outdates(text string) bool { return ddltrack.MayAlterDatabaseMySQL([]byte(text)) }
