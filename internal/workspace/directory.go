package workspace

import (
	"crypto/sha256"
	"slices"
	"sync"
)

// directory is the catalog's projects, keys and workspaces in memory, so that
// a login meets neither the disk nor a decryption. Only the Service changes it,
// each time after the catalog.
type directory struct {
	mu       sync.RWMutex
	projects map[string]*heldProject
	keys     map[[sha256.Size]byte]APIKey
	byID     map[int64]*held
	byName   map[nameKey]*held
	byLogin  map[loginKey]*held

	byPassword map[[sha256.Size]byte]*heldProject // by the hash of the proxy password
}

// heldProject never changes.
type heldProject struct {
	Project
	password string
	scram    SCRAM
}

// held is a workspace with what the Service needs to serve it.
type held struct {
	server *server // nil where the configuration no longer has it
	target Target
	live   *Live
	record recorder

	changing sync.Mutex // held by create, delete, skip, revert and settings: one at a time
	w        Workspace  // guarded by directory.mu
}

type nameKey struct {
	project string
	name    string
}

type loginKey struct {
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
		byLogin:  map[loginKey]*held{},

		byPassword: map[[sha256.Size]byte]*heldProject{},
	}
}

func (d *directory) addProject(p *heldProject) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.projects[p.ID] = p
	d.byPassword[sha256.Sum256([]byte(p.password))] = p
}

// removeProject forgets the project and its keys.
func (d *directory) removeProject(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.projects[id]; p != nil {
		delete(d.byPassword, sha256.Sum256([]byte(p.password)))
	}
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
	d.byName[nameKey{h.w.ProjectID, h.w.Name}] = h
	d.byLogin[loginKey{h.w.ProjectID, h.w.Type, h.w.Database}] = h
}

func (d *directory) remove(h *held) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.byID, h.w.ID)
	delete(d.byName, nameKey{h.w.ProjectID, h.w.Name})
	delete(d.byLogin, loginKey{h.w.ProjectID, h.w.Type, h.w.Database})
}

func (d *directory) setState(h *held, s State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h.w.State = s
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

// named finds a workspace in any state, with a copy of its record; nil where
// there is none.
func (d *directory) named(project, name string) (*held, Workspace) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	h := d.byName[nameKey{project, name}]
	if h == nil {
		return nil, Workspace{}
	}
	return h, h.w
}

// numbered is named, by ID.
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
	d.mu.RLock()
	defer d.mu.RUnlock()
	var all []*held
	for _, h := range d.byID {
		if match(h) {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b *held) int { return int(a.w.ID - b.w.ID) })
	return all
}

// current is the record of h now.
func (d *directory) current(h *held) Workspace {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return h.w
}

// route finds where a login leads. project is nil for an unknown user, h for a
// database that can't be connected to.
func (d *directory) route(t DatabaseType, user, database string) (project *heldProject, h *held) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	project = d.projects[user]
	h = d.byLogin[loginKey{user, t, database}]
	if h != nil && (h.w.State != Ready || h.server == nil) {
		h = nil
	}
	return project, h
}

// routeUser finds where a login without a database leads: to the only workspace
// of that type in the user's project. project is nil for an unknown user, h
// where there is no such workspace or more than one.
func (d *directory) routeUser(t DatabaseType, user string) (project *heldProject, h *held) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	project = d.projects[user]
	if project == nil {
		return nil, nil
	}
	if h = d.only(t, user); h != nil && h.server == nil {
		h = nil
	}
	return project, h
}

// routesOf is the workspaces of that type in the user's project that can be
// reached.
func (d *directory) routesOf(t DatabaseType, user string) []*held {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var list []*held
	for _, h := range d.byID {
		if h.w.ProjectID == user && h.w.Type == t && h.w.State == Ready && h.server != nil {
			list = append(list, h)
		}
	}
	return list
}

// routeByPassword finds where a login without a database leads: its password
// decides the project, its user names a workspace of that type there, or, as
// anyWorkspace, the only one of that type. Nil where it leads nowhere. The
// password is found by its hash, as keys are.
func (d *directory) routeByPassword(t DatabaseType, user, password string) (*heldProject, *held) {
	hash := sha256.Sum256([]byte(password))
	d.mu.RLock()
	defer d.mu.RUnlock()
	project := d.byPassword[hash]
	if project == nil {
		return nil, nil
	}
	h := d.byName[nameKey{project.ID, user}]
	if (h == nil || h.w.Type != t) && (user == anyWorkspace || user == "") {
		h = d.only(t, project.ID)
	}
	if h == nil || h.w.Type != t || h.w.State != Ready || h.server == nil {
		return nil, nil
	}
	return project, h
}

// only is the project's one workspace of that type, nil where there is none or
// more; mu is held.
func (d *directory) only(t DatabaseType, project string) *held {
	var found *held
	for _, h := range d.byID {
		if h.w.ProjectID != project || h.w.Type != t || h.w.State != Ready {
			continue
		}
		if found != nil {
			return nil
		}
		found = h
	}
	return found
}
