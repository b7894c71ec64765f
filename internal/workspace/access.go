package workspace

import (
	"context"
	"fmt"
	"slices"
)

// The roles of API keys; each may what the next may.
const (
	roleAdmin = "admin"
	roleWrite = "write"
	roleRead  = "read"
)

// The scopes of API keys. The zero Scope is scopeProject.
const (
	scopeProject   = "project"
	scopeWorkspace = "workspace"
	scopeTenant    = "tenant"
)

// Authenticate finds the principal of an API key: AuthRequired where key is
// empty, Unauthorized where it is unknown or revoked.
func (s *Service) Authenticate(_ context.Context, key string) (Principal, error) {
	if key == "" {
		return Principal{}, Errorf(AuthRequired, "an API key is required: send it as Authorization: Bearer <api key>")
	}
	k, ok := s.directory.key(key)
	if !ok {
		return Principal{}, Errorf(Unauthorized, "unknown or revoked API key")
	}
	return Principal{KeyID: k.ID, ProjectID: k.ProjectID, Role: k.Role, Scope: k.Scope}, nil
}

func (p Principal) mayRead() error {
	return p.need(roleRead, roleWrite, roleAdmin)
}

func (p Principal) mayWrite() error {
	return p.need(roleWrite, roleAdmin)
}

// mayAdminister is for what is above workspaces: projects and keys.
func (p Principal) mayAdminister() error {
	if err := p.need(roleAdmin); err != nil {
		return err
	}
	if !p.wholeProject() {
		return forbidden("this API key is for some %ss only: use one of the whole project", p.Scope.Type)
	}
	return nil
}

// need refuses a key that has none of the roles, the least of which is first.
func (p Principal) need(roles ...string) error {
	if slices.Contains(roles, p.Role) {
		return nil
	}
	return forbidden("this API key has the role %q: this needs the role %s", p.Role, roles[0])
}

// reaches refuses a workspace outside of the key's scope, also one that does
// not exist, so that the answer tells nothing.
func (p Principal) reaches(name string) error {
	switch {
	case p.wholeProject():
		return nil
	case p.Scope.Type == scopeWorkspace && slices.Contains(p.Scope.Values, name):
		return nil
	}
	return forbidden("workspace %.40q is outside of this API key's scope", name)
}

func (p Principal) wholeProject() bool {
	return p.Scope.Type == scopeProject || p.Scope.Type == ""
}

func forbidden(format string, args ...any) *Error { return Errorf(Forbidden, format, args...) }

// find is the workspace that an API call names.
func (s *Service) find(p Principal, id string) (*held, Workspace, error) {
	if err := p.reaches(id); err != nil {
		return nil, Workspace{}, err
	}
	h, w := s.directory.named(p.ProjectID, id)
	if h == nil || w.State != Ready {
		return nil, Workspace{}, notFound(id)
	}
	if h.server == nil {
		return nil, Workspace{}, serverMissing(w)
	}
	return h, w, nil
}

func notFound(id string) *Error {
	return Errorf(NotFound, "Workspace not found: %.80s", id)
}

func serverMissing(w Workspace) *Error {
	return Errorf(Unavailable, "the %s server %q that holds %s %s is not configured", w.Type.DisplayName(), w.Server, w.Mode.kind(), w.Name)
}

func alreadyExists(w Workspace) *Error {
	e := Errorf(Conflict, "Workspace '%s' already exists", w.Name)
	e.Details = map[string]any{"reason": "workspace_exists", "action_required": "Choose another name or delete the workspace first"}
	if w.State == Deleting {
		e = Errorf(Conflict, "Workspace '%s' is being deleted", w.Name)
		e.Details = map[string]any{"reason": "workspace_deleting", "action_required": "Try again when it is gone"}
	}
	return e
}

// storeFailed hides what the metadata store said from the client.
func storeFailed(cause error) *Error {
	return &Error{Code: Unavailable, Message: "the metadata store can't be reached", cause: fmt.Errorf("catalog: %w", cause)}
}
