package catalog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// start is the moment at which the suite's rows are made.
var start = time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)

// suite holds every Catalog to the interface's promises. store opens the same
// empty store at its first call and again, after the one before was closed, at
// each later one.
func suite(t *testing.T, store func(t *testing.T) (open func() workspace.Catalog)) {
	for name, test := range map[string]func(*testing.T, func() workspace.Catalog){
		"ProjectsSurvive":                    testProjectsSurvive,
		"NamesAreTakenOnce":                  testNamesAreTakenOnce,
		"ProjectWithWorkspacesStays":         testProjectWithWorkspacesStays,
		"SecretIsKeptOnce":                   testSecretIsKeptOnce,
		"RevocationKeepsItsTime":             testRevocationKeepsItsTime,
		"WorkspacesSurvive":                  testWorkspacesSurvive,
		"MissingRowsAreNotFound":             testMissingRowsAreNotFound,
		"UnitIsOneVersion":                   testUnitIsOneVersion,
		"JournalReadAgainAddsNothing":        testJournalReadAgainAddsNothing,
		"SkippedEntryDoesNotComeBack":        testSkippedEntryDoesNotComeBack,
		"RevertTakesEntryOut":                testRevertTakesEntryOut,
		"EntryIDsAreNeverUsedAgain":          testEntryIDsAreNeverUsedAgain,
		"QueuesAreApart":                     testQueuesAreApart,
		"ConcurrentAppendsLoseNothing":       testConcurrentAppendsLoseNothing,
		"FailedAppendLeavesNothing":          testFailedAppendLeavesNothing,
		"RemovedWorkspaceTakesItsQueue":      testRemovedWorkspaceTakesItsQueue,
		"EntryHoldsAllThatTheChangeSaid":     testEntryHoldsAllThatTheChangeSaid,
		"TenantsSurvive":                     testTenantsSurvive,
		"TenantNamesAreTakenOnce":            testTenantNamesAreTakenOnce,
		"LastDatabaseTakesItsTenant":         testLastDatabaseTakesItsTenant,
		"BlueprintOfTenantsStays":            testBlueprintOfTenantsStays,
		"VersionIsDeployedWhileATenantHasIt": testVersionIsDeployedWhileATenantHasIt,
		"UnfinishedTenantHadNothing":         testUnfinishedTenantHadNothing,
		"VersionsLeaveOutWhatWasSkipped":     testVersionsLeaveOutWhatWasSkipped,
		"DeploymentsSurvive":                 testDeploymentsSurvive,
		"LoginsOfKeysSurvive":                testLoginsOfKeysSurvive,
		"ReadersGoWithTheirDatabases":        testReadersGoWithTheirDatabases,
		"DataImportsSurvive":                 testDataImportsSurvive,
	} {
		t.Run(name, func(t *testing.T) { test(t, store(t)) })
	}
}

func testProjectsSurvive(t *testing.T, open func() workspace.Catalog) {
	p, c, k := project("tdb_00000001", "default")
	must(t, open().AddProject(t.Context(), p, c, k))

	again := open()
	projects, err := again.Projects(t.Context())
	equal(t, projects, []workspace.Project{p}, err)
	credentials, err := again.Credentials(t.Context())
	equal(t, credentials, []workspace.Credential{c}, err)
	keys, err := again.Keys(t.Context())
	equal(t, keys, []workspace.APIKey{k}, err)

	must(t, again.RemoveProject(t.Context(), p.ID))
	keys, err = again.Keys(t.Context())
	equal(t, len(keys), 0, err)
	credentials, err = again.Credentials(t.Context())
	equal(t, len(credentials), 0, err)
}

func testNamesAreTakenOnce(t *testing.T, open func() workspace.Catalog) {
	c := open()
	first := addProject(t, c, "tdb_00000001", "default")
	second := addProject(t, c, "tdb_00000002", "other")
	p, cr, k := project("tdb_00000003", "other")
	wantErr(t, c.AddProject(t.Context(), p, cr, k), workspace.ErrExists)
	keys, err := c.Keys(t.Context())
	equal(t, len(keys), 2, err) // the refused project left no key

	addWorkspace(t, c, first, "shop", "shop_workspace")
	_, err = c.AddWorkspace(t.Context(), ws(first, "shop", "elsewhere"))
	wantErr(t, err, workspace.ErrExists)
	_, err = c.AddWorkspace(t.Context(), ws(second, "shop", "shop_workspace"))
	wantErr(t, err, workspace.ErrExists)
	addWorkspace(t, c, second, "shop", "shop_workspace_2")
}

