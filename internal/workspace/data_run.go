package workspace

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// imports are the data imports under way.
type imports struct {
	mu   sync.Mutex
	runs map[int64]*runningImport // by the workspace's ID
}

// runningImport is one of them, from its request on.
type runningImport struct {
	id        string
	workspace int64

	mu sync.Mutex
	d  DataImport
}

// reserve keeps others from importing data into h.
func (x *imports) reserve(h *held) (*runningImport, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if other := x.runs[h.live.ID]; other != nil {
		e := Errorf(Conflict, "a data import of workspace '%s' is under way", h.live.Name)
		e.Details = map[string]any{"reason": "import_in_progress", "action_required": "Wait until it has ended"}
		if id := other.now().ID; id != "" {
			e.Details["import_id"] = id
		}
		return nil, e
	}
	if len(x.runs) >= parallelImports {
		e := Errorf(RateLimited, "%d data imports are under way, as many as there may be", parallelImports)
		e.Details = map[string]any{"reason": "imports_in_progress", "action_required": "Try again later"}
		return nil, e
	}
	run := &runningImport{id: "imp_" + randomHex(dataImportIDSize), workspace: h.live.ID}
	x.runs[run.workspace] = run
	return run, nil
}

func (x *imports) release(run *runningImport) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.runs, run.workspace)
}

// running is the import of that ID that is under way; nil: there is none.
func (x *imports) running(id string) *runningImport {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, run := range x.runs {
		if run.id == id {
			return run
		}
	}
	return nil
}

func (r *runningImport) set(d DataImport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.d = d.clone()
}

// now is the import as it stands; its ID is empty before it began.
func (r *runningImport) now() DataImport {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.d.clone()
}

// change changes the n-th part and returns it.
func (r *runningImport) change(n int, to func(*ImportPart)) ImportPart {
	r.mu.Lock()
	defer r.mu.Unlock()
	to(&r.d.Parts[n])
	return r.d.Parts[n].clone()
}

func (d DataImport) clone() DataImport {
	parts := make([]ImportPart, len(d.Parts))
	for i, p := range d.Parts {
		parts[i] = p.clone()
	}
	d.Parts = parts
	return d
}

func (p ImportPart) clone() ImportPart {
	p.Rows = append([]int64{}, p.Rows...)
	return p
}

// runImport runs an import to its end, or until ctx ends.
func (s *Service) runImport(ctx context.Context, run *runningImport, plan dataPlan) {
	defer s.imports.release(run)
	defer plan.source.Close(ctx)
	ctx, cancel := context.WithTimeout(ctx, dataImportTimeout)
	defer cancel()
	run.mu.Lock()
	run.d.State = ImportInProgress
	run.mu.Unlock()
	if err := s.catalog.SetDataImportState(ctx, run.id, ImportInProgress, "", nil); err != nil {
		s.log.Warn("state of a data import can't be kept", "import", run.id, "error", err)
	}
	for n, part := range plan.parts {
		s.importPart(ctx, run, n, part, plan.source)
	}
	keeping, done := context.WithTimeout(context.WithoutCancel(ctx), keepImportTimeout)
	defer done()
	s.settle(keeping, run.now())
}

// importPart copies the rows of one database and keeps how that ended.
func (s *Service) importPart(ctx context.Context, run *runningImport, n int, planned plannedPart, source DataSource) {
	part := run.change(n, func(p *ImportPart) { p.State = ImportInProgress })
	err := s.catalog.SetDataImportPart(ctx, run.id, n, part)
	if err != nil {
		err = storeFailed(err)
	} else {
		err = s.copyPart(ctx, run, n, planned, source)
	}
	keeping, done := context.WithTimeout(context.WithoutCancel(ctx), keepImportTimeout)
	defer done()
	part = run.change(n, func(p *ImportPart) {
		if err == nil {
			p.State, p.At = ImportCompleted, -1
			return
		}
		p.Error = toldImporting(ctx, err)
		if p.Mark == "" {
			p.State = ImportFailed
		}
	})
	if err != nil {
		s.log.Warn("data can't be imported", "import", run.id, "tenant", part.Tenant, "code", ErrorCode(err), "error", loggedImporting(err))
	}
	if part.State == ImportInProgress {
		part = s.settlePart(keeping, run.id, part)
		run.change(n, func(p *ImportPart) { *p = part.clone() })
	}
	if err := s.catalog.SetDataImportPart(keeping, run.id, n, part); err != nil {
		s.log.Error("outcome of a data import can't be kept before the next try", "import", run.id, "error", err)
	}
}

