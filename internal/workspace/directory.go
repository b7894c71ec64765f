package workspace

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"sync"
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
	byLogin  map[loginKey]*held
	tenants  map[nameKey]*heldTenant

	users      map[string]*heldUser
	byPassword map[[sha256.Size]byte]*heldUser // by the hash of the proxy password
}

// heldProject never changes.
type heldProject struct {
	Project
	*heldUser // its ID
}

// heldUser is who clients log in as: a project, which reaches its workspaces, or
// the user of a tenant's database, which reaches that. It never changes.
type heldUser struct {
	user     string
	password string
	scram    SCRAM
}

// held is a workspace, or a tenant's database, with what the Service needs to
// serve it.
type held struct {
	server *server // nil where the configuration no longer has it
	target Target
	live   *Live
	user   string   // that its clients log in as
	of     *tenancy // nil: it is a workspace
	record recorder

	deploying sync.Mutex // held by the deployment whose turn it is, before changing
	changing  sync.Mutex // held by create, delete, skip, revert, settings and deployments: one at a time
	w         Workspace  // guarded by directory.mu; of a tenant's database its name is <blueprint>__<tenant>
}

// nameKey is a name that is unique for its owner: a project or a user.
type nameKey struct {
	owner string
	name  string
}

type loginKey struct {
	user     string
	dbType   DatabaseType
	database string
}

func newDirectory() *directory {
	return &directory{
		projects: map[string]*heldProject{},
		keys:     map[[sha256.Size]byte]APIKey{},
		byID:     map[int64]*held{},
		byName:   map[nameKey]*held{},
		byLogin:  map[loginKey]*held{},
		tenants:  map[nameKey]*heldTenant{},

		users:      map[string]*heldUser{},
		byPassword: map[[sha256.Size]byte]*heldUser{},
	}
}

func (d *directory) addProject(p *heldProject) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.projects[p.ID] = p
	d.addUser(p.heldUser)
}

// addUser lets u log in; mu is held.
func (d *directory) addUser(u *heldUser) {
	d.users[u.user] = u
	d.byPassword[sha256.Sum256([]byte(u.password))] = u
}

// removeUser forgets the user of that name; mu is held.
func (d *directory) removeUser(name string) {
	if u := d.users[name]; u != nil {
		delete(d.byPassword, sha256.Sum256([]byte(u.password)))
	}
	delete(d.users, name)
}

// user is nil where there is none.
func (d *directory) user(name string) *heldUser {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.users[name]
}

// removeProject forgets the project and its keys.
func (d *directory) removeProject(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removeUser(id)
	delete(d.projects, id)
	for hash, k := range d.keys {
		if k.ProjectID == id {
			delete(d.keys, hash)
		}
	}
}

// project is nil where there is none.
func (d *directory) project(id string) *heldProject {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.projects[id]
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

func (d *directory) addKey(k APIKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keys[[sha256.Size]byte(k.Hash)] = k
}

func (d *directory) removeKey(k APIKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.keys, [sha256.Size]byte(k.Hash))
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
	d.byName[nameKey{h.user, h.w.Name}] = h
	d.byLogin[loginKey{h.user, h.w.Type, h.w.Database}] = h
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
	delete(d.byName, nameKey{h.user, h.w.Name})
	delete(d.byLogin, loginKey{h.user, h.w.Type, h.w.Database})
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
	if h == nil {
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

// route finds where a login leads. u is nil for an unknown user, h for a
// database that can't be connected to.
func (d *directory) route(t DatabaseType, user, database string) (u *heldUser, h *held) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	h = d.byLogin[loginKey{user, t, database}]
	if h != nil && !h.reachable() {
		h = nil
	}
	return d.users[user], h
}

// reachable says whether clients may be let in; the directory's mu is held.
func (h *held) reachable() bool {
	return h.w.State == Ready && h.server != nil && (h.of == nil || h.of.tenant.record.State != TenantTrash)
}

// routeUser finds where a login without a database leads: to the only database
// of that type that the user reaches. u is nil for an unknown user, h where
// there is no such database or more than one.
func (d *directory) routeUser(t DatabaseType, user string) (u *heldUser, h *held) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	u = d.users[user]
	if u == nil {
		return nil, nil
	}
	h = d.only(t, user)
	switch {
	case h == nil || h.reachable():
		return u, h
	case h.of != nil:
		return nil, nil // whose only database is in the trash is nobody
	}
	return u, nil
}

// routesOf is the databases of that type that the user reaches now.
func (d *directory) routesOf(t DatabaseType, user string) []*held {
	return d.databases(func(h *held) bool { return h.user == user && h.w.Type == t && h.reachable() })
}

// routeByPassword finds where a login without a database leads: its password
// decides who it is, the name that it gives names a workspace of that type of
// theirs, or, as anyWorkspace, the only one of that type. Nil where it leads
// nowhere. The password is found by its hash, as keys are.
func (d *directory) routeByPassword(t DatabaseType, name, password string) (*heldUser, *held) {
	hash := sha256.Sum256([]byte(password))
	d.mu.RLock()
	defer d.mu.RUnlock()
	u := d.byPassword[hash]
	if u == nil {
		return nil, nil
	}
	h := d.byName[nameKey{u.user, name}]
	if (h == nil || h.w.Type != t) && (name == anyWorkspace || name == "") {
		h = d.only(t, u.user)
	}
	if h == nil || h.w.Type != t || !h.reachable() {
		return nil, nil
	}
	return u, h
}

// only is the one database of that type that the user reaches, nil where there
// is none or more; mu is held.
func (d *directory) only(t DatabaseType, user string) *held {
	var found *held
	for _, h := range d.byID {
		if h.user != user || h.w.Type != t || h.w.State != Ready {
			continue
		}
		if found != nil {
			return nil
		}
		found = h
	}
	return found
}
