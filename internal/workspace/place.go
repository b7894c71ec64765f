package workspace

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
)

// longestMySQLUser is how many characters MySQL's user names may have; MariaDB's
// may have more.
const longestMySQLUser = 32

// freePlace gives w its physical database and role: <name>_workspace for both,
// a shorter role where the type's may not be as long, or a number and that as
// the role where databases are numbered. What another project has, or somebody
// whom the catalog does not know, is left alone. naming is held.
func (s *Service) freePlace(ctx context.Context, v *server, w *Workspace) error {
	databases, roles := map[string]bool{}, map[string]bool{}
	for _, h := range s.directory.workspaces(func(h *held) bool { return h.server == v }) {
		databases[h.target.Database], roles[h.target.Role] = true, true
	}
	numbered, ok := v.engine.(Numbered)
	if !ok {
		var err error
		w.Database, w.Role, err = freeNames(ctx, v, w.Name, databases, roles)
		return err
	}
	_, role, err := freeNames(ctx, v, w.Name, roles, roles)
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

// freeNames are <name>_workspace, with a number behind it where that is taken,
// and the role that goes with it.
func freeNames(ctx context.Context, v *server, name string, databases, roles map[string]bool) (database, role string, err error) {
	base := name + "_workspace"
	database = base
	for n := 2; n < maxNameTries; n++ {
		role = roleName(v.engine.Type(), database)
		free, err := isFree(ctx, v, database, databases)
		if err == nil && free && role != database {
			free, err = isFree(ctx, v, role, roles)
		}
		if err != nil || free {
			return database, role, err
		}
		database = fmt.Sprintf("%s_%d", base, n)
	}
	return "", "", Errorf(Conflict, "no database name is left for workspace %s", name)
}

// roleName is the name of the role that owns the database: the same, or, where
// that is longer than the type's may be, its beginning and a part of its hash.
func roleName(t DatabaseType, database string) string {
	if t != MySQL || len(database) <= longestMySQLUser {
		return database
	}
	const digits = 12
	return fmt.Sprintf("%s_%x", database[:longestMySQLUser-1-digits], sha256.Sum256([]byte(database)))[:longestMySQLUser]
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
