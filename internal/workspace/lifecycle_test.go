package workspace_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestCreateAnswersAConnectionThatLogsIn(t *testing.T) {
	i := install(t)
	i.engines["mysql"] = newFakeServer(workspace.MySQL, i.faults)
	i.engines["mongo"] = newFakeServer(workspace.MongoDB, i.faults)
	i.engines["redis"] = newFakeServer(workspace.Redis, i.faults)
	s := i.start()
	p := i.admin(s)
	user, pass := i.boot.ProjectID, i.boot.ProxyPassword
	for n, c := range []struct{ database, str string }{
		{"POSTGRES", "postgresql://" + user + ":" + pass + "@db.example.com:5432/w0_workspace?sslmode=require"},
		{"MySQL", "mysql://" + user + ":" + pass + "@db.example.com:3306/w1_workspace"},
		{"mongo", "mongodb://" + user + ":" + pass + "@db.example.com:27017/w2_workspace?authMechanism=PLAIN&directConnection=true&tls=true"},
		{"Redis", "rediss://w3:" + pass + "@[::1]:6379/0"},
	} {
		d, err := s.Create(t.Context(), p, fmt.Sprintf("w%d", n), c.database, "control")
		must(t, err)
		equal(t, c.database+" string", d.Connection.String, c.str)
		equal(t, c.database+" state", d.State, workspace.Ready)
	}
	d, err := s.Get(t.Context(), p, "w0")
	must(t, err)
	equal(t, "masked password", d.Connection.Password, "••••••••")
	equal(t, "masked string", d.Connection.String, "postgresql://"+user+":••••••••@db.example.com:5432/w0_workspace?sslmode=require")
}

func TestCreateRefusesWhatIsWrongByField(t *testing.T) {
	i := install(t)
	s := i.start()
	p := i.admin(s)
	for _, c := range []struct{ name, database, mode, field, says string }{
		{"", "PostgreSQL", "tenant", "name", "required"},
		{"a__b", "PostgreSQL", "tenant", "name", "__"},
		{"1a", "PostgreSQL", "tenant", "name", "start with a letter"},
		{"A", "PostgreSQL", "tenant", "name", "a-z"},
		{"a b", "PostgreSQL", "tenant", "name", "a-z"},
		{"ä", "PostgreSQL", "tenant", "name", "a-z"},
		{"a2345678901234567890123456789012345678901", "PostgreSQL", "tenant", "name", "40"},
		{"a", "", "tenant", "database", "PostgreSQL, MySQL, MongoDB, Redis"},
		{"a", "Oracle", "tenant", "database", "Oracle"},
		{"a", "MySQL", "tenant", "database", "available: PostgreSQL"},
		{"a", "PostgreSQL", "", "mode", "tenant or control"},
		{"a", "PostgreSQL", "Tenant", "mode", "tenant or control"},
	} {
		_, err := s.Create(t.Context(), p, c.name, c.database, c.mode)
		e := refused(t, err, workspace.BadRequest, c.says)
		equal(t, c.name+c.database+c.mode, e.Details["field"], any(c.field))
	}
	equal(t, "databases", len(i.server.names()), 0)
	longest := "a234567890123456789012345678901234567_-_"
	_, err := s.Create(t.Context(), p, longest, "postgresql", "tenant")
	must(t, err)
}

func TestDatabaseNameAvoidsOthers(t *testing.T) {
	i := install(t)
	s := i.start()
	p := i.admin(s)
	must(t, i.server.Create(t.Context(), workspace.Target{Database: "shop_workspace"}, false)) // not ours
	d, err := s.Create(t.Context(), p, "shop", "PostgreSQL", "tenant")
	must(t, err)
	equal(t, "beside a foreign one", d.Connection.Database, "shop_workspace_2")

	created, err := s.CreateProject(t.Context(), p, "other")
	must(t, err)
	other, err := s.Authenticate(t.Context(), created.APIKey)
	must(t, err)
	d, err = s.Create(t.Context(), other, "shop", "PostgreSQL", "tenant")
	must(t, err)
	equal(t, "beside another project's", d.Connection.Database, "shop_workspace_3")
	equal(t, "role", d.Role, d.Database)
}

