package workspace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	parallelQueries = 4 // tenants asked at once

	// What one answer holds, about: tenants that come behind are not asked.
	maxRowsOfAll  = 100_000
	maxBytesOfAll = 128 << 20
)

// QueryTenants runs a query in one tenant's database, whose failure is the
// error, or in those of all tenants of the blueprint that are not suspended or in
// the trash, each with its own result, by name. A key may query one that reaches
// the tenant or the blueprint, and all that reaches the blueprint. It is run as the
// clients' role; DDL is refused, for all at once.
func (s *Service) QueryTenants(ctx context.Context, p Principal, q TenantQuery) ([]TenantResult, error) {
	if err := p.mayWrite(); err != nil {
		return nil, err
	}
	if q.All == (q.Tenant != "") {
		return nil, badField("tenant_id", "say either tenant_id or all_tenants: true")
	}
	if q.All {
		return s.queryAll(ctx, p, q)
	}
	h, err := s.databaseOf(p, q.Blueprint, q.Tenant, "tenant_id")
	if err != nil {
		return nil, err
	}
	if t := s.tenantOf(h); t.State != TenantReady {
		return nil, mustBeOpen(t)
	}
	r := s.queryTenant(ctx, h, q.Text)
	return []TenantResult{r}, r.Err
}

func (s *Service) queryAll(ctx context.Context, p Principal, q TenantQuery) ([]TenantResult, error) {
	if err := p.reaches(q.Blueprint); err != nil {
		return nil, err
	}
	blueprint, err := s.blueprint(p.ProjectID, q.Blueprint)
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(s.deployable(blueprint), func(h *held) bool { return h.live.Suspended() })
	results := make([]TenantResult, len(all))
	slots := make(chan struct{}, parallelQueries)
	var wg sync.WaitGroup
	var rows, bytes atomic.Int64
	for i, h := range all {
		slots <- struct{}{}
		if rows.Load() > maxRowsOfAll || bytes.Load() > maxBytesOfAll {
			results[i] = TenantResult{Tenant: s.tenantOf(h).Name, Err: tooManyOfAll()}
			<-slots
			continue
		}
		wg.Go(func() {
			defer func() { <-slots }()
			results[i] = s.queryTenant(ctx, h, q.Text)
			rows.Add(int64(len(results[i].Result.Rows)))
			bytes.Add(results[i].Result.Bytes)
		})
	}
	wg.Wait()
	for _, r := range results {
		// The text decides it, so that it was run nowhere.
		if e, ok := errors.AsType[*Error](r.Err); ok && e.Details["reason"] == ddlOnTenant {
			return nil, e
		}
	}
	return results, nil
}

func tooManyOfAll() *Error {
	return Errorf(BadRequest, "not asked: the tenants before have given more than %d rows or %d MiB together; ask for less, or tenants one by one", maxRowsOfAll, maxBytesOfAll>>20)
}

// tenantOf is the record of h's tenant now.
func (s *Service) tenantOf(h *held) TenantRecord {
	_, t := s.directory.tenancyNow(h)
	return t
}

func (s *Service) queryTenant(ctx context.Context, h *held, text string) TenantResult {
	t := s.tenantOf(h)
	if h.server == nil {
		return TenantResult{Tenant: t.Name, Err: serverMissing(s.directory.current(h))}
	}
	result, err := s.query(ctx, h, text, limitsOf(h.live))
	if err != nil {
		err = fmt.Errorf("query: %w", err)
	}
	return TenantResult{Tenant: t.Name, Result: result, Err: err}
}