func testProjectWithWorkspacesStays(t *testing.T, open func() workspace.Catalog) {
	c := open()
	p := addProject(t, c, "tdb_00000001", "default")
	id := addWorkspace(t, c, p, "shop", "shop_workspace")
	wantErr(t, c.RemoveProject(t.Context(), p), workspace.ErrInUse)
	must(t, c.RemoveWorkspace(t.Context(), id))
	must(t, c.RemoveProject(t.Context(), p))
}

func testSecretIsKeptOnce(t *testing.T, open func() workspace.Catalog) {
	got, err := open().Secret(t.Context(), "decoy", []byte("one"))
	equal(t, string(got), "one", err)
	got, err = open().Secret(t.Context(), "decoy", []byte("two"))
	equal(t, string(got), "one", err)
}

func testRevocationKeepsItsTime(t *testing.T, open func() workspace.Catalog) {
	c := open()
	addProject(t, c, "tdb_00000001", "default")
	id := "key_tdb_00000001"
	must(t, c.RevokeKey(t.Context(), id, start.Add(time.Hour)))
	must(t, c.RevokeKey(t.Context(), id, start.Add(2*time.Hour)))
	keys, err := open().Keys(t.Context())
	must(t, err)
	if keys[0].RevokedAt == nil || !keys[0].RevokedAt.Equal(start.Add(time.Hour)) {
		t.Errorf("revoked at %v, want %v", keys[0].RevokedAt, start.Add(time.Hour))
	}
}

func testWorkspacesSurvive(t *testing.T, open func() workspace.Catalog) {
	c := open()
	p := addProject(t, c, "tdb_00000001", "default")
	w := ws(p, "shop", "shop_workspace")
	w.Settings.Patterns = map[string]workspace.Pattern{"cache:*": {TTL: 300}}
	w.ID = addRecord(t, c, w)
	must(t, c.SetState(t.Context(), w.ID, workspace.Ready))
	w.State = workspace.Ready
	all, err := open().Workspaces(t.Context())
	equal(t, all, []workspace.Workspace{w}, err)

	w.Settings = workspace.Settings{QueryTimeoutMS: 1, MaxRowsPerQuery: 2, MaxConnections: 3, DefaultTTL: 4, MaxKeys: 5}
	must(t, open().SetSettings(t.Context(), w.ID, w.Settings))
	all, err = open().Workspaces(t.Context())
	equal(t, all, []workspace.Workspace{w}, err)
}

func testMissingRowsAreNotFound(t *testing.T, open func() workspace.Catalog) {
	c := open()
	_, entryErr := c.Entry(t.Context(), 1, 1)
	_, appendErr := c.Append(t.Context(), 1, changes("a", 1), start)
	for doing, err := range map[string]error{
		"SetState":        c.SetState(t.Context(), 1, workspace.Ready),
		"SetSettings":     c.SetSettings(t.Context(), 1, workspace.Settings{}),
		"RemoveWorkspace": c.RemoveWorkspace(t.Context(), 1),
		"RemoveProject":   c.RemoveProject(t.Context(), "tdb_00000001"),
		"RevokeKey":       c.RevokeKey(t.Context(), "key_1", start),
		"Skip":            c.Skip(t.Context(), 1, 1),
		"Entry":           entryErr,
		"Append":          appendErr,
	} {
		if !errors.Is(err, workspace.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", doing, err)
		}
	}
}

func testUnitIsOneVersion(t *testing.T, open func() workspace.Catalog) {
	c := open()
	id := readyWorkspace(t, c)
	version, err := c.Append(t.Context(), id, append(changes("tx1", 1, 2), changes("tx2", 3)...), start)
	equal(t, version, int64(2), err)
	version, err = c.Append(t.Context(), id, changes("", 4, 5), start)
	equal(t, version, int64(4), err) // without a unit, each is its own

	c = open()
	pending, err := c.Pending(t.Context(), id)
	must(t, err)
	var versions []int64
	for _, e := range pending {
		versions = append(versions, e.Version)
	}
	equal(t, versions, []int64{1, 1, 2, 3, 4}, nil)
	all, err := c.Workspaces(t.Context())
	equal(t, all[0].Version, int64(4), err)
	count, err := c.PendingCount(t.Context(), id)
	equal(t, count, int64(5), err)
}

func testJournalReadAgainAddsNothing(t *testing.T, open func() workspace.Catalog) {
	c := open()
	id := readyWorkspace(t, c)
	_, err := c.Append(t.Context(), id, changes("tx1", 1, 2), start)
	must(t, err)
	version, err := open().Append(t.Context(), id, append(changes("tx1", 1, 2), changes("tx2", 3)...), start)
	equal(t, version, int64(2), err)
	equal(t, journalIDs(t, open(), id), []int64{1, 2, 3}, nil)
}