func (s *Service) copyPart(ctx context.Context, run *runningImport, n int, planned plannedPart, source DataSource) error {
	at := -1
	return planned.h.server.engine.(DataImporter).CopyData(ctx, planned.h.target, source, planned.copy, DataWatch{
		Table: func(i int) {
			if at = i; i >= 0 {
				at = planned.order[i]
			}
			run.change(n, func(p *ImportPart) { p.At = at })
		},
		Rows: func(rows int64) { run.change(n, func(p *ImportPart) { p.Rows[at] = rows }) },
		Committing: func(mark string) error {
			part := run.change(n, func(p *ImportPart) { p.Mark = mark })
			if err := s.catalog.SetDataImportPart(ctx, run.id, n, part); err != nil {
				run.change(n, func(p *ImportPart) { p.Mark = "" })
				return storeFailed(err)
			}
			return nil
		},
	})
}

// toldImporting is what of a failure the API may show.
func toldImporting(ctx context.Context, err error) string {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.DeadlineExceeded):
		return fmt.Sprintf("the import took longer than %v, and is undone", dataImportTimeout)
	case cause != nil:
		return "the server was shut down during the import, which is undone: import again"
	case ErrorCode(err) == Internal:
		return "the import failed here; the log has the cause"
	}
	return told(err)
}

// loggedImporting is what of a failure the log may hold: not the database's words
// about a row, which quote it.
func loggedImporting(err error) string {
	if ErrorCode(err) == BadRequest {
		return "the rows were refused, or can't be read"
	}
	return Causes(err)
}

// settlePart finds out what became of a part that is in progress and that nobody
// is at any more. Where that can't be known now, it stays in progress.
func (s *Service) settlePart(ctx context.Context, id string, p ImportPart) ImportPart {
	if p.Mark == "" {
		return p.failed("the server stopped during the import, which is undone: import again")
	}
	h, w := s.directory.numbered(p.DatabaseID)
	if h == nil || w.State != Ready {
		return p.failed("the database was deleted")
	}
	if h.server == nil {
		return p
	}
	engine, ok := h.server.engine.(DataImporter)
	if !ok {
		return p.failed("the server that has the database does not take imports")
	}
	landed, err := engine.DataLanded(ctx, h.target, p.Mark)
	switch {
	case err != nil && ErrorCode(err) == BadRequest: // nobody knows it any more
		p.State, p.At, p.Error = ImportFailed, -1, told(err)
		return p
	case err != nil:
		s.log.Warn("whether a data import took effect can't be found out yet", "import", id, "error", Causes(err))
		return p
	case !landed:
		return p.failed("the server stopped during the import, which is undone: import again")
	}
	p.State, p.At, p.Error = ImportCompleted, -1, ""
	return p
}

// failed is the part with that as its failure, unless it has one.
func (p ImportPart) failed(why string) ImportPart {
	p.State = ImportFailed
	if p.Error == "" {
		p.Error = why
	}
	return p
}

// settle ends an import whose parts have ended.
func (s *Service) settle(ctx context.Context, d DataImport) {
	state, text := ImportCompleted, ""
	var failures []string
	for _, p := range d.Parts {
		switch p.State {
		case ImportInProgress:
			return // until what became of it is known
		case ImportPending, ImportFailed:
			state = ImportFailed
			failures = append(failures, d.failure(p))
		}
	}
	if state == ImportFailed {
		text = failures[0]
		if n := len(failures) - 1; n > 0 {
			text = fmt.Sprintf("%s (and %d more tenants)", text, n)
		}
	}
	now := s.time()
	if err := s.catalog.SetDataImportState(ctx, d.ID, state, text, &now); err != nil {
		s.log.Error("end of a data import can't be kept before the next try", "import", d.ID, "error", err)
		return
	}
	s.audit.Info("data import ended", "import", d.ID, "workspace", d.WorkspaceID, "state", state, "rows", d.RowsImported(), "databases", len(d.Parts))
}

// failure says where and why a part failed.
func (d DataImport) failure(p ImportPart) string {
	var where []string
	if p.Tenant != "" {
		where = append(where, "tenant "+p.Tenant)
	}
	if p.At >= 0 && p.At < len(d.Tables) {
		where = append(where, "table "+d.Tables[p.At].Name)
	}
	return strings.Join(append(where, p.Error), ": ")
}

// finishImports settles the imports that nobody is at any more: the process ended
// during them, or what became of them could not be found out or kept.
func (s *Service) finishImports(ctx context.Context) {
	all, err := s.catalog.UnfinishedDataImports(ctx)
	if err != nil {
		s.log.Warn("unfinished data imports can't be read", "error", err)
		return
	}
	for _, d := range all {
		if s.imports.running(d.ID) != nil {
			continue
		}
		for n, p := range d.Parts {
			switch p.State {
			case ImportPending:
				p = p.failed("the server stopped before its turn: import again")
			case ImportInProgress:
				p = s.settlePart(ctx, d.ID, p)
			default:
				continue
			}
			d.Parts[n] = p
			if err := s.catalog.SetDataImportPart(ctx, d.ID, n, p); err != nil {
				s.log.Warn("unfinished data import can't be ended yet", "import", d.ID, "error", err)
				return
			}
		}
		s.settle(ctx, d)
	}
}
