package workspace

import (
	"context"
	"errors"
	"slices"
)

const deploymentIDSize = 8 // random bytes

// Deploy begins to bring the databases of some tenants to a version of their
// blueprint and to its settings, in the background. It is durable when Deploy
// returns, and goes on at the next start if the process ends meanwhile.
func (s *Service) Deploy(ctx context.Context, p Principal, r DeploymentRequest) (Deployment, error) {
	if err := p.mayWrite(); err != nil {
		return Deployment{}, err
	}
	blueprint, version, targets, err := s.deploymentTargets(ctx, p, r)
	if err != nil {
		return Deployment{}, err
	}
	d := Deployment{
		ID: "dep_" + randomHex(deploymentIDSize), ProjectID: p.ProjectID,
		BlueprintID: blueprint.live.ID, Blueprint: blueprint.live.Name, Version: version,
		State: DeploymentPending, CreatedAt: s.time(),
	}
	for _, h := range targets {
		d.Results = append(d.Results, DeploymentResult{
			Tenant: s.tenantOf(h).Name, DatabaseID: h.live.ID, State: DeploymentPending, Version: s.directory.current(h).Version,
		})
	}
	err = s.catalog.AddDeployment(ctx, d)
	if errors.Is(err, ErrNotFound) {
		return Deployment{}, blueprintNotFound(d.Blueprint)
	}
	if err != nil {
		return Deployment{}, storeFailed(err)
	}
	// One that can't begin any more is taken up at the next start.
	s.begin(func() { s.deploy(s.background, d) })
	return d, nil
}

// PlanDeployment is what Deploy would do now.
func (s *Service) PlanDeployment(ctx context.Context, p Principal, r DeploymentRequest) (DeploymentPlan, error) {
	if err := p.mayRead(); err != nil {
		return DeploymentPlan{}, err
	}
	blueprint, version, targets, err := s.deploymentTargets(ctx, p, r)
	if err != nil {
		return DeploymentPlan{}, err
	}
	versions, err := s.versions(ctx, blueprint)
	if err != nil {
		return DeploymentPlan{}, err
	}
	plan := DeploymentPlan{Blueprint: blueprint.live.Name, Version: version}
	from := map[int64][]string{} // the statements for those that have a version, which they share
	for _, h := range targets {
		w, record := s.directory.tenancyNow(h)
		statements, known := from[w.Version]
		if !known {
			statements = statementsBetween(versions, w.Version, version)
			from[w.Version] = statements
		}
		plan.Tenants = append(plan.Tenants, TenantPlan{Tenant: record.Name, From: w.Version, To: max(w.Version, version), Statements: statements})
	}
	return plan, nil
}

// statementsBetween are those of the versions behind one and up to another, in
// their order.
func statementsBetween(versions []Version, behind, to int64) (statements []string) {
	for _, v := range versions {
		if v.Number <= behind || v.Number > to {
			continue
		}
		for _, e := range v.Entries {
			statements = append(statements, e.Statement)
		}
	}
	return statements
}

// deploymentTargets is the blueprint, the version and the databases that a
// request is about.
func (s *Service) deploymentTargets(ctx context.Context, p Principal, r DeploymentRequest) (blueprint *held, version int64, targets []*held, err error) {
	if err := p.reaches(r.Blueprint); err != nil {
		return nil, 0, nil, err
	}
	if blueprint, err = s.blueprint(p.ProjectID, r.Blueprint); err != nil {
		return nil, 0, nil, err
	}
	if err := s.Record(ctx, blueprint.live.ID); err != nil {
		return nil, 0, nil, err
	}
	current := s.directory.current(blueprint).Version
	switch version = r.Version; {
	case version == 0:
		version = current
	case version < 0 || version > current:
		return nil, 0, nil, badField("version", "blueprint %s has no version %d: its current version is %d", r.Blueprint, version, current)
	}
	if r.All == (len(r.Tenants) > 0) {
		return nil, 0, nil, badField("tenants", "say either deploy_all: true or which tenants")
	}
	if r.All {
		targets = s.deployable(blueprint)
	} else {
		targets, err = s.namedTargets(p, blueprint, r.Tenants)
	}
	return blueprint, version, targets, err
}

