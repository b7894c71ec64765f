package workspace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	maxTenantLength   = 40
	maxDatabaseLength = 60 // of PostgreSQL's and MongoDB's 63 bytes, some left for a number
	maxTenantRequest  = 20 // databases made by one request
)

// CreateTenant makes a tenant with databases at the current versions of their
// blueprints, or adds databases to one that is there; all of them or none. The key
// must reach the tenant and the blueprints. The connections of the new ones show
// their passwords.
func (s *Service) CreateTenant(ctx context.Context, p Principal, r TenantRequest) (TenantDetails, error) {
	if err := p.mayWrite(); err != nil {
		return TenantDetails{}, err
	}
	if err := checkTenantName(r.Name); err != nil {
		return TenantDetails{}, err
	}
	if err := p.reachesTenant(r.Name); err != nil {
		return TenantDetails{}, err
	}
	blueprints, err := s.requestedBlueprints(p, r)
	if err != nil {
		return TenantDetails{}, err
	}
	t := s.lockTenant(p.ProjectID, r.Name)
	defer t.changing.Unlock()
	made, err := s.addDatabases(ctx, t, r.Databases, blueprints)
	if err != nil {
		s.abandonDatabases(ctx, made)
		s.directory.dropUnused(t)
		return TenantDetails{}, err
	}
	for _, h := range made {
		h.changing.Unlock()
	}
	return s.tenantDetails(t, made), nil
}

// lockTenant is the project's tenant of that name, or a new one that is in no
// record before its first database is. It returns with changing held.
func (s *Service) lockTenant(project, name string) *heldTenant {
	fresh := &heldTenant{record: TenantRecord{ProjectID: project, Name: name, State: TenantReady, CreatedAt: s.time()}}
	for {
		t := s.directory.tenantOr(fresh)
		t.changing.Lock()
		if now, _ := s.directory.tenant(project, name); now == t { // it was not removed while we waited
			return t
		}
		t.changing.Unlock()
	}
}

// requestedBlueprints finds the blueprint of each database asked for.
func (s *Service) requestedBlueprints(p Principal, r TenantRequest) ([]*held, error) {
	if n := len(r.Databases); n == 0 || n > maxTenantRequest {
		return nil, badField("databases", "databases must hold 1 to %d blueprints, as {\"blueprint\": \"shop\"}", maxTenantRequest)
	}
	var all []*held
	for i, d := range r.Databases {
		if err := p.reaches(d.Blueprint); err != nil {
			return nil, err
		}
		h, err := s.blueprint(p.ProjectID, d.Blueprint)
		if err != nil {
			return nil, err
		}
		if slices.Contains(all, h) {
			return nil, badField(fmt.Sprintf("databases[%d].blueprint", i), "blueprint %q is asked for twice", d.Blueprint)
		}
		if d.IsolationLevel != 0 && d.IsolationLevel != SharedServer && d.IsolationLevel != OwnServer {
			return nil, badField(fmt.Sprintf("databases[%d].isolation_level", i), "unknown isolation_level %d: use 1 (beside others) or 2 (a server of its own)", d.IsolationLevel)
		}
		if n := len(tenantDatabaseName(d.Blueprint, r.Name)); n > maxDatabaseLength {
			return nil, badField("tenant_id", "tenant_id is too long for blueprint %s: the database %s__%s would have a name of %d bytes, and it may have %d",
				d.Blueprint, d.Blueprint, r.Name, n, maxDatabaseLength)
		}
		all = append(all, h)
	}
	return all, nil
}

// addDatabases makes a database of each blueprint; t.changing is held. Those
// that it returns have changing held, also where it fails.
func (s *Service) addDatabases(ctx context.Context, t *heldTenant, asked []TenantDatabaseRequest, blueprints []*held) (made []*held, err error) {
	record, has := s.directory.tenantNow(t)
	for _, h := range has {
		if w := s.directory.current(h); w.State == Deleting {
			return nil, beingDeleted(record)
		}
	}
	if err := mustBeOpen(record); err != nil {
		return nil, err
	}
	for _, h := range has {
		if slices.Contains(blueprints, h.of.blueprint) {
			return nil, databaseExists(record, s.directory.current(h), h.of.blueprint)
		}
	}
	for i, blueprint := range blueprints {
		h, err := s.reserveDatabase(ctx, t, blueprint, max(asked[i].IsolationLevel, SharedServer))
		if err != nil {
			return made, err
		}
		made = append(made, h)
		if err := s.fillDatabase(ctx, h); err != nil {
			return made, fmt.Errorf("create tenant: %w", err)
		}
	}
	// A version may have come while the others were made; a deployment to all
	// tenants leaves out those that are not ready.
	for _, h := range made {
		if err := s.bring(ctx, h, s.directory.current(h.of.blueprint).Version); err != nil {
			return made, fmt.Errorf("create tenant: %w", err)
		}
	}
	return made, s.setReady(ctx, made)
}

