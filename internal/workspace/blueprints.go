package workspace

import (
	"context"
	"fmt"
	"slices"
)

// Blueprints is those of the project's tenant-mode workspaces that the key
// reaches, oldest first, without their schemas.
func (s *Service) Blueprints(ctx context.Context, p Principal) ([]Blueprint, error) {
	all, err := s.List(ctx, p)
	if err != nil {
		return nil, err
	}
	var list []Blueprint
	for _, w := range all {
		if h, _ := s.directory.numbered(w.ID); h != nil && w.Mode == Tenant {
			list = append(list, s.blueprintNow(h))
		}
	}
	return list, nil
}

// Blueprint is one blueprint with its schema.
func (s *Service) Blueprint(ctx context.Context, p Principal, name string) (Blueprint, error) {
	h, versions, err := s.blueprintVersions(ctx, p, name)
	if err != nil {
		return Blueprint{}, err
	}
	b := s.blueprintNow(h)
	b.Schema = []string{}
	for _, v := range versions {
		for _, e := range v.Entries {
			b.Schema = append(b.Schema, e.Statement)
		}
	}
	return b, nil
}

// BlueprintVersions is a blueprint's versions, newest first.
func (s *Service) BlueprintVersions(ctx context.Context, p Principal, name string) ([]Version, error) {
	_, versions, err := s.blueprintVersions(ctx, p, name)
	slices.Reverse(versions)
	return versions, err
}

// blueprintVersions is a blueprint's versions, oldest first, their statements as
// people read them.
func (s *Service) blueprintVersions(ctx context.Context, p Principal, name string) (*held, []Version, error) {
	if err := p.mayRead(); err != nil {
		return nil, nil, err
	}
	if err := p.reaches(name); err != nil {
		return nil, nil, err
	}
	h, err := s.blueprint(p.ProjectID, name)
	if err != nil {
		return nil, nil, err
	}
	versions, err := s.versions(ctx, h)
	return h, versions, err
}

// versions is the versions of a blueprint up to now, oldest first, their
// statements as people read them.
func (s *Service) versions(ctx context.Context, h *held) ([]Version, error) {
	if err := s.Record(ctx, h.live.ID); err != nil {
		return nil, fmt.Errorf("bring the queue up to date: %w", err)
	}
	versions, err := s.catalog.Versions(ctx, h.live.ID)
	if err != nil {
		return nil, storeFailed(err)
	}
	for _, v := range versions {
		for i := range v.Entries {
			h.show(&v.Entries[i])
		}
	}
	return versions, nil
}

// blueprint is the project's blueprint of that name: the workspace that it is
// of. BadRequest where that is in control mode.
func (s *Service) blueprint(project, name string) (*held, error) {
	h, w := s.directory.named(project, name)
	switch {
	case h == nil || w.State != Ready:
		return nil, blueprintNotFound(name)
	case w.Mode != Tenant:
		e := Errorf(BadRequest, "Workspace '%s' is in control mode: it has no blueprint", name)
		e.Details = map[string]any{"reason": "control_mode", "action_required": "Use a workspace in tenant mode"}
		return nil, e
	case h.server == nil:
		return nil, serverMissing(w)
	}
	return h, nil
}

func (s *Service) blueprintNow(h *held) Blueprint {
	return Blueprint{Workspace: s.directory.current(h), Tenants: int64(len(s.directory.tenantsOf(h)))}
}

func blueprintNotFound(name string) *Error {
	return Errorf(NotFound, "Blueprint not found: %.80s", name)
}
