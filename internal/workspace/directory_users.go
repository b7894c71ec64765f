package workspace

import (
	"crypto/sha256"
	"slices"
)

// heldUser is who clients log in as: a project, which reaches its workspaces, the
// user of a tenant's database, which reaches that, or an API key, which reaches
// what its scope says. It never changes.
type heldUser struct {
	user     string
	password string
	scram    SCRAM
	project  string

	// Of an API key; key is nil for the others.
	key   *LiveKey
	scope Scope
}

// reaches says whether h is one of those that u may connect to while they let
// anybody in.
func (u *heldUser) reaches(h *held) bool {
	switch {
	case u.project != h.w.ProjectID:
		return false
	case u.key == nil:
		return u.user == h.user
	}
	switch u.scope.Type {
	case scopeProject:
		return h.of == nil
	case scopeWorkspace:
		name := h.live.Name
		if h.of != nil {
			name = h.of.blueprint.live.Name
		}
		return slices.Contains(u.scope.Values, name)
	case scopeTenant:
		return h.of != nil && slices.Contains(u.scope.Values, h.of.tenant.record.Name)
	}
	return false
}

// reads says whether u may not write.
func (u *heldUser) reads() bool { return u.key != nil && u.key.Reads }

// addUser lets u log in; mu is held.
func (d *directory) addUser(u *heldUser) {
	d.users[u.user] = u
	d.byPassword[sha256.Sum256([]byte(u.password))] = u
	if u.reads() {
		d.reading[u] = true
	}
}

// removeUser forgets the user of that name; mu is held.
func (d *directory) removeUser(name string) {
	u := d.users[name]
	if u == nil {
		return
	}
	delete(d.byPassword, sha256.Sum256([]byte(u.password)))
	delete(d.users, name)
	delete(d.reading, u)
	if u.key != nil {
		u.key.SetRevoked()
	}
}

// user is nil where there is none.
func (d *directory) user(name string) *heldUser {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.users[name]
}

// addKey lets the key in, and u log in, which is nil where the key has no login
// of its own.
func (d *directory) addKey(k APIKey, u *heldUser) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keys[[sha256.Size]byte(k.Hash)] = k
	if u != nil {
		d.addUser(u)
	}
}

// removeKey forgets the key and its login, which it returns; nil where it had
// none.
func (d *directory) removeKey(k APIKey) *heldUser {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.keys, [sha256.Size]byte(k.Hash))
	u := d.users[k.Login.ProjectID]
	d.removeUser(k.Login.ProjectID)
	return u
}

// expectReader has the databases that u reaches keep a reader from now on,
// before u may log in.
func (d *directory) expectReader(u *heldUser) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reading[u] = true
}

// unexpectReader undoes expectReader.
func (d *directory) unexpectReader(u *heldUser) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.reading, u)
}

// needsReader says whether somebody reaches h who may only read.
func (d *directory) needsReader(h *held) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for u := range d.reading {
		if u.reaches(h) {
			return true
		}
	}
	return false
}

// admits says whether u may connect to h now; mu is held.
func (u *heldUser) admits(h *held) bool {
	return u.reaches(h) && h.reachable() && (!u.reads() || h.readerNow() != nil)
}

// reachable says whether clients may be let in; the directory's mu is held.
func (h *held) reachable() bool {
	return h.w.State == Ready && h.server != nil && (h.of == nil || h.of.tenant.record.State != TenantTrash)
}

// route finds where a login leads. u is nil for an unknown user, h for a
// database that can't be connected to.
func (d *directory) route(t DatabaseType, user, database string) (u *heldUser, h *held) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	u = d.users[user]
	if u == nil {
		return nil, nil
	}
	for _, h := range d.byDatabase[databaseKey{u.project, t, database}] {
		if u.admits(h) {
			return u, h
		}
	}
	return u, nil
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
	h = d.only(t, u)
	switch {
	case h == nil || u.admits(h):
		return u, h
	case u.key == nil && h.of != nil:
		return nil, nil // whose only database is in the trash is nobody
	}
	return u, nil
}

// routesOf is the databases of that type that the user reaches now, and who that
// is.
func (d *directory) routesOf(t DatabaseType, user string) (*heldUser, []*held) {
	u := d.user(user)
	if u == nil {
		return nil, nil
	}
	return u, d.databases(func(h *held) bool { return h.w.Type == t && u.admits(h) })
}

// routeByPassword finds where a login without a database leads: its password
// decides who it is, the name that it gives names a workspace or tenant's
// database of that type of theirs, or, as anyWorkspace, the only one of that
// type. Nil where it leads nowhere. The password is found by its hash, as keys
// are.
func (d *directory) routeByPassword(t DatabaseType, name, password string) (*heldUser, *held) {
	hash := sha256.Sum256([]byte(password))
	d.mu.RLock()
	defer d.mu.RUnlock()
	u := d.byPassword[hash]
	if u == nil {
		return nil, nil
	}
	fits := func(h *held) bool { return h != nil && h.w.Type == t && u.admits(h) }
	h := d.byName[nameKey{u.project, name}]
	if !fits(h) && (name == anyWorkspace || name == "") {
		h = d.only(t, u)
	}
	if !fits(h) {
		return nil, nil
	}
	return u, h
}

// only is the one database of that type that the user reaches, nil where there
// is none or more; mu is held.
func (d *directory) only(t DatabaseType, u *heldUser) *held {
	var found *held
	for _, h := range d.byID {
		if h.w.Type != t || h.w.State != Ready || !u.reaches(h) {
			continue
		}
		if u.key != nil && !u.admits(h) {
			continue // of several, those that let nobody in don't count
		}
		if found != nil {
			return nil
		}
		found = h
	}
	return found
}
