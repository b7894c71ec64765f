package workspace

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

const parallelReaders = 4 // made at once for one key

// reader is the physical role that may only read one database. It is there only
// while a key needs it: on some servers it shows in the database's grants. It
// never changes.
type reader struct {
	role, password string
	state          readerState
}

// readerState is where a reader stands between its record and the server.
type readerState int

const (
	readerMaking  readerState = iota // its record is there, and it may be
	readerMade                       // it is there
	readerLeaving                    // it is being removed
)

// readerNow is the reader that logins may use, nil where there is none.
func (h *held) readerNow() *reader {
	if r := h.reader.Load(); r != nil && r.state == readerMade {
		return r
	}
	return nil
}

// targetNow is the target with its reader.
func (h *held) targetNow() Target {
	t := h.target
	if r := h.reader.Load(); r != nil {
		t.Reader, t.ReaderPassword = r.role, r.password
	}
	return t
}

// targetKept is the target with the roles that are to be on the server.
func (h *held) targetKept() Target {
	t := h.target
	if r := h.reader.Load(); r != nil && r.state != readerLeaving {
		t.Reader, t.ReaderPassword = r.role, r.password
	}
	return t
}

// makeReaders makes the readers of all databases that u reaches. Those that are
// being made see to it themselves.
func (s *Service) makeReaders(ctx context.Context, u *heldUser) error {
	all := s.directory.databases(func(h *held) bool { return u.reaches(h) && h.server != nil })
	errs := make([]error, len(all))
	slots := make(chan struct{}, parallelReaders)
	var wg sync.WaitGroup
	for i, h := range all {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = s.keepReader(ctx, h)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// keepReaders makes the readers that are missing and removes those that nobody
// needs: what a crash left, or a server that could not be reached.
func (s *Service) keepReaders(ctx context.Context) {
	for _, h := range s.directory.databases(func(h *held) bool { return h.server != nil && h.server.isPrepared() }) {
		if err := s.keepReader(ctx, h); err != nil && ctx.Err() == nil {
			s.log.Warn("reader can't be looked after", "workspace", h.live.ID, "error", err)
		}
	}
}

// keepReader makes h's reader where somebody needs it, and removes it where
// nobody does.
func (s *Service) keepReader(ctx context.Context, h *held) error {
	h.readers.Lock()
	defer h.readers.Unlock()
	if s.directory.current(h).State != Ready {
		return nil
	}
	needed := s.directory.needsReader(h)
	switch {
	case needed && h.readerNow() == nil:
		return s.makeReader(ctx, h)
	case !needed && h.reader.Load() != nil:
		return s.dropReader(ctx, h)
	}
	return nil
}

// readerFor makes the reader of a database that is not Ready yet, where somebody
// needs it. readers is held until it is Ready.
func (s *Service) readerFor(ctx context.Context, h *held) error {
	if !s.directory.needsReader(h) {
		return nil
	}
	return s.makeReader(ctx, h)
}

// makeReader makes h's reader, the record of it first, so that a crash from here
// on is finished or undone at the next start. readers is held.
func (s *Service) makeReader(ctx context.Context, h *held) error {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	r := reader{}
	if kept := h.reader.Load(); kept != nil {
		r = *kept
	} else {
		if err := s.addReader(ctx, h, &r); err != nil {
			return err
		}
	}
	r.state = readerMaking
	h.setReader(r)
	if err := h.server.engine.SetReader(ctx, h.targetNow()); err != nil {
		return fmt.Errorf("make a role that may read %s: %w", h.live.Name, err)
	}
	r.state = readerMade
	h.setReader(r)
	return nil
}

func (h *held) setReader(r reader) { h.reader.Store(&r) }

// addReader names the reader and keeps the record of it.
func (s *Service) addReader(ctx context.Context, h *held, r *reader) error {
	v := h.server
	v.naming.Lock()
	defer v.naming.Unlock()
	if err := v.prepare(ctx); err != nil {
		return fmt.Errorf("prepare %s: %w", v.label(), err)
	}
	var err error
	if r.role, err = s.freeReader(ctx, h); err != nil {
		return err
	}
	r.password = randomHex(rolePasswordSize)
	err = s.catalog.AddReader(ctx, ReaderRecord{
		DatabaseID: h.live.ID, Role: r.role, RoleSecret: s.keyring.seal(secretRow(v.name, r.role), r.password),
	})
	if err != nil {
		return storeFailed(err)
	}
	h.setReader(*r)
	return nil
}

// freeReader is a name for the reader that nobody on the server has.
func (s *Service) freeReader(ctx context.Context, h *held) (string, error) {
	taken := map[string]bool{}
	for _, other := range s.directory.databases(func(other *held) bool { return other.server == h.server }) {
		t := other.targetNow()
		taken[t.Database], taken[t.Role], taken[t.Owner], taken[t.Reader] = true, true, true, true
	}
	for n := 1; n < maxNameTries; n++ {
		role := h.target.Role + "_reader"
		if n > 1 {
			role = fmt.Sprintf("%s_%d", role, n)
		}
		role = roleName(h.live.Type, role)
		if free, err := isFree(ctx, h.server, role, taken); err != nil || free {
			return role, err
		}
	}
	return "", Errorf(Conflict, "no role name is left for who may read %s", h.live.Name)
}

// dropReader removes h's reader; readers is held. Its warm connections are of no
// use any more.
func (s *Service) dropReader(ctx context.Context, h *held) error {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	t := h.targetNow()
	h.setReader(reader{t.Reader, t.ReaderPassword, readerLeaving})
	if err := h.server.engine.DropReader(ctx, t); err != nil {
		return fmt.Errorf("remove the role that may read %s: %w", h.live.Name, err)
	}
	if err := s.catalog.RemoveReader(ctx, h.live.ID); err != nil {
		return storeFailed(err)
	}
	h.reader.Store(nil)
	if x := s.openSessions(); x != nil {
		x.Renew(h.live.ID)
	}
	return nil
}

// loadReaders gives the databases of the directory their readers. One that a key
// needs has been made, since the key was kept behind it.
func (s *Service) loadReaders(ctx context.Context) error {
	all, err := s.catalog.Readers(ctx)
	if err != nil {
		return err
	}
	for _, r := range all {
		h, w := s.directory.numbered(r.DatabaseID)
		if h == nil {
			continue
		}
		password, err := s.keyring.open(secretRow(w.Server, r.Role), r.RoleSecret)
		if err != nil {
			return fmt.Errorf("open the password of the reader of database %d: %w", r.DatabaseID, err)
		}
		state := readerMaking
		if s.directory.needsReader(h) {
			state = readerMade
		}
		h.setReader(reader{r.Role, password, state})
	}
	return nil
}
