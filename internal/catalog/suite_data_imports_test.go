package catalog_test

import (
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func testDataImportsSurvive(t *testing.T, open func() workspace.Catalog) {
	c := open()
	id := readyWorkspace(t, c)
	d := workspace.DataImport{
		ID: "imp_1", ProjectID: "tdb_00000001", WorkspaceID: id, State: workspace.ImportPending, CreatedAt: start,
		Tables: []workspace.ImportTable{{Name: "users", Rows: 12, Exact: true}, {Name: `odd "name"`, Rows: 1 << 40}},
		Parts: []workspace.ImportPart{
			{Tenant: "acme", DatabaseID: 7, State: workspace.ImportPending, Rows: []int64{0, 0}, At: -1},
			{Tenant: "globex", DatabaseID: 8, State: workspace.ImportPending, Rows: []int64{0, 0}, At: -1},
		},
	}
	ended := start.Add(time.Second)
	later := workspace.DataImport{ID: "imp_0", ProjectID: "tdb_00000001", WorkspaceID: id, State: workspace.ImportFailed, Error: "nothing was copied", CreatedAt: ended, CompletedAt: &ended}
	must(t, c.AddDataImport(t.Context(), d))
	must(t, c.AddDataImport(t.Context(), later))
	one, err := open().DataImport(t.Context(), later.ID)
	equal(t, one, later, err)
	unfinished, err := open().UnfinishedDataImports(t.Context())
	equal(t, unfinished, []workspace.DataImport{d}, err)

	c = open()
	d.Parts[1] = workspace.ImportPart{Tenant: "globex", DatabaseID: 8, State: workspace.ImportInProgress, Rows: []int64{5, 1 << 40}, At: 1, Mark: "12345", Error: "refused"}
	must(t, c.SetDataImportPart(t.Context(), d.ID, 1, d.Parts[1]))
	d.State, d.Error, d.CompletedAt = workspace.ImportFailed, "tenant globex: refused", &ended
	must(t, c.SetDataImportState(t.Context(), d.ID, d.State, d.Error, d.CompletedAt))
	one, err = open().DataImport(t.Context(), d.ID)
	equal(t, one, d, err)
	unfinished, err = open().UnfinishedDataImports(t.Context())
	equal(t, len(unfinished), 0, err)

	c = open()
	_, err = c.DataImport(t.Context(), "imp_2")
	wantErr(t, err, workspace.ErrNotFound)
	wantErr(t, c.SetDataImportPart(t.Context(), "imp_2", 0, d.Parts[0]), workspace.ErrNotFound)
	wantErr(t, c.SetDataImportPart(t.Context(), d.ID, 2, d.Parts[0]), workspace.ErrNotFound)
	wantErr(t, c.SetDataImportState(t.Context(), "imp_2", d.State, "", nil), workspace.ErrNotFound)
	must(t, c.RemoveWorkspace(t.Context(), id))
	_, err = c.DataImport(t.Context(), d.ID)
	wantErr(t, err, workspace.ErrNotFound)
}
