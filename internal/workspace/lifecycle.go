package workspace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Create makes a workspace or leaves nothing behind. database and mode are as
// the client wrote them; the connection shows the password, but not to a key of
// some workspaces only, since it is that of the whole project. The name stays
// taken until a failed try is undone on the server too.
func (s *Service) Create(ctx context.Context, p Principal, name, database, mode string) (Details, error) {
	if err := p.mayWrite(); err != nil {
		return Details{}, err
	}
	w, err := newWorkspace(p.ProjectID, name, database, mode)
	if err != nil {
		return Details{}, err
	}
	if err := p.reaches(name); err != nil {
		return Details{}, err
	}
	v, err := s.placeFor(w.Type)
	if err != nil {
		return Details{}, err
	}
	h, err := s.reserve(ctx, v, w)
	if err != nil {
		return Details{}, err
	}
	defer h.changing.Unlock()
	if err := s.realize(ctx, h); err != nil {
		s.abandon(ctx, h)
		return Details{}, err
	}
	return s.details(h, p.wholeProject()), nil
}

// placeFor chooses the physical server for a new workspace: the one of that
// type with the fewest.
func (s *Service) placeFor(t DatabaseType) (*server, error) {
	count := map[*server]int{}
	for _, h := range s.directory.workspaces(func(*held) bool { return true }) {
		count[h.server]++
	}
	var fit []*server
	for _, v := range s.servers {
		if v.engine.Type() == t {
			fit = append(fit, v)
		}
	}
	if len(fit) == 0 {
		return nil, s.notOffered(t)
	}
	return slices.MinFunc(fit, func(a, b *server) int {
		if n := count[a] - count[b]; n != 0 {
			return n
		}
		return strings.Compare(a.name, b.name)
	}), nil
}

func (s *Service) notOffered(t DatabaseType) *Error {
	var offered []string
	for _, v := range s.servers {
		offered = append(offered, v.engine.Type().DisplayName())
	}
	slices.Sort(offered)
	offered = slices.Compact(offered)
	e := Errorf(BadRequest, "%s is not available here; available: %s", t.DisplayName(), strings.Join(offered, ", "))
	e.Details = map[string]any{"field": "database", "available": offered}
	return e
}

// reserve records the workspace as Creating, before anything is done on the
// server, so that a crash from here on is undone at the next start. It returns
// with changing held.
func (s *Service) reserve(ctx context.Context, v *server, w Workspace) (*held, error) {
	v.naming.Lock()
	defer v.naming.Unlock()
	if _, other := s.directory.named(w.ProjectID, w.Name); other.ID != 0 {
		return nil, alreadyExists(other)
	}
	if err := v.prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", v.label(), err)
	}
	if err := s.freePlace(ctx, v, &w); err != nil {
		return nil, err
	}
	password := randomHex(rolePasswordSize)
	w.Server = v.name
	w.RoleSecret = s.keyring.seal(roleRow(w), password)
	w.State, w.CreatedAt = Creating, s.time()
	var err error
	w.ID, err = s.catalog.AddWorkspace(ctx, w)
	if errors.Is(err, ErrExists) {
		return nil, alreadyExists(w)
	}
	if err != nil {
		return nil, storeFailed(err)
	}
	h := s.hold(w, password)
	h.changing.Lock()
	s.directory.add(h)
	return h, nil
}

// realize makes the database and lets logins in.
func (s *Service) realize(ctx context.Context, h *held) error {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	w := s.directory.current(h)
	if err := h.server.engine.Create(ctx, h.target, w.Mode == Tenant); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	if err := s.catalog.SetState(ctx, w.ID, Ready); err != nil {
		return storeFailed(err)
	}
	s.directory.setState(h, Ready)
	return nil
}

// abandon undoes a failed Create, also when its client has gone. What can't be
// undone now is taken up later.
func (s *Service) abandon(ctx context.Context, h *held) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), engineTimeout)
	defer cancel()
	if err := s.remove(ctx, h); err != nil {
		s.log.Warn("failed workspace is still to be undone", "workspace", h.live.ID, "error", err)
	}
}

// Delete ends the workspace's sessions and removes it. From the moment that it
// is recorded as Deleting there is no way back: what fails then is taken up
// again later, or by the next Delete.
func (s *Service) Delete(ctx context.Context, p Principal, id string) (Deleted, error) {
	if err := p.mayWrite(); err != nil {
		return Deleted{}, err
	}
	if err := p.reaches(id); err != nil {
		return Deleted{}, err
	}
	h, _ := s.directory.named(p.ProjectID, id)
	if h == nil {
		return Deleted{}, notFound(id)
	}
	h.changing.Lock()
	defer h.changing.Unlock()
	return s.delete(ctx, h)
}

// delete is Delete, with changing held.
func (s *Service) delete(ctx context.Context, h *held) (Deleted, error) {
	now, w := s.directory.numbered(h.live.ID)
	if now == nil || w.State == Creating {
		return Deleted{}, notFound(h.live.Name)
	}
	if h.server == nil {
		return Deleted{}, serverMissing(w)
	}
	if w.State != Deleting {
		if err := s.catalog.SetState(ctx, w.ID, Deleting); err != nil {
			return Deleted{}, storeFailed(err)
		}
		s.directory.setState(h, Deleting)
		h.live.SetDeleted()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), engineTimeout)
	defer cancel()
	s.closeSessions(ctx, w.ID)
	if err := s.remove(ctx, h); err != nil {
		return Deleted{}, err
	}
	return Deleted{Name: w.Name, Mode: w.Mode, VersionsDeleted: w.Version}, nil
}

func (s *Service) closeSessions(ctx context.Context, id int64) {
	if x := s.openSessions(); x != nil {
		x.CloseWorkspace(ctx, id)
	}
}

// openSessions are those of the proxy; nil before SetSessions.
func (s *Service) openSessions() Sessions {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

// remove drops the database and then the record of it, so that a crash between
// the two is only repeated. changing is held.
func (s *Service) remove(ctx context.Context, h *held) error {
	if err := h.server.engine.Drop(ctx, h.target); err != nil {
		return fmt.Errorf("drop database: %w", err)
	}
	if err := s.catalog.RemoveWorkspace(ctx, h.live.ID); err != nil && !errors.Is(err, ErrNotFound) {
		return storeFailed(err)
	}
	s.directory.remove(h)
	return nil
}

// finish removes what was left Creating or Deleting: by a crash, or while the
// server could not be reached. Those that somebody is at are left to them.
func (s *Service) finish(ctx context.Context) {
	unfinished := s.directory.workspaces(func(h *held) bool {
		return h.w.State != Ready && h.server != nil && h.server.isPrepared()
	})
	for _, h := range unfinished {
		if !h.changing.TryLock() {
			continue
		}
		if err := s.finishOne(ctx, h); err != nil {
			s.log.Warn("unfinished workspace can't be removed yet", "workspace", h.live.ID, "error", err)
		}
		h.changing.Unlock()
	}
}

func (s *Service) finishOne(ctx context.Context, h *held) error {
	now, w := s.directory.numbered(h.live.ID)
	if now == nil || w.State == Ready {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	s.closeSessions(ctx, w.ID)
	return s.remove(ctx, h)
}
