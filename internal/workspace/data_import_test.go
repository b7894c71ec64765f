package workspace_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// fakeRows is a server that takes the rows of a source with the tables users and
// plans. hook is called in the middle of a copy.
type fakeRows struct {
	*fakeServer
	hook   func(ctx context.Context, w workspace.DataWatch) error
	landed func() (bool, error)

	mu     sync.Mutex
	logins []workspace.SourceLogin
	copies []workspace.DataCopy
}

func fakeTables() []workspace.DataTable {
	column := func(names ...string) (all []workspace.DataColumn) {
		for _, name := range names {
			all = append(all, workspace.DataColumn{Name: name})
		}
		return all
	}
	return []workspace.DataTable{
		{Name: "users", Key: "users", Columns: column("id", "tenant_id"), Rows: 3, Parents: []workspace.DataParent{{Table: "plans"}}},
		{Name: "plans", Key: "plans", Columns: column("id"), Rows: 1},
	}
}

type fakeData struct{ closed bool }

func (*fakeData) Tables(context.Context) ([]workspace.DataTable, error) { return fakeTables(), nil }
func (d *fakeData) Close(context.Context)                               { d.closed = true }

func (*fakeData) Tenants(context.Context, []string, string, int) (workspace.TenantRows, error) {
	return workspace.TenantRows{Total: 2, Tenants: []workspace.TenantCount{{Value: "acme", Rows: 2}, {Value: "globex", Rows: 1}}}, nil
}

func (f *fakeRows) OpenData(_ context.Context, l workspace.SourceLogin) (workspace.DataSource, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logins = append(f.logins, l)
	return &fakeData{}, nil
}

func (f *fakeRows) DataTables(context.Context, workspace.Target) ([]workspace.DataTable, error) {
	return fakeTables(), nil
}

func (f *fakeRows) CopyData(ctx context.Context, _ workspace.Target, _ workspace.DataSource, c workspace.DataCopy, w workspace.DataWatch) error {
	f.mu.Lock()
	f.copies = append(f.copies, c)
	f.mu.Unlock()
	for i := range c.Tables {
		w.Table(i)
		w.Rows(2)
	}
	if f.hook != nil {
		if err := f.hook(ctx, w); err != nil {
			return err
		}
	}
	w.Table(-1)
	return w.Committing("mark")
}

func (f *fakeRows) DataLanded(context.Context, workspace.Target, string) (bool, error) {
	return f.landed()
}

// importingData starts a process with the tenant workspace shop.
func importingData(t *testing.T) (*installation, *workspace.Service, workspace.Principal, *fakeRows) {
	t.Helper()
	i := install(t)
	rows := &fakeRows{fakeServer: i.server}
	i.engines = map[string]workspace.Engine{"main": rows}
	s := i.start()
	p := i.admin(s)
	_, err := s.Create(t.Context(), p, "shop", "PostgreSQL", "tenant")
	must(t, err)
	return i, s, p, rows
}

func dataRequest() workspace.DataRequest {
	return workspace.DataRequest{Connection: &workspace.SourceLogin{Type: "postgres", Host: "db.example.com", Database: "mydb"}}
}

// statusUntil waits until an import is as it should be.
func statusUntil(t *testing.T, s *workspace.Service, p workspace.Principal, id string, is func(workspace.DataImport) bool) workspace.DataImport {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		d, err := s.DataImportStatus(t.Context(), p, "shop", id)
		must(t, err)
		if is(d) {
			return d
		}
		select {
		case <-deadline:
			t.Fatalf("import is still %+v", d)
		case <-time.After(time.Millisecond):
		}
	}
}

func ended(d workspace.DataImport) bool { return d.CompletedAt != nil }

func TestDataImportCopiesParentsFirstAndCounts(t *testing.T) {
	_, s, p, rows := importingData(t)
	begun, err := s.ImportData(t.Context(), p, "shop", dataRequest())
	must(t, err)
	d := statusUntil(t, s, p, begun.Import.ID, ended)
	equal(t, "state", d.State, workspace.ImportCompleted)
	equal(t, "rows", d.RowsImported(), int64(4))
	equal(t, "order", []string{rows.copies[0].Tables[0].Table, rows.copies[0].Tables[1].Table}, []string{"plans", "users"})
	equal(t, "port", rows.logins[0].Port, int64(5432))
	_, err = s.DataImportStatus(t.Context(), p, "shop", "imp_0000")
	refused(t, err, workspace.NotFound, "imp_0000")
}