func testSkippedEntryDoesNotComeBack(t *testing.T, open func() workspace.Catalog) {
	c := open()
	id := readyWorkspace(t, c)
	_, err := c.Append(t.Context(), id, changes("tx1", 1, 2), start)
	must(t, err)
	pending, err := c.Pending(t.Context(), id)
	must(t, err)
	must(t, c.Skip(t.Context(), id, pending[0].ID))
	wantErr(t, c.Skip(t.Context(), id, pending[0].ID), workspace.ErrNotFound)
	_, err = c.Entry(t.Context(), id, pending[0].ID)
	wantErr(t, err, workspace.ErrNotFound)

	version, err := open().Append(t.Context(), id, changes("tx1", 1, 2), start)
	equal(t, version, int64(1), err)
	equal(t, journalIDs(t, open(), id), []int64{2}, nil)
}

func testRevertTakesEntryOut(t *testing.T, open func() workspace.Catalog) {
	c := open()
	id := readyWorkspace(t, c)
	_, err := c.Append(t.Context(), id, changes("tx1", 1, 2), start)
	must(t, err)
	pending, err := c.Pending(t.Context(), id)
	must(t, err)
	undo := workspace.Change{JournalID: 3, Unit: "tx2", Reverts: pending[1].ID, At: start}
	for range 2 { // a journal may be read again
		version, err := c.Append(t.Context(), id, append(changes("tx1", 1, 2), undo), start)
		equal(t, version, int64(1), err)
		equal(t, journalIDs(t, c, id), []int64{1}, nil)
		c = open()
	}
}

func testEntryIDsAreNeverUsedAgain(t *testing.T, open func() workspace.Catalog) {
	c := open()
	id := readyWorkspace(t, c)
	_, err := c.Append(t.Context(), id, changes("tx1", 1), start)
	must(t, err)
	before, err := c.Pending(t.Context(), id)
	must(t, err)
	must(t, c.RemoveWorkspace(t.Context(), id))

	c = open()
	again := addWorkspace(t, c, "tdb_00000001", "shop", "shop_workspace")
	if again <= id {
		t.Errorf("workspace id %d after %d was removed, want a new one", again, id)
	}
	_, err = c.Append(t.Context(), again, changes("tx1", 1), start)
	must(t, err)
	after, err := c.Pending(t.Context(), again)
	must(t, err)
	if after[0].ID <= before[0].ID {
		t.Errorf("entry id %d after %d was removed, want a new one", after[0].ID, before[0].ID)
	}
}

func testQueuesAreApart(t *testing.T, open func() workspace.Catalog) {
	c := open()
	one := readyWorkspace(t, c)
	two := addWorkspace(t, c, "tdb_00000001", "blog", "blog_workspace")
	_, err := c.Append(t.Context(), one, changes("tx1", 1), start)
	must(t, err)
	version, err := c.Append(t.Context(), two, changes("tx1", 1), start)
	equal(t, version, int64(1), err)
	pending, err := c.Pending(t.Context(), one)
	must(t, err)
	_, err = c.Entry(t.Context(), two, pending[0].ID)
	wantErr(t, err, workspace.ErrNotFound)
	wantErr(t, c.Skip(t.Context(), two, pending[0].ID), workspace.ErrNotFound)
}

func testConcurrentAppendsLoseNothing(t *testing.T, open func() workspace.Catalog) {
	c := open()
	id := readyWorkspace(t, c)
	const writers = 8
	var wg sync.WaitGroup
	errs := make(chan error, writers)
	for n := range int64(writers) {
		wg.Go(func() {
			// Each overlaps with its neighbour, as two reads of a journal may.
			_, err := c.Append(t.Context(), id, changes("", n, n+1), start)
			errs <- err
		})
	}
	wg.Wait()
	for range writers {
		must(t, <-errs)
	}
	seen := map[int64]int{}
	for _, j := range journalIDs(t, c, id) {
		seen[j]++
	}
	for j := range int64(writers + 1) {
		if seen[j] != 1 {
			t.Errorf("journal id %d is in the queue %d times, want once", j, seen[j])
		}
	}
	all, err := c.Workspaces(t.Context())
	equal(t, all[0].Version, int64(writers+1), err)
}

