package workspace

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
)

const (
	apiKeyPrefix   = "tenantsdb_sk_"
	apiKeySize     = 32 // random bytes
	shownOfKey     = len(apiKeyPrefix) + 8
	keyIDBytes     = 8
	maxScopeValues = 100
)

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
	ProxyPassword string // of ProxyUser
}

// CreateKey makes an API key in the principal's project, and how it logs in at
// the proxy: as the project, where it may write in the whole of it, and else by
// a login of its own. Of a key that may only read, all databases that it reaches
// have their readers before it is there.
func (s *Service) CreateKey(ctx context.Context, p Principal, r KeyRequest) (CreatedKey, error) {
	if err := p.mayAdminister(); err != nil {
		return CreatedKey{}, err
	}
	if r.Role == "" {
		r.Role = roleWrite
	}
	if r.Scope.Type == "" {
		r.Scope.Type = scopeProject
	}
	if err := r.check(); err != nil {
		return CreatedKey{}, err
	}
	project := s.directory.project(p.ProjectID)
	if project == nil {
		return CreatedKey{}, Errorf(Unauthorized, "unknown or revoked API key")
	}
	key, secret := s.newKey(p.ProjectID, r)
	created := CreatedKey{APIKey: key, Secret: secret, ProxyPassword: project.password}
	if key.sharesLogin() {
		if err := s.catalog.AddKey(ctx, key); err != nil {
			return CreatedKey{}, storeFailed(err)
		}
		s.directory.addKey(key, nil)
		return created, nil
	}
	var u *heldUser
	var err error
	if created.APIKey, u, err = s.newLogin(key); err != nil {
		return CreatedKey{}, err
	}
	created.ProxyPassword = u.password
	if err := s.addKeyWithLogin(ctx, created.APIKey, u); err != nil {
		return CreatedKey{}, err
	}
	return created, nil
}

func (r KeyRequest) check() error {
	if err := checkLabel("name", r.Name); err != nil {
		return err
	}
	if !slices.Contains([]string{roleAdmin, roleWrite, roleRead}, r.Role) {
		return badField("role", "unknown role %.40q: use admin, write or read", r.Role)
	}
	switch r.Scope.Type {
	case scopeProject:
		if len(r.Scope.Values) > 0 {
			return badField("scope_values", "scope_values are for the scope_type workspace or tenant")
		}
		return nil
	case scopeWorkspace, scopeTenant:
	default:
		return badField("scope_type", "unknown scope_type %.40q: use project, workspace or tenant", r.Scope.Type)
	}
	if n := len(r.Scope.Values); n == 0 || n > maxScopeValues {
		return badField("scope_values", "scope_values must name 1 to %d %ss", maxScopeValues, r.Scope.Type)
	}
	for _, name := range r.Scope.Values {
		if err := checkLabel("scope_values", name); err != nil {
			return err
		}
	}
	return nil
}

// newKey makes a key and the secret that only its hash is kept of.
func (s *Service) newKey(project string, r KeyRequest) (APIKey, string) {
	secret := apiKeyPrefix + randomHex(apiKeySize)
	hash := sha256.Sum256([]byte(secret))
	return APIKey{
		ID:        "key_" + randomHex(keyIDBytes),
		ProjectID: project,
		Name:      r.Name,
		Prefix:    secret[:shownOfKey],
		Hash:      hash[:],
		Role:      r.Role,
		Scope:     r.Scope,
		CreatedAt: s.time(),
	}, secret
}

// ListKeys is the project's keys that are not revoked, oldest first.
func (s *Service) ListKeys(_ context.Context, p Principal) ([]APIKey, error) {
	if err := p.mayAdminister(); err != nil {
		return nil, err
	}
	return s.directory.projectKeys(p.ProjectID), nil
}

// RevokeKey ends a key at once, and the sessions of its login. The last one that may make others stays: nobody
// could mend what depends on it.
func (s *Service) RevokeKey(ctx context.Context, p Principal, id string) error {
	if err := p.mayAdminister(); err != nil {
		return err
	}
	s.revoking.Lock()
	defer s.revoking.Unlock()
	keys := s.directory.projectKeys(p.ProjectID)
	i := slices.IndexFunc(keys, func(k APIKey) bool { return k.ID == id })
	if i < 0 {
		return Errorf(NotFound, "API key not found: %.80s", id)
	}
	if keys[i].administers() && !slices.ContainsFunc(slices.Delete(slices.Clone(keys), i, i+1), APIKey.administers) {
		return lastAdminKey()
	}
	err := s.catalog.RevokeKey(ctx, id, s.time())
	if err != nil && !errors.Is(err, ErrNotFound) {
		return storeFailed(err)
	}
	s.endLogin(ctx, s.directory.removeKey(keys[i]))
	return nil
}

// administers says whether the key may manage its project's keys.
func (k APIKey) administers() bool { return k.Role == roleAdmin && k.Scope.Type == scopeProject }

func lastAdminKey() *Error {
	e := Errorf(Conflict, "this is the last API key of the project that may make others")
	e.Details = map[string]any{
		"reason":          "last_admin_key",
		"action_required": "Make another key with the role admin first",
	}
	return e
}