func TestOneOfManyCreatorsWins(t *testing.T) {
	i := install(t)
	i.engines["second"] = newFakeServer(workspace.PostgreSQL, i.faults) // so that creators do not queue at one server
	s := i.start()
	p := i.admin(s)
	const creators = 32
	errs := make(chan error, creators)
	var wg sync.WaitGroup
	for range creators {
		wg.Go(func() {
			_, err := s.Create(t.Context(), p, "shop", "PostgreSQL", "tenant")
			errs <- err
		})
	}
	wg.Wait()
	won := 0
	for range creators {
		if err := <-errs; err == nil {
			won++
		} else {
			refused(t, err, workspace.Conflict, "Workspace 'shop' already exists")
		}
	}
	equal(t, "winners", won, 1)
	all, err := s.List(t.Context(), p)
	must(t, err)
	equal(t, "listed", len(all), 1)
	databases := len(i.server.names()) + len(i.engines["second"].(*fakeServer).names())
	equal(t, "databases", databases, 1)
}

func TestFailedCreateLeavesNothing(t *testing.T) {
	for _, step := range []string{"exists", "add workspace", "create", "set state"} {
		t.Run(step, func(t *testing.T) {
			i := install(t)
			s := i.start()
			p := i.admin(s)
			i.faults.set(step, workspace.Errorf(workspace.Unavailable, "%s is down", step))
			_, err := s.Create(t.Context(), p, "shop", "PostgreSQL", "tenant")
			refused(t, err, workspace.Unavailable)
			equal(t, "databases", len(i.server.names()), 0)
			kept, err := i.catalog.Workspaces(t.Context())
			must(t, err)
			equal(t, "records", len(kept), 0)
			i.faults.set(step, nil)
			_, err = s.Create(t.Context(), p, "shop", "PostgreSQL", "tenant")
			must(t, err)
		})
	}
}

// The process dies at every step of create and delete in turn, before the step
// has its effect and after it. The next start must find all or nothing.
func TestCrashAtEachStep(t *testing.T) {
	for _, late := range []bool{false, true} {
		for _, what := range []string{"create", "delete"} {
			for n := 1; ; n++ {
				if !crashAt(t, what, n, late) {
					if n < 3 {
						t.Fatalf("%s has only %d steps", what, n-1)
					}
					break
				}
			}
		}
	}
}

// crashAt reports whether the work has an n-th step to die at.
func crashAt(t *testing.T, what string, n int, late bool) (died bool) {
	t.Helper()
	t.Run(fmt.Sprintf("%s/%d/late=%v", what, n, late), func(t *testing.T) {
		i := install(t)
		s := i.start()
		p := i.admin(s)
		work := func() error {
			_, err := s.Create(t.Context(), p, "shop", "PostgreSQL", "control")
			return err
		}
		if what == "delete" {
			must(t, work())
			work = func() error {
				_, err := s.Delete(t.Context(), p, "shop")
				return err
			}
		}
		i.faults.dieAt(n, late)
		err := work()
		died = i.faults.died()
		if died && err == nil {
			t.Error("the work was acknowledged by a dead process")
		}
		i.faults.dieAt(0, false)

		s = i.start()
		all, err := s.List(t.Context(), p)
		must(t, err)
		kept, err := i.catalog.Workspaces(t.Context())
		must(t, err)
		if len(all) != len(kept) || len(all) != len(i.server.names()) {
			t.Fatalf("after the restart: %d listed, %d recorded, databases %v", len(all), len(kept), i.server.names())
		}
		if len(all) == 0 {
			_, err = s.Create(t.Context(), p, "shop", "PostgreSQL", "control")
			must(t, err)
		}
		login, err := s.Login(t.Context(), workspace.PostgreSQL, i.boot.ProjectID, "shop_workspace")
		must(t, err)
		equal(t, "login", login.Known, true)
	})
	return died
}