func TestOneDataImportOfAWorkspaceAtATime(t *testing.T) {
	_, s, p, rows := importingData(t)
	arrived, leave := make(chan struct{}), make(chan struct{})
	rows.hook = func(context.Context, workspace.DataWatch) error {
		arrived <- struct{}{}
		<-leave
		return nil
	}
	begun, err := s.ImportData(t.Context(), p, "shop", dataRequest())
	must(t, err)
	<-arrived
	_, err = s.ImportData(t.Context(), p, "shop", dataRequest())
	e := refused(t, err, workspace.Conflict, "under way")
	equal(t, "details", e.Details["import_id"], any(begun.Import.ID))
	d := statusUntil(t, s, p, begun.Import.ID, func(d workspace.DataImport) bool { return d.State == workspace.ImportInProgress })
	equal(t, "so far", d.RowsImported(), int64(4))

	// Three more workspaces may import, and a fourth may not.
	for _, name := range []string{"b", "c", "d", "e"} {
		_, err := s.Create(t.Context(), p, name, "PostgreSQL", "control")
		must(t, err)
		_, err = s.ImportData(t.Context(), p, name, dataRequest())
		if name == "e" {
			refused(t, err, workspace.RateLimited, "4 data imports")
			continue
		}
		must(t, err)
		<-arrived
	}
	close(leave)
	statusUntil(t, s, p, begun.Import.ID, ended)
}

func TestDataImportOfADeadProcessEndsAtTheNextStartAsTheServerSays(t *testing.T) {
	for name, test := range map[string]struct {
		marked bool
		landed bool
		state  workspace.ImportState
		rows   int64
		says   string
	}{
		"before the commit":            {false, false, workspace.ImportFailed, 0, "undone: import again"},
		"at the commit, which was not": {true, false, workspace.ImportFailed, 0, "undone: import again"},
		"at the commit, which was":     {true, true, workspace.ImportCompleted, 4, ""},
	} {
		t.Run(name, func(t *testing.T) {
			i, s, p, rows := importingData(t)
			died := make(chan struct{})
			rows.hook = func(ctx context.Context, w workspace.DataWatch) error {
				if test.marked {
					if err := w.Committing("mark"); err != nil {
						return err
					}
				}
				i.faults.set("import", errDead) // nothing is noted any more
				close(died)
				return errDead
			}
			rows.landed = func() (bool, error) { return false, errDead }
			begun, err := s.ImportData(t.Context(), p, "shop", dataRequest())
			must(t, err)
			<-died
			s.Close()
			i.faults.set("import", nil)
			rows.landed = func() (bool, error) { return test.landed, nil }
			d := statusUntil(t, i.start(), p, begun.Import.ID, ended)
			equal(t, "state", d.State, test.state)
			equal(t, "rows", d.RowsImported(), test.rows)
			if !strings.Contains(d.Error, test.says) {
				t.Errorf("got the error %q", d.Error)
			}
		})
	}
}

func TestDataImportWhoseCommitIsInDoubtWaitsForTheServer(t *testing.T) {
	i, s, p, rows := importingData(t)
	rows.hook = func(_ context.Context, w workspace.DataWatch) error {
		return errors.Join(w.Committing("mark"), workspace.Errorf(workspace.Unavailable, "connection to the database was lost"))
	}
	asked := make(chan struct{}, 8)
	rows.landed = func() (bool, error) {
		asked <- struct{}{}
		return false, workspace.Errorf(workspace.Unavailable, "the server can't be reached")
	}
	begun, err := s.ImportData(t.Context(), p, "shop", dataRequest())
	must(t, err)
	<-asked
	s.Close()
	again := i.start() // which can't find out either
	<-asked
	d, err := again.DataImportStatus(t.Context(), p, "shop", begun.Import.ID)
	must(t, err)
	equal(t, "state", d.State, workspace.ImportInProgress)
	again.Close()
	rows.landed = func() (bool, error) { return true, nil }
	d = statusUntil(t, i.start(), p, begun.Import.ID, ended)
	equal(t, "state", d.State, workspace.ImportCompleted)
}

func TestTenantsMadeForAnImportThatDoesNotBeginAreGone(t *testing.T) {
	i, s, p, _ := importingData(t)
	r := dataRequest()
	r.RoutingField, r.Shared, r.CreateTenants = "tenant_id", []string{"plans"}, true
	i.faults.set("import", errors.New("disk full"))
	_, err := s.ImportData(t.Context(), p, "shop", r)
	refused(t, err, workspace.Unavailable)
	all, err := s.ListTenants(t.Context(), p)
	must(t, err)
	equal(t, "tenants", len(all), 0)
	i.faults.set("import", nil)
	begun, err := s.ImportData(t.Context(), p, "shop", r)
	must(t, err)
	equal(t, "made", len(begun.Created), 2)
	d := statusUntil(t, s, p, begun.Import.ID, ended)
	equal(t, "parts", []string{d.Parts[0].Tenant, d.Parts[1].Tenant}, []string{"acme", "globex"})
	equal(t, "rows", d.RowsImported(), int64(8))
}

func TestDataImportWhoseCommitNobodyKnowsOfSaysSo(t *testing.T) {
	_, s, p, rows := importingData(t)
	rows.hook = func(_ context.Context, w workspace.DataWatch) error {
		return errors.Join(w.Committing("mark"), workspace.Errorf(workspace.Unavailable, "connection to the database was lost"))
	}
	rows.landed = func() (bool, error) { return false, workspace.Errorf(workspace.BadRequest, "look at the tables") }
	begun, err := s.ImportData(t.Context(), p, "shop", dataRequest())
	must(t, err)
	d := statusUntil(t, s, p, begun.Import.ID, ended)
	equal(t, "state", d.State, workspace.ImportFailed)
	equal(t, "error", d.Error, "look at the tables")
}
