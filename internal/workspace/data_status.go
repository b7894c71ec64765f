package workspace

import (
	"context"
	"errors"
)

// DataImportStatus is a data import of the workspace as it stands.
func (s *Service) DataImportStatus(ctx context.Context, p Principal, id, importID string) (DataImport, error) {
	if err := p.mayRead(); err != nil {
		return DataImport{}, err
	}
	h, _, err := s.find(p, id)
	if err != nil {
		return DataImport{}, err
	}
	if importID == "" {
		return DataImport{}, badField("import_id", "missing import_id in the address: ?import_id=imp_…")
	}
	unknown := Errorf(NotFound, "Data import not found: %.80s", importID)
	if run := s.imports.running(importID); run != nil {
		if d := run.now(); d.ID != "" && d.WorkspaceID == h.live.ID {
			return d, nil
		}
	}
	d, err := s.catalog.DataImport(ctx, importID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return DataImport{}, storeFailed(err)
	}
	if err != nil || d.WorkspaceID != h.live.ID {
		return DataImport{}, unknown
	}
	return d, nil
}

// RowsImported counts the rows that were copied; of an import under way also
// those that are not there for others to see yet.
func (d DataImport) RowsImported() (rows int64) {
	for _, t := range d.TableResults() {
		rows += t.Imported
	}
	return rows
}

// TableResult is what became of one table, over all databases.
type TableResult struct {
	ImportTable
	State    ImportState
	Imported int64
	Error    string // of the first database in which it failed
}

// TableResults are what became of the tables, in their order.
func (d DataImport) TableResults() []TableResult {
	all := make([]TableResult, len(d.Tables))
	for i, t := range d.Tables {
		r := TableResult{ImportTable: t, State: ImportPending}
		completed := 0
		for _, p := range d.Parts {
			switch p.State {
			case ImportCompleted:
				completed++
				r.Imported += p.Rows[i]
			case ImportInProgress:
				r.Imported += p.Rows[i]
				if p.At == i || p.Rows[i] > 0 {
					r.State = ImportInProgress
				}
			case ImportFailed:
				if r.State == ImportFailed {
					continue
				}
				r.State, r.Error = ImportFailed, d.failure(p)
				if p.At != i {
					r.Error = "undone: " + r.Error
				}
			}
		}
		if completed == len(d.Parts) && completed > 0 {
			r.State = ImportCompleted
		}
		all[i] = r
	}
	return all
}

// Imported is the rows that a part has copied so far, 0 where they were undone.
func (p ImportPart) Imported() (rows int64) {
	if p.State == ImportCompleted || p.State == ImportInProgress {
		for _, n := range p.Rows {
			rows += n
		}
	}
	return rows
}
