package workspace_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestBootstrapIsToldOnceAndBeforeItIsKept(t *testing.T) {
	i := install(t)
	i.faults.set("keep", errors.New("disk full"))
	if _, err := workspace.NewService(t.Context(), i.config()); err == nil {
		t.Fatal("a start whose secrets nobody kept: got nil, want an error")
	}
	lost := i.boot
	i.faults.set("keep", nil)
	s := i.start()
	equal(t, "told", i.boots, 2)
	_, err := s.Authenticate(t.Context(), lost.APIKey)
	refused(t, err, workspace.Unauthorized)
	form(t, "project id", i.boot.ProjectID, "tdb_", 8)
	form(t, "API key", i.boot.APIKey, "tenantsdb_sk_", 64)
	form(t, "proxy password", i.boot.ProxyPassword, "tdb_", 16)

	s = i.start()
	equal(t, "told at the second start", i.boots, 2)
	p := i.admin(s)
	equal(t, "project", p.ProjectID, i.boot.ProjectID)
	projects, err := s.ListProjects(t.Context(), p)
	must(t, err)
	equal(t, "name", projects[0].Name, "default")
	equal(t, "keys", projects[0].APIKeys, 1)
}

// form wants prefix and so many hex digits.
func form(t *testing.T, what, got, prefix string, digits int) {
	t.Helper()
	hex, ok := strings.CutPrefix(got, prefix)
	if !ok || len(hex) != digits || strings.Trim(hex, "0123456789abcdef") != "" {
		t.Errorf("%s is not %s and %d hex digits", what, prefix, digits)
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	i := install(t)
	s := i.start()
	p := i.admin(s)
	_, err := s.Authenticate(t.Context(), "")
	refused(t, err, workspace.AuthRequired)
	_, err = s.Authenticate(t.Context(), i.boot.APIKey+"0")
	refused(t, err, workspace.Unauthorized)

	k, err := s.CreateKey(t.Context(), p, workspace.KeyRequest{Name: "ci"})
	must(t, err)
	equal(t, "role by default", k.Role, "write")
	equal(t, "proxy password", k.ProxyPassword, i.boot.ProxyPassword)
	_, err = s.Authenticate(t.Context(), k.Secret)
	must(t, err)
	must(t, s.RevokeKey(t.Context(), p, k.ID))
	for _, s := range []*workspace.Service{s, i.start()} {
		_, err = s.Authenticate(t.Context(), k.Secret)
		refused(t, err, workspace.Unauthorized)
	}
	refused(t, s.RevokeKey(t.Context(), p, k.ID), workspace.NotFound)
}

func TestTheLastAdminKeyOfAProjectStays(t *testing.T) {
	i := install(t)
	s := i.start()
	p := i.admin(s)
	keys, err := s.ListKeys(t.Context(), p)
	must(t, err)
	for _, r := range []workspace.KeyRequest{
		{Name: "writes"},
		{Name: "manages nothing", Role: "admin", Scope: workspace.Scope{Type: "workspace", Values: []string{"shop"}}},
	} {
		_, err := s.CreateKey(t.Context(), p, r)
		must(t, err)
	}
	refused(t, s.RevokeKey(t.Context(), p, keys[0].ID), workspace.Conflict)
	_, err = s.Authenticate(t.Context(), i.boot.APIKey)
	must(t, err)

	_, err = s.CreateKey(t.Context(), p, workspace.KeyRequest{Name: "second", Role: "admin"})
	must(t, err)
	must(t, s.RevokeKey(t.Context(), p, keys[0].ID))
	_, err = s.Authenticate(t.Context(), i.boot.APIKey)
	refused(t, err, workspace.Unauthorized)
}

// calls are all methods of the API, by the least role that may.
func calls(t *testing.T, s *workspace.Service, p workspace.Principal) map[string]map[string]func() error {
	ctx := t.Context()
	return map[string]map[string]func() error{
		"read": {
			"List":             func() error { _, err := s.List(ctx, p); return err },
			"Get":              func() error { _, err := s.Get(ctx, p, "shop"); return err },
			"Schema":           func() error { _, err := s.Schema(ctx, p, "shop"); return err },
			"Pending":          func() error { _, err := s.Pending(ctx, p, "shop"); return err },
			"Settings":         func() error { _, err := s.Settings(ctx, p, "shop"); return err },
			"DataImportStatus": func() error { _, err := s.DataImportStatus(ctx, p, "shop", "imp_1"); return err },
		},
		"write": {
			"Query": func() error { _, err := s.Query(ctx, p, "shop", "CREATE TABLE a"); return err },
			"ImportSchema": func() error {
				_, err := s.ImportSchema(ctx, p, "shop", workspace.ImportRequest{Source: "file"})
				return err
			},
			"AnalyzeData":    func() error { _, err := s.AnalyzeData(ctx, p, "shop", workspace.DataRequest{}); return err },
			"ImportData":     func() error { _, err := s.ImportData(ctx, p, "shop", workspace.DataRequest{}); return err },
			"ImportAll":      func() error { _, err := s.ImportAll(ctx, p, "shop", workspace.DataRequest{}); return err },
			"Skip":           func() error { return s.Skip(ctx, p, "shop", 999) },
			"Revert":         func() error { _, err := s.Revert(ctx, p, "shop", 999); return err },
			"UpdateSettings": func() error { _, err := s.UpdateSettings(ctx, p, "shop", nil); return err },
			"Create":         func() error { _, err := s.Create(ctx, p, "shop", "postgres", "tenant"); return err },
			"Delete":         func() error { _, err := s.Delete(ctx, p, "absent"); return err },
		},
		"admin": {
			"CreateProject": func() error { _, err := s.CreateProject(ctx, p, "default"); return err },
			"DeleteProject": func() error { return s.DeleteProject(ctx, p, "tdb_ffffffff") },
			"CreateKey":     func() error { _, err := s.CreateKey(ctx, p, workspace.KeyRequest{Name: "k"}); return err },
			"ListKeys":      func() error { _, err := s.ListKeys(ctx, p); return err },
			"RevokeKey":     func() error { return s.RevokeKey(ctx, p, "key_0") },
		},
	}
}

func TestRolesBoundWhatAKeyMay(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	rank := map[string]int{"read": 1, "write": 2, "admin": 3}
	for role, has := range rank {
		k, err := s.CreateKey(t.Context(), p, workspace.KeyRequest{Name: role, Role: role})
		must(t, err)
		who, err := s.Authenticate(t.Context(), k.Secret)
		must(t, err)
		for least, methods := range calls(t, s, who) {
			for name, call := range methods {
				err := call()
				isForbidden := err != nil && workspace.ErrorCode(err) == workspace.Forbidden
				if isForbidden != (has < rank[least]) {
					t.Errorf("%s with the role %s: got %v", name, role, err)
				}
			}
		}
	}
	for _, methods := range calls(t, s, workspace.Principal{ProjectID: i.boot.ProjectID}) {
		for name, call := range methods {
			if err := call(); workspace.ErrorCode(err) != workspace.Forbidden {
				t.Errorf("%s without a role: got %v, want forbidden", name, err)
			}
		}
	}
}

func TestScopeBoundsWhatAKeyReaches(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	_, err := s.Create(t.Context(), p, "blog", "PostgreSQL", "tenant")
	must(t, err)
	k, err := s.CreateKey(t.Context(), p, workspace.KeyRequest{
		Name: "shop only", Role: "admin", Scope: workspace.Scope{Type: "workspace", Values: []string{"shop"}},
	})
	must(t, err)
	form(t, "proxy password", k.ProxyPassword, "tdb_", 16)
	if k.ProxyPassword == i.boot.ProxyPassword {
		t.Error("it has the project's proxy password")
	}
	who, err := s.Authenticate(t.Context(), k.Secret)
	must(t, err)
	all, err := s.List(t.Context(), who)
	must(t, err)
	equal(t, "listed", len(all), 1)
	_, err = s.Get(t.Context(), who, "shop")
	must(t, err)
	_, exists := s.Get(t.Context(), who, "blog")
	_, absent := s.Get(t.Context(), who, "blah")
	equal(t, "answers", strings.ReplaceAll(exists.Error(), "blog", "blah"), absent.Error())
	refused(t, exists, workspace.Forbidden)
	_, err = s.Create(t.Context(), who, "new", "PostgreSQL", "tenant")
	refused(t, err, workspace.Forbidden)
	_, err = s.ListKeys(t.Context(), who)
	refused(t, err, workspace.Forbidden)
}

// The project's password reaches all its workspaces.
func TestAKeyOfAWorkspaceIsNotShownTheProjectsPassword(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	k, err := s.CreateKey(t.Context(), p, workspace.KeyRequest{
		Name: "shop only", Role: "write", Scope: workspace.Scope{Type: "workspace", Values: []string{"shop"}},
	})
	must(t, err)
	who, err := s.Authenticate(t.Context(), k.Secret)
	must(t, err)
	_, err = s.Delete(t.Context(), who, "shop")
	must(t, err)
	made, err := s.Create(t.Context(), who, "shop", "PostgreSQL", "tenant")
	must(t, err)
	equal(t, "password", made.Connection.Password, "••••••••")
	if strings.Contains(made.Connection.String, i.boot.ProxyPassword) {
		t.Error("the connection string has the password")
	}
}

func TestProjectsAreApart(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	created, err := s.CreateProject(t.Context(), p, "other")
	must(t, err)
	_, err = s.CreateProject(t.Context(), p, "other")
	refused(t, err, workspace.Conflict, "other")
	other, err := s.Authenticate(t.Context(), created.APIKey)
	must(t, err)

	_, theirs := s.Get(t.Context(), other, "shop")
	_, nobodys := s.Get(t.Context(), other, "shoq")
	equal(t, "answers", strings.ReplaceAll(theirs.Error(), "shop", "shoq"), nobodys.Error())
	refused(t, theirs, workspace.NotFound)
	_, err = s.CreateProject(t.Context(), other, "third")
	refused(t, err, workspace.Forbidden)
	refused(t, s.DeleteProject(t.Context(), other, i.boot.ProjectID), workspace.NotFound)
	refused(t, s.DeleteProject(t.Context(), p, i.boot.ProjectID), workspace.Conflict)
	list, err := s.ListProjects(t.Context(), other)
	must(t, err)
	equal(t, "seen by the other", len(list), 1)

	_, err = s.Create(t.Context(), other, "shop", "PostgreSQL", "tenant")
	must(t, err)
	must(t, s.DeleteProject(t.Context(), p, created.ID))
	equal(t, "databases", i.server.names(), []string{"shop_workspace"})
	_, err = s.Authenticate(t.Context(), created.APIKey)
	refused(t, err, workspace.Unauthorized)
	l, err := i.start().Login(t.Context(), workspace.PostgreSQL, created.ID, "shop_workspace_2")
	must(t, err)
	equal(t, "login", l.Known, false)
}

func TestReadyNamesWhatFails(t *testing.T) {
	i := install(t)
	s := i.start()
	i.faults.set("ping", errors.New("no route to host"))
	checks := s.Ready(t.Context())
	equal(t, "checks", len(checks), 2)
	equal(t, "first", checks[0].Name, "catalog")
	equal(t, "catalog", checks[0].Err, nil)
	equal(t, "second", checks[1].Name, "postgresql/main")
	if checks[1].Err == nil {
		t.Error("a server that does not answer is ready")
	}
	s.Drain()
	checks = s.Ready(t.Context())
	if len(checks) != 1 || checks[0].Name != "draining" || checks[0].Err == nil {
		t.Errorf("while draining: got %v, want that alone, as a failure", checks)
	}
}
