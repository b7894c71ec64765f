package workspace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
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
// type with the fewest databases.
func (s *Service) placeFor(t DatabaseType) (*server, error) {
	return s.placeAmong(t, func(*server) bool { return true }, nil)
}

// placeAmong is the server of that type with the fewest databases among those
// that may be taken, or none.
func (s *Service) placeAmong(t DatabaseType, may func(*server) bool, none error) (*server, error) {
	count := map[*server]int{}
	for _, h := range s.directory.databases(func(*held) bool { return true }) {
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
	fit = slices.DeleteFunc(fit, func(v *server) bool { return !may(v) })
	if len(fit) == 0 {
		return nil, none
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
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	if err := v.prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", v.label(), err)
	}
	var err error
	if w.Database, w.Role, err = s.freePlace(ctx, v, w.ProjectID, w.Name+"_workspace"); err != nil {
		return nil, err
	}
	password := randomHex(rolePasswordSize)
	w.Server = v.name
	w.RoleSecret = s.keyring.seal(secretRow(w.Server, w.Role), password)
	w.State, w.CreatedAt = Creating, s.time()
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
	return s.open(ctx, h)
}

// open lets logins into a workspace, those who may only read among them.
func (s *Service) open(ctx context.Context, h *held) error {
	h.readers.Lock()
	defer h.readers.Unlock()
	if err := s.readerFor(ctx, h); err != nil {
		return err
	}
	return s.setState(ctx, h, Ready)
}

// setState keeps the state of a workspace.
func (s *Service) setState(ctx context.Context, h *held, state State) error {
	if err := s.catalog.SetState(ctx, h.live.ID, state); err != nil {
		return storeFailed(err)
	}
	s.directory.setState(state, h)
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
	if err := s.hasNoTenants(h); err != nil {
		return Deleted{}, err
	}
	return s.delete(ctx, h)
}

// hasNoTenants refuses to delete a workspace that tenants have databases of.
// With changing held none is added meanwhile.
func (s *Service) hasNoTenants(h *held) error {
	names := s.directory.tenantsOf(h)
	if len(names) == 0 {
		return nil
	}
	e := Errorf(Conflict, "cannot delete workspace with deployed tenants")
	e.Details = map[string]any{
		"message":         e.Message,
		"reason":          "tenants_deployed",
		"deployed_to":     names,
		"action_required": "Delete all tenants first or use a different workspace",
	}
	return e
}

// delete is Delete, with changing held. A tenant's database is Deleting already.
func (s *Service) delete(ctx context.Context, h *held) (Deleted, error) {
	now, w := s.directory.numbered(h.live.ID)
	if now == nil || w.State == Creating {
		return Deleted{}, notFound(h.live.Name)
	}
	if h.server == nil {
		return Deleted{}, serverMissing(w)
	}
	if w.State != Deleting {
		if err := s.setState(ctx, h, Deleting); err != nil {
			return Deleted{}, err
		}
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
	h.readers.Lock()
	defer h.readers.Unlock()
	if err := h.server.engine.Drop(ctx, h.targetNow()); err != nil {
		return fmt.Errorf("drop database: %w", err)
	}
	forget := s.catalog.RemoveWorkspace
	if h.of != nil {
		forget = s.catalog.RemoveTenantDatabase
	}
	if err := forget(ctx, h.live.ID); err != nil && !errors.Is(err, ErrNotFound) {
		return storeFailed(err)
	}
	s.directory.remove(h)
	return nil
}

// finish removes what was left Creating or Deleting: by a crash, or while the
// server could not be reached. One that still can't be is waited for beside the
// others, and once.
func (s *Service) finish(ctx context.Context) {
	unfinished := map[*server][]*held{}
	for _, h := range s.directory.databases(func(h *held) bool {
		return h.w.State != Ready && h.server != nil && h.server.isPrepared()
	}) {
		unfinished[h.server] = append(unfinished[h.server], h)
	}
	var wg sync.WaitGroup
	for _, all := range unfinished {
		wg.Go(func() { s.finishAll(ctx, all) })
	}
	wg.Wait()
}

// finishAll is finish on one server, as long as that can be reached. What somebody
// is at is left to them.
func (s *Service) finishAll(ctx context.Context, all []*held) {
	for _, h := range all {
		if !h.tryLock() {
			continue
		}
		err := s.finishOne(ctx, h)
		h.unlock()
		if err != nil {
			s.log.Warn("unfinished workspace can't be removed yet", "workspace", h.live.ID, "error", err)
		}
		if ErrorCode(err) == Unavailable {
			return
		}
	}
}

// tryLock takes what a removal needs: of a tenant's database its tenant too.
func (h *held) tryLock() bool {
	if h.of == nil {
		return h.changing.TryLock()
	}
	if !h.of.tenant.changing.TryLock() {
		return false
	}
	if !h.changing.TryLock() {
		h.of.tenant.changing.Unlock()
		return false
	}
	return true
}

func (h *held) unlock() {
	h.changing.Unlock()
	if h.of != nil {
		h.of.tenant.changing.Unlock()
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
