package workspace

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	dataImportIDSize  = 8                // random bytes
	parallelImports   = 4                // of data, over all workspaces
	analysisTimeout   = 5 * time.Minute  // from the request to the first row
	dataImportTimeout = 12 * time.Hour   // of one import
	keepImportTimeout = 10 * time.Second // to note how one ended, when nothing else may go on
)

// AnalyzeData says what ImportData would meet, and changes nothing.
func (s *Service) AnalyzeData(ctx context.Context, p Principal, id string, r DataRequest) (DataAnalysis, error) {
	if err := p.mayWrite(); err != nil {
		return DataAnalysis{}, err
	}
	h, w, err := s.find(p, id)
	if err != nil {
		return DataAnalysis{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, analysisTimeout)
	defer cancel()
	source, err := s.openData(ctx, w, h, &r)
	if err != nil {
		return DataAnalysis{}, err
	}
	defer source.Close(ctx)
	plan, err := s.planData(ctx, p, h, source, r)
	if err != nil {
		return DataAnalysis{}, err
	}
	a := DataAnalysis{
		Type: w.Type, Source: *r.Connection, Tables: plan.tables, Candidates: routingCandidates(plan.found),
		Tenants: plan.tenants, Total: plan.total, Problems: plan.problems,
	}
	a.Source.Password = ""
	return a, nil
}

// ImportData begins to copy the rows of a live database of the workspace's type
// into the workspace, or to the tenants that the rows name, in the background. It
// is durable when ImportData returns; one that the process does not end is undone.
// A problem that AnalyzeData knows is an error, before anything is copied. There
// is one at a time of a workspace, and a few in all.
func (s *Service) ImportData(ctx context.Context, p Principal, id string, r DataRequest) (BegunImport, error) {
	return s.reserveImport(p, id, func(h *held, w Workspace, run *runningImport) (BegunImport, error) {
		return s.beginImport(ctx, p, h, w, r, run)
	})
}

// ImportAll imports the schema of a live database and then its data. What of the
// schema failed is in the answer; where the data can't be copied for it, the
// import has failed already when ImportAll returns.
func (s *Service) ImportAll(ctx context.Context, p Principal, id string, r DataRequest) (BegunImport, error) {
	return s.reserveImport(p, id, func(h *held, w Workspace, run *runningImport) (BegunImport, error) {
		return s.importAll(ctx, p, h, w, r, run)
	})
}

// reserveImport begins an import that no other meets, and which the background
// ends where it is not over when begin returns.
func (s *Service) reserveImport(p Principal, id string, begin func(*held, Workspace, *runningImport) (BegunImport, error)) (BegunImport, error) {
	if err := p.mayWrite(); err != nil {
		return BegunImport{}, err
	}
	h, w, err := s.find(p, id)
	if err != nil {
		return BegunImport{}, err
	}
	run, err := s.imports.reserve(h)
	if err != nil {
		return BegunImport{}, err
	}
	begun, err := begin(h, w, run)
	if err != nil || begun.Import.CompletedAt != nil {
		s.imports.release(run)
	}
	return begun, err
}

func (s *Service) importAll(ctx context.Context, p Principal, h *held, w Workspace, r DataRequest, run *runningImport) (BegunImport, error) {
	// What can be refused is, before the schema changes.
	checking, cancel := context.WithTimeout(ctx, analysisTimeout)
	defer cancel()
	asked := r
	source, err := s.openData(checking, w, h, &asked)
	if err != nil {
		return BegunImport{}, err
	}
	source.Close(checking)
	schema, err := s.ImportSchema(ctx, p, w.Name, ImportRequest{Source: fromDatabase, Connection: r.Connection})
	if err != nil {
		return BegunImport{}, err
	}
	begun, err := s.beginImport(ctx, p, h, w, r, run)
	if err != nil && ErrorCode(err) == Internal {
		return BegunImport{}, err
	}
	if err != nil {
		// The schema is there, so this is no refusal of the whole.
		now := s.time()
		begun.Import = s.newImport(run, p, h, nil)
		begun.Import.State, begun.Import.Error, begun.Import.CompletedAt = ImportFailed, "nothing was copied: "+told(err), &now
		if err := s.catalog.AddDataImport(ctx, begun.Import); err != nil {
			return BegunImport{}, storeFailed(err)
		}
	}
	begun.Schema = &schema
	return begun, nil
}

// beginImport plans an import, makes the tenants that it needs, keeps it and
// hands it to the background.
func (s *Service) beginImport(ctx context.Context, p Principal, h *held, w Workspace, r DataRequest, run *runningImport) (begun BegunImport, err error) {
	ctx, cancel := context.WithTimeout(ctx, analysisTimeout)
	defer cancel()
	source, err := s.openData(ctx, w, h, &r)
	if err != nil {
		return begun, err
	}
	defer func() {
		if err != nil {
			source.Close(ctx)
		}
	}()
	plan, err := s.planData(ctx, p, h, source, r)
	if err != nil {
		return begun, err
	}
	if err := notImportable(plan.problems); err != nil {
		return begun, err
	}
	if begun.Created, err = s.makeTenants(ctx, p, h, &plan, r); err != nil {
		return begun, err
	}
	begun.Import = s.newImport(run, p, h, &plan)
	if err := s.catalog.AddDataImport(ctx, begun.Import); err != nil {
		s.unmakeTenants(ctx, p, begun.Created)
		return begun, storeFailed(err)
	}
	run.set(begun.Import)
	if !s.begin(func() { s.runImport(s.background, run, plan) }) {
		// The next start says that it was cut short.
		return begun, Errorf(Unavailable, "the server is shutting down: try again")
	}
	return begun, nil
}

// newImport is the record of what a plan does.
func (s *Service) newImport(run *runningImport, p Principal, h *held, plan *dataPlan) DataImport {
	d := DataImport{
		ID: run.id, ProjectID: p.ProjectID, WorkspaceID: h.live.ID, State: ImportPending, CreatedAt: s.time(),
	}
	if plan == nil {
		return d
	}
	for _, t := range plan.tables {
		d.Tables = append(d.Tables, ImportTable{Name: t.Name, Rows: t.Rows, Exact: t.Exact})
	}
	for _, part := range plan.parts {
		d.Parts = append(d.Parts, ImportPart{
			Tenant: part.tenant, DatabaseID: part.h.live.ID, State: ImportPending, At: -1, Rows: make([]int64, len(d.Tables)),
		})
	}
	return d
}

// notImportable refuses what has problems.
func notImportable(problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	message := problems[0]
	if n := len(problems) - 1; n > 0 {
		message = fmt.Sprintf("%s (and %d more, in \"problems\")", message, n)
	}
	e := Errorf(BadRequest, "nothing was imported: %s", message)
	e.Details = map[string]any{"problems": problems}
	return e
}

// makeTenants makes the tenants of the plan that are not there, and plans their
// parts; none stays if it fails.
func (s *Service) makeTenants(ctx context.Context, p Principal, blueprint *held, plan *dataPlan, r DataRequest) (made []TenantDetails, err error) {
	if len(plan.absent) == 0 {
		return nil, nil
	}
	defer func() {
		if err != nil {
			s.unmakeTenants(ctx, p, made)
			made = nil
		}
	}()
	wanted := make([]DataTable, len(plan.tables))
	for i, t := range plan.tables {
		wanted[i] = t.DataTable
	}
	for _, name := range plan.absent {
		if t, _ := s.directory.tenant(p.ProjectID, name); t != nil {
			return made, badField("create_tenants", "Tenant '%s' is there, without a database of blueprint '%s': add one by POST /tenants", name, blueprint.live.Name)
		}
		details, err := s.CreateTenant(ctx, p, TenantRequest{Name: name, Databases: []TenantDatabaseRequest{{Blueprint: blueprint.live.Name}}})
		if err != nil {
			return made, fmt.Errorf("make tenant %s: %w", name, err)
		}
		made = append(made, details)
		h, err := s.databaseOf(p, blueprint.live.Name, name, "create_tenants")
		if err != nil {
			return made, err
		}
		if err := s.planPart(ctx, h, name, plan, wanted, r); err != nil {
			return made, err
		}
	}
	slices.SortFunc(plan.parts, func(a, b plannedPart) int { return strings.Compare(a.tenant, b.tenant) })
	return made, notImportable(plan.problems)
}

// unmakeTenants removes tenants that were made for an import that does not begin.
func (s *Service) unmakeTenants(ctx context.Context, p Principal, made []TenantDetails) {
	ctx = context.WithoutCancel(ctx)
	for _, t := range made {
		if err := s.DeleteTenant(ctx, p, t.Name, true); err != nil {
			s.log.Warn("tenant of an import that did not begin is still there", "tenant", t.Name, "error", Causes(err))
		}
	}
}
