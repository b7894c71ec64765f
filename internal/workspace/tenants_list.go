package workspace

import (
	"context"
	"slices"
)

// ListTenants is the project's tenants that the key reaches, oldest first, those
// in the trash too.
func (s *Service) ListTenants(_ context.Context, p Principal) ([]TenantDetails, error) {
	if err := p.mayRead(); err != nil {
		return nil, err
	}
	var all []TenantDetails
	for _, t := range s.directory.projectTenants(p.ProjectID) {
		d := s.tenantDetails(t, nil)
		if len(d.Databases) > 0 && p.reachesTenant(d.Name) == nil {
			all = append(all, d)
		}
	}
	return all, nil
}

// GetTenant is one tenant; its connections show no passwords.
func (s *Service) GetTenant(_ context.Context, p Principal, name string) (TenantDetails, error) {
	if err := p.mayRead(); err != nil {
		return TenantDetails{}, err
	}
	t, _, err := s.findTenant(p, name)
	if err != nil {
		return TenantDetails{}, err
	}
	return s.tenantDetails(t, nil), nil
}

// findTenant is the tenant that an API call names. One that is being made is not
// there yet.
func (s *Service) findTenant(p Principal, name string) (*heldTenant, TenantRecord, error) {
	if err := p.reachesTenant(name); err != nil {
		return nil, TenantRecord{}, err
	}
	t, record := s.directory.tenant(p.ProjectID, name)
	if t == nil || len(s.databasesOf(t)) == 0 {
		return nil, TenantRecord{}, tenantNotFound(name)
	}
	return t, record, nil
}

func tenantNotFound(name string) *Error {
	return Errorf(NotFound, "Tenant not found: %.80s", name)
}

// databasesOf is the tenant's databases that are made and not being removed.
func (s *Service) databasesOf(t *heldTenant) []*held {
	_, all := s.directory.tenantNow(t)
	return slices.DeleteFunc(slices.Clone(all), func(h *held) bool { return s.directory.current(h).State != Ready })
}

// tenantDetails is t with its databases; the connections of those in shown show
// their passwords.
func (s *Service) tenantDetails(t *heldTenant, shown []*held) TenantDetails {
	record, _ := s.directory.tenantNow(t)
	d := TenantDetails{TenantRecord: record}
	for _, h := range s.databasesOf(t) {
		w := s.directory.current(h)
		d.Databases = append(d.Databases, TenantDatabaseDetails{
			Blueprint:      h.of.blueprint.live.Name,
			Type:           w.Type,
			IsolationLevel: h.of.level,
			Version:        w.Version,
			Connection:     s.connection(h, slices.Contains(shown, h)),
		})
	}
	return d
}

// reachesTenant refuses a tenant outside of the key's scope, also one that does
// not exist, so that the answer tells nothing.
func (p Principal) reachesTenant(name string) error {
	if p.wholeProject() || p.Scope.Type == scopeTenant && slices.Contains(p.Scope.Values, name) {
		return nil
	}
	return forbidden("tenant %.40q is outside of this API key's scope", name)
}
