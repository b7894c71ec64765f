package workspace

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const parallelRecords = 4 // workspaces recorded at once in the background

// recorder runs one workspace's records, one at a time. Whoever asks while one
// is under way shares the next: only a run that starts after the call is sure
// to see what the caller has committed.
type recorder struct {
	mu      sync.Mutex
	running bool
	next    *run
}

// run is one read of the journal.
type run struct {
	done chan struct{}
	err  error // readable when done is closed
}

// do waits for a run of work that starts now or later. begin starts a goroutine
// with an owner; it is false where there is none any more.
func (r *recorder) do(ctx context.Context, begin func(func()) bool, work func() error) error {
	mine, err := r.join(begin, work)
	if err != nil {
		return err
	}
	select {
	case <-mine.done:
		return mine.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *recorder) join(begin func(func()) bool, work func() error) (*run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next != nil {
		return r.next, nil
	}
	mine := &run{done: make(chan struct{})}
	if r.running {
		r.next = mine
		return mine, nil
	}
	if !begin(func() { r.drain(mine, work) }) {
		return nil, Errorf(Unavailable, "shutting down")
	}
	r.running = true
	return mine, nil
}

// drain does first and whatever was asked for meanwhile.
func (r *recorder) drain(first *run, work func() error) {
	for now := first; now != nil; now = r.finished() {
		now.err = work()
		close(now.done)
	}
}

// finished takes the next run, if there is one.
func (r *recorder) finished() *run {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.next
	r.next = nil
	r.running = next != nil
	return next
}

// Record moves the workspace's committed schema changes into its deploy queue,
// durably and each once, in commit order. The relay calls it before it passes
// on the acknowledgement of a transaction that changed the schema. A caller
// that stops waiting does not stop the run.
func (s *Service) Record(ctx context.Context, workspaceID int64) error {
	h, w := s.directory.numbered(workspaceID)
	switch {
	case h == nil || w.State != Ready:
		return Errorf(NotFound, "workspace %d is not there", workspaceID)
	case h.server == nil:
		return serverMissing(w)
	case w.Mode != Tenant:
		return nil
	}
	detached := context.WithoutCancel(ctx)
	return h.record.do(ctx, s.begin, func() error {
		ctx, cancel := context.WithTimeout(detached, engineTimeout)
		defer cancel()
		return s.record(ctx, h)
	})
}

// Announce tells the workspace's server of a statement that may change the
// schema, before the relay sends it on the connection of that number. It does
// no I/O.
func (s *Service) Announce(workspaceID int64, session uint32, statement string) {
	h, w := s.directory.numbered(workspaceID)
	if h == nil || h.server == nil || w.Mode != Tenant {
		return
	}
	if engine, ok := h.server.engine.(Announced); ok {
		engine.Announce(h.target, session, statement)
	}
}

// record does one run. What the catalog has and the journal could not forget is
// read again by the next run, and known by its journal id.
func (s *Service) record(ctx context.Context, h *held) error {
	changes, err := h.server.engine.Changes(ctx, h.target)
	if err != nil {
		return fmt.Errorf("read schema changes: %w", err)
	}
	if len(changes) == 0 {
		return nil
	}
	version, err := s.catalog.Append(ctx, h.live.ID, changes, s.time())
	if err != nil {
		return storeFailed(err)
	}
	s.directory.setVersion(h, version)
	s.auditChanges(h, changes)
	ids := make([]int64, len(changes))
	for i, ch := range changes {
		ids[i] = ch.JournalID
	}
	if err := h.server.engine.Forget(ctx, h.target, ids); err != nil {
		s.log.Warn("recorded schema changes can't be forgotten yet", "workspace", h.live.ID, "error", err)
	}
	return nil
}

// auditChanges notes what entered the queue or left it by a revert. A change
// that the journal could not forget is noted again.
func (s *Service) auditChanges(h *held, changes []Change) {
	for _, ch := range changes {
		attrs := []any{"workspace", h.live.Name, "workspace_id", h.live.ID, "journal_id", ch.JournalID,
			"operation", ch.Operation, "object", ch.Object, "source", ch.Source, "committed_at", ch.At}
		if ch.Reverts != 0 {
			attrs = append(attrs, "reverts", ch.Reverts)
		}
		s.audit.Info("schema change", attrs...)
	}
}

// keepUp brings everything up to date, now and every so often, until ctx ends.
func (s *Service) keepUp(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		s.recordAll(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.prepare(ctx); err != nil {
			s.log.Error("server can't be prepared", "error", err)
		}
		s.finish(ctx)
		s.keepReaders(ctx)
		s.finishImports(ctx)
	}
}

// recordAll records every tenant workspace, a few at once.
func (s *Service) recordAll(ctx context.Context) {
	all := s.directory.workspaces(func(h *held) bool {
		return h.w.Mode == Tenant && h.w.State == Ready && h.server != nil
	})
	slots := make(chan struct{}, parallelRecords)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, h := range all {
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := s.Record(ctx, h.live.ID); err != nil && ctx.Err() == nil {
				s.log.Warn("queue can't be brought up to date", "workspace", h.live.ID, "error", err)
			}
		})
	}
}