// setReady lets logins into databases that were made together.
func (s *Service) setReady(ctx context.Context, made []*held) error {
	ids := make([]int64, len(made))
	for i, h := range made {
		ids[i] = h.live.ID
		h.readers.Lock()
		defer h.readers.Unlock()
		if err := s.readerFor(ctx, h); err != nil {
			return err
		}
	}
	if err := s.catalog.SetTenantDatabasesReady(ctx, ids, s.time()); err != nil {
		return storeFailed(err)
	}
	s.directory.setState(Ready, made...)
	return nil
}

// reserveDatabase records a database as Creating, as reserve does a workspace.
// It returns with changing held.
func (s *Service) reserveDatabase(ctx context.Context, t *heldTenant, blueprint *held, level int64) (*held, error) {
	blueprint.changing.Lock() // it is not deleted meanwhile
	defer blueprint.changing.Unlock()
	now, b := s.directory.numbered(blueprint.live.ID)
	if now == nil || b.State != Ready {
		return nil, blueprintNotFound(b.Name)
	}
	v, err := s.placeForTenant(t, b.Type, level)
	if err != nil {
		return nil, err
	}
	defer v.naming.Unlock()
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	if err := v.prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", v.label(), err)
	}
	record, _ := s.directory.tenantNow(t)
	d := TenantDatabase{
		TenantID: record.ID, BlueprintID: b.ID, State: Creating, IsolationLevel: level,
		Server: v.name, Settings: b.Settings, CreatedAt: s.time(),
	}
	secrets, err := s.placeDatabase(ctx, v, &d, record.ProjectID, tenantDatabaseName(b.Name, record.Name))
	if err != nil {
		return nil, err
	}
	tenantID, id, err := s.catalog.AddTenantDatabase(ctx, record, d)
	if err != nil {
		return nil, storeFailed(err)
	}
	d.TenantID, d.ID = tenantID, id
	h := s.holdDatabase(d, t, blueprint, secrets)
	h.changing.Lock()
	s.directory.numberTenant(t, tenantID)
	s.directory.add(h)
	return h, nil
}

// tenantSecrets are the passwords of one tenant's database.
type tenantSecrets struct {
	role, owner, login string
}

// placeDatabase gives d its database, roles and login on v, each with a new
// password. v.naming is held.
func (s *Service) placeDatabase(ctx context.Context, v *server, d *TenantDatabase, project, name string) (tenantSecrets, error) {
	secrets := tenantSecrets{
		role:  randomHex(rolePasswordSize),
		owner: randomHex(rolePasswordSize),
		login: proxyPasswordPrefix + randomHex(proxyPasswordSize),
	}
	var err error
	d.Database, d.Role, err = s.freePlace(ctx, v, project, name)
	if err != nil {
		return secrets, err
	}
	d.Owner = ownerName(v.engine.Type(), d.Role)
	if taken, err := v.engine.Exists(ctx, d.Owner); err != nil || taken {
		return secrets, errors.Join(err, Errorf(Conflict, "the role %s, which would own the database %s, is on the server already", d.Owner, d.Database))
	}
	user, err := s.freeUser()
	if err != nil {
		return secrets, err
	}
	scram, err := newSCRAM(secrets.login)
	if err != nil {
		return secrets, err
	}
	d.Login = Credential{ID: "cred_" + randomHex(keyIDBytes), ProjectID: user, SCRAM: scram, CreatedAt: d.CreatedAt}
	d.Login.Sealed = s.keyring.seal(credentialRow(d.Login), secrets.login)
	d.RoleSecret = s.keyring.seal(secretRow(d.Server, d.Role), secrets.role)
	d.OwnerSecret = s.keyring.seal(secretRow(d.Server, d.Owner), secrets.owner)
	return secrets, nil
}

// holdDatabase makes the in-memory side of d.
func (s *Service) holdDatabase(d TenantDatabase, t *heldTenant, blueprint *held, secrets tenantSecrets) *held {
	record, _ := s.directory.tenantNow(t)
	b := s.directory.current(blueprint)
	u := &heldUser{user: d.Login.ProjectID, password: secrets.login, scram: d.Login.SCRAM, project: record.ProjectID}
	h := s.hold(Workspace{
		ID: d.ID, ProjectID: record.ProjectID, Name: tenantDatabaseName(b.Name, record.Name), Type: b.Type, Mode: Deployed, State: d.State,
		Server: d.Server, Database: d.Database, Role: d.Role, RoleSecret: d.RoleSecret,
		Settings: d.Settings, Version: d.Version, CreatedAt: d.CreatedAt,
	}, secrets.role)
	h.user = u.user
	h.of = &tenancy{tenant: t, blueprint: blueprint, level: d.IsolationLevel, user: u}
	h.target.Owner, h.target.OwnerPassword = d.Owner, secrets.owner
	h.target.Client = clientLogin(h.w, u)
	h.live.SetSuspended(record.State != TenantReady)
	return h
}

