package workspace

import "context"

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

// KeyRequest describes a new API key. An empty Role is write, an empty scope
// the whole project.
type KeyRequest struct {
	Name  string
	Role  string
	Scope Scope
}

// CreatedKey is a new API key with the secrets that are shown once.
type CreatedKey struct {
	APIKey
	Secret        string
	ProxyPassword string // empty where the key's role and scope have none
}

// CreateProject makes a project with its first key; only admin keys of the
// default project may.
func (s *Service) CreateProject(ctx context.Context, p Principal, name string) (CreatedProject, error) {
	panic("stub")
}

// ListProjects is all projects, oldest first, for an admin key of the default
// project, and the key's own for any other.
func (s *Service) ListProjects(ctx context.Context, p Principal) ([]ProjectSummary, error) {
	panic("stub")
}

// DeleteProject removes a project with all that it owns. The default project
// can't be removed.
func (s *Service) DeleteProject(ctx context.Context, p Principal, id string) error { panic("stub") }

// CreateKey makes an API key in the principal's project.
func (s *Service) CreateKey(ctx context.Context, p Principal, r KeyRequest) (CreatedKey, error) {
	panic("stub")
}

// ListKeys is the project's keys that are not revoked, oldest first.
func (s *Service) ListKeys(ctx context.Context, p Principal) ([]APIKey, error) { panic("stub") }

// RevokeKey ends a key at once.
func (s *Service) RevokeKey(ctx context.Context, p Principal, id string) error { panic("stub") }
