package workspace

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// heldTenant is a tenant with its databases.
type heldTenant struct {
	changing  sync.Mutex // held while databases are added or removed, and its state changes
	record    TenantRecord
	databases []*held // in the order in which they were made
	// record and databases are guarded by directory.mu. databases is never
	// changed in place.
}

func (t *heldTenant) key() nameKey { return nameKey{t.record.ProjectID, t.record.Name} }

// tenancy is what makes a held a tenant's database. It never changes.
type tenancy struct {
	tenant    *heldTenant
	blueprint *held
	level     int64
	user      *heldUser

	deploying sync.Mutex // held by the deployment whose turn it is, before changing
}

// tenant is nil where the project has none of that name.
func (d *directory) tenant(project, name string) (*heldTenant, TenantRecord) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	t := d.tenants[nameKey{project, name}]
	if t == nil {
		return nil, TenantRecord{}
	}
	return t, t.record
}

// tenantOr is the tenant of that name, which is fresh where there was none.
func (d *directory) tenantOr(fresh *heldTenant) *heldTenant {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.tenants[fresh.key()]; t != nil {
		return t
	}
	d.tenants[fresh.key()] = fresh
	return fresh
}

// dropUnused forgets a tenant that has no database.
func (d *directory) dropUnused(t *heldTenant) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(t.databases) == 0 && d.tenants[t.key()] == t {
		delete(d.tenants, t.key())
	}
}

// numberTenant keeps the ID that the catalog gave a tenant.
func (d *directory) numberTenant(t *heldTenant, id int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.record.ID = id
}

// projectTenants is oldest first.
func (d *directory) projectTenants(project string) []*heldTenant {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var all []*heldTenant
	for key, t := range d.tenants {
		if key.project == project {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *heldTenant) int { return cmp.Compare(a.record.ID, b.record.ID) })
	return all
}

// tenantNow is a tenant's record and databases now, in any state.
func (d *directory) tenantNow(t *heldTenant) (TenantRecord, []*held) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return t.record, t.databases
}

// tenancyNow is the records of a tenant's database and of its tenant now.
func (d *directory) tenancyNow(h *held) (Workspace, TenantRecord) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return h.w, h.of.tenant.record
}

func (d *directory) setTenantState(t *heldTenant, s TenantState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.record.State = s
}

// databasesOf is the databases of a blueprint, by the names of their tenants.
func (d *directory) databasesOf(blueprint *held) []*held {
	all := d.databases(func(h *held) bool { return h.of != nil && h.of.blueprint == blueprint })
	d.mu.RLock()
	defer d.mu.RUnlock()
	slices.SortFunc(all, func(a, b *held) int {
		return strings.Compare(a.of.tenant.record.Name, b.of.tenant.record.Name)
	})
	return all
}

// tenantsOf is the names of the tenants with a database of the blueprint, those
// in trash too.
func (d *directory) tenantsOf(blueprint *held) []string {
	var names []string
	for _, h := range d.databasesOf(blueprint) {
		names = append(names, h.of.tenant.record.Name)
	}
	return names
}