func TestDeleteEndsSessionsBeforeTheDatabase(t *testing.T) {
	i, s, p, id := newWorkspace(t)
	login, err := s.Login(t.Context(), workspace.PostgreSQL, i.boot.ProjectID, "shop_workspace")
	must(t, err)
	var closed []int64
	s.SetSessions(fakeSessions{onClose: func(id int64) {
		closed = append(closed, id)
		equal(t, "databases while sessions end", i.server.names(), []string{"shop_workspace"})
		equal(t, "deleted mark", login.Route.Live.Deleted(), true)
		late, err := s.Login(t.Context(), workspace.PostgreSQL, i.boot.ProjectID, "shop_workspace")
		must(t, err)
		equal(t, "late login", late.Known, false)
	}})
	d, err := s.Delete(t.Context(), p, "shop")
	must(t, err)
	equal(t, "answer", d, workspace.Deleted{Name: "shop", Mode: workspace.Tenant})
	equal(t, "closed", closed, []int64{id})
	equal(t, "databases", len(i.server.names()), 0)
	_, err = s.Delete(t.Context(), p, "shop")
	refused(t, err, workspace.NotFound, "shop")
}

func TestDeleteThatCouldNotDropIsRepeatable(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	i.faults.set("drop", workspace.Errorf(workspace.Unavailable, "server is down"))
	_, err := s.Delete(t.Context(), p, "shop")
	refused(t, err, workspace.Unavailable)
	_, err = s.Get(t.Context(), p, "shop")
	refused(t, err, workspace.NotFound)
	_, err = s.Create(t.Context(), p, "shop", "PostgreSQL", "tenant")
	refused(t, err, workspace.Conflict, "being deleted")
	i.faults.set("drop", nil)
	_, err = s.Delete(t.Context(), p, "shop")
	must(t, err)
	equal(t, "databases", len(i.server.names()), 0)
}

func TestServerThatIsDownAtStartIsTakenUpLater(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	i.faults.set("drop", workspace.Errorf(workspace.Unavailable, "server is down"))
	_, err := s.Delete(t.Context(), p, "shop")
	refused(t, err, workspace.Unavailable)

	i.faults.set("prepare", workspace.Errorf(workspace.Unavailable, "server is down"))
	c := i.config()
	c.RecordEvery = 1
	s, err = workspace.NewService(t.Context(), c)
	must(t, err)
	defer s.Close()
	dropped := make(chan struct{})
	var once sync.Once
	i.faults.on("drop", func() { once.Do(func() { close(dropped) }) })
	i.faults.set("drop", nil)
	i.faults.set("prepare", nil)
	select {
	case <-dropped:
	case <-time.After(time.Minute):
		t.Fatal("the drop was not taken up")
	}
}

func TestPrepareThatFailsForGoodStopsTheStart(t *testing.T) {
	i := install(t)
	i.faults.set("prepare", errors.New("server is too old"))
	if _, err := workspace.NewService(t.Context(), i.config()); err == nil {
		t.Fatal("got nil, want the engine's error")
	}
}

// A server that can't be reached is asked once for all that is left on it.
func TestUnfinishedWorkIsTriedOnceOnAServerThatIsGone(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	for _, name := range []string{"second", "third"} {
		_, err := s.Create(t.Context(), p, name, "PostgreSQL", "tenant")
		must(t, err)
	}
	i.faults.set("drop", workspace.Errorf(workspace.Unavailable, "the server is gone"))
	for _, name := range []string{"shop", "second", "third"} {
		_, err := s.Delete(t.Context(), p, name)
		refused(t, err, workspace.Unavailable)
	}
	s.Close()
	tries := 0
	i.faults.on("drop", func() { tries++ })
	i.start().Close()
	equal(t, "tries", tries, 1)
	i.faults.set("drop", nil)
	i.start()
	equal(t, "databases", len(i.server.names()), 0)
}
