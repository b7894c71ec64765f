package workspace

import (
	"context"
	"errors"
	"fmt"
)

// List is the project's workspaces that the key reaches, oldest first.
func (s *Service) List(_ context.Context, p Principal) ([]Workspace, error) {
	if err := p.mayRead(); err != nil {
		return nil, err
	}
	found := s.directory.workspaces(func(h *held) bool {
		return h.w.ProjectID == p.ProjectID && h.w.State == Ready && p.reaches(h.w.Name) == nil
	})
	all := make([]Workspace, 0, len(found))
	for _, h := range found {
		all = append(all, s.directory.current(h))
	}
	return all, nil
}

// Get is one workspace; an unreadable schema is in SchemaError, not an error.
func (s *Service) Get(ctx context.Context, p Principal, id string) (Details, error) {
	if err := p.mayRead(); err != nil {
		return Details{}, err
	}
	h, w, err := s.find(p, id)
	if err != nil {
		return Details{}, err
	}
	definitions, schemaErr := s.definitions(ctx, h)
	d := s.details(h, false)
	d.Definitions = definitions
	if schemaErr != nil {
		s.log.Warn("schema can't be read", "workspace", w.ID, "error", schemaErr)
		d.SchemaError = told(schemaErr)
	}
	if w.Mode != Tenant {
		return d, nil
	}
	if d.Undeployed, err = s.catalog.PendingCount(ctx, w.ID); err != nil {
		return Details{}, storeFailed(err)
	}
	return d, nil
}

// definitions is the schema now, with the queue brought up to the same point.
func (s *Service) definitions(ctx context.Context, h *held) ([]string, error) {
	if err := s.Record(ctx, h.live.ID); err != nil {
		return nil, err
	}
	all, err := h.server.engine.Definitions(ctx, h.targetNow())
	if all == nil && err == nil {
		all = []string{}
	}
	return all, err
}

// told is what of an error a client may know.
func told(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Message
	}
	return "the schema could not be read"
}

// details is the record of h with its connection.
func (s *Service) details(h *held, showPassword bool) Details {
	return Details{Workspace: s.directory.current(h), Connection: s.connection(h, showPassword)}
}

// connection is how clients reach h.
func (s *Service) connection(h *held, showPassword bool) Connection {
	w := s.directory.current(h)
	password := hidden
	if u := s.directory.user(h.user); showPassword && u != nil {
		password = u.password
	}
	return connection(w, h.user, s.public[w.Type], password)
}

// Query runs text with the workspace's limits and records its DDL before it
// answers. A text that fails may have changed the schema before it did.
func (s *Service) Query(ctx context.Context, p Principal, id, text string) (Result, error) {
	if err := p.mayWrite(); err != nil {
		return Result{}, err
	}
	h, _, err := s.find(p, id)
	if err != nil {
		return Result{}, err
	}
	result, err := s.query(ctx, h, text, limitsOf(h.live))
	recordErr := s.Record(context.WithoutCancel(ctx), h.live.ID)
	if err != nil {
		if recordErr != nil {
			s.log.Warn("queue can't be brought up to date", "workspace", h.live.ID, "error", recordErr)
		}
		return Result{}, fmt.Errorf("query: %w", err)
	}
	if recordErr != nil {
		return Result{}, &Error{
			Code:    Unavailable,
			Message: "the query took effect, and what it changed in the schema will be recorded later: " + told(recordErr),
			cause:   recordErr,
		}
	}
	return result, nil
}

func limitsOf(l *Live) Limits {
	return Limits{Kind: l.Kind(), Workspace: l.Name, TimeoutMS: l.QueryTimeout().Milliseconds(), MaxRows: l.MaxRows()}
}

// query takes one of the workspace's connections for as long as it runs. One of
// Redis is a session of the proxy's own, which counts it.
func (s *Service) query(ctx context.Context, h *held, text string, limits Limits) (Result, error) {
	if h.live.Type != Redis {
		if !h.live.Enter() {
			return Result{}, full(h.live)
		}
		defer h.live.Leave()
	}
	result, err := h.server.engine.Query(ctx, h.target, text, limits)
	// Also where it failed: a statement before that may have succeeded.
	if o, ok := h.server.engine.(Outdating); ok && o.Outdates(text) {
		if x := s.openSessions(); x != nil {
			x.Renew(h.live.ID)
		}
	}
	if errors.Is(err, ErrFull) {
		return Result{}, full(h.live)
	}
	return result, err
}

func full(l *Live) *Error {
	e := Errorf(RateLimited, "%s %q has reached its max_connections limit of %d", l.Kind(), l.Name, l.MaxConnections())
	e.Details = map[string]any{
		"reason":          "max_connections",
		"action_required": "Try again later, or " + l.Raise("max_connections"),
	}
	return e
}

// Schema is the workspace's tables now.
func (s *Service) Schema(ctx context.Context, p Principal, id string) ([]Table, error) {
	if err := p.mayRead(); err != nil {
		return nil, err
	}
	h, _, err := s.find(p, id)
	if err != nil {
		return nil, err
	}
	tables, err := h.server.engine.Tables(ctx, h.target)
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	return tables, nil
}