// deployable is the blueprint's databases that are ready and not in the trash.
func (s *Service) deployable(blueprint *held) []*held {
	return slices.DeleteFunc(s.directory.databasesOf(blueprint), func(h *held) bool {
		w, t := s.directory.tenancyNow(h)
		return w.State != Ready || t.State == TenantTrash
	})
}

// namedTargets is the databases of the tenants that were named, by name.
func (s *Service) namedTargets(p Principal, blueprint *held, tenants []string) ([]*held, error) {
	var targets []*held
	for _, name := range tenants {
		h, err := s.databaseOf(p, blueprint.live.Name, name, "tenants")
		if err != nil {
			return nil, err
		}
		if t := s.tenantOf(h); t.State == TenantTrash {
			return nil, inTrash(t)
		}
		targets = append(targets, h)
	}
	wanted := s.directory.databasesOf(blueprint)
	return slices.DeleteFunc(wanted, func(h *held) bool { return !slices.Contains(targets, h) }), nil
}

// databaseOf is a tenant's database of a blueprint, for a key that reaches either.
// Of what it does not reach it hears nothing: neither which other tenants there
// are, nor which other blueprints. field is what an error calls the tenant by.
func (s *Service) databaseOf(p Principal, blueprint, tenant, field string) (*held, error) {
	outside := p.reachesTenant(tenant)
	if p.reaches(blueprint) == nil {
		if _, err := s.blueprint(p.ProjectID, blueprint); err != nil {
			return nil, err
		}
	} else if outside != nil {
		return nil, outside
	}
	var all []*held
	if t, _ := s.directory.tenant(p.ProjectID, tenant); t != nil {
		all = s.databasesOf(t)
	}
	i := slices.IndexFunc(all, func(h *held) bool { return h.of.blueprint.live.Name == blueprint })
	switch {
	case i >= 0:
		return all[i], nil
	case len(all) == 0 || outside != nil:
		return nil, tenantNotFound(tenant)
	}
	return nil, badField(field, "Tenant '%s' has no database of blueprint '%.80s'", tenant, blueprint)
}

// ListDeployments is a page of the project's deployments of the blueprints that
// the key reaches, newest first: at most limit, older than the one with the id
// before, which may be empty. more says that there are older ones.
func (s *Service) ListDeployments(ctx context.Context, p Principal, before string, limit int) (list []DeploymentSummary, more bool, err error) {
	if err := p.mayRead(); err != nil {
		return nil, false, err
	}
	page := DeploymentPage{ProjectID: p.ProjectID, Before: before, Limit: limit + 1}
	if !p.wholeProject() {
		page.Blueprints = p.blueprints()
	}
	if before != "" {
		if _, err := s.GetDeployment(ctx, p, before); ErrorCode(err) == NotFound {
			return nil, false, badField("before", "before names no deployment: %.80s", before)
		}
	}
	list, err = s.catalog.Deployments(ctx, page)
	if err != nil {
		return nil, false, storeFailed(err)
	}
	if more = len(list) > limit; more {
		list = list[:limit]
	}
	return list, more, nil
}

// blueprints are the names of those that a key with a scope reaches, never nil.
func (p Principal) blueprints() []string {
	if p.Scope.Type != scopeWorkspace {
		return []string{}
	}
	return p.Scope.Values
}

// GetDeployment is one deployment as it stands.
func (s *Service) GetDeployment(ctx context.Context, p Principal, id string) (Deployment, error) {
	if err := p.mayRead(); err != nil {
		return Deployment{}, err
	}
	d, err := s.catalog.Deployment(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Deployment{}, storeFailed(err)
	}
	if err != nil || d.ProjectID != p.ProjectID || p.reaches(d.Blueprint) != nil {
		return Deployment{}, Errorf(NotFound, "Deployment not found: %.80s", id)
	}
	return d, nil
}
