package workspace_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/catalog"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// installation is what outlives a process: a catalog, a master key and servers.
type installation struct {
	t       *testing.T
	path    string // of the catalog
	catalog *catalog.Catalog
	keyring *workspace.Keyring
	faults  *faults
	server  *fakeServer
	engines map[string]workspace.Engine
	boot    workspace.Bootstrap // as told at the last first start
	boots   int
}

func install(t *testing.T) *installation {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "catalog.db")
	c, err := catalog.Open(t.Context(), path)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	k, err := workspace.LoadKeyring("", filepath.Join(dir, "master.key"))
	must(t, err)
	f := newFaults()
	server := newFakeServer(workspace.PostgreSQL, f)
	return &installation{
		t: t, path: path, catalog: c, keyring: k, faults: f, server: server,
		engines: map[string]workspace.Engine{"main": server},
	}
}

func (i *installation) config() workspace.Config {
	return workspace.Config{
		Catalog: faultyCatalog{i.catalog, i.faults},
		Engines: i.engines,
		Keyring: i.keyring,
		Public: map[workspace.DatabaseType]workspace.Public{
			workspace.PostgreSQL: {Host: "db.example.com", Port: 5432},
			workspace.MySQL:      {Host: "db.example.com", Port: 3306},
			workspace.MongoDB:    {Host: "db.example.com", Port: 27017},
			workspace.Redis:      {Host: "::1", Port: 6379},
		},
		KeepBootstrap: func(b workspace.Bootstrap) error {
			i.boot = b
			i.boots++
			return i.faults.around("keep", func() error { return nil })
		},
		RecordEvery: time.Hour,
	}
}

// start begins a process on the installation; it ends with the test.
func (i *installation) start() *workspace.Service {
	i.t.Helper()
	s, err := workspace.NewService(i.t.Context(), i.config())
	must(i.t, err)
	i.t.Cleanup(s.Close)
	return s
}

// admin is the principal of the first key.
func (i *installation) admin(s *workspace.Service) workspace.Principal {
	i.t.Helper()
	p, err := s.Authenticate(i.t.Context(), i.boot.APIKey)
	must(i.t, err)
	return p
}

// newWorkspace starts a process with one tenant workspace, shop.
func newWorkspace(t *testing.T) (*installation, *workspace.Service, workspace.Principal, int64) {
	t.Helper()
	i := install(t)
	s := i.start()
	p := i.admin(s)
	d, err := s.Create(t.Context(), p, "shop", "PostgreSQL", "tenant")
	must(t, err)
	return i, s, p, d.ID
}

// change is "CREATE TABLE users" as a journal would have it.
func change(statement string) workspace.Change {
	object := statement[strings.LastIndexByte(statement, ' ')+1:]
	return workspace.Change{
		Statement: statement, Operation: "CREATE TABLE", ObjectType: "table", Object: object,
		Identity: "public." + object, Reversible: true, Reverse: "DROP TABLE IF EXISTS " + object + ";",
	}
}

func statements(t *testing.T, s *workspace.Service, p workspace.Principal) []string {
	t.Helper()
	q, err := s.Pending(t.Context(), p, "shop")
	must(t, err)
	var all []string
	for _, e := range q.Pending {
		all = append(all, e.Statement)
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

// refused wants an *Error of that code whose message has all the parts.
func refused(t *testing.T, err error, code workspace.Code, parts ...string) *workspace.Error {
	t.Helper()
	e, ok := errors.AsType[*workspace.Error](err)
	if !ok || e.Code != code {
		t.Fatalf("got %v, want an error with code %s", err, code)
	}
	for _, part := range parts {
		if !strings.Contains(e.Message, part) {
			t.Errorf("message %q does not say %q", e.Message, part)
		}
	}
	return e
}
