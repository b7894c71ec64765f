package workspace

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"sync"
	"sync/atomic"
)

// directory is the catalog's projects, keys, workspaces and tenants in memory,
// so that a login meets neither the disk nor a decryption. Only the Service
// changes it, each time after the catalog.
type directory struct {
	mu       sync.RWMutex
	projects map[string]*heldProject
	keys     map[[sha256.Size]byte]APIKey
	byID     map[int64]*held
	byName   map[nameKey]*held
	tenants  map[nameKey]*heldTenant

	// Those of one name, oldest first: on two servers two databases of tenants
	// may have the same.
	byDatabase map[databaseKey][]*held

	users      map[string]*heldUser
	byPassword map[[sha256.Size]byte]*heldUser // by the hash of the proxy password
	reading    map[*heldUser]bool              // those who may only read, also before they may log in
}

// heldProject never changes.
type heldProject struct {
	Project
	*heldUser // its ID
}

// held is a workspace, or a tenant's database, with what the Service needs to
// serve it.
type held struct {
	server *server // nil where the configuration no longer has it
	target Target
	live   *Live
	user   string   // that its own clients log in as
	of     *tenancy // nil: it is a workspace
	record recorder

	readers sync.Mutex             // held while its reader is made or removed, and while it becomes Ready or is dropped
	reader  atomic.Pointer[reader] // nil: it has none

	changing sync.Mutex // held by create, delete, skip, revert, settings and deployments: one at a time
	w        Workspace  // guarded by directory.mu; of a tenant's database its name is <blueprint>__<tenant>
}

// nameKey is a name that is unique in its project.
type nameKey struct {
	project string
	name    string
}

type databaseKey struct {
	project  string
	dbType   DatabaseType
	database string
}

func newDirectory() *directory {
	return &directory{
		projects: map[string]*heldProject{},
		keys:     map[[sha256.Size]byte]APIKey{},
		byID:     map[int64]*held{},
		byName:   map[nameKey]*held{},
		tenants:  map[nameKey]*heldTenant{},

		byDatabase: map[databaseKey][]*held{},

		users:      map[string]*heldUser{},
		byPassword: map[[sha256.Size]byte]*heldUser{},
		reading:    map[*heldUser]bool{},
	}
}

func (d *directory) addProject(p *heldProject) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.projects[p.ID] = p
	d.addUser(p.heldUser)
}

// project is nil where there is none.
func (d *directory) project(id string) *heldProject {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.projects[id]
}

// removeProject forgets the project and its keys.
func (d *directory) removeProject(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removeUser(id)
	delete(d.projects, id)
	for hash, k := range d.keys {
		if k.ProjectID == id {
			d.removeUser(k.Login.ProjectID)
			delete(d.keys, hash)
		}
	}
}

// allProjects is oldest first.
func (d *directory) allProjects() []Project {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var all []Project
	for _, p := range d.projects {
		all = append(all, p.Project)
	}
	slices.SortFunc(all, func(a, b Project) int {
		return byAge(a.CreatedAt, a.ID, b.CreatedAt, b.ID)
	})
	return all
}

// key finds a secret's key by its hash: what the time of a look-up can tell is
// of the hash, and leads to no secret.
func (d *directory) key(secret string) (APIKey, bool) {
	hash := sha256.Sum256([]byte(secret))
	d.mu.RLock()
	defer d.mu.RUnlock()
	k, ok := d.keys[hash]
	return k, ok
}

// projectKeys is oldest first.
func (d *directory) projectKeys(project string) []APIKey {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var all []APIKey
	for _, k := range d.keys {
		if k.ProjectID == project {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b APIKey) int {
		return byAge(a.CreatedAt, a.ID, b.CreatedAt, b.ID)
	})
	return all
}

func (d *directory) add(h *held) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byID[h.w.ID] = h
	d.byName[nameKey{h.w.ProjectID, h.w.Name}] = h
	key := databaseKey{h.w.ProjectID, h.w.Type, h.w.Database}
	d.byDatabase[key] = append(d.byDatabase[key], h)
	if h.of != nil {
		d.addUser(h.of.user)
		h.of.tenant.databases = append(h.of.tenant.databases, h)
		d.tenants[h.of.tenant.key()] = h.of.tenant
	}
}

func (d *directory) remove(h *held) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.byID, h.w.ID)
	delete(d.byName, nameKey{h.w.ProjectID, h.w.Name})
	key := databaseKey{h.w.ProjectID, h.w.Type, h.w.Database}
	if d.byDatabase[key] = slices.DeleteFunc(d.byDatabase[key], func(other *held) bool { return other == h }); len(d.byDatabase[key]) == 0 {
		delete(d.byDatabase, key)
	}
	if h.of != nil {
		d.removeUser(h.user)
		t := h.of.tenant
		t.databases = slices.DeleteFunc(slices.Clone(t.databases), func(other *held) bool { return other == h })
		if len(t.databases) == 0 {
			delete(d.tenants, t.key())
		}
	}
}

func (d *directory) setState(s State, all ...*held) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range all {
		h.w.State = s
	}
}

func (d *directory) setVersion(h *held, version int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h.w.Version = version
}

func (d *directory) setSettings(h *held, s Settings) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h.w.Settings = s
}

// named finds a workspace of a project in any state, with a copy of its record;
// nil where there is none.
func (d *directory) named(project, name string) (*held, Workspace) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	h := d.byName[nameKey{project, name}]
	if h == nil || h.of != nil {
		return nil, Workspace{}
	}
	return h, h.w
}

// numbered finds a workspace or a tenant's database by its ID.
func (d *directory) numbered(id int64) (*held, Workspace) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	h := d.byID[id]
	if h == nil {
		return nil, Workspace{}
	}
	return h, h.w
}

// workspaces is those that match, oldest first.
func (d *directory) workspaces(match func(*held) bool) []*held {
	return d.databases(func(h *held) bool { return h.of == nil && match(h) })
}

// databases is the workspaces and then the tenants' databases that match, each
// oldest first.
func (d *directory) databases(match func(*held) bool) []*held {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var all []*held
	for _, h := range d.byID {
		if match(h) {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b *held) int { return cmp.Compare(a.w.ID, b.w.ID) })
	return all
}

// current is the record of h now.
func (d *directory) current(h *held) Workspace {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return h.w
}
