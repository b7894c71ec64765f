package workspace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	defaultProject      = "default" // the first project; its admin keys manage the others
	userPrefix          = "tdb_"
	userSize            = 4 // random bytes
	proxyPasswordPrefix = "tdb_"
	proxyPasswordSize   = 8 // random bytes
	maxLabelLength      = 100
	userTries           = 10
)

// CreatedProject is a new project with the secrets that are shown once.
type CreatedProject struct {
	Project
	APIKey        string
	ProxyPassword string
}

// ProjectSummary is a project as lists show it.
type ProjectSummary struct {
	Project
	APIKeys int // not revoked
}

// CreateProject makes a project with its first key; only admin keys of the
// default project may.
func (s *Service) CreateProject(ctx context.Context, p Principal, name string) (CreatedProject, error) {
	if err := s.mayManageProjects(p); err != nil {
		return CreatedProject{}, err
	}
	if err := checkLabel("name", name); err != nil {
		return CreatedProject{}, err
	}
	return s.addProject(ctx, name, nil)
}

// ListProjects is all projects, oldest first, for an admin key of the default
// project, and the key's own for any other.
func (s *Service) ListProjects(_ context.Context, p Principal) ([]ProjectSummary, error) {
	if err := p.mayRead(); err != nil {
		return nil, err
	}
	all := s.mayManageProjects(p) == nil
	var list []ProjectSummary
	for _, project := range s.directory.allProjects() {
		if all || project.ID == p.ProjectID {
			list = append(list, ProjectSummary{Project: project, APIKeys: len(s.directory.projectKeys(project.ID))})
		}
	}
	return list, nil
}

// DeleteProject removes a project with all that it owns. The default project
// can't be removed. What is gone when it fails stays gone; it may be repeated.
func (s *Service) DeleteProject(ctx context.Context, p Principal, id string) error {
	if err := p.mayAdminister(); err != nil {
		return err
	}
	project := s.directory.project(id)
	if project == nil || (id != p.ProjectID && s.mayManageProjects(p) != nil) {
		return Errorf(NotFound, "Project not found: %.80s", id)
	}
	if project.Name == defaultProject {
		return Errorf(Conflict, "the project %s can't be deleted: its keys manage the others", defaultProject)
	}
	for _, t := range s.directory.projectTenants(id) {
		if err := s.removeTenant(ctx, t); err != nil {
			return err
		}
	}
	for _, h := range s.directory.workspaces(func(h *held) bool { return h.w.ProjectID == id }) {
		h.changing.Lock()
		err := s.hasNoTenants(h) // made meanwhile: the next call takes them too
		if err == nil {
			_, err = s.delete(ctx, h)
		}
		h.changing.Unlock()
		if err != nil && ErrorCode(err) != NotFound {
			return fmt.Errorf("delete workspace %s: %w", h.live.Name, err)
		}
	}
	err := s.catalog.RemoveProject(ctx, id)
	switch {
	case errors.Is(err, ErrInUse):
		return Errorf(Conflict, "a workspace of the project is still being made or removed: try again")
	case err != nil && !errors.Is(err, ErrNotFound):
		return storeFailed(err)
	}
	s.directory.removeProject(id)
	return nil
}

// mayManageProjects refuses all but the admins of the whole default project.
func (s *Service) mayManageProjects(p Principal) error {
	if err := p.mayAdminister(); err != nil {
		return err
	}
	project := s.directory.project(p.ProjectID)
	if project == nil || project.Name != defaultProject {
		return forbidden("projects are managed with an admin key of the project %q", defaultProject)
	}
	return nil
}

