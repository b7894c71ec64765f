package mongodb

import "github.com/tenantsdb/tenantsdb/internal/workspace"

var _ workspace.Roleless = (*Engine)(nil)

// HasRoles says whether the server has users, as far as it has told.
func (e *Engine) HasRoles() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.nature == nil || e.nature.users
}
