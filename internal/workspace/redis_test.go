package workspace_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// fakeRedis is a physical server with count numbered databases that forgets its
// roles when it is started again.
type fakeRedis struct {
	*fakeServer
	count int

	mu       sync.Mutex
	foreign  []string // what somebody else has on it
	runs     int      // starts so far
	seen     int      // start that all roles were made on
	restored []string // roles, at the last restore
}

func (f *fakeRedis) Databases(context.Context) (int, error) { return f.count, nil }

func (f *fakeRedis) Exists(ctx context.Context, name string) (bool, error) {
	f.mu.Lock()
	foreign := slices.Contains(f.foreign, name)
	f.mu.Unlock()
	if foreign {
		return true, nil
	}
	return f.fakeServer.Exists(ctx, name)
}

func (f *fakeRedis) Keys(_ context.Context, t workspace.Target) (workspace.Keys, error) {
	n, err := strconv.ParseInt(t.Database, 10, 64)
	return workspace.Keys{Total: n}, err
}

func (f *fakeRedis) Restore(_ context.Context, current func() []workspace.Target) error {
	return f.faults.around("restore", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.seen == f.runs {
			return nil
		}
		f.restored = nil
		for _, t := range current() {
			f.restored = append(f.restored, t.Role)
		}
		f.seen = f.runs
		return nil
	})
}

func (f *fakeRedis) restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs++
	f.restored = nil
}

func (f *fakeRedis) roles() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.restored
}

// installRedis is an installation with a Redis server beside the PostgreSQL one.
func installRedis(t *testing.T, count int) (*installation, *fakeRedis) {
	t.Helper()
	i := install(t)
	f := &fakeRedis{fakeServer: newFakeServer(workspace.Redis, i.faults), count: count, runs: 1}
	i.engines["cache"] = f
	return i, f
}

func TestRedisWorkspacesGetNumbersUntilNoneIsLeft(t *testing.T) {
	i, f := installRedis(t, 4)
	f.foreign = []string{"2", "taken_workspace"}
	s := i.start()
	p := i.admin(s)
	d, err := s.Create(t.Context(), p, "taken", "redis", "control")
	must(t, err)
	equal(t, "database", d.Database, "1")
	equal(t, "role", d.Role, "taken_workspace_2")
	equal(t, "user of a client", d.Connection.User, "taken")
	equal(t, "database of a client", d.Connection.Database, "0")
	equal(t, "string of a client", d.Connection.String, "rediss://taken:"+i.boot.ProxyPassword+"@[::1]:6379/0")

	d, err = s.Create(t.Context(), p, "second", "Redis", "tenant")
	must(t, err)
	equal(t, "database", d.Database, "3")
	equal(t, "role", d.Role, "second_workspace")

	_, err = s.Create(t.Context(), p, "third", "Redis", "tenant")
	e := refused(t, err, workspace.Conflict, "no logical database is left", "cache", "4")
	equal(t, "reason", e.Details["reason"], any("databases_exhausted"))
	_, err = s.Get(t.Context(), p, "third")
	refused(t, err, workspace.NotFound)

	_, err = s.Delete(t.Context(), p, "taken")
	must(t, err)
	d, err = s.Create(t.Context(), p, "third", "Redis", "tenant")
	must(t, err)
	equal(t, "database", d.Database, "1")
}

func TestConcurrentRedisWorkspacesGetNumbersOfTheirOwn(t *testing.T) {
	i, _ := installRedis(t, 9)
	s := i.start()
	p := i.admin(s)
	var wg sync.WaitGroup
	numbers := make([]string, 8)
	for n := range numbers {
		wg.Go(func() {
			d, err := s.Create(t.Context(), p, "w"+strconv.Itoa(n), "Redis", "control")
			if err != nil {
				t.Error(err)
			}
			numbers[n] = d.Database
		})
	}
	wg.Wait()
	slices.Sort(numbers)
	equal(t, "numbers", numbers, []string{"1", "2", "3", "4", "5", "6", "7", "8"})
}

func TestRedisInTenantModeHasAnEmptyQueue(t *testing.T) {
	i, _ := installRedis(t, 4)
	s := i.start()
	p := i.admin(s)
	_, err := s.Create(t.Context(), p, "plans", "Redis", "tenant")
	must(t, err)
	_, err = s.Create(t.Context(), p, "control", "Redis", "control")
	must(t, err)

	q, err := s.Pending(t.Context(), p, "plans")
	must(t, err)
	equal(t, "queue", len(q.Pending), 0)
	equal(t, "version", q.Version, int64(0))
	refused(t, s.Skip(t.Context(), p, "plans", 1), workspace.NotFound)
	_, err = s.Revert(t.Context(), p, "plans", 1)
	refused(t, err, workspace.NotFound)
	_, err = s.Pending(t.Context(), p, "control")
	refused(t, err, workspace.BadRequest, "control mode")
}

func TestKeysAreForRedisOnly(t *testing.T) {
	i, _ := installRedis(t, 4)
	s := i.start()
	p := i.admin(s)
	_, err := s.Create(t.Context(), p, "cache", "Redis", "control")
	must(t, err)
	_, err = s.Create(t.Context(), p, "shop", "PostgreSQL", "control")
	must(t, err)
	keys, err := s.Keys(t.Context(), p, "cache")
	must(t, err)
	equal(t, "keys", keys.Total, int64(1))
	_, err = s.Keys(t.Context(), p, "shop")
	refused(t, err, workspace.BadRequest, "PostgreSQL")
	_, err = s.Keys(t.Context(), p, "none")
	refused(t, err, workspace.NotFound)
}

