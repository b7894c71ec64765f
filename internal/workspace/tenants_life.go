package workspace

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// SuspendTenant ends the tenant's sessions and lets nobody in until ResumeTenant.
// One that is suspended stays so.
func (s *Service) SuspendTenant(ctx context.Context, p Principal, name string) (TenantDetails, error) {
	return s.changeTenant(ctx, p, name, TenantSuspended, notInTrash)
}

// ResumeTenant lets a suspended tenant's clients in again.
func (s *Service) ResumeTenant(ctx context.Context, p Principal, name string) (TenantDetails, error) {
	return s.changeTenant(ctx, p, name, TenantReady, notInTrash)
}

// notInTrash refuses what a tenant in the trash can't have done to it.
func notInTrash(t TenantRecord) error {
	if t.State == TenantTrash {
		return inTrash(t)
	}
	return nil
}

// RestoreTenant takes a tenant out of the trash and lets its clients in.
func (s *Service) RestoreTenant(ctx context.Context, p Principal, name string) (TenantDetails, error) {
	return s.changeTenant(ctx, p, name, TenantReady, func(t TenantRecord) error {
		if t.State != TenantTrash {
			e := Errorf(Conflict, "Tenant '%s' is not in trash", t.Name)
			e.Details = map[string]any{"reason": "tenant_not_in_trash"}
			return e
		}
		return nil
	})
}

// DeleteTenant moves a tenant to the trash: its sessions end, nobody is let in,
// and its data and name are kept. hard removes it and its data for good, also
// from the trash. From the moment that this is recorded there is no way back:
// what fails then is taken up again later, or by the next call with hard.
func (s *Service) DeleteTenant(ctx context.Context, p Principal, name string, hard bool) error {
	if !hard {
		_, err := s.changeTenant(ctx, p, name, TenantTrash, notInTrash)
		return err
	}
	if err := p.mayWrite(); err != nil {
		return err
	}
	if err := p.reachesTenant(name); err != nil {
		return err
	}
	t, _ := s.directory.tenant(p.ProjectID, name)
	if t == nil || !s.isMade(t) {
		return tenantNotFound(name)
	}
	return s.removeTenant(ctx, t)
}

// isMade says whether any of the tenant's databases has been made, of a tenant
// that is being deleted too.
func (s *Service) isMade(t *heldTenant) bool {
	_, all := s.directory.tenantNow(t)
	return slices.ContainsFunc(all, func(h *held) bool { return s.directory.current(h).State != Creating })
}

// removeTenant removes a tenant with all of its databases, of which none can be
// had again once the first is going. One that can't be removed now does not keep
// the others.
func (s *Service) removeTenant(ctx context.Context, t *heldTenant) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	all, err := s.setTenantDeleting(ctx, t)
	if err != nil {
		return err
	}
	var errs []error
	for _, h := range all {
		h.changing.Lock()
		_, err := s.delete(ctx, h)
		h.changing.Unlock()
		if err != nil && ErrorCode(err) != NotFound {
			errs = append(errs, fmt.Errorf("delete tenant database %s: %w", h.live.Name, err))
		}
	}
	return errors.Join(errs...)
}

// setTenantDeleting keeps that the tenant goes for good, lets nobody in any more
// and ends the sessions of its databases, which it returns. The tenant's changing
// is held; that of a database may be a deployment's, which then ends early.
func (s *Service) setTenantDeleting(ctx context.Context, t *heldTenant) ([]*held, error) {
	record, all := s.directory.tenantNow(t)
	for _, h := range all {
		if h.server == nil {
			return nil, serverMissing(s.directory.current(h))
		}
	}
	if err := s.catalog.SetTenantDeleting(ctx, record.ID); err != nil && !errors.Is(err, ErrNotFound) {
		return nil, storeFailed(err)
	}
	s.directory.setTenantState(t, TenantTrash)
	s.directory.setState(Deleting, all...)
	for _, h := range all {
		h.live.SetDeleted()
	}
	s.closeTenant(ctx, all)
	return all, nil
}

// changeTenant sets the tenant's state where may allows it.
func (s *Service) changeTenant(ctx context.Context, p Principal, name string, state TenantState, may func(TenantRecord) error) (TenantDetails, error) {
	if err := p.mayWrite(); err != nil {
		return TenantDetails{}, err
	}
	t, _, err := s.findTenant(p, name)
	if err != nil {
		return TenantDetails{}, err
	}
	t.changing.Lock()
	defer t.changing.Unlock()
	// It may have been removed while we waited.
	_, record, err := s.findTenant(p, name)
	if err != nil {
		return TenantDetails{}, err
	}
	if err := may(record); err != nil {
		return TenantDetails{}, err
	}
	if err := s.setTenantState(ctx, t, state); err != nil {
		return TenantDetails{}, err
	}
	return s.tenantDetails(t, nil), nil
}

// setTenantState keeps the state, and then lets clients in, or keeps them out
// and ends their sessions; changing is held.
func (s *Service) setTenantState(ctx context.Context, t *heldTenant, state TenantState) error {
	record, all := s.directory.tenantNow(t)
	if err := s.catalog.SetTenantState(ctx, record.ID, state); err != nil && !errors.Is(err, ErrNotFound) {
		return storeFailed(err)
	}
	s.directory.setTenantState(t, state)
	for _, h := range all {
		h.live.SetSuspended(state != TenantReady)
	}
	if state != TenantReady {
		s.closeTenant(ctx, all)
	}
	return nil
}

// closeTenant ends the sessions of a tenant's databases, also when whoever asked
// for it has gone.
func (s *Service) closeTenant(ctx context.Context, all []*held) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), engineTimeout)
	defer cancel()
	for _, h := range all {
		s.closeSessions(ctx, h.live.ID)
	}
}
