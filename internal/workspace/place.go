package workspace

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
)

// The longest names of roles: MySQL's user names have 32 characters (MariaDB's
// may have more), PostgreSQL's names 63 bytes.
const (
	longestMySQLUser = 32
	longestRole      = 63
)

// freePlace finds a physical database and role: name for both, a shorter role
// where the type's may not be as long, or a number and that as the role where
// databases are numbered. What another project has, or somebody whom the catalog
// does not know, is left alone, and so is a name that the project has on another
// server: a login may reach both. naming is held.
func (s *Service) freePlace(ctx context.Context, v *server, project, name string) (database, role string, err error) {
	databases, roles := map[string]bool{}, map[string]bool{}
	numbered, ok := v.engine.(Numbered)
	for _, h := range s.directory.databases(func(h *held) bool { return h.w.Type == v.engine.Type() }) {
		switch {
		case h.server == v:
			t := h.targetNow()
			databases[t.Database], roles[t.Role], roles[t.Owner], roles[t.Reader] = true, true, true, true
		case !ok && h.w.ProjectID == project:
			databases[h.target.Database] = true
		}
	}
	if !ok {
		return freeNames(ctx, v, name, databases, roles)
	}
	_, role, err = freeNames(ctx, v, name, roles, roles)
	if err != nil {
		return "", "", err
	}
	count, err := numbered.Databases(ctx)
	if err != nil {
		return "", "", fmt.Errorf("count the databases of %s: %w", v.label(), err)
	}
	database, err = freeNumber(ctx, v, count, databases)
	return database, role, err
}

// freeNames are name, with a number behind it where that is taken, and the role
// that goes with it.
func freeNames(ctx context.Context, v *server, name string, databases, roles map[string]bool) (database, role string, err error) {
	database = name
	for n := 2; n < maxNameTries; n++ {
		role = roleName(v.engine.Type(), database)
		free, err := isFree(ctx, v, database, databases)
		if err == nil && free && role != database {
			free, err = isFree(ctx, v, role, roles)
		}
		if err != nil || free {
			return database, role, err
		}
		database = fmt.Sprintf("%s_%d", name, n)
	}
	return "", "", Errorf(Conflict, "no database name is left for %s", name)
}

// roleName is the name of the role that goes with the database: the same, or,
// where that is longer than the type's may be, its beginning and a part of its
// hash.
func roleName(t DatabaseType, database string) string {
	longest := longestRole
	if t == MySQL {
		longest = longestMySQLUser
	}
	if len(database) <= longest {
		return database
	}
	const digits = 12
	return fmt.Sprintf("%s_%x", database[:longest-1-digits], sha256.Sum256([]byte(database)))[:longest]
}

// ownerName is the role that owns a tenant's database, whose clients have role.
func ownerName(t DatabaseType, role string) string { return roleName(t, role+"_owner") }

// placeForTenant chooses the physical server for a tenant's database: of those
// that may hold it the one with the fewest databases. It returns with the
// server's naming held, so that no other tenant gets there meanwhile.
func (s *Service) placeForTenant(tenant *heldTenant, t DatabaseType, level int64) (*server, error) {
	none := noSharedServer(t)
	if level == OwnServer {
		none = noOwnServer(t)
	}
	for {
		v, err := s.placeAmong(t, s.mayHold(tenant, level), none)
		if err != nil {
			return nil, err
		}
		v.naming.Lock()
		if s.mayHold(tenant, level)(v) { // it did not change before it was held
			return v, nil
		}
		v.naming.Unlock()
	}
}

// mayHold says which servers may take a database of the tenant: for OwnServer
// those without other tenants, for SharedServer those that are no other's own.
func (s *Service) mayHold(tenant *heldTenant, level int64) func(*server) bool {
	others := s.directory.databases(func(h *held) bool { return h.of != nil && h.of.tenant != tenant })
	taken := map[*server]bool{}
	for _, h := range others {
		if level == OwnServer || h.of.level == OwnServer {
			taken[h.server] = true
		}
	}
	return func(v *server) bool { return !taken[v] }
}

func noOwnServer(t DatabaseType) *Error {
	return badField("isolation_level", "isolation_level 2 needs a %s server of its own, and every configured one holds another tenant: configure another server, or use level 1", t.DisplayName())
}

func noSharedServer(t DatabaseType) *Error {
	return badField("isolation_level", "every configured %s server is another tenant's own (isolation_level 2): configure another server", t.DisplayName())
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
