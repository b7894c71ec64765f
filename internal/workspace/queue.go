package workspace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// statusDeployed is the status of an entry that some tenant has.
const statusDeployed = "deployed"

// Pending is the deploy queue, oldest first; BadRequest in control mode.
func (s *Service) Pending(ctx context.Context, p Principal, id string) (Queue, error) {
	if err := p.mayRead(); err != nil {
		return Queue{}, err
	}
	h, err := s.findQueue(p, id)
	if err != nil {
		return Queue{}, err
	}
	if err := s.Record(ctx, h.live.ID); err != nil {
		return Queue{}, fmt.Errorf("bring the queue up to date: %w", err)
	}
	pending, err := s.catalog.Pending(ctx, h.live.ID)
	if err != nil {
		return Queue{}, storeFailed(err)
	}
	for i := range pending {
		h.show(&pending[i])
	}
	w := s.directory.current(h)
	return Queue{Workspace: w.Name, Version: w.Version, Pending: pending}, nil
}

// show puts an entry's statements in the form in which people read them.
func (h *held) show(e *Entry) {
	engine, ok := h.server.engine.(Shown)
	if !ok {
		return
	}
	e.Kept, e.Statement = e.Statement, engine.Show(e.Statement)
	if e.Reverse != "" {
		e.Reverse = engine.Show(e.Reverse)
	}
}

// Skip removes an entry from the queue; the database keeps the change.
func (s *Service) Skip(ctx context.Context, p Principal, id string, ddlID int64) error {
	if err := p.mayWrite(); err != nil {
		return err
	}
	h, err := s.findQueue(p, id)
	if err != nil {
		return err
	}
	h.changing.Lock()
	defer h.changing.Unlock()
	if err := s.Record(ctx, h.live.ID); err != nil {
		return fmt.Errorf("bring the queue up to date: %w", err)
	}
	err = s.catalog.Skip(ctx, h.live.ID, ddlID)
	if errors.Is(err, ErrNotFound) {
		return entryNotFound(ddlID)
	}
	if err != nil {
		return storeFailed(err)
	}
	return nil
}

// Revert runs an entry's reverse statement, which it returns, and removes the
// entry.
func (s *Service) Revert(ctx context.Context, p Principal, id string, ddlID int64) (string, error) {
	if err := p.mayWrite(); err != nil {
		return "", err
	}
	h, err := s.findQueue(p, id)
	if err != nil {
		return "", err
	}
	h.changing.Lock()
	defer h.changing.Unlock()
	if err := s.Record(ctx, h.live.ID); err != nil {
		return "", fmt.Errorf("bring the queue up to date: %w", err)
	}
	e, err := s.revertible(ctx, h, ddlID)
	if err != nil {
		return "", err
	}
	if err := s.revert(ctx, h, e); err != nil {
		return "", fmt.Errorf("revert: %w", err)
	}
	// The journal has the revert, so a failure here is made good by any later
	// record; the client must not give up what has been done.
	if err := s.Record(context.WithoutCancel(ctx), h.live.ID); err != nil {
		s.log.Warn("queue can't be brought up to date", "workspace", h.live.ID, "error", err)
	}
	h.show(&e)
	return e.Reverse, nil
}

// revert bounds the time that changing is held.
func (s *Service) revert(ctx context.Context, h *held, e Entry) error {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	return h.server.engine.Revert(ctx, h.target, e)
}

// revertible is the entry, if it can be reverted now.
func (s *Service) revertible(ctx context.Context, h *held, ddlID int64) (Entry, error) {
	e, err := s.catalog.Entry(ctx, h.live.ID, ddlID)
	switch {
	case errors.Is(err, ErrNotFound):
		return e, entryNotFound(ddlID)
	case err != nil:
		return e, storeFailed(err)
	case e.Status == statusDeployed:
		return e, deployedAlready()
	case !e.Reversible || e.Reverse == "":
		return e, notReversible(e)
	}
	pending, err := s.catalog.Pending(ctx, h.live.ID)
	if err != nil {
		return e, storeFailed(err)
	}
	if later := dependents(e, pending); len(later) > 0 {
		return e, dependedOn(e, later)
	}
	return e, nil
}

// dependents are the pending entries after e that stand on what e made or
// changed.
func dependents(e Entry, pending []Entry) []Entry {
	var later []Entry
	for _, other := range pending {
		if other.ID > e.ID && standsOn(other, e.Identity) {
			later = append(later, other)
		}
	}
	return later
}

// standsOn says whether e needs the object, is about it, or about a part of it.
func standsOn(e Entry, identity string) bool {
	if identity == "" {
		return false
	}
	within := func(other string) bool {
		return other == identity || strings.HasPrefix(other, identity+".")
	}
	return within(e.Identity) || slices.ContainsFunc(e.References, within)
}

// findQueue is find, for what only tenant mode has.
func (s *Service) findQueue(p Principal, id string) (*held, error) {
	h, w, err := s.find(p, id)
	if err != nil {
		return nil, err
	}
	if w.Mode != Tenant {
		e := Errorf(BadRequest, "Workspace '%s' is in control mode: it has no deploy queue", w.Name)
		e.Details = map[string]any{
			"reason":          "control_mode",
			"action_required": "Use a workspace in tenant mode",
		}
		return nil, e
	}
	return h, nil
}

func entryNotFound(ddlID int64) *Error {
	return Errorf(NotFound, "DDL not found in the deploy queue: %d", ddlID)
}

func deployedAlready() *Error {
	e := Errorf(NotFound, "Cannot revert DDLs already deployed to tenants. Create a new migration instead.")
	e.Details = map[string]any{
		"reason":          "already_deployed",
		"action_required": "Create a new migration instead.",
	}
	return e
}

func notReversible(e Entry) *Error {
	why := e.WhyNot
	if why == "" {
		why = "no statement is known to undo it exactly"
	}
	err := Errorf(Conflict, "DDL %d (%s) has no safe reverse: %s", e.ID, subject(e), why)
	err.Details = map[string]any{
		"reason":          "not_reversible",
		"action_required": "Undo it with a statement of your own",
	}
	return err
}

func dependedOn(e Entry, later []Entry) *Error {
	ids := make([]int64, len(later))
	names := make([]string, len(later))
	for i, l := range later {
		ids[i] = l.ID
		names[i] = fmt.Sprintf("%d (%s)", l.ID, subject(l))
	}
	err := Errorf(Conflict, "DDL %d (%s) can't be reverted: later pending changes depend on it: %s", e.ID, subject(e), strings.Join(names, ", "))
	err.Details = map[string]any{
		"reason":          "pending_dependents",
		"dependents":      ids,
		"action_required": "Revert or skip these first, the newest first",
	}
	return err
}

// subject is an entry in a few words.
func subject(e Entry) string { return strings.TrimSpace(e.Operation + " " + e.Object) }
