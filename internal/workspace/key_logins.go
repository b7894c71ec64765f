package workspace

import "context"

// sharesLogin says whether the key's clients log in as its project.
func (k APIKey) sharesLogin() bool { return k.Role != roleRead && k.Scope.Type == scopeProject }

// ProxyUser is whom the key's clients log in as at the proxy; empty for a key
// that has no login, being older than these are.
func (k APIKey) ProxyUser() string {
	if k.sharesLogin() {
		return k.ProjectID
	}
	return k.Login.ProjectID
}

// newLogin gives k a login of its own.
func (s *Service) newLogin(k APIKey) (APIKey, *heldUser, error) {
	user, err := s.freeUser()
	if err != nil {
		return APIKey{}, nil, err
	}
	password := proxyPasswordPrefix + randomHex(proxyPasswordSize)
	scram, err := newSCRAM(password)
	if err != nil {
		return APIKey{}, nil, err
	}
	k.Login = Credential{ID: "cred_" + randomHex(keyIDBytes), ProjectID: user, SCRAM: scram, CreatedAt: k.CreatedAt}
	k.Login.Sealed = s.keyring.seal(credentialRow(k.Login), password)
	return k, loginOf(k, password), nil
}

// openLogin is the login that the catalog has of k; nil where it has none.
func (s *Service) openLogin(k APIKey) (*heldUser, error) {
	if k.Login.ID == "" {
		return nil, nil
	}
	password, err := s.keyring.open(credentialRow(k.Login), k.Login.Sealed)
	if err != nil {
		return nil, err
	}
	return loginOf(k, password), nil
}

func loginOf(k APIKey, password string) *heldUser {
	return &heldUser{
		user: k.Login.ProjectID, password: password, scram: k.Login.SCRAM, project: k.ProjectID,
		key: &LiveKey{Reads: k.Role == roleRead}, scope: k.Scope,
	}
}

// addKeyWithLogin keeps the key, after the readers that its login needs.
func (s *Service) addKeyWithLogin(ctx context.Context, k APIKey, u *heldUser) error {
	if u.reads() {
		s.directory.expectReader(u)
		if err := s.makeReaders(ctx, u); err != nil {
			s.directory.unexpectReader(u)
			return err
		}
	}
	if err := s.catalog.AddKey(ctx, k); err != nil {
		s.directory.unexpectReader(u)
		return storeFailed(err)
	}
	s.directory.addKey(k, u)
	return nil
}

// endLogin ends the sessions of a login that the directory has forgotten, and
// removes the readers that nobody needs any more, also when whoever asked for it
// has gone. u may be nil. What can't be removed now is taken up later.
func (s *Service) endLogin(ctx context.Context, u *heldUser) {
	if u == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), engineTimeout)
	defer cancel()
	if x := s.openSessions(); x != nil {
		x.CloseKey(ctx, u.key)
	}
	if u.reads() {
		s.keepReaders(ctx)
	}
}