// fillDatabase makes the database and gives it what its blueprint has.
func (s *Service) fillDatabase(ctx context.Context, h *held) error {
	if err := s.createDatabase(ctx, h); err != nil {
		return err
	}
	if err := s.Record(ctx, h.of.blueprint.live.ID); err != nil {
		return fmt.Errorf("bring the queue of %s up to date: %w", h.of.blueprint.live.Name, err)
	}
	return s.bring(ctx, h, s.directory.current(h.of.blueprint).Version)
}

func (s *Service) createDatabase(ctx context.Context, h *held) error {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	if err := h.server.engine.Create(ctx, h.target, false); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	return nil
}

// abandonDatabases undoes what a failed CreateTenant made.
func (s *Service) abandonDatabases(ctx context.Context, made []*held) {
	for _, h := range slices.Backward(made) {
		s.abandon(ctx, h)
		h.changing.Unlock()
	}
}

// loadTenants fills the directory with tenants and their databases.
func (s *Service) loadTenants(ctx context.Context) error {
	records, err := s.catalog.Tenants(ctx)
	if err != nil {
		return err
	}
	tenants := map[int64]*heldTenant{}
	for _, r := range records {
		tenants[r.ID] = &heldTenant{record: r}
	}
	all, err := s.catalog.TenantDatabases(ctx)
	if err != nil {
		return err
	}
	for _, d := range all {
		secrets, err := s.openSecrets(d)
		if err != nil {
			return fmt.Errorf("open the passwords of tenant database %d: %w", d.ID, err)
		}
		blueprint, _ := s.directory.numbered(d.BlueprintID)
		if t := tenants[d.TenantID]; t != nil && blueprint != nil {
			s.directory.add(s.holdDatabase(d, t, blueprint, secrets))
		}
	}
	return nil
}

func (s *Service) openSecrets(d TenantDatabase) (secrets tenantSecrets, err error) {
	var errs [3]error
	secrets.role, errs[0] = s.keyring.open(secretRow(d.Server, d.Role), d.RoleSecret)
	secrets.owner, errs[1] = s.keyring.open(secretRow(d.Server, d.Owner), d.OwnerSecret)
	secrets.login, errs[2] = s.keyring.open(credentialRow(d.Login), d.Login.Sealed)
	return secrets, errors.Join(errs[:]...)
}

// tenantDatabaseName is the name of a tenant's database of a blueprint. Neither
// part holds the separator.
func tenantDatabaseName(blueprint, tenant string) string { return blueprint + "__" + tenant }

func checkTenantName(name string) error {
	switch {
	case name == "":
		return badField("tenant_id", "tenant_id is required")
	case len(name) > maxTenantLength:
		return badField("tenant_id", "tenant_id is longer than %d characters", maxTenantLength)
	case strings.Contains(name, "__"):
		return badField("tenant_id", "tenant_id can't contain __ (reserved separator)")
	case strings.Trim(name, tenantBytes) != "":
		return badField("tenant_id", "tenant_id %q may hold only a-z, 0-9 and _", name)
	}
	return nil
}

// mustBeOpen refuses what a tenant whose clients are not let in can't have done to
// it.
func mustBeOpen(t TenantRecord) error {
	switch t.State {
	case TenantTrash:
		return inTrash(t)
	case TenantSuspended:
		return suspended(t)
	}
	return nil
}

func inTrash(t TenantRecord) *Error {
	e := Errorf(Conflict, "Tenant '%s' is in trash. Use POST /tenants/%s/restore or DELETE /tenants/%s?hard=true", t.Name, t.Name, t.Name)
	e.Details = map[string]any{
		"reason":          "tenant_in_trash",
		"action_required": fmt.Sprintf("POST /tenants/%s/restore or DELETE /tenants/%s?hard=true", t.Name, t.Name),
	}
	return e
}

func suspended(t TenantRecord) *Error {
	e := Errorf(Conflict, "Tenant '%s' is suspended. Use POST /tenants/%s/resume", t.Name, t.Name)
	e.Details = map[string]any{
		"reason":          "tenant_suspended",
		"action_required": fmt.Sprintf("POST /tenants/%s/resume", t.Name),
	}
	return e
}

// databaseExists refuses a second database of a blueprint. One that is not ready
// is what a try that failed has left on the server.
func databaseExists(t TenantRecord, w Workspace, blueprint *held) *Error {
	e := Errorf(Conflict, "Tenant '%s' already has a database of blueprint '%s'", t.Name, blueprint.live.Name)
	e.Details = map[string]any{"reason": "tenant_exists", "action_required": "Choose another blueprint or another tenant_id"}
	if w.State != Ready {
		e = Errorf(Conflict, "what an earlier try has left of the database of blueprint '%s' for tenant '%s' is still to be removed", blueprint.live.Name, t.Name)
		e.Details = map[string]any{"reason": "tenant_unfinished", "action_required": "Try again later"}
	}
	return e
}

func beingDeleted(t TenantRecord) *Error {
	e := Errorf(Conflict, "Tenant '%s' is being deleted", t.Name)
	e.Details = map[string]any{"reason": "tenant_deleting", "action_required": "Try again when it is gone"}
	return e
}