func TestThePasswordDecidesTheProjectOfARedisLogin(t *testing.T) {
	i, _ := installRedis(t, 9)
	s := i.start()
	p := i.admin(s)
	other, err := s.CreateProject(t.Context(), p, "other")
	must(t, err)
	q, err := s.Authenticate(t.Context(), other.APIKey)
	must(t, err)
	mine, theirs := i.boot.ProxyPassword, other.ProxyPassword

	ids := map[string]int64{}
	for _, w := range []struct {
		by             workspace.Principal
		name, database string
	}{
		{p, "cache", "Redis"}, {p, "shop", "PostgreSQL"},
		{q, "cache", "Redis"}, {q, "jobs", "Redis"},
	} {
		d, err := s.Create(t.Context(), w.by, w.name, w.database, "control")
		must(t, err)
		ids[w.by.ProjectID+"/"+w.name] = d.ID
	}
	for _, c := range []struct {
		user, password string
		leads          string // empty: nowhere
	}{
		{"cache", mine, p.ProjectID + "/cache"},
		{"cache", theirs, q.ProjectID + "/cache"},
		{"jobs", theirs, q.ProjectID + "/jobs"},
		{"jobs", mine, ""},
		{"workspace", mine, p.ProjectID + "/cache"}, // the only one of Redis
		{"", mine, p.ProjectID + "/cache"},
		{"workspace", theirs, ""}, // two of them
		{"", theirs, ""},
		{"shop", mine, ""}, // not of Redis
		{"cache", "tdb_0000000000000000", ""},
		{"cache", "", ""},
		{"", "", ""},
		{"default", mine, ""},
		{p.ProjectID, mine, ""},
		{"cache_workspace", mine, ""},
	} {
		l, err := s.LoginByPassword(t.Context(), workspace.Redis, c.user, c.password)
		must(t, err)
		equal(t, c.user+" "+c.password, l.Known, c.leads != "")
		if l.Known {
			equal(t, c.user+" "+c.password, l.Route.Live.ID, ids[c.leads])
			equal(t, "password", l.Password, c.password)
			continue
		}
		if l.Route.Live != nil || l.Route.Password != "" || l.Password == c.password || l.Password == mine {
			t.Errorf("%s: a refused login holds secrets", c.user)
		}
	}

	_, err = s.Create(t.Context(), q, "workspace", "Redis", "control")
	must(t, err)
	l, err := s.LoginByPassword(t.Context(), workspace.Redis, "workspace", theirs)
	must(t, err)
	equal(t, "a workspace of that name", l.Route.Live.Name, "workspace")

	must(t, s.DeleteProject(t.Context(), p, q.ProjectID))
	l, err = s.LoginByPassword(t.Context(), workspace.Redis, "cache", theirs)
	must(t, err)
	equal(t, "a deleted project", l.Known, false)
}

func TestRedisLoginReadsMemoryOnly(t *testing.T) {
	i, _ := installRedis(t, 4)
	s := i.start()
	_, err := s.Create(t.Context(), i.admin(s), "cache", "Redis", "control")
	must(t, err)
	must(t, i.catalog.Close())
	l, err := s.LoginByPassword(t.Context(), workspace.Redis, "cache", i.boot.ProxyPassword)
	must(t, err)
	equal(t, "known", l.Known, true)
}

func TestAQueryKnowsTheLoginOfTheClients(t *testing.T) {
	i, f := installRedis(t, 4)
	s := i.start()
	_, err := s.Create(t.Context(), i.admin(s), "cache", "Redis", "control")
	must(t, err)
	want := workspace.ClientLogin{User: "cache", Password: i.boot.ProxyPassword}
	equal(t, "login", f.databases["1"].target.Client, want)
}

func TestRolesComeBackAtTheStartAndAfterTheServersRestart(t *testing.T) {
	i, f := installRedis(t, 9)
	s := i.start()
	p := i.admin(s)
	for _, name := range []string{"one", "two", "gone"} {
		_, err := s.Create(t.Context(), p, name, "Redis", "control")
		must(t, err)
	}
	_, err := s.Delete(t.Context(), p, "gone")
	must(t, err)
	s.Close()

	f.restart()
	c := i.config()
	c.RestoreEvery = time.Millisecond
	s, err = workspace.NewService(t.Context(), c)
	must(t, err)
	defer s.Close()
	want := []string{"one_workspace", "two_workspace"}
	equal(t, "roles at the start", f.roles(), want)

	f.restart()
	eventually(t, func() bool { return slices.Equal(f.roles(), want) })

	// A server that can't be reached is asked again.
	i.faults.set("restore", workspace.Errorf(workspace.Unavailable, "gone"))
	f.restart()
	i.faults.set("restore", nil)
	eventually(t, func() bool { return slices.Equal(f.roles(), want) })
}

// eventually waits for what the Service does in the background.
func eventually(t *testing.T, what func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for !what() {
		select {
		case <-deadline:
			t.Fatal("it did not come about in 30 s")
		case <-poll.C:
		}
	}
}
