package workspace

import (
	"context"
	"fmt"
	"strconv"
)

// freePlace gives w its physical database and role: <name>_workspace for both,
// or a number and that as the role where databases are numbered. What another
// project has, or somebody whom the catalog does not know, is left alone.
// naming is held.
func (s *Service) freePlace(ctx context.Context, v *server, w *Workspace) error {
	databases, roles := map[string]bool{}, map[string]bool{}
	for _, h := range s.directory.workspaces(func(h *held) bool { return h.server == v }) {
		databases[h.target.Database], roles[h.target.Role] = true, true
	}
	numbered, ok := v.engine.(Numbered)
	if !ok {
		name, err := freeName(ctx, v, w.Name, databases)
		w.Database, w.Role = name, name
		return err
	}
	role, err := freeName(ctx, v, w.Name, roles)
	if err != nil {
		return err
	}
	count, err := numbered.Databases(ctx)
	if err != nil {
		return fmt.Errorf("count the databases of %s: %w", v.label(), err)
	}
	number, err := freeNumber(ctx, v, count, databases)
	w.Database, w.Role = number, role
	return err
}

// freeName is <name>_workspace, with a number behind it where that is taken.
func freeName(ctx context.Context, v *server, name string, ours map[string]bool) (string, error) {
	base := name + "_workspace"
	candidate := base
	for n := 2; n < maxNameTries; n++ {
		free, err := isFree(ctx, v, candidate, ours)
		if err != nil || free {
			return candidate, err
		}
		candidate = fmt.Sprintf("%s_%d", base, n)
	}
	return "", Errorf(Conflict, "no database name is left for workspace %s", name)
}

// freeNumber is the lowest number that is free.
func freeNumber(ctx context.Context, v *server, count int, ours map[string]bool) (string, error) {
	for n := 1; n < count; n++ {
		candidate := strconv.Itoa(n)
		if free, err := isFree(ctx, v, candidate, ours); err != nil || free {
			return candidate, err
		}
	}
	e := Errorf(Conflict, "no logical database is left: the %s server %s has %d, of which one is kept back, and all others are in use",
		v.engine.Type().DisplayName(), v.name, count)
	e.Details = map[string]any{
		"reason":          "databases_exhausted",
		"action_required": "Delete a workspace, or start the server with more databases",
	}
	return "", e
}

func isFree(ctx context.Context, v *server, candidate string, ours map[string]bool) (bool, error) {
	if ours[candidate] {
		return false, nil
	}
	taken, err := v.engine.Exists(ctx, candidate)
	if err != nil {
		return false, fmt.Errorf("look for database %s: %w", candidate, err)
	}
	return !taken, nil
}
