package workspace_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// hangs makes deployments to some databases hang until they are let go on.
type hangs struct {
	*fakeServer
	on      map[string]bool
	hanging chan string // names of databases
	goOn    chan struct{}
}

func (f *hangs) Deploy(ctx context.Context, t workspace.Target, v workspace.Version) error {
	if f.on[t.Database] {
		f.hanging <- t.Database
		select {
		case <-f.goOn:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return f.fakeServer.Deploy(ctx, t, v)
}

// newHanging is an installation whose server hangs on some databases.
func newHanging(t *testing.T, databases ...string) (*installation, *workspace.Service, workspace.Principal, *hangs) {
	t.Helper()
	i := install(t)
	server := &hangs{fakeServer: i.server, on: map[string]bool{}, hanging: make(chan string, 100), goOn: make(chan struct{})}
	i.engines["main"] = server
	i.engines["second"] = newFakeServer(workspace.MySQL, i.faults)
	s := i.start()
	p := i.admin(s)
	for name, of := range map[string]string{"shop": "PostgreSQL", "billing": "MySQL"} {
		_, err := s.Create(t.Context(), p, name, of, "tenant")
		must(t, err)
	}
	for n := range 6 {
		_, err := s.CreateTenant(t.Context(), p, tenant(fmt.Sprint("t", n), "shop", "billing"))
		must(t, err)
	}
	for _, name := range databases {
		server.on[name] = true
	}
	i.server.commit("shop_workspace", change("CREATE TABLE a"))
	return i, s, p, server
}

// A database that hangs holds up no other, however often a client asks again to
// have it deployed to.
func TestDatabaseThatHangsHoldsUpNoOther(t *testing.T) {
	_, s, p, server := newHanging(t, "shop__t0")
	request := workspace.DeploymentRequest{Blueprint: "shop", Tenants: []string{"t0"}}
	var asked []workspace.Deployment
	for range 6 {
		d, err := s.Deploy(t.Context(), p, request)
		must(t, err)
		asked = append(asked, d)
	}
	<-server.hanging
	request.Tenants = []string{"t1", "t2"}
	equal(t, "the others", deploy(t, s, p, request).State, workspace.DeploymentCompleted)
	close(server.goOn)
	for _, d := range asked {
		equal(t, "in the end", deployed(t, s, p, d, nil).State, workspace.DeploymentCompleted)
	}
}

// A server that hangs holds up no other.
func TestServerThatHangsHoldsUpNoOther(t *testing.T) {
	_, s, p, server := newHanging(t, "shop__t0", "shop__t1", "shop__t2", "shop__t3", "shop__t4", "shop__t5")
	d, err := s.Deploy(t.Context(), p, everyTenant)
	must(t, err)
	for range 4 {
		<-server.hanging
	}
	other := workspace.DeploymentRequest{Blueprint: "billing", All: true}
	equal(t, "the other server", deploy(t, s, p, other).State, workspace.DeploymentCompleted)
	select {
	case name := <-server.hanging:
		t.Errorf("%s is the fifth at once", name)
	default:
	}
	close(server.goOn)
	equal(t, "in the end", deployed(t, s, p, d, nil).State, workspace.DeploymentCompleted)
}

// rivalled is a server that is still at the last request of a process that died.
type rivalled struct {
	*fakeServer
	mu   sync.Mutex
	left int
}

func (f *rivalled) Deploy(ctx context.Context, t workspace.Target, v workspace.Version) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left > 0 {
		f.left--
		return workspace.Partly(workspace.Errorf(workspace.Conflict, "another node is at it").Because(workspace.ErrRival))
	}
	return f.fakeServer.Deploy(ctx, t, v)
}

func TestRequestOfADeadProcessIsWaitedFor(t *testing.T) {
	i := install(t)
	server := &rivalled{fakeServer: i.server}
	i.engines["main"] = server
	s := i.start()
	p := i.admin(s)
	_, err := s.Create(t.Context(), p, "shop", "PostgreSQL", "tenant")
	must(t, err)
	i.server.commit("shop_workspace", change("CREATE TABLE a"))
	server.left = 2
	_, err = s.CreateTenant(t.Context(), p, tenant("acme", "shop"))
	must(t, err)
	i.server.commit("shop_workspace", change("CREATE TABLE b"))
	server.left = 3
	equal(t, "state", deploy(t, s, p, everyTenant).State, workspace.DeploymentCompleted)
	equal(t, "schema", i.server.databases["shop__acme"].schema, []string{"CREATE TABLE a", "CREATE TABLE b"})
}

// A deployment of which the catalog could not keep how it ended for a tenant has
// not ended: the next start goes on with it.
func TestDeploymentWhoseResultIsNotKeptGoesOn(t *testing.T) {
	i, s, p, _ := newTenant(t)
	i.server.commit("shop_workspace", change("CREATE TABLE a"))
	s.Close()
	c := i.config()
	said := &lines{}
	c.Log = slog.New(slog.NewTextHandler(said, nil))
	s, err := workspace.NewService(t.Context(), c)
	must(t, err)
	t.Cleanup(s.Close)
	full := errors.New("disk is full")
	i.faults.on("deploy", func() { i.faults.set("set deployment result", full) })
	d, err := s.Deploy(t.Context(), p, everyTenant)
	must(t, err)
	untilStack(t, "it ended, and said so", func(stacks []string) bool {
		for _, one := range stacks {
			if strings.Contains(one, "workspace.(*Service).deploy(") {
				return false
			}
		}
		return strings.Contains(said.String(), "can't go on before the next start")
	})
	s.Close()
	i.faults.set("set deployment result", nil)
	i.faults.on("deploy", nil)
	s = i.start()
	now := deployed(t, s, p, d, nil)
	equal(t, "state", now.State, workspace.DeploymentCompleted)
	equal(t, "result", now.Results[0].State, workspace.DeploymentCompleted)
}

// lines is a log in memory.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestBlueprintIsDeletedWhileItIsDeployed(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	i.faults.on("add deployment", func() {
		_, err := s.Delete(t.Context(), p, "shop")
		must(t, err)
	})
	_, err := s.Deploy(t.Context(), p, everyTenant)
	refused(t, err, workspace.NotFound, "Blueprint not found: shop")
}