// loadProjects fills the directory with projects and keys.
func (s *Service) loadProjects(ctx context.Context) error {
	projects, err := s.catalog.Projects(ctx)
	if err != nil {
		return err
	}
	credentials, err := s.catalog.Credentials(ctx)
	if err != nil {
		return err
	}
	keys, err := s.catalog.Keys(ctx)
	if err != nil {
		return err
	}
	first := map[string]Credential{}
	for _, c := range credentials {
		if _, ok := first[c.ProjectID]; !ok {
			first[c.ProjectID] = c
		}
	}
	for _, p := range projects {
		c := first[p.ID]
		password, err := s.keyring.open(credentialRow(c), c.Sealed)
		if err != nil {
			return fmt.Errorf("open the proxy password of project %s: %w", p.ID, err)
		}
		s.directory.addProject(&heldProject{p, &heldUser{user: p.ID, password: password, scram: c.SCRAM, project: p.ID}})
	}
	for _, k := range keys {
		if k.RevokedAt != nil {
			continue
		}
		u, err := s.openLogin(k)
		if err != nil {
			return fmt.Errorf("open the proxy password of API key %s: %w", k.ID, err)
		}
		s.directory.addKey(k, u)
	}
	return nil
}

// bootstrap makes the first project. Its secrets are kept by the operator's
// side first: a key that nobody has is of no use, one that opens nothing does
// no harm.
func (s *Service) bootstrap(ctx context.Context, keep func(Bootstrap) error) error {
	if len(s.directory.allProjects()) > 0 {
		return nil
	}
	_, err := s.addProject(ctx, defaultProject, keep)
	return err
}

// addProject makes a project with its password and first key.
func (s *Service) addProject(ctx context.Context, name string, keep func(Bootstrap) error) (CreatedProject, error) {
	if s.projectNamed(name) {
		return CreatedProject{}, projectExists(name)
	}
	id, err := s.freeUser()
	if err != nil {
		return CreatedProject{}, err
	}
	password := proxyPasswordPrefix + randomHex(proxyPasswordSize)
	scram, err := newSCRAM(password)
	if err != nil {
		return CreatedProject{}, err
	}
	project := Project{ID: id, Name: name, CreatedAt: s.time()}
	c := Credential{ID: "cred_" + randomHex(keyIDBytes), ProjectID: id, SCRAM: scram, CreatedAt: project.CreatedAt}
	c.Sealed = s.keyring.seal(credentialRow(c), password)
	key, secret := s.newKey(id, KeyRequest{Name: "default", Role: roleAdmin, Scope: Scope{Type: scopeProject}})
	if keep != nil {
		if err := keep(Bootstrap{ProjectID: id, APIKey: secret, ProxyPassword: password}); err != nil {
			return CreatedProject{}, fmt.Errorf("keep its secrets: %w", err)
		}
	}
	err = s.catalog.AddProject(ctx, project, c, key)
	if errors.Is(err, ErrExists) {
		return CreatedProject{}, projectExists(name)
	}
	if err != nil {
		return CreatedProject{}, storeFailed(err)
	}
	s.directory.addProject(&heldProject{project, &heldUser{user: id, password: password, scram: scram, project: id}})
	s.directory.addKey(key, nil)
	return CreatedProject{Project: project, APIKey: secret, ProxyPassword: password}, nil
}

func (s *Service) projectNamed(name string) bool {
	return slices.ContainsFunc(s.directory.allProjects(), func(p Project) bool { return p.Name == name })
}

// freeUser is a user name that no project, tenant's database or API key has: with
// 32 bits, two of many may well fall together.
func (s *Service) freeUser() (string, error) {
	for range userTries {
		user := userPrefix + randomHex(userSize)
		if s.directory.user(user) == nil {
			return user, nil
		}
	}
	return "", errors.New("no user name is free")
}

func projectExists(name string) *Error {
	return Errorf(Conflict, "Project '%s' already exists", name)
}

// credentialRow names the row that a sealed proxy password belongs to.
func credentialRow(c Credential) string { return "credential/" + c.ProjectID + "/" + c.ID }

// checkLabel checks a name that is for people only.
func checkLabel(field, text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return badField(field, "%s is required", field)
	case len(text) > maxLabelLength:
		return badField(field, "%s is longer than %d bytes", field, maxLabelLength)
	}
	return nil
}
