package catalog_test

import (
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func tenant(project, name string) workspace.TenantRecord {
	return workspace.TenantRecord{ProjectID: project, Name: name, State: workspace.TenantReady, CreatedAt: start}
}

// tenantDatabase is a database of that blueprint whose names end in the login's.
func tenantDatabase(blueprint int64, login string) workspace.TenantDatabase {
	return workspace.TenantDatabase{
		BlueprintID: blueprint, State: workspace.Creating, IsolationLevel: workspace.SharedServer, Server: "main",
		Database: "shop__" + login, Role: "shop__" + login, RoleSecret: []byte{1}, Owner: "shop__" + login + "_owner", OwnerSecret: []byte{2},
		Login: workspace.Credential{
			ID: "cred_" + login, ProjectID: login, Sealed: []byte{3}, CreatedAt: start,
			SCRAM: workspace.SCRAM{Iterations: 4096, Salt: []byte{4}, StoredKey: []byte{5}, ServerKey: []byte{6}},
		},
		Settings: workspace.DefaultSettings(), CreatedAt: start,
	}
}

// readyTenant is a tenant of the project with a ready database of the blueprint.
func readyTenant(t *testing.T, c workspace.Catalog, blueprint int64, name string) int64 {
	t.Helper()
	_, id, err := c.AddTenantDatabase(t.Context(), tenant("tdb_00000001", name), tenantDatabase(blueprint, "tdb_"+name))
	must(t, err)
	must(t, c.SetTenantDatabasesReady(t.Context(), []int64{id}, start))
	return id
}

func testTenantsSurvive(t *testing.T, open func() workspace.Catalog) {
	c := open()
	blueprint := readyWorkspace(t, c)
	record, database := tenant("tdb_00000001", "acme"), tenantDatabase(blueprint, "tdb_0000000a")
	var err error
	record.ID, database.ID, err = c.AddTenantDatabase(t.Context(), record, database)
	must(t, err)
	database.TenantID = record.ID
	if database.ID <= 1<<40 {
		t.Errorf("database has the id %d, which a workspace may get", database.ID)
	}
	tenants, err := open().Tenants(t.Context())
	equal(t, tenants, []workspace.TenantRecord{record}, err)
	databases, err := open().TenantDatabases(t.Context())
	equal(t, databases, []workspace.TenantDatabase{database}, err)

	c = open()
	must(t, c.SetTenantState(t.Context(), record.ID, workspace.TenantTrash))
	wantErr(t, c.SetTenantDatabasesReady(t.Context(), []int64{database.ID, 7}, start), workspace.ErrNotFound)
	databases, err = open().TenantDatabases(t.Context())
	equal(t, databases, []workspace.TenantDatabase{database}, err)

	c = open()
	must(t, c.SetTenantDatabasesReady(t.Context(), []int64{database.ID}, start))
	database.Settings = workspace.Settings{QueryTimeoutMS: 1, MaxRowsPerQuery: 2, MaxConnections: 3}
	must(t, c.SetTenantDatabaseSettings(t.Context(), database.ID, database.Settings))
	record.State, database.State = workspace.TenantTrash, workspace.Ready
	tenants, err = open().Tenants(t.Context())
	equal(t, tenants, []workspace.TenantRecord{record}, err)
	databases, err = open().TenantDatabases(t.Context())
	equal(t, databases, []workspace.TenantDatabase{database}, err)

	c = open()
	must(t, c.SetTenantState(t.Context(), record.ID, workspace.TenantReady))
	must(t, c.SetTenantDeleting(t.Context(), record.ID))
	wantErr(t, c.SetTenantDeleting(t.Context(), 7), workspace.ErrNotFound)
	database.State = workspace.Deleting
	tenants, err = open().Tenants(t.Context())
	equal(t, tenants, []workspace.TenantRecord{record}, err)
	databases, err = open().TenantDatabases(t.Context())
	equal(t, databases, []workspace.TenantDatabase{database}, err)
}

func testTenantNamesAreTakenOnce(t *testing.T, open func() workspace.Catalog) {
	c := open()
	blueprint := readyWorkspace(t, c)
	record := tenant("tdb_00000001", "acme")
	tenantID, _, err := c.AddTenantDatabase(t.Context(), record, tenantDatabase(blueprint, "tdb_0000000a"))
	must(t, err)
	_, _, err = c.AddTenantDatabase(t.Context(), record, tenantDatabase(blueprint, "tdb_0000000b"))
	wantErr(t, err, workspace.ErrExists)
	record.ID = tenantID
	_, _, err = c.AddTenantDatabase(t.Context(), record, tenantDatabase(blueprint, "tdb_0000000c"))
	wantErr(t, err, workspace.ErrExists) // its database of that blueprint is there
	all, err := c.TenantDatabases(t.Context())
	equal(t, len(all), 1, err)
}

func testLastDatabaseTakesItsTenant(t *testing.T, open func() workspace.Catalog) {
	c := open()
	blueprint := readyWorkspace(t, c)
	other := addWorkspace(t, c, "tdb_00000001", "other", "other_workspace")
	record := tenant("tdb_00000001", "acme")
	var first, second int64
	var err error
	record.ID, first, err = c.AddTenantDatabase(t.Context(), record, tenantDatabase(blueprint, "tdb_0000000a"))
	must(t, err)
	_, second, err = c.AddTenantDatabase(t.Context(), record, tenantDatabase(other, "tdb_0000000b"))
	must(t, err)
	must(t, c.RemoveTenantDatabase(t.Context(), first))
	tenants, err := c.Tenants(t.Context())
	equal(t, len(tenants), 1, err)
	must(t, c.RemoveTenantDatabase(t.Context(), second))
	tenants, err = open().Tenants(t.Context())
	equal(t, len(tenants), 0, err)
	wantErr(t, open().RemoveTenantDatabase(t.Context(), second), workspace.ErrNotFound)
}

func testBlueprintOfTenantsStays(t *testing.T, open func() workspace.Catalog) {
	c := open()
	blueprint := readyWorkspace(t, c)
	id := readyTenant(t, c, blueprint, "acme")
	if err := c.RemoveWorkspace(t.Context(), blueprint); err == nil {
		t.Fatal("a workspace with tenants was removed")
	}
	wantErr(t, c.RemoveProject(t.Context(), "tdb_00000001"), workspace.ErrInUse)
	must(t, c.RemoveTenantDatabase(t.Context(), id))
	must(t, c.RemoveWorkspace(t.Context(), blueprint))
	must(t, c.RemoveProject(t.Context(), "tdb_00000001"))
}

func testVersionIsDeployedWhileATenantHasIt(t *testing.T, open func() workspace.Catalog) {
	c := open()
	blueprint := readyWorkspace(t, c)
	_, err := c.Append(t.Context(), blueprint, changes("tx1", 1, 2), start)
	must(t, err)
	acme, globex := readyTenant(t, c, blueprint, "acme"), readyTenant(t, c, blueprint, "globex")
	wantErr(t, func() error { _, err := c.BeginVersion(t.Context(), acme, 2); return err }(), workspace.ErrNotFound)

	for _, id := range []int64{acme, globex} {
		v, err := c.BeginVersion(t.Context(), id, 1)
		equal(t, len(v.Entries), 2, err)
	}
	equal(t, journalIDs(t, c, blueprint), nil, nil)
	must(t, c.AbandonVersion(t.Context(), acme))
	equal(t, journalIDs(t, open(), blueprint), nil, nil) // globex may have it
	c = open()
	must(t, c.AbandonVersion(t.Context(), globex))
	equal(t, journalIDs(t, c, blueprint), []int64{1, 2}, nil)

	_, err = c.BeginVersion(t.Context(), acme, 1)
	must(t, err)
	at := start.Add(time.Hour)
	must(t, c.FinishVersion(t.Context(), acme, 1, at))
	_, err = c.BeginVersion(t.Context(), globex, 1)
	must(t, err)
	must(t, c.AbandonVersion(t.Context(), globex))
	equal(t, journalIDs(t, c, blueprint), nil, nil)
	must(t, c.RemoveTenantDatabase(t.Context(), acme))
	equal(t, journalIDs(t, c, blueprint), nil, nil) // a tenant has had it
	versions, err := open().Versions(t.Context(), blueprint)
	must(t, err)
	if len(versions) != 1 || versions[0].DeployedAt == nil || !versions[0].DeployedAt.Equal(at) {
		t.Errorf("versions are %+v, want one that was deployed at %v", versions, at)
	}
}

func testUnfinishedTenantHadNothing(t *testing.T, open func() workspace.Catalog) {
	c := open()
	blueprint := readyWorkspace(t, c)
	_, err := c.Append(t.Context(), blueprint, changes("tx1", 1), start)
	must(t, err)
	_, id, err := c.AddTenantDatabase(t.Context(), tenant("tdb_00000001", "acme"), tenantDatabase(blueprint, "tdb_0000000a"))
	must(t, err)
	_, err = c.BeginVersion(t.Context(), id, 1)
	must(t, err)
	must(t, c.FinishVersion(t.Context(), id, 1, start))
	must(t, c.RemoveTenantDatabase(t.Context(), id))
	equal(t, journalIDs(t, open(), blueprint), []int64{1}, nil)
}

func testVersionsLeaveOutWhatWasSkipped(t *testing.T, open func() workspace.Catalog) {
	c := open()
	blueprint := readyWorkspace(t, c)
	_, err := c.Append(t.Context(), blueprint, append(changes("tx1", 1, 2), changes("tx2", 3)...), start)
	must(t, err)
	pending, err := c.Pending(t.Context(), blueprint)
	must(t, err)
	must(t, c.Skip(t.Context(), blueprint, pending[0].ID))
	must(t, c.Skip(t.Context(), blueprint, pending[2].ID))
	versions, err := open().Versions(t.Context(), blueprint)
	must(t, err)
	var found [][]int64
	for _, v := range versions {
		ids := []int64{v.Number}
		for _, e := range v.Entries {
			ids = append(ids, e.JournalID)
		}
		found = append(found, ids)
	}
	equal(t, found, [][]int64{{1, 2}, {2}}, nil)
}

func testDeploymentsSurvive(t *testing.T, open func() workspace.Catalog) {
	c := open()
	blueprint := readyWorkspace(t, c)
	d := workspace.Deployment{
		ID: "dep_1", ProjectID: "tdb_00000001", BlueprintID: blueprint, Blueprint: "shop", Version: 3,
		State: workspace.DeploymentPending, CreatedAt: start,
		Results: []workspace.DeploymentResult{
			{Tenant: "acme", DatabaseID: 7, State: workspace.DeploymentPending, Version: 1},
			{Tenant: "globex", DatabaseID: 8, State: workspace.DeploymentPending},
		},
	}
	later := d
	later.ID, later.CreatedAt, later.Results = "dep_0", start.Add(time.Second), nil
	must(t, c.AddDeployment(t.Context(), d))
	must(t, c.AddDeployment(t.Context(), later))
	page := workspace.DeploymentPage{ProjectID: "tdb_00000001", Limit: 10}
	all, err := open().Deployments(t.Context(), page)
	equal(t, all, []workspace.DeploymentSummary{later.Summary(), d.Summary()}, err)
	unfinished, err := open().UnfinishedDeployments(t.Context())
	equal(t, unfinished, []workspace.Deployment{d, later}, err)

	c = open()
	d.Results[1] = workspace.DeploymentResult{Tenant: "globex", DatabaseID: 8, State: workspace.DeploymentFailed, Version: 2, Error: "refused", Took: 5 * time.Millisecond}
	must(t, c.SetDeploymentResult(t.Context(), d.ID, d.Results[1]))
	at := start.Add(time.Minute)
	d.State, d.CompletedAt = workspace.DeploymentPartial, &at
	must(t, c.SetDeploymentState(t.Context(), d.ID, d.State, d.CompletedAt))
	one, err := open().Deployment(t.Context(), d.ID)
	equal(t, one, d, err)
	unfinished, err = open().UnfinishedDeployments(t.Context())
	equal(t, unfinished, []workspace.Deployment{later}, err)
	summary := d.Summary()
	equal(t, []int{summary.Tenants, summary.Completed, summary.Failed}, []int{2, 0, 1}, nil)
	for _, some := range []struct {
		of   workspace.DeploymentPage
		want []workspace.DeploymentSummary
	}{
		{workspace.DeploymentPage{ProjectID: "tdb_00000001", Limit: 1}, []workspace.DeploymentSummary{later.Summary()}},
		{workspace.DeploymentPage{ProjectID: "tdb_00000001", Limit: 10, Before: later.ID}, []workspace.DeploymentSummary{summary}},
		{workspace.DeploymentPage{ProjectID: "tdb_00000001", Limit: 10, Before: d.ID}, nil},
		{workspace.DeploymentPage{ProjectID: "tdb_00000001", Limit: 1, Blueprints: []string{"other", "shop"}}, []workspace.DeploymentSummary{later.Summary()}},
		{workspace.DeploymentPage{ProjectID: "tdb_00000001", Limit: 10, Blueprints: []string{"other"}}, nil},
		{workspace.DeploymentPage{ProjectID: "tdb_00000001", Limit: 10, Blueprints: []string{}}, nil},
		{workspace.DeploymentPage{ProjectID: "tdb_00000002", Limit: 10}, nil},
	} {
		found, err := open().Deployments(t.Context(), some.of)
		equal(t, found, some.want, err)
	}

	c = open()
	_, err = c.Deployment(t.Context(), "dep_2")
	wantErr(t, err, workspace.ErrNotFound)
	wantErr(t, c.SetDeploymentState(t.Context(), "dep_2", d.State, nil), workspace.ErrNotFound)
	wantErr(t, c.SetDeploymentResult(t.Context(), "dep_2", d.Results[0]), workspace.ErrNotFound)
	d.ID, d.BlueprintID = "dep_3", 7
	wantErr(t, c.AddDeployment(t.Context(), d), workspace.ErrNotFound)
	must(t, c.RemoveWorkspace(t.Context(), blueprint))
	all, err = c.Deployments(t.Context(), page)
	equal(t, len(all), 0, err)
}