func testFailedAppendLeavesNothing(t *testing.T, open func() workspace.Catalog) {
	c := open()
	id := readyWorkspace(t, c)
	pending, err := c.Append(t.Context(), id, nil, start)
	equal(t, pending, int64(0), err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Append(ctx, id, changes("tx1", 1, 2), start); err == nil {
		t.Fatal("append with an ended context: got nil, want an error")
	}
	equal(t, len(journalIDs(t, open(), id)), 0, nil)
}

func testRemovedWorkspaceTakesItsQueue(t *testing.T, open func() workspace.Catalog) {
	c := open()
	id := readyWorkspace(t, c)
	_, err := c.Append(t.Context(), id, changes("tx1", 1), start)
	must(t, err)
	must(t, c.RemoveWorkspace(t.Context(), id))
	count, err := open().PendingCount(t.Context(), id)
	equal(t, count, int64(0), err)
}

func testEntryHoldsAllThatTheChangeSaid(t *testing.T, open func() workspace.Catalog) {
	c := open()
	id := readyWorkspace(t, c)
	ch := workspace.Change{
		JournalID: 7, Unit: "tx7", Statement: "CREATE TABLE größe (\x01 int)", Operation: "CREATE TABLE",
		ObjectType: "table", Object: "größe", Identity: "public.größe", Reversible: true,
		Reverse: `DROP TABLE "größe";`, WhyNot: "x", References: []string{"public.a", "public.b"},
		Session: map[string]string{"search_path": "a, b"}, Source: "proxy", Warnings: []string{"w"}, At: start,
	}
	_, err := c.Append(t.Context(), id, []workspace.Change{ch}, start)
	must(t, err)
	pending, err := open().Pending(t.Context(), id)
	must(t, err)
	want := workspace.Entry{ID: pending[0].ID, Version: 1, Status: "pending", Change: ch}
	equal(t, pending, []workspace.Entry{want}, nil)
	e, err := open().Entry(t.Context(), id, want.ID)
	equal(t, e, want, err)
}

func project(id, name string) (workspace.Project, workspace.Credential, workspace.APIKey) {
	p := workspace.Project{ID: id, Name: name, CreatedAt: start}
	c := workspace.Credential{
		ID: "cred_" + id, ProjectID: id, Sealed: []byte{1, 2}, CreatedAt: start,
		SCRAM: workspace.SCRAM{Iterations: 4096, Salt: []byte{3}, StoredKey: []byte{4}, ServerKey: []byte{5}},
	}
	k := workspace.APIKey{
		ID: "key_" + id, ProjectID: id, Name: "first", Prefix: "tenantsdb_sk_0", Role: "admin", CreatedAt: start,
		Hash: bytes.Repeat([]byte(id[len(id)-1:]), 32), Scope: workspace.Scope{Type: "workspace", Values: []string{"shop"}},
	}
	return p, c, k
}

func addProject(t *testing.T, c workspace.Catalog, id, name string) string {
	t.Helper()
	p, cr, k := project(id, name)
	must(t, c.AddProject(t.Context(), p, cr, k))
	return id
}

func ws(project, name, database string) workspace.Workspace {
	return workspace.Workspace{
		ProjectID: project, Name: name, Type: workspace.PostgreSQL, Mode: workspace.Tenant, State: workspace.Creating,
		Server: "main", Database: database, Role: database, RoleSecret: []byte{9}, Settings: workspace.DefaultSettings(), CreatedAt: start,
	}
}

func addRecord(t *testing.T, c workspace.Catalog, w workspace.Workspace) int64 {
	t.Helper()
	id, err := c.AddWorkspace(t.Context(), w)
	must(t, err)
	return id
}

func addWorkspace(t *testing.T, c workspace.Catalog, project, name, database string) int64 {
	t.Helper()
	return addRecord(t, c, ws(project, name, database))
}

func readyWorkspace(t *testing.T, c workspace.Catalog) int64 {
	t.Helper()
	return addWorkspace(t, c, addProject(t, c, "tdb_00000001", "default"), "shop", "shop_workspace")
}

func changes(unit string, journalIDs ...int64) []workspace.Change {
	var all []workspace.Change
	for _, id := range journalIDs {
		all = append(all, workspace.Change{JournalID: id, Unit: unit, Statement: fmt.Sprintf("CREATE TABLE t%d ()", id), At: start})
	}
	return all
}

func journalIDs(t *testing.T, c workspace.Catalog, id int64) []int64 {
	t.Helper()
	pending, err := c.Pending(t.Context(), id)
	must(t, err)
	var ids []int64
	for _, e := range pending {
		ids = append(ids, e.JournalID)
	}
	return ids
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got error %v, want %v", got, want)
	}
}

func equal[T any](t *testing.T, got, want T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}
